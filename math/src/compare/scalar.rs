//! Numbers and expressions with their units.

use std::cmp::Ordering;

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{One, Signed, ToPrimitive, Zero};

use crate::compare::Finding;
use crate::compare::expression::{Work, equal, order};
use crate::expr::{Expr, Number};
use crate::step::Step;
use crate::token::number::power_of_ten;
use crate::unit::Unit;
use crate::value::Scalar;

/// Letters that stand for a unit as often as for a variable.
const UNIT_LETTERS: [&str; 14] = ["m", "s", "g", "h", "L", "N", "J", "W", "V", "A", "K", "C", "F", "T"];

/// With so many digits, a fraction does not round to a decimal by chance.
const MANY_DIGITS: usize = 4;
/// Largest denominator of the fraction that a decimal with fewer digits is taken for.
const LARGEST_DENOMINATOR: u32 = 1_000;

/// An answer beside the gold answer.
pub(super) fn compare(gold: &Scalar, answer: &Scalar, work: &mut Work) -> Finding {
    if gold.unit.is_none()
        && answer.unit.is_none()
        && let (Some((digits, base)), None) | (None, Some((digits, base))) = (&gold.base, &answer.base)
    {
        return in_base(gold, answer, digits, *base, work);
    }
    match (&gold.unit, &answer.unit) {
        (None, None) => values(&gold.expr, &answer.expr, work).or(|| letter(gold, answer, work)),
        (Some(unit), None) | (None, Some(unit)) if unit.is_number() => {
            // `8 %` may stand beside `8` and beside `0.08`.
            let with = |scalar: &Scalar| match scalar.unit {
                Some(_) => unit.times(scalar.expr.clone()),
                None => scalar.expr.clone(),
            };
            equal(&gold.expr, &answer.expr, work).or(|| values(&with(gold), &with(answer), work))
        }
        (Some(_), None) | (None, Some(_)) => values(&gold.expr, &answer.expr, work).or(|| letter(gold, answer, work)),
        (Some(a), Some(b)) if a == b => values(&gold.expr, &answer.expr, work),
        (Some(a), Some(b)) if a.agrees(b) => values(&a.times(gold.expr.clone()), &b.times(answer.expr.clone()), work),
        (Some(a @ Unit::Counted(_)), Some(b @ Unit::Counted(_))) => {
            let why = format!("{} beside {}", b.name(), a.name());
            values(&gold.expr, &answer.expr, work).doubted(&why)
        }
        (Some(a), Some(b)) => {
            Finding::Different(Step::Kind, format!("in {}, where the gold answer is in {}", b.name(), a.name()))
        }
    }
}

/// Digits in a base beside a number without one: the base may have been left out.
fn in_base(gold: &Scalar, answer: &Scalar, digits: &str, base: u32, work: &mut Work) -> Finding {
    let plain = if gold.base.is_some() { answer } else { gold };
    let finding = values(&gold.expr, &answer.expr, work);
    let same_digits = plain.expr.number().is_some_and(|number| number.to_string() == *digits);
    if !finding.is_equal() && same_digits {
        return Finding::Unknown(Step::Text, format!("the digits of a number in base {base}, without the base"));
    }
    finding
}

/// Expressions, where a decimal of the gold answer may have been rounded.
pub(super) fn values(gold: &Expr, answer: &Expr, work: &mut Work) -> Finding {
    let finding = equal(gold, answer, work);
    let Finding::Different(step, _) = &finding else { return finding };
    if has_real_root(gold, work) || has_real_root(answer, work) {
        let why = "a root of a negative number can mean the real or the principal one";
        return Finding::Unknown(*step, why.into());
    }
    let Some(decimal) = decimal(gold) else { return finding };
    let step = Step::Rounded.max(*step);
    let why = "the answer rounds to the gold answer, which may be exact";
    match within(&decimal, answer, work) {
        // One digit would accept too much.
        true if significant(&decimal) < 2 => finding,
        true if work.rounded || is_its_fraction(&decimal, answer, work) => Finding::Equal(step),
        true => Finding::Unknown(step, why.into()),
        false => finding,
    }
}

/// Whether a power such as `(-8)^(1/3)` occurs, whose real value is not the principal one.
fn has_real_root(expr: &Expr, work: &mut Work) -> bool {
    let mut number = |expr: &Expr| work.rational(expr);
    expr.any(&mut |part| match part {
        Expr::Power(base, exponent) if exponent.number().is_none() => {
            number(base).is_some_and(|base| base.is_negative()) && number(exponent).is_some_and(|e| !e.is_integer())
        }
        _ => false,
    })
}

/// Whether a value that rounds to a decimal is the fraction that was rounded: one that no decimal equals, and the simplest
/// that rounds to it unless it shows many digits.
fn is_its_fraction(decimal: &Number, answer: &Expr, work: &mut Work) -> bool {
    let Some(value) = work.rational(answer) else { return false };
    is_periodic(&value) && (significant(decimal) >= MANY_DIGITS || is_simplest(decimal, &value))
}

