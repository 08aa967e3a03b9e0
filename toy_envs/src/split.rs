//! Numbered entries, split into those to train on and those held out, by a rule that depends only on how many there are.
//!
//! The entries are cut into blocks of `b` consecutive ones, and one entry of each block is held out; a hash of the block's
//! number chooses which. `b` is 10, or less where a tenth would be fewer than 50 entries, but at least 2. So about 50 entries
//! are held out of fewer than 500, and never more than half. The splits are disjoint, neither is empty, and the n-th entry of
//! either is found without a search.

use crate::problem::Split;

/// Entries of two splits, numbered from 0 in each.
pub(crate) trait Entries {
    type Entry;

    /// How many entries the split has, at least 1.
    fn count(&self, split: Split) -> u64;

    /// The entry at `index`, which is below the count.
    fn nth(&self, split: Split, index: u64) -> Self::Entry;

    /// The entry at `index` modulo the count.
    fn at(&self, split: Split, index: u64) -> Self::Entry {
        self.nth(split, index % self.count(split))
    }
}

/// The numbers from 0 below `total`, which is at least 2.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Numbers {
    total: u64,
    /// Entries of which one is held out.
    block: u64,
}

/// Ordered pairs of numbers from 0 below a bound, which is at least 2. `(a, b)` and `(b, a)` are in the same split, so that
/// commutativity does not give away the answer to a held-out problem.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pairs {
    /// Pairs of a number with itself.
    equal: Numbers,
    /// Pairs of two different numbers, the smaller first.
    unequal: Numbers,
}

impl Numbers {
    /// `total` is at least 2.
    pub(crate) fn new(total: u64) -> Self {
        Self { total, block: block(total) }
    }

    /// The entry of the block that is held out. A last block of a single entry has none.
    fn held_out_of(&self, block: u64) -> Option<u64> {
        let length = self.block.min(self.total - self.block * block);
        (length > 1).then(|| splitmix64(block) % length)
    }
}

impl Entries for Numbers {
    type Entry = u64;

    fn count(&self, split: Split) -> u64 {
        let held_out = (self.total + self.block - 2) / self.block;
        match split {
            Split::Train => self.total - held_out,
            Split::HeldOut => held_out,
        }
    }

    fn nth(&self, split: Split, index: u64) -> u64 {
        match split {
            Split::HeldOut => self.block * index + self.held_out_of(index).unwrap_or(0),
            Split::Train => {
                let (block, place) = (index / (self.block - 1), index % (self.block - 1));
                let skips = self.held_out_of(block).is_some_and(|held_out| held_out <= place);
                self.block * block + place + u64::from(skips)
            }
        }
    }
}

impl Pairs {
    /// Of numbers below `bound`, which is at least 2.
    pub(crate) fn below(bound: u64) -> Self {
        let block = block(bound * bound);
        Self { equal: Numbers { total: bound, block }, unequal: Numbers { total: bound * (bound - 1) / 2, block } }
    }
}

impl Entries for Pairs {
    type Entry = (u64, u64);

    fn count(&self, split: Split) -> u64 {
        self.equal.count(split) + 2 * self.unequal.count(split)
    }

    fn nth(&self, split: Split, index: u64) -> (u64, u64) {
        let Some(index) = index.checked_sub(self.equal.count(split)) else {
            let number = self.equal.nth(split, index);
            return (number, number);
        };
        let (low, high) = unequal_pair(self.unequal.nth(split, index / 2));
        if index.is_multiple_of(2) { (low, high) } else { (high, low) }
    }
}

/// How many entries of `total` share one that is held out.
fn block(total: u64) -> u64 {
    const HELD_OUT: u64 = 50;
    (total / HELD_OUT).clamp(2, 10)
}

/// The `index`-th pair `low < high`: (0,1), (0,2), (1,2), (0,3), ...
fn unequal_pair(index: u64) -> (u64, u64) {
    let high = (1 + 8 * index).isqrt().div_ceil(2);
    (index - high * (high - 1) / 2, high)
}

/// The finaliser of SplitMix64 (Steele, Lea and Flood 2014), as a hash.
fn splitmix64(number: u64) -> u64 {
    let z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests;
