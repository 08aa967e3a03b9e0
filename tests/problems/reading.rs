//! What is read of a file, what is left out of it, and verdicts on answers.

use std::collections::BTreeSet;

use oreal::envs::{Answer, Env, Problem, Split, Verdict};
use oreal::problems::{Balance, Cause, HeldOutFile, Problems};
use oreal::{DecimalsName, RuleName};
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;

use super::*;

fn all(problems: &Problems, split: Split) -> Vec<Problem> {
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    (0..problems.count(split)).map(|index| problems.problem(split, index, &mut rng)).collect()
}

fn ids(problems: &Problems, split: Split) -> BTreeSet<u64> {
    all(problems, split).iter().map(|problem| problem.id).collect()
}

#[test]
fn every_source_has_its_fields() {
    for (source, row, gold) in PUBLISHED {
        let folder = files(&[("train.jsonl", row), ("held.jsonl", "{\"question\": \"q\", \"gold\": 1}")]);
        let of_test = HeldOutFile {
            file: path(&folder, "held.jsonl"),
            source: None,
            question: Some("question".into()),
            gold: Some("gold".into()),
            decimals: None,
        };
        let settings = ProblemSettings {
            file: path(&folder, "train.jsonl"),
            held_out: HeldOut::Set(of_test),
            source: Some(source),
            ..ProblemSettings::default()
        };
        let problems = Problems::new(settings).unwrap();
        problems.check().unwrap_or_else(|problem| panic!("{source:?}: {problem}"));
        let problem = &all(&problems, Split::Train)[0];
        assert_eq!(problem.answer, format!("\\boxed{{{gold}}}"), "{source:?}");
        let verdicts = problems.judge(&[Answer::stopped(problem, &problem.answer), Answer::stopped(problem, "")]);
        assert_eq!(verdicts, [Verdict::Right, Verdict::Unparsable], "{source:?}");
    }
}

#[test]
fn prompts_are_conversations_with_an_instruction() {
    let folder = files(&[("a.jsonl", &sums(20).concat())]);
    let prompt = |change: fn(&mut ProblemSettings)| {
        let mut settings = named(path(&folder, "a.jsonl"), HeldOut::Share(0.5));
        change(&mut settings);
        let problems = all(&Problems::new(settings).unwrap(), Split::Train);
        let first = problems.iter().map(|problem| problem.prompt.to_string()).min().unwrap();
        first.replace(|c: char| c.is_ascii_digit(), "N").replace("NN", "N")
    };
    let boxed = "put your final answer within \\boxed{}.";
    assert_eq!(prompt(|_| {}), format!("user: What is N + N?\nPlease reason step by step, and {boxed}"));
    assert!(prompt(|s| s.rule = RuleName::Hashes).contains("after ####"));
    assert!(prompt(|s| s.rule = RuleName::Choice).contains("the letter of your choice"));
    let own = prompt(|s| (s.system, s.instruction) = ("Be brief.".into(), Some(String::new())));
    assert_eq!(own, "system: Be brief.\nuser: What is N + N?");
}

#[test]
fn decimals_are_rounded_where_the_source_says_so() {
    let row = r#"{"problem": "Acceleration of free fall?", "solution": "\\boxed{9.8}", "answer": "9.8"}"#;
    let other = row.replace("Acceleration", "The acceleration");
    let folder = files(&[("train.jsonl", row), ("held.jsonl", &other)]);
    let verdicts = |[train, held]: [Source; 2], decimals| {
        let held_out = HeldOut::Set(HeldOutFile {
            file: path(&folder, "held.jsonl"),
            source: Some(held),
            question: None,
            gold: None,
            decimals: None,
        });
        let file = path(&folder, "train.jsonl");
        let settings = ProblemSettings { file, held_out, source: Some(train), decimals, ..ProblemSettings::default() };
        let problems = Problems::new(settings).unwrap();
        Split::ALL.map(|split| problems.judge(&[Answer::stopped(&all(&problems, split)[0], "\\boxed{9.81}")])[0])
    };
    use Verdict::{Right, Ungraded};
    assert_eq!(verdicts([Source::Minerva, Source::Math], None), [Right, Ungraded]);
    assert_eq!(verdicts([Source::Math, Source::Minerva], None), [Ungraded, Right]);
    assert_eq!(verdicts([Source::Math, Source::Math], Some(DecimalsName::Rounded)), [Right, Ungraded]);
    assert_eq!(verdicts([Source::Minerva, Source::Math], Some(DecimalsName::Unknown)), [Ungraded, Ungraded]);
}

