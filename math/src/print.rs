//! How a reading is printed: plain text that says what was understood.

use std::fmt::{self, Display, Formatter, Write};

use crate::expr::{Constant, Expr, Function};
use crate::unit::Unit;
use crate::value::{Combination, Relation, Scalar, Side, Sign, Value};

/// Longest printed reading, in bytes; longer ones are cut.
const LONGEST: usize = 400;

/// The text of a value, cut where it is long.
pub(crate) fn printed(value: &Value) -> String {
    let mut text = Cut(String::new());
    // The only error is that the text is full.
    match write!(text, "{value}") {
        Ok(()) => text.0,
        Err(_) => text.0 + " ..",
    }
}

struct Cut(String);

impl Write for Cut {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        self.0.push_str(part);
        if self.0.len() > LONGEST {
            let end = (0..=LONGEST).rev().find(|end| self.0.is_char_boundary(*end)).unwrap_or(0);
            self.0.truncate(end);
            return Err(fmt::Error);
        }
        Ok(())
    }
}

/// How tightly an operation binds; a part that binds less is put in brackets.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum Binding {
    Sum,
    Product,
    Power,
    Atom,
}

fn binding(expr: &Expr) -> Binding {
    match expr {
        Expr::Sum(_) => Binding::Sum,
        Expr::Product(_) | Expr::Quotient(..) => Binding::Product,
        Expr::Number(number) if number.value.numer().sign() == num_bigint::Sign::Minus => Binding::Sum,
        Expr::Number(number) if !number.value.is_integer() && number.place.is_none() => Binding::Product,
        Expr::Power(..) => Binding::Power,
        _ => Binding::Atom,
    }
}

fn part(f: &mut Formatter<'_>, expr: &Expr, least: Binding) -> fmt::Result {
    if binding(expr) < least { write!(f, "({expr})") } else { write!(f, "{expr}") }
}

fn joined<T: Display>(f: &mut Formatter<'_>, items: &[T], between: &str) -> fmt::Result {
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            f.write_str(between)?;
        }
        write!(f, "{item}")?;
    }
    Ok(())
}

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Expr::Number(number) => match number.place {
                Some(place) => decimal(f, &number.value, place),
                None => write!(f, "{}", number.value),
            },
            Expr::Constant(constant) => f.write_str(match constant {
                Constant::Pi => "pi",
                Constant::E => "e",
                Constant::I => "i",
                Constant::Degree => "deg",
                Constant::Infinity => "infinity",
            }),
            Expr::Symbol(name) => f.write_str(name.trim()),
            Expr::Sum(terms) => {
                for (i, term) in terms.iter().enumerate() {
                    match negative(term) {
                        Some(positive) => {
                            f.write_str(if i == 0 { "-" } else { " - " })?;
                            part(f, &positive, Binding::Product)?;
                        }
                        None => {
                            f.write_str(if i == 0 { "" } else { " + " })?;
                            part(f, term, if i == 0 { Binding::Sum } else { Binding::Product })?;
                        }
                    }
                }
                Ok(())
            }
            Expr::Product(factors) => match negative(self) {
                Some(positive) => {
                    f.write_str("-")?;
                    part(f, &positive, Binding::Product)
                }
                None => {
                    for (i, factor) in factors.iter().enumerate() {
                        f.write_str(if i == 0 { "" } else { "*" })?;
                        part(f, factor, Binding::Power)?;
                    }
                    Ok(())
                }
            },
            Expr::Quotient(a, b) => {
                part(f, a, Binding::Product)?;
                f.write_str("/")?;
                part(f, b, Binding::Power)
            }
            Expr::Power(a, b) => {
                part(f, a, Binding::Atom)?;
                f.write_str("^")?;
                part(f, b, Binding::Atom)
            }
            Expr::Call(function, arguments) => call(f, *function, arguments),
        }
    }
}

/// The positive of a product with a leading `-1`.
fn negative(expr: &Expr) -> Option<Expr> {
    match expr {
        Expr::Product(factors) => match factors.split_first() {
            Some((first, rest)) if *first == Expr::integer(-1) => Some(match rest {
                [one] => one.clone(),
                rest => Expr::Product(rest.to_vec()),
            }),
            _ => None,
        },
        Expr::Number(number) if number.value.numer().sign() == num_bigint::Sign::Minus => Some(expr.clone().negated()),
        _ => None,
    }
}

