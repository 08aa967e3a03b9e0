//! What holds wherever the answer of a response is found, and that finding it takes linear time.

mod checks;

use checks::RULES;
use oreal_math::{Place, Rule, find};
use proptest::prelude::*;

/// Each input makes one of the searches try its work again and again. At this length a search that is not linear would take
/// minutes.
#[test]
fn hostile_responses_take_linear_time() {
    const COUNT: usize = 20_000;
    let parts = [
        "{",
        "}",
        "\\",
        "\\boxed{",
        "\\boxed{1",
        "\\boxed",
        "\\boxed ",
        "\\boxed{1}, ",
        "\\boxed1,",
        "\\boxed[",
        "\\framebox[",
        "\\framebox[1]",
        "\\fbox-",
        "$",
        "$$",
        "$ ",
        "$.$",
        "$.$,",
        "\\(",
        "\\)",
        "\\[",
        "\\(\\[",
        "\n",
        " \n ",
        "(",
        ")",
        "*",
        "answer",
        "answer ",
        "answer'",
        "'answer ",
        "answer: ",
        "answer is thus ",
        "answer: $",
        "answer: $x$, ",
        "answer: . ",
        "answer: .*",
        "answer to ",
        "answer in the box ",
        "answer 1 ",
        "answer\n",
        "answer: a b c d e f ",
        "answer: is ",
        "1option ",
        "correct option ",
        "if the answer ",
        "####",
        "#### a b\n",
        "####\n",
        "    ####",
        "1",
        "1,",
        "1,111",
        "1 ",
        "1/",
        "1.",
        ".",
        "-",
        "%",
        "A",
        "A ",
        "A**",
        "(A",
        "A.",
        "\u{2212}",
        "é",
        "<think>",
        "</think>",
    ];
    for part in parts {
        let text = part.repeat(COUNT);
        let space = " ".repeat(COUNT);
        for text in [format!("{space}{text}{space}"), text + "\\boxed{1}"] {
            for rule in RULES {
                let _ = find(&text, rule);
            }
        }
    }
    let deep = format!("\\boxed{{{}7{}}}", "{".repeat(COUNT), "}".repeat(COUNT));
    assert_eq!(find(&deep, Rule::Boxed).unwrap().text.len(), 2 * COUNT + 1);
    let many = "\\boxed{1}, ".repeat(COUNT) + "\\boxed{2}";
    assert_eq!(find(&many, Rule::Boxed).unwrap().text.matches(',').count(), COUNT);
}

/// What an answer in braces may hold, as deep as wanted.
fn content() -> impl Strategy<Value = String> {
    let leaf =
        prop_oneof!["[a-z0-9+=., $()\n]{1,8}", Just(r"\{".to_owned()), Just(r"\}".to_owned()), Just(r"\\".to_owned())];
    leaf.prop_recursive(6, 64, 4, |inner| {
        prop_oneof![
            inner.clone().prop_map(|inner| format!("{{{inner}}}")),
            inner.clone().prop_map(|inner| format!(r"\sqrt{{{inner}}}")),
            proptest::collection::vec(inner, 1..4).prop_map(|parts| parts.concat()),
        ]
    })
}

/// Texts made of the pieces that the searches look for, beside arbitrary ones.
fn response() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        proptest::sample::select(vec![
            r"\boxed",
            r"\boxed{",
            "{",
            "}",
            r"\",
            "$",
            "$$",
            r"\(",
            r"\)",
            r"\[",
            r"\]",
            "answer",
            " is ",
            ": ",
            "the ",
            "not ",
            "####",
            "\n",
            " ",
            ".",
            "**",
            "correct option",
            "(B)",
            " B. ",
            "12",
            "-",
            ",",
            " and ",
            "1/2",
            "%",
            "é",
            "−",
            "½",
        ])
        .prop_map(str::to_owned),
        ".{0,4}",
    ];
    prop_oneof![proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat()), ".*"]
}

proptest! {
    #[test]
    fn an_answer_is_part_of_the_response(response in response()) {
        checks::response(&response);
    }

    #[test]
    fn a_box_gives_back_what_is_in_it(content in content(), after in "[a-z .$]{0,20}") {
        prop_assume!(!content.trim().is_empty());
        for command in [r"\boxed", r"\boxed ", r"\fbox", r"\framebox"] {
            let response = format!("so {command}{{{content}}}{after}");
            let found = find(&response, Rule::Any).unwrap();
            prop_assert_eq!(&*found.text, content.trim());
            prop_assert_eq!(found.by, Place::Box);
        }
    }

    /// `So` is no separator, so nothing before it is joined to the box.
    #[test]
    fn what_stands_before_the_last_box_does_not_matter(before in response(), content in "[a-z0-9]{1,5}") {
        prop_assume!(!before.contains("think>"));
        let response = format!("{before} So \\boxed{{{content}}}");
        for rule in [Rule::Any, Rule::Boxed] {
            prop_assert_eq!(&*find(&response, rule).unwrap().text, &content);
        }
    }

    #[test]
    fn a_phrase_after_the_last_phrase_wins(before in response(), number in 0_u32..10_000) {
        prop_assume!(!before.contains(r"\boxed") && !before.contains("think>"));
        let response = format!("{before}.\n\nThe answer is {number}.");
        let found = find(&response, Rule::Any).unwrap();
        prop_assert_eq!(&*found.text, number.to_string());
        prop_assert_eq!(found.by, Place::Phrase);
    }
}
