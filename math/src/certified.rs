//! Certified numbers: intervals that hold the exact value of an expression.
//!
//! A [`Ball`](ball::Ball) is a midpoint and a radius of arbitrary precision; every operation rounds the radius up, so the exact
//! value never leaves the ball. A [`Complex`](complex::Complex) is two balls. A [`Value`] is an exact rational number as long as
//! that is small, and a complex number otherwise. [`evaluate()`] gives the value of an expression at a point.
//!
//! Where a ball does not settle a question (the sign of a number, the side of a branch cut, the integer below) the answer is
//! [`Trouble::Undecided`], and a higher precision may settle it.

mod ball;
mod bound;
mod budget;
mod complex;
mod constants;
mod elementary;
mod evaluate;
mod fixed;
mod functions;
mod integers;
mod power;
mod trouble;
mod value;

#[cfg(test)]
mod tests;

pub(crate) use budget::Budget;
pub(crate) use evaluate::{Base, Point, evaluate};
pub(crate) use trouble::Trouble;
pub(crate) use value::Value;
