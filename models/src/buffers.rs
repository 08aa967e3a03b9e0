//! Memory for activations, reused from layer to layer and from step to step.

use std::ops::{Deref, DerefMut};
use std::sync::Mutex;

use crate::real::Real;

/// Most buffers that wait to be used again.
const WAITING: usize = 64;

/// A vector of the processor that lies across two of these, in bytes, takes two accesses.
const LINE: usize = 64;

/// Buffers that nobody uses now, of one type of number.
pub struct Buffers<E>(Mutex<Vec<Vec<E>>>);

/// Numbers from the start of a cache line on; they go back when it is dropped.
pub(crate) struct Buffer<E: Real> {
    numbers: Vec<E>,
    start: usize,
    length: usize,
}

impl<E: Real> Buffers<E> {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    /// So many numbers of any value: whoever takes them writes each before reading it.
    pub(crate) fn take(&self, length: usize) -> Buffer<E> {
        let mut waiting = self.0.lock().expect("nothing panics while it holds the lock");
        let spare = LINE / size_of::<E>();
        let fits = |i: &usize| waiting[*i].len() >= length + spare;
        let best = (0..waiting.len()).filter(fits).min_by_key(|i| waiting[*i].len());
        let numbers = best.map(|i| waiting.swap_remove(i));
        drop(waiting);
        let numbers = numbers.unwrap_or_else(|| vec![E::ZERO; length + spare]);
        let start = numbers.as_ptr().align_offset(LINE).min(spare);
        let mut buffer = Buffer { numbers, start, length };
        if cfg!(test) {
            // Whoever reads what was not written will be seen.
            buffer.fill(E::of(f64::NAN));
        }
        buffer
    }
}

/// Memory that a thread cuts up anew for each task.
pub(crate) struct Scratch<E: Real>(Buffer<E>);

impl<E: Real> Scratch<E> {
    pub(crate) fn new() -> Self {
        Self(E::buffers().take(0))
    }

    /// Pieces of these lengths, each from the start of a cache line on, with numbers of any value.
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

impl<E: Real> Deref for Buffer<E> {
    type Target = [E];

    fn deref(&self) -> &[E] {
        &self.numbers[self.start..self.start + self.length]
    }
}

impl<E: Real> DerefMut for Buffer<E> {
    fn deref_mut(&mut self) -> &mut [E] {
        &mut self.numbers[self.start..self.start + self.length]
    }
}

impl<E: Real> Drop for Buffer<E> {
    fn drop(&mut self) {
        let mut waiting = E::buffers().0.lock().expect("nothing panics while it holds the lock");
        waiting.push(std::mem::take(&mut self.numbers));
        if waiting.len() > WAITING {
            waiting.remove(0);
        }
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
}
