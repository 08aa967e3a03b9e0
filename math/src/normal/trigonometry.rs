//! Trigonometric and hyperbolic functions and their inverses.

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{One, Signed, Zero};

use super::atom::{Atom, Opaque};
use super::fraction::Fraction;
use super::logarithm::exp;
use super::polynomial::Polynomial;
use super::power::{number_power, rational_power};
use super::rational::{Exponent, exponent, rational};
use super::work::{Trouble, Work};
use crate::expr::Function;

/// A trigonometric function of an angle in radians.
pub(super) fn trigonometric(function: Function, angle: &Fraction, work: &mut Work) -> Result<Fraction, Trouble> {
    match function {
        Function::Sin => sine(angle, work),
        Function::Cos => cosine(angle, work),
        Function::Tan => sine(angle, work)?.over(&cosine(angle, work)?, work),
        Function::Cot => cosine(angle, work)?.over(&sine(angle, work)?, work),
        Function::Sec => Fraction::integer(1).over(&cosine(angle, work)?, work),
        _ => Fraction::integer(1).over(&sine(angle, work)?, work),
    }
}

/// A hyperbolic function, by exponentials.
pub(super) fn hyperbolic(function: Function, x: &Fraction, work: &mut Work) -> Result<Fraction, Trouble> {
    let (up, down) = (exp(x, work)?, exp(&x.clone().negated(), work)?);
    let sum = up.clone().plus(down.clone(), work)?;
    let difference = up.minus(down, work)?;
    let half = BigRational::new(BigInt::one(), BigInt::from(2));
    match function {
        Function::Sinh => difference.scaled(&half, work),
        Function::Cosh => sum.scaled(&half, work),
        Function::Tanh => difference.over(&sum, work),
        _ => sum.over(&difference, work),
    }
}

/// The principal value of an inverse trigonometric function.
pub(super) fn inverse(function: Function, x: &Fraction, work: &mut Work) -> Result<Fraction, Trouble> {
    let reciprocal = |work: &mut Work| Fraction::integer(1).over(x, work);
    let right_angle = |work: &mut Work| pi_times(Exponent::new(1, 2), work);
    match function {
        Function::Arcsin => odd_inverse(Function::Arcsin, x, work),
        Function::Arccos => right_angle(work)?.minus(odd_inverse(Function::Arcsin, x, work)?, work),
        Function::Arctan => odd_inverse(Function::Arctan, x, work),
        Function::Arccot if x.is_zero() => right_angle(work),
        Function::Arccot => odd_inverse(Function::Arctan, &reciprocal(work)?, work),
        Function::Arcsec => {
            let arcsine = odd_inverse(Function::Arcsin, &reciprocal(work)?, work)?;
            right_angle(work)?.minus(arcsine, work)
        }
        _ => odd_inverse(Function::Arcsin, &reciprocal(work)?, work),
    }
}

/// (-1)^turn = e^(i pi turn).
pub(super) fn root_of_unity(turn: Exponent, work: &mut Work) -> Result<Fraction, Trouble> {
    if !matches!(turn.denom(), 3 | 4 | 6 | 12) {
        return Fraction::atom(Atom::Root(-1), turn, work);
    }
    let i = Fraction::atom(Atom::Root(-1), Exponent::new(1, 2), work)?;
    let imaginary = cosine_of_turn(Exponent::new(1, 2) - turn, work)?.times(&i, work)?;
    cosine_of_turn(turn, work)?.plus(imaginary, work)
}

/// i pi.
pub(super) fn i_pi(work: &mut Work) -> Result<Fraction, Trouble> {
    Fraction::atom(Atom::Root(-1), Exponent::new(1, 2), work)?.times(&pi_times(Exponent::one(), work)?, work)
}

fn pi_times(factor: Exponent, work: &mut Work) -> Result<Fraction, Trouble> {
    Fraction::atom(Atom::Pi, Exponent::one(), work)?.scaled(&rational(factor), work)
}

fn sine(angle: &Fraction, work: &mut Work) -> Result<Fraction, Trouble> {
    match turn(angle)? {
        Some(turn) => cosine_of_turn(Exponent::new(1, 2) - turn, work),
        None if angle.leads_negative() => Ok(call(Function::Sin, angle.clone().negated())?.negated()),
        None => call(Function::Sin, angle.clone()),
    }
}

fn cosine(angle: &Fraction, work: &mut Work) -> Result<Fraction, Trouble> {
    match turn(angle)? {
        Some(turn) => cosine_of_turn(turn, work),
        None if angle.leads_negative() => call(Function::Cos, angle.clone().negated()),
        None => call(Function::Cos, angle.clone()),
    }
}

