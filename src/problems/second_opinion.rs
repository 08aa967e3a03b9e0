//! A judge for answers that the rules leave open.

use std::sync::{Mutex, PoisonError};

use oreal_toy_envs::{IllegalSetting, Verdict};

use crate::error::Error;
use crate::judge::{Asks, Counts, Judge, JudgeSettings, LONGEST_ANSWER, Opinion, Question};

/// A judge, and what is not yet told of it.
#[derive(Debug)]
pub(super) struct SecondOpinion {
    judge: Judge,
    asks: Asks,
    told: Mutex<Told>,
}

#[derive(Debug, Default)]
struct Told {
    /// What was told before.
    counts: Counts,
    /// The first failure since then.
    failure: Option<String>,
}

impl SecondOpinion {
    /// Refuses settings by key; see [`Judge::new`].
    pub(super) fn new(settings: JudgeSettings) -> Result<SecondOpinion, IllegalSetting> {
        let asks = settings.asks;
        match Judge::new(settings) {
            Ok(judge) => Ok(SecondOpinion { judge, asks, told: Mutex::default() }),
            Err(Error::Setting { place, problem }) => Err(IllegalSetting { key: place, problem }),
            Err(other) => Err(IllegalSetting { key: "judge".to_owned(), problem: other.to_string() }),
        }
    }

    /// Replaces the verdicts that the judge is asked about. `question` gives the question for a place; where there is none, the
    /// verdict stays; so does that on a wrong answer that is too long to be asked about. Without a decision of the judge the
    /// verdict is [`Verdict::Ungraded`], whatever the rules said.
    pub(super) fn revise(&self, verdicts: &mut [Verdict], question: impl Fn(usize) -> Option<Question>) {
        let open = verdicts.iter_mut().enumerate().filter(|(_, verdict)| self.asks_after(**verdict));
        let (open, questions): (Vec<&mut Verdict>, Vec<Question>) = open
            .filter_map(|(place, verdict)| Some((*verdict, verdict, question(place)?)))
            .filter(|(by_rule, _, question)| *by_rule != Verdict::Wrong || question.answer.len() <= LONGEST_ANSWER)
            .map(|(_, verdict, question)| (verdict, question))
            .unzip();
        for (verdict, opinion) in open.into_iter().zip(self.judge.opinions(&questions)) {
            *verdict = match opinion {
                Opinion::Right => Verdict::Right,
                Opinion::Wrong => Verdict::Wrong,
                Opinion::Ungraded(why) => {
                    self.told.lock().unwrap_or_else(PoisonError::into_inner).failure.get_or_insert(why);
                    Verdict::Ungraded
                }
            };
        }
    }

    /// How the judge did since this was last asked; empty where it had nothing to do.
    pub(super) fn notices(&self) -> Vec<String> {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = self.judge.counts();
        let news = counts.since(told.counts);
        told.counts = counts;
        let failure = told.failure.take().map(|why| format!("; the first failure: {why}"));
        let news = (news != Counts::default()).then(|| format!("{news}{}", failure.unwrap_or_default()));
        news.into_iter().chain(self.judge.notice()).collect()
    }

    fn asks_after(&self, verdict: Verdict) -> bool {
        match verdict {
            Verdict::Ungraded => self.asks.after(oreal_math::Verdict::CannotTell),
            Verdict::Wrong => self.asks.after(oreal_math::Verdict::Wrong),
            Verdict::Right | Verdict::Unparsable | Verdict::Truncated => false,
        }
    }
}
