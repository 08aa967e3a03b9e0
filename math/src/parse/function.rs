//! Functions and their arguments.

use crate::expr::{Constant, Expr, Function};
use crate::parse::arithmetic::product_of;
use crate::parse::{Parsed, Parser};
use crate::token::Token;
use crate::value::Value;

/// Names of functions of one argument, as in LaTeX and plain text.
#[rustfmt::skip]
const FUNCTIONS: [(&str, Function); 33] = [
    ("sin", Function::Sin), ("cos", Function::Cos), ("tan", Function::Tan), ("cot", Function::Cot),
    ("sec", Function::Sec), ("csc", Function::Csc), ("tg", Function::Tan), ("ctg", Function::Cot),
    ("arcsin", Function::Arcsin), ("arccos", Function::Arccos), ("arctan", Function::Arctan), ("arctg", Function::Arctan),
    ("arccot", Function::Arccot), ("arcsec", Function::Arcsec), ("arccsc", Function::Arccsc),
    ("sinh", Function::Sinh), ("cosh", Function::Cosh), ("tanh", Function::Tanh), ("coth", Function::Coth),
    ("ln", Function::Ln), ("log", Function::Log), ("lg", Function::LogBase), ("exp", Function::LogBase),
    ("sqrt", Function::Root), ("cbrt", Function::Root), ("abs", Function::Abs), ("floor", Function::Floor),
    ("ceil", Function::Ceiling), ("binom", Function::Binomial),
    ("max", Function::Max), ("min", Function::Min), ("gcd", Function::Gcd), ("lcm", Function::Lcm),
];

/// Whether a word names a function.
pub(super) fn is_function(word: &str) -> bool {
    FUNCTIONS.iter().any(|(name, _)| *name == word)
}

fn function(name: &str) -> Option<Function> {
    FUNCTIONS.iter().find(|(other, _)| *other == name).map(|(_, function)| *function)
}

impl Parser<'_, '_> {
    /// What follows the name of a function, where it is one.
    pub(super) fn function(&mut self, name: &str) -> Option<Parsed<Expr>> {
        let function = function(name)?;
        Some(self.deeper(|parser| match name {
            "sqrt" => parser.root(),
            "cbrt" => Ok(Expr::Call(Function::Root, vec![parser.one_argument()?, Expr::integer(3)])),
            "exp" => Ok(Expr::Power(Box::new(Expr::Constant(Constant::E)), Box::new(parser.one_argument()?))),
            "lg" => Ok(Expr::Call(Function::LogBase, vec![parser.one_argument()?, Expr::integer(10)])),
            "binom" => parser.binomial(),
            _ => parser.call(function),
        }))
    }

    fn call(&mut self, function: Function) -> Parsed<Expr> {
        let base = match self.take('_') {
            true => Some(self.script()?),
            false => None,
        };
        let power = match self.take('^') {
            true => Some(self.script()?),
            false => None,
        };
        let mut arguments = self.arguments()?;
        let many = matches!(function, Function::Max | Function::Min | Function::Gcd | Function::Lcm);
        if arguments.len() != 1 && !many {
            return Err(self.unexpected());
        }
        let inverse = power.as_ref().is_some_and(|power| power.number().is_some_and(|n| *n == minus_one()));
        let call = match (function, base) {
            (Function::Log, Some(base)) => {
                arguments.push(base);
                Expr::Call(Function::LogBase, arguments)
            }
            (_, Some(_)) => return Err(self.unexpected()),
            (function, None) if inverse => {
                Expr::Call(inverse_of(function).ok_or_else(|| self.unexpected())?, arguments)
            }
            (function, None) => Expr::Call(function, arguments),
        };
        Ok(match power {
            Some(power) if !inverse => Expr::Power(Box::new(call), Box::new(power)),
            _ => call,
        })
    }

    fn root(&mut self) -> Parsed<Expr> {
        let index = match self.take('[') {
            true => {
                let index = self.sum()?;
                self.expect(']')?;
                self.scalar(index)?
            }
            false => Expr::integer(2),
        };
        let inside = self.one_script_or_bracket()?;
        Ok(Expr::Call(Function::Root, vec![inside, index]))
    }

    /// `\sqrt2` takes one atom, `sqrt(2)` what stands in brackets.
    fn one_script_or_bracket(&mut self) -> Parsed<Expr> {
        let value = self.deeper(Self::atom)?;
        self.scalar(value)
    }

    fn binomial(&mut self) -> Parsed<Expr> {
        if self.is('(') {
            let arguments = self.arguments()?;
            return if arguments.len() == 2 {
                Ok(Expr::Call(Function::Binomial, arguments))
            } else {
                Err(self.unexpected())
            };
        }
        Ok(Expr::Call(Function::Binomial, vec![self.script()?, self.script()?]))
    }

    fn one_argument(&mut self) -> Parsed<Expr> {
        let mut arguments = self.arguments()?;
        match (arguments.pop(), arguments.is_empty()) {
            (Some(one), true) => Ok(one),
            _ => Err(self.unexpected()),
        }
    }

    /// Arguments in brackets or braces; else the factors that follow, up to a sign or the next function.
    fn arguments(&mut self) -> Parsed<Vec<Expr>> {
        if self.is('(') || self.is('[') || self.is('{') {
            let value = self.deeper(Self::atom)?;
            return match value {
                Value::Tuple(tuple) => tuple.items.into_iter().map(|item| self.scalar(item)).collect(),
                Value::Set(items) => items.into_iter().map(|item| self.scalar(item)).collect(),
                one => Ok(vec![self.scalar(one)?]),
            };
        }
        let mut factors = Vec::new();
        let number = matches!(self.peek(), Some(Token::Number(_)));
        while (number && factors.is_empty())
            || (self.starts_factor() && (factors.is_empty() || !self.starts_function()))
        {
            self.node()?;
            let value = self.deeper(Self::power)?;
            factors.push(self.scalar(value)?);
        }
        if factors.is_empty() { Err(self.unexpected()) } else { Ok(vec![product_of(factors)]) }
    }

    fn starts_function(&self) -> bool {
        matches!(self.peek(), Some(Token::Command(name)) if is_function(name) && !matches!(name, "sqrt" | "binom"))
    }
}

fn minus_one() -> num_rational::BigRational {
    num_rational::BigRational::from_integer((-1).into())
}

fn inverse_of(function: Function) -> Option<Function> {
    Some(match function {
        Function::Sin => Function::Arcsin,
        Function::Cos => Function::Arccos,
        Function::Tan => Function::Arctan,
        Function::Cot => Function::Arccot,
        Function::Sec => Function::Arcsec,
        Function::Csc => Function::Arccsc,
        _ => return None,
    })
}
