//! The matmul kernel of the CPU, with sums in registers: every matmul of the fused engine and of decoding ends here.
//!
//! Each entry of a result is one sum, taken in a fixed order, so that it does not depend on the other rows and columns
//! of the batch, nor on the number of threads.

mod ahead;
mod columns;
mod half;
mod terms;
mod transpose;
mod weights;

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};

use crate::real::Real;
use crate::vectors::LANES;
use ahead::Ahead;
pub(crate) use columns::Columns;
pub(crate) use half::{HalfPanels, Unit};
pub use weights::Readable;
pub(crate) use weights::{Bf16, Weights};

/// Block size along the summed dimension: a strip of the right factor of this depth stays in the second cache. With 128, which stays in
/// the first, sums came and went more often, which cost more.
const NEAR: usize = 512;

/// Rows that the kernel takes at once, with four vectors of columns.
const TILE_ROWS: usize = 6;

/// Terms of a sum between two times that memory is asked for.
const BETWEEN: usize = 16;

/// Length rounded up to whole SIMD vectors.
pub(crate) fn padded(length: usize) -> usize {
    length.next_multiple_of(LANES)
}

/// The left factor: entry `[r, k]` is `numbers[r * row + k * step]`, where `row` or `step` is 1.
#[derive(Clone, Copy)]
pub(crate) struct Left<'a, E> {
    pub(crate) numbers: &'a [E],
    pub(crate) row: usize,
    pub(crate) step: usize,
}

/// The right factor, in panels of `LANES` columns: the rows of a panel are `stride` apart, and panels are `panel`
/// apart. Several panels are read side by side, which nearly doubled the memory bandwidth on the machines measured.
#[derive(Clone, Copy)]
pub(crate) struct Right<'a, E> {
    pub(crate) numbers: &'a [E],
    pub(crate) stride: usize,
    pub(crate) panel: usize,
    pub(crate) place: Place,
}

/// Where a right factor is read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The cache, for most rows of the left factor at least.
    Cache,
    /// Memory; then it is in panels without gaps.
    Memory,
}

impl<'a, E> Right<'a, E> {
    /// Rows that lie `stride` apart.
    pub(crate) fn rows(numbers: &'a [E], stride: usize) -> Self {
        Self { numbers, stride, panel: LANES, place: Place::Cache }
    }

    /// What is read next: the terms of some panels, from a column and a term on, up to [`NEAR`].
    fn ahead(&self, (column, term): (usize, usize), panels: usize, depth: usize, calls: usize) -> Ahead {
        Ahead::panels(self, self.column(column) + term * LANES, (panels, NEAR.min(depth - term)), calls)
    }

    /// Where a column starts.
    #[inline(always)]
    fn column(&self, column: usize) -> usize {
        column / LANES * self.panel + column % LANES
    }
}

impl<'a, E> Left<'a, E> {
    /// Rows that lie `stride` apart.
    pub(crate) fn rows(numbers: &'a [E], stride: usize) -> Self {
        Self { numbers, row: stride, step: 1 }
    }

    /// The transpose of rows that lie `stride` apart.
    pub(crate) fn columns(numbers: &'a [E], stride: usize) -> Self {
        Self { numbers, row: 1, step: stride }
    }
}

/// What the sums start from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Onto {
    /// Zero.
    Zero,
    /// The numbers already in the result.
    Out,
}

/// `out[r, c] = start + sum over k of left[r, k] right[k, c]`, with so many terms.
pub(crate) fn product<E: Real>(out: Columns<'_, E>, start: Onto, left: Left<'_, E>, right: Right<'_, E>, depth: usize) {
    let mut nothing = Ahead::NONE;
    product_asking(out, start, left, right, depth, &mut nothing);
}

/// As [`product`], while what is read next is asked for.
fn product_asking<E: Real>(
    out: Columns<'_, E>,
    start: Onto,
    left: Left<'_, E>,
    right: Right<'_, E>,
    depth: usize,
    ahead: &mut Ahead,
) {
    let (rows, columns) = (out.rows(), out.width());
    assert!(columns.is_multiple_of(LANES), "a product with {columns} columns");
    if rows > 0 {
        Arch::new().dispatch(Product { out, start, left, right, rows, depth, columns, ahead });
    }
}

