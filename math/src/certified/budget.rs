//! How much work evaluations may do.

use super::trouble::Trouble;

/// Work that is left, in products of two 64-bit digits. One takes about a nanosecond.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Budget(u64);

impl Budget {
    /// What one comparison may take.
    pub(crate) const COMPARISON: Budget = Budget(500_000_000);

    /// So much work.
    #[cfg(test)]
    pub(crate) fn new(work: u64) -> Budget {
        Budget(work)
    }

    /// Takes the work away. Too large if that much is not left; then nothing is.
    pub(crate) fn spend(&mut self, work: u64) -> Result<(), Trouble> {
        let left = self.0.checked_sub(work);
        self.0 = left.unwrap_or(0);
        left.map(|_| ()).ok_or(Trouble::TooLarge)
    }
}

/// The work that a rational number of so many bits brings to a sum, a product or a quotient: greatest common divisors.
pub(crate) fn exact(bits: u64) -> u64 {
    let digits = bits / 64 + 1;
    100 + 40 * digits * digits
}

/// The work of a sum, a product or a quotient of balls.
pub(crate) fn rounded(precision: u32) -> u64 {
    let digits = u64::from(precision) / 64 + 1;
    500 + 6 * digits * digits
}

/// The work of an elementary function of a real ball.
pub(crate) fn elementary(precision: u32) -> u64 {
    let digits = u64::from(precision) / 64 + 1;
    5_000 + 100 * digits * digits
}