#[test]
fn what_is_left_out_is_named_by_file_and_line() {
    let train = r#"{"question": "Kept?", "gold": "1", "error": null}
{"question": " Kept \n?", "gold": "2"}
{"question": " Kept ?", "gold": "2"}
{"question": "Different golds", "gold": "1"}
{"question": "Different  golds", "gold": "2"}
{"question": "Different golds", "gold": "1"}
{"question": "No gold", "gold": null}
{"question": "Empty gold", "gold": ""}

{"question": "Held  out", "gold": "1"}
{"question": "Rounded", "gold": "0.33", "error": "1e-2"}
"#;
    let folder = files(&[("train.jsonl", train), ("held.jsonl", "{\"question\": \"Held out\", \"gold\": \"1\"}")]);
    let held_out = HeldOut::File(path(&folder, "held.jsonl"));
    let settings =
        ProblemSettings { source: Some(Source::OlympiadBench), ..named(path(&folder, "train.jsonl"), held_out) };
    let problems = Problems::new(settings).unwrap();
    problems.check().unwrap();
    let mut out: Vec<(u64, Cause)> =
        problems.left_out().unwrap().iter().map(|out| (out.place.number, out.cause)).collect();
    out.sort();
    let expected = [
        (3, Cause::Repeated),
        (4, Cause::Contradicted),
        (5, Cause::Contradicted),
        (6, Cause::Contradicted),
        (7, Cause::NotUnderstood),
        (8, Cause::NotUnderstood),
        (10, Cause::HeldOut),
        (11, Cause::Tolerance),
    ];
    assert_eq!(out, expected);
    assert_eq!((problems.count(Split::Train), problems.count(Split::HeldOut)), (2, 1));
    let notices = problems.notices();
    assert_eq!(notices[0], "2 problems to train on, 1 held out");
    let file = path(&folder, "train.jsonl");
    let contradicted = "3 left out because the same question has several gold answers: line 4, line 5, line 6";
    assert!(notices.contains(&format!("{file}: {contradicted}")), "{notices:#?}");
    let not_understood = notices.iter().find(|notice| notice.contains("not understood")).unwrap();
    assert!(
        not_understood.contains("line 7 (field `gold`: null") && not_understood.contains("line 8 ("),
        "{notices:?}"
    );
    assert_eq!(notices.len(), 6);
}

#[test]
fn a_share_that_is_held_out_does_not_depend_on_the_order() {
    let mut rows = sums(400);
    let forwards = rows.concat();
    rows.reverse();
    rows.truncate(300);
    let folder = files(&[("a.jsonl", &forwards), ("b.jsonl", &rows.concat())]);
    let [a, b] = ["a.jsonl", "b.jsonl"].map(|name| {
        let problems = Problems::new(named(path(&folder, name), HeldOut::Share(0.25))).unwrap();
        Split::ALL.map(|split| ids(&problems, split))
    });
    assert!(a[0].is_disjoint(&a[1]) && a[0].len() + a[1].len() == 400);
    assert!((70..130).contains(&a[1].len()), "about a quarter: {}", a[1].len());
    assert!(b[0].is_subset(&a[0]) && b[1].is_subset(&a[1]), "whatever else is in the file");
}

