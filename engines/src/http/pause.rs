//! How long to wait before a request is sent again.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

/// No pause is longer, whatever the server asks for.
const LONGEST: Duration = Duration::from_secs(60);

/// The pause before the next retry, after `retries` earlier ones: `backoff` doubled each time, between half of it and all of
/// it, on top of what the server asked for.
pub(super) fn before_retry(backoff: Duration, retries: u32, asked_for: Option<Duration>) -> Duration {
    let doubled = backoff.saturating_mul(2_u32.saturating_pow(retries)).min(LONGEST);
    let spread = doubled.mul_f64(0.5 + 0.5 * chance());
    (asked_for.unwrap_or_default().min(LONGEST) + spread).min(LONGEST)
}

/// From 0 to 1. No result depends on it, so it needs no key: it must differ between threads and between processes.
fn chance() -> f64 {
    RandomState::new().build_hasher().finish() as f64 / u64::MAX as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_are_spread_and_are_bounded() {
        let second = Duration::from_secs(1);
        for (retries, least, most) in [(0, 0.5, 1.0), (1, 1.0, 2.0), (3, 4.0, 8.0), (6, 30.0, 60.0), (40, 30.0, 60.0)] {
            let pauses: Vec<f64> = (0..50).map(|_| before_retry(second, retries, None).as_secs_f64()).collect();
            assert!(pauses.iter().all(|pause| (least..=most).contains(pause)), "{retries}: {pauses:?}");
            assert!(pauses.iter().any(|pause| *pause != pauses[0]), "{retries}: no spread");
        }
        let asked = before_retry(second, 0, Some(Duration::from_secs(7))).as_secs_f64();
        assert!((7.5..=8.0).contains(&asked), "{asked}");
        assert_eq!(before_retry(second, 0, Some(Duration::MAX)), LONGEST);
        assert_eq!(before_retry(Duration::ZERO, 9, None), Duration::ZERO);
    }
}
