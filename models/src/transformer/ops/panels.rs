//! The right factor of a large matmul, copied into the order in which it is read.

use rayon::prelude::*;

use super::add_up;
use super::product::{Columns, HalfPanels, Left, Onto, Place, Readable, Right, Unit, product};
use crate::buffers::Buffer;
use crate::vectors::LANES;

/// A matrix of `[depth, columns]`, stored for many rows of a left factor.
pub(crate) struct Panels<E: Readable> {
    stored: Stored<E>,
    depth: usize,
    /// Padding included.
    columns: usize,
}

enum Stored<E: Readable> {
    /// Panels of `[depth, LANES]`.
    Wide(Buffer<E>),
    /// Rounded to bf16.
    Half(HalfPanels),
}

impl<E: Readable> Panels<E> {
    /// The transposes of weights of `[outputs, inputs]`, side by side, the outputs of each padded. Both factors are rounded to bf16
    /// where there is a unit for it.
    pub(crate) fn transposed(weights: &[&[E]], inputs: usize, unit: Option<Unit>) -> Self {
        let blocks: Vec<&[E]> = weights.iter().flat_map(|weight| weight.chunks(LANES * inputs)).collect();
        let stored = match unit {
            Some(unit) => Stored::Half(HalfPanels::transposed(unit, &blocks, inputs)),
            None => Stored::Wide(transposed(&blocks, inputs)),
        };
        Self { stored, depth: inputs, columns: blocks.len() * LANES }
    }

    /// Matrices of `[depth, columns]`, stacked, the depth of each padded if there are several.
    pub(crate) fn stacked(matrices: &[&[E]], columns: usize, unit: Option<Unit>) -> Self {
        let mut rows: Vec<&[E]> = Vec::new();
        for matrix in matrices {
            rows.extend(matrix.chunks_exact(columns));
            if matrices.len() > 1 {
                rows.resize(rows.len().next_multiple_of(LANES), &[]);
            }
        }
        Self::of_rows(&rows, columns, unit)
    }

    /// Rows with this number of columns; an empty row stands for zeros.
    pub(super) fn of_rows(rows: &[&[E]], columns: usize, unit: Option<Unit>) -> Self {
        let (depth, count) = (rows.len(), columns.div_ceil(LANES));
        let stored = match unit {
            Some(unit) => Stored::Half(HalfPanels::of_rows(unit, rows, columns)),
            None => Stored::Wide(of_rows(rows, columns)),
        };
        Self { stored, depth, columns: count * LANES }
    }

    /// Padding included.
    pub(crate) fn columns(&self) -> usize {
        self.columns
    }

    /// `out = start + left self` on the calling thread; `out` is `[rows, columns]`.
    pub(crate) fn apply(&self, out: &mut [E], start: Onto, left: Left<'_, E>) {
        self.apply_to(Columns::all(out, self.columns), start, left);
    }

    fn apply_to(&self, out: Columns<'_, E>, start: Onto, left: Left<'_, E>) {
        match &self.stored {
            Stored::Wide(numbers) => product(out, start, left, self.right(numbers, Place::Cache), self.depth),
            Stored::Half(panels) => panels.apply(out, start, left),
        }
    }

    /// As [`Panels::apply`], with the columns shared among threads: for few rows, where reading the panels takes the
    /// time.
    pub(crate) fn apply_by_columns(&self, out: &mut [E], start: Onto, left: Left<'_, E>) {
        let rows = out.len() / self.columns;
        let parts = Columns::all(out, self.columns).split(TASK);
        let tasks = parts.into_par_iter().enumerate().map(|(i, out)| (i * TASK, out));
        match &self.stored {
            Stored::Wide(numbers) => tasks.for_each(|(first, out)| {
                product(out, start, left, self.right(&numbers[first * self.depth..], Place::Memory), self.depth);
            }),
            Stored::Half(panels) => {
                let left = panels.left(left, rows);
                tasks.for_each(|(first, mut out)| panels.multiply(&mut out, first, start, &left));
            }
        }
    }