#[test]
fn ids_are_those_of_the_prompts() {
    let folder = files(&[("a.jsonl", &sums(30).concat())]);
    let problems = || Problems::new(named(path(&folder, "a.jsonl"), HeldOut::Share(0.5))).unwrap();
    assert_eq!(all(&problems(), Split::Train), all(&problems(), Split::Train));
    let mut settings = named(path(&folder, "a.jsonl"), HeldOut::Share(0.5));
    settings.system = "Be brief.".into();
    let others = ids(&Problems::new(settings).unwrap(), Split::Train);
    assert!(others.is_disjoint(&ids(&problems(), Split::Train)), "another prompt has another id");
}

#[test]
fn balance_is_by_pass_rate() {
    let row = |i: usize, rate: &str| format!("{{\"question\": \"q{i}\", \"gold\": {i}, \"pass_rate\": {rate}}}\n");
    let rates = ["0", "0.19", "0.2", "0.39", "0.4", "0.59", "0.6", "0.79", "0.8", "1.0"];
    let rows: String = rates.iter().enumerate().map(|(i, rate)| row(i, rate)).collect();
    let held = "{\"question\": \"held\", \"gold\": 1}";
    let no_rate = [row(0, "0.5"), "{\"question\": \"q\", \"gold\": 1}\n".to_owned()].concat();
    let high = row(0, "1.5");
    let folder = files(&[("a.jsonl", &rows), ("held.jsonl", held), ("none.jsonl", &no_rate), ("high.jsonl", &high)]);
    let problems = |file: &str, balance| {
        let held_out = HeldOut::File(path(&folder, "held.jsonl"));
        Problems::new(ProblemSettings { balance, ..named(path(&folder, file), held_out) }).unwrap()
    };
    let balanced = problems("a.jsonl", Balance::Released);
    let counts: Vec<usize> = (0..rates.len())
        .map(|i| all(&balanced, Split::Train).iter().filter(|p| p.answer == format!("\\boxed{{{i}}}")).count())
        .collect();
    assert_eq!(counts, [6, 6, 4, 4, 4, 4, 2, 2, 0, 0]);
    assert_eq!(balanced.notices()[0], "8 problems to train on (32 with copies), 1 held out");
    assert!(balanced.notices()[1].contains("2 left out because the pass rate is 0.8 or more: line 9, line 10"));
    assert_eq!(problems("a.jsonl", Balance::Off).count(Split::Train), 10);
    problems("none.jsonl", Balance::Off).check().unwrap();
    for (file, problem) in [("none.jsonl", "line 2: no field `pass_rate`"), ("high.jsonl", "line 1: field `pass_rate`")]
    {
        let refused = problems(file, Balance::Released).check().unwrap_err();
        assert!(refused.key == "file" && refused.problem.contains(problem), "{refused}");
    }
}

#[test]
fn verdicts() {
    let folder = files(&[("a.jsonl", &sums(20).concat())]);
    let problems = Problems::new(named(path(&folder, "a.jsonl"), HeldOut::Share(0.5))).unwrap();
    let problem = &all(&problems, Split::HeldOut)[0];
    let foreign = &Problem { id: 3, prompt: "1+1=".into(), answer: "\\boxed{2}".into() };
    let answers = [
        Answer::stopped(problem, &problem.answer),
        Answer::stopped(problem, "so it is \\boxed{1000}"),
        Answer::stopped(problem, "no idea"),
        Answer::truncated(problem, &problem.answer),
        Answer::stopped(foreign, &foreign.answer),
    ];
    let expected = [Verdict::Right, Verdict::Wrong, Verdict::Unparsable, Verdict::Truncated, Verdict::Ungraded];
    assert_eq!(problems.judge(&answers), expected);
    let many: Vec<Answer<'_>> = answers.iter().cycle().take(1000).copied().collect();
    assert_eq!(problems.judge(&many), expected.repeat(200), "in order");
}

#[test]
fn without_files_nothing_panics() {
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let problems = Problems::default();
    assert_eq!(problems.count(Split::Train), 0);
    let nothing = &problems.problem(Split::Train, 7, &mut rng);
    assert_eq!(problems.judge(&[Answer::stopped(nothing, "\\boxed{1}")]), [Verdict::Ungraded]);
    assert_eq!(problems.check().unwrap_err().key, "file");
}
