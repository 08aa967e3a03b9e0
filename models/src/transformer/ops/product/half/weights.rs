//! Weights as a right factor in bf16, each strip of them rounded when it is used: for few rows, or weights that are bf16 as
//! they lie in a file.

use rayon::prelude::*;

use super::super::ahead::Ahead;
use super::super::weights::{Bf16, Strip, WIDE};
use super::super::{Columns, Left, Onto, Weights, transpose};
use super::tiles::{Order, Tiles, fill};
use super::{Narrow, SIDE, STEP, Unit, amx, write};
use crate::buffers::Pooled;
use crate::real::Real;

impl<S: Narrow> Weights<'_, S> {
    /// `out = start + left self`, with both factors rounded to bf16, and the columns shared among threads; `out` is
    /// `[rows, columns]`, and the left factor is given with the distance of its rows.
    pub(crate) fn apply_in_bf16<E: Real + Narrow>(&self, unit: Unit, out: &mut [E], start: Onto, left: (&[E], usize)) {
        let count = out.len() / self.columns();
        let rows = &Tiles::of_left(Left::rows(left.0, left.1), (count, self.inputs), Order::Pairs);
        self.tasks(out).into_par_iter().with_min_len(2).for_each_init(
            || u16::buffers().take(WIDE / SIDE * rows.long),
            |near, (mut out, strip)| {
                if let Some(matrix) = strip.as_they_lie(unit, self.inputs, count) {
                    let mut ahead = Ahead::all(strip.next, matrix.len() / (2 * SIDE * self.inputs));
                    multiply(rows, &mut out, start, |i, squares, rows| {
                        ahead.ask();
                        let outputs = [2 * i, 2 * i + 1].map(|i| &matrix[i * SIDE * self.inputs..]);
                        amx::squares(squares, outputs.map(|x| amx::Outputs::rows(x, self.inputs)), rows);
                    });
                } else {
                    fill_strip(near, strip, self.inputs);
                    multiply(rows, &mut out, start, |i, squares, rows_of| {
                        let outputs = [2 * i, 2 * i + 1].map(|i| &near[i * rows.long..][..rows.long]);
                        unit.squares(squares, outputs, rows_of);
                    });
                }
            },
        );
    }
}

impl<S: Narrow> Strip<'_, S> {
    /// The strip, where tiles can be loaded from it and each is used but once, so that a copy would not pay.
    fn as_they_lie(&self, unit: Unit, inputs: usize, rows: usize) -> Option<&[Bf16]> {
        let whole = inputs.is_multiple_of(STEP) && (self.rows.len() / inputs).is_multiple_of(2 * SIDE);
        let once = unit == Unit::Tiles && rows <= 2 * SIDE;
        if whole && once { S::narrow_already(self.rows) } else { None }
    }
}

/// Adds the products of some outputs with the rows of a left factor to `out`. `squares` is called for each two times 16 outputs
/// and each one or two times 16 rows, as [`Unit::squares`]: its squares are `[outputs, rows]`.
fn multiply<E: Real>(
    rows: &Tiles,
    out: &mut Columns<'_, E>,
    start: Onto,
    mut squares: impl FnMut(usize, &mut [[f32; SIDE * SIDE]; 4], [&[u16]; 2]),
) {
    let (mut found, mut by_row) = ([[0.0; SIDE * SIDE]; 4], [0.0; SIDE * SIDE]);
    let count = rows.count();
    for first in (0..count).step_by(2) {
        let both = [first, (first + 1).min(count - 1)];
        for i in 0..out.width().div_ceil(2 * SIDE) {
            squares(i, &mut found, both.map(|which| rows.get(which)));
            for (j, square) in found.iter().enumerate().take(2 * (both[1] - first + 1)) {
                let column = (2 * i + j % 2) * SIDE;
                if column < out.width() {
                    transpose::square(&mut by_row, SIDE, square, SIDE);
                    write(out, ((first + j / 2) * SIDE, column), start, &by_row);
                }
            }
        }
    }
}

/// The outputs of a strip: for each 16 of them, and each step, 16 outputs of 32 inputs.
fn fill_strip<S: Narrow>(near: &mut [u16], strip: &Strip<'_, S>, inputs: usize) {
    let long = near.len() * SIDE / WIDE;
    let pairs = (strip.rows.len() / inputs).div_ceil(2 * SIDE);
    let mut ahead = Ahead::all(strip.next, WIDE / SIDE * inputs.div_ceil(STEP));
    for (i, tiles) in near.chunks_exact_mut(long).enumerate().take(2 * pairs) {
        let rows = &strip.rows[(i * SIDE * inputs).min(strip.rows.len())..];
        fill(tiles, Order::Vectors, |row| rows.chunks_exact(inputs).nth(row).unwrap_or_default(), || ahead.ask());
    }
}

