//! Problem sets: mathematical questions with gold answers, from a file, as an environment.
//!
//! - `settings`: what a file says, and the fields of the usual sets.
//! - `read`: from rows to questions with gold answers.
//! - `set`: which questions are used, in which split, and under which id.
//! - `left_out`: those that are not used, and why.
//! - `second_opinion`: a judge for answers that the rules leave open.
//! - `test_set`: all problems of a file, to be evaluated on.
//!
//! Prompts are conversations, so a run needs a model with a chat template: a checkpoint, or a tokenizer that has one.
//! docs/problem_sets.md has all of it.

mod left_out;
mod read;
mod second_opinion;
mod set;
mod settings;
mod test_set;

use std::sync::{Arc, OnceLock};

use oreal_math::find;
use oreal_toy_envs::{Answer, Ending, Env, IllegalSetting, Problem, Split, Verdict};
use rand::Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::judge::Question;
use crate::rule::RuleName;
use second_opinion::SecondOpinion;
use set::{Set, Task};

pub use left_out::{Cause, LeftOut};
pub(crate) use set::conversation;
pub use settings::{Balance, HeldOut, HeldOutFile, ProblemSettings, Source};
pub use test_set::{TestProblem, TestSet};

/// Mathematical questions with gold answers, from a file.
///
/// The files are read when the problems are first asked for, once. [`Env::check`] refuses files and a judge that cannot be used;
/// without that, there are no problems in such files, and such a judge is not asked.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(try_from = "ProblemSettings", into = "ProblemSettings")]
pub struct Problems {
    settings: ProblemSettings,
    set: OnceLock<Result<Arc<Set>, IllegalSetting>>,
    second_opinion: OnceLock<Result<Option<Arc<SecondOpinion>>, IllegalSetting>>,
}

impl Problems {
    /// With settings that are checked, each by itself; files are not read yet.
    pub fn new(settings: ProblemSettings) -> Result<Problems, IllegalSetting> {
        settings.validate()?;
        Ok(Problems { settings, set: OnceLock::new(), second_opinion: OnceLock::new() })
    }

    /// The problems that are not used, and why.
    pub fn left_out(&self) -> Result<&[LeftOut], IllegalSetting> {
        self.set().map(Set::left_out)
    }

    fn set(&self) -> Result<&Set, IllegalSetting> {
        let set = self.set.get_or_init(|| Set::new(&self.settings).map(Arc::new));
        set.as_deref().map_err(Clone::clone)
    }

    /// The judge, where the settings have one.
    fn second_opinion(&self) -> Result<Option<&SecondOpinion>, IllegalSetting> {
        let new = || self.settings.judge.clone().map(|judge| SecondOpinion::new(judge).map(Arc::new)).transpose();
        let second_opinion = self.second_opinion.get_or_init(new);
        second_opinion.as_ref().map(Option::as_deref).map_err(Clone::clone)
    }

    fn task(&self, problem: &Problem) -> Option<&Task> {
        self.set().ok()?.with_id(problem.id)
    }

    /// The verdict by rule. A problem of another environment has no gold answer here.
    fn by_rule(&self, answer: &Answer<'_>) -> Verdict {
        match (self.task(answer.problem), answer.ending) {
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

    /// What is put to the judge: question and gold answer as the file has them, the answer as it was written.
    fn question(&self, answer: &Answer<'_>) -> Option<Question> {
        let task = self.task(answer.problem)?;
        let found = find(answer.completion, self.settings.rule.into()).ok()?;
        Some(Question { question: task.question.clone(), gold: task.answer.clone(), answer: found.text.into_owned() })
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
        let mut verdicts: Vec<Verdict> = answers.par_iter().map(|answer| self.by_rule(answer)).collect();
        if let Ok(Some(second_opinion)) = self.second_opinion() {
            second_opinion.revise(&mut verdicts, |place| self.question(answers.get(place)?));
        }
        verdicts
    }

    fn check(&self) -> Result<(), IllegalSetting> {
        self.set()?;
        self.second_opinion().map(drop)
    }

    fn notices(&self) -> Vec<String> {
        self.set().map_or_else(|_| Vec::new(), Set::notices)
    }

    fn notices_after(&self) -> Vec<String> {
        self.second_opinion().ok().flatten().map_or_else(Vec::new, SecondOpinion::notices)
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