    /// `out += left self` on the calling thread, where `out` may lack the padding.
    pub(super) fn add_to(&self, mut out: Columns<'_, E>, left: Left<'_, E>) {
        if out.width() == self.columns {
            return self.apply_to(out, Onto::Out, left);
        }
        let mut wide = E::buffers().take(out.rows() * self.columns);
        self.apply(&mut wide, Onto::Zero, left);
        for (row, wide) in wide.chunks_exact(self.columns).enumerate() {
            add_up(out.row(row), wide);
        }
    }

    /// `out = left self` on the calling thread, where the left factor is the transpose of rows far apart, given from a term on. They
    /// are copied, some terms at a time.
    pub(super) fn apply_transposed<'a>(&self, out: &mut [E], left_from: impl Fn(usize) -> Left<'a, E>) {
        let count = out.len() / self.columns;
        match &self.stored {
            Stored::Half(panels) => {
                panels.apply(Columns::all(out, self.columns), Onto::Zero, left_from(0));
            }
            Stored::Wide(numbers) => {
                let mut near = E::buffers().take(DEPTH * count);
                for from in (0..self.depth).step_by(DEPTH) {
                    let terms = (self.depth - from).min(DEPTH);
                    let left = left_from(from);
                    for (near, row) in near.chunks_exact_mut(count).zip(left.numbers.chunks(left.step)).take(terms) {
                        near.copy_from_slice(&row[..count]);
                    }
                    let start = if from == 0 { Onto::Zero } else { Onto::Out };
                    let out = Columns::all(out, self.columns);
                    let right = self.right(&numbers[from * LANES..], Place::Cache);
                    product(out, start, Left::columns(&near, count), right, terms);
                }
            }
        }
    }

    fn right<'a>(&self, numbers: &'a [E], place: Place) -> Right<'a, E> {
        Right { numbers, stride: LANES, panel: LANES * self.depth, place }
    }
}

/// Columns of one task in [`Panels::apply_by_columns`].
const TASK: usize = 64;

/// Terms of a sum whose left factor is copied at a time.
const DEPTH: usize = 512;

/// Panels that are filled together from a row, so that memory is read in longer pieces.
const TOGETHER: usize = 8;

/// Panels of the rows of a matrix; an empty row stands for zeros.
fn of_rows<E: Readable>(rows: &[&[E]], columns: usize) -> Buffer<E> {
    let long = LANES * rows.len();
    let mut numbers = E::buffers().take(columns.div_ceil(LANES) * long);
    numbers.par_chunks_mut(TOGETHER * long).enumerate().for_each(|(i, panels)| {
        for (k, row) in rows.iter().enumerate() {
            let row = row.get(i * TOGETHER * LANES..).unwrap_or_default();
            for (i, panel) in panels.chunks_exact_mut(long).enumerate() {
                let (to, from) = (&mut panel[k * LANES..][..LANES], row.get(i * LANES..).unwrap_or_default());
                if let Some(from) = from.first_chunk::<LANES>() {
                    to.copy_from_slice(from);
                } else {
                    to.fill(E::ZERO);
                    to[..from.len()].copy_from_slice(from);
                }
            }
        }
    });
    numbers
}

/// Panels whose columns are the rows of blocks, 16 of them each.
fn transposed<E: Readable>(blocks: &[&[E]], inputs: usize) -> Buffer<E> {
    let mut numbers = E::buffers().take(blocks.len() * LANES * inputs);
    let tasks = numbers.par_chunks_mut(LANES * inputs).zip(blocks);
    tasks.for_each(|(panel, block)| transpose(block, panel, inputs));
    numbers
}

/// Copies at most 16 rows to the columns of a panel; columns without a row are zero.
fn transpose<E: Readable>(rows: &[E], panel: &mut [E], inputs: usize) {
    let whole = rows.len() == LANES * inputs;
    let [along, _] = E::along();
    let fast = if whole && along == LANES { inputs / LANES * LANES } else { 0 };
    for first in (0..fast).step_by(LANES) {
        E::transpose(&mut panel[first * LANES..], LANES, &rows[first..], inputs);
    }
    for first in (fast..inputs).step_by(LANES) {
        let end = (first + LANES).min(inputs);
        if !whole {
            panel[first * LANES..end * LANES].fill(E::ZERO);
        }
        for (output, row) in rows.chunks_exact(inputs).enumerate() {
            for (input, x) in (first..end).zip(&row[first..end]) {
                panel[input * LANES + output] = *x;
            }
        }
    }
}
