//! Majority votes.

use oreal_toy_envs::Verdict;

use crate::eval::statistics::Attempt;
use crate::eval::vote::{ballot, vote};

const R: Verdict = Verdict::Right;
const W: Verdict = Verdict::Wrong;
const U: Verdict = Verdict::Ungraded;

/// The vote of completions with these answers, and `missing` others.
fn of(answers: &[(&str, Verdict)], missing: usize) -> (Option<f64>, [f64; 2]) {
    let attempt = |(sample, (answer, verdict)): (usize, &(&str, Verdict))| {
        let answer = ballot((!answer.is_empty()).then(|| (*answer).to_owned()));
        Attempt { sample, verdict: *verdict, answer, tokens: None }
    };
    let vote = vote(&answers.iter().enumerate().map(attempt).collect::<Vec<_>>(), missing);
    (vote.value, vote.bounds)
}

fn value(answers: &[(&str, Verdict)]) -> Option<f64> {
    of(answers, 0).0
}

#[test]
fn most_votes_win() {
    assert_eq!(value(&[("1", R), ("2", W), ("1", R)]), Some(1.0));
    assert_eq!(value(&[("1", R), ("2", W), ("2", W)]), Some(0.0));
}

#[test]
fn ties_are_broken_at_random() {
    assert_eq!(value(&[("1", R), ("2", W)]), Some(0.5));
    assert_eq!(value(&[("3", W), ("1", R), ("2", W)]), Some(1.0 / 3.0));
    assert_eq!(value(&[("1", R), ("2", W), ("1", R), ("2", W), ("3", W)]), Some(0.5));
}

#[test]
fn equal_answers_vote_together() {
    let halves = [("1/2", R), ("7", W), ("\\frac{1}{2}", R), ("7", W), ("0.5", R)];
    assert_eq!(value(&halves), Some(1.0));
    // 0.33 is right where 1/3 is, but 1/3 is not 0.33: they are not one answer.
    assert_eq!(value(&[("1/3", W), ("0.33", R)]), Some(0.5));
    assert_eq!(value(&[("0.33", R), ("1/3", W)]), Some(0.5));
}

#[test]
fn no_answer_is_no_vote() {
    let cut = Verdict::Truncated;
    assert_eq!(value(&[("", Verdict::Unparsable), ("", cut), ("", cut), ("1", R)]), Some(1.0));
    assert_eq!(value(&[("2", cut), ("2", cut), ("1", R)]), Some(1.0), "a cut completion has no vote");
    assert_eq!(value(&[("", Verdict::Unparsable), ("", cut)]), Some(0.0));
    let endless = "9".repeat(5000);
    assert_eq!(value(&[(&endless, W), (&endless, W), ("1", R)]), Some(1.0));
    assert_eq!(of(&[], 0), (None, [0.0, 0.0]));
}

#[test]
fn what_is_not_known_is_bounded() {
    assert_eq!(of(&[("x", U), ("x", U), ("1", R)], 0), (None, [0.0, 1.0]));
    assert_eq!(of(&[("1", R), ("1", R), ("x", U)], 0), (Some(1.0), [1.0, 1.0]));
    // Of one answer, one completion was graded by the judge and one was not.
    assert_eq!(of(&[("x", U), ("x", R)], 0), (Some(1.0), [0.5, 1.0]));
    assert_eq!(of(&[("1", R), ("1", R), ("2", W)], 1), (Some(1.0), [0.0, 1.0]), "one more vote makes a tie");
    assert_eq!(of(&[("1", R), ("1", R), ("1", R), ("2", W)], 1), (Some(1.0), [1.0, 1.0]));
    assert_eq!(of(&[], 2), (None, [0.0, 1.0]));
}
