//! The gradient of weights: products whose sums go over all rows of a batch.

use std::cell::OnceCell;

use rayon::prelude::*;

use super::add_up;
use super::panels::Panels;
use super::product::{Columns, Left, Onto, Readable, Right, Unit, padded, product};
use crate::buffers::Buffer;
use crate::vectors::LANES;

/// A factor of [`OuterProducts`]: the columns from `first` on, of rows of `stride`.
#[derive(Clone, Copy)]
pub(super) struct Factor<'a, E> {
    pub(super) numbers: &'a [E],
    pub(super) stride: usize,
    pub(super) first: usize,
}

impl<'a, E> Factor<'a, E> {
    /// The columns from `first` on as rows, from row `from` on.
    fn transposed(self, from: usize, first: usize) -> Left<'a, E> {
        Left::columns(&self.numbers[from * self.stride + self.first + first..], self.stride)
    }

    fn rows(self) -> usize {
        self.numbers.len() / self.stride
    }
}

/// The rows of a right factor in products `out += leftᵀ right`: sums over many rows, in an order that does not depend on the number
/// of threads. Several left factors share what is packed of it.
pub(super) struct OuterProducts<'a, E: Readable> {
    right: Factor<'a, E>,
    columns: usize,
    unit: Option<Unit>,
    packed: OnceCell<Panels<E>>,
}

impl<'a, E: Readable> OuterProducts<'a, E> {
    /// Of the first `columns` of the right factor. Both factors are rounded to bf16 where there is a unit for it.
    pub(super) fn of(right: Factor<'a, E>, columns: usize, unit: Option<Unit>) -> Self {
        Self { right, columns, unit, packed: OnceCell::new() }
    }

    /// Adds the product to `out`, `[columns of left, columns of right]`.
    pub(super) fn add(&self, out: &mut [E], left: Factor<'_, E>) {
        if out.len() <= FEW && self.right.stride.is_multiple_of(LANES) && self.unit.is_none() {
            self.add_parts(out, left);
        } else {
            self.add_blocks(out, left);
        }
    }

    /// Threads share the terms of the sums.
    fn add_parts(&self, out: &mut [E], left: Factor<'_, E>) {
        let (rows, width, depth) = (out.len() / self.columns, padded(self.columns), left.rows());
        let parts = (0..depth.div_ceil(PART)).into_par_iter().map(|i| i * PART..depth.min((i + 1) * PART));
        let right = self.right;
        let sums: Vec<Buffer<E>> = parts
            .map(|part| {
                let mut sum = E::buffers().take(rows * width);
                let to = Columns::new(&mut sum, width, (rows, width));
                let from = &right.numbers[part.start * right.stride + right.first..];
                let left = left.transposed(part.start, 0);
                product(to, Onto::Zero, left, Right::rows(from, right.stride), part.len());
                sum
            })
            .collect();
        sums.iter().for_each(|sum| add_rows(out, sum, self.columns));
    }

    /// Threads share the entries.
    fn add_blocks(&self, out: &mut [E], left: Factor<'_, E>) {
        let (columns, rows) = (self.columns, out.len() / self.columns);
        let right = self.packed.get_or_init(|| {
            let Factor { numbers, stride, first } = self.right;
            let rows: Vec<&[E]> = numbers.chunks_exact(stride).map(|row| &row[first..][..columns]).collect();
            Panels::of_rows(&rows, columns, self.unit)
        });
        let (tile, most) = if self.unit.is_some() { (32, 256) } else { (12, SUMS / right.columns()) };
        let at_once =
            rows.div_ceil(4 * rayon::current_num_threads()).next_multiple_of(tile).min((most / tile).max(1) * tile);
        out.par_chunks_mut(at_once * columns).enumerate().for_each(|(block, out)| {
            let mut sum = E::buffers().take(out.len() / columns * right.columns());
            right.apply_transposed(&mut sum, |from| left.transposed(from, block * at_once));
            add_rows(out, &sum, columns);
        });
    }
}

/// Size of a result up to which threads share the terms of the sums instead of the entries.
const FEW: usize = 1 << 16;

/// Terms in one thread's share of such a sum.
const PART: usize = 512;

/// Most sums of one task, so that they stay in the second cache while their terms come.
const SUMS: usize = 1 << 17;

/// `out += sum`, where only the rows of `sum` are padded.
fn add_rows<E: Readable>(out: &mut [E], sum: &[E], columns: usize) {
    for (out, sum) in out.chunks_exact_mut(columns).zip(sum.chunks_exact(padded(columns))) {
        add_up(out, sum);
    }
}
