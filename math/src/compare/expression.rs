//! Whether two expressions are equal: exact rationals, then normal forms, then certified numbers.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::hash::{Hash, Hasher};

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::Signed;

use crate::certified::{self, Base, Budget, Point, Value};
use crate::compare::Finding;
use crate::expr::{Constant, Expr, Function};
use crate::limits::PRECISION;
use crate::normal::{self, Fraction, Polynomial};
use crate::step::Step;

/// Most comparisons of values in one verdict.
const COMPARISONS: usize = 20_000;
/// Precision of the first attempt, which tells most different numbers apart.
const FIRST: u32 = 128;
/// Most points of each kind, and how many of them must be equal. Functions that are put together of pieces need more.
const POINTS: u64 = 12;
const EQUAL_POINTS: u64 = 4;
const PIECEWISE: u64 = 4;
/// So many symbols have signs of their own; the others have one in common.
const SIGNS: usize = 3;

/// What one verdict may use.
pub(crate) struct Work {
    /// Whether decimals of the gold answer are known to be rounded.
    pub rounded: bool,
    comparisons: usize,
    forms: normal::Work,
    budget: Budget,
}

impl Work {
    /// For one verdict.
    pub fn new(rounded: bool) -> Work {
        Work { rounded, comparisons: COMPARISONS, forms: normal::Work::new(), budget: Budget::COMPARISON }
    }

    /// The normal form of an expression.
    pub(super) fn form(&mut self, expr: &Expr) -> Result<Fraction, normal::Trouble> {
        normal::normal(expr, &mut self.forms)
    }

    /// The rational number that an expression is.
    pub(super) fn rational(&mut self, expr: &Expr) -> Option<BigRational> {
        self.form(expr).ok()?.constant()
    }

    /// The coefficients `a` and `b` of an expression `a x + b` in a symbol.
    pub(super) fn linear_in(&mut self, expr: &Expr, symbol: &str) -> Option<(Polynomial, Polynomial)> {
        let form = self.form(expr).ok().filter(|form| form.denominator().is_none())?;
        form.numerator().linear_in(symbol)
    }

    /// Whether `a = 0` and `b = 0` are multiples of each other.
    pub(super) fn are_multiples(&mut self, a: &Expr, b: &Expr) -> Option<bool> {
        let (p, q) = (self.form(a).ok()?, self.form(b).ok()?);
        let (p, q) = (p.cleared(&mut self.forms).ok()?, q.cleared(&mut self.forms).ok()?);
        Some(p.proportional(&q, &mut self.forms).is_some())
    }

    /// The value of an expression.
    pub(super) fn evaluate(&mut self, expr: &Expr, point: &Point, precision: u32) -> Result<Value, certified::Trouble> {
        certified::evaluate(expr, point, precision, &mut self.budget)
    }

    /// Counts a comparison.
    pub fn spend(&mut self) -> Result<(), Finding> {
        match self.comparisons.checked_sub(1) {
            Some(left) => {
                self.comparisons = left;
                Ok(())
            }
            None => Err(Finding::Unknown(Step::Kind, "there is too much to compare".into())),
        }
    }
}

/// Compares an expression with the gold answer's.
pub(super) fn equal(gold: &Expr, answer: &Expr, work: &mut Work) -> Finding {
    if let (Some(a), Some(b)) = (gold.number(), answer.number()) {
        return rationals(a, b);
    }
    let infinite = |expr: &Expr| expr.any(&mut |part| *part == Expr::Constant(Constant::Infinity));
    if infinite(gold) || infinite(answer) {
        return infinities(gold, answer, work);
    }
    match (work.form(gold), work.form(answer)) {
        (Ok(a), Ok(b)) => match forms(&a, &b, work) {
            Some(finding) => finding,
            None => certified(gold, answer, work),
        },
        (Err(normal::Trouble::Undefined), _) | (_, Err(normal::Trouble::Undefined)) => {
            Finding::Unknown(Step::NormalForm, "a part has no value, such as a division by zero".into())
        }
        _ => certified(gold, answer, work),
    }
}

fn rationals(gold: &BigRational, answer: &BigRational) -> Finding {
    if gold == answer {
        return Finding::Equal(Step::Rational);
    }
    Finding::Different(Step::Rational, "another number".into())
}

fn forms(gold: &Fraction, answer: &Fraction, work: &mut Work) -> Option<Finding> {
    if let (Some(a), Some(b)) = (gold.constant(), answer.constant()) {
        return Some(rationals(&a, &b));
    }
    if gold.equals(answer, &mut work.forms) {
        return Some(Finding::Equal(Step::NormalForm));
    }
    let different = normal::certainly_different(gold, answer, &mut work.forms);
    different.then(|| Finding::Different(Step::NormalForm, "another normal form".into()))
}

