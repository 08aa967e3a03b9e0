use std::collections::BTreeSet;
use std::fmt::Debug;

use super::*;

/// Both splits, checked to be non-empty, without repetition and disjoint, and the held-out one not to be the larger.
fn splits<E: Entries>(entries: &E) -> [BTreeSet<E::Entry>; 2]
where
    E::Entry: Ord + Debug,
{
    let [train, held_out] = Split::ALL.map(|split| {
        let count = entries.count(split);
        let set: BTreeSet<_> = (0..count).map(|index| entries.nth(split, index)).collect();
        assert_eq!(set.len() as u64, count, "an entry twice in {split:?}");
        assert!(!set.is_empty(), "{split:?} is empty");
        assert_eq!(entries.at(split, 3 * count + 1), entries.nth(split, 1 % count));
        set
    });
    assert!(train.is_disjoint(&held_out));
    assert!(held_out.len() <= train.len(), "{} of {} are held out", held_out.len(), train.len() + held_out.len());
    [train, held_out]
}

#[test]
fn every_number_is_in_one_split() {
    for total in 2..1200 {
        let [train, held_out] = splits(&Numbers::new(total));
        assert!(train.union(&held_out).copied().eq(0..total));
    }
}

#[test]
fn every_pair_is_in_one_split_with_its_mirror_image() {
    for bound in 2..40 {
        let [train, held_out] = splits(&Pairs::below(bound));
        assert_eq!((train.len() + held_out.len()) as u64, bound * bound, "below {bound}");
        for set in [train, held_out] {
            assert!(set.iter().all(|&(a, b)| a < bound && b < bound && set.contains(&(b, a))), "below {bound}");
        }
    }
}

#[test]
fn a_tenth_is_held_out_or_fifty_or_half() {
    for total in 2..5000 {
        let count = Numbers::new(total).count(Split::HeldOut);
        let (tenth, half) = (total / 10, total / 2);
        assert!(count >= tenth.max(half.min(50)), "{count} of {total}");
        assert!(count <= (tenth + 1).max(half.min(75)), "{count} of {total}");
    }
    let held_out = |bound| Pairs::below(bound).count(Split::HeldOut);
    assert_eq!([2, 3, 7, 10, 11, 23, 100].map(held_out), [1, 3, 23, 49, 59, 55, 1000]);
}

/// A change here changes what every recorded evaluation was on.
#[test]
fn the_rule_is_that_of_earlier_versions() {
    let numbers = Numbers::new(1000);
    let first = [Split::Train, Split::HeldOut].map(|split| [0, 1, 2, 3, 30].map(|index| numbers.nth(split, index)));
    assert_eq!(first, [[0, 1, 2, 3, 34], [5, 15, 20, 33, 300]]);
    let pairs = Pairs::below(100);
    let first = [Split::Train, Split::HeldOut].map(|split| [0, 1, 200, 201].map(|index| pairs.nth(split, index)));
    assert_eq!(first, [[(0, 0), (1, 1), (6, 11), (11, 6)], [(5, 5), (15, 15), (12, 44), (44, 12)]]);
}

#[test]
fn unequal_pairs_are_numbered_by_the_larger_and_then_the_smaller() {
    let expected = (1..200_u64).flat_map(|high| (0..high).map(move |low| (low, high)));
    for (index, pair) in expected.enumerate() {
        assert_eq!(unequal_pair(index as u64), pair);
    }
}

/// The first outputs of the generator with seed 0, as its authors publish them.
#[test]
fn the_hash_is_splitmix64() {
    let step = 0x9e37_79b9_7f4a_7c15_u64;
    let outputs = [0, 1, 2].map(|n: u64| splitmix64(n.wrapping_mul(step)));
    assert_eq!(outputs, [0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4, 0x06c4_5d18_8009_454f]);
}

#[test]
fn the_largest_bounds_do_not_overflow() {
    for split in Split::ALL {
        let pairs = Pairs::below(1_000_000_000);
        let (a, b) = pairs.nth(split, pairs.count(split) - 1);
        assert!(a < 1_000_000_000 && b < 1_000_000_000);
        let numbers = Numbers::new(1_000_000_000_000_000_000);
        assert!(numbers.nth(split, numbers.count(split) - 1) < 1_000_000_000_000_000_000);
    }
}
