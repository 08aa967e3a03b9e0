//! Asking for memory before it is needed, while something else is computed.

use super::Right;
/// Streams that lines are asked for in turn: with one stream, the machines measured reached two thirds of their
/// bandwidth.
const STREAMS: usize = 8;

/// Bytes of a cache line.
const LINE: usize = 64;

/// Memory that is read next. Asking changes nothing but when it arrives in the cache.
#[derive(Clone, Copy)]
pub(super) struct Ahead {
    first: *const u8,
    streams: usize,
    /// Bytes from one stream to the next.
    apart: usize,
    /// Lines of each stream that have not been asked for.
    left: usize,
    /// Lines of each stream that are asked for at a time, in sixteenths.
    each: usize,
    /// Sixteenths of a line that were due.
    due: usize,
}

impl Ahead {
    /// Nothing.
    pub(super) const NONE: Self = Self { first: std::ptr::null(), streams: 0, apart: 0, left: 0, each: 0, due: 0 };

    /// All of `next`, in this number of calls of [`Ahead::ask`].
    pub(super) fn all<S>(next: &[S], calls: usize) -> Self {
        let long = size_of_val(next).div_ceil(LINE * STREAMS);
        Self { first: next.as_ptr().cast(), streams: STREAMS, apart: long * LINE, ..Self::NONE }.spread(long, calls)
    }

    /// Some terms of consecutive panels, from an index on.
    pub(super) fn panels<E>(right: &Right<'_, E>, from: usize, (panels, terms): (usize, usize), calls: usize) -> Self {
        let first = right.numbers.as_ptr().wrapping_add(from).cast();
        let lines = (terms * right.stride * size_of::<E>()).div_ceil(LINE);
        Self { first, streams: panels, apart: right.panel * size_of::<E>(), ..Self::NONE }.spread(lines, calls)
    }

    fn spread(self, lines: usize, calls: usize) -> Self {
        Self { left: lines, each: (16 * lines).div_ceil(calls.max(1)), ..self }
    }

    /// Whether all have been asked for.
    #[inline(always)]
    pub(super) fn is_done(&self) -> bool {
        self.left == 0
    }

    /// Asks for the next lines of each stream, until all have been asked for.
    #[inline(always)]
    pub(super) fn ask(&mut self) {
        self.due += self.each;
        let lines = (self.due / 16).min(self.left);
        self.due %= 16;
        self.left -= lines;
        for _ in 0..lines {
            for stream in 0..self.streams {
                prefetch(self.first.wrapping_add(stream * self.apart));
            }
            self.first = self.first.wrapping_add(LINE);
        }
    }
}

/// A hint to the processor: any address is allowed.
#[inline(always)]
fn prefetch(address: *const u8) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch neither reads nor writes as far as the program can tell, and does not fault. Every x86-64
    // has the instruction.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T1>(address.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}