/// Whether no decimal equals a fraction: its denominator has a prime other than 2 and 5.
fn is_periodic(value: &BigRational) -> bool {
    let mut denominator = value.denom().clone();
    for prime in [2, 5].map(BigInt::from) {
        while (&denominator % &prime).is_zero() {
            denominator /= &prime;
        }
    }
    !denominator.is_one()
}

/// Whether no fraction with a smaller denominator rounds to the decimal.
fn is_simplest(decimal: &Number, value: &BigRational) -> bool {
    let Some(denominator) = value.denom().to_u32().filter(|d| *d <= LARGEST_DENOMINATOR) else { return false };
    let Some(place) = decimal.place else { return false };
    let half = power_of_ten(place) / BigRational::from_integer(2.into());
    let rounds = |d: u32| {
        let d = BigRational::from_integer(d.into());
        let nearest = (&decimal.value * &d).round() / d;
        (nearest - &decimal.value).abs() <= half
    };
    !(1..denominator).any(rounds)
}

/// The decimal that an expression is, as written: `-3.14`, `6.02 * 10^23`.
fn decimal(expr: &Expr) -> Option<Number> {
    match expr {
        Expr::Number(number) => number.place.map(|_| number.clone()),
        Expr::Product(factors) => {
            let (first, rest) = factors.split_first()?;
            let number = match first {
                Expr::Number(number) if number.place.is_some() => number.clone(),
                Expr::Number(sign) if sign.value.abs() == power_of_ten(0) => {
                    let inner = decimal(&Expr::Product(rest.to_vec()))?;
                    return Some(Number { value: inner.value * &sign.value, ..inner });
                }
                _ => return None,
            };
            match rest {
                [] => Some(number),
                [Expr::Power(ten, exponent)] if ten.number().is_some_and(|n| *n == power_of_ten(1)) => {
                    let exponent = exponent.number().filter(|n| n.is_integer())?.to_integer();
                    let exponent = i32::try_from(exponent).ok().filter(|e| e.abs() < 1000)?;
                    let place = number.place.map(|place| place + exponent);
                    Some(Number { value: number.value * power_of_ten(exponent), place })
                }
                _ => None,
            }
        }
        _ => None,
    }
}

/// How many digits a decimal shows, leading zeros left out.
fn significant(number: &Number) -> usize {
    let digits = number.place.map(|place| (&number.value / power_of_ten(place)).to_integer().abs().to_string());
    digits.filter(|digits| digits != "0").map_or(0, |digits| digits.len())
}

/// Whether a value rounds to a decimal: it is at most half a unit of its last digit away.
fn within(decimal: &Number, answer: &Expr, work: &mut Work) -> bool {
    let Some(place) = decimal.place else { return false };
    let half = power_of_ten(place) / BigRational::from_integer(2.into());
    let low = Expr::rational(&decimal.value - &half);
    let high = Expr::rational(&decimal.value + &half);
    let at_most =
        |a: &Expr, b: &Expr, work: &mut Work| matches!(order(a, b, work), Some(Ordering::Less | Ordering::Equal));
    at_most(&low, answer, work) && at_most(answer, &high, work)
}

/// `5 m` beside `5`, `3 m/s` beside `3`: letters that may be a unit.
fn letter(gold: &Scalar, answer: &Scalar, work: &mut Work) -> Finding {
    let number = |scalar: &Scalar| scalar.expr.number().is_some_and(|number| !number.is_zero());
    let why = "a letter behind the number may be a unit or a variable";
    if let (Some(unit), Some((value, other))) = (&gold.unit, last_unit(&answer.expr))
        && unit.agrees(&other)
    {
        return values(&unit.times(gold.expr.clone()), &other.times(value), work).doubted(why);
    }
    let found = match (without_letters(&gold.expr), without_letters(&answer.expr)) {
        (Some(value), None) if number(answer) => values(&value, &answer.expr, work),
        (None, Some(value)) if number(gold) => values(&gold.expr, &value, work),
        _ => return Finding::Different(Step::Kind, String::new()),
    };
    found.doubted(why)
}

/// `1500 m`: the number, and the unit that its last letter may be.
fn last_unit(expr: &Expr) -> Option<(Expr, Unit)> {
    match expr {
        Expr::Product(factors) => match &factors[..] {
            [value, Expr::Symbol(name)] => Some((value.clone(), Unit::named(name, 1)?)),
            _ => None,
        },
        _ => None,
    }
}

/// An expression without the letters behind it that may be a unit.
fn without_letters(expr: &Expr) -> Option<Expr> {
    match expr {
        Expr::Product(factors) => match factors.split_last()? {
            (last, [one]) if is_unit(last) => Some(one.clone()),
            (last, rest) if is_unit(last) => Some(Expr::Product(rest.to_vec())),
            _ => None,
        },
        Expr::Quotient(above, below) if is_unit(below) => without_letters(above),
        _ => None,
    }
}

fn is_unit(expr: &Expr) -> bool {
    match expr {
        Expr::Symbol(name) => UNIT_LETTERS.contains(&name.as_str()),
        Expr::Power(letter, power) => is_unit(letter) && power.number().is_some(),
        _ => false,
    }
}
