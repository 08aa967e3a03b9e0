//! The mistakes of demonstrations: which ones there are, and how often.

mod list;

use std::collections::BTreeMap;

use list::demonstration;
use oreal_toy_envs::{BuiltIn, Problem};
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;

const DRAWS: usize = 20_000;

/// How often each mistake was made, in percent.
fn mistakes(settings: &str, prompt: &str, answer: &str) -> BTreeMap<String, f64> {
    let env: BuiltIn = toml::from_str(settings).unwrap();
    let problem = Problem { id: 0, prompt: prompt.into(), answer: answer.into() };
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut counts = BTreeMap::new();
    for _ in 0..DRAWS {
        *counts.entry(demonstration(&*env, &problem, 1.0, &mut rng)).or_insert(0.0) += 100.0 / DRAWS as f64;
    }
    counts
}

/// The texts exactly, and their shares to within a percent (four standard deviations or more).
fn assert_shares(settings: &str, prompt: &str, answer: &str, expected: &[(&str, f64)]) {
    let found = mistakes(settings, prompt, answer);
    let expected: BTreeMap<String, f64> = expected.iter().map(|&(text, share)| (text.to_owned(), share)).collect();
    let close = |text: &str| (found[text] - expected[text]).abs() < 1.5;
    assert!(
        found.keys().eq(expected.keys()) && expected.keys().all(|text| close(text)),
        "{settings}, {prompt}: found {found:.1?}, expected {expected:.1?}"
    );
}

const UNPARSABLE: f64 = 100.0 / 8.0;
const WRONG: f64 = 100.0 - UNPARSABLE;

#[test]
fn bandit_chooses_a_wrong_arm() {
    let expected = [("x", 100.0 / 2.0), ("y", 100.0 / 3.0), ("z", 100.0 / 6.0)];
    assert_shares("name = 'bandit'", "q0?", "a", &expected);
}

#[test]
fn addition_is_a_digit_off() {
    let [half, quarter] = [UNPARSABLE / 2.0, WRONG / 4.0];
    let expected = [("=6", half), ("4=", half), ("36", quarter), ("56", quarter), ("45", quarter), ("47", quarter)];
    assert_shares("name = 'addition'", "12+34=", "46", &expected);
}

#[test]
fn addition_forgets_a_carry_half_of_the_time() {
    // A carry is forgotten, or one of 90, 92 and (the same as the carry forgotten) 81 is written.
    let [half, sixth] = [UNPARSABLE / 2.0, WRONG / 6.0];
    let expected = [("=1", half), ("9=", half), ("81", WRONG / 2.0 + sixth), ("90", sixth), ("92", sixth)];
    assert_shares("name = 'addition'", "34+57=", "91", &expected);
}

#[test]
fn addition_in_reverse_makes_the_same_mistakes_in_reverse() {
    let [half, sixth] = [UNPARSABLE / 2.0, WRONG / 6.0];
    let expected = [("1=", half), ("=9", half), ("18", WRONG / 2.0 + sixth), ("09", sixth), ("29", sixth)];
    assert_shares("name = 'addition'\norder = 'least-significant-first'", "34+57=", "19", &expected);
}

#[test]
fn modular_writes_a_neighbouring_residue() {
    let expected = |before, after| [("=", UNPARSABLE), (before, WRONG / 2.0), (after, WRONG / 2.0)];
    assert_shares("name = 'modular'\nmodulus = 7", "2+2%7=", "4", &expected("3", "5"));
    assert_shares("name = 'modular'\nmodulus = 7", "0+0%7=", "0", &expected("6", "1"));
    assert_shares("name = 'modular'\nmodulus = 7", "3+3%7=", "6", &expected("5", "0"));
}

#[test]
fn chain_has_one_digit_off_and_goes_on_from_there() {
    let [quarter, sixth] = [100.0 / 4.0, 100.0 / 6.0];
    let expected = [("6,11", quarter), ("8,13", quarter), ("7,22", sixth), ("7,11", sixth), ("7,13", sixth)];
    assert_shares("name = 'chain'", "3+4+5=", "7,12", &expected);
}

#[test]
fn countdown_hits_another_target() {
    let wrong = WRONG / 3.0;
    let third = UNPARSABLE / 3.0;
    let expected = [(",*6", third), ("3,6", third), ("3*,", third), ("6/3", wrong), ("6-3", wrong), ("3+6", wrong)];
    assert_shares("name = 'countdown'\nnumbers = 2", "3,6>18:", "3*6", &expected);
}

#[test]
fn foreign_problems_have_a_character_replaced() {
    for env in BuiltIn::all().iter().filter(|env| env.name() != "bandit") {
        let mark = if env.name() == "countdown" { ',' } else { '=' };
        let problem = Problem { id: 7, prompt: "?".into(), answer: "é".into() };
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        for _ in 0..20 {
            assert_eq!(demonstration(&**env, &problem, 1.0, &mut rng), mark.to_string(), "{env:?}");
        }
    }
}
