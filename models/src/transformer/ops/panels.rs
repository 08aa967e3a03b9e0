//! The right factor of a large matmul, copied into the order in which it is read.

use std::cell::OnceCell;
use std::ops::Range;

use rayon::prelude::*;

use super::add_up;
use super::product::{Left, Onto, Out, Place, Right, padded, product};
use crate::buffers::Buffer;
use crate::real::Real;
use crate::vectors::LANES;

/// A matrix of `[depth, columns]`, stored as panels of `[depth, LANES]`.
pub(crate) struct Panels<E: Real> {
    numbers: Buffer<E>,
    depth: usize,
    /// Padding included.
    columns: usize,
}

impl<E: Real> Panels<E> {
    /// The transposes of weights of `[outputs, inputs]`, side by side, the outputs of each padded.
    pub(crate) fn transposed(weights: &[&[E]], inputs: usize) -> Self {
        let mut rows: Vec<&[E]> = Vec::new();
        for weight in weights {
            rows.extend(weight.chunks_exact(inputs));
            rows.resize(rows.len().next_multiple_of(LANES), &[]);
        }
        Self::filled(inputs, rows.len(), Gaps::of(&rows, rows.len()), |first, panel| {
            transpose(&rows[first..], panel, inputs)
        })
    }

    /// Matrices of `[depth, columns]`, stacked, the depth of each padded if there are several.
    pub(crate) fn stacked(matrices: &[&[E]], columns: usize) -> Self {
        let mut rows: Vec<&[E]> = Vec::new();
        for matrix in matrices {
            rows.extend(matrix.chunks_exact(columns));
            if matrices.len() > 1 {
                rows.resize(rows.len().next_multiple_of(LANES), &[]);
            }
        }
        Self::of_rows(&rows, columns)
    }

    /// Rows with this number of columns; an empty row stands for zeros.
    fn of_rows(rows: &[&[E]], columns: usize) -> Self {
        Self::filled(rows.len(), padded(columns), Gaps::of(rows, columns), |first, panel| {
            for (to, from) in panel.chunks_exact_mut(LANES).zip(rows) {
                let from = from.get(first..).unwrap_or_default();
                let width = from.len().min(LANES);
                to[..width].copy_from_slice(&from[..width]);
            }
        })
    }

    /// `fill` writes one panel, given its first column.
    fn filled(depth: usize, columns: usize, gaps: Gaps, fill: impl Fn(usize, &mut [E]) + Send + Sync) -> Self {
        let mut numbers = E::buffers().take(columns * depth);
        numbers.par_chunks_mut(LANES * depth).enumerate().for_each(|(i, panel)| {
            if gaps == Gaps::Zero {
                panel.fill(E::ZERO);
            }
            fill(i * LANES, panel);
        });
        Self { numbers, depth, columns }
    }

    /// Padding included.
    pub(crate) fn columns(&self) -> usize {
        self.columns
    }

    /// `out = start + left self` on the calling thread; `out` is `[rows, columns]`.
    pub(crate) fn apply(&self, out: &mut [E], start: Onto, left: Left<'_, E>) {
        self.apply_some(0..self.depth, out, start, left);
    }

    /// The same, with only some terms of the sums; `left` begins with the first of them.
    fn apply_some(&self, terms: Range<usize>, out: &mut [E], start: Onto, left: Left<'_, E>) {
        let size = (out.len() / self.columns, terms.len(), self.columns);
        let numbers = &self.numbers[terms.start * LANES..];
        let right = Right { numbers, stride: LANES, panel: LANES * self.depth, place: Place::Cache };
        product(Out { numbers: out, stride: self.columns }, start, left, right, size);
    }

    /// As [`Panels::apply`], with the columns shared among threads: for few rows, where reading the panels takes the
    /// time.
    pub(crate) fn apply_by_columns(&self, out: &mut [E], start: Onto, left: Left<'_, E>) {
        let rows = out.len() / self.columns;
        let mut parts = E::buffers().take(rows * self.columns);
        let tasks = parts.par_chunks_mut(rows * TASK).zip(self.numbers.par_chunks(TASK * self.depth));
        let before = &*out;
        tasks.enumerate().for_each(|(task, (part, numbers))| {
            let columns = part.len() / rows;
            if start == Onto::Out {
                for (part, out) in part.chunks_exact_mut(columns).zip(before.chunks_exact(self.columns)) {
                    part.copy_from_slice(&out[task * TASK..][..columns]);
                }
            }
            let right = Right { numbers, stride: LANES, panel: LANES * self.depth, place: Place::Memory };
            product(Out { numbers: part, stride: columns }, start, left, right, (rows, self.depth, columns));
        });
        for (task, part) in parts.chunks(rows * TASK).enumerate() {
            let columns = part.len() / rows;
            for (out, part) in out.chunks_exact_mut(self.columns).zip(part.chunks_exact(columns)) {
                out[task * TASK..][..columns].copy_from_slice(part);
            }
        }
    }

    /// `out += left self`, with `out` of `[rows, width]`, not padded.
    pub(crate) fn add_to(&self, out: &mut [E], width: usize, left: Left<'_, E>) {
        if width == self.columns {
            return self.apply(out, Onto::Out, left);
        }
        let mut wide = E::buffers().take(out.len() / width * self.columns);
        self.apply(&mut wide, Onto::Zero, left);
        for (out, wide) in out.chunks_exact_mut(width).zip(wide.chunks_exact(self.columns)) {
            add_up(out, wide);
        }
    }
}

/// Whether panels have padding, which must be set to zero.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Gaps {
    Zero,
    None,
}

