//! What an environment is: problems and a judge for training, and for some a teacher and a finite world.
//!
//! [`Env`] is all that training needs. Two more traits describe what only some environments can do:
//! - [`Teacher`] writes demonstrations, for a warm-up by supervised learning.
//! - [`World`] has completions over a known alphabet, so that all of them can be enumerated.
//!
//! # An environment of your own
//! Reverse a word of three letters. Nothing is registered: pass the value where an environment is wanted. The random numbers
//! are those of `rand` 0.10.
//!
//! ```
//! use oreal_toy_envs::{Answer, Env, Problem, Split, Teacher, Verdict, World, enumerate, judge_each};
//! use rand::{Rng, RngExt};
//!
//! #[derive(Debug)]
//! struct Reverse;
//!
//! /// All words of three letters, numbered. Every third one is held out.
//! fn word(split: Split, index: u64) -> (u64, String) {
//!     let number = match split {
//!         Split::HeldOut => 3 * index,
//!         Split::Train => 3 * (index / 2) + 1 + index % 2,
//!     };
//!     let letter = |place: u32| ['a', 'b', 'c'][(number / 3_u64.pow(place) % 3) as usize];
//!     (number, (0..3).map(letter).collect())
//! }
//!
//! /// The verdict on one completion that ended by itself.
//! fn verdict(problem: &Problem, completion: &str) -> Verdict {
//!     if completion == problem.answer {
//!         Verdict::Right
//!     } else if completion.chars().all(|letter| "abc".contains(letter)) {
//!         Verdict::Wrong
//!     } else {
//!         Verdict::Unparsable
//!     }
//! }
//!
//! impl Env for Reverse {
//!     fn name(&self) -> &str {
//!         "reverse"
//!     }
//!     fn max_tokens(&self) -> usize {
//!         4 // three letters and the end token
//!     }
//!     fn count(&self, split: Split) -> u64 {
//!         match split {
//!             Split::Train => 18,
//!             Split::HeldOut => 9,
//!         }
//!     }
//!     fn problem(&self, split: Split, index: u64, _rng: &mut dyn Rng) -> Problem {
//!         let (id, word) = word(split, index);
//!         Problem { id, prompt: format!("{word}>").into(), answer: word.chars().rev().collect() }
//!     }
//!     fn judge(&self, answers: &[Answer<'_>]) -> Vec<Verdict> {
//!         judge_each(answers, verdict)
//!     }
//!     // The next two are optional.
//!     fn teacher(&self) -> Option<&dyn Teacher> {
//!         Some(self)
//!     }
//!     fn world(&self) -> Option<&dyn World> {
//!         Some(self)
//!     }
//! }
//!
//! impl Teacher for Reverse {
//!     fn demonstration(&self, problem: &Problem, error_rate: f64, rng: &mut dyn Rng) -> String {
//!         let errs = rng.random::<f64>() < error_rate;
//!         if errs { format!("{}a", &problem.answer[1..]) } else { problem.answer.clone() }
//!     }
//! }
//!
//! impl World for Reverse {
//!     fn alphabet(&self) -> String {
//!         "abc>".into()
//!     }
//! }
//!
//! let problem = &enumerate::problems(&Reverse, Split::HeldOut).nth(5).unwrap();
//! assert_eq!((problem.prompt.text(), problem.answer.as_str()), (Some("acb>"), "bca"));
//! let answers = [Answer::stopped(problem, "bca"), Answer::stopped(problem, "acb"), Answer::truncated(problem, "bcab")];
//! assert_eq!(Reverse.judge(&answers), [Verdict::Right, Verdict::Wrong, Verdict::Truncated]);
//! let right = enumerate::judged(&Reverse, problem).filter(|(.., verdict)| *verdict == Verdict::Right);
//! assert_eq!(right.count(), 1);
//! ```

use std::fmt::Debug;

use rand::Rng;

use crate::problem::{Problem, Split};
use crate::settings::IllegalSetting;
use crate::verdict::{Answer, Verdict};

/// Problems and the verdicts on their completions.
///
/// No method panics, whatever it is given: any index, any text, any problem (also one of another environment).
pub trait Env: Debug + Send + Sync {
    /// One word, as in configuration files.
    fn name(&self) -> &str;

    /// Longest completion worth sampling, in tokens, end token included.
    fn max_tokens(&self) -> usize;

    /// How many problems the split has, at least 1. An epoch passes over the indices from 0 below this.
    fn count(&self, split: Split) -> u64;

    /// The problem at an index below [`Env::count`]; the environments of this crate take a larger one modulo the count. The
    /// same for the same arguments and random numbers. Most environments have one problem at an index and leave `rng` alone;
    /// where an index stands for several problems, `rng` chooses.
    fn problem(&self, split: Split, index: u64, rng: &mut dyn Rng) -> Problem;

    /// The verdict on each answer, in order. The answers may belong to different problems. An answer that cannot be judged (a
    /// service that does not respond, say) is [`Verdict::Ungraded`].
    fn judge(&self, answers: &[Answer<'_>]) -> Vec<Verdict>;

    /// Refuses, by the key of a setting and before any work, what cannot run: a file that cannot be read, say.
    fn check(&self) -> Result<(), IllegalSetting> {
        Ok(())
    }

    /// What a user should know before a run: problems that were left out, say.
    fn notices(&self) -> Vec<String> {
        Vec::new()
    }

    /// What a user should know after a run, of what happened since this was last asked: how often a judge failed, say.
    fn notices_after(&self) -> Vec<String> {
        Vec::new()
    }

    /// Writes demonstrations, if the environment can.
    fn teacher(&self) -> Option<&dyn Teacher> {
        None
    }

    /// The environment as a world whose completions can be enumerated, if it is one.
    fn world(&self) -> Option<&dyn World> {
        None
    }
}

/// Writes demonstrations, with mistakes if asked to.
pub trait Teacher: Send + Sync {
    /// A completion, right with probability `1 - error_rate` and otherwise wrong or unparsable. Rates below 0 and NaN count
    /// as 0, rates above 1 as 1.
    fn demonstration(&self, problem: &Problem, error_rate: f64, rng: &mut dyn Rng) -> String;
}

/// An environment whose completions are texts over a known alphabet, one token a character. [`crate::enumerate`] lists them.
pub trait World: Env {
    /// Every character that may occur in a prompt or completion, each once. The end of a completion is not a character.
    fn alphabet(&self) -> String;

    /// The decisive token of a stopped completion: the index of the first token after which the completion could no longer
    /// be right, in the sense that the environment defines. The end token has the index after the last character. `None` when
    /// the completion is right or the environment does not define it.
    fn decisive(&self, _problem: &Problem, _completion: &str) -> Option<usize> {
        None
    }
}
