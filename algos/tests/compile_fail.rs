//! The field's classic bugs do not compile, and each has its short message.
//!
//! The messages are rustc's, with ours in between, so they change with its version: `TRYBUILD=overwrite cargo test --test
//! compile_fail` writes them anew, to be read before they are committed.

#[test]
fn classic_bugs_do_not_compile() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/compile_fail/pass.rs");
    for bug in BUGS {
        cases.compile_fail(format!("tests/compile_fail/{bug}.rs"));
    }
}

/// Each file's first line says which bug it is.
const BUGS: [&str; 11] = [
    "critic_not_detached",
    "no_gradient",
    "not_a_scalar",
    "reduced_to_the_left",
    "reduced_over_itself",
    "spread_to_the_right",
    "live_credit",
    "own_signal_in_credit",
    "live_function",
    "live_mask",
    "escaped",
];

/// What the language itself has to say is said in its own words.
#[test]
fn mixing_up_ranks_is_explained_in_the_words_of_the_language() {
    let said = std::fs::read_to_string("tests/compile_fail/reduced_to_the_left.stderr").unwrap();
    let said = said.replace("oreal_algos::", "");
    assert!(said.contains("a Group expression cannot be reduced over Trajectory"), "{said}");
    assert!(said.contains("ranks nest as Token < Trajectory < Group < Batch"), "{said}");
}

#[test]
fn every_file_is_a_case() {
    let names = std::fs::read_dir("tests/compile_fail").unwrap().map(|file| file.unwrap().path());
    let mut names: Vec<String> = names
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    names.retain(|name| name != "pass");
    names.sort();
    let mut bugs = BUGS.map(str::to_owned);
    bugs.sort();
    assert_eq!(names, bugs);
}
