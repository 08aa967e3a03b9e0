use super::*;
use crate::ablate::results::{Spending, Summary, Versus};
use crate::ablate::settings::Matched;
use crate::statistics::{Paired, RESAMPLES};

/// A baseline, one beside it, and one that has not a single run.
pub(crate) fn results() -> Results {
    let estimate = Estimate { value: 0.5, low: 0.4375, high: 0.625 };
    let spent = Spending { steps: 6.0, updates: 6.0, rollouts: 96.0, tokens: 180.0 };
    let summary = Summary {
        iqm: estimate,
        mean: estimate,
        median: estimate,
        optimality_gap: estimate,
        area: estimate,
        before: 0.25,
        spent,
        short: 0,
    };
    let versus = Versus {
        paired: Paired::new(&[vec![0.125, 0.0, 0.25]]).unwrap(),
        wilcoxon_holm: 0.5,
        improvement: estimate,
        pairs_for_measured: None,
        pairs_for_smallest: Some(12),
    };
    let row = |label: &str, summary, versus| VariantResults {
        label: label.to_owned(),
        runs: 3,
        failed: Vec::new(),
        unfinished: Vec::new(),
        seeds: vec![vec![0, 1, 2]],
        scores: vec![vec![0.5, 0.375, 0.625]],
        summary,
        versus,
    };
    let problem = "step 3: the loss is NaN,\n  because `ratio` is not finite".to_owned();
    let failed = vec![Failed { run: "c/seed-1".to_owned(), problem }];
    let empty = VariantResults { runs: 0, failed, unfinished: vec!["c/seed-0".to_owned()], ..row("c", None, None) };
    Results {
        envs: vec!["addition".to_owned()],
        tasks: vec![String::new()],
        seeds: vec![0, 1, 2],
        matched: Matched::Rollouts,
        budget: Some(96.0),
        problems: Part::Final,
        held_out: 500,
        baseline: "rft".to_owned(),
        smallest_difference: 0.05,
        resamples: RESAMPLES,
        variants: vec![row("rft", Some(summary), None), row("oreal,beta=0.01", Some(summary), Some(versus)), empty],
    }
}

#[test]
fn tables_fit_the_terminal() {
    for (width, columns) in [(50, 2), (80, 4), (100, 6), (200, 9)] {
        let text = table(&results(), width);
        assert!(text.lines().all(|line| line.chars().count() <= width), "{width}:\n{text}");
        let head = text.lines().find(|line| line.starts_with("variant")).unwrap();
        let shown = head.split("  ").filter(|cell| !cell.trim().is_empty()).count();
        assert!(shown >= columns, "{width}: {shown} columns\n{text}");
        assert!(["rft", "oreal,beta=0.01", "50.0 [43.8, 62.5]"].iter().all(|cell| text.contains(cell)), "{text}");
    }
}

#[test]
fn what_a_reader_must_know_is_said() {
    let text = table(&results(), 200);
    let said = [
        "96 rollouts each",
        "final half",
        "take 6 seeds or more",
        "c: 1 run failed without a score",
        "\nc/seed-1: step 3: the loss is NaN, because `ratio` is not finite\n",
        "c: 1 run not finished",
        "n for 5",
        " 0 of 2 ",
    ];
    for part in said {
        assert!(text.contains(part), "{part}:\n{text}");
    }
}
