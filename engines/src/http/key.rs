//! The key of a server, which is sent and never shown.

use std::env::{self, VarError};
use std::fmt;

use ureq::http::{HeaderName, HeaderValue, header};

use super::IllegalSetting;

/// Shorter keys are placeholders such as `EMPTY`, and may be words of an ordinary text.
const SHORTEST_SECRET: usize = 8;

/// A key. `Debug` does not show it.
#[derive(Clone)]
pub struct Key {
    text: String,
    name: HeaderName,
    value: HeaderValue,
}

/// The header that a key is sent in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyHeader {
    /// `Authorization: Bearer ..`, as OpenAI's format has it.
    Bearer,
    /// `X-API-Key`, as the Tinker API has it.
    ApiKey,
}

impl Key {
    /// The key in an environment variable; `None` where it is not set or empty. The error names the variable only.
    pub fn from_environment(variable: &str, header: KeyHeader) -> Result<Option<Key>, IllegalSetting> {
        let refused = || {
            let problem = format!("must name a variable with a key: {variable} has characters that no key has");
            IllegalSetting::new("key_variable", problem)
        };
        match env::var(variable) {
            Ok(text) if text.trim().is_empty() => Ok(None),
            Ok(text) => Key::new(text.trim(), header).map(Some).ok_or_else(refused),
            Err(VarError::NotPresent) => Ok(None),
            Err(VarError::NotUnicode(_)) => Err(refused()),
        }
    }

    /// `None` where a header cannot hold it.
    pub fn new(text: &str, header: KeyHeader) -> Option<Key> {
        if !text.chars().all(|c| c.is_ascii_graphic()) {
            return None;
        }
        let (name, value) = match header {
            KeyHeader::Bearer => (header::AUTHORIZATION, format!("Bearer {text}")),
            KeyHeader::ApiKey => (HeaderName::from_static("x-api-key"), text.to_owned()),
        };
        let mut value = HeaderValue::from_str(&value).ok()?;
        value.set_sensitive(true);
        Some(Key { text: text.to_owned(), name, value })
    }

    /// Its header, with the name before the value.
    pub(super) fn header(&self) -> (HeaderName, HeaderValue) {
        (self.name.clone(), self.value.clone())
    }

    /// The text with the key blacked out: a server may send back what it was sent.
    pub fn hide(&self, text: String) -> String {
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
