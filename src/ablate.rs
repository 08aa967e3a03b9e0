//! Ablations: variants of one experiment times seeds, from one file, with the statistics of the results.
//!
//! [`Ablation::from_table`] makes every cell of the grid and checks it. [`run`] trains the cells that are not finished, each
//! in an ordinary run folder `LABEL/seed-N`; one that fails is kept with its message. [`Results::read`] makes the statistics,
//! from what is in the folder alone: so they are the same whatever was run at once, and in how many goes. The variants of a
//! seed share one warm-up, so they are compared seed by seed.

mod cells;
mod failures;
mod outcome;
mod pages;
mod results;
mod run;
mod settings;
mod table;
mod variants;

pub(crate) use cells::planned;
pub use cells::{Ablation, Cell};
pub(crate) use failures::Failures;
pub use outcome::Outcome;
pub use results::{Failed, Results, Spending, Summary, VariantResults, Versus};
pub(crate) use run::ABLATION;
pub use run::{Event, Failure, Watch, cell, run};
pub use settings::{AblationSettings, Matched, PILOT_SEEDS, Seeds, TaskSettings, VariantSettings};
pub(crate) use table::{counted, one_line};
pub(crate) use variants::{label_of, labels, of_algorithms, same_start};
