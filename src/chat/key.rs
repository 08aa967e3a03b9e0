//! The key of an endpoint, which is sent and never shown.

use std::env::{self, VarError};
use std::fmt;

use oreal_algos::IllegalSetting;
use ureq::http::HeaderValue;

/// Shorter keys are placeholders such as `EMPTY`, and may be words of an ordinary text.
const SHORTEST_SECRET: usize = 8;

/// A key. `Debug` does not show it.
#[derive(Clone)]
pub(super) struct Key {
    text: String,
    header: HeaderValue,
}

impl Key {
    /// The key in an environment variable; `None` where it is not set or empty. The error names the variable only.
    pub(super) fn from_environment(variable: &str) -> Result<Option<Key>, IllegalSetting> {
        let refused = || {
            let problem = format!("must name a variable with a key: {variable} has characters that no key has");
            IllegalSetting::new("key_variable", problem)
        };
        match env::var(variable) {
            Ok(text) if text.trim().is_empty() => Ok(None),
            Ok(text) => Key::new(text.trim()).map(Some).ok_or_else(refused),
            Err(VarError::NotPresent) => Ok(None),
            Err(VarError::NotUnicode(_)) => Err(refused()),
        }
    }

    /// `None` where a header cannot hold it.
    pub(super) fn new(text: &str) -> Option<Key> {
        if !text.chars().all(|c| c.is_ascii_graphic()) {
            return None;
        }
        let mut header = HeaderValue::from_str(&format!("Bearer {text}")).ok()?;
        header.set_sensitive(true);
        Some(Key { text: text.to_owned(), header })
    }

    /// For the `Authorization` header.
    pub(super) fn header(&self) -> HeaderValue {
        self.header.clone()
    }

    /// The text with the key blacked out: a server may send back what it was sent.
    pub(super) fn hide(&self, text: String) -> String {
        match self.text.len() >= SHORTEST_SECRET && text.contains(&self.text) {
            true => text.replace(&self.text, "[key]"),
            false => text,
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key")
    }
}
