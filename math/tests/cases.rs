//! Answers and their verdicts: every line of `cases/*.txt` is a gold answer, an answer and the verdict on it.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use oreal_math::{Decimals, Gold, Verdict};

/// Stands between the parts of a line.
const SEPARATOR: &str = ";;";
/// The file whose gold answers are known to be rounded.
const ROUNDED: &str = "rounded.txt";

#[test]
fn every_case_has_its_verdict() {
    let cases = all_cases();
    let wrong: Vec<String> = cases.iter().filter_map(|case| case.problem()).collect();
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn every_gold_answer_beside_itself_is_right_or_has_no_value() {
    for case in all_cases() {
        let grade = case.gold().grade(&format!("$\\displaystyle {} $.", case.gold.replace('$', "")));
        assert_ne!(grade.verdict, Verdict::Wrong, "{}: {} beside itself: {grade:?}", case.place, case.gold);
    }
}

#[test]
fn no_case_stands_twice() {
    let mut seen = HashSet::new();
    for case in all_cases() {
        let rounded = case.decimals == Decimals::Rounded;
        assert!(seen.insert((case.gold, case.answer, rounded)), "{} stands elsewhere too", case.place);
    }
}

struct Case {
    /// File and line.
    place: String,
    decimals: Decimals,
    gold: String,
    answer: String,
    verdict: Verdict,
}

impl Case {
    fn gold(&self) -> Gold {
        Gold::new(&self.gold).with_decimals(self.decimals)
    }

    /// How the verdict differs from the line's.
    fn problem(&self) -> Option<String> {
        let grade = self.gold().grade(&self.answer);
        let Case { place, gold, answer, verdict, .. } = self;
        (grade.verdict != *verdict).then(|| {
            let found = format!("{} ({}) {}", grade.verdict, grade.step, grade.reason);
            format!("{place}: {gold} ;; {answer} is {found}, not {verdict}; read as {} ;; {}", grade.gold, grade.answer)
        })
    }
}

fn all_cases() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().flat_map(|path| cases(path)).collect()
}

fn cases(path: &Path) -> Vec<Case> {
    let name = path.file_name().unwrap().to_string_lossy();
    let text = fs::read_to_string(path).unwrap();
    let lines = text.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    lines.map(|(i, line)| case(&format!("{name}:{}", i + 1), line)).collect()
}

fn case(place: &str, line: &str) -> Case {
    let parts: Vec<&str> = line.split(SEPARATOR).map(str::trim).collect();
    let [gold, answer, verdict] = parts[..] else { panic!("{place}: not `gold ;; answer ;; verdict`: {line}") };
    let known = Verdict::ALL.into_iter().find(|known| known.name() == verdict);
    let verdict = known.unwrap_or_else(|| panic!("{place}: no verdict {verdict:?}"));
    let decimals = if place.starts_with(ROUNDED) { Decimals::Rounded } else { Decimals::Unknown };
    Case { place: place.to_owned(), decimals, gold: gold.to_owned(), answer: answer.to_owned(), verdict }
}
