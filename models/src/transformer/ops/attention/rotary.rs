//! Rotary positions (arXiv:2104.09864), pairing dimension `i` with `i + head_dim / 2` as Hugging Face's Qwen2 does.

use crate::real::Real;

/// Cosines and sines of `position * theta^(-2 i / head_dim)`.
#[derive(Clone, Debug)]
pub struct Rotary<E> {
    half: usize,
    /// `[position, i]`
    cosines: Vec<E>,
    sines: Vec<E>,
}

impl<E: Real> Rotary<E> {
    /// For positions below `positions`.
    pub fn new(positions: usize, head_dim: usize, theta: f64) -> Self {
        let half = head_dim / 2;
        let frequency = |i: usize| theta.powf(-2.0 * i as f64 / head_dim as f64);
        let frequencies: Vec<f64> = (0..half).map(frequency).collect();
        let angles = (0..positions).flat_map(|p| frequencies.iter().map(move |f| p as f64 * f));
        let (cosines, sines) = angles.map(|angle| (E::of(angle.cos()), E::of(angle.sin()))).unzip();
        Self { half, cosines, sines }
    }

    /// Cosine and sine of each dimension of a head at a position.
    pub(super) fn angles(&self, position: usize) -> (&[E], &[E]) {
        let at = position * self.half..(position + 1) * self.half;
        (&self.cosines[at.clone()], &self.sines[at])
    }

    /// Rotates every head in the row.
    #[inline(always)]
    pub(crate) fn rotate(&self, row: &mut [E], position: usize) {
        let (cosines, sines) = self.angles(position);
        for head in row.chunks_exact_mut(2 * self.half) {
            let (first, second) = head.split_at_mut(self.half);
            for i in 0..self.half {
                let (x, y) = (first[i], second[i]);
                first[i] = x * cosines[i] - y * sines[i];
                second[i] = y * cosines[i] + x * sines[i];
            }
        }
    }

    /// Adds the row, rotated back, to the sum: a rotation's transpose is its inverse.
    #[inline(always)]
    pub(super) fn add_unrotated(&self, sum: &mut [E], row: &[E], position: usize) {
        let (cosines, sines) = self.angles(position);
        for (sum, head) in sum.chunks_exact_mut(2 * self.half).zip(row.chunks_exact(2 * self.half)) {
            let ((first, second), (x, y)) = (sum.split_at_mut(self.half), head.split_at(self.half));
            for i in 0..self.half {
                first[i] += x[i] * cosines[i] + y[i] * sines[i];
                second[i] += y[i] * cosines[i] - x[i] * sines[i];
            }
        }
    }
}
