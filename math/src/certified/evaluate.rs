//! The value of an expression at a point.

use std::collections::BTreeMap;

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{One, Zero};

use super::ball::Ball;
use super::budget::{self, Budget, elementary};
use super::complex::{Complex, GUARD};
use super::trouble::Trouble;
use super::value::{Value, length};
use super::{integers, power};
use crate::expr::{Constant, Expr, Function};
use crate::limits;

/// Lowest precision, in bits.
const LOWEST_PRECISION: u32 = 64;

/// What an expression does not say itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Point {
    /// The value of each symbol.
    pub(crate) symbols: BTreeMap<String, BigRational>,
    /// The base of logarithms that name none.
    pub(crate) base: Base,
}

/// What authors mean by a logarithm without a base.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Base {
    /// 10.
    #[default]
    Ten,
    /// The base of natural logarithms.
    E,
    /// 2.
    Two,
}

/// The value of an expression at a point. Numbers that are not exact have about `precision` bits, from 64 to
/// [`limits::PRECISION`].
pub(crate) fn evaluate(expr: &Expr, point: &Point, precision: u32, budget: &mut Budget) -> Result<Value, Trouble> {
    let precision = precision.clamp(LOWEST_PRECISION, limits::PRECISION);
    Evaluation { point, precision, budget }.value(expr)
}

type Unary = fn(&Complex, u32) -> Result<Complex, Trouble>;
type Binary = fn(&Value, &Value, u32) -> Result<Value, Trouble>;

struct Evaluation<'a> {
    point: &'a Point,
    precision: u32,
    budget: &'a mut Budget,
}

