//! Problems of a file that are not used, and why.

use std::collections::BTreeMap;
use std::fmt;

use crate::rows::Place;

/// A problem of a file that is not used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// Where it is.
    pub place: Place,
    /// Why.
    pub cause: Cause,
    /// More about it; empty where the cause says everything.
    pub detail: String,
}

/// Why a problem is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// Its gold answer is missing or not understood.
    NotUnderstood,
    /// Its gold answer has a tolerance, which no rule grades.
    Tolerance,
    /// The same question has another gold answer elsewhere in the file.
    Contradicted,
    /// The same question with the same gold answer came before.
    Repeated,
    /// The question is held out, too.
    HeldOut,
    /// Its pass rate is too high to train on.
    PassRate,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Cause::NotUnderstood => "the gold answer is not understood",
            Cause::Tolerance => "the gold answer has a tolerance, which no rule grades",
            Cause::Contradicted => "the same question has several gold answers",
            Cause::Repeated => "the same problem came before",
            Cause::HeldOut => "the question is held out, too",
            Cause::PassRate => "the pass rate is 0.8 or more",
        })
    }
}

/// Places that a notice names.
const NAMED: usize = 5;

/// A sentence for each cause and file.
pub(super) fn notices(left_out: &[LeftOut]) -> Vec<String> {
    let mut groups: BTreeMap<(&str, Cause), Vec<&LeftOut>> = BTreeMap::new();
    for one in left_out {
        groups.entry((&one.place.file, one.cause)).or_default().push(one);
    }
    groups.into_iter().map(|((file, cause), all)| notice(file, cause, &all)).collect()
}

fn notice(file: &str, cause: Cause, all: &[&LeftOut]) -> String {
    let named = all.iter().take(NAMED).map(|LeftOut { place, detail, .. }| match detail.as_str() {
        "" => format!("{} {}", place.unit(), place.number),
        detail => format!("{} {} ({detail})", place.unit(), place.number),
    });
    let named = named.collect::<Vec<_>>().join(", ");
    let more = if all.len() > NAMED { format!(" and {} more", all.len() - NAMED) } else { String::new() };
    format!("{file}: {} left out because {cause}: {named}{more}", all.len())
}