fn call(f: &mut Formatter<'_>, function: Function, arguments: &[Expr]) -> fmt::Result {
    match (function, arguments) {
        (Function::Root, [x, n]) if *n == Expr::integer(2) => write!(f, "sqrt({x})"),
        (Function::Abs, [x]) => write!(f, "|{x}|"),
        (Function::Factorial | Function::DoubleFactorial, [n]) => {
            part(f, n, Binding::Atom)?;
            f.write_str(if function == Function::Factorial { "!" } else { "!!" })
        }
        _ => {
            let name = match function {
                Function::LogBase => "log".to_owned(),
                Function::DoubleFactorial => "factorial2".to_owned(),
                other => format!("{other:?}").to_lowercase(),
            };
            write!(f, "{name}(")?;
            joined(f, arguments, ", ")?;
            f.write_str(")")
        }
    }
}

/// A decimal with the digits it was written with.
fn decimal(f: &mut Formatter<'_>, value: &num_rational::BigRational, place: i32) -> fmt::Result {
    let digits = (value / crate::token::number::power_of_ten(place)).to_integer();
    match usize::try_from(-place) {
        Ok(decimals @ 1..=40) => {
            let text = digits.magnitude().to_string();
            let text = format!("{text:0>width$}", width = decimals + 1);
            let (whole, rest) = text.split_at(text.len() - decimals);
            let sign = if digits.sign() == num_bigint::Sign::Minus { "-" } else { "" };
            write!(f, "{sign}{whole}.{rest}")
        }
        _ if (0..=20).contains(&place) => write!(f, "{value}"),
        _ => write!(f, "{digits}e{place}"),
    }
}

impl Display for Value {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Value::Scalar(scalar) => write!(f, "{scalar}"),
            Value::Ratio(items) => joined(f, items, ":"),
            Value::Tuple(tuple) => {
                write!(f, "{}", tuple.open)?;
                joined(f, &tuple.items, ", ")?;
                write!(f, "{}", tuple.close)
            }
            Value::List(items) => joined(f, items, ", "),
            Value::Set(items) => {
                f.write_str("{")?;
                joined(f, items, ", ")?;
                f.write_str("}")
            }
            Value::Combined(how, parts) => joined(
                f,
                parts,
                match how {
                    Combination::Union => " union ",
                    Combination::Intersection => " intersection ",
                    Combination::Difference => " without ",
                },
            ),
            Value::Builder(variable, conditions) => {
                write!(f, "{{{variable} | ")?;
                joined(f, conditions, ", ")?;
                f.write_str("}")
            }
            Value::Relation(relation) => write!(f, "{relation}"),
            Value::Matrix(rows) => {
                f.write_str("[")?;
                for (i, row) in rows.iter().enumerate() {
                    f.write_str(if i == 0 { "[" } else { ", [" })?;
                    joined(f, row, ", ")?;
                    f.write_str("]")?;
                }
                f.write_str("]")
            }
            Value::Choice(letter, None) => write!(f, "choice {letter}"),
            Value::Choice(letter, Some(content)) => write!(f, "choice {letter}: {content}"),
            Value::Text(text) => write!(f, "\"{text}\""),
        }
    }
}

impl Display for Scalar {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if let Some((digits, base)) = &self.base {
            return write!(f, "{digits} in base {base}");
        }
        match &self.unit {
            None => write!(f, "{}", self.expr),
            Some(Unit::Percent) => write!(f, "{}%", self.expr),
            Some(unit) => write!(f, "{} {}", self.expr, unit.name()),
        }
    }
}

impl Display for Relation {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (i, side) in self.sides.iter().enumerate() {
            if let Some(sign) = i.checked_sub(1).and_then(|i| self.signs.get(i)) {
                write!(f, " {sign} ")?;
            }
            match side {
                Side::Name(name, _) => f.write_str(name.trim())?,
                Side::Value(value) => write!(f, "{value}")?,
            }
        }
        Ok(())
    }
}

impl Display for Sign {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Sign::Equal => "=",
            Sign::Unequal => "!=",
            Sign::Less => "<",
            Sign::LessEqual => "<=",
            Sign::Greater => ">",
            Sign::GreaterEqual => ">=",
            Sign::About => "~",
            Sign::In => "in",
            Sign::Other(name) => name,
        })
    }
}
