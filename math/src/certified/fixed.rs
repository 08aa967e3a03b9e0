//! Elementary functions of fixed-point numbers: integers that count units of `2^-scale`, on the intervals to which arguments are
//! reduced. Every result comes with a bound of its error.

use num_bigint::BigInt;
use num_traits::{One, ToPrimitive, Zero};

use super::constants::Signs;

/// Bits by which arguments are refined before a series is summed, to absorb the rounding of its terms.
const REFINED: u32 = 14;

/// A fixed-point number and how many units it may be off.
#[derive(Clone, Debug)]
pub(crate) struct Approximate {
    /// The number in units.
    pub(crate) value: BigInt,
    /// The bound of its error in units.
    pub(crate) error: u64,
}

/// `exp(t)` for `0 <= t < 1.5`.
pub(crate) fn exponential(t: &BigInt, scale: u32) -> Approximate {
    let halvings = halvings(scale);
    let inner = scale + halvings + REFINED;
    // These units are finer by the halvings too, so `t << REFINED` is `t` halved that often.
    let sums = exponential_series(&(t << REFINED), inner, Signs::Same);
    let mut value = sums.even + sums.odd;
    for _ in 0..halvings {
        value = (&value * &value) >> inner;
    }
    // With an error e, (s + e)^2 = s^2 + 2 s e + e^2, and rounding adds 1. Where e^2 is below a unit, e + 2 grows at most by the
    // factor 2 s. The product of all s is below exp(1.5) < 2^3, so the error is below 2^(halvings + 3) (e + 2).
    Approximate { value: value >> (halvings + REFINED), error: ((2 * sums.error + 2) >> (REFINED - 3)) + 2 }
}

/// `cos(t)` and `sin(t)` for `0 <= t < 2`.
pub(crate) fn circular(t: &BigInt, scale: u32) -> [Approximate; 2] {
    let halvings = halvings(scale);
    let inner = scale + halvings + REFINED;
    let sums = exponential_series(&(t << REFINED), inner, Signs::Alternating);
    let (mut cos, mut sin) = (sums.even, sums.odd);
    for _ in 0..halvings {
        let product = &cos * &sin;
        cos = ((&cos - &sin) * (&cos + &sin)) >> inner;
        sin = product >> (inner - 1);
    }
    // These are squares of cos + i sin, of modulus 1: an error of modulus e becomes at most 2 e + e^2 + sqrt(2), so with e^2
    // below a unit e + 3 at most doubles.
    let error = ((2 * sums.error + 3) >> REFINED) + 2;
    [cos, sin].map(|value| Approximate { value: value >> (halvings + REFINED), error })
}

/// `ln(m)` for `1/2 <= m <= 1`, where `m` itself may be one unit off.
pub(crate) fn logarithm(m: &BigInt, scale: u32) -> Approximate {
    // With y near -ln(m), and m exp(y) = 1 + u: ln(m) = -y + 2 artanh(u / (2 + u)).
    let y = fixed(-near_ln(float(m, scale)), scale);
    let exponential = exponential(&y, scale);
    let one = BigInt::one() << scale;
    let u = ((m * exponential.value) >> scale) - &one;
    let quotient = (&u << scale) / (&u + (one << 1_u32));
    let artanh = odd_series(&quotient, scale, Signs::Same);
    // u is off by the error of exp(y), by m's error times exp(y) <= 2, and by rounding; ln(1 + u) by at most twice that.
    Approximate { value: artanh.value * 2 - y, error: 2 * (artanh.error + 2) + 2 * (exponential.error + 3) }
}

/// `arctan(x)` for `0 <= x < 2`, where `x` itself may be one unit off.
pub(crate) fn arctangent(x: &BigInt, scale: u32) -> Approximate {
    // With y near arctan(x): arctan(x) = y + arctan((x cos(y) - sin(y)) / (cos(y) + x sin(y))).
    let y = fixed(near_arctan(float(x, scale)), scale);
    let [cos, sin] = circular(&y, scale);
    let numerator = ((x * &cos.value) >> scale) - &sin.value;
    let denominator = ((x * &sin.value) >> scale) + &cos.value;
    let arctan = odd_series(&((numerator << scale) / denominator), scale, Signs::Alternating);
    // Numerator and denominator are off by three times the error of sine and cosine and by 2 for x and rounding; the denominator
    // is above 1/2 and the quotient below 1/2.
    Approximate { value: arctan.value + y, error: arctan.error + 1 + 9 * (cos.error + 1) }
}

