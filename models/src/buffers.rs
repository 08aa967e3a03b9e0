//! Memory for activations, reused from layer to layer and from step to step.

use std::ops::{Deref, DerefMut};
use std::sync::Mutex;

use crate::process;

/// Most unused buffers that are kept.
const WAITING: usize = 64;

/// Most bytes of unused buffers that are kept: large ones, such as copies of a model's weights, go back to the system.
const KEPT: usize = if cfg!(test) { 1 << 25 } else { 1 << 29 };

/// Bytes of a cache line: a SIMD vector that straddles two of them takes two accesses.
const LINE: usize = 64;

/// Numbers that buffers are kept of.
pub trait Pooled: Copy + Default + 'static {
    /// What a buffer holds in tests before it is written.
    const UNWRITTEN: Self;
    /// All buffers of this type.
    fn buffers() -> &'static Buffers<Self>;
}

impl Pooled for f32 {
    const UNWRITTEN: Self = f32::NAN;

    fn buffers() -> &'static Buffers<Self> {
        static BUFFERS: Buffers<f32> = Buffers::new();
        &BUFFERS
    }
}

impl Pooled for f64 {
    const UNWRITTEN: Self = f64::NAN;

    fn buffers() -> &'static Buffers<Self> {
        static BUFFERS: Buffers<f64> = Buffers::new();
        &BUFFERS
    }
}

/// The bits of bf16.
impl Pooled for u16 {
    const UNWRITTEN: Self = 0x7fc0;

    fn buffers() -> &'static Buffers<Self> {
        static BUFFERS: Buffers<u16> = Buffers::new();
        &BUFFERS
    }
}

/// Unused buffers of one type of number.
pub struct Buffers<E>(Mutex<Vec<Vec<E>>>);

/// Numbers aligned to a cache line; dropping it returns the memory to the pool.
pub(crate) struct Buffer<E: Pooled> {
    numbers: Vec<E>,
    start: usize,
    length: usize,
}

impl<E: Pooled> Buffers<E> {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    /// This many numbers with unspecified values: the caller writes each before reading it.
    pub(crate) fn take(&self, length: usize) -> Buffer<E> {
        let mut waiting = self.0.lock().expect("nothing panics while it holds the lock");
        let spare = LINE / size_of::<E>();
        let fits = |i: &usize| waiting[*i].len() >= length + spare;
        let best = (0..waiting.len()).filter(fits).min_by_key(|i| waiting[*i].len());
        let numbers = best.map(|i| waiting.swap_remove(i));
        drop(waiting);
        let numbers = numbers.unwrap_or_else(|| process::zeros(length + spare));
        let start = numbers.as_ptr().align_offset(LINE).min(spare);
        let mut buffer = Buffer { numbers, start, length };
        if cfg!(test) {
            // Reading a number before writing it makes a test fail.
            buffer.fill(E::UNWRITTEN);
        }
        buffer
    }
}

/// Scratch memory of one thread, divided anew for each task.
pub(crate) struct Scratch<E: Pooled>(Buffer<E>);

impl<E: Pooled> Scratch<E> {
    pub(crate) fn new() -> Self {
        Self(E::buffers().take(0))
    }

    /// Pieces of these lengths, each aligned to a cache line, with unspecified values.
    pub(crate) fn cut<const N: usize>(&mut self, lengths: [usize; N]) -> [&mut [E]; N] {
        let whole = lengths.map(|length| length.next_multiple_of(LINE / size_of::<E>()));
        let total = whole.iter().sum();
        if self.0.len() < total {
            self.0 = E::buffers().take(total);
        }
        let mut rest = &mut *self.0;
        std::array::from_fn(|i| {
            let (piece, more) = std::mem::take(&mut rest).split_at_mut(whole[i]);
            rest = more;
            &mut piece[..lengths[i]]
        })
    }
}

impl<E: Pooled> Deref for Buffer<E> {
    type Target = [E];

    fn deref(&self) -> &[E] {
        &self.numbers[self.start..self.start + self.length]
    }
}

impl<E: Pooled> DerefMut for Buffer<E> {
    fn deref_mut(&mut self) -> &mut [E] {
        &mut self.numbers[self.start..self.start + self.length]
    }
}

impl<E: Pooled> Drop for Buffer<E> {
    fn drop(&mut self) {
        let mut waiting = E::buffers().0.lock().expect("nothing panics while it holds the lock");
        waiting.push(std::mem::take(&mut self.numbers));
        let bytes = |waiting: &[Vec<E>]| waiting.iter().map(|numbers| size_of_val(&**numbers)).sum::<usize>();
        let all = waiting.len();
        let fitting = (0..all).find(|&from| all - from <= WAITING && bytes(&waiting[from..]) <= KEPT);
        let oldest: Vec<Vec<E>> = waiting.drain(..fitting.unwrap_or(all)).collect();
        // Giving memory back takes time, which the other threads need not wait for.
        drop(waiting);
        drop(oldest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_aligned_and_come_back() {
        for length in [1, 100, 1001] {
            let buffer = f32::buffers().take(length);
            assert_eq!((buffer.len(), buffer.as_ptr().addr() % LINE), (length, 0));
        }
        // Longer than what other tests ask for; one of them may still be quicker to take it when it is back.
        let (length, size) = (1_234_567, |buffer: Buffer<f64>| buffer.numbers.len());
        let again = |_| size(f64::buffers().take(length)) == size(f64::buffers().take(length - 9));
        assert!((0..20).any(again));
    }

    #[test]
    fn what_exceeds_the_limit_is_given_back() {
        let length = KEPT / size_of::<f64>() + 1;
        drop(f64::buffers().take(length));
        let waiting = f64::buffers().0.lock().unwrap();
        assert!(waiting.iter().map(|numbers| size_of_val(&**numbers)).sum::<usize>() <= KEPT);
    }
}
