//! Catalogues of problems, split by a fixed rule that depends on nothing but the catalogue's size.
//!
//! Of every ten consecutive entries one is held out, which one being a hash of the ten. So the splits are disjoint, each has
//! an entry as soon as there are two, and the n-th entry of either is found without a search.

use rand::{Rng, RngExt};

use crate::env::Split;

/// Catalogues of more entries than this are drawn from, not listed.
const LISTABLE: u64 = 100_000;

/// Entries that can be counted and reached by number, in either split.
pub(crate) trait Catalogue {
    type Entry;

    /// At least 1.
    fn count(&self, split: Split) -> u64;

    /// The entry at `index`, which is less than the count.
    fn nth(&self, split: Split, index: u64) -> Self::Entry;

    /// Each entry of the split with the same probability.
    fn draw(&self, split: Split, rng: &mut dyn Rng) -> Self::Entry {
        self.nth(split, rng.random_range(0..self.count(split)))
    }

    fn list(&self, split: Split) -> Option<Vec<Self::Entry>> {
        let count = self.count(split);
        (count <= LISTABLE).then(|| (0..count).map(|index| self.nth(split, index)).collect())
    }
}

/// The numbers from 0 below `total`, which is at least 2.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Numbered {
    pub total: u64,
}

impl Catalogue for Numbered {
    type Entry = u64;

    fn count(&self, split: Split) -> u64 {
        let held_out = self.total.div_ceil(BLOCK);
        match split {
            Split::Train => self.total - held_out,
            Split::HeldOut => held_out,
        }
    }

    fn nth(&self, split: Split, index: u64) -> u64 {
        match split {
            Split::HeldOut => BLOCK * index + self.held_out_of(index),
            Split::Train => {
                let (block, place) = (index / (BLOCK - 1), index % (BLOCK - 1));
                BLOCK * block + place + u64::from(place >= self.held_out_of(block))
            }
        }
    }
}

/// Ordered pairs of numbers from 0 below `below`, which is at least 2. A pair and its mirror image are in the same split,
/// so that commutativity leaks no answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pairs {
    pub below: u64,
}

impl Catalogue for Pairs {
    type Entry = (u64, u64);

    fn count(&self, split: Split) -> u64 {
        self.twins().count(split) + 2 * self.unequal().count(split)
    }

    fn nth(&self, split: Split, index: u64) -> (u64, u64) {
        let twins = self.twins().count(split);
        let Some(beyond) = index.checked_sub(twins) else {
            let both = self.twins().nth(split, index);
            return (both, both);
        };
        let (low, high) = corner(self.unequal().nth(split, beyond / 2));
        if beyond.is_multiple_of(2) { (low, high) } else { (high, low) }
    }
}

const BLOCK: u64 = 10;

impl Numbered {
    fn held_out_of(&self, block: u64) -> u64 {
        let length = BLOCK.min(self.total - BLOCK * block);
        mix(block) % length
    }
}

impl Pairs {
    fn twins(&self) -> Numbered {
        Numbered { total: self.below }
    }

    fn unequal(&self) -> Numbered {
        Numbered { total: self.below * (self.below - 1) / 2 }
    }
}

/// The `index`-th pair `low < high`: (0,1), (0,2), (1,2), (0,3), ...
fn corner(index: u64) -> (u64, u64) {
    let high = (1 + 8 * index).isqrt().div_ceil(2);
    (index - high * (high - 1) / 2, high)
}

/// The finaliser of SplitMix64.
fn mix(number: u64) -> u64 {
    let z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fmt::Debug;

    use super::*;

    /// Both splits, checked to be non-empty, without repetition and disjoint.
    fn splits<C: Catalogue>(catalogue: &C) -> [BTreeSet<C::Entry>; 2]
    where
        C::Entry: Ord + Debug,
    {
        let splits = [Split::Train, Split::HeldOut].map(|split| {
            let list = catalogue.list(split).unwrap();
            let set: BTreeSet<_> = (0..catalogue.count(split)).map(|index| catalogue.nth(split, index)).collect();
            assert_eq!(set.len(), list.len(), "an entry twice in {split:?}");
            assert!(!set.is_empty(), "{split:?} is empty");
            set
        });
        assert!(splits[0].is_disjoint(&splits[1]));
        splits
    }

    #[test]
    fn every_number_is_in_one_split() {
        for total in 2..200 {
            let [train, held_out] = splits(&Numbered { total });
            assert_eq!(train.union(&held_out).copied().collect::<Vec<_>>(), (0..total).collect::<Vec<_>>());
        }
    }

    #[test]
    fn every_pair_is_in_one_split_with_its_mirror_image() {
        for below in 2..30 {
            let [train, held_out] = splits(&Pairs { below });
            assert_eq!((train.len() + held_out.len()) as u64, below * below, "below {below}");
            for set in [train, held_out] {
                assert!(set.iter().all(|&(a, b)| a < below && b < below && set.contains(&(b, a))), "below {below}");
            }
        }
    }

    #[test]
    fn the_largest_catalogues_do_not_overflow() {
        for split in [Split::Train, Split::HeldOut] {
            let pairs = Pairs { below: 1_000_000_000 };
            let (a, b) = pairs.nth(split, pairs.count(split) - 1);
            assert!(a < pairs.below && b < pairs.below);
            let numbers = Numbered { total: 1_000_000_000_000_000_000 };
            assert!(numbers.nth(split, numbers.count(split) - 1) < numbers.total);
        }
    }
}
