//! What can be wrong with the shape of data.

use std::error::Error;
use std::fmt;

use crate::column::Column;
use crate::rank::Level;

/// Data that does not fit its layout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShapeError {
    /// A group without completions.
    EmptyGroup {
        /// Which group, counted from 0.
        group: usize,
    },
    /// A completion without tokens. Every completion has at least one, its end.
    EmptyCompletion {
        /// Which group, counted from 0.
        group: usize,
        /// Which completion of the group, counted from 0.
        completion: usize,
    },
    /// More tokens than can be counted.
    TooManyTokens,
    /// A column with another number of values than its layout has units.
    Column {
        /// Which column.
        column: Column,
        /// How many units of the column's level the layout has.
        expected: usize,
        /// How many values there were.
        found: usize,
    },
    /// A selection with another number of marks than there are trajectories.
    Marks {
        /// How many trajectories there are.
        expected: usize,
        /// How many marks there were.
        found: usize,
    },
}

impl fmt::Display for ShapeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ShapeError::EmptyGroup { group } => write!(f, "group {group} has no completions"),
            ShapeError::EmptyCompletion { group, completion } => {
                write!(f, "completion {completion} of group {group} has no tokens, not even its end")
            }
            ShapeError::TooManyTokens => f.write_str("more tokens than can be counted"),
            ShapeError::Column { column, expected, found } => {
                let units = column.level().plural();
                write!(f, "column `{column}` has {found} values, but there are {expected} {units}")
            }
            ShapeError::Marks { expected, found } => {
                let units = Level::Trajectory.plural();
                write!(f, "a selection gave {found} marks, but there are {expected} {units}")
            }
        }
    }
}

impl Error for ShapeError {}
