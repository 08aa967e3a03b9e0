//! Answers and the verdicts on them.

use serde::{Deserialize, Serialize};

use crate::problem::Problem;

/// How a completion ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ending {
    /// The model produced its end token.
    Stopped,
    /// The completion was cut at the token limit.
    Truncated,
}

/// A completion of a problem, to be judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Answer<'a> {
    /// The problem that was posed.
    pub problem: &'a Problem,
    /// The text of the completion, without its end token.
    pub completion: &'a str,
    /// How the completion ended.
    pub ending: Ending,
}

impl<'a> Answer<'a> {
    /// A completion that ended by itself.
    pub fn stopped(problem: &'a Problem, completion: &'a str) -> Self {
        Answer { problem, completion, ending: Ending::Stopped }
    }

    /// A completion that was cut at the token limit.
    pub fn truncated(problem: &'a Problem, completion: &'a str) -> Self {
        Answer { problem, completion, ending: Ending::Truncated }
    }
}

/// The verdicts of a judge that reads one stopped completion at a time; truncated completions are [`Verdict::Truncated`].
/// A short way to implement [`crate::Env::judge`].
pub fn judge_each(answers: &[Answer<'_>], judge: impl Fn(&Problem, &str) -> Verdict) -> Vec<Verdict> {
    let verdict = |answer: &Answer<'_>| match answer.ending {
        Ending::Truncated => Verdict::Truncated,
        Ending::Stopped => judge(answer.problem, answer.completion),
    };
    answers.iter().map(verdict).collect()
}

/// What the judge says of a completion. Only `Right` is rewarded; the others are told apart in records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The completion is right.
    Right,
    /// The completion has the form that is asked for, but is not right.
    Wrong,
    /// The completion does not have the form that is asked for.
    Unparsable,
    /// The completion was cut at the token limit, and its beginning was not judged.
    Truncated,
    /// The judge could not decide. Such a completion says nothing about the policy and is not trained on.
    Ungraded,
}

impl Verdict {
    /// Every verdict.
    pub const ALL: [Verdict; 5] =
        [Verdict::Right, Verdict::Wrong, Verdict::Unparsable, Verdict::Truncated, Verdict::Ungraded];

    /// Outcome reward: 1 for `Right`, 0 for any other verdict.
    pub fn reward(self) -> f64 {
        f64::from(self == Verdict::Right)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_judge_of_one_answer_judges_many_in_order() {
        let [one, two] = ["1", "2"].map(|answer| Problem { id: 0, prompt: "".into(), answer: answer.into() });
        let answers = [
            Answer::stopped(&one, "1"),
            Answer::truncated(&one, "1"),
            Answer::stopped(&two, "1"),
            Answer::stopped(&two, "2"),
        ];
        let judge = |problem: &Problem, completion: &str| match completion == problem.answer {
            true => Verdict::Right,
            false => Verdict::Wrong,
        };
        let expected = [Verdict::Right, Verdict::Truncated, Verdict::Wrong, Verdict::Right];
        assert_eq!(judge_each(&answers, judge), expected);
    }

    #[test]
    fn only_right_is_rewarded() {
        let rewards = Verdict::ALL.map(Verdict::reward);
        assert_eq!(rewards, [1.0, 0.0, 0.0, 0.0, 0.0]);
    }
}
