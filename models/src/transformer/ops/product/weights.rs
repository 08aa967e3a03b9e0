//! Weights as they lie in a model or in a file, used as a right factor: strips of them are transposed, and widened,
//! into a buffer that stays in the cache. So no copy of all weights is needed, and each is read from memory once.
//!
//! The sums are taken in the same order as those of [`Panels`](super::super::Panels), so the results are the same, bit
//! for bit.

use rayon::prelude::*;

use super::ahead::Ahead;
use super::half::Narrow;
use super::transpose::{self, SIDE};
use super::{BETWEEN, Columns, Left, Onto, Right, TILE_ROWS, padded, product_asking};
use crate::real::Real;

/// A bf16, the upper half of an `f32`, as it lies in a file: little-endian, at any address.
pub(crate) type Bf16 = [u8; 2];

/// Inputs that are transposed at a time: with them in the L1 cache there is place for what comes and goes.
const DEEP: usize = 64;

/// Rows up to which reading the weights takes the time: one strip after another.
const FEW: usize = 64;

/// Strips that are computed together for more rows, so that a part of each row is read for all of them.
const GROUP: usize = 4;

/// Rows that are computed at a time: more of them lie on more pages than the processor knows the addresses of.
const ROWS: usize = 256;

/// Outputs of a strip: as many as the kernel takes at once.
pub(super) const WIDE: usize = 64;

/// Numbers that weights can be read as.
pub trait Readable: Real + Narrow {
    /// The same number.
    fn widened(half: Bf16) -> Self;

    /// Numbers of a row that [`Readable::transpose`] takes, and that [`Readable::widen`] takes; 0 where there is no
    /// fast way.
    fn along() -> [usize; 2] {
        [0; 2]
    }

    /// Transposes some numbers of each of 16 rows, which are `inputs` apart, to rows that are `stride` apart.
    fn transpose(_to: &mut [Self], _stride: usize, _from: &[Self], _inputs: usize) {}

    /// The same from bf16, to rows of [`WIDE`].
    fn widen(_to: &mut [Self], _from: &[Bf16], _inputs: usize) {}
}

impl Readable for f64 {
    fn widened(half: Bf16) -> Self {
        f32::widened(half).into()
    }
}

impl Readable for f32 {
    #[inline(always)]
    fn widened(half: Bf16) -> Self {
        f32::from_bits(u32::from(u16::from_le_bytes(half)) << 16)
    }

    fn along() -> [usize; 2] {
        if transpose::available() { [SIDE, 2 * SIDE] } else { [0; 2] }
    }

    fn transpose(to: &mut [f32], stride: usize, from: &[Self], inputs: usize) {
        transpose::square(to, stride, from, inputs);
    }

    fn widen(to: &mut [f32], from: &[Bf16], inputs: usize) {
        transpose::widened(to, WIDE, from, inputs);
    }
}

/// How weights are stored that are multiplied as numbers of type `E`.
pub(crate) trait Stored<E>: Copy + Send + Sync + 'static {
    /// The same number.
    fn widen(self) -> E;

    /// Numbers of a row that [`Stored::transpose`] takes; 0 where there is no fast way.
    fn along() -> usize;

    /// Transposes [`Stored::along`] numbers of each of 16 rows, which are `inputs` apart, to rows of [`WIDE`].
    fn transpose(to: &mut [E], from: &[Self], inputs: usize);
}

impl<E: Readable> Stored<E> for E {
    #[inline(always)]
    fn widen(self) -> E {
        self
    }

    fn along() -> usize {
        E::along()[0]
    }

    fn transpose(to: &mut [E], from: &[Self], inputs: usize) {
        E::transpose(to, WIDE, from, inputs);
    }
}

impl<E: Readable> Stored<E> for Bf16 {
    #[inline(always)]
    fn widen(self) -> E {
        E::widened(self)
    }

    fn along() -> usize {
        E::along()[1]
    }

    fn transpose(to: &mut [E], from: &[Self], inputs: usize) {
        E::widen(to, from, inputs);
    }
}

/// The transposes of matrices of `[outputs, inputs]`, side by side, the outputs of each padded with zeros.
pub(crate) struct Weights<'a, S> {
    pub(super) inputs: usize,
    columns: usize,
    strips: Vec<Strip<'a, S>>,
}

/// Some rows of a matrix, at most [`WIDE`].
#[derive(Clone, Copy)]
pub(super) struct Strip<'a, S> {
    pub(super) rows: &'a [S],
    /// The rows of the strip after it.
    pub(super) next: &'a [S],
}

