//! What one normal form may cost, and why there may be none.

use num_rational::BigRational;

use super::rational::bits;
use crate::limits::{ALL_PRODUCTS, PRODUCTS};

/// Why an expression has no normal form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// It has no value: a division by zero, 0^0, the logarithm of zero, the factorial of a negative integer.
    Undefined,
    /// A limit of [`crate::limits`] is reached.
    TooLarge,
    /// It holds [`crate::expr::Constant::Infinity`].
    Infinite,
}

/// The work that is left, in products of two small terms.
#[derive(Debug)]
pub(crate) struct Work {
    /// For the form that is being made.
    left: usize,
    /// For all forms of one verdict.
    all: usize,
}

impl Work {
    /// All that the forms of one verdict may take.
    pub(crate) fn new() -> Work {
        Work { left: PRODUCTS.min(ALL_PRODUCTS), all: ALL_PRODUCTS }
    }

    /// The same, of which the next form may take [`PRODUCTS`].
    pub(super) fn next(&mut self) -> &mut Work {
        self.left = PRODUCTS.min(self.all);
        self
    }

    /// Takes away the work of so many products.
    pub(super) fn spend(&mut self, products: usize) -> Result<(), Trouble> {
        let left = self.left.checked_sub(products);
        self.all -= products.min(self.left);
        self.left = left.unwrap_or(0);
        left.map(|_| ()).ok_or(Trouble::TooLarge)
    }
}

/// The work of one operation on rational numbers, beyond that on small ones. A product of integers of w words takes about w^2
/// machine instructions, the greatest common divisor that reduces a fraction about 64 times 2 w^2.
pub(super) fn work_of(value: &BigRational) -> usize {
    let words = usize::try_from(bits(value) / 64).unwrap_or(usize::MAX);
    let square = words.saturating_mul(words);
    if value.is_integer() { square / 1024 + words / 16 } else { 1 + square / 2 }
}
