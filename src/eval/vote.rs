//! Majority vote: the answer that most completions of a problem give.
//!
//! Answers are first put together by equal text, then by [`oreal_math`]: two answers are one where each, taken as the gold
//! answer, makes the other right. A completion without an answer, or cut at the token limit, has no vote. Where several answers
//! have most votes, one of them is taken at random, and what is reported is the probability that it is right.

use std::collections::HashMap;

use oreal_math::Gold;
use oreal_toy_envs::Verdict;

use super::statistics::Attempt;
use crate::judge::LONGEST_ANSWER;

/// Whether the vote is right.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Vote {
    /// The probability; `None` where an answer with most votes was not graded, or no completion was drawn.
    pub(super) value: Option<f64>,
    /// It, where all that is not known goes against it, and for it.
    pub(super) bounds: [f64; 2],
}

/// Completions with one answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Class {
    votes: usize,
    right: usize,
    ungraded: usize,
}

/// The vote of completions, which are in the order of their samples; `missing` others were not drawn.
pub(super) fn vote(attempts: &[Attempt], missing: usize) -> Vote {
    let classes = classes(attempts);
    let mut votes: Vec<usize> = classes.iter().map(|class| class.votes).collect();
    votes.sort_unstable_by(|a, b| b.cmp(a));
    let most = votes.first().copied().unwrap_or(0);
    let settled = missing == 0 || most > votes.get(1).copied().unwrap_or(0) + missing;
    let vote = if most > 0 { leading(&classes, most) } else { Vote { value: Some(0.0), bounds: [0.0, 0.0] } };
    Vote { value: vote.value.filter(|_| !attempts.is_empty()), bounds: if settled { vote.bounds } else { [0.0, 1.0] } }
}

/// The vote where the answers with `most` votes are taken.
fn leading(classes: &[Class], most: usize) -> Vote {
    let first: Vec<&Class> = classes.iter().filter(|class| class.votes == most).collect();
    let mean = |value: &dyn Fn(&Class) -> f64| first.iter().map(|class| value(class)).sum::<f64>() / first.len() as f64;
    let share = |count: usize, class: &Class| count as f64 / class.votes as f64;
    let known = first.iter().all(|class| class.votes > class.ungraded);
    Vote {
        value: known.then(|| mean(&|class| class.right as f64 / (class.votes - class.ungraded) as f64)),
        bounds: [mean(&|class| share(class.right, class)), mean(&|class| share(class.right + class.ungraded, class))],
    }
}

/// An answer that has a vote. What is longer than [`LONGEST_ANSWER`] is no final answer.
pub(super) fn ballot(answer: Option<String>) -> Option<String> {
    answer.filter(|answer| answer.len() <= LONGEST_ANSWER)
}

fn classes(attempts: &[Attempt]) -> Vec<Class> {
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut texts: Vec<(&str, Class)> = Vec::new();
    for attempt in attempts {
        let Some(answer) = attempt.answer.as_deref().map(str::trim) else { continue };
        if attempt.verdict == Verdict::Truncated {
            continue;
        }
        let place = *places.entry(answer).or_insert(texts.len());
        if place == texts.len() {
            texts.push((answer, Class::default()));
        }
        texts[place].1.count(attempt.verdict);
    }
    // The most frequent text stands for its class; a stable sort keeps the first one first.
    texts.sort_by_key(|(_, class)| std::cmp::Reverse(class.votes));
    merged(texts)
}

/// Puts together what is equal though written differently.
fn merged(texts: Vec<(&str, Class)>) -> Vec<Class> {
    let mut classes: Vec<(&str, Gold, Class)> = Vec::new();
    for (text, class) in texts {
        let own = Gold::new(text);
        let same = classes.iter_mut().find(|(other, gold, _)| equal(gold, text) && equal(&own, other));
        match same {
            Some((.., first)) => first.add(class),
            None => classes.push((text, own, class)),
        }
    }
    classes.into_iter().map(|(.., class)| class).collect()
}

fn equal(gold: &Gold, answer: &str) -> bool {
    gold.grade(answer).verdict == oreal_math::Verdict::Right
}

impl Class {
    fn count(&mut self, verdict: Verdict) {
        self.votes += 1;
        self.right += usize::from(verdict == Verdict::Right);
        self.ungraded += usize::from(verdict == Verdict::Ungraded);
    }

    fn add(&mut self, other: Class) {
        self.votes += other.votes;
        self.right += other.right;
        self.ungraded += other.ungraded;
    }
}
