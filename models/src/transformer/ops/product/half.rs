//! Products of factors that are rounded to bf16, with sums in `f32`: by the tiles of AMX, or by AVX512-BF16.
//!
//! A product is taken in squares of 16 outputs x 16 rows, each the sum over steps of 32 inputs. Each entry of the
//! result is one sum in a fixed order, so it does not depend on what else is computed, nor on the number of threads.
//! How the processor rounds within a step is its own: AMX and AVX512-BF16 differ in the last bits. Both take numbers
//! below 1.2e-38 as zero.

mod amx;
mod dot;

use rayon::prelude::*;

use super::ahead::Ahead;
use super::weights::{Bf16, Strip, WIDE};
use super::{Columns, Onto, Weights, transpose};
use crate::buffers::{Buffer, Pooled};
use crate::error::{Error, Result};
use crate::real::Real;
use crate::vectors::vectorised;

/// Outputs, and rows of the left factor, of a square.
const SIDE: usize = 16;

/// Inputs of a step.
const STEP: usize = 32;

/// Numbers of a factor in one step: 16 rows or outputs, 32 inputs.
const TILE: usize = SIDE * STEP;

/// What multiplies bf16 on this processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// AMX, eight registers of 16 x 64 bytes each.
    Tiles,
    /// AVX512-BF16.
    Dots,
}

impl Unit {
    /// The fastest there is.
    ///
    /// # Errors
    /// [`Error::Setting`] where there is none.
    pub(crate) fn find() -> Result<Self> {
        let found = [Self::Tiles, Self::Dots].into_iter().find(|unit| unit.is_there());
        let problem = "this processor has neither AMX nor AVX512-BF16: write products = \"f32\"";
        found.ok_or_else(|| Error::setting("model", "products", problem))
    }

    fn is_there(self) -> bool {
        match self {
            Self::Tiles => amx::available(),
            Self::Dots => dot::available(),
        }
    }

    /// The products of two times 16 outputs with one or two times 16 rows, `squares[2 * rows + outputs]`. Each of
    /// `outputs` and `rows` holds a tile for each step; `rows` may be the same twice.
    fn squares(self, squares: &mut [[f32; SIDE * SIDE]; 4], outputs: [&[u16]; 2], rows: [&[u16]; 2]) {
        match self {
            Self::Tiles => amx::squares(squares, outputs.map(amx::Outputs::tiles), rows),
            Self::Dots => {
                for (i, square) in squares.iter_mut().enumerate() {
                    dot::square(square, outputs[i % 2], rows[i / 2]);
                }
            }
        }
    }
}

/// Numbers that can be rounded to bf16.
pub trait Narrow: Copy + Send + Sync {
    /// The bits of the nearest bf16, ties to even.
    fn narrow(self) -> u16;

    /// The same numbers, where they are bf16 already.
    fn narrow_already(_numbers: &[Self]) -> Option<&[Bf16]> {
        None
    }
}

impl Narrow for Bf16 {
    #[inline(always)]
    fn narrow(self) -> u16 {
        u16::from_le_bytes(self)
    }

    fn narrow_already(numbers: &[Self]) -> Option<&[Bf16]> {
        Some(numbers)
    }
}

impl Narrow for f32 {
    #[inline(always)]
    fn narrow(self) -> u16 {
        let bits = self.to_bits();
        let rounded = bits.wrapping_add(0x7fff + (bits >> 16 & 1));
        ((if self.is_nan() { bits | 0x0040_0000 } else { rounded }) >> 16) as u16
    }
}

impl Narrow for f64 {
    #[inline(always)]
    fn narrow(self) -> u16 {
        (self as f32).narrow()
    }
}

