//! Every problem of a split, and every completion of a problem.
//!
//! The completions are the leaves of the tree that a sampler walks: after each character it may stop, and at the token limit
//! it is cut. So their probabilities add up to 1 under any policy, and an expectation over completions is a finite sum.

use std::iter;

use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;

use crate::env::{Env, World};
use crate::problem::{Problem, Split};
use crate::verdict::{Answer, Ending, Verdict};

/// The problem at each index of the split, in order. Where an index stands for several problems, one is drawn, the same at
/// every call.
pub fn problems(env: &dyn Env, split: Split) -> impl Iterator<Item = Problem> + '_ {
    (0..env.count(split)).map(move |index| env.problem(split, index, &mut ChaCha8Rng::seed_from_u64(index)))
}

/// Every completion of at most `max_tokens` tokens, end token included, over the characters of the alphabet.
pub fn completions(alphabet: &str, max_tokens: usize) -> Completions {
    Completions { alphabet: alphabet.chars().collect(), max_tokens, next: Some(Vec::new()) }
}

/// How many completions of at most `max_tokens` tokens there are over an alphabet of `characters`. `None` if the number does
/// not fit.
pub fn count(characters: usize, max_tokens: usize) -> Option<u128> {
    let base = u128::try_from(characters).ok()?;
    if base <= 1 {
        // One text of each length, or only the empty one. These loops would take `max_tokens` rounds.
        return u128::try_from(if base == 1 { max_tokens.checked_add(1)? } else { 1 }).ok();
    }
    (0..max_tokens).try_fold(1_u128, |count, _| count.checked_mul(base)?.checked_add(1))
}

/// Every completion of the problem with its ending and verdict, in the order of [`completions`]. The world is asked for many
/// verdicts at once; one that it leaves out is [`Verdict::Ungraded`].
pub fn judged<'a>(world: &'a dyn World, problem: &'a Problem) -> impl Iterator<Item = (String, Ending, Verdict)> + 'a {
    const AT_ONCE: usize = 1024;
    let mut completions = completions(&world.alphabet(), world.max_tokens());
    let batches = iter::from_fn(move || {
        let batch: Vec<_> = completions.by_ref().take(AT_ONCE).collect();
        (!batch.is_empty()).then_some(batch)
    });
    batches.flat_map(move |batch| {
        let answer = |at: usize| Answer { problem, completion: &batch[at].0, ending: batch[at].1 };
        let verdicts = world.judge(&(0..batch.len()).map(answer).collect::<Vec<_>>());
        let verdicts = verdicts.into_iter().chain(iter::repeat(Verdict::Ungraded));
        batch.into_iter().zip(verdicts).map(|((text, ending), verdict)| (text, ending, verdict))
    })
}

/// An iterator over completions and their endings: the shortest first, and those of a length in the order of the alphabet.
#[derive(Clone, Debug)]
pub struct Completions {
    alphabet: Vec<char>,
    max_tokens: usize,
    /// The next completion, as places in the alphabet.
    next: Option<Vec<usize>>,
}

impl Iterator for Completions {
    type Item = (String, Ending);

    fn next(&mut self) -> Option<Self::Item> {
        let places = self.next.take()?;
        let text = places.iter().map(|&place| self.alphabet[place]).collect();
        let ending = if places.len() < self.max_tokens { Ending::Stopped } else { Ending::Truncated };
        self.next = self.after(places);
        Some((text, ending))
    }
}

impl Completions {
    /// The next text of the same length, or the first one that is a character longer.
    fn after(&self, mut places: Vec<usize>) -> Option<Vec<usize>> {
        for place in places.iter_mut().rev() {
            if *place + 1 < self.alphabet.len() {
                *place += 1;
                return Some(places);
            }
            *place = 0;
        }
        places.push(0);
        (places.len() <= self.max_tokens && !self.alphabet.is_empty()).then_some(places)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn shortest_first_and_cut_at_the_limit() {
        let all: Vec<_> = completions("ab", 2).map(|(text, ending)| format!("{text} {ending:?}")).collect();
        let expected =
            [" Stopped", "a Stopped", "b Stopped", "aa Truncated", "ab Truncated", "ba Truncated", "bb Truncated"];
        assert_eq!(all, expected);
    }

    #[test]
    fn as_many_as_counted_and_no_two_alike() {
        for alphabet in ["", "a", "ab", "é√3", "0123456789"] {
            for max_tokens in 0..5 {
                let all: HashSet<_> = completions(alphabet, max_tokens).collect();
                assert_eq!(completions(alphabet, max_tokens).count(), all.len(), "{alphabet:?}, {max_tokens}");
                assert_eq!(
                    count(alphabet.chars().count(), max_tokens),
                    Some(all.len() as u128),
                    "{alphabet:?}, {max_tokens}"
                );
            }
        }
    }

    #[test]
    fn counts_that_do_not_fit_are_none() {
        assert_eq!(count(2, 126), Some((1 << 127) - 1));
        assert_eq!(count(2, 127), Some(u128::MAX));
        assert_eq!(count(2, 128), None);
        assert_eq!(count(usize::MAX, usize::MAX), None);
        assert_eq!(count(1, usize::MAX), None);
        assert_eq!(count(0, usize::MAX), Some(1));
    }

    #[test]
    fn a_uniform_sampler_ends_in_one_of_them() {
        for (alphabet, max_tokens) in [("a", 6), ("abc", 5)] {
            let each = 1.0 / (alphabet.len() + 1) as f64;
            let probability = |(text, ending): (String, Ending)| {
                let tokens = text.len() + usize::from(ending == Ending::Stopped);
                each.powi(tokens as i32)
            };
            let total: f64 = completions(alphabet, max_tokens).map(probability).sum();
            assert!((total - 1.0).abs() < 1e-12, "{alphabet:?}: {total}");
        }
    }
}
