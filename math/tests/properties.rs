//! Laws of grading, on random answers.

use oreal_math::{Gold, Rule, Verdict};
use proptest::prelude::*;
use proptest::test_runner::Config;

/// A number, and another that differs.
fn number() -> impl Strategy<Value = (String, String)> {
    prop_oneof![
        (-9999_i64..9999, 1_i64..50).prop_map(|(n, d)| (n.to_string(), (n + d).to_string())),
        (1_i64..99, 2_i64..99, 1_i64..9)
            .prop_map(|(a, b, d)| { (format!("\\frac{{{a}}}{{{b}}}"), format!("\\frac{{{}}}{{{b}}}", a + d)) }),
        (1_i64..20, 2_i64..30, 1_i64..9)
            .prop_map(|(a, b, d)| { (format!("{a}\\sqrt{{{b}}}"), format!("{a}\\sqrt{{{}}}", b + d)) }),
        (1_i64..99, 10_i64..99, 1_i64..9).prop_map(|(a, b, d)| (format!("{a}.{b}"), format!("{a}.{b}{d}"))),
        (1_i64..30, 2_i64..30, 1_i64..9)
            .prop_map(|(a, b, d)| { (format!("\\frac{{{a}\\pi}}{{{b}}}"), format!("\\frac{{{}\\pi}}{{{b}}}", a + d)) }),
        (1_i64..30, 1_i64..30, 1_i64..9).prop_map(|(a, b, d)| (format!("{a}+{b}i"), format!("{a}+{}i", b + d))),
    ]
}

/// An expression in x, and another that differs.
fn expression() -> impl Strategy<Value = (String, String)> {
    prop_oneof![
        (1_i64..20, -20_i64..20, 1_i64..9)
            .prop_map(|(a, b, d)| { (format!("{a}x^2 - ({b})x + 1"), format!("{a}x^2 - ({})x + 1", b + d)) }),
        (1_i64..9, 2_i64..9).prop_map(|(a, b)| (format!("\\sin({a}x)+{b}"), format!("\\cos({a}x)+{b}"))),
        (1_i64..9, 2_i64..9)
            .prop_map(|(a, b)| (format!("\\frac{{x+{a}}}{{x+{}}}", a + b), format!("\\frac{{x+{}}}{{x+{a}}}", a + b))),
        (2_i64..9, 1_i64..9).prop_map(|(a, b)| (format!("{a}^{{n+{b}}}"), format!("{a}^{{n+{}}}", b + 1))),
    ]
}

/// An answer of any kind, and another that differs.
fn answer() -> impl Strategy<Value = (String, String)> {
    let value = || prop_oneof![3 => number(), 1 => expression()];
    let pair = || (number(), number());
    prop_oneof![
        4 => value(),
        1 => pair().prop_map(|((a, b), (c, _))| (format!("({a}, {c})"), format!("({b}, {c})"))),
        1 => pair().prop_map(|((a, _), (c, d))| (format!("\\{{{a}, {c}\\}}"), format!("\\{{{a}, {c}, {d}+1000\\}}"))),
        1 => number().prop_map(|(a, _)| (format!("({a}, \\infty)"), format!("[{a}, \\infty)"))),
        1 => number().prop_map(|(a, b)| (format!("y = 2x + {a}"), format!("y = 2x + {b}"))),
        1 => number().prop_map(|(a, b)| (format!("x \\le {a}"), format!("x \\le {b}"))),
        1 => pair().prop_map(|((a, b), (c, _))| {
            (format!("\\begin{{pmatrix}} {a} \\\\ {c} \\end{{pmatrix}}"), format!("\\begin{{pmatrix}} {b} \\\\ {c} \\end{{pmatrix}}"))
        }),
        1 => number().prop_map(|(a, b)| (format!("{a} \\text{{ cm}}"), format!("{b} \\text{{ cm}}"))),
    ]
}

/// Ways to write the same.
const LOOKS: [fn(&str) -> String; 9] = [
    |text| format!("  {text}  "),
    |text| format!("${text}$"),
    |text| format!("\\({text}\\)."),
    |text| format!("\\displaystyle {text}"),
    |text| format!("\\boxed{{{text}}}"),
    |text| text.replace("\\frac", "\\dfrac"),
    |text| text.replace('(', "\\left(").replace(')', "\\right)"),
    |text| text.replace('+', " + ").replace(',', " , "),
    |text| text.replace('-', "\u{2212}"),
];

proptest! {
    #![proptest_config(Config { cases: 256, failure_persistence: None, ..Config::default() })]

    #[test]
    fn every_answer_equals_itself_however_it_looks((text, _) in answer()) {
        let gold = Gold::new(&text);
        prop_assert_eq!(gold.not_understood(), None, "{}", text);
        for (i, look) in LOOKS.iter().enumerate() {
            let other = look(&text);
            prop_assert_eq!(gold.grade(&other).verdict, Verdict::Right, "look {}: {} beside {}", i, other, text);
        }
    }

    #[test]
    fn a_changed_answer_is_never_right((text, other) in answer()) {
        prop_assert_ne!(Gold::new(&text).grade(&other).verdict, Verdict::Right, "{} beside {}", &other, &text);
        prop_assert_ne!(Gold::new(&other).grade(&text).verdict, Verdict::Right, "{} beside {}", &text, &other);
    }

    /// Decimals are left out: only those of the gold answer may be rounded.
    #[test]
    fn equality_is_symmetric((a, b) in answer(), (c, _) in answer()) {
        prop_assume!(![&a, &b, &c].iter().any(|text| text.contains('.')));
        for (x, y) in [(&a, &b), (&a, &c)] {
            let (one, other) = (Gold::new(x).grade(y).verdict, Gold::new(y).grade(x).verdict);
            prop_assert_eq!(one == Verdict::Right, other == Verdict::Right, "{} beside {}", x, y);
        }
    }

    #[test]
    fn candidates_beside_the_right_one_are_not_right((text, other) in number()) {
        let gold = Gold::new(&text);
        for response in [
            format!("The answer is {text} or {other}."),
            format!("\\boxed{{{text}, {other}}}"),
            format!("\\boxed{{{other}}} or \\boxed{{{text}}}"),
            format!("\\boxed{{{text} \\text{{ or }} {other}}}"),
            format!("\\boxed{{x = {text} = {other}}}"),
        ] {
            let grade = gold.grade_response(&response, Rule::Any);
            prop_assert_ne!(grade.verdict, Verdict::Right, "{}: {:?}", response, grade);
        }
    }

    #[test]
    fn no_text_panics_and_none_is_wrong_beside_itself(text in ".{0,80}", latex in "[\\\\{}()\\[\\]|^_,.;:=<>+*/!$%&~a-f0-9 -]{0,60}") {
        for text in [&text, &latex] {
            let grade = Gold::new(text).grade(text);
            prop_assert_ne!(grade.verdict, Verdict::Wrong, "{:?}", grade);
            let _ = Gold::new("1").grade(text);
            let _ = Gold::new(text).grade("x+1");
        }
    }
}
