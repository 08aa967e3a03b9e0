//! Is this answer right? Grades mathematical answers.

#![warn(missing_docs)]

mod certified;
mod characters;
mod compare;
mod expr;
mod grade;
mod limits;
mod normal;
mod parse;
mod print;
mod read;
pub mod response;
mod token;
mod unit;
mod value;

pub use grade::{Decimals, Gold, Grade, Step, Verdict};
pub use response::{Found, Missing, Place, Rule, find};