impl Evaluation<'_> {
    fn value(&mut self, expr: &Expr) -> Result<Value, Trouble> {
        match expr {
            Expr::Number(number) => self.number(&number.value),
            Expr::Constant(constant) => self.constant(*constant),
            Expr::Symbol(name) => {
                let value = self.point.symbols.get(name).ok_or(Trouble::Undefined)?;
                self.number(value)
            }
            Expr::Sum(terms) => self.folded(terms, BigRational::zero(), Value::plus),
            Expr::Product(factors) => self.folded(factors, BigRational::one(), Value::times),
            Expr::Quotient(a, b) => self.quotient(a, b),
            Expr::Power(a, b) => self.power(a, b),
            Expr::Call(function, arguments) => {
                let arguments = arguments.iter().map(|x| self.value(x)).collect::<Result<Vec<_>, _>>()?;
                self.call(*function, &arguments)
            }
        }
    }

    fn number(&mut self, q: &BigRational) -> Result<Value, Trouble> {
        let quotient = length(q) / 64 * (u64::from(self.precision) / 64);
        self.budget.spend(budget::rounded(self.precision) + quotient)?;
        Ok(Value::rational(q.clone(), self.precision))
    }

    fn constant(&mut self, constant: Constant) -> Result<Value, Trouble> {
        let precision = self.precision;
        self.budget.spend(if constant == Constant::E { elementary(precision) } else { budget::rounded(precision) })?;
        let pi = || Ball::pi(precision);
        Value::complex(match constant {
            Constant::Pi => Complex::real(pi()),
            Constant::E => Complex::integer(1).exp(precision)?,
            Constant::I => Complex::i(),
            Constant::Degree => Complex::real(pi().over(&Ball::integer(180), precision)?),
            Constant::Infinity => return Err(Trouble::Undefined),
        })
    }

    fn folded(&mut self, parts: &[Expr], neutral: BigRational, combine: Binary) -> Result<Value, Trouble> {
        let mut total = Value::Exact(neutral);
        for part in parts {
            let value = self.value(part)?;
            self.budget.spend(self.arithmetic(&total) + self.arithmetic(&value))?;
            total = combine(&total, &value, self.precision)?;
        }
        Ok(total)
    }

    fn quotient(&mut self, a: &Expr, b: &Expr) -> Result<Value, Trouble> {
        let (a, b) = (self.value(a)?, self.value(b)?);
        self.budget.spend(self.arithmetic(&a) + self.arithmetic(&b))?;
        a.over(&b, self.precision)
    }

    fn power(&mut self, a: &Expr, b: &Expr) -> Result<Value, Trouble> {
        let (a, b) = (self.value(a)?, self.value(b)?);
        self.budget.spend(power::work(&b, self.precision))?;
        power::power(&a, &b, self.precision)
    }

    fn call(&mut self, function: Function, arguments: &[Value]) -> Result<Value, Trouble> {
        self.budget.spend(self.work(function, arguments))?;
        let precision = self.precision;
        let integer = |n: Result<BigInt, Trouble>| Ok(Value::integer(n?, precision));
        match (function, arguments) {
            (Function::Abs, [x]) => x.abs(precision),
            (Function::Floor, [x]) => x.floor(precision),
            (Function::Ceiling, [x]) => Ok(x.negated().floor(precision)?.negated()),
            (Function::Max, [first, rest @ ..]) => rest.iter().try_fold(first.clone(), |a, b| a.max(b, precision)),
            (Function::Min, [first, rest @ ..]) => rest.iter().try_fold(first.clone(), |a, b| a.min(b, precision)),
            (Function::Gcd, [_, ..]) => integer(integers::gcd(arguments)),
            (Function::Lcm, [_, ..]) => integer(integers::lcm(arguments)),
            (Function::Factorial, [n]) => integer(integers::factorial(n, 1)),
            (Function::DoubleFactorial, [n]) => integer(integers::factorial(n, 2)),
            (Function::Binomial, [n, k]) => integer(integers::binomial(n, k)),
            (Function::Root, [x, n]) => power::root(x, n, precision),
            (Function::LogBase, [x, b]) => power::logarithm(x, b, precision),
            (Function::Log, [x]) => match self.point.base {
                Base::Ten => power::logarithm(x, &Value::integer(10, precision), precision),
                Base::Two => power::logarithm(x, &Value::integer(2, precision), precision),
                Base::E => Value::complex(x.to_complex(precision).ln(precision)?),
            },
            (function, [x]) => {
                let compute = analytic(function).ok_or(Trouble::Undefined)?;
                Value::complex(compute(&x.to_complex(precision + GUARD), precision)?)
            }
            _ => Err(Trouble::Undefined),
        }
    }

    /// The work that a function of these values may take.
    fn work(&self, function: Function, arguments: &[Value]) -> u64 {
        match (function, arguments) {
            (Function::Root, _) => 8 * elementary(self.precision),
            (Function::Factorial | Function::DoubleFactorial | Function::Binomial, [.., n]) => integers::work(n),
            (function, _) if analytic(function).is_some() => {
                let real = arguments.iter().all(Value::is_real);
                elementary(self.precision) * if real { 3 } else { 10 }
            }
            (Function::Log | Function::LogBase, _) => 4 * elementary(self.precision),
            _ => arguments.iter().map(|x| 2 * self.arithmetic(x)).sum(),
        }
    }

    /// The work that a value brings to a sum, a product or a quotient.
    fn arithmetic(&self, value: &Value) -> u64 {
        match value {
            Value::Exact(q) => budget::exact(length(q)),
            Value::Enclosed(_) => budget::rounded(self.precision),
        }
    }
}

/// The function of one complex number, if it is one.
fn analytic(function: Function) -> Option<Unary> {
    Some(match function {
        Function::Ln => Complex::ln,
        Function::Sin => Complex::sin,
        Function::Cos => Complex::cos,
        Function::Tan => Complex::tan,
        Function::Cot => Complex::cot,
        Function::Sec => Complex::sec,
        Function::Csc => Complex::csc,
        Function::Arcsin => Complex::asin,
        Function::Arccos => Complex::acos,
        Function::Arctan => Complex::atan,
        Function::Arccot => Complex::acot,
        Function::Arcsec => Complex::asec,
        Function::Arccsc => Complex::acsc,
        Function::Sinh => Complex::sinh,
        Function::Cosh => Complex::cosh,
        Function::Tanh => Complex::tanh,
        Function::Coth => Complex::coth,
        _ => return None,
    })
}
