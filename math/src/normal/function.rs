//! Calls of functions.

use std::cmp::Ordering;

use num_bigint::BigInt;
use num_integer::Integer;
use num_rational::BigRational;
use num_traits::{One, Signed, ToPrimitive, Zero};

use super::atom::{Atom, Opaque};
use super::fraction::Fraction;
use super::logarithm::{ln, log};
use super::polynomial::Polynomial;
use super::power::{rational_power, root};
use super::rational::{Exponent, bounded};
use super::trigonometry::{hyperbolic, inverse, trigonometric};
use super::work::{Trouble, Work, work_of};
use crate::expr::Function;
use crate::limits::BITS;

/// Most factors by which a function of an argument with symbols is taken to another argument.
const STEPS: i64 = 20;

/// The function of the arguments. Undefined for a number of arguments that is not the function's own.
pub(super) fn call(function: Function, arguments: Vec<Fraction>, work: &mut Work) -> Result<Fraction, Trouble> {
    use Function::*;
    match (function, arguments.as_slice()) {
        (Root, [x, n]) => root(x, n, work),
        (Abs, [x]) => absolute(x, work),
        (Floor | Ceiling, [x]) => rounded(function, x),
        (Factorial, [n]) => factorial(n, work),
        (DoubleFactorial, [n]) => double_factorial(n, work),
        (Binomial, [n, k]) => binomial(n, k, work),
        (Log, [x]) => log(x, work),
        (Ln, [x]) => ln(x, work),
        (LogBase, [x, base]) => ln(x, work)?.over(&ln(base, work)?, work),
        (Sin | Cos | Tan | Cot | Sec | Csc, [x]) => trigonometric(function, x, work),
        (Arcsin | Arccos | Arctan | Arccot | Arcsec | Arccsc, [x]) => inverse(function, x, work),
        (Sinh | Cosh | Tanh | Coth, [x]) => hyperbolic(function, x, work),
        (Max, [_, ..]) => extreme(function, Ordering::Greater, arguments, work),
        (Min, [_, ..]) => extreme(function, Ordering::Less, arguments, work),
        (Gcd | Lcm, [_, ..]) => divisors(function, arguments, work),
        _ => Err(Trouble::Undefined),
    }
}

/// The absolute value. That of a product is the product of those, also for complex factors.
fn absolute(x: &Fraction, work: &mut Work) -> Result<Fraction, Trouble> {
    match x.sign() {
        Some(Ordering::Less) => return Ok(x.clone().negated()),
        Some(_) => return Ok(x.clone()),
        None => {}
    }
    if let Some(below) = x.denominator() {
        let above = absolute(&Fraction::polynomial(x.numerator().clone()), work)?;
        return above.over(&absolute(&Fraction::polynomial(below.clone()), work)?, work);
    }
    if let Some((monomial, coefficient)) = x.numerator().single_term() {
        let mut all = Fraction::rational(coefficient.abs());
        for (atom, exponent) in monomial.factors() {
            all = all.times(&absolute_power(atom, *exponent, work)?, work)?;
        }
        return Ok(all);
    }
    if let Some(square) = complex_square(x.numerator(), work)? {
        return rational_power(&square, Exponent::new(1, 2), work);
    }
    let content = x.numerator().content();
    let content = if x.leads_negative() { -content } else { content };
    let primitive = Fraction::polynomial(x.numerator().clone().divided(&content));
    Fraction::opaque(Opaque::Call(Function::Abs, vec![primitive]))?.scaled(&content.abs(), work)
}

/// `|atom^exponent| = |atom|^exponent`.
fn absolute_power(atom: &Atom, exponent: Exponent, work: &mut Work) -> Result<Fraction, Trouble> {
    if *atom == Atom::Root(-1) {
        return Ok(Fraction::integer(1));
    }
    if atom.is_positive() {
        return Fraction::atom(atom.clone(), exponent, work);
    }
    if let Some((index, radicand)) = atom.radicand() {
        return rational_power(&absolute(radicand, work)?, bounded(exponent / index)?, work);
    }
    let argument = Fraction::atom(atom.clone(), Exponent::one(), work)?;
    Fraction::atom(Atom::opaque(Opaque::Call(Function::Abs, vec![argument]))?, exponent, work)
}

/// `(a + b i)(a - b i)` for real numbers a and b.
fn complex_square(z: &Polynomial, work: &mut Work) -> Result<Option<Fraction>, Trouble> {
    let imaginary = Atom::Root(-1);
    let known = |(atom, exponent): &(Atom, Exponent)| match *atom == imaginary {
        true => *exponent.denom() == 2,
        false => atom.is_numeric() && atom.is_real(*exponent),
    };
    if !z.factors().all(known) || z.factors().all(|(atom, _)| *atom != imaginary) {
        return Ok(None);
    }
    let (z, conjugate) = (Fraction::polynomial(z.clone()), Fraction::polynomial(z.conjugate(&imaginary)));
    z.times(&conjugate, work).map(Some)
}

fn rounded(function: Function, x: &Fraction) -> Result<Fraction, Trouble> {
    let round = |value: f64| if function == Function::Floor { value.floor() } else { value.ceil() };
    if let Some(value) = x.constant() {
        return Ok(Fraction::rational(if function == Function::Floor { value.floor() } else { value.ceil() }));
    }
    if let Some(near) = x.approximate() {
        let (low, high) = (round(near.value - near.error), round(near.value + near.error));
        if low == high && low.abs() < 1e15 {
            return Ok(Fraction::integer(low.to_i64().ok_or(Trouble::TooLarge)?));
        }
    }
    Fraction::opaque(Opaque::Call(function, vec![x.clone()]))
}

