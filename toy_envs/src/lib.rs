//! Binary-reward arithmetic, small enough to enumerate.
//!
//! In reading order:
//! - [`mod@env`]: what an environment is. A [`Problem`] has a prompt and a known answer; the judge's word on a completion is a
//!   [`Verdict`]; a teacher demonstrates, imperfectly if asked to.
//! - The environments, from the one without structure to the one without a procedure: [`bandit`], [`addition`], [`modular`],
//!   [`chain`], [`countdown`].
//! - [`enumerate`]: every completion there is, for exact expectations.
//! - [`built_in`]: the environments as one setting, by name.
//!
//! ```
//! use oreal_toy_envs::{BuiltIn, Ending, Env, Split, Verdict, enumerate};
//!
//! let env: &dyn Env = &*BuiltIn::all()[2];
//! let problem = &env.problems(Split::HeldOut).unwrap()[0];
//! assert_eq!(env.judge(problem, &problem.answer, Ending::Stopped), Verdict::Right);
//! let right = enumerate::judged(env, problem).filter(|(.., verdict)| *verdict == Verdict::Right);
//! assert_eq!(right.count(), 1);
//! ```
//!
//! A new environment is a file that implements [`Env`] and one line in the list of `built_in.rs`; the tests over the list then
//! ask for its file of verdicts in `tests/verdicts/`.

pub mod env;

pub mod addition;
pub mod bandit;
pub mod chain;
pub mod countdown;
pub mod modular;

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
pub use env::{Ending, Env, Problem, Split, Verdict};
pub use modular::Modular;
pub use settings::IllegalSetting;