struct Product<'a, E> {
    out: Columns<'a, E>,
    start: Onto,
    left: Left<'a, E>,
    right: Right<'a, E>,
    rows: usize,
    depth: usize,
    columns: usize,
    ahead: &'a mut Ahead,
}

impl<E: Real> WithSimd for Product<'_, E> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        // From memory a right factor comes in its own order. Else a block of the left one stays in a near cache for all columns.
        let block = if self.right.place == Place::Memory { self.depth } else { NEAR };
        for first in (0..self.depth).step_by(block.max(1)) {
            self.block(simd, first..(first + block).min(self.depth));
        }
    }
}

impl<E: Real> Product<'_, E> {
    /// Some terms of all sums.
    #[inline(always)]
    fn block<S: Simd>(&mut self, simd: S, terms: Range<usize>) {
        let mut column = 0;
        while column < self.columns {
            let vectors = ((self.columns - column) / lanes::<E, S>()).min(4);
            match vectors {
                1 => self.strip::<S, 12, 1>(simd, column, &terms),
                2 => self.strip::<S, 12, 2>(simd, column, &terms),
                3 => self.strip::<S, 8, 3>(simd, column, &terms),
                _ => self.strip::<S, TILE_ROWS, 4>(simd, column, &terms),
            }
            column += vectors * lanes::<E, S>();
        }
    }

    /// Some terms of all rows and some columns. The block of the right factor stays in a near cache for all rows, and `R x V` sums
    /// fill the 32 registers of AVX-512.
    #[inline(always)]
    fn strip<S: Simd, const R: usize, const V: usize>(&mut self, simd: S, column: usize, terms: &Range<usize>) {
        for first in terms.clone().step_by(NEAR) {
            let terms = first..(first + NEAR).min(terms.end);
            if self.right.place == Place::Memory {
                let next = if terms.end < self.depth { (column, terms.end) } else { (column + V * lanes::<E, S>(), 0) };
                let calls = self.rows.div_ceil(R) * terms.len().div_ceil(BETWEEN);
                *self.ahead = self.right.ahead(next, (V * lanes::<E, S>()).div_ceil(LANES), self.depth, calls);
            }
            let mut row = 0;
            if S::REGISTER_COUNT >= 32 {
                while self.rows - row >= R {
                    self.tile::<S, R, V>(simd, (row, column), terms.clone());
                    row += R;
                }
                if self.rows - row >= 4 {
                    self.tile::<S, 4, V>(simd, (row, column), terms.clone());
                    row += 4;
                }
            }
            while self.rows - row >= 2 {
                self.tile::<S, 2, V>(simd, (row, column), terms.clone());
                row += 2;
            }
            if row < self.rows {
                self.tile::<S, 1, V>(simd, (row, column), terms.clone());
            }
        }
    }

    /// Adds some terms to the sums of `R` rows and `V` vectors of columns.
    #[inline(always)]
    fn tile<S: Simd, const R: usize, const V: usize>(
        &mut self,
        simd: S,
        (row, column): (usize, usize),
        terms: Range<usize>,
    ) {
        let width = V * lanes::<E, S>();
        let mut sums = [[E::splat(simd, E::ZERO); V]; R];
        if terms.start > 0 || self.start == Onto::Out {
            for (r, sums) in sums.iter_mut().enumerate() {
                *sums = vectors::<E, S, V>(&self.out.row(row + r)[column..][..width]);
            }
        }
        let (count, Left { row: rows, step, .. }) = (terms.len(), self.left);
        let left = &self.left.numbers[row * rows + terms.start * step..];
        assert!((R - 1) * rows + (count - 1) * step < left.len(), "{R} rows of {count} terms");
        let stride = self.right.stride;
        let right: [&[E]; V] = std::array::from_fn(|v| {
            let start = self.right.column(column + v * lanes::<E, S>()) + terms.start * stride;
            &self.right.numbers[start..][..(count - 1) * stride + lanes::<E, S>()]
        });
        let between = if self.ahead.is_done() { count } else { BETWEEN };
        for some in (0..count).step_by(between) {
            self.ahead.ask();
            let terms = between.min(count - some);
            // SAFETY: the last entry of the left factor and the last vector of each column of the right one were seen to be within
            // their slices, and no entry or vector of an earlier term or row is further. The usual strides are constants here.
            sums = unsafe {
                let (left, right) =
                    (left.as_ptr().add(some * step), right.map(|right| right.as_ptr().add(some * stride)));
                match (rows, step, stride) {
                    (_, 1, LANES) => terms::add::<E, S, R, V>(simd, sums, (left, rows, 1), (right, LANES), terms),
                    (1, _, LANES) => terms::add::<E, S, R, V>(simd, sums, (left, 1, step), (right, LANES), terms),
                    _ => terms::add::<E, S, R, V>(simd, sums, (left, rows, step), (right, stride), terms),
                }
            };
        }
        for (r, sums) in sums.into_iter().enumerate() {
            let out = &mut self.out.row(row + r)[column..][..width];
            E::vectors_mut::<S>(out).copy_from_slice(&sums);
        }
    }
}

