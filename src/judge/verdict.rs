//! From a reply to a verdict: one clear letter, or none.

use oreal_models::Ending;

use crate::chat::Reply;

/// A verdict as the prompt names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Letter {
    /// The answer matches.
    A,
    /// It does not.
    B,
    /// There is no answer.
    C,
}

/// Words that may stand before the letter, with a colon.
const LABELS: [&str; 5] = ["judgement", "judgment", "verdict", "final judgement", "final verdict"];

/// Characters of a reply that are quoted where it is no verdict.
const QUOTED: usize = 80;

/// The verdict of a reply, or why there is none. The last line must be a verdict, and no line may be another one. What a model
/// thinks before `</think>` is not its reply.
pub(super) fn letter(reply: &Reply) -> Result<Letter, String> {
    if reply.ending == Ending::Truncated {
        return Err("the reply was cut off; raise judge.max_tokens".to_owned());
    }
    let text = reply.text.rsplit("</think>").next().unwrap_or_default();
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let last = lines.last().and_then(|line| of_line(line));
    match last.filter(|last| lines.iter().filter_map(|line| of_line(line)).all(|other| other == *last)) {
        Some(letter) => Ok(letter),
        None => Err(format!("the reply is no clear verdict: {:?}", end(text.trim()))),
    }
}

/// The verdict that a line is: `A`, `(A)`, `**A.**`, `\boxed{A}`, `Verdict: A`.
fn of_line(line: &str) -> Option<Letter> {
    let decoration = |c: char| matches!(c, '*' | '`' | '"' | '\'' | '.' | '$' | '#') || c.is_whitespace();
    let line = line.trim_matches(decoration);
    let line = match line.split_once(':') {
        Some((label, rest)) if LABELS.contains(&label.trim_matches(decoration).to_lowercase().as_str()) => {
            rest.trim_matches(decoration)
        }
        _ => line,
    };
    let inside = |open: &str, close: char| line.strip_prefix(open)?.strip_suffix(close);
    let letter = inside("\\boxed{", '}').or_else(|| inside("(", ')')).or_else(|| inside("[", ']')).unwrap_or(line);
    match letter.trim() {
        "A" | "\\text{A}" => Some(Letter::A),
        "B" | "\\text{B}" => Some(Letter::B),
        "C" | "\\text{C}" => Some(Letter::C),
        _ => None,
    }
}

fn end(text: &str) -> String {
    let skipped = text.chars().count().saturating_sub(QUOTED);
    text.chars().skip(skipped).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(text: &str, ending: Ending) -> Reply {
        Reply { text: text.into(), reasoning: None, tokens: None, ending }
    }

    fn read(text: &str) -> Option<Letter> {
        letter(&reply(text, Ending::Stopped)).ok()
    }

    #[test]
    fn clear_verdicts_are_read() {
        let clear = [
            "A",
            " A.\n",
            "**A**",
            "(A)",
            "[A]",
            "`A`",
            "\\boxed{A}",
            "$\\boxed{\\text{A}}$.",
            "Judgement: A",
            "**Verdict:** A",
            "**Final verdict: \\boxed{A}**",
            "Both are 1/2. B would be wrong here.\n\nA",
            "A\n\nJudgment: A",
            "<think>Is it B?\nB\n</think>\nA",
        ];
        for text in clear {
            assert_eq!(read(text), Some(Letter::A), "{text:?}");
        }
        assert_eq!((read("B"), read("\\boxed{C}")), (Some(Letter::B), Some(Letter::C)));
    }

    #[test]
    fn anything_else_is_no_vote() {
        let unclear = [
            "",
            "A or B",
            "A, B",
            "AB",
            "a",
            "D",
            "A\nB",
            "Verdict: A\nVerdict: B",
            "The answer is A",
            "Verdict: A, because both are 3",
            "Verdict: not A",
            "Answer: A",
            "Correct",
            "\\boxed{A} or \\boxed{B}",
            "\\boxed{}",
            "A\nI am sure of it.",
            "<think>A",
            "<think>A\n</think>",
            "A А",
        ];
        for text in unclear {
            assert_eq!(read(text), None, "{text:?}");
        }
        let essay = format!("{} So A it must be, most would say.", "The candidate writes A. ".repeat(200));
        let problem = letter(&reply(&essay, Ending::Stopped)).unwrap_err();
        assert!(problem.ends_with("most would say.\"") && problem.len() < 130, "{problem}");
        let cut = letter(&reply("A", Ending::Truncated)).unwrap_err();
        assert!(cut.contains("judge.max_tokens"), "{cut}");
    }
}