impl Gaps {
    fn of<E>(rows: &[&[E]], columns: usize) -> Self {
        let some = !columns.is_multiple_of(LANES) || rows.iter().any(|row| row.is_empty());
        if some { Self::Zero } else { Self::None }
    }
}

/// A factor of [`OuterProducts`]: the columns from `first` on, of rows of `stride`.
#[derive(Clone, Copy)]
pub(super) struct Factor<'a, E> {
    pub(super) numbers: &'a [E],
    pub(super) stride: usize,
    pub(super) first: usize,
}

impl<'a, E> Factor<'a, E> {
    fn rows(self, from: usize, count: usize) -> impl Iterator<Item = &'a [E]> {
        self.numbers[from * self.stride..].chunks_exact(self.stride).map(move |row| &row[self.first..]).take(count)
    }
}

/// The rows of a right factor in products `out += leftᵀ right`: sums over many rows, in an order that does not depend on the number
/// of threads. Several left factors share what is packed of it.
pub(super) struct OuterProducts<'a, E: Real> {
    right: Factor<'a, E>,
    columns: usize,
    packed: OnceCell<Panels<E>>,
}

impl<'a, E: Real> OuterProducts<'a, E> {
    /// Of the first `columns` of the right factor.
    pub(super) fn of(right: Factor<'a, E>, columns: usize) -> Self {
        Self { right, columns, packed: OnceCell::new() }
    }

    /// Adds the product to `out`, `[columns of left, columns of right]`.
    pub(super) fn add(&self, out: &mut [E], left: Factor<'_, E>) {
        if out.len() <= FEW && self.right.stride.is_multiple_of(LANES) {
            self.add_parts(out, left);
        } else {
            self.add_blocks(out, left);
        }
    }

    /// Threads share the terms of the sums.
    fn add_parts(&self, out: &mut [E], left: Factor<'_, E>) {
        let (columns, rows, depth) = (self.columns, out.len() / self.columns, left.numbers.len() / left.stride);
        let parts = (0..depth.div_ceil(PART)).into_par_iter().map(|i| i * PART..depth.min((i + 1) * PART));
        let right = self.right;
        let sums: Vec<Buffer<E>> = parts
            .map(|part| {
                let mut sum = E::buffers().take(rows * padded(columns));
                let to = Out { numbers: &mut sum, stride: padded(columns) };
                let size = (rows, part.len(), padded(columns));
                let at = |factor: Factor<'_, E>| part.start * factor.stride + factor.first;
                let right = Right::rows(&right.numbers[at(right)..], right.stride);
                product(to, Onto::Zero, Left::columns(&left.numbers[at(left)..], left.stride), right, size);
                sum
            })
            .collect();
        sums.iter().for_each(|sum| add_rows(out, sum, columns));
    }

    /// Threads share the entries.
    fn add_blocks(&self, out: &mut [E], left: Factor<'_, E>) {
        let (columns, rows, depth) = (self.columns, out.len() / self.columns, left.numbers.len() / left.stride);
        let right = self.packed.get_or_init(|| {
            let rows: Vec<&[E]> = self.right.rows(0, depth).map(|row| &row[..columns]).collect();
            Panels::of_rows(&rows, columns)
        });
        let near = SUMS / right.columns / TILE * TILE;
        let at_once = rows.div_ceil(4 * rayon::current_num_threads()).next_multiple_of(TILE).min(near.max(TILE));
        out.par_chunks_mut(at_once * columns).enumerate().for_each(|(block, out)| {
            let first = block * at_once;
            let some = first..first + out.len() / columns;
            let mut sum = E::buffers().take(some.len() * right.columns);
            let mut near = E::buffers().take(DEPTH * some.len());
            for from in (0..depth).step_by(DEPTH) {
                let terms = (depth - from).min(DEPTH);
                for (near, row) in near.chunks_exact_mut(some.len()).zip(left.rows(from, terms)) {
                    near.copy_from_slice(&row[some.clone()]);
                }
                let start = if from == 0 { Onto::Zero } else { Onto::Out };
                right.apply_some(from..from + terms, &mut sum, start, Left::columns(&near, some.len()));
            }
            add_rows(out, &sum, columns);
        });
    }
}

/// Columns of one task in [`Panels::apply_by_columns`].
const TASK: usize = 64;

/// A multiple of the rows that the kernel takes at once.
const TILE: usize = 12;

/// Size of a result up to which threads share the terms of the sums instead of the entries.
const FEW: usize = 1 << 16;

/// Terms in one thread's share of such a sum.
const PART: usize = 512;

/// Most sums of one task, so that they stay in the second cache while their terms come.
const SUMS: usize = 1 << 17;

/// Terms of a sum whose left factor is copied at a time.
const DEPTH: usize = 512;

/// `out += sum`, where only the rows of `sum` are padded.
fn add_rows<E: Real>(out: &mut [E], sum: &[E], columns: usize) {
    for (out, sum) in out.chunks_exact_mut(columns).zip(sum.chunks_exact(padded(columns))) {
        add_up(out, sum);
    }
}

/// Copies rows to the columns of a panel, in blocks that stay in the cache.
fn transpose<E: Real>(rows: &[&[E]], panel: &mut [E], inputs: usize) {
    const AT_ONCE: usize = 16;
    for first in (0..inputs).step_by(AT_ONCE) {
        let end = (first + AT_ONCE).min(inputs);
        for (output, row) in rows.iter().take(LANES).enumerate().filter(|(_, row)| !row.is_empty()) {
            for (input, x) in (first..end).zip(&row[first..end]) {
                panel[input * LANES + output] = *x;
            }
        }
    }
}
