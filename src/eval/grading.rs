//! Verdicts on completions: by rule, and by a judge where the settings have one.

use oreal_math::find;
use oreal_models::Ending;
use oreal_toy_envs::Verdict;
use rayon::prelude::*;

use super::generator::Generated;
use crate::error::Result;
use crate::judge::{Asks, Judge, JudgeSettings, LONGEST_ANSWER, Opinion, Question};
use crate::problems::TestProblem;
use crate::rule::RuleName;

/// Grades completions.
#[derive(Debug)]
pub(super) struct Grader {
    rule: RuleName,
    judge: Option<(Judge, Asks)>,
}

/// A verdict, and where it comes from.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Graded {
    pub(super) verdict: Verdict,
    /// The step of [`oreal_math::Step`] that decided; else `ending` or `judge`.
    pub(super) step: &'static str,
    /// Why, in words; empty for a right answer.
    pub(super) reason: String,
    /// The answer, as it was written.
    pub(super) answer: Option<String>,
}

impl Grader {
    /// Checks the settings of the judge and reads its key. Sends nothing.
    pub(super) fn new(rule: RuleName, judge: Option<&JudgeSettings>) -> Result<Grader> {
        let judge = judge.map(|settings| Judge::new(settings.clone()).map(|judge| (judge, settings.asks)));
        Ok(Grader { rule, judge: judge.transpose()? })
    }

    /// One verdict for each completion, in their order.
    pub(super) fn grade(&self, completions: &[(&TestProblem, &Generated)]) -> Vec<Graded> {
        let mut graded: Vec<Graded> = completions.par_iter().map(|(problem, of)| self.by_rule(problem, of)).collect();
        let Some((judge, asks)) = &self.judge else { return graded };
        let question = |((problem, _), graded): (&(&TestProblem, &Generated), &Graded)| {
            let answer = graded.answer.as_ref().filter(|_| asked(*asks, graded))?;
            let (question, gold) = (problem.question.clone(), problem.answer.clone());
            Some(Question { question, gold, answer: answer.clone() })
        };
        let questions: Vec<Option<Question>> = completions.iter().zip(&graded).map(question).collect();
        let asked: Vec<Question> = questions.iter().flatten().cloned().collect();
        let open = graded.iter_mut().zip(&questions).filter(|(_, question)| question.is_some());
        for ((graded, _), opinion) in open.zip(judge.opinions(&asked)) {
            graded.revise(opinion);
        }
        graded
    }

    /// How the judge did; `None` without one, or where it had nothing to do.
    pub(super) fn notice(&self) -> Option<String> {
        let (judge, _) = self.judge.as_ref()?;
        let counts = judge.counts();
        let notice = judge.notice().map(|notice| format!("; {notice}"));
        (counts != Default::default()).then(|| format!("{counts}{}", notice.unwrap_or_default()))
    }

    fn by_rule(&self, problem: &TestProblem, completion: &Generated) -> Graded {
        if completion.ending == Ending::Truncated {
            let reason = "cut at the token limit".to_owned();
            return Graded { verdict: Verdict::Truncated, step: "ending", reason, answer: None };
        }
        let grade = problem.grade(&completion.text, self.rule);
        let verdict = match grade.verdict {
            oreal_math::Verdict::Right => Verdict::Right,
            oreal_math::Verdict::Wrong => Verdict::Wrong,
            oreal_math::Verdict::CannotTell => Verdict::Ungraded,
            oreal_math::Verdict::Unparsable => Verdict::Unparsable,
        };
        let answer = find(&completion.text, self.rule.into()).ok().map(|found| found.text.into_owned());
        Graded { verdict, step: grade.step.name(), reason: grade.reason, answer }
    }
}

impl Graded {
    /// Without a decision of the judge there is none, whatever the rules said.
    fn revise(&mut self, opinion: Opinion) {
        self.step = "judge";
        self.verdict = match opinion {
            Opinion::Right => Verdict::Right,
            Opinion::Wrong => Verdict::Wrong,
            Opinion::Ungraded(why) => {
                self.reason = format!("{}; the judge: {why}", self.reason);
                Verdict::Ungraded
            }
        };
    }
}

/// Whether the judge is asked. A wrong answer that is too long to be asked about stays wrong.
fn asked(asks: Asks, graded: &Graded) -> bool {
    match graded.verdict {
        Verdict::Ungraded => asks.after(oreal_math::Verdict::CannotTell),
        Verdict::Wrong => {
            let short = graded.answer.as_ref().is_some_and(|answer| answer.len() <= LONGEST_ANSWER);
            short && asks.after(oreal_math::Verdict::Wrong)
        }
        Verdict::Right | Verdict::Unparsable | Verdict::Truncated => false,
    }
}