/// Infinities are equal if their signs are.
fn infinities(gold: &Expr, answer: &Expr, work: &mut Work) -> Finding {
    match (sign_of_infinity(gold), sign_of_infinity(answer)) {
        (Some(a), Some(b)) if a == b => Finding::Equal(Step::Text),
        (Some(_), Some(_)) => Finding::Different(Step::Text, "infinity of the other sign".into()),
        (Some(_), None) if work.form(answer).is_ok() => Finding::Different(Step::Kind, "a finite value".into()),
        (None, Some(_)) if work.form(gold).is_ok() => Finding::Different(Step::Kind, "an infinite value".into()),
        _ => Finding::Unknown(Step::Kind, "an expression with infinity".into()),
    }
}

fn sign_of_infinity(expr: &Expr) -> Option<i8> {
    match expr {
        Expr::Constant(Constant::Infinity) => Some(1),
        Expr::Product(factors) => match &factors[..] {
            [sign, Expr::Constant(Constant::Infinity)] if *sign == Expr::integer(-1) => Some(-1),
            _ => None,
        },
        _ => None,
    }
}

/// What two expressions are at some points.
#[derive(Clone, Copy, PartialEq)]
enum At {
    /// Equal at all points where both have a value.
    Equal,
    /// Certainly different at a point.
    Different,
    /// No point decides.
    Nothing,
}

/// The points at which expressions with symbols are compared.
#[derive(Clone, Copy)]
enum Points {
    Positive,
    OfAnySign,
    /// Of any sign, and greater than all numbers in the expressions.
    Far,
    Integers,
}

/// By certified numbers: at one point where there are no symbols, at several otherwise.
fn certified(gold: &Expr, answer: &Expr, work: &mut Work) -> Finding {
    let step = Step::Certified;
    let mut symbols = BTreeSet::new();
    gold.symbols(&mut symbols);
    answer.symbols(&mut symbols);
    let mut at = |points: Points| in_all_bases(gold, answer, &symbols, points, work);
    if symbols.is_empty() {
        return match at(Points::Positive) {
            At::Equal => Finding::Equal(step),
            At::Different => Finding::Different(step, "another number".into()),
            At::Nothing => Finding::Unknown(step, "numbers that could not be told apart, nor shown to be equal".into()),
        };
    }
    let far = if is_piecewise(gold) || is_piecewise(answer) { at(Points::Far) } else { At::Nothing };
    let [positive, any, integers] = [Points::Positive, Points::OfAnySign, Points::Integers].map(&mut at);
    let found = [positive, any, integers, far];
    match (found.contains(&At::Equal), found.contains(&At::Different)) {
        (true, false) => Finding::Equal(step),
        (false, true) => Finding::Different(step, "another value at certain points".into()),
        (true, true) => Finding::Unknown(step, "equal for some values of the variables, not for all".into()),
        (false, false) => Finding::Unknown(step, "no point at which both have a value decides".into()),
    }
}

/// A logarithm without a base means what makes the expressions equal only if every base does.
fn in_all_bases(gold: &Expr, answer: &Expr, symbols: &BTreeSet<&str>, points: Points, work: &mut Work) -> At {
    let open = |expr: &Expr| expr.any(&mut |part| matches!(part, Expr::Call(Function::Log, _)));
    let others: &[Base] = if open(gold) || open(answer) { &[Base::E, Base::Two] } else { &[] };
    let first = at_points(gold, answer, symbols, points, Base::Ten, work);
    let same = others.iter().all(|base| at_points(gold, answer, symbols, points, *base, work) == first);
    if same { first } else { At::Nothing }
}

fn at_points(gold: &Expr, answer: &Expr, symbols: &BTreeSet<&str>, points: Points, base: Base, work: &mut Work) -> At {
    let times = if is_piecewise(gold) || is_piecewise(answer) { PIECEWISE } else { 1 };
    let (most, wanted) = if symbols.is_empty() { (1, 1) } else { (POINTS * times, EQUAL_POINTS * times) };
    let mut equal = 0;
    for index in 0..most {
        let point = Point { symbols: values(gold, answer, symbols, points, index), base };
        match at_point(gold, answer, &point, work) {
            At::Different => return At::Different,
            At::Equal => equal += 1,
            At::Nothing => {}
        }
        if equal == wanted {
            return At::Equal;
        }
    }
    At::Nothing
}

