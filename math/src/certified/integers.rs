//! Functions of integers.

use num_bigint::BigInt;
use num_integer::Integer;
use num_traits::{One, Signed, ToPrimitive, Zero};

use super::trouble::Trouble;
use super::value::{EXACT_BITS, Value};

/// Most factors of a factorial.
const FACTORS: u64 = 5_000;
/// Longest product of a binomial coefficient, in bits.
const PRODUCT_BITS: u64 = 1 << 17;

impl Value {
    /// The value as an integer. Undefined if it is none.
    pub(crate) fn to_integer(&self) -> Result<BigInt, Trouble> {
        match self {
            Value::Exact(q) if q.is_integer() => Ok(q.numer().clone()),
            Value::Exact(_) => Err(Trouble::Undefined),
            // Where the floor is certain, an inexact number lies between two integers. An exact one of so few bits is `Exact`.
            Value::Enclosed(z) => z.as_real()?.floor(EXACT_BITS).and(Err(Trouble::Undefined)),
        }
    }
}

/// The product of n, n - step, n - 2 step, .., as long as the factors are positive.
pub(crate) fn factorial(n: &Value, step: u64) -> Result<BigInt, Trouble> {
    let n = natural(n)?;
    let count = n.to_u64().ok_or(Trouble::TooLarge)?.div_ceil(step);
    if count > FACTORS { Err(Trouble::TooLarge) } else { Ok(descending(&n, count, step)) }
}

/// The number of subsets of size k of a set of n.
pub(crate) fn binomial(n: &Value, k: &Value) -> Result<BigInt, Trouble> {
    let (n, k) = (natural(n)?, natural(k)?);
    if k > n {
        return Ok(BigInt::zero());
    }
    let count = (&n - &k).min(k).to_u64().filter(|&count| count <= FACTORS).ok_or(Trouble::TooLarge)?;
    if count * n.bits() > PRODUCT_BITS {
        return Err(Trouble::TooLarge);
    }
    Ok(descending(&n, count, 1) / descending(&BigInt::from(count), count, 1))
}

/// The greatest common divisor.
pub(crate) fn gcd(values: &[Value]) -> Result<BigInt, Trouble> {
    values.iter().try_fold(BigInt::zero(), |gcd, value| Ok(gcd.gcd(&value.to_integer()?)))
}

/// The least common multiple.
pub(crate) fn lcm(values: &[Value]) -> Result<BigInt, Trouble> {
    values.iter().try_fold(BigInt::one(), |lcm, value| {
        let lcm = lcm.lcm(&value.to_integer()?);
        if lcm.bits() > EXACT_BITS { Err(Trouble::TooLarge) } else { Ok(lcm) }
    })
}

/// The work of a factorial of a number, or of a binomial coefficient with that number below.
pub(crate) fn work(n: &Value) -> u64 {
    let factors = n.to_integer().ok().and_then(|n| n.to_u64()).unwrap_or(0).min(FACTORS);
    100 + factors * (100 + factors / 2)
}

/// The value as an integer that is not negative.
fn natural(value: &Value) -> Result<BigInt, Trouble> {
    let n = value.to_integer()?;
    if n.is_negative() { Err(Trouble::Undefined) } else { Ok(n) }
}

/// The product of `count` numbers from n down.
fn descending(n: &BigInt, count: u64, step: u64) -> BigInt {
    (0..count).fold(BigInt::one(), |product, i| product * (n - i * step))
}
