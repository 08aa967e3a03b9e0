//! The steps of a verdict.

use std::fmt;

/// The step that decided, from exact to approximate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// Finding the answer: there was nothing to compare.
    Finding,
    /// Reading the answer: it was not understood.
    Reading,
    /// The kinds of the values, or how many there are.
    Kind,
    /// The text, after normalisation.
    Text,
    /// Exact rational numbers.
    Rational,
    /// Normal forms: radicals, polynomials, rational functions.
    NormalForm,
    /// Certified numbers: intervals that hold the exact values, at one or several points.
    Certified,
    /// The digits that a rounded gold answer shows.
    Rounded,
}

impl Step {
    /// As in records.
    pub fn name(self) -> &'static str {
        match self {
            Step::Finding => "finding",
            Step::Reading => "reading",
            Step::Kind => "kind",
            Step::Text => "text",
            Step::Rational => "rational",
            Step::NormalForm => "normal_form",
            Step::Certified => "certified",
            Step::Rounded => "rounded",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
