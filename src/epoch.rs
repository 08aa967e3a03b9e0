//! The order in which a data set is passed over: every problem once an epoch, each epoch in an order of its own.
//!
//! The order is a keyed permutation (a Feistel network with cycle walking, Black and Rogaway 2002, section 4), so the n-th
//! problem of a run follows from seed and n alone: nothing has to be stored to go on in the middle of an epoch, and a data set
//! of 10^18 problems takes no memory.

/// A permutation of the numbers below `count`.
#[derive(Clone, Copy, Debug)]
struct Permutation {
    count: u64,
    /// Bits of each half of a number in the network.
    half: u32,
    key: u64,
}

/// Which problem comes at a position of a run, counted over all epochs: its index among `count`, which is at least 1.
pub fn index(seed: u64, count: u64, position: u64) -> u64 {
    let count = count.max(1);
    let key = mix(seed ^ mix(position / count));
    Permutation::new(count, key).at(position % count)
}

impl Permutation {
    fn new(count: u64, key: u64) -> Permutation {
        let bits = u64::BITS - (count - 1).leading_zeros();
        Permutation { count, half: bits.div_ceil(2).max(1), key }
    }

    /// The network permutes the numbers below `4^half`; those at or above `count` are permuted again, until one is below.
    fn at(self, position: u64) -> u64 {
        let mut number = self.network(position);
        while number >= self.count {
            number = self.network(number);
        }
        number
    }

    fn network(self, number: u64) -> u64 {
        let mask = (1 << self.half) - 1;
        let (mut left, mut right) = (number >> self.half, number & mask);
        for round in 0..ROUNDS {
            let mixed = left ^ (mix(self.key ^ mix(right ^ round << 56)) & mask);
            (left, right) = (right, mixed);
        }
        left << self.half | right
    }
}

const ROUNDS: u64 = 8;

/// The finaliser of SplitMix64 (Steele, Lea and Flood 2014).
pub(crate) fn mix(number: u64) -> u64 {
    let z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_problem_comes_once_an_epoch() {
        for count in [1, 2, 3, 7, 64, 65, 1000] {
            for (seed, epoch) in [(0, 0), (0, 1), (9, 4)] {
                let order: Vec<u64> = (0..count).map(|i| index(seed, count, epoch * count + i)).collect();
                assert_eq!(order.iter().collect::<BTreeSet<_>>().len() as u64, count);
                assert!(order.iter().all(|&i| i < count));
            }
        }
    }

    #[test]
    fn seeds_and_epochs_have_orders_of_their_own() {
        let order = |seed, epoch: u64| (0..100).map(|i| index(seed, 100, 100 * epoch + i)).collect::<Vec<_>>();
        let orders = [order(0, 0), order(0, 1), order(1, 0), order(1, 1)];
        for (i, a) in orders.iter().enumerate() {
            assert!(!orders[..i].contains(a));
        }
        assert_eq!(orders[0], order(0, 0));
    }

    /// Chi-squared of where each of 10 problems comes, over 4000 epochs: 81 degrees of freedom, 130 is beyond 99.95%.
    #[test]
    fn positions_are_uniform() {
        let (count, epochs) = (10_u64, 4000_u64);
        let mut times = vec![0.0; 100];
        for position in 0..count * epochs {
            times[(10 * index(3, count, position) + position % count) as usize] += 1.0;
        }
        let expected = epochs as f64 / count as f64;
        let chi: f64 = times.iter().map(|times: &f64| (times - expected).powi(2) / expected).sum();
        assert!(chi < 130.0, "{chi}");
    }

    #[test]
    fn the_largest_data_sets_need_no_memory() {
        for count in [u64::MAX, 1 << 63, (1 << 62) + 1] {
            assert!((0..100).all(|position| index(5, count, position) < count));
        }
    }
}
