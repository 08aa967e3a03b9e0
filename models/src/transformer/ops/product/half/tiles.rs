//! Factors of a product in tiles: 16 vectors, rounded to bf16, of 32 terms each.
//!
//! The units take the left factor vector after vector, and the right one pair of terms after pair of terms. A matrix may
//! hold the vectors as rows or as columns: rows are rounded to the first order, columns to the second, and a transpose
//! makes one order of the other.

use rayon::prelude::*;

use super::super::{Left, transpose};
use super::{Narrow, SIDE, STEP, TILE};
use crate::buffers::{Buffer, Pooled};
use crate::vectors::vectorised;

/// Times 16 vectors that one thread rounds: fewer are not worth another one.
const AT_ONCE: usize = 8;

/// One tile: `[vector, term]`, or `[pair of terms, vector, 2]`.
type Tile = [[u16; STEP]; SIDE];

/// How the numbers of a tile lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// `[vector, term]`: of a left factor.
    Vectors,
    /// `[pair of terms, vector, 2]`: of a right factor.
    Pairs,
}

/// A factor: for each 16 vectors, a tile for each step of 32 terms.
pub(super) struct Tiles {
    numbers: Buffer<u16>,
    /// Numbers of each 16 vectors.
    pub(super) long: usize,
}

impl Tiles {
    /// The rows of a left factor of `[rows, terms]`.
    pub(super) fn of_left<E: Narrow>(left: Left<'_, E>, (rows, terms): (usize, usize), order: Order) -> Self {
        if left.step == 1 {
            let row = |row: usize| &left.numbers[row * left.row..][..terms];
            Self::of_rows((rows, terms), order, |i| if i < rows { row(i) } else { &[] })
        } else {
            let term = |term: usize| &left.numbers[term * left.step..][..rows];
            Self::of_columns((rows, terms), order, |i| if i < terms { term(i) } else { &[] })
        }
    }

    /// `[vectors, terms]` numbers, given each vector; what is missing of it is zero.
    pub(super) fn of_rows<'a, S: Narrow + 'a>(
        (vectors, terms): (usize, usize),
        order: Order,
        row: impl Fn(usize) -> &'a [S] + Send + Sync,
    ) -> Self {
        let mut all = Self::unwritten(vectors, terms);
        let tasks = all.numbers.par_chunks_mut(all.long).with_min_len(AT_ONCE).enumerate();
        tasks.for_each(|(i, tiles)| fill(tiles, order, |vector| row(i * SIDE + vector), || ()));
        all
    }

    /// `[vectors, terms]` numbers, given those of each term; what is missing of them is zero.
    pub(super) fn of_columns<'a, S: Narrow + 'a>(
        (vectors, terms): (usize, usize),
        order: Order,
        term: impl Fn(usize) -> &'a [S] + Send + Sync,
    ) -> Self {
        let mut all = Self::unwritten(vectors, terms);
        let tasks = all.numbers.par_chunks_mut(AT_ONCE * all.long).enumerate();
        tasks.for_each(|(i, tiles)| fill_across(tiles, all.long, order, i * AT_ONCE * SIDE, &term));
        all
    }

    fn unwritten(vectors: usize, terms: usize) -> Self {
        let long = terms.div_ceil(STEP) * TILE;
        Self { numbers: u16::buffers().take(vectors.div_ceil(SIDE) * long), long }
    }

    /// 16 vectors.
    pub(super) fn get(&self, i: usize) -> &[u16] {
        &self.numbers[i * self.long..][..self.long]
    }

    /// How many times 16 vectors.
    pub(super) fn count(&self) -> usize {
        self.numbers.len() / self.long
    }
}

/// 16 vectors that are rows; those after the end of a row are zeros. `before` is called before each tile.
pub(super) fn fill<'a, S: Narrow + 'a>(
    tiles: &mut [u16],
    order: Order,
    row: impl Fn(usize) -> &'a [S],
    mut before: impl FnMut(),
) {
    let rows: [&[S]; SIDE] = std::array::from_fn(row);
    for (step, tile) in tiles.as_chunks_mut::<STEP>().0.as_chunks_mut::<SIDE>().0.iter_mut().enumerate() {
        before();
        in_order(
            tile,
            order,
            Order::Vectors,
            #[inline(always)]
            |tile| {
                for (numbers, row) in tile.iter_mut().zip(rows) {
                    narrow(numbers, row.get(step * STEP..).unwrap_or_default());
                }
            },
        );
    }
}

/// Vectors that are columns, from one on, given the numbers of each term; missing ones are zeros. The numbers of a term are read one
/// after another.
fn fill_across<'a, S: Narrow + 'a>(
    tiles: &mut [u16],
    long: usize,
    order: Order,
    first: usize,
    term: impl Fn(usize) -> &'a [S],
) {
    for step in 0..long / TILE {
        let terms: [&[S]; STEP] = std::array::from_fn(|i| term(step * STEP + i));
        for (i, tiles) in tiles.chunks_exact_mut(long).enumerate() {
            let terms = terms.map(|term| term.get(first + i * SIDE..).unwrap_or_default());
            let tile = &mut tiles[step * TILE..].as_chunks_mut::<STEP>().0.as_chunks_mut::<SIDE>().0[0];
            in_order(
                tile,
                order,
                Order::Pairs,
                #[inline(always)]
                |tile| {
                    for (numbers, [even, odd]) in tile.iter_mut().zip(terms.as_chunks::<2>().0) {
                        interleave(numbers, [even, odd]);
                    }
                },
            );
        }
    }
}

/// `write` writes a tile in one order, of which the other is made where it is wanted.
#[inline(always)]
fn in_order(tile: &mut Tile, wanted: Order, written: Order, write: impl FnOnce(&mut Tile)) {
    if wanted == written {
        vectorised(
            #[inline(always)]
            || write(tile),
        );
    } else {
        let mut other = [[0; STEP]; SIDE];
        vectorised(
            #[inline(always)]
            || write(&mut other),
        );
        transpose::pairs(tile, &other);
    }
}

/// The first numbers of a row, and zeros after its end.
#[inline(always)]
fn narrow<S: Narrow>(numbers: &mut [u16; STEP], row: &[S]) {
    if let Some(row) = row.first_chunk::<STEP>() {
        numbers.iter_mut().zip(row).for_each(|(number, x)| *number = x.narrow());
    } else {
        numbers.fill(0);
        numbers.iter_mut().zip(row).for_each(|(number, x)| *number = x.narrow());
    }
}

/// Numbers of two rows by turns, and zeros after the end of a row.
#[inline(always)]
fn interleave<S: Narrow>(numbers: &mut [u16; STEP], rows: [&[S]; 2]) {
    let pairs = numbers.as_chunks_mut::<2>().0;
    if let [Some(evens), Some(odds)] = rows.map(|row| row.first_chunk::<SIDE>()) {
        for ((pair, even), odd) in pairs.iter_mut().zip(evens).zip(odds) {
            *pair = [even.narrow(), odd.narrow()];
        }
    } else {
        for (i, pair) in pairs.iter_mut().enumerate() {
            *pair = rows.map(|row| row.get(i).map_or(0, |x| x.narrow()));
        }
    }
}