fn call(function: Function, argument: Fraction) -> Result<Fraction, Trouble> {
    Fraction::opaque(Opaque::Call(function, vec![argument]))
}

/// The t from 0 to 2 of an angle that is a rational multiple of pi and equals `t * pi` up to full turns.
fn turn(angle: &Fraction) -> Result<Option<Exponent>, Trouble> {
    if angle.is_zero() {
        return Ok(Some(Exponent::zero()));
    }
    match angle.as_polynomial().and_then(Polynomial::single_term) {
        Some((monomial, turns)) if matches!(monomial.factors(), [(Atom::Pi, power)] if power.is_one()) => {
            let two = BigRational::from_integer(BigInt::from(2));
            exponent(&(turns - (turns / &two).floor() * &two)).map(Some)
        }
        _ => Ok(None),
    }
}

/// `cos(turn * pi)`: a number of square roots if that is simple, else the cosine of an angle between 0 and pi / 2.
fn cosine_of_turn(turn: Exponent, work: &mut Work) -> Result<Fraction, Trouble> {
    let (one, two) = (Exponent::one(), Exponent::from_integer(2));
    let turn = turn.abs() - (turn.abs() / two).floor() * two;
    let turn = if turn > one { two - turn } else { turn };
    let (turn, negative) = if turn * two > one { (one - turn, true) } else { (turn, false) };
    let (first, second, divisor): ((i64, i64), (i64, i64), i64) = match (turn.numer(), turn.denom()) {
        (0, _) => ((1, 1), (0, 1), 1),
        (1, 12) => ((1, 6), (1, 2), 4),
        (1, 6) => ((1, 3), (0, 1), 2),
        (1, 5) => ((1, 5), (1, 1), 4),
        (1, 4) => ((1, 2), (0, 1), 2),
        (1, 3) => ((1, 1), (0, 1), 2),
        (2, 5) => ((1, 5), (-1, 1), 4),
        (5, 12) => ((1, 6), (-1, 2), 4),
        (1, 2) => ((0, 1), (0, 1), 1),
        _ => return signed(cosine_by_half(turn, work)?, negative),
    };
    let sum = surd(first, work)?.plus(surd(second, work)?, work)?;
    signed(sum.scaled(&BigRational::new(BigInt::one(), BigInt::from(divisor)), work)?, negative)
}

/// cos(x) = sqrt((1 + cos(2 x)) / 2) between 0 and pi / 2, for eighths and tenths of pi; an atom for others.
fn cosine_by_half(turn: Exponent, work: &mut Work) -> Result<Fraction, Trouble> {
    if !matches!(turn.denom(), 8 | 10) {
        return call(Function::Cos, pi_times(turn, work)?);
    }
    let double = cosine_of_turn(turn * 2, work)?.plus(Fraction::integer(1), work)?;
    let square = double.scaled(&BigRational::new(BigInt::one(), BigInt::from(2)), work)?;
    rational_power(&square, Exponent::new(1, 2), work)
}

fn signed(value: Fraction, negative: bool) -> Result<Fraction, Trouble> {
    Ok(if negative { value.negated() } else { value })
}

/// `a * sqrt(n)`.
fn surd((a, n): (i64, i64), work: &mut Work) -> Result<Fraction, Trouble> {
    let root = number_power(&BigRational::from_integer(BigInt::from(n)), Exponent::new(1, 2), work)?;
    root.scaled(&BigRational::from_integer(BigInt::from(a)), work)
}

/// arcsin or arctan, of which -f(x) = f(-x).
fn odd_inverse(function: Function, x: &Fraction, work: &mut Work) -> Result<Fraction, Trouble> {
    if x.is_numeric() {
        for (n, d) in
            [(0, 1), (1, 2), (1, 3), (1, 4), (1, 6), (1, 12), (5, 12), (1, 5), (2, 5), (1, 10), (3, 10), (1, 8), (3, 8)]
        {
            let angle = Exponent::new(n, d);
            let (sine, cosine) = (cosine_of_turn(Exponent::new(1, 2) - angle, work)?, cosine_of_turn(angle, work)?);
            let value = match function {
                Function::Arcsin => sine,
                _ if cosine.is_zero() => continue,
                _ => sine.over(&cosine, work)?,
            };
            if value == *x {
                return pi_times(angle, work);
            }
            if value.negated() == *x {
                return pi_times(-angle, work);
            }
        }
    }
    match x.leads_negative() {
        true => Ok(call(function, x.clone().negated())?.negated()),
        false => call(function, x.clone()),
    }
}
