//! Numbers as they are stored in files.

use rayon::prelude::*;
use safetensors::Dtype;

use crate::real::Real;
use crate::vectors::vectorised;

/// Numbers that a thread takes at a time.
const AT_ONCE: usize = 1 << 18;

/// Bytes of a number of a type that weights may be stored in.
pub(crate) fn width(dtype: Dtype) -> Option<usize> {
    match dtype {
        Dtype::F64 => Some(8),
        Dtype::F32 => Some(4),
        Dtype::BF16 | Dtype::F16 => Some(2),
        _ => None,
    }
}

/// The numbers, on all threads; `None` for a type that weights are not stored in.
pub(crate) fn decode<E: Real>(dtype: Dtype, bytes: &[u8]) -> Option<Vec<E>> {
    let width = width(dtype)?;
    let mut numbers = vec![E::ZERO; bytes.len() / width];
    let parts = numbers.par_chunks_mut(AT_ONCE).zip(bytes.par_chunks(AT_ONCE * width));
    parts.for_each(|(numbers, bytes)| fill(dtype, numbers, bytes));
    Some(numbers)
}

/// Why stored numbers are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Not a type of weights.
    Type,
    /// A number is NaN or infinite, or too large for the type that is asked for.
    NotFinite,
}

/// As [`decode`], of finite numbers.
pub(super) fn decode_finite<E: Real>(dtype: Dtype, bytes: &[u8]) -> Result<Vec<E>, Fault> {
    let width = width(dtype).ok_or(Fault::Type)?;
    let mut numbers = vec![E::ZERO; bytes.len() / width];
    let parts = numbers.par_chunks_mut(AT_ONCE).zip(bytes.par_chunks(AT_ONCE * width));
    let finite = parts.all(|(numbers, bytes)| {
        fill(dtype, numbers, bytes);
        all_finite(dtype, bytes) && (dtype != Dtype::F64 || numbers.iter().all(|x| x.is_finite()))
    });
    if finite { Ok(numbers) } else { Err(Fault::NotFinite) }
}

fn fill<E: Real>(dtype: Dtype, numbers: &mut [E], bytes: &[u8]) {
    fn each<E, const N: usize>(numbers: &mut [E], bytes: &[u8], of: impl Fn([u8; N]) -> E) {
        vectorised(
            #[inline(always)]
            || numbers.iter_mut().zip(bytes.as_chunks::<N>().0).for_each(|(x, bytes)| *x = of(*bytes)),
        );
    }
    match dtype {
        Dtype::F64 => each(numbers, bytes, |b| E::of(f64::from_le_bytes(b))),
        Dtype::F32 => each(numbers, bytes, |b| E::of(f32::from_le_bytes(b).into())),
        Dtype::BF16 => each(numbers, bytes, |b| E::of(bf16(u16::from_le_bytes(b)).into())),
        _ => each(numbers, bytes, |b| E::of(f16(u16::from_le_bytes(b)).into())),
    }
}

/// No NaN and no infinity, found out on all threads.
pub(super) fn is_finite(dtype: Dtype, bytes: &[u8]) -> bool {
    bytes.par_chunks(8 * AT_ONCE).all(|bytes| all_finite(dtype, bytes))
}

/// No NaN and no infinity: without its sign, each number is below the pattern of infinity.
fn all_finite(dtype: Dtype, bytes: &[u8]) -> bool {
    fn largest<B: Copy + Ord, const N: usize>(bytes: &[u8], zero: B, of: impl Fn([u8; N]) -> B) -> B {
        vectorised(
            #[inline(always)]
            || bytes.as_chunks::<N>().0.iter().fold(zero, |largest, bytes| largest.max(of(*bytes))),
        )
    }
    match dtype {
        Dtype::F64 => largest(bytes, 0, |b| u64::from_le_bytes(b) & (u64::MAX >> 1)) < f64::INFINITY.to_bits(),
        Dtype::F32 => largest(bytes, 0, |b| u32::from_le_bytes(b) & (u32::MAX >> 1)) < f32::INFINITY.to_bits(),
        Dtype::BF16 => largest(bytes, 0, |b| u16::from_le_bytes(b) & (u16::MAX >> 1)) < 0x7f80,
        _ => largest(bytes, 0, |b| u16::from_le_bytes(b) & (u16::MAX >> 1)) < 0x7c00,
    }
}

