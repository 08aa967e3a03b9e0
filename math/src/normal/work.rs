//! What one normal form may cost, and why there may be none.

use crate::limits::PRODUCTS;

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
    left: usize,
}

impl Work {
    /// All that one normal form may take.
    pub(crate) fn new() -> Work {
        Work { left: PRODUCTS }
    }

    /// Takes away the work of so many products.
    pub(super) fn spend(&mut self, products: usize) -> Result<(), Trouble> {
        self.left = self.left.checked_sub(products).ok_or(Trouble::TooLarge)?;
        Ok(())
    }
}

/// The work of one operation on rational numbers of so many bits. Their greatest common divisors take quadratic time.
pub(super) fn work_of(bits: u64) -> usize {
    let words = usize::try_from(bits / 64).unwrap_or(usize::MAX);
    words.saturating_mul(words) / 16
}
