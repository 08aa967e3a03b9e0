//! Rotary position embedding (arXiv:2104.09864), pairing dimension `i` with `i + head_dim / 2` as Hugging Face's
//! models do.

use crate::real::Real;

/// Cosines and sines of `position * frequency[i]`.
#[derive(Clone, Debug)]
pub struct Rotary<E> {
    half: usize,
    /// `[position, i]`
    cosines: Vec<E>,
    sines: Vec<E>,
}

impl<E: Real> Rotary<E> {
    /// For positions below `positions`; half as many frequencies as a head is wide, in radians per position.
    pub fn new(positions: usize, frequencies: &[f64]) -> Self {
        let half = frequencies.len();
        let angles = (0..positions).flat_map(|p| frequencies.iter().map(move |f| p as f64 * f));
        let (cosines, sines) = angles.map(|angle| (E::of(angle.cos()), E::of(angle.sin()))).unzip();
        Self { half, cosines, sines }
    }

    /// Cosine and sine of each dimension of a head at a position.
    pub(crate) fn angles(&self, position: usize) -> (&[E], &[E]) {
        let at = position * self.half..(position + 1) * self.half;
        (&self.cosines[at.clone()], &self.sines[at])
    }

    /// Rotates every head in the row.
    #[inline(always)]
    pub(crate) fn rotate(&self, row: &mut [E], position: usize) {
        let (cosines, sines) = self.angles(position);
        for head in row.chunks_exact_mut(2 * self.half) {
            let (first, second) = head.split_at_mut(self.half);
            turn::<E, 8>([first, second], [cosines, sines], |x, y, cosine, sine| {
                [x * cosine - y * sine, y * cosine + x * sine]
            });
        }
    }

    /// The inverse, which is also the transpose: for gradients.
    #[inline(always)]
    pub(super) fn rotate_back(&self, row: &mut [E], position: usize) {
        let (cosines, sines) = self.angles(position);
        for head in row.chunks_exact_mut(2 * self.half) {
            let (first, second) = head.split_at_mut(self.half);
            turn::<E, 8>([first, second], [cosines, sines], |x, y, cosine, sine| {
                [x * cosine + y * sine, y * cosine - x * sine]
            });
        }
    }
}

/// Replaces each pair of numbers, `N` at a time so that the compiler uses SIMD vectors.
#[inline(always)]
fn turn<E: Real, const N: usize>(
    [first, second]: [&mut [E]; 2],
    [cosines, sines]: [&[E]; 2],
    pair: impl Fn(E, E, E, E) -> [E; 2],
) {
    let ((xs, x_rest), (ys, y_rest)) = (first.as_chunks_mut::<N>(), second.as_chunks_mut::<N>());
    let ((cs, c_rest), (ss, s_rest)) = (cosines.as_chunks::<N>(), sines.as_chunks::<N>());
    for ((x, y), (c, s)) in xs.iter_mut().zip(ys).zip(cs.iter().zip(ss)) {
        let (a, b, c, s) = (*x, *y, *c, *s);
        *x = std::array::from_fn(|i| pair(a[i], b[i], c[i], s[i])[0]);
        *y = std::array::from_fn(|i| pair(a[i], b[i], c[i], s[i])[1]);
    }
    for ((x, y), (c, s)) in x_rest.iter_mut().zip(y_rest).zip(c_rest.iter().zip(s_rest)) {
        [*x, *y] = pair(*x, *y, *c, *s);
    }
}
