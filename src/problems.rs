//! Problem sets: mathematical questions with gold answers, from a file, as an environment.
//!
//! - `settings`: what a file says, and the fields of the usual sets.
//! - `read`: from rows to questions with gold answers.
//! - `set`: which questions are used, in which split, and under which id.
//! - `left_out`: those that are not used, and why.
//!
//! Prompts are conversations, so a run needs a renderer with a chat template ([`crate::Experiment::renderer`]).
//! docs/problem_sets.md has all of it.

mod left_out;
mod read;
mod set;
mod settings;

use std::sync::{Arc, OnceLock};

use oreal_toy_envs::{Answer, Ending, Env, IllegalSetting, Problem, Split, Verdict};
use rand::Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::rule::RuleName;
use set::{Set, Task};

pub use left_out::{Cause, LeftOut};
pub use settings::{Balance, HeldOut, HeldOutFile, ProblemSettings, Source};

/// Mathematical questions with gold answers, from a file.
///
/// The files are read when the problems are first asked for, once. [`Env::check`] refuses files that cannot be used; without
/// that, there are no problems in them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(try_from = "ProblemSettings", into = "ProblemSettings")]
pub struct Problems {
    settings: ProblemSettings,
    set: OnceLock<Result<Arc<Set>, IllegalSetting>>,
}

impl Problems {
    /// With settings that are checked, each by itself; files are not read yet.
    pub fn new(settings: ProblemSettings) -> Result<Problems, IllegalSetting> {
        settings.validate()?;
        Ok(Problems { settings, set: OnceLock::new() })
    }

    /// The problems that are not used, and why.
    pub fn left_out(&self) -> Result<&[LeftOut], IllegalSetting> {
        self.set().map(Set::left_out)
    }

    fn set(&self) -> Result<&Set, IllegalSetting> {
        let set = self.set.get_or_init(|| Set::new(&self.settings).map(Arc::new));
        set.as_deref().map_err(Clone::clone)
    }

    /// The verdict by rule. A problem of another environment has no gold answer here.
    fn by_rule(&self, answer: &Answer<'_>) -> Verdict {
        let task = self.set().ok().and_then(|set| set.with_id(answer.problem.id));
        match (task, answer.ending) {
            (_, Ending::Truncated) => Verdict::Truncated,
            (None, Ending::Stopped) => Verdict::Ungraded,
            (Some(task), Ending::Stopped) => {
                match task.gold.grade_response(answer.completion, self.settings.rule.into()).verdict {
                    oreal_math::Verdict::Right => Verdict::Right,
                    oreal_math::Verdict::Wrong => Verdict::Wrong,
                    oreal_math::Verdict::Unparsable => Verdict::Unparsable,
                    oreal_math::Verdict::CannotTell => Verdict::Ungraded,
                }
            }
        }
    }

    /// Where another judge decides what the rules leave open. There is none yet, so that stays ungraded.
    fn second_opinion(&self, _answers: &[Answer<'_>], by_rule: Vec<Verdict>) -> Vec<Verdict> {
        by_rule
    }

    /// A completion that is right by the rule.
    fn right(&self, task: &Task) -> String {
        match self.settings.rule {
            RuleName::Any | RuleName::Boxed | RuleName::Choice => format!("\\boxed{{{}}}", task.answer),
            RuleName::Hashes => format!("#### {}", task.answer),
        }
    }
}

impl Env for Problems {
    fn name(&self) -> &str {
        "math"
    }

    fn max_tokens(&self) -> usize {
        self.settings.max_tokens
    }

    fn count(&self, split: Split) -> u64 {
        self.set().map_or(0, |set| set.count(split))
    }

    fn problem(&self, split: Split, index: u64, _: &mut dyn Rng) -> Problem {
        match self.set().ok().and_then(|set| set.at(split, index)) {
            Some(task) => Problem { id: task.id, prompt: task.prompt.clone(), answer: self.right(task) },
            None => Problem { id: 0, prompt: "".into(), answer: String::new() },
        }
    }

    fn judge(&self, answers: &[Answer<'_>]) -> Vec<Verdict> {
        self.second_opinion(answers, answers.par_iter().map(|answer| self.by_rule(answer)).collect())
    }

    fn check(&self) -> Result<(), IllegalSetting> {
        self.set().map(drop)
    }

    fn notices(&self) -> Vec<String> {
        self.set().map_or_else(|_| Vec::new(), Set::notices)
    }
}

impl TryFrom<ProblemSettings> for Problems {
    type Error = IllegalSetting;

    fn try_from(settings: ProblemSettings) -> Result<Problems, IllegalSetting> {
        Problems::new(settings)
    }
}

impl From<Problems> for ProblemSettings {
    fn from(problems: Problems) -> ProblemSettings {
        problems.settings
    }
}