/// Values of the symbols. They depend on both expressions, so that no answer can be made to fit them.
fn values(
    gold: &Expr,
    answer: &Expr,
    symbols: &BTreeSet<&str>,
    points: Points,
    index: u64,
) -> std::collections::BTreeMap<String, BigRational> {
    let mut hasher = Fnv::default();
    (gold, answer, index).hash(&mut hasher);
    let far = match points {
        Points::Far => largest(gold).max(largest(answer)),
        _ => BigInt::ZERO,
    };
    let value = |(place, symbol): (usize, &&str)| {
        let mut hasher = Fnv(hasher.0);
        symbol.hash(&mut hasher);
        let bits = hasher.finish();
        let positive = BigRational::new(BigInt::from(200 + bits % 1999), BigInt::from(331));
        let value = match points {
            Points::Positive => positive,
            // The signs of the first symbols run through all combinations.
            Points::OfAnySign | Points::Far if (index >> place.min(SIGNS)) & 1 == 1 => -positive - &far,
            Points::OfAnySign | Points::Far => positive + &far,
            Points::Integers => BigRational::from_integer(BigInt::from(2 + bits % 17)),
        };
        ((*symbol).to_owned(), value)
    };
    symbols.iter().enumerate().map(value).collect()
}

/// Whether equality at some points says nothing of others: absolute values, roundings, and what has branches.
fn is_piecewise(expr: &Expr) -> bool {
    use Function::{Abs, Arccos, Arcsec, Arcsin, Ceiling, Floor, Gcd, Lcm, Ln, Log, LogBase, Max, Min, Root};
    expr.any(&mut |part| match part {
        Expr::Call(function, _) => {
            matches!(
                function,
                Abs | Floor | Ceiling | Max | Min | Gcd | Lcm | Root | Ln | Log | LogBase | Arcsin | Arccos | Arcsec
            )
        }
        Expr::Power(_, exponent) => exponent.number().is_none_or(|exponent| !exponent.is_integer()),
        _ => false,
    })
}

/// An integer above the absolute values of all numbers in an expression.
fn largest(expr: &Expr) -> BigInt {
    let mut largest = BigInt::ZERO;
    expr.any(&mut |part| {
        if let Some(number) = part.number() {
            largest = std::mem::take(&mut largest).max(number.abs().ceil().to_integer());
        }
        false
    });
    largest
}

/// At one point, with as much precision as it takes.
fn at_point(gold: &Expr, answer: &Expr, point: &Point, work: &mut Work) -> At {
    let required = required_bits(gold) + required_bits(answer);
    let mut precision = FIRST;
    loop {
        let difference = work.evaluate(gold, point, precision).and_then(|a| {
            let b = work.evaluate(answer, point, precision)?;
            let difference = a.minus(&b, precision)?;
            Ok((a, difference))
        });
        match difference {
            Ok((_, difference)) if difference.is_certainly_nonzero() => return At::Different,
            Ok((a, difference)) if agrees(&a, &difference, required) => return At::Equal,
            Err(certified::Trouble::Undefined | certified::Trouble::TooLarge) => return At::Nothing,
            Ok(_) | Err(certified::Trouble::Undecided) if precision >= PRECISION => return At::Nothing,
            Ok(_) | Err(certified::Trouble::Undecided) => {
                let needed = u32::try_from(required).unwrap_or(PRECISION).saturating_add(64);
                precision = (2 * precision).max(needed).min(PRECISION);
            }
        }
    }
}

/// Whether a difference that may be zero is small enough to be zero.
fn agrees(value: &Value, difference: &Value, required: i64) -> bool {
    if difference.is_exactly_zero() {
        return true;
    }
    // Below 1 the agreement is relative. Above, it is absolute: 10^100 + 1 is not 10^100.
    let magnitude = if value.is_certainly_nonzero() { value.accuracy_bits().min(0) } else { 0 };
    difference.accuracy_bits() <= magnitude.saturating_sub(required)
}

/// Bits to which two expressions must agree to count as equal. Different expressions this small do not come this close: the
/// distance shrinks with their size, by far fewer bits for each node and digit than are asked for here.
fn required_bits(expr: &Expr) -> i64 {
    let own = match expr {
        Expr::Number(number) => 16 + 4 * (number.value.numer().bits() + number.value.denom().bits()) as i64,
        _ => 16,
    };
    expr.children().into_iter().fold(own, |bits, part| bits.saturating_add(required_bits(part)))
}

/// Which of two numbers is greater; `None` where it cannot be told.
pub(super) fn order(a: &Expr, b: &Expr, work: &mut Work) -> Option<Ordering> {
    if let (Some(a), Some(b)) = (a.number(), b.number()) {
        return Some(a.cmp(b));
    }
    let point = Point::default();
    for precision in [FIRST, 1024] {
        let difference = work.evaluate(a, &point, precision).and_then(|a| {
            let b = work.evaluate(b, &point, precision)?;
            a.minus(&b, precision)
        });
        match difference.and_then(|difference| difference.sign()) {
            Ok(order) => return Some(order),
            Err(certified::Trouble::Undecided) => {}
            Err(_) => return None,
        }
    }
    equal(a, b, work).is_equal().then_some(Ordering::Equal)
}

/// The hash of Fowler, Noll and Vo, which is the same in every build.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Fnv(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        // The low bits of the plain hash depend on few bits of what was written.
        let mixed = (self.0 ^ (self.0 >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        mixed ^ (mixed >> 33)
    }
}
