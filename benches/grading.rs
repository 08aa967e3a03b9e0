//! Verdicts on answers by kind, in answers per second on one thread.
//!
//! `cargo bench --bench grading` (a name after `--` picks: `-- radicals`)
//!
//! The gold answer is read anew for each answer, as where every problem has its own. `responses` are a few KB long and state
//! their answer in a box at the end; `mixed` has the kinds in about the shares of real problems. docs/grading.md has the
//! rates beside Math-Verify's.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput};
use oreal_math::{Gold, Rule, Verdict};

/// A gold answer, an answer, and the verdict on it.
type Case = (&'static str, &'static str, Verdict);

use Verdict::{Right, Wrong};

const INTEGERS: &[Case] = &[
    ("42", "42", Right),
    ("42", "43", Wrong),
    ("1024", "$1{,}024$", Right),
    ("-7", "\\boxed{-7}", Right),
    ("360", "x = 360", Right),
    ("18", "9 + 9", Right),
    ("100", "\\$100", Right),
    ("12", "12 \\text{ ways}", Right),
];
const FRACTIONS: &[Case] = &[
    ("\\frac{3}{4}", "0.75", Right),
    ("\\frac{3}{4}", "\\dfrac{6}{8}", Right),
    ("\\frac{5}{12}", "5/12", Right),
    ("\\frac{5}{12}", "0.41", Wrong),
    ("2.5", "\\frac{5}{2}", Right),
    ("-\\frac{1}{6}", "-\\frac{1}{7}", Wrong),
    ("3\\frac{1}{3}", "\\frac{10}{3}", Right),
    ("12.5\\%", "\\frac{1}{8}", Right),
];
const RADICALS: &[Case] = &[
    ("2\\sqrt{3}", "\\sqrt{12}", Right),
    ("\\frac{\\sqrt{3}}{3}", "\\frac{1}{\\sqrt{3}}", Right),
    ("1+\\sqrt{2}", "\\frac{1}{\\sqrt{2}-1}", Right),
    ("\\frac{1+\\sqrt{5}}{2}", "\\frac{1-\\sqrt{5}}{2}", Wrong),
    ("12\\pi", "\\pi \\cdot 12", Right),
    ("\\sqrt[3]{16}", "2\\sqrt[3]{2}", Right),
];
const POLYNOMIALS: &[Case] = &[
    ("x^2+2x+1", "(x+1)^2", Right),
    ("x^2-1", "(x-1)(x+1)", Right),
    ("3x^2-5x+2", "3x^2+5x+2", Wrong),
    ("\\frac{1}{x}+\\frac{1}{y}", "\\frac{x+y}{xy}", Right),
    ("\\frac{n(n+1)}{2}", "\\frac{n^2+n}{2}", Right),
    ("2^{n+1}", "2 \\cdot 2^n", Right),
];
const CERTIFIED: &[Case] = &[
    ("\\sin^2 x+\\cos^2 x", "1", Right),
    ("\\cos\\frac{\\pi}{7}-\\cos\\frac{2\\pi}{7}+\\cos\\frac{3\\pi}{7}", "\\frac{1}{2}", Right),
    ("\\arctan\\frac{1}{2}+\\arctan\\frac{1}{3}", "\\frac{\\pi}{4}", Right),
    ("|x-1|", "|1-x|", Right),
];
const COLLECTIONS: &[Case] = &[
    ("(3,\\frac{\\pi}{2})", "(3, \\pi/2)", Right),
    ("(3,-1,4)", "(3,1,4)", Wrong),
    ("\\{1,2,5\\}", "\\{5,2,1\\}", Right),
    ("-2,1", "1 \\text{ and } -2", Right),
    ("(-\\infty,2]", "x \\le 2", Right),
    ("1\\pm\\sqrt{2}", "1+\\sqrt{2}, 1-\\sqrt{2}", Right),
];

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    let kinds = [
        ("integers", INTEGERS),
        ("fractions", FRACTIONS),
        ("radicals", RADICALS),
        ("polynomials", POLYNOMIALS),
        ("certified", CERTIFIED),
        ("collections", COLLECTIONS),
    ];
    for (name, cases) in kinds {
        measure(&mut criterion, name, cases);
    }
    measure(&mut criterion, "mixed", &mixed());
    responses(&mut criterion);
    criterion.final_summary();
}

/// A hundred answers: 60 integers, 22 fractions and decimals, and a few of each other kind.
fn mixed() -> Vec<Case> {
    let parts = [(INTEGERS, 60), (FRACTIONS, 22), (RADICALS, 6), (POLYNOMIALS, 4), (CERTIFIED, 1), (COLLECTIONS, 7)];
    parts.iter().flat_map(|(cases, count)| cases.iter().cycle().take(*count).copied()).collect()
}

fn measure(criterion: &mut Criterion, name: &str, cases: &[Case]) {
    for (gold, answer, verdict) in cases {
        assert_eq!(Gold::new(gold).grade(answer).verdict, *verdict, "{gold} beside {answer}");
    }
    let mut group = criterion.benchmark_group("answers");
    group.throughput(Throughput::Elements(cases.len() as u64));
    group.bench_function(name, |bencher| {
        bencher.iter(|| {
            for (gold, answer, _) in black_box(cases) {
                black_box(Gold::new(gold).grade(answer));
            }
        })
    });
}

/// Whole responses: some steps of reasoning with formulas, then the answer in a box.
fn responses(criterion: &mut Criterion) {
    let step = "We substitute $x = \\frac{1}{2}$ into $f(x) = x^2 + 3x - 4$, and get\n\\[f(x) = \\frac14 + \\frac32 - 4.\\]\n\n";
    let steps = step.repeat(30);
    let texts: Vec<(&str, String)> = FRACTIONS
        .iter()
        .map(|(gold, answer, _)| (*gold, format!("{steps}So the answer is \\(\\boxed{{{answer}}}\\).")))
        .collect();
    let mut group = criterion.benchmark_group("responses");
    group.throughput(Throughput::Elements(texts.len() as u64));
    group.bench_function("boxed", |bencher| {
        bencher.iter(|| {
            for (gold, response) in black_box(&texts) {
                black_box(Gold::new(gold).grade_response(response, Rule::Any));
            }
        })
    });
}
