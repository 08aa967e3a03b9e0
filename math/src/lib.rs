//! Is this answer right? Grades mathematical answers.

#![warn(missing_docs)]

#[allow(dead_code)]
mod characters;
#[allow(dead_code)]
mod expr;
mod grade;
#[allow(dead_code)]
mod limits;
pub mod response;

pub use grade::{Gold, Grade, Step, Verdict};
pub use response::{Found, Missing, Place, Rule, find};
