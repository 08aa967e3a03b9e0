//! Is this answer right? Decides whether a model's answer to a mathematical problem equals the gold answer.
//!
//! ```
//! use oreal_math::{Gold, Rule, Step, Verdict};
//!
//! let gold = Gold::new(r"\frac{\sqrt{3}}{3}");
//! assert_eq!(gold.grade(r"1/\sqrt{3}").verdict, Verdict::Right);
//! assert_eq!(gold.grade("0.577").verdict, Verdict::Wrong);
//!
//! let grade = Gold::new("(-2, 1]").grade_response(r"So the answer is $\boxed{-2 < x \le 1}$.", Rule::Any);
//! assert_eq!((grade.verdict, grade.step), (Verdict::Right, Step::Certified));
//! assert_eq!(grade.answer, "-2 < x <= 1");
//!
//! // What the rules cannot decide is said, with the reason, and never guessed.
//! let grade = Gold::new(r"\sqrt{x^2}").grade("x");
//! assert_eq!(grade.verdict, Verdict::CannotTell);
//! assert_eq!(grade.reason, "equal for some values of the variables, not for all");
//! ```
//!
//! In reading order:
//! - [`response`] finds the answer in a response: the last box, a phrase, the last formula or number.
//! - `characters`, `token` and `parse` read it: LaTeX and plain text become a `value`, whose formulas are an `expr`.
//! - `compare` compares two values, from exact to approximate. Formulas are compared as rational numbers, then by their
//!   `normal` forms, then by `certified` numbers: intervals of arbitrary precision that hold the exact value.
//! - [`Gold`] puts these together and gives a [`Grade`].
//!
//! # What is promised
//! - **No rounding.** Two formulas are equal because they have one normal form, or because intervals around their values agree
//!   to many more bits than different formulas of their size do. They differ because the intervals are apart.
//! - **No panic, no hang.** Depth, size and work are bounded by counts, so a verdict is the same on every machine. What exceeds
//!   a bound is [`Verdict::CannotTell`].
//! - **One answer.** A response that gives several candidates is not right because one of them is.
//!
//! # Conventions
//! - A unit is dropped where only one side has one; units of one dimension are converted. `8%` equals `8` and `0.08`.
//! - A decimal of the gold answer may be rounded: `0.33` equals the fraction 1/3, which no decimal equals. Another decimal that
//!   rounds to it is [`Verdict::CannotTell`], unless [`Decimals::Rounded`] says that all decimals are rounded. A decimal answer
//!   equals an exact gold answer only exactly.
//! - `x = 3` equals `3`, and an interval the inequality that says the same.
//! - Order matters in `(1, 2)`, not in `{1, 2}` or `1, 2`. Brackets of two numbers matter, since they may be an interval's.
//! - `e` and `i` are constants; other letters are variables.

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
mod step;
mod token;
mod unit;
mod value;

pub use grade::{Decimals, Gold, Grade, Verdict};
pub use response::{Found, Missing, Place, Rule, find};
pub use step::Step;
