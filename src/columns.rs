//! Data columns of a user's own: numbers made of a judged completion.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use oreal_algos::{Column, Experience, Level};
use oreal_toy_envs::Problem;

use crate::error::{Error, Result};
use crate::rollout::{Group, Trajectory};

/// A data column, and the function that its values come from.
#[derive(Clone)]
pub struct DataColumn {
    /// Which column.
    pub column: Column,
    values: Arc<Values>,
}

type Values = dyn Fn(&Problem, &Trajectory) -> Vec<f64> + Send + Sync;

impl DataColumn {
    /// `values` gives one number for a column of trajectories, and one per token for a column of tokens.
    pub fn new(
        column: Column,
        values: impl Fn(&Problem, &Trajectory) -> Vec<f64> + Send + Sync + 'static,
    ) -> DataColumn {
        DataColumn { column, values: Arc::new(values) }
    }

    /// The values of a whole batch; as many as the layout asks for, or an error that names the column.
    fn of(&self, groups: &[Group], step: u64) -> Result<Vec<f64>> {
        let mut all = Vec::new();
        for group in groups {
            for trajectory in &group.trajectories {
                let values = (self.values)(&group.problem, trajectory);
                let expected = match self.column.level() {
                    Level::Token => trajectory.completion.tokens.len(),
                    _ => 1,
                };
                if values.len() != expected {
                    let problem = format!("{} values for a completion that needs {expected}", values.len());
                    return Err(Error::Column { step, column: self.column.name().to_owned(), problem });
                }
                all.extend(values);
            }
        }
        Ok(all)
    }
}

/// Puts those of `wanted` that are data columns of a user's own in place.
pub(crate) fn fill(
    x: &mut Experience,
    wanted: &BTreeSet<Column>,
    columns: &[DataColumn],
    groups: &[Group],
    step: u64,
) -> Result<()> {
    for column in columns.iter().filter(|column| wanted.contains(&column.column)) {
        x.set(column.column, column.of(groups, step)?)?;
    }
    Ok(())
}

/// Refuses a batch with a value that is not finite. The error names the column.
pub(crate) fn check_finite(x: &Experience, step: u64) -> Result<()> {
    for (column, values) in x.columns() {
        if let Some((index, value)) = values.iter().enumerate().find(|(_, value)| !value.is_finite()) {
            let (level, column) = (column.level(), column.name().to_owned());
            let problem = format!("{value} at {level} {index} of the batch; every value must be finite");
            return Err(Error::Column { step, column, problem });
        }
    }
    Ok(())
}

impl PartialEq for DataColumn {
    fn eq(&self, other: &DataColumn) -> bool {
        self.column == other.column
    }
}

impl fmt::Debug for DataColumn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DataColumn").field("column", &self.column.name()).finish_non_exhaustive()
    }
}