#[inline(always)]
fn vectors<E: Real, S: Simd, const V: usize>(numbers: &[E]) -> [E::In<S>; V] {
    E::vectors::<S>(numbers).try_into().expect("as many numbers as V vectors hold")
}

/// Numbers in a SIMD vector.
const fn lanes<E: Real, S: Simd>() -> usize {
    size_of::<E::In<S>>() / size_of::<E>()
}

#[cfg(test)]
mod tests {
    use rand::rngs::ChaCha8Rng;
    use rand::{RngExt, SeedableRng};

    use super::*;

    fn all<E: Real>(tolerance: f64) {
        let mut stream = ChaCha8Rng::seed_from_u64(1);
        let mut random = |count: usize| -> Vec<E> { (0..count).map(|_| E::of(stream.random::<f64>() - 0.5)).collect() };
        // The last has more terms than two blocks.
        let sizes =
            [(1, 1, 16), (2, 3, 32), (5, 9, 48), (13, 8, 64), (29, 7, 80), (12, 5, 144), (11, 2 * NEAR + 7, 208)];
        for (rows, depth, columns) in sizes {
            let tolerance = tolerance * depth.max(16) as f64 / 16.0;
            let (row, stride, out_stride) = (depth + 2, columns + 3, columns + 1);
            let (a, b, before) = (random(rows * row), random(depth * stride), random(rows * out_stride));
            let transposed: Vec<E> = (0..row * rows).map(|i| a[i % rows * row + i / rows]).collect();
            for start in [Onto::Zero, Onto::Out] {
                let run = |left| {
                    let mut out = before.clone();
                    let right = Right::rows(&b, stride);
                    product(Columns::new(&mut out, out_stride, (rows, columns)), start, left, right, depth);
                    out
                };
                let found = run(Left::rows(&a, row));
                assert_eq!(found, run(Left::columns(&transposed, rows)), "the same product, transposed");
                for (i, (found, before)) in found.iter().zip(&before).enumerate() {
                    let (r, c) = (i / out_stride, i % out_stride);
                    let sum = (0..depth).map(|k| a[r * row + k].wide() * b[k * stride + c].wide()).sum::<f64>();
                    let expected = match start {
                        _ if c >= columns => before.wide(),
                        Onto::Zero => sum,
                        Onto::Out => before.wide() + sum,
                    };
                    let off = (found.wide() - expected).abs();
                    assert!(off <= tolerance, "{rows} x {depth} x {columns} at [{r}, {c}]: off by {off:e}");
                }
            }
        }
    }

    #[test]
    fn it_is_the_product() {
        all::<f32>(1e-6);
        all::<f64>(1e-15);
    }

    #[test]
    fn a_row_is_the_same_whatever_is_beside_it() {
        let (depth, columns) = (33, 96);
        let a: Vec<f32> = (0..29 * depth).map(|i| (i as f32).sin()).collect();
        let b: Vec<f32> = (0..depth * columns).map(|i| (i as f32).cos()).collect();
        let run = |a: &[f32]| {
            let rows = a.len() / depth;
            let mut out = vec![0.0; rows * columns];
            let (to, right) = (Columns::new(&mut out, columns, (rows, columns)), Right::rows(&b, columns));
            product(to, Onto::Zero, Left::rows(a, depth), right, depth);
            out
        };
        let all = run(&a);
        for (row, a) in a.chunks_exact(depth).enumerate() {
            assert_eq!(run(a), all[row * columns..][..columns], "row {row}");
        }
    }
}
