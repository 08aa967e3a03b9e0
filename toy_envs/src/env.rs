//! What an environment is: problems, a judge, demonstrations.

use std::fmt::Debug;

use rand::Rng;

/// Which problems: those to train on, or those never trained on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Split {
    Train,
    HeldOut,
}

/// A question with its known answer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Problem {
    /// Stable within an environment of the same settings.
    pub id: u64,
    pub prompt: String,
    /// What a right completion must say; the judge may accept other ways to say it.
    pub answer: String,
}

/// How a completion ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ending {
    /// The model said it was done.
    Stopped,
    /// It was cut at the token limit.
    Truncated,
}

/// The judge's word on a completion. Only `Right` is rewarded, but the others are never mixed up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    Right,
    Wrong,
    /// Not in the form the environment asks for.
    Unparsable,
    /// Cut before it was done; nothing is said about the rest.
    Truncated,
    /// The judge could not decide; such a completion is no evidence either way.
    Ungraded,
}

impl Verdict {
    /// Outcome reward in {0, 1}.
    pub fn reward(self) -> f64 {
        f64::from(self == Verdict::Right)
    }
}

/// A source of problems with a verifiable answer.
pub trait Env: Debug + Send + Sync {
    /// One word, as in configuration files.
    fn name(&self) -> &'static str;
    /// Every character of a prompt or completion, each a token; the end of a completion is no character.
    fn alphabet(&self) -> String;
    /// Longest completion worth sampling, in tokens, end token included.
    fn max_tokens(&self) -> usize;
    /// A random problem of the split.
    fn problem(&self, split: Split, rng: &mut dyn Rng) -> Problem;
    /// Every problem of the split, where they are few enough to list.
    fn problems(&self, split: Split) -> Option<Vec<Problem>>;
    /// Judges the text of a completion (without its end token).
    fn judge(&self, problem: &Problem, completion: &str, ending: Ending) -> Verdict;
    /// A completion by an imperfect teacher: right with probability `1 - error_rate`, otherwise wrong or unparsable.
    fn demonstration(&self, problem: &Problem, error_rate: f64, rng: &mut dyn Rng) -> String;
    /// The token (index into the completion) after which no continuation can be right any more, where the environment
    /// knows it; `None` when the completion is right or the environment cannot tell.
    fn decisive(&self, _problem: &Problem, _completion: &str) -> Option<usize> {
        None
    }
}