/// n!, and (n + k)! = n! (n + 1) .. (n + k) for an integer k.
fn factorial(n: &Fraction, work: &mut Work) -> Result<Fraction, Trouble> {
    if let Some(value) = n.constant() {
        return if value.is_integer() {
            falling_product(value.numer(), 1, work)
        } else {
            Fraction::opaque(Opaque::Call(Function::Factorial, vec![n.clone()]))
        };
    }
    let shift = n.as_polynomial().map_or_else(BigRational::zero, Polynomial::constant_term);
    let shift = shift.to_integer().to_i64().filter(|shift| shift.abs() <= STEPS).unwrap_or(0);
    let base = n.clone().minus(Fraction::integer(shift), work)?;
    let mut all = Fraction::opaque(Opaque::Call(Function::Factorial, vec![base.clone()]))?;
    for k in 1..=shift.abs() {
        let factor = base.clone().plus(Fraction::integer(if shift > 0 { k } else { 1 - k }), work)?;
        all = if shift > 0 { all.times(&factor, work)? } else { all.over(&factor, work)? };
    }
    Ok(all)
}

fn double_factorial(n: &Fraction, work: &mut Work) -> Result<Fraction, Trouble> {
    match n.constant() {
        Some(value) if value.is_integer() => falling_product(value.numer(), 2, work),
        _ => Fraction::opaque(Opaque::Call(Function::DoubleFactorial, vec![n.clone()])),
    }
}

/// `n (n - step) (n - 2 step) ..` down to the last positive factor.
fn falling_product(n: &BigInt, step: u64, work: &mut Work) -> Result<Fraction, Trouble> {
    if n.is_negative() {
        return Err(Trouble::Undefined);
    }
    let mut factor = n.to_u64().filter(|n| *n <= BITS).ok_or(Trouble::TooLarge)?;
    let mut all = BigInt::one();
    while factor > 0 {
        all *= factor;
        work.spend(1)?;
        if all.bits() > BITS {
            return Err(Trouble::TooLarge);
        }
        factor = factor.saturating_sub(step);
    }
    Ok(Fraction::integer(all))
}

/// n (n - 1) .. (n - k + 1) / k! for a small integer k, n! / (k! (n - k)!) for others.
fn binomial(n: &Fraction, k: &Fraction, work: &mut Work) -> Result<Fraction, Trouble> {
    let (exact_n, exact_k) = (n.constant(), k.constant());
    let integer = |value: &Option<BigRational>| value.as_ref().filter(|v| v.is_integer()).map(|v| v.numer().clone());
    if let (Some(n), Some(k)) = (integer(&exact_n), integer(&exact_k)) {
        return number_of_subsets(&n, &k, work);
    }
    let Some(k) = integer(&exact_k).and_then(|k| k.to_i64()).filter(|k| (0..=STEPS).contains(k)) else {
        let rest = n.clone().minus(k.clone(), work)?;
        let below = factorial(k, work)?.times(&factorial(&rest, work)?, work)?;
        return factorial(n, work)?.over(&below, work);
    };
    let mut all = Fraction::integer(1);
    for i in 0..k {
        let factor = n.clone().minus(Fraction::integer(i), work)?;
        all = all.times(&factor, work)?.scaled(&BigRational::new(BigInt::one(), BigInt::from(i + 1)), work)?;
    }
    Ok(all)
}

fn number_of_subsets(n: &BigInt, k: &BigInt, work: &mut Work) -> Result<Fraction, Trouble> {
    if n.is_negative() || k.is_negative() {
        return Err(Trouble::Undefined);
    }
    if k > n {
        return Ok(Fraction::integer(0));
    }
    // After i steps the product is at least 2^i, so a count above the limit cannot succeed.
    let steps = k.min(&(n - k)).to_u64().filter(|steps| *steps <= BITS).ok_or(Trouble::TooLarge)?;
    let mut all = BigInt::one();
    for i in 0..steps {
        all = all * (n - i) / (i + 1);
        work.spend(1)?;
        if all.bits() > BITS {
            return Err(Trouble::TooLarge);
        }
    }
    Ok(Fraction::integer(all))
}

/// The largest or the smallest; opaque unless all can be compared.
fn extreme(
    function: Function,
    wanted: Ordering,
    arguments: Vec<Fraction>,
    work: &mut Work,
) -> Result<Fraction, Trouble> {
    let mut best: Vec<Fraction> = Vec::new();
    for argument in arguments {
        let mut beaten = false;
        for other in &mut best {
            match argument.clone().minus(other.clone(), work)?.sign() {
                None => continue,
                Some(order) if order == wanted => *other = argument.clone(),
                Some(_) => {}
            }
            beaten = true;
            break;
        }
        if !beaten {
            best.push(argument);
        }
    }
    best.sort();
    best.dedup();
    match best.as_slice() {
        [one] => Ok(one.clone()),
        _ => Fraction::opaque(Opaque::Call(function, best)),
    }
}

/// The greatest common divisor or the least common multiple.
fn divisors(function: Function, mut arguments: Vec<Fraction>, work: &mut Work) -> Result<Fraction, Trouble> {
    let mut all = if function == Function::Gcd { BigInt::zero() } else { BigInt::one() };
    for argument in &arguments {
        let Some(value) = argument.constant().filter(BigRational::is_integer) else {
            arguments.sort();
            arguments.dedup();
            return Fraction::opaque(Opaque::Call(function, arguments));
        };
        // Counted as a fraction, which takes the same greatest common divisor to reduce.
        work.spend(work_of(&BigRational::new_raw(value.numer().clone(), all.clone())))?;
        all = if function == Function::Gcd { all.gcd(value.numer()) } else { all.lcm(value.numer()) };
        if all.bits() > BITS {
            return Err(Trouble::TooLarge);
        }
    }
    Ok(Fraction::integer(all))
}
