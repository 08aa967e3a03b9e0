//! Where two algorithms differ, and by which factor.

use serde::Serialize;

use super::{Completion, RECORDED};

/// The coefficients of an algorithm over those of another, token by token.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Compared {
    /// Which algorithm.
    pub algorithm: String,
    /// The one it is compared with.
    pub against: String,
    /// Tokens where neither coefficient is 0.
    pub tokens: usize,
    /// The smallest quotient of the two.
    pub least: Option<Extreme>,
    /// The greatest.
    pub greatest: Option<Extreme>,
    /// Tokens where only `algorithm` is not 0.
    pub only_here: usize,
    /// Tokens where only `against` is not 0.
    pub only_there: usize,
    /// Whether the coefficients are the same: within a thousandth of what was recorded, within rounding of another algorithm.
    pub same: bool,
}

/// A quotient of two coefficients, and where it is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Extreme {
    /// The quotient; negative where one algorithm raises what the other lowers.
    pub factor: f64,
    /// Line of the completion in the file.
    pub line: u64,
    /// Its token, counted from 1.
    pub token: usize,
}

/// How far apart coefficients that are the same may be, relative to each other: those of a trainer, which computes in f32 or
/// bf16, and those of algorithms here.
const TOLERANCES: [f64; 2] = [1e-3, 1e-9];

/// What is smaller than this share of the largest coefficient is 0.
const ZERO: f64 = 1e-9;

/// Each algorithm but the first against the first.
pub(super) fn all(names: &[&str], completions: &[Completion]) -> Vec<Compared> {
    (1..names.len()).map(|here| Compared::new(names, here, completions)).collect()
}

impl Compared {
    fn new(names: &[&str], here: usize, completions: &[Completion]) -> Compared {
        let mut compared = Compared {
            algorithm: names[here].to_owned(),
            against: names[0].to_owned(),
            tokens: 0,
            least: None,
            greatest: None,
            only_here: 0,
            only_there: 0,
            same: false,
        };
        let [small_here, small_there] = [here, 0].map(|number| ZERO * largest(completions, number));
        for Completion { line, coefficients, .. } in completions {
            for (token, (a, b)) in coefficients[here].iter().zip(&coefficients[0]).enumerate() {
                match (a.abs() > small_here, b.abs() > small_there) {
                    (true, true) => compared.add(Extreme { factor: a / b, line: *line, token: token + 1 }),
                    (true, false) => compared.only_here += 1,
                    (false, true) => compared.only_there += 1,
                    (false, false) => {}
                }
            }
        }
        let tolerance = TOLERANCES[usize::from(names[0] != RECORDED)];
        let near = |extreme: Option<Extreme>| extreme.is_none_or(|extreme| (extreme.factor - 1.0).abs() <= tolerance);
        let everywhere = compared.only_here + compared.only_there == 0;
        compared.same = everywhere && near(compared.least) && near(compared.greatest);
        compared
    }

    fn add(&mut self, found: Extreme) {
        self.tokens += 1;
        let less = |extreme: &Extreme| found.factor < extreme.factor;
        let greater = |extreme: &Extreme| found.factor > extreme.factor;
        if self.least.as_ref().is_none_or(less) {
            self.least = Some(found);
        }
        if self.greatest.as_ref().is_none_or(greater) {
            self.greatest = Some(found);
        }
    }
}

/// The largest absolute coefficient of an algorithm.
fn largest(completions: &[Completion], number: usize) -> f64 {
    let all = completions.iter().flat_map(|completion| &completion.coefficients[number]);
    all.fold(0.0, |largest, c| c.abs().max(largest))
}
