//! Every exact claim comes out as recorded, its control is violated, and the documentation says so.

use std::collections::BTreeSet;
use std::process::{Command, Output};
use std::sync::OnceLock;

use oreal::claims::{self, Check, Claim, Finding, Verdict};

/// The findings of every exact claim, computed once.
fn findings() -> &'static [Finding] {
    static FINDINGS: OnceLock<Vec<Finding>> = OnceLock::new();
    FINDINGS.get_or_init(|| claims::find(&claims::chosen(None, false).unwrap(), &mut |_, _| {}).unwrap())
}

#[test]
fn every_exact_claim_is_as_recorded_and_its_control_is_violated() {
    for Finding { claim, verdict, evidence, violation, as_recorded, seconds } in findings() {
        println!("{:24} {verdict:32} {seconds:6.2} s", claim.name);
        assert!(evidence.supports(claim.recorded), "{}: {verdict}, {evidence:#?}", claim.name);
        assert!(!violation.supports(claim.recorded), "{}: its control is not violated: {violation:#?}", claim.name);
        assert!(as_recorded, "{}", claim.name);
        assert!(evidence.stated.len() > 2, "{} is checked at {} points only", claim.name, evidence.stated.len());
    }
}

#[test]
fn every_claim_says_what_it_is() {
    let claims = claims::all();
    let names: BTreeSet<&str> = claims.iter().map(|claim| claim.name).collect();
    assert_eq!(names.len(), claims.len(), "two claims have one name");
    for Claim { name, source, statement, measures, derivation, control, .. } in &claims {
        assert!(name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'), "{name}");
        for text in [source, measures, &control.wrong] {
            assert!(!text.is_empty() && !text.ends_with('.'), "{name}: {text:?}");
        }
        for text in [statement, derivation] {
            assert!(text.ends_with('.') && !text.contains("  "), "{name}: {text:?}");
        }
    }
    assert!(claims.windows(2).all(|pair| pair[0].topic <= pair[1].topic), "topics are in order");
}

/// `cargo run -- claims --markdown > docs/claims.md` writes it.
#[test]
fn the_documentation_is_what_was_found() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/claims.md");
    let (written, found) =
        (std::fs::read_to_string(path).unwrap(), claims::page::markdown(findings(), &claims::table().unwrap()));
    for (line, (written, found)) in written.lines().zip(found.lines()).enumerate() {
        assert_eq!(written, found, "docs/claims.md, line {}", line + 1);
    }
    assert_eq!(written.lines().count(), found.lines().count());
}

#[test]
fn the_readme_shows_lines_of_the_table() {
    let readme = include_str!("../README.md");
    let shown = readme.split("```text\n").find(|block| block.starts_with("GRADIENT CONSISTENCY")).unwrap();
    let table = claims::page::table(findings());
    for line in shown.split("```").next().unwrap().lines().filter(|line| *line != "..") {
        assert!(table.lines().any(|other| other == line), "README.md shows a line that is not in the table:\n{line}");
    }
}

/// Its numbers take minutes: `cargo run --release -- claims --empirical --markdown > docs/by_training.md` writes them.
#[test]
fn the_page_of_what_was_trained_says_what_is_recorded() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/by_training.md");
    let page = std::fs::read_to_string(path).unwrap();
    let trained: Vec<Claim> = claims::all().into_iter().filter(Claim::is_empirical).collect();
    assert!(trained.len() >= 3);
    for Claim { name, source, statement, derivation, measures, recorded, control, .. } in &trained {
        let head = format!(
            "## {name}\n\n> {statement}\n>\n> {source}: **{recorded}**\n\n{derivation}\n\nMeasured: {measures}."
        );
        assert!(page.contains(&head), "docs/by_training.md should have\n{head}");
        assert!(page.contains(&format!("Control, which must fail ({}): ", control.wrong)), "{name}");
    }
    assert_eq!(page.matches("\n## ").count(), trained.len(), "docs/by_training.md has a claim too many");
}

#[test]
fn a_verdict_that_is_not_the_recorded_one_is_an_error() {
    let law = claims::chosen(Some("best-of-n-law"), false).unwrap().swap_remove(0);
    let holds = law.find(&mut |_| {}).unwrap();
    assert!(holds.as_recorded && claims::judge(&[holds]).is_ok());
    let mut control = law.control.clone();
    control.check = law.check;
    for wrong in [Claim { recorded: Verdict::DoesNotHold, ..law.clone() }, Claim { control, ..law.clone() }] {
        let finding = wrong.find(&mut |_| {}).unwrap();
        let page = claims::page::page(&finding);
        assert!(
            page.contains("NOT AS RECORDED")
                && claims::page::table(std::slice::from_ref(&finding)).contains("NOT AS RECORDED")
        );
        let error = claims::judge(&[finding]).unwrap_err().to_string();
        assert!(error.contains("not as recorded: best-of-n-law"), "{error}");
    }
}

fn oreal(args: &[&str]) -> (Output, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_oreal")).arg("claims").args(args).output().unwrap();
    let [out, err] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    (output, out, err)
}

#[test]
fn one_claim_is_explained_with_its_numbers() {
    let (output, page, _) = oreal(&["released-scale"]);
    assert!(output.status.success());
    let claim = claims::chosen(Some("released-scale"), false).unwrap().swap_remove(0);
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in [claim.statement, claim.derivation, claim.source, claim.measures, claim.control.wrong] {
        assert!(words(&page).contains(&words(part)), "{part:?} is not in\n{page}");
    }
    // The factors of the reference for K = 16 and eta = 0.5.
    for factor in ["21.81", "3.2", "11.0"] {
        assert!(page.contains(factor), "{factor} is not in\n{page}");
    }
}

#[test]
fn machines_can_read_it() {
    let (output, json, _) = oreal(&["kl-values", "--json"]);
    assert!(output.status.success());
    let found: serde_json::Value = serde_json::from_str(&json).unwrap();
    let claim = &found[0];
    assert_eq!(claim["name"], "kl-values");
    assert_eq!(claim["verdict"], "holds");
    assert_eq!(claim["as_recorded"], true);
    let (output, json, _) = oreal(&["--moments", "--json"]);
    let moments: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert!(output.status.success() && moments.as_array().unwrap().len() > 300);
    let rloo = moments.as_array().unwrap().iter().find(|moment| moment["algorithm"] == "rloo/default").unwrap();
    assert!((rloo["scale"].as_f64().unwrap() - 1.0).abs() < 1e-9, "{rloo}");
    let row = &claim["evidence"]["stated"][0];
    assert!(row["stated"].as_f64().unwrap() > 0.0 && row["off"].as_f64().unwrap() < 1e-9, "{row}");
}

#[test]
fn a_mistake_of_the_user_has_a_message() {
    let (output, _, error) = oreal(&["best-of-m-law"]);
    assert!(!output.status.success());
    assert!(error.contains("best-of-m-law: no such claim: there are best-of-n-law, "), "{error}");
    for claim in claims::all().iter().filter(|claim| matches!(claim.check, Check::Trained(_))) {
        let (output, _, error) = oreal(&[claim.name]);
        assert!(!output.status.success() && error.contains("add --empirical"), "{error}");
    }
    let (output, _, error) = oreal(&["--json", "--markdown"]);
    assert!(!output.status.success() && error.contains("cannot be used with"), "{error}");
}
