//! A judge: a model that says whether an answer is the same as the gold answer, where rules cannot tell.
//!
//! [`JudgeSettings`] name the model's endpoint; a [`Judge`] gives an [`Opinion`] on each [`Question`]. An opinion is right or
//! wrong only where more than half of the votes say so. Whatever else happens (a server that is down, a reply that is no clear
//! verdict), the answer is ungraded, never wrong, and the run goes on. Decided opinions can be kept on disk.

mod cache;
mod prompt;
mod settings;
#[cfg(test)]
mod tests;
mod verdict;

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use oreal_toy_envs::Message;

use crate::chat::{Chat, Request, Round};
use crate::error;
use cache::{Asked, Cache};
pub use settings::{Asks, JudgeSettings};
use verdict::Letter;

/// Longest final answer that is put to the judge, in bytes. What is longer is no final answer.
pub(crate) const LONGEST_ANSWER: usize = 4000;

/// A candidate's answer, with what it is compared to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Question {
    /// The problem.
    pub question: String,
    /// The gold answer, which is taken to be right.
    pub gold: String,
    /// The candidate's final answer.
    pub answer: String,
}

/// What the judge says of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opinion {
    /// It is the gold answer.
    Right,
    /// It is another answer, or none.
    Wrong,
    /// The judge did not decide; says why.
    Ungraded(String),
}

/// What a judge has done since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Questions that needed the model. A question that occurs twice in a call counts once.
    pub asked: u64,
    /// Questions that the cache answered.
    pub cached: u64,
    /// Requests that were sent again.
    pub retried: u64,
    /// Questions that stayed ungraded.
    pub failed: u64,
}

/// A judge model behind a chat endpoint.
#[derive(Debug)]
pub struct Judge {
    settings: JudgeSettings,
    chat: Chat,
    cache: Option<Cache>,
    asked: AtomicU64,
    cached: AtomicU64,
    failed: AtomicU64,
}

impl Counts {
    /// What came after `earlier` counts of the same judge.
    pub fn since(self, earlier: Counts) -> Counts {
        Counts {
            asked: self.asked.saturating_sub(earlier.asked),
            cached: self.cached.saturating_sub(earlier.cached),
            retried: self.retried.saturating_sub(earlier.retried),
            failed: self.failed.saturating_sub(earlier.failed),
        }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts { asked, cached, retried, failed } = self;
        write!(f, "judge: {asked} asked, {cached} cached, {failed} failed, {retried} requests sent again")
    }
}

impl Judge {
    /// Checks the settings, reads the key and makes the cache's folder. Sends nothing.
    pub fn new(settings: JudgeSettings) -> error::Result<Judge> {
        settings.validate()?;
        let chat = Chat::new(&settings.endpoint(), "judge")?;
        let cache = settings.cache.as_deref().map(Cache::open).transpose()?;
        let [asked, cached, failed] = [0; 3].map(AtomicU64::new);
        Ok(Judge { settings, chat, cache, asked, cached, failed })
    }

    /// One opinion for each question, in their order. Equal questions are asked once.
    pub fn opinions(&self, questions: &[Question]) -> Vec<Opinion> {
        let (mut places, mut different) = (HashMap::new(), Vec::new());
        for question in questions {
            places.entry(question).or_insert_with(|| {
                different.push(question);
                different.len() - 1
            });
        }
        let opinions = self.chat.each(&different, |round, question| self.opinion(round, question));
        questions.iter().map(|question| opinions[places[question]].clone()).collect()
    }

    /// What was done so far.
    pub fn counts(&self) -> Counts {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            asked: count(&self.asked),
            cached: count(&self.cached),
            retried: self.chat.retried(),
            failed: count(&self.failed),
        }
    }

    /// Why opinions are no longer kept in the cache, said once.
    pub fn notice(&self) -> Option<String> {
        self.cache.as_ref().and_then(Cache::notice)
    }

    fn opinion(&self, round: &Round<'_>, question: &Question) -> Opinion {
        let key = Asked::new(&self.settings, question);
        if let Some(opinion) = self.cache.as_ref().and_then(|cache| cache.find(&key)) {
            self.cached.fetch_add(1, Ordering::Relaxed);
            return opinion;
        }
        self.asked.fetch_add(1, Ordering::Relaxed);
        let opinion = self.vote(round, question);
        if let Opinion::Ungraded(_) = opinion {
            self.failed.fetch_add(1, Ordering::Relaxed);
        } else if let Some(cache) = &self.cache {
            cache.keep(&key, &opinion);
        }
        opinion
    }

    /// Asks until more than half of all votes agree, or no longer can.
    fn vote(&self, round: &Round<'_>, question: &Question) -> Opinion {
        if question.answer.len() > LONGEST_ANSWER {
            return Opinion::Ungraded(format!("not asked: the answer is longer than {LONGEST_ANSWER} bytes"));
        }
        let (votes, messages) = (self.settings.votes, prompt::messages(question));
        let (mut right, mut wrong, mut problem) = (0, 0, None);
        for vote in 0..votes {
            match self.verdict(round, self.request(messages.clone(), vote)) {
                Ok(Letter::A) => right += 1,
                Ok(Letter::B | Letter::C) => wrong += 1,
                Err(why) => problem = Some(why),
            }
            if 2 * right > votes {
                return Opinion::Right;
            } else if 2 * wrong > votes {
                return Opinion::Wrong;
            } else if 2 * (right.max(wrong) + votes - 1 - vote) <= votes {
                break;
            }
        }
        let problem = problem.unwrap_or_else(|| "the votes differ".to_owned());
        Opinion::Ungraded(format!("of {votes} votes {right} for right and {wrong} for wrong: {problem}"))
    }

    fn request(&self, messages: Vec<Message>, vote: u32) -> Request {
        let JudgeSettings { votes, temperature, max_tokens, .. } = self.settings;
        // A server that heeds seeds then gives votes that differ, and the same ones in another run.
        let seed = (votes > 1).then_some(vote.into());
        Request { messages, temperature, top_p: None, top_k: None, max_tokens, seed }
    }

    fn verdict(&self, round: &Round<'_>, request: Request) -> Result<Letter, String> {
        let reply = round.reply(&request).map_err(|failure| failure.problem)?;
        verdict::letter(&reply)
    }
}
