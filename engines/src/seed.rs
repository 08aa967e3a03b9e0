//! Seeds for servers.

use oreal_models::Key;
use rand::RngExt;

/// The seed of a completion. It follows from the key alone, so a request that is sent again draws the same. Servers take 31 bits at
/// least.
pub(crate) fn seed(key: &Key) -> u32 {
    key.stream().random::<u32>() >> 1
}
