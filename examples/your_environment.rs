//! The program of docs/your_environment.md: an environment of your own with the whole command line.
//!
//! `cargo run --release --example your_environment -- list`

use std::process::ExitCode;

use oreal::Catalogue;
use oreal::envs::{Answer, Env, IllegalSetting, Problem, Split, Teacher, Verdict, World, judge_each};
use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

/// Write a word backwards: `abdc>` is answered by `cdba`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Settings")]
struct Reverse {
    letters: u32,
}

const ALPHABET: [char; 4] = ['a', 'b', 'c', 'd'];

impl Reverse {
    /// The word with this number: its letters are the digits in base 4, the last letter first.
    fn word(&self, number: u64) -> String {
        (0..self.letters).map(|place| ALPHABET[(number >> (2 * place) & 3) as usize]).collect()
    }
}

impl Env for Reverse {
    fn name(&self) -> &str {
        "reverse"
    }

    /// The letters and the end token.
    fn max_tokens(&self) -> usize {
        self.letters as usize + 1
    }

    /// Every fourth word is held out.
    fn count(&self, split: Split) -> u64 {
        let words = 4_u64.pow(self.letters);
        match split {
            Split::Train => words / 4 * 3,
            Split::HeldOut => words / 4,
        }
    }

    fn problem(&self, split: Split, index: u64, _rng: &mut dyn Rng) -> Problem {
        let index = index % self.count(split);
        let number = match split {
            Split::Train => index / 3 * 4 + 1 + index % 3,
            Split::HeldOut => index * 4,
        };
        let word = self.word(number);
        Problem { id: number, prompt: format!("{word}>").into(), answer: word.chars().rev().collect() }
    }

    fn judge(&self, answers: &[Answer<'_>]) -> Vec<Verdict> {
        judge_each(answers, |problem, completion| {
            if completion == problem.answer {
                Verdict::Right
            } else if completion.chars().all(|letter| ALPHABET.contains(&letter)) {
                Verdict::Wrong
            } else {
                Verdict::Unparsable
            }
        })
    }

    fn teacher(&self) -> Option<&dyn Teacher> {
        Some(self)
    }

    fn world(&self) -> Option<&dyn World> {
        Some(self)
    }
}

impl Teacher for Reverse {
    /// A mistake replaces one letter by the next of the alphabet.
    fn demonstration(&self, problem: &Problem, error_rate: f64, rng: &mut dyn Rng) -> String {
        let mut letters: Vec<char> = problem.answer.chars().collect();
        if rng.random::<f64>() < error_rate && !letters.is_empty() {
            let place = rng.random_range(0..letters.len());
            let known = ALPHABET.iter().position(|letter| *letter == letters[place]).unwrap_or_default();
            letters[place] = ALPHABET[(known + 1) % ALPHABET.len()];
        }
        letters.into_iter().collect()
    }
}

impl World for Reverse {
    fn alphabet(&self) -> String {
        "abcd>".into()
    }
}

/// What a file may say.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    letters: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { letters: 4 }
    }
}

impl TryFrom<Settings> for Reverse {
    type Error = IllegalSetting;

    fn try_from(Settings { letters }: Settings) -> Result<Self, IllegalSetting> {
        let legal = (1..=20).contains(&letters);
        legal.then_some(Reverse { letters }).ok_or_else(|| IllegalSetting::new("letters", "from 1 to 20", letters))
    }
}

pub fn catalogue() -> Catalogue {
    Catalogue::built_in().env("reverse", "write a word backwards", Reverse { letters: 4 })
}

fn main() -> ExitCode {
    catalogue().main()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use oreal::envs::enumerate;
    use rand::SeedableRng;
    use rand::rngs::ChaCha8Rng;

    use super::*;

    #[test]
    fn verdicts() {
        let env = Reverse { letters: 4 };
        let problem = &env.problem(Split::HeldOut, 6, &mut ChaCha8Rng::seed_from_u64(0));
        assert_eq!(problem.prompt.text(), Some("acba>"));
        for (completion, verdict) in [
            ("abca", Verdict::Right),
            ("acba", Verdict::Wrong),
            ("abc", Verdict::Wrong),
            ("", Verdict::Wrong),
            ("ab>a", Verdict::Unparsable),
        ] {
            assert_eq!(env.judge(&[Answer::stopped(problem, completion)]), [verdict], "{completion:?}");
        }
        assert_eq!(env.judge(&[Answer::truncated(problem, "abcaa")]), [Verdict::Truncated]);
    }

    #[test]
    fn every_word_is_in_one_split() {
        let env = Reverse { letters: 3 };
        let words = |split| enumerate::problems(&env, split).map(|problem| problem.id).collect::<HashSet<u64>>();
        let (train, held_out) = (words(Split::Train), words(Split::HeldOut));
        assert_eq!((train.len(), held_out.len()), (48, 16));
        assert!(train.is_disjoint(&held_out));
    }

    #[test]
    fn every_problem_has_one_right_completion() {
        let env = Reverse { letters: 3 };
        for problem in enumerate::problems(&env, Split::Train) {
            let right = enumerate::judged(&env, &problem).filter(|(.., verdict)| *verdict == Verdict::Right);
            assert!(right.map(|(completion, ..)| completion).eq([problem.answer.clone()]), "{}", problem.prompt);
        }
    }

    #[test]
    fn demonstrations_are_as_wrong_as_asked() {
        let (env, mut rng) = (Reverse { letters: 4 }, ChaCha8Rng::seed_from_u64(1));
        let mut wrong = 0;
        for index in 0..2000 {
            let problem = env.problem(Split::Train, index, &mut rng);
            let completion = env.demonstration(&problem, 0.3, &mut rng);
            wrong += usize::from(env.judge(&[Answer::stopped(&problem, &completion)]) != [Verdict::Right]);
        }
        assert!((520..680).contains(&wrong), "{wrong} of 2000 demonstrations are wrong");
    }

    #[test]
    fn no_letters_are_refused() {
        let problem = toml::from_str::<Reverse>("letters = 0").unwrap_err();
        assert!(problem.message().contains("from 1 to 20"), "{problem}");
    }
}
