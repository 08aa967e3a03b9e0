//! Settings that are checked when they are made, whether from a file or from code.

use std::error::Error;
use std::fmt::{self, Display};
use std::ops::RangeInclusive;

/// A setting with a value that is not allowed. Printed as `digits must be from 1 to 9, got 10`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IllegalSetting {
    /// Name of the setting, as in configuration files.
    pub key: String,
    /// What is allowed and what was given: `must be from 1 to 9, got 10`.
    pub problem: String,
}

impl IllegalSetting {
    /// `legal` completes "must be ..".
    pub fn new(key: &str, legal: impl Display, got: impl Display) -> Self {
        Self { key: key.into(), problem: format!("must be {legal}, got {got}") }
    }
}

impl Display for IllegalSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.key, self.problem)
    }
}

impl Error for IllegalSetting {}

/// The value, if it is in the range.
pub(crate) fn within(key: &str, legal: RangeInclusive<u32>, got: i64) -> Result<u32, IllegalSetting> {
    let number = u32::try_from(got).ok().filter(|number| legal.contains(number));
    number.ok_or_else(|| IllegalSetting::new(key, format_args!("from {} to {}", legal.start(), legal.end()), got))
}

/// A struct of settings before they are checked. Keys that are left out have the values of its `Default`. An unknown key is an
/// error that lists the known ones, and an error in a value names its key (serde's derived `Deserialize` does not).
macro_rules! settings {
    ($Settings:ident { $($key:ident: $Value:ty),+ $(,)? }) => {
        struct $Settings {
            $($key: $Value,)+
        }

        impl<'de> serde::Deserialize<'de> for $Settings {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                struct Keys;

                impl<'de> serde::de::Visitor<'de> for Keys {
                    type Value = $Settings;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str(concat!("a table of ", $("`", stringify!($key), "` ",)+))
                    }

                    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<$Settings, A::Error> {
                        use serde::de::Error;
                        let mut settings = $Settings::default();
                        while let Some(key) = map.next_key::<String>()? {
                            let named = |error: A::Error| A::Error::custom(format_args!("{key}: {error}"));
                            match key.as_str() {
                                $(stringify!($key) => settings.$key = map.next_value().map_err(named)?,)+
                                _ => return Err(A::Error::unknown_field(&key, &[$(stringify!($key)),+])),
                            }
                        }
                        Ok(settings)
                    }
                }

                from.deserialize_map(Keys)
            }
        }
    };
}

pub(crate) use settings;