impl<S: Narrow> Weights<'_, S> {
    /// `out = start + left self`, with both factors rounded to bf16, and the columns shared among threads; `out` is
    /// `[rows, columns]`, and the left factor is given with the distance of its rows.
    pub(crate) fn apply_in_bf16<E: Real + Narrow>(&self, unit: Unit, out: &mut [E], start: Onto, left: (&[E], usize)) {
        let count = out.len() / self.columns();
        let rows = &Tiles::of_left(left, (count, self.inputs));
        self.tasks(out).into_par_iter().with_min_len(2).for_each_init(
            || u16::buffers().take(WIDE * rows.long),
            |near, (mut out, strip)| {
                if let Some(matrix) = strip.as_they_lie(unit, self.inputs, count) {
                    let mut ahead = Ahead::all(strip.next, matrix.len() / (2 * SIDE * self.inputs));
                    rows.multiply(&mut out, start, |i, squares, rows| {
                        ahead.ask();
                        let outputs = [2 * i, 2 * i + 1].map(|i| &matrix[i * SIDE * self.inputs..]);
                        amx::squares(squares, outputs.map(|x| amx::Outputs::rows(x, self.inputs)), rows);
                    });
                } else {
                    fill(near, strip, self.inputs);
                    rows.multiply(&mut out, start, |i, squares, rows_of| {
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

/// The left factor: for each 16 rows, and each step, 16 pairs of inputs of 16 rows.
struct Tiles {
    numbers: Buffer<u16>,
    /// Numbers of each 16 rows.
    long: usize,
}

impl Tiles {
    fn of_left<E: Narrow>((left, stride): (&[E], usize), (rows, inputs): (usize, usize)) -> Self {
        let long = inputs.div_ceil(STEP) * TILE;
        let mut numbers = u16::buffers().take(rows.div_ceil(SIDE) * long);
        numbers.par_chunks_mut(long).enumerate().for_each(|(i, tiles)| {
            let first = i * SIDE;
            for (step, tile) in tiles.as_chunks_mut::<STEP>().0.as_chunks_mut::<SIDE>().0.iter_mut().enumerate() {
                let mut rounded = [[0; STEP]; SIDE];
                let inputs = step * STEP..inputs.min((step + 1) * STEP);
                vectorised(
                    #[inline(always)]
                    || {
                        for (row, rounded) in (first..rows).zip(&mut rounded) {
                            narrow(rounded, &left[row * stride..][inputs.clone()]);
                        }
                    },
                );
                transpose::pairs(tile, &rounded);
            }
        });
        Self { numbers, long }
    }

    /// Adds the products with some outputs to `out`. `squares` is called for each two times 16 outputs and each one or
    /// two times 16 rows, as [`Unit::squares`].
    fn multiply<E: Real>(
        &self,
        out: &mut Columns<'_, E>,
        start: Onto,
        mut squares: impl FnMut(usize, &mut [[f32; SIDE * SIDE]; 4], [&[u16]; 2]),
    ) {
        let mut found = [[0.0; SIDE * SIDE]; 4];
        let count = out.rows().div_ceil(SIDE);
        for first in (0..count).step_by(2) {
            let both = [first, (first + 1).min(count - 1)];
            for i in 0..out.width().div_ceil(2 * SIDE) {
                squares(i, &mut found, both.map(|which| &self.numbers[which * self.long..][..self.long]));
                for (j, square) in found.iter().enumerate().take(2 * (both[1] - first + 1)) {
                    write(out, ((first + j / 2) * SIDE, (2 * i + j % 2) * SIDE), start, square);
                }
            }
        }
    }
}

/// The outputs of a strip: for each 16 of them, and each step, 16 outputs of 32 inputs.
fn fill<S: Narrow>(near: &mut [u16], strip: &Strip<'_, S>, inputs: usize) {
    let long = inputs.div_ceil(STEP) * TILE;
    let count = strip.rows.len() / inputs;
    let mut ahead = Ahead::all(strip.next, WIDE / SIDE * inputs.div_ceil(STEP));
    vectorised(
        #[inline(always)]
        || {
            for (i, tiles) in near.chunks_exact_mut(long).enumerate().take(count.div_ceil(2 * SIDE) * 2) {
                let rows = &strip.rows[(i * SIDE * inputs).min(strip.rows.len())..];
                for (step, tile) in tiles.as_chunks_mut::<TILE>().0.iter_mut().enumerate() {
                    ahead.ask();
                    let mut rows = rows.chunks_exact(inputs).map(|row| &row[step * STEP..]);
                    for numbers in tile.as_chunks_mut::<STEP>().0 {
                        narrow(numbers, rows.next().unwrap_or_default());
                    }
                }
            }
        },
    );
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

/// Adds a square, `[outputs, rows]`, to the columns from `at.1` on of the rows from `at.0` on.
fn write<E: Real>(out: &mut Columns<'_, E>, at: (usize, usize), start: Onto, square: &[f32; SIDE * SIDE]) {
    if at.1 >= out.width() {
        return;
    }
    let mut by_row = [0.0; SIDE * SIDE];
    transpose::square(&mut by_row, SIDE, square, SIDE);
    let last = SIDE.min(out.rows() - at.0);
    for (row, square) in (at.0..at.0 + last).zip(by_row.as_chunks::<SIDE>().0) {
        let out = &mut out.row(row)[at.1..][..SIDE];
        match start {
            Onto::Zero => out.iter_mut().zip(square).for_each(|(out, x)| *out = E::of((*x).into())),
            Onto::Out => out.iter_mut().zip(square).for_each(|(out, x)| *out += E::of((*x).into())),
        }
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

    #[test]
    fn rounding_is_to_nearest_ties_to_even() {
        let next = |x: u16| f32::from_bits(u32::from(x) << 16);
        for (x, expected) in [
            (1.0, 0x3f80),
            (-2.5, 0xc020),
            (f32::from_bits(0x3f80_8000), 0x3f80),
            (f32::from_bits(0x3f81_8000), 0x3f82),
            (f32::from_bits(0x3f80_8001), 0x3f81),
            (f32::MAX, 0x7f80),
            (f32::NEG_INFINITY, 0xff80),
        ] {
            assert_eq!(x.narrow(), expected, "{x:e}");
        }
        assert!(next(f32::NAN.narrow()).is_nan() && next(f32::from_bits(0x7f80_0001).narrow()).is_nan());
    }
}
