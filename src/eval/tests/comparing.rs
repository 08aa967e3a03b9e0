//! Comparisons of two evaluations.

use std::fs;

use super::*;

/// Right on the questions in `well`, with every completion.
fn good_at(well: &'static [&'static str]) -> Scripted<impl Fn(&str, usize) -> std::result::Result<String, String>> {
    Scripted::new(move |question: &str, _| {
        Ok(if well.contains(&question) { right(question) } else { "\\boxed{9}".into() })
    })
}

fn compared(place: &Place, a: &'static [&'static str], b: &'static [&'static str]) -> Comparison {
    let folders = ["a", "b"].map(|name| place.folder.path().join(name));
    place.run_in(&folders[0], &mut good_at(a)).unwrap();
    place.run_in(&folders[1], &mut good_at(b)).unwrap();
    compare(&folders[0], &folders[1]).unwrap()
}

#[test]
fn problems_are_paired() {
    let compared = compared(&Place::new(), &["One?"], &["One?", "Two?", "Three?"]);
    let total = &compared.total;
    assert_eq!((total.pass_1, total.difference, total.won_lost_tied), ([0.25, 0.75], 0.5, [2, 0, 2]));
    // Of the differences 0, 1, 1, 0 a resample has the mean 0 with probability 1/16; else B is better.
    assert!((total.b_better - (15.0 / 16.0 + 0.5 / 16.0)).abs() < 0.01, "{}", total.b_better);
    assert!(total.interval.low >= 0.0 && total.interval.high <= 1.0 && total.mcnemar.is_none(), "{total:?}");
    let groups: Vec<_> = compared.groups.iter().map(|group| (&*group.value, group.difference.difference)).collect();
    assert_eq!(groups, [("1", 0.0), ("2", 1.0), ("10", 1.0), ("none", 0.0)]);
}

#[test]
fn wins_and_losses_are_counted_by_sides() {
    let mut place = Place::new();
    (place.settings.n, place.settings.temperature) = (1, 0.0);
    let total = compared(&place, &["One?", "Two?"], &["Two?", "Three?", "Four?"]).total;
    assert_eq!((total.difference, total.won_lost_tied), (0.25, [2, 1, 1]));
    // Three coins, of which none or one falls on the rarer side: 2 (1 + 3) / 8, which is at most 1.
    assert_eq!(total.mcnemar, Some(1.0));
}

#[test]
fn mcnemars_test_is_that_of_scipy() {
    // scipy.stats.binomtest(k, n).pvalue
    for (won, lost, p) in [(8, 2, 0.109375), (2, 8, 0.109375), (6, 0, 0.03125), (3, 1, 0.625), (0, 0, 1.0), (5, 5, 1.0)]
    {
        assert!((mcnemar(won, lost) - p).abs() < 1e-9, "{won} : {lost}: {}", mcnemar(won, lost));
    }
}

#[test]
fn other_prompts_can_be_compared_and_other_problems_cannot() {
    let mut place = Place::new();
    let [a, b] = ["a", "b"].map(|name| place.folder.path().join(name));
    place.run_in(&a, &mut good_at(&["One?"])).unwrap();
    place.settings.system = "Think.".into();
    place.run_in(&b, &mut good_at(&["One?"])).unwrap();
    assert_eq!(compare(&a, &b).unwrap().total.won_lost_tied, [0, 0, 4]);
    fs::write(&place.settings.data, QUESTIONS.replace("\"Four?\"", "\"Five?\"").replace("\"3\"", "\"6\"")).unwrap();
    let c = place.folder.path().join("c");
    place.run_in(&c, &mut Scripted::new(|_: &str, _| Ok("\\boxed{9}".to_owned()))).unwrap();
    let problem = compare(&a, &c).unwrap_err().to_string();
    assert!(problem.contains("(row 3), ") && problem.contains("(row 4)") && problem.contains("only in"), "{problem}");
    assert!(problem.contains(&a.display().to_string()) && problem.contains(&c.display().to_string()), "{problem}");
}

#[test]
fn problems_without_a_verdict_are_left_out() {
    let place = Place::new();
    let [a, b] = ["a", "b"].map(|name| place.folder.path().join(name));
    place.run_in(&a, &mut good_at(&["One?"])).unwrap();
    let fails = |question: &str, _| if question == "Two?" { Err("no".to_owned()) } else { Ok(right(question)) };
    place.run_in(&b, &mut Scripted::new(fails)).unwrap();
    let total = compare(&a, &b).unwrap().total;
    assert_eq!((total.problems, total.left_out, total.won_lost_tied), (3, 1, [2, 0, 1]));
}

#[test]
fn broken_results_are_refused() {
    let place = Place::new();
    let folder = place.out();
    place.run(&mut good_at(&[])).unwrap();
    let path = folder.join("results.json");
    let text = fs::read_to_string(&path).unwrap();
    for broken in ["", "{}", "[1]", &text[..text.len() / 2], &text.replace("\"right\": 0", "\"right\": 5")] {
        fs::write(&path, broken).unwrap();
        let problem = compare(&folder, &folder).unwrap_err().to_string();
        assert!(problem.contains("results.json"), "{problem}");
    }
    assert!(compare(&folder.join("nothing"), &folder).unwrap_err().to_string().contains("results.json"));
}
