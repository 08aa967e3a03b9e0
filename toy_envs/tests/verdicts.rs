//! Verdicts, case by case, as they stand in `tests/verdicts/*.txt`.
//!
//! A file is settings, a line `---`, and then one case on a line: `prompt | completion | ending | verdict`. Blank lines and
//! lines that begin with `#` are skipped.

mod list;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use list::problems;
use oreal_toy_envs::{Answer, BuiltIn, Ending, Problem, Split, Verdict};

/// What the judge of every environment of this crate can say.
const VERDICTS: [Verdict; 4] = [Verdict::Right, Verdict::Wrong, Verdict::Unparsable, Verdict::Truncated];

#[test]
fn verdicts_are_as_written() {
    let mut covered: BTreeMap<String, BTreeSet<Verdict>> = BTreeMap::new();
    let mut failures = Vec::new();
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/verdicts")).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let file = path.file_name().unwrap().display().to_string();
        let (settings, cases) = text.split_once("---\n").unwrap_or_else(|| panic!("{file}: no line ---"));
        let env: BuiltIn = toml::from_str(settings).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert!(file.starts_with(env.name()), "{file} is about {}", env.name());
        let first = settings.lines().count() + 2;
        for (line, case) in (first..).zip(cases.lines()).filter(|(_, case)| !case.is_empty() && !case.starts_with('#'))
        {
            match check(&env, case) {
                Ok(verdict) => drop(covered.entry(env.name().to_owned()).or_default().insert(verdict)),
                Err(failure) => failures.push(format!("tests/verdicts/{file}:{line}: {failure}")),
            }
        }
    }
    failures.sort();
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
    for name in BuiltIn::NAMES {
        let verdicts = covered.remove(*name).unwrap_or_else(|| panic!("tests/verdicts/{name}.txt: no cases"));
        assert_eq!(verdicts, BTreeSet::from(VERDICTS), "tests/verdicts/{name}.txt: not every verdict");
    }
}

fn check(env: &BuiltIn, case: &str) -> Result<Verdict, String> {
    let [prompt, completion, ending, verdict] = case.split('|').map(str::trim).collect::<Vec<_>>()[..] else {
        return Err(format!("not a case: {case}"));
    };
    let ending = match ending {
        "stopped" => Ending::Stopped,
        "truncated" => Ending::Truncated,
        _ => return Err(format!("no ending: {ending}")),
    };
    let judged = env.judge(&[Answer { problem: &find(env, prompt)?, completion, ending }])[0];
    if format!("{judged:?}").to_lowercase() == verdict {
        Ok(judged)
    } else {
        Err(format!("{prompt} {completion} is {judged:?}, not {verdict}"))
    }
}

fn find(env: &BuiltIn, prompt: &str) -> Result<Problem, String> {
    let problems = Split::ALL.into_iter().flat_map(|split| problems(env, split));
    let found = problems.into_iter().find(|problem| problem.prompt.text() == Some(prompt));
    found.ok_or_else(|| format!("no problem {prompt}"))
}
