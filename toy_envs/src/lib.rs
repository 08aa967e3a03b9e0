//! Environments with binary rewards: small arithmetic problems with known answers.
//!
//! In reading order:
//! - [`mod@problem`]: a [`Problem`] is a prompt (text or chat) with a known answer.
//! - [`mod@verdict`]: an [`Answer`] is a completion of a problem; a [`Verdict`] is what the judge says of it.
//! - [`mod@env`]: the traits. [`Env`] is what training needs, [`Teacher`] writes demonstrations, [`World`] can be enumerated.
//! - The environments: [`bandit`], [`addition`], [`modular`], [`chain`], [`countdown`].
//! - [`word_problems`]: stories with worked steps, for files of problems.
//! - [`enumerate`]: every problem of a split and every completion of a problem, for exact expectations.
//! - [`built_in`]: the environments as one setting, chosen by name.
//!
//! | environment | prompt | right completion | by default: problems to train on / held out | longest completion, tokens |
//! |---|---|---|---|---|
//! | [`bandit`] | `q2?` | `a`, `b` or `c` | 56 / 56 | 2 |
//! | [`addition`] | `34+57=` | `91` | 9000 / 1000 | 4 |
//! | [`modular`] | `13+15%23=` | `5` | 474 / 55 | 3 |
//! | [`chain`] | `3+4+5=` | `7,12` | 900 / 100 | 6 |
//! | [`countdown`] | `2,3,7>13:` | `2*3+7` and others | 110 / 55 sets of numbers, each with many targets | 8 |
//!
//! ```
//! use oreal_toy_envs::{Addition, Answer, Env, Split, Verdict, enumerate};
//!
//! let env = Addition::default();
//! let problem = &enumerate::problems(&env, Split::HeldOut).next().unwrap();
//! assert_eq!(problem.prompt.text(), Some("5+5="));
//! let answers = [Answer::stopped(problem, "10"), Answer::stopped(problem, "11"), Answer::stopped(problem, "ten")];
//! assert_eq!(env.judge(&answers), [Verdict::Right, Verdict::Wrong, Verdict::Unparsable]);
//! ```
//!
//! An environment of your own implements [`Env`], in any crate; [`mod@env`] has a complete example. To add one to this crate,
//! write its file and its line in `built_in.rs`; the tests over the list then ask for its verdicts in `tests/verdicts/`.

#![warn(missing_docs)]

pub mod problem;
pub mod verdict;

pub mod env;

pub mod addition;
pub mod bandit;
pub mod chain;
pub mod countdown;
pub mod modular;
pub mod word_problems;

pub mod built_in;
pub mod enumerate;

mod mistakes;
mod numeral;
mod settings;
mod split;

pub use addition::Addition;
pub use bandit::Bandit;
pub use built_in::BuiltIn;
pub use chain::Chain;
pub use countdown::Countdown;
pub use env::{Env, Teacher, World};
pub use modular::Modular;
pub use problem::{Message, Problem, Prompt, Speaker, Split};
pub use settings::IllegalSetting;
pub use verdict::{Answer, Ending, Verdict, judge_each};
pub use word_problems::{WordProblem, WordProblems};
