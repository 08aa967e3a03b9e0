//! Every completion there is, so that an expectation over them is a finite sum.
//!
//! The completions are the leaves of the tree that a sampler walks: after each character it may stop, until the token limit
//! stops it. So their probabilities under any policy add up to 1.

use crate::env::{Ending, Env, Problem, Verdict};

/// Every completion of at most `max_tokens` tokens, end token included, over the characters of the alphabet.
pub fn completions(alphabet: &str, max_tokens: usize) -> Completions {
    Completions { alphabet: alphabet.chars().collect(), max_tokens, next: Some(Vec::new()) }
}

/// How many completions there are over an alphabet of `characters`; none where the number does not fit.
pub fn count(characters: usize, max_tokens: usize) -> Option<u128> {
    let base = u128::try_from(characters).ok()?;
    if base <= 1 {
        // One text of each length, or the empty one alone; and without a token limit above 0, that one cut short.
        return u128::try_from(if base == 1 { max_tokens.checked_add(1)? } else { 1 }).ok();
    }
    (0..max_tokens).try_fold(1_u128, |count, _| count.checked_mul(base)?.checked_add(1))
}

/// Every completion of the environment with the judge's word on it.
pub fn judged<'a>(env: &'a dyn Env, problem: &'a Problem) -> impl Iterator<Item = (String, Ending, Verdict)> + 'a {
    completions(&env.alphabet(), env.max_tokens()).map(|(text, ending)| {
        let verdict = env.judge(problem, &text, ending);
        (text, ending, verdict)
    })
}

/// The shortest first, and those of a length in the order of the alphabet.
#[derive(Clone, Debug)]
pub struct Completions {
    alphabet: Vec<char>,
    max_tokens: usize,
    /// Places in the alphabet.
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
    /// Counts up like an odometer, and on overflow goes on with one character more.
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