/// The parts of an exponential series, and how many units each may be off.
struct Sums {
    even: BigInt,
    odd: BigInt,
    error: u64,
}

/// The sums of `t^k / k!` over even and over odd k, of alternating sign for cosine and sine, for `0 <= t < 1/2`.
fn exponential_series(t: &BigInt, scale: u32, signs: Signs) -> Sums {
    let mut term = BigInt::one() << scale;
    let (mut even, mut odd) = (term.clone(), BigInt::zero());
    let mut k = 0_u64;
    while !term.is_zero() {
        k += 1;
        term = ((term * t) >> scale) / k;
        let sum = if k.is_multiple_of(2) { &mut even } else { &mut odd };
        if signs == Signs::Alternating && k % 4 >= 2 { *sum -= &term } else { *sum += &term }
    }
    // If a term is off by e, the next is by (e t + 1) / k + 1, so none is by more than 2. The terms left out are below 2 units
    // together with the one that came out as zero, and fall at least by halves: below 4.
    Sums { even, odd, error: 2 * k + 4 }
}

/// The sum of `± u^(2 k + 1) / (2 k + 1)`: artanh or arctan, for `|u| <= 1/2`.
fn odd_series(u: &BigInt, scale: u32, signs: Signs) -> Approximate {
    let size = BigInt::from(u.magnitude().clone());
    let square = (&size * &size) >> scale;
    let mut sum = size.clone();
    let mut power = size;
    let mut odd = 1_u64;
    while !power.is_zero() {
        power = (power * &square) >> scale;
        odd += 2;
        let term = &power / odd;
        if signs == Signs::Alternating && odd % 4 == 3 { sum -= term } else { sum += term }
    }
    // Each power is off by at most e/4 + 1/2 + 1 <= 2, each term by 3; those left out are below 3 and fall by a quarter.
    let value = if u.sign() == num_bigint::Sign::Minus { -sum } else { sum };
    Approximate { value, error: 3 * odd + 4 }
}

/// How often an argument is halved before a series: a halving costs one multiplication and saves about as many.
fn halvings(scale: u32) -> u32 {
    scale.isqrt().max(4)
}

/// The number as a float, rounded.
fn float(x: &BigInt, scale: u32) -> f64 {
    const KEPT: u32 = 60;
    let leading = if scale >= KEPT { x >> (scale - KEPT) } else { x << (KEPT - scale) };
    leading.to_f64().unwrap_or(0.0) / 2_f64.powi(KEPT as i32)
}

/// The float as a number, for `0 <= x < 2`.
fn fixed(x: f64, scale: u32) -> BigInt {
    const KEPT: u32 = 52;
    let leading = BigInt::from((x * 2_f64.powi(KEPT as i32)) as u64);
    if scale >= KEPT { leading << (scale - KEPT) } else { leading >> (KEPT - scale) }
}

/// `ln(m)` to about 50 bits, for `1/2 <= m <= 1`. Only operations that IEEE 754 rounds alike on every machine.
fn near_ln(m: f64) -> f64 {
    let z = (m - 1.0) / (m + 1.0);
    2.0 * near_odd_series(z, z * z)
}

/// `arctan(x)` to about 50 bits, for `0 <= x < 2`, like [`near_ln`].
fn near_arctan(x: f64) -> f64 {
    let half = |x: f64| x / (1.0 + (1.0 + x * x).sqrt());
    let z = half(half(x));
    4.0 * near_odd_series(z, -z * z)
}

/// The sum of `z square^k / (2 k + 1)`, for `|square| <= 1/9`.
fn near_odd_series(z: f64, square: f64) -> f64 {
    z * (0..17).rev().fold(0.0, |sum, k| sum * square + 1.0 / f64::from(2 * k + 1))
}