impl<'a, S: Copy + Send + Sync> Weights<'a, S> {
    pub(crate) fn new(matrices: &[&'a [S]], inputs: usize) -> Self {
        let rows = matrices.iter().map(|matrix| matrix.len() / inputs);
        let columns = rows.map(padded).sum();
        let strips: Vec<&[S]> = matrices.iter().flat_map(|matrix| matrix.chunks(WIDE * inputs)).collect();
        let next = strips.iter().skip(1).copied().chain([&[][..]]);
        Self { inputs, columns, strips: strips.iter().zip(next).map(|(rows, next)| Strip { rows, next }).collect() }
    }

    /// Padding included.
    pub(crate) fn columns(&self) -> usize {
        self.columns
    }

    /// `out = start + left self`, with the columns shared among threads; `out` is `[rows, columns]`.
    pub(crate) fn apply<E: Real>(&self, out: &mut [E], start: Onto, left: Left<'_, E>)
    where
        S: Stored<E>,
    {
        let rows = out.len() / self.columns;
        let mut tasks = self.tasks(out);
        let (group, near) = (if rows > FEW { GROUP } else { 1 }, || E::buffers().take(DEEP * WIDE));
        tasks.par_chunks_mut(group).for_each_init(near, |near, tasks| {
            let mut ahead = match &*tasks {
                [(_, strip)] if group == 1 => Ahead::all(strip.next, calls(rows, self.inputs, S::along())),
                _ => Ahead::NONE,
            };
            for row in (0..rows).step_by(ROWS) {
                for first in (0..self.inputs).step_by(DEEP) {
                    let terms = DEEP.min(self.inputs - first);
                    let start = if first == 0 { start } else { Onto::Out };
                    let left = Left { numbers: &left.numbers[row * left.row + first * left.step..], ..left };
                    for (columns, strip) in &mut *tasks {
                        strip.transpose(&mut near[..terms * WIDE], first, self.inputs, &mut ahead);
                        let out = columns.some(row, ROWS.min(rows - row));
                        product_asking(out, start, left, Right::rows(near, WIDE), terms, &mut ahead);
                    }
                }
            }
        });
    }

    /// Each strip with the columns of the result that it makes.
    pub(super) fn tasks<'o, E>(&self, out: &'o mut [E]) -> Vec<(Columns<'o, E>, &Strip<'a, S>)> {
        let rows = out.len() / self.columns;
        let mut rest = Some(Columns::new(out, self.columns, (rows, self.columns)));
        let cut = |strip: &'_ Strip<'a, S>| {
            let (columns, more) = rest.take()?.split_at(padded(strip.rows.len() / self.inputs));
            rest = Some(more);
            Some(columns)
        };
        self.strips.iter().map_while(cut).zip(&self.strips).collect()
    }
}

/// How often memory is asked for while a strip is computed.
fn calls(rows: usize, inputs: usize, along: usize) -> usize {
    WIDE / SIDE * (inputs / along.max(1)) + inputs.div_ceil(BETWEEN) * rows.div_ceil(TILE_ROWS)
}

impl<S: Copy> Strip<'_, S> {
    /// The inputs from `first` on, to rows of `WIDE` outputs.
    fn transpose<E: Real>(&self, near: &mut [E], first: usize, inputs: usize, ahead: &mut Ahead)
    where
        S: Stored<E>,
    {
        let (terms, count, along) = (near.len() / WIDE, self.rows.len() / inputs, <S as Stored<E>>::along());
        let fast = terms.checked_div(along).unwrap_or(0) * along;
        for output in (0..padded(count)).step_by(SIDE) {
            let some = SIDE.min(count - output);
            let rows = &self.rows[output * inputs + first..];
            let whole = if some == SIDE { fast } else { 0 };
            for term in (0..whole).step_by(along.max(1)) {
                ahead.ask();
                S::transpose(&mut near[term * WIDE + output..], &rows[term..], inputs);
            }
            for (term, near) in near.chunks_exact_mut(WIDE).enumerate().skip(whole) {
                let near = &mut near[output..][..SIDE];
                for (row, near) in near.iter_mut().enumerate() {
                    *near = if row < some { rows[row * inputs + term].widen() } else { E::ZERO };
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::rngs::ChaCha8Rng;
    use rand::{RngExt, SeedableRng};

    use super::super::super::Panels;
    use super::*;

    /// Whole strips, parts of strips, parts of squares; one matrix beside another; more rows than are computed at a time.
    const SIZES: [(usize, &[usize], usize); 7] = [
        (1, &[64], 128),
        (3, &[70, 16], 131),
        (16, &[130], 300),
        (29, &[5, 3], 7),
        (48, &[128], 32),
        (2, &[33], 260),
        (2 * ROWS + 5, &[200, 16, 150], 131),
    ];

    fn same<E: Readable, S: Stored<E>>(of: impl Fn(f32) -> S) {
        for (rows, outputs, inputs) in SIZES {
            let mut stream = ChaCha8Rng::seed_from_u64(1);
            let mut random = |count: usize| -> Vec<f32> { (0..count).map(|_| stream.random::<f32>() - 0.5).collect() };
            let stored: Vec<Vec<S>> =
                outputs.iter().map(|n| random(n * inputs).into_iter().map(&of).collect()).collect();
            let wide: Vec<Vec<E>> =
                stored.iter().map(|matrix| matrix.iter().map(|x| Stored::<E>::widen(*x)).collect()).collect();
            let panels = Panels::transposed(&wide.iter().map(Vec::as_slice).collect::<Vec<_>>(), inputs, None);
            let weights = Weights::new(&stored.iter().map(Vec::as_slice).collect::<Vec<_>>(), inputs);
            assert_eq!(weights.columns(), panels.columns());
            let left: Vec<E> = random(rows * (inputs + 1)).into_iter().map(|x| E::of(x.into())).collect();
            let before: Vec<E> = random(rows * panels.columns()).into_iter().map(|x| E::of(x.into())).collect();
            for start in [Onto::Zero, Onto::Out] {
                let (mut expected, mut found) = (before.clone(), before.clone());
                panels.apply(&mut expected, start, Left::rows(&left, inputs + 1));
                weights.apply(&mut found, start, Left::rows(&left, inputs + 1));
                assert_eq!(found, expected, "{rows} x {inputs} x {outputs:?}, {start:?}");
            }
        }
    }

    #[test]
    fn the_product_is_that_of_panels_bit_for_bit() {
        same::<f32, f32>(|x| x);
        same::<f64, f64>(f64::from);
        let upper = |x: f32| ((x.to_bits() >> 16) as u16).to_le_bytes();
        same::<f32, Bf16>(upper);
        same::<f64, Bf16>(upper);
    }
}