/// The upper half of an `f32`.
#[inline(always)]
fn bf16(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

/// IEEE half precision, finite: sign, 5 bits of exponent, 10 of fraction. Shifted to the places of an `f32` only the
/// bias of the exponent differs, by 112.
#[inline(always)]
fn f16(bits: u16) -> f32 {
    const BIAS: f32 = f32::from_bits((127 + 112) << 23);
    let size = f32::from_bits(u32::from(bits & 0x7fff) << 13) * BIAS;
    f32::from_bits(size.to_bits() | u32::from(bits & 0x8000) << 16)
}

/// Bytes of numbers in their own type.
pub(crate) fn little_endian<E: Real>(numbers: &[E]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(size_of_val(numbers));
    numbers.iter().for_each(|x| x.store(&mut bytes));
    bytes
}

/// The nearest bf16 number, of two equally near ones the even one.
#[inline(always)]
pub(super) fn to_bf16<E: Real>(x: E) -> [u8; 2] {
    let bits = (x.wide() as f32).to_bits();
    (((bits + 0x7fff + (bits >> 16 & 1)) >> 16) as u16).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_widened_exactly() {
        assert_eq!([0x3f80, 0xc000, 0x0000].map(bf16), [1.0, -2.0, 0.0]);
        assert_eq!(
            [0x3c00, 0xc000, 0x0001, 0x7bff, 0x3555, 0x83ff].map(f16),
            [1.0, -2.0, 2f32.powi(-24), 65504.0, 0.333_251_95, -1023.0 * 2f32.powi(-24)]
        );
        assert!(f16(0x8000).to_bits() == (-0f32).to_bits());
    }

    #[test]
    fn bf16_is_rounded_to_the_nearest_even() {
        for bits in (0..0x7f80u16).chain(0x8000..0xff80) {
            assert_eq!(to_bf16(bf16(bits)), bits.to_le_bytes(), "{bits:x} is one already");
        }
        let of = |x: f32| bf16(u16::from_le_bytes(to_bf16(x)));
        assert_eq!([1.0 + 2f32.powi(-8), 1.0 + 3.0 * 2f32.powi(-8)].map(of), [1.0, 1.0 + 2f32.powi(-6)]);
        assert_eq!([1.0 + 1.01 * 2f32.powi(-8), -1.0 - 1.01 * 2f32.powi(-8)].map(of), [1.007_812_5, -1.007_812_5]);
        assert_eq!(of(f32::MAX), f32::INFINITY);
    }

    #[test]
    fn numbers_that_are_not_finite_are_seen_in_every_type() {
        let seen = |dtype, bytes: &[u8]| decode_finite::<f32>(dtype, bytes) == Err(Fault::NotFinite);
        for (x, wrong) in [(1.0, false), (-3e38, false), (f32::NAN, true), (f32::NEG_INFINITY, true)] {
            assert_eq!(seen(Dtype::F32, &x.to_le_bytes()), wrong, "{x}");
            assert_eq!(seen(Dtype::F64, &f64::from(x).to_le_bytes()), wrong, "{x}");
            assert_eq!(seen(Dtype::BF16, &x.to_le_bytes()[2..]), wrong, "{x}");
        }
        for (x, wrong) in [(0x7bffu16, false), (0xfbff, false), (0x7c00, true), (0xfe00, true)] {
            assert_eq!(seen(Dtype::F16, &x.to_le_bytes()), wrong, "{x:x}");
        }
        assert!(seen(Dtype::F64, &1e39f64.to_le_bytes()), "too large for f32");
        assert_eq!(decode_finite::<f32>(Dtype::I32, &[0; 4]), Err(Fault::Type));
        let long: Vec<u8> = (0..AT_ONCE + 5).flat_map(|i| (i as f32).to_le_bytes()).collect();
        let numbers = decode::<f64>(Dtype::F32, &long).unwrap();
        assert!(numbers.iter().enumerate().all(|(i, x)| *x == i as f64) && numbers.len() == AT_ONCE + 5);
    }
}
