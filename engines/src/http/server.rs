//! Where a server is, and how patiently it is asked.

use std::net::IpAddr;

use ureq::http::Uri;

/// An address with the settings of its client.
#[derive(Clone, Debug, PartialEq)]
pub struct Server {
    /// Base address, such as `http://127.0.0.1:8000`.
    pub url: String,
    /// The environment variable with the key. No key is sent where it is not set.
    pub key_variable: String,
    /// Requests in flight at once.
    pub concurrency: usize,
    /// Longest time for one request, from the connection to the last byte.
    pub timeout_seconds: f64,
    /// How often a request is sent again after a passing failure.
    pub retries: u32,
    /// Pause before the first retry; it doubles with each further one.
    pub backoff_seconds: f64,
    /// What an answer is called in messages, such as `chat completion`.
    pub what: String,
    /// Longest answer that is read, in bytes.
    pub longest: u64,
}

/// A setting that no client can be made of.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {problem}")]
pub struct IllegalSetting {
    /// The setting.
    pub key: String,
    /// What is wrong, and what would be right.
    pub problem: String,
}

/// Longest time-out: one day.
const LONGEST_TIMEOUT: f64 = 86_400.0;

impl IllegalSetting {
    /// Of this setting.
    pub fn new(key: &str, problem: impl Into<String>) -> IllegalSetting {
        IllegalSetting { key: key.to_owned(), problem: problem.into() }
    }
}

impl Server {
    /// Refuses settings without sense, by key.
    pub fn check(&self) -> Result<(), IllegalSetting> {
        check_url(&self.url).map_err(|problem| IllegalSetting::new("url", problem))?;
        let timeout = self.timeout_seconds > 0.0 && self.timeout_seconds <= LONGEST_TIMEOUT;
        let checks = [
            ("concurrency", (1..=1024).contains(&self.concurrency), "must be from 1 to 1024"),
            ("timeout_seconds", timeout, "must be more than 0, at most 86400"),
            ("retries", self.retries <= 20, "must be at most 20"),
            ("backoff_seconds", (0.0..=60.0).contains(&self.backoff_seconds), "must be from 0 to 60"),
        ];
        match checks.iter().find(|(_, holds, _)| !holds) {
            Some((key, _, problem)) => Err(IllegalSetting::new(key, *problem)),
            None => Ok(()),
        }
    }

    /// Whether the server is on this machine.
    pub(super) fn is_local(&self) -> bool {
        let uri = self.url.parse::<Uri>().unwrap_or_default();
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
        host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

/// The message does not repeat the address, which may hold a password.
fn check_url(url: &str) -> Result<(), &'static str> {
    let Ok(uri) = url.parse::<Uri>() else {
        return Err("must be an address such as http://127.0.0.1:8000");
    };
    let authority = uri.authority().map(|authority| authority.as_str()).unwrap_or_default();
    if !matches!(uri.scheme_str(), Some("http" | "https")) || authority.is_empty() {
        Err("must be an address such as http://127.0.0.1:8000")
    } else if authority.contains('@') {
        Err("must hold no name or password; a key belongs in the environment variable that key_variable names")
    } else if url.contains(['?', '#']) {
        Err("must be a base address, without `?` and `#`")
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn only_servers_on_this_machine_are_local() {
        let settings = testing::Server::start(|_, _, _| {}).settings();
        let local = |url: &str| Server { url: url.into(), ..settings.clone() }.is_local();
        assert!(["http://localhost:1/v1", "http://127.0.0.1/v1", "https://[::1]:8/v1"].into_iter().all(local));
        assert!(!["http://localhost.example.org/v1", "http://10.0.0.1/v1"].into_iter().any(local));
    }
}
