//! What holds for every text. The fuzzer and the test of its corpus call the same functions, and each uses some.
#![allow(dead_code)]

use oreal_math::{Gold, Rule, Verdict, find};

pub const RULES: [Rule; 4] = [Rule::Any, Rule::Boxed, Rule::Hashes, Rule::Choice];

/// An answer that is found is not empty, has no white space around it, and stands in the response, each part of a list by
/// itself.
pub fn response(text: &str) {
    for rule in RULES {
        if let Ok(found) = find(text, rule) {
            assert!(!found.text.is_empty() && found.text == found.text.trim(), "{rule:?}: {found:?}");
            let listed = || found.text.split(", ").all(|part| text.contains(part));
            assert!(text.contains(&*found.text) || listed(), "{rule:?}: {found:?}");
        }
    }
}

/// Two answers, one on the first line and one on the rest. An answer is never wrong beside itself. Where one is right beside the
/// other, the other is right beside it, unless one may be rounded, is an equation that states a value, or a list.
pub fn grade(text: &str) {
    let (a, b) = text.split_once('\n').unwrap_or((text, text));
    let (gold_a, gold_b) = (Gold::new(a), Gold::new(b));
    for (gold, same) in [(&gold_a, a), (&gold_b, b)] {
        let grade = gold.grade(same);
        assert_ne!(grade.verdict, Verdict::Wrong, "{grade:?}");
    }
    let directed = ["=", ".", ",", ";", "or", "and", "\\", ":", "e", "E", "~"];
    let (ab, ba) = (gold_a.grade(b), gold_b.grade(a));
    if [a, b].iter().any(|text| directed.iter().any(|mark| text.contains(mark))) {
        return;
    }
    assert_eq!(ab.verdict == Verdict::Right, ba.verdict == Verdict::Right, "{ab:?}\n{ba:?}");
}
