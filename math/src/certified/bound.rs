//! Upper bounds of errors.

use num_bigint::BigInt;

/// Bits of a mantissa. Rounding up may give `2^BITS` itself, whose square still fits.
const BITS: u32 = 31;

/// The number `mantissa * 2^exponent`, not negative. Its operations round up, so a bound of an error stays one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bound {
    mantissa: u64,
    exponent: i64,
}

impl Bound {
    /// Zero.
    pub(crate) const ZERO: Bound = Bound { mantissa: 0, exponent: 0 };

    /// At least `mantissa * 2^exponent`.
    pub(crate) fn new(mantissa: u64, exponent: i64) -> Bound {
        let excess = (u64::BITS - mantissa.leading_zeros()).saturating_sub(BITS);
        Bound { mantissa: shifted_up(mantissa, excess), exponent: exponent + i64::from(excess) }
    }

    /// At most `mantissa * 2^exponent`: the one constructor that rounds down, for divisors.
    pub(crate) fn below(mantissa: u64, exponent: i64) -> Bound {
        let excess = (u64::BITS - mantissa.leading_zeros()).saturating_sub(BITS);
        Bound { mantissa: mantissa >> excess, exponent: exponent + i64::from(excess) }
    }

    /// At least `|number| * 2^exponent`.
    pub(crate) fn of(number: &BigInt, exponent: i64) -> Bound {
        let (leading, shift) = leading(number);
        Bound::new(if shift == 0 { leading } else { leading + 1 }, exponent + shift)
    }

    /// Whether it is zero.
    pub(crate) fn is_zero(self) -> bool {
        self.mantissa == 0
    }

    /// The least `t` such that the number is below `2^t`; `None` for zero.
    pub(crate) fn top(self) -> Option<i64> {
        (!self.is_zero()).then(|| self.exponent + i64::from(u64::BITS - self.mantissa.leading_zeros()))
    }

    /// The exact parts: mantissa and exponent.
    pub(crate) fn parts(self) -> (u64, i64) {
        (self.mantissa, self.exponent)
    }

    /// The sum.
    pub(crate) fn plus(self, other: Bound) -> Bound {
        if self.is_zero() {
            return other;
        }
        if other.is_zero() {
            return self;
        }
        let (high, low) = if self.exponent >= other.exponent { (self, other) } else { (other, self) };
        // A lift by up to BITS keeps the mantissa below 2^63; the other one is shifted for the rest.
        let lift = (high.exponent - low.exponent).min(i64::from(BITS)) as u32;
        let exponent = high.exponent - i64::from(lift);
        Bound::new((high.mantissa << lift) + low.units(exponent), exponent)
    }

    /// The product.
    pub(crate) fn times(self, other: Bound) -> Bound {
        if self.is_zero() || other.is_zero() {
            return Bound::ZERO;
        }
        Bound::new(self.mantissa * other.mantissa, self.exponent + other.exponent)
    }

    /// The quotient by a number that is at least `least`, which is not zero.
    pub(crate) fn over(self, least: Bound) -> Bound {
        let quotient = (self.mantissa << BITS) / least.mantissa.max(1) + 1;
        if self.is_zero() {
            return Bound::ZERO;
        }
        Bound::new(quotient, self.exponent - i64::from(BITS) - least.exponent)
    }

    /// At least the number as a multiple of `2^exponent`, or the largest `u64`.
    pub(crate) fn units(self, exponent: i64) -> u64 {
        let shift = self.exponent - exponent;
        if shift > i64::from(self.mantissa.leading_zeros()) && !self.is_zero() {
            u64::MAX
        } else if shift >= 0 {
            self.mantissa.checked_shl(shift as u32).unwrap_or(0)
        } else {
            shifted_up(self.mantissa, shift.unsigned_abs().min(64) as u32)
        }
    }
}

/// The leading bits of `|number|`, at most 62, and how many bits follow them. The number is below `(leading + 1) * 2^shift`, and
/// equal to `leading` where nothing follows.
pub(crate) fn leading(number: &BigInt) -> (u64, i64) {
    const KEPT: u64 = 62;
    let bits = number.bits();
    let mut digits = number.iter_u64_digits();
    let high = digits.next_back().unwrap_or(0);
    if bits <= KEPT {
        return (high, 0);
    }
    let low = digits.next_back().unwrap_or(0);
    if bits <= 64 {
        return (high >> (bits - KEPT), (bits - KEPT) as i64);
    }
    let used = (bits - 1) % 64 + 1;
    let both = (u128::from(high) << 64) | u128::from(low);
    ((both >> (used + 64 - KEPT)) as u64, (bits - KEPT) as i64)
}

/// `n / 2^by`, rounded up.
fn shifted_up(n: u64, by: u32) -> u64 {
    let down = n.checked_shr(by).unwrap_or(0);
    if by == 0 || n.trailing_zeros() >= by { down } else { down + 1 }
}
