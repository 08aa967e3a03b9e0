//! Reinforcement learning algorithms as equations.
//!
//! A loss depends on models only through a small set of per-token scalars that they report and take a cotangent for
//! ([`Column`] lists them). Here `L = f(signals, data)` is written in a typed language, printed back as the formula that
//! runs, and differentiated exactly; no tensor library is involved.
//!
//! In reading order: the language ([`Expr`] with its ranks and flows, [`Terms`] that it speaks of, [`minimise`] that
//! makes an [`Objective`] of it), the data ([`Layout`], [`Experience`]), what an [`Algorithm`] is and which trajectories
//! it learns from ([`Selection`]), the [`estimators`] that algorithms share, and the algorithms.
//!
//! ```
//! use oreal_algos::{Batch, Trajectory, minimise};
//!
//! let gspo = minimise(|x| {
//!     let ratio = (x.logp() - x.old_logp()).mean::<Trajectory>().exp().named("ratio");
//!     -(ratio * x.reward()).mean::<Batch>()
//! });
//! assert_eq!(gspo.formula(), "ratio = exp(mean_trajectory(logπ - logπ_old))\nloss  = -mean_batch(ratio·R)\n");
//! ```

mod rank;

mod operation;

mod graph;

mod analysis;

mod expr;
mod terms;

mod formula;
mod objective;

mod experience;
mod layout;

mod algorithm;
mod selection;

pub mod estimators;

mod built_in;
mod grpo;
mod oreal;
mod ppo;
mod reinforce;
mod rft;
mod rloo;

pub use algorithm::{Algorithm, Passes, credit_of};
pub use built_in::BuiltIn;
pub use estimators::{Average, Kl};
pub use experience::{Column, Columns, Experience, Role};
pub use expr::Expr;
pub use formula::{Credit, minimise};
pub use grpo::{Grpo, Scale};
pub use layout::Layout;
pub use objective::{Loss, Objective, Split};
pub use oreal::{
    Alignment, Anchor, Negatives, Normaliser, Oreal, Pooling, Positives, RewardCoding, Shaping, TokenWeights,
};
pub use ppo::{Ppo, Whitening};
pub use rank::{Batch, Finer, Flow, Frozen, Group, Join, Joined, Level, Live, Mix, Rank, Token, Trajectory, Within};
pub use reinforce::{Baseline, Reinforce};
pub use rft::Rft;
pub use rloo::Rloo;
pub use selection::{FreeSelection, Outcome, Repeats, Select, Selection};
pub use terms::{Data, Terms};
