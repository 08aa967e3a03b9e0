//! What an environment is: problems, a judge, demonstrations.

use std::collections::HashSet;
use std::fmt::Debug;

use rand::rngs::ChaCha8Rng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};

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
    /// A right completion; the judge may accept others.
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
///
/// Every method is total: it answers for any text, any problem (also one of another environment) and any rate.
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

    /// Where a stopped completion was lost: the index of the first token after which it could no longer be right, in the
    /// sense that the environment defines. The end token has the index after the last character.
    /// `None` when the completion is right or the environment cannot tell.
    fn decisive(&self, _problem: &Problem, _completion: &str) -> Option<usize> {
        None
    }

    /// Distinct held-out problems to evaluate on, `count` of them or all there are. The same at every call and seed, in a
    /// fixed order, so that a smaller count gives the beginning of a larger one.
    fn held_out(&self, count: usize) -> Vec<Problem> {
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        match self.problems(Split::HeldOut) {
            Some(mut all) => {
                all.shuffle(&mut rng);
                all.truncate(count);
                all
            }
            None => distinct(count, || self.problem(Split::HeldOut, &mut rng)),
        }
    }
}

/// The first `count` distinct problems drawn, fewer when a thousand draws in a row bring nothing new.
fn distinct(count: usize, mut draw: impl FnMut() -> Problem) -> Vec<Problem> {
    const PATIENCE: usize = 1000;
    let (mut seen, mut found, mut stale) = (HashSet::new(), Vec::new(), 0);
    while found.len() < count && stale < PATIENCE {
        let problem = draw();
        if seen.insert(problem.id) {
            found.push(problem);
            stale = 0;
        } else {
            stale += 1;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distinct_gives_up_when_nothing_new_comes() {
        let mut next = 0;
        let found = distinct(10, || {
            next = (next + 1) % 3;
            Problem { id: next, prompt: String::new(), answer: String::new() }
        });
        assert_eq!(found.iter().map(|problem| problem.id).collect::<Vec<_>>(), [1, 2, 0]);
    }

    #[test]
    fn only_right_is_rewarded() {
        assert_eq!(Verdict::Right.reward(), 1.0);
        for verdict in [Verdict::Wrong, Verdict::Unparsable, Verdict::Truncated, Verdict::Ungraded] {
            assert_eq!(verdict.reward(), 0.0, "{verdict:?}");
        }
    }
}
