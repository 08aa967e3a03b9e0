//! Units: how a quantity in one compares with a quantity in another.

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{One, Pow};

use crate::expr::{Constant, Expr};
use crate::token::number::power_of_ten;

/// Number of base dimensions: length, mass, time, current, amount, money.
const BASES: usize = 6;
const NONE: Dimension = [0; BASES];
const LENGTH: Dimension = [1, 0, 0, 0, 0, 0];
const VOLUME: Dimension = [3, 0, 0, 0, 0, 0];
const MASS: Dimension = [0, 1, 0, 0, 0, 0];
const TIME: Dimension = [0, 0, 1, 0, 0, 0];
const CURRENT: Dimension = [0, 0, 0, 1, 0, 0];
const AMOUNT: Dimension = [0, 0, 0, 0, 1, 0];
const MONEY: Dimension = [0, 0, 0, 0, 0, 1];
const SPEED: Dimension = [1, 0, -1, 0, 0, 0];
const FREQUENCY: Dimension = [0, 0, -1, 0, 0, 0];
const FORCE: Dimension = [1, 1, -2, 0, 0, 0];
const PRESSURE: Dimension = [-1, 1, -2, 0, 0, 0];
const ENERGY: Dimension = [2, 1, -2, 0, 0, 0];
const POWER: Dimension = [2, 1, -3, 0, 0, 0];
const CHARGE: Dimension = [0, 0, 1, 1, 0, 0];
const VOLTAGE: Dimension = [2, 1, -3, -1, 0, 0];

/// Powers of the base units.
type Dimension = [i8; BASES];
/// Names; size as numerator, denominator and power of ten; dimension.
type Entry = (&'static [&'static str], i64, i64, i32, Dimension);

/// A unit of measurement.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Unit {
    /// One with a dimension: how many base units it has, and the powers of these.
    Measure { name: String, scale: BigRational, dimension: Dimension },
    /// Percent.
    Percent,
    /// Degrees of an angle.
    Degree,
    /// Anything that is counted: apples, ways, points.
    Counted(String),
}

/// Names, their size as numerator, denominator and power of ten, and their dimension. The base units are metre, kilogram,
/// second, ampere, mole and dollar.
#[rustfmt::skip]
const UNITS: &[Entry] = &[
    (&["m", "meter", "meters", "metre", "metres"], 1, 1, 0, LENGTH),
    (&["km", "kilometer", "kilometers", "kilometre", "kilometres"], 1, 1, 3, LENGTH),
    (&["cm", "centimeter", "centimeters", "centimetre", "centimetres"], 1, 1, -2, LENGTH),
    (&["mm", "millimeter", "millimeters", "millimetre", "millimetres"], 1, 1, -3, LENGTH),
    (&["nm", "nanometer", "nanometers"], 1, 1, -9, LENGTH),
    (&["pm", "picometer", "picometers"], 1, 1, -12, LENGTH),
    (&["angstrom", "angstroms", "Angstrom", "Angstroms"], 1, 1, -10, LENGTH),
    (&["in", "inch", "inches"], 254, 1, -4, LENGTH),
    (&["ft", "foot", "feet"], 3048, 1, -4, LENGTH),
    (&["yd", "yard", "yards"], 9144, 1, -4, LENGTH),
    (&["mi", "mile", "miles"], 1_609_344, 1, -3, LENGTH),
    (&["L", "l", "liter", "liters", "litre", "litres"], 1, 1, -3, VOLUME),
    (&["mL", "ml", "milliliter", "milliliters"], 1, 1, -6, VOLUME),
    (&["kg", "kilogram", "kilograms"], 1, 1, 0, MASS),
    (&["g", "gram", "grams"], 1, 1, -3, MASS),
    (&["mg", "milligram", "milligrams"], 1, 1, -6, MASS),
    (&["t", "ton", "tons", "tonne", "tonnes"], 1, 1, 3, MASS),
    (&["lb", "lbs", "pound", "pounds"], 45_359_237, 1, -8, MASS),
    (&["oz", "ounce", "ounces"], 45_359_237, 16, -8, MASS),
    (&["s", "sec", "secs", "second", "seconds"], 1, 1, 0, TIME),
    (&["ms", "millisecond", "milliseconds"], 1, 1, -3, TIME),
    (&["min", "mins", "minute", "minutes"], 60, 1, 0, TIME),
    (&["h", "hr", "hrs", "hour", "hours"], 3600, 1, 0, TIME),
    (&["day", "days"], 86_400, 1, 0, TIME),
    (&["week", "weeks"], 604_800, 1, 0, TIME),
    (&["A", "amp", "amps", "ampere", "amperes"], 1, 1, 0, CURRENT),
    (&["mol", "mole", "moles"], 1, 1, 0, AMOUNT),
    (&["dollar", "dollars", "USD"], 1, 1, 0, MONEY),
    (&["cent", "cents"], 1, 1, -2, MONEY),
    (&["mph"], 44_704, 1, -5, SPEED),
    (&["kph", "kmh"], 1, 36, 4, SPEED),
    (&["Hz", "hertz"], 1, 1, 0, FREQUENCY),
    (&["N", "newton", "newtons"], 1, 1, 0, FORCE),
    (&["Pa", "pascal", "pascals"], 1, 1, 0, PRESSURE),
    (&["J", "joule", "joules"], 1, 1, 0, ENERGY),
    (&["kJ"], 1, 1, 3, ENERGY),
    (&["erg", "ergs"], 1, 1, -7, ENERGY),
    (&["eV"], 1_602_176_634, 1, -28, ENERGY),
    (&["W", "watt", "watts"], 1, 1, 0, POWER),
    (&["C", "coulomb", "coulombs"], 1, 1, 0, CHARGE),
    (&["V", "volt", "volts"], 1, 1, 0, VOLTAGE),
];

