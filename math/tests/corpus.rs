//! The fuzzer's corpus holds what the fuzzer checks. Each file is one text.

mod checks;

use std::fs;
use std::panic::catch_unwind;
use std::path::Path;

#[test]
fn every_response_of_the_corpus_holds() {
    holds("response", checks::response);
}

#[test]
fn every_grade_of_the_corpus_holds() {
    holds("grade", checks::grade);
}

fn holds(target: &str, check: fn(&str)) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut count = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        assert!(catch_unwind(|| check(&text)).is_ok(), "{}: see the message above", path.display());
        count += 1;
    }
    assert!(count > 20, "{} has only {count} files", folder.display());
}
