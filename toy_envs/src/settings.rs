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

/// A struct of settings as given, which starts from its default. Reading it, an unknown key is an error that lists the known
/// ones, and the error of a value names its key (the derived reader of serde does not).
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