/// Words that stand before or behind a unit without changing it.
const SQUARE: [&str; 2] = ["square", "sq"];
const CUBIC: [&str; 2] = ["cubic", "cu"];

/// Words that no answer counts. A text with one of them is not a unit.
const NOT_COUNTED: [&str; 30] = [
    "a",
    "about",
    "all",
    "an",
    "and",
    "any",
    "approximately",
    "are",
    "around",
    "at",
    "be",
    "but",
    "does",
    "each",
    "false",
    "if",
    "is",
    "it",
    "least",
    "less",
    "more",
    "most",
    "none",
    "not",
    "or",
    "than",
    "the",
    "true",
    "where",
    "when",
];

impl Unit {
    /// The unit of these words, with the power that stands behind the last one.
    pub fn named(words: &str, power: i8) -> Option<Unit> {
        let words = words.replace('/', " / ");
        let list: Vec<&str> = words.split_whitespace().map(|word| word.trim_end_matches(['.', ','])).collect();
        let (factor, rest) = match list.split_first() {
            Some((first, rest)) if SQUARE.contains(first) && !rest.is_empty() => (2, rest),
            Some((first, rest)) if CUBIC.contains(first) && !rest.is_empty() => (3, rest),
            _ => (1, &list[..]),
        };
        let whole = power.saturating_mul(factor);
        match rest {
            ["percent" | "per cent"] if whole == 1 => return Some(Unit::Percent),
            ["degree" | "degrees" | "deg"] if whole == 1 => return Some(Unit::Degree),
            ["per", "cent"] => return Some(Unit::Percent),
            [one] => {
                if let Some((_, n, d, ten, dimension)) = UNITS.iter().find(|(names, ..)| names.contains(one)) {
                    let size = BigRational::new(BigInt::from(*n), BigInt::from(*d)) * power_of_ten(*ten);
                    let name = if whole == 1 { (*one).into() } else { format!("{one}^{whole}") };
                    let unit = Unit::Measure { name, scale: size, dimension: *dimension };
                    return Some(unit.raised(whole));
                }
            }
            [one, "per" | "/", other] if factor == 1 => return Unit::named(one, 1)?.over(&Unit::named(other, power)?),
            _ => {}
        }
        let counted = |word: &&&str| word.chars().all(char::is_alphabetic) && !NOT_COUNTED.contains(*word);
        let counts = (1..=3).contains(&list.len()) && list.iter().filter(counted).count() == list.len();
        (counts && power == 1).then(|| Unit::Counted(list.join(" ")))
    }

    /// Whether plain letters behind a number are this unit, rather than a product of variables.
    pub fn is_known(word: &str) -> bool {
        word.len() > 1 && UNITS.iter().any(|(names, ..)| names.contains(&word))
    }

    /// Whether plain letters are a unit or a word that is counted, though they may be as short as a product of variables.
    pub fn is_word(word: &str) -> bool {
        Unit::is_known(word)
    }

    /// A quotient or product of two units.
    pub fn over(self, other: &Unit) -> Option<Unit> {
        self.with(other, -1)
    }

    /// A product of two units.
    pub fn times_unit(self, other: &Unit) -> Option<Unit> {
        self.with(other, 1)
    }

    fn with(self, other: &Unit, power: i8) -> Option<Unit> {
        match (self, other.clone().raised(power)) {
            (Unit::Measure { name, scale, dimension }, Unit::Measure { name: b, scale: t, dimension: e }) => {
                let dimension = std::array::from_fn(|i| dimension[i].saturating_add(e[i]));
                let sign = if power < 0 { '/' } else { ' ' };
                let b = if power < 0 { b.trim_end_matches("^-1").to_owned() } else { b };
                Some(Unit::Measure { name: format!("{name}{sign}{b}"), scale: scale * t, dimension })
            }
            _ => None,
        }
    }

    fn raised(self, power: i8) -> Unit {
        match self {
            Unit::Measure { name, scale, dimension } if power != 1 => Unit::Measure {
                name: if name.contains('^') { name } else { format!("{name}^{power}") },
                scale: Pow::pow(scale, i32::from(power)),
                dimension: dimension.map(|d| d.saturating_mul(power)),
            },
            other => other,
        }
    }

    /// Whether it has no dimension, so that a quantity in it is a number: percent and degrees.
    pub fn is_number(&self) -> bool {
        matches!(self, Unit::Percent | Unit::Degree)
    }

    /// The quantity in base units.
    pub fn times(&self, expr: Expr) -> Expr {
        match self {
            Unit::Percent => Expr::Quotient(Box::new(expr), Box::new(Expr::integer(100))),
            Unit::Degree => Expr::Product(vec![expr, Expr::Constant(Constant::Degree)]),
            Unit::Measure { scale, .. } if !scale.is_one() => Expr::Product(vec![expr, Expr::rational(scale.clone())]),
            _ => expr,
        }
    }

    /// Whether quantities in both can be compared.
    pub fn agrees(&self, other: &Unit) -> bool {
        match (self, other) {
            (Unit::Measure { dimension: a, .. }, Unit::Measure { dimension: b, .. }) => a == b && *a != NONE,
            (Unit::Counted(a), Unit::Counted(b)) => singular(a) == singular(b),
            (a, b) => a == b,
        }
    }

    /// As in a reading.
    pub fn name(&self) -> &str {
        match self {
            Unit::Measure { name, .. } | Unit::Counted(name) => name,
            Unit::Percent => "%",
            Unit::Degree => "degrees",
        }
    }
}

fn singular(word: &str) -> String {
    word.trim_end_matches('s').to_lowercase()
}
