//! A right factor that is rounded to bf16 once for many rows: what training multiplies by.

use super::super::{Columns, Left, Onto};
use super::tiles::{Order, Tiles};
use super::{Narrow, SIDE, Unit, write};
use crate::real::Real;
use crate::vectors::vectorised;

/// A matrix of `[depth, columns]`, rounded to bf16. Columns are padded with zeros to multiples of 16.
pub(crate) struct HalfPanels {
    unit: Unit,
    tiles: Tiles,
    depth: usize,
}

impl HalfPanels {
    /// Blocks of at most 16 rows of `depth` numbers, each of which is a column of the matrix.
    pub(crate) fn transposed<E: Narrow>(unit: Unit, blocks: &[&[E]], depth: usize) -> Self {
        let row = |i: usize| blocks[i / SIDE].chunks_exact(depth).nth(i % SIDE).unwrap_or_default();
        Self { unit, tiles: Tiles::of_rows((blocks.len() * SIDE, depth), Order::Pairs, row), depth }
    }

    /// The rows of the matrix; an empty row stands for zeros.
    pub(crate) fn of_rows<E: Narrow>(unit: Unit, rows: &[&[E]], columns: usize) -> Self {
        let (size, row) = ((columns, rows.len()), |i: usize| rows.get(i).copied().unwrap_or_default());
        Self { unit, tiles: Tiles::of_columns(size, Order::Pairs, row), depth: rows.len() }
    }

    /// `out = start + left self`.
    pub(crate) fn apply<E: Real + Narrow>(&self, mut out: Columns<'_, E>, start: Onto, left: Left<'_, E>) {
        let left = self.left(left, out.rows());
        self.multiply(&mut out, 0, start, &left);
    }

    /// A left factor of so many rows, as [`HalfPanels::multiply`] takes it.
    pub(crate) fn left<E: Narrow>(&self, left: Left<'_, E>, rows: usize) -> LeftTiles {
        LeftTiles(Tiles::of_left(left, (rows, self.depth), Order::Vectors))
    }

    /// `out = start + left self`, where `out` is the columns from `first` on.
    pub(crate) fn multiply<E: Real>(&self, out: &mut Columns<'_, E>, first: usize, start: Onto, left: &LeftTiles) {
        let (left, panels) = (&left.0, first / SIDE..(first + out.width()) / SIDE);
        let mut squares = [[0.0; SIDE * SIDE]; 4];
        for panel in panels.clone().step_by(2) {
            let both = [panel, (panel + 1).min(panels.end - 1)].map(|panel| self.tiles.get(panel));
            for row in (0..left.count()).step_by(2) {
                let rows = [row, (row + 1).min(left.count() - 1)].map(|row| left.get(row));
                self.unit.squares(&mut squares, rows, both);
                vectorised(
                    #[inline(always)]
                    || {
                        for (i, square) in squares.iter().enumerate() {
                            let (row, panel) = (row + i % 2, panel + i / 2);
                            if row < left.count() && panel < panels.end {
                                write(out, (row * SIDE, panel * SIDE - first), start, square);
                            }
                        }
                    },
                );
            }
        }
    }
}

/// A left factor, rounded to bf16.
pub(crate) struct LeftTiles(Tiles);

#[cfg(test)]
mod tests {
    use rand::rngs::ChaCha8Rng;
    use rand::{RngExt, SeedableRng};

    use super::super::super::Weights;
    use super::*;

    /// Rows, terms and columns: whole tiles, parts of tiles, a single row.
    const SIZES: [(usize, usize, usize); 6] =
        [(1, 1, 3), (5, 40, 16), (16, 64, 48), (33, 7, 70), (70, 131, 32), (130, 260, 17)];

    fn transposed(numbers: &[f32], columns: usize) -> Vec<f32> {
        let rows = numbers.len() / columns;
        (0..numbers.len()).map(|i| numbers[i % rows * columns + i / rows]).collect()
    }

    /// However the factors lie, it is the product that weights give one strip after another: that one is tested against sums in
    /// `f64`.
    #[test]
    fn every_layout_gives_the_same_bits_as_strips() {
        for unit in [Unit::Tiles, Unit::Dots].into_iter().filter(|unit| unit.is_there()) {
            for (rows, depth, columns) in SIZES {
                let mut stream = ChaCha8Rng::seed_from_u64(1);
                let mut random =
                    |count: usize| -> Vec<f32> { (0..count).map(|_| stream.random::<f32>() - 0.5).collect() };
                let (left, weights) = (random(rows * depth), random(columns * depth));
                let wide = columns.next_multiple_of(SIDE);
                let before = random(rows * wide);
                let (across, by_term) = (transposed(&left, depth), transposed(&weights, depth));
                let blocks: Vec<&[f32]> = weights.chunks(SIDE * depth).collect();
                let terms: Vec<&[f32]> = by_term.chunks_exact(columns).collect();
                let panels = [HalfPanels::transposed(unit, &blocks, depth), HalfPanels::of_rows(unit, &terms, columns)];
                for start in [Onto::Zero, Onto::Out] {
                    let mut expected = before.clone();
                    Weights::new(&[&weights[..]], depth).apply_in_bf16(unit, &mut expected, start, (&left, depth));
                    for (which, panels) in panels.iter().enumerate() {
                        for left in [Left::rows(&left, depth), Left::columns(&across, rows)] {
                            let mut found = before.clone();
                            panels.apply(Columns::new(&mut found, wide, (rows, wide)), start, left);
                            assert_eq!(found, expected, "{unit:?}: {rows} x {depth} x {columns}, panels {which}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn some_columns_are_those_of_all() {
        let Some(unit) = [Unit::Tiles, Unit::Dots].into_iter().find(|unit| unit.is_there()) else { return };
        let (rows, depth, columns) = (20, 50, 80);
        let numbers: Vec<f32> = (0..depth * columns).map(|i| (i as f32).sin()).collect();
        let terms: Vec<&[f32]> = numbers.chunks_exact(columns).collect();
        let (panels, left) = (HalfPanels::of_rows(unit, &terms, columns), &numbers[..rows * depth]);
        let mut all = vec![0.0; rows * columns];
        panels.apply(Columns::new(&mut all, columns, (rows, columns)), Onto::Zero, Left::rows(left, depth));
        let left = panels.left(Left::rows(left, depth), rows);
        for (first, width) in [(0, 16), (16, 48), (48, 32)] {
            let mut some = vec![0.0; rows * width];
            panels.multiply(&mut Columns::new(&mut some, width, (rows, width)), first, Onto::Zero, &left);
            for (row, some) in some.chunks_exact(width).enumerate() {
                assert_eq!(some, &all[row * columns + first..][..width], "row {row}, columns from {first}");
            }
        }
    }
}
