//! Where a server listens, and how much it holds.

use std::net::{IpAddr, Ipv4Addr};

use super::ServeError;

/// Settings of a server.
#[derive(Clone)]
pub struct ServeSettings {
    /// Where it listens; only programs on this machine reach 127.0.0.1.
    pub host: IpAddr,
    /// 0 is any free one.
    pub port: u16,
    /// Without it, nobody is answered; `None` answers all.
    pub key: Option<String>,
    /// Of completions that are asked for without a seed.
    pub seed: u64,
    /// Longest sequence, prompt and completion, in tokens.
    pub longest: usize,
    /// Longest completion where a request does not say.
    pub completion: usize,
    /// Most tokens that one call makes a model read.
    pub call_tokens: usize,
    /// Longest request.
    pub body_bytes: usize,
    /// Most sessions.
    pub sessions: usize,
    /// Most models that learn.
    pub models: usize,
    /// Most results that are awaited, and most that are kept.
    pub results: usize,
    /// Most bytes of the results that are kept.
    pub result_bytes: usize,
    /// Most saved weights.
    pub kept: usize,
    /// Most bytes of saved weights.
    pub kept_bytes: usize,
    /// How long a result is waited for before the answer is "not yet".
    pub poll_seconds: f64,
    /// How long a call waits for one with a smaller number.
    pub gap_seconds: f64,
    /// A session that has been silent for so long ends when others need its place.
    pub silence_seconds: f64,
}

impl Default for ServeSettings {
    fn default() -> Self {
        ServeSettings {
            host: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: 8000,
            key: None,
            seed: 0,
            longest: 32_768,
            completion: 4096,
            call_tokens: 1 << 20,
            body_bytes: 64 << 20,
            sessions: 256,
            models: 32,
            results: 10_000,
            result_bytes: 1 << 30,
            kept: 1000,
            kept_bytes: 8 << 30,
            poll_seconds: 20.0,
            gap_seconds: 60.0,
            silence_seconds: 600.0,
        }
    }
}

impl ServeSettings {
    /// Refuses settings without sense, by key.
    pub fn check(&self) -> Result<(), ServeError> {
        let seconds = |seconds: f64| (0.0..=86_400.0).contains(&seconds);
        let key = self.key.as_deref().is_none_or(|key| !key.is_empty() && key.chars().all(|c| c.is_ascii_graphic()));
        let checks = [
            ("key", key, "must be made of visible ASCII characters"),
            ("longest", (2..=1 << 20).contains(&self.longest), "must be from 2 to 1048576"),
            ("completion", self.completion > 0, "must be at least 1"),
            ("call_tokens", self.call_tokens >= self.longest, "must be at least longest"),
            ("body_bytes", (1..=1 << 32).contains(&self.body_bytes), "must be from 1 to 4294967296"),
            ("sessions", self.sessions > 0, "must be at least 1"),
            ("models", self.models > 0, "must be at least 1"),
            ("results", self.results > 0, "must be at least 1"),
            ("kept", self.kept > 0, "must be at least 1"),
            ("poll_seconds", seconds(self.poll_seconds), "must be from 0 to 86400"),
            ("gap_seconds", seconds(self.gap_seconds), "must be from 0 to 86400"),
            ("silence_seconds", seconds(self.silence_seconds), "must be from 0 to 86400"),
        ];
        match checks.iter().find(|(_, holds, _)| !holds) {
            Some((key, _, problem)) => Err(ServeError::Setting { key, problem: (*problem).to_owned() }),
            None => Ok(()),
        }
    }
}
