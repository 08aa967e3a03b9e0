//! Ablations: variants of one experiment times seeds, from one file, with the statistics of the results.
//!
//! [`Ablation::from_table`] makes every cell of the grid and checks it. [`run`] trains the cells that are not finished, each
//! in an ordinary run folder `LABEL/seed-N`. [`Results::read`] makes the statistics, from these folders alone: so they are
//! the same whatever was run at once, and in how many goes. The variants of a seed share one warm-up, so they are compared
//! seed by seed.

mod cells;
mod outcome;
mod pages;
mod results;
mod run;
mod settings;
mod table;
mod variants;

pub use cells::{Ablation, Cell};
pub use outcome::Outcome;
pub use results::{Results, Spending, Summary, VariantResults, Versus};
pub(crate) use run::ABLATION;
pub use run::{Event, Failure, cell, run};
pub use settings::{AblationSettings, Matched, PILOT_SEEDS, Seeds, TaskSettings, VariantSettings};
pub(crate) use variants::{label_of, labels, of_algorithms, same_start};