#[cfg(test)]
mod tests {
    use rand::rngs::ChaCha8Rng;
    use rand::{RngExt, SeedableRng};

    use super::*;

    /// Rows, outputs and inputs: whole squares, parts of squares, one matrix beside another.
    const SIZES: [(usize, &[usize], usize); 6] =
        [(1, &[64], 128), (3, &[70, 16], 131), (16, &[130], 300), (33, &[5, 3], 7), (48, &[128], 32), (70, &[33], 260)];

    fn wide(bits: u16) -> f64 {
        f32::from_bits(u32::from(bits) << 16).into()
    }

    fn random(stream: &mut ChaCha8Rng, count: usize) -> Vec<f32> {
        (0..count).map(|_| stream.random::<f32>() - 0.5).collect()
    }

    /// Against sums in `f64` of the rounded factors.
    fn is_the_product(unit: Unit) {
        for (rows, outputs, inputs) in SIZES {
            let stream = &mut ChaCha8Rng::seed_from_u64(1);
            let matrices: Vec<Vec<f32>> = outputs.iter().map(|count| random(stream, count * inputs)).collect();
            let weights = Weights::new(&matrices.iter().map(Vec::as_slice).collect::<Vec<_>>(), inputs);
            let left = random(stream, rows * (inputs + 1));
            let before = random(stream, rows * weights.columns());
            for start in [Onto::Zero, Onto::Out] {
                let mut found = before.clone();
                weights.apply_in_bf16(unit, &mut found, start, (&left, inputs + 1));
                for row in 0..rows {
                    let mut column = row * weights.columns();
                    for (matrix, count) in matrices.iter().zip(outputs) {
                        for output in 0..count.next_multiple_of(SIDE) {
                            let term = |k: usize| {
                                let weight = matrix.get(output * inputs + k).filter(|_| output < *count);
                                wide(left[row * (inputs + 1) + k].narrow()) * weight.map_or(0.0, |w| wide(w.narrow()))
                            };
                            let before = if start == Onto::Out { before[column].into() } else { 0.0 };
                            let expected = before + (0..inputs).map(term).sum::<f64>();
                            let off = (f64::from(found[column]) - expected).abs();
                            assert!(
                                off < 1e-5,
                                "{unit:?}: {rows} x {inputs} x {outputs:?} at {row}, {output}: {off:e}"
                            );
                            column += 1;
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn it_is_the_product_of_the_rounded_factors() {
        [Unit::Tiles, Unit::Dots].into_iter().filter(|unit| unit.is_there()).for_each(is_the_product);
    }

    #[test]
    fn a_row_is_the_same_whatever_is_beside_it_and_at_any_number_of_threads() {
        let stream = &mut ChaCha8Rng::seed_from_u64(2);
        let (rows, inputs) = (37, 100);
        let (matrix, left) = (random(stream, 200 * inputs), random(stream, rows * inputs));
        let weights = Weights::new(&[&matrix[..]], inputs);
        for unit in [Unit::Tiles, Unit::Dots].into_iter().filter(|unit| unit.is_there()) {
            let run = |threads: usize, left: &[f32]| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                let mut out = vec![0.0; left.len() / inputs * weights.columns()];
                pool.install(|| weights.apply_in_bf16(unit, &mut out, Onto::Zero, (left, inputs)));
                out
            };
            let all = run(1, &left);
            assert_eq!(run(3, &left), all, "{unit:?}");
            for (row, left) in left.chunks_exact(inputs).enumerate() {
                assert_eq!(run(2, left), all[row * weights.columns()..][..weights.columns()], "{unit:?}, row {row}");
            }
        }
    }

    #[test]
    fn tiles_loaded_where_they_lie_give_the_same_bits_as_copied_ones() {
        let stream = &mut ChaCha8Rng::seed_from_u64(3);
        for (rows, outputs, inputs) in
            [(1, 64, 32), (5, 96, 128), (17, 192, 96), (32, 128, 352), (33, 64, 64), (2, 80, 64)]
        {
            let (matrix, left) = (random(stream, outputs * inputs), random(stream, rows * inputs));
            let stored: Vec<Bf16> = matrix.iter().map(|x| x.narrow().to_le_bytes()).collect();
            for unit in [Unit::Tiles, Unit::Dots].into_iter().filter(|unit| unit.is_there()) {
                let (mut copied, mut as_stored) = (vec![0.0; rows * outputs], vec![0.0; rows * outputs]);
                Weights::new(&[&matrix[..]], inputs).apply_in_bf16(unit, &mut copied, Onto::Zero, (&left, inputs));
                Weights::new(&[&stored[..]], inputs).apply_in_bf16(unit, &mut as_stored, Onto::Zero, (&left, inputs));
                assert_eq!(as_stored, copied, "{unit:?}: {rows} x {inputs} x {outputs}");
            }
        }
    }
}
