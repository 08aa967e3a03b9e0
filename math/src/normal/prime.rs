//! Integers as products of primes.

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{One, Pow, ToPrimitive, Zero};

use super::work::{Trouble, Work};
use crate::limits::{FACTORED_BITS, TRIAL};

/// The primes of a positive rational number with their exponents. A factor without small primes that is not found to be a
/// power stands for a prime.
pub(super) fn primes(value: &BigRational, work: &mut Work) -> Result<Vec<(BigInt, i64)>, Trouble> {
    let mut all = integer_primes(value.numer(), work)?;
    let below = integer_primes(value.denom(), work)?;
    all.extend(below.into_iter().map(|(prime, exponent)| (prime, -exponent)));
    Ok(all)
}

fn integer_primes(n: &BigInt, work: &mut Work) -> Result<Vec<(BigInt, i64)>, Trouble> {
    if n.bits() > FACTORED_BITS {
        return Err(Trouble::TooLarge);
    }
    let mut found = Vec::new();
    let (mut rest, mut prime) = (n.clone(), 2);
    while rest.to_i64().is_none() && prime < TRIAL {
        divide_out(&mut rest, prime, &mut found);
        prime = next(prime);
    }
    // About one product of terms for 50 divisions, each of them by words of the integer.
    work.spend(usize::try_from(prime * n.bits().div_ceil(64).to_i64().unwrap_or(TRIAL) / 100).unwrap_or(usize::MAX))?;
    let rest = match rest.to_i64() {
        Some(small) => BigInt::from(divide_small(small, prime, &mut found, work)?),
        None => rest,
    };
    if !rest.is_one() {
        found.push(root(rest));
    }
    Ok(found)
}

fn divide_out(rest: &mut BigInt, prime: i64, found: &mut Vec<(BigInt, i64)>) {
    let mut exponent = 0;
    while (&*rest % prime).is_zero() {
        *rest /= prime;
        exponent += 1;
    }
    if exponent > 0 {
        found.push((BigInt::from(prime), exponent));
    }
}

/// What is left of n, a prime or without primes below the limit.
fn divide_small(mut n: i64, first: i64, found: &mut Vec<(BigInt, i64)>, work: &mut Work) -> Result<i64, Trouble> {
    let mut prime = first;
    while prime < TRIAL && prime * prime <= n {
        let mut exponent = 0;
        while n % prime == 0 {
            n /= prime;
            exponent += 1;
        }
        if exponent > 0 {
            found.push((BigInt::from(prime), exponent));
        }
        prime = next(prime);
    }
    work.spend(usize::try_from(prime / 100).unwrap_or(usize::MAX))?;
    Ok(n)
}

fn next(prime: i64) -> i64 {
    if prime == 2 { 3 } else { prime + 2 }
}

/// The least integer that n is a power of, and the exponent; n has no prime below the limit.
fn root(n: BigInt) -> (BigInt, i64) {
    for index in [2_u32, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73] {
        // A root has no prime below 10^4 either, so at least 14 bits.
        if u64::from(index) * 13 > n.bits() {
            break;
        }
        let base = n.nth_root(index);
        if Pow::pow(&base, index) == n {
            let (base, exponent) = root(base);
            return (base, exponent * i64::from(index));
        }
    }
    (n, 1)
}
