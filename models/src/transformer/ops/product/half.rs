//! Products of factors that are rounded to bf16, with sums in `f32`: by the tiles of AMX, or by AVX512-BF16.
//!
//! A product is taken in squares of 16 x 16, each the sum over steps of 32 terms ([`tiles`] has the order of the factors). Each entry
//! of the result is one sum in a fixed order, so it does not depend on what else is computed, nor on the number of threads, nor on
//! which factor comes first. How the processor rounds within a step is its own: AMX and AVX512-BF16 differ in the last bits. Both take
//! numbers below 1.2e-38 as zero.
//!
//! [`panels`] round a right factor once for many rows, as training does; [`weights`] round it as it is used, for few rows or for
//! weights that are bf16 already.

mod amx;
mod dot;
mod panels;
mod tiles;
mod weights;

use super::weights::Bf16;
use super::{Columns, Onto};
use crate::error::{Error, Result};
use crate::products::Products;
use crate::real::Real;
pub(crate) use panels::HalfPanels;

/// Vectors of each factor in a square.
const SIDE: usize = 16;

/// Terms of a step.
const STEP: usize = 32;

/// Numbers of a factor in one step: 16 vectors, 32 terms.
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
    /// The fastest there is for these products, which this key of `[model]` asks for.
    ///
    /// # Errors
    /// [`Error::Setting`] where there is none.
    pub(crate) fn of(products: Products, key: &'static str) -> Result<Option<Self>> {
        if products == Products::F32 {
            return Ok(None);
        }
        let found = [Self::Tiles, Self::Dots].into_iter().find(|unit| unit.is_there());
        let problem = "this processor has neither AMX nor AVX512-BF16: write \"f32\"";
        found.map(Some).ok_or_else(|| Error::setting("model", key, problem))
    }

    /// What it is called.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Tiles => "AMX",
            Self::Dots => "AVX512-BF16",
        }
    }

    fn is_there(self) -> bool {
        match self {
            Self::Tiles => amx::available(),
            Self::Dots => dot::available(),
        }
    }

    /// The products of two times 16 vectors with two times 16 others: `squares[2 * j + i]` is that of `left[i]` with `right[j]`,
    /// `[left, right]`. Both have a tile for each step, of the orders [`Vectors`](tiles::Order) and `Pairs`, and each may be the same
    /// twice.
    fn squares(self, squares: &mut [[f32; SIDE * SIDE]; 4], left: [&[u16]; 2], right: [&[u16]; 2]) {
        match self {
            Self::Tiles => amx::squares(squares, left.map(amx::Outputs::tiles), right),
            Self::Dots => {
                for (i, square) in squares.iter_mut().enumerate() {
                    dot::square(square, left[i % 2], right[i / 2]);
                }
            }
        }
    }
}

/// Writes a square, `[rows, columns]`, to the columns from `at.1` on of the rows from `at.0` on.
#[inline(always)]
fn write<E: Real>(out: &mut Columns<'_, E>, at: (usize, usize), start: Onto, square: &[f32; SIDE * SIDE]) {
    let last = SIDE.min(out.rows() - at.0);
    for (row, square) in (at.0..at.0 + last).zip(square.as_chunks::<SIDE>().0) {
        let out = &mut out.row(row)[at.1..][..SIDE];
        match start {
            Onto::Zero => out.iter_mut().zip(square).for_each(|(out, x)| *out = E::of((*x).into())),
            Onto::Out => out.iter_mut().zip(square).for_each(|(out, x)| *out += E::of((*x).into())),
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

#[cfg(test)]
mod tests {
    use super::*;

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
