//! Settings are legal by construction: whether from a file or from code, an illegal one is a message.

use std::error::Error;
use std::fmt::{self, Display};
use std::ops::RangeInclusive;

/// Which setting is illegal, what would be legal, and what was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IllegalSetting(String);

impl IllegalSetting {
    pub(crate) fn new(key: &str, legal: impl Display, got: impl Display) -> Self {
        Self(format!("{key} must be {legal}, got {got}"))
    }
}

impl Display for IllegalSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for IllegalSetting {}

/// `got` where it is legal.
pub(crate) fn within(key: &str, legal: RangeInclusive<u32>, got: i64) -> Result<u32, IllegalSetting> {
    let number = u32::try_from(got).ok().filter(|number| legal.contains(number));
    number.ok_or_else(|| IllegalSetting::new(key, format_args!("from {} to {}", legal.start(), legal.end()), got))
}
