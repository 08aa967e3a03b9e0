//! Numbers that stand in formulas as settings: constant, or a function of the training step.

use std::fmt;
use std::ops::{Bound, RangeBounds};

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::settings::IllegalSetting;

/// A number that stands in a formula under its own name: constant, or linear in the training step.
///
/// In a configuration file it is a number, or a table such as `{ from = 0.04, to = 0.0, steps = 100 }`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Coefficient {
    /// The same at every step.
    Constant(f64),
    /// Linear from one value to another, and constant after.
    Linear {
        /// The value at step 0.
        from: f64,
        /// The value at step `steps` and after.
        to: f64,
        /// How many steps it takes; at least 1.
        steps: u64,
    },
}

impl Coefficient {
    /// Constantly zero: the term it multiplies is removed when the formula is built.
    pub const ZERO: Coefficient = Coefficient::Constant(0.0);

    /// The value at a training step, counted from 0.
    pub fn at(self, step: u64) -> f64 {
        match self {
            Coefficient::Constant(value) => value,
            Coefficient::Linear { to, steps, .. } if step >= steps => to,
            Coefficient::Linear { from, to, steps } => from + (to - from) * (step as f64 / steps as f64),
        }
    }

    /// The value, if it is the same at every step.
    pub fn constant(self) -> Option<f64> {
        match self {
            Coefficient::Constant(value) => Some(value),
            Coefficient::Linear { .. } => None,
        }
    }

    /// Whether it is zero at every step, and its term is therefore removed.
    pub fn is_zero(self) -> bool {
        self.constant() == Some(0.0)
    }

    /// Refuses a value outside `allowed` (at any step), one that is not finite, and a schedule of 0 steps. `key` is named in
    /// the message.
    pub fn check(self, key: &str, allowed: impl RangeBounds<f64>) -> Result<(), IllegalSetting> {
        let ends = match self {
            Coefficient::Constant(value) => [value; 2],
            Coefficient::Linear { steps: 0, .. } => {
                return Err(IllegalSetting::new(key, "must take at least 1 step from one value to the other"));
            }
            Coefficient::Linear { from, to, .. } => [from, to],
        };
        match ends.into_iter().find(|value| !value.is_finite() || !allowed.contains(value)) {
            None => Ok(()),
            Some(value) => Err(IllegalSetting::new(key, format!("must be {}, not {value}", words(&allowed)))),
        }
    }
}

/// A range of numbers in words.
fn words(allowed: &impl RangeBounds<f64>) -> String {
    let low = match allowed.start_bound() {
        Bound::Included(low) => Some(format!("at least {low}")),
        Bound::Excluded(low) => Some(format!("greater than {low}")),
        Bound::Unbounded => None,
    };
    let high = match allowed.end_bound() {
        Bound::Included(high) => Some(format!("at most {high}")),
        Bound::Excluded(high) => Some(format!("less than {high}")),
        Bound::Unbounded => None,
    };
    let bounds: Vec<String> = low.into_iter().chain(high).collect();
    let comma = if bounds.is_empty() { "" } else { ", " };
    format!("a finite number{comma}{}", bounds.join(" and "))
}

impl From<f64> for Coefficient {
    fn from(value: f64) -> Coefficient {
        Coefficient::Constant(value)
    }
}

/// As listed below a printed formula: `0.04`, or `0.04 -> 0 over 100 steps`.
impl fmt::Display for Coefficient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Coefficient::Constant(value) => f.write_str(&number(value)),
            Coefficient::Linear { from, to, steps } => {
                write!(f, "{} -> {} over {steps} steps", number(from), number(to))
            }
        }
    }
}

/// A number as a reader would write it.
pub(crate) fn number(x: f64) -> String {
    if x != 0.0 && x.abs() < 1e-3 { format!("{x:e}") } else { x.to_string() }
}

/// A schedule as a table of a configuration file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Linear {
    from: f64,
    to: f64,
    steps: u64,
}

impl Serialize for Coefficient {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match *self {
            Coefficient::Constant(value) => serializer.serialize_f64(value),
            Coefficient::Linear { from, to, steps } => Linear { from, to, steps }.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Coefficient {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Written)
    }
}

struct Written;

impl<'de> Visitor<'de> for Written {
    type Value = Coefficient;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, or a schedule such as { from = 0.04, to = 0.0, steps = 100 }")
    }

    fn visit_f64<E>(self, value: f64) -> Result<Coefficient, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Coefficient, E> {
        Ok((value as f64).into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Coefficient, E> {
        Ok((value as f64).into())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Coefficient, A::Error> {
        let Linear { from, to, steps } = Linear::deserialize(MapAccessDeserializer::new(map))?;
        Ok(Coefficient::Linear { from, to, steps })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_is_linear_and_then_constant() {
        let schedule = Coefficient::Linear { from: 1.0, to: 3.0, steps: 4 };
        assert_eq!([0, 1, 2, 3, 4, 5, u64::MAX].map(|step| schedule.at(step)), [1.0, 1.5, 2.0, 2.5, 3.0, 3.0, 3.0]);
        assert_eq!(schedule.to_string(), "1 -> 3 over 4 steps");
        assert_eq!(Coefficient::Constant(1e-4).at(9), 1e-4);
    }

    #[test]
    fn what_is_not_allowed_is_refused_at_both_ends() {
        let message = |coefficient: Coefficient| coefficient.check("beta", 0.0..=1.0).unwrap_err().to_string();
        assert_eq!(message(2.0.into()), "`beta` must be a finite number, at least 0 and at most 1, not 2");
        for end in [-1.0, 1.5, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert!(message(Coefficient::Linear { from: 0.5, to: end, steps: 1 }).ends_with(&format!("not {end}")));
            assert!(message(Coefficient::Linear { from: end, to: 0.5, steps: 1 }).ends_with(&format!("not {end}")));
        }
        assert!(message(Coefficient::Linear { from: 0.5, to: 0.5, steps: 0 }).contains("at least 1 step"));
        assert_eq!(Coefficient::Linear { from: 0.0, to: 1.0, steps: 1 }.check("beta", 0.0..=1.0), Ok(()));
        assert!(Coefficient::Constant(f64::INFINITY).check("beta", ..).is_err());
    }
}
