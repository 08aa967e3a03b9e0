//! Formulas of a manifest: MathML where it is what this project writes, else the printed lines.

use serde::Serialize;
use serde_json::Value;

use super::text::visible;

/// Most bytes of a formula.
const LONGEST: usize = 200_000;

/// Elements that a formula is made of. Each stands without attributes, but for the outermost.
const ELEMENTS: [&str; 13] =
    ["mrow", "mi", "mn", "mo", "mtext", "msub", "msup", "mfrac", "msqrt", "munder", "mtable", "mtr", "mtd"];

/// The outermost element.
const MATH: &str = "math display=\"block\"";

/// The formulas of a variant.
#[derive(Debug, Serialize)]
pub(crate) struct Formulas {
    pub(crate) label: String,
    pub(crate) credit: Formula,
    pub(crate) objective: Formula,
}

#[derive(Debug, Serialize)]
pub(crate) struct Formula {
    /// Typeset; empty where there is none that can be trusted.
    pub(crate) mathml: String,
    /// As printed.
    pub(crate) printed: String,
}

impl Formulas {
    pub(crate) fn of(label: &str, manifest: &Value) -> Formulas {
        let formula = |name: &str| {
            let lines = manifest[name].as_array().into_iter().flatten().filter_map(Value::as_str);
            let printed = visible(&lines.collect::<Vec<_>>().join("\n"), LONGEST);
            let mathml = manifest["mathml"][name].as_str().filter(|mathml| is_formula(mathml)).unwrap_or_default();
            Formula { mathml: mathml.to_owned(), printed }
        };
        Formulas { label: label.to_owned(), credit: formula("credit"), objective: formula("objective") }
    }
}

/// Whether a text is made of the elements of formulas, well nested, and of nothing else. A manifest may be anybody's, and what
/// passes goes into the page as it stands.
pub(crate) fn is_formula(mathml: &str) -> bool {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = mathml;
    if mathml.len() > LONGEST {
        return false;
    }
    while let Some((text, tail)) = rest.split_once('<') {
        let Some((tag, tail)) = tail.split_once('>') else { return false };
        if !is_text(text) || open.is_empty() && !text.trim().is_empty() {
            return false;
        }
        let right = match tag.strip_prefix('/') {
            Some(name) => open.pop() == Some(name),
            None if tag == MATH => open.is_empty() && push(&mut open, "math"),
            None => !open.is_empty() && ELEMENTS.contains(&tag) && push(&mut open, tag),
        };
        if !right || open.len() > 200 {
            return false;
        }
        rest = tail;
    }
    open.is_empty() && rest.trim().is_empty()
}

fn push<'t>(open: &mut Vec<&'t str>, name: &'t str) -> bool {
    open.push(name);
    true
}

/// Text without elements, whose references are the three that are written.
fn is_text(text: &str) -> bool {
    let known = |rest: &str| ["amp;", "lt;", "gt;"].iter().any(|name| rest.starts_with(name));
    !text.contains('>') && text.split('&').skip(1).all(known) && !text.chars().any(|c| c.is_control() && c != '\n')
}

#[cfg(test)]
mod tests {
    use oreal_algos::{BuiltIn, credit_of};

    use super::*;

    #[test]
    fn every_formula_that_is_written_is_shown() {
        for (name, preset, algorithm) in BuiltIn::all() {
            let objective = algorithm.objective().mathml().unwrap();
            assert!(is_formula(&objective), "{name}/{preset}: {objective}");
            assert!(is_formula(&credit_of(&*algorithm).mathml()), "{name}/{preset}: credit");
        }
    }

    #[test]
    fn nothing_else_is() {
        let inside = |content: &str| format!("<math display=\"block\">{content}</math>");
        assert!(is_formula(&inside("<mi>a &lt; b</mi>")));
        for hostile in [
            "<script>alert(1)</script>",
            "<mi onclick=\"x\">a</mi>",
            "<mi>a</mo>",
            "<mi>a",
            "<mtext><img src=x></mtext>",
            "<mi>&#60;script&#62;</mi>",
            "<mi/>",
            "</math><script>",
            "<mi>a</mi></math><math href=\"x\">",
            "<mi >a</mi >",
            "<mi>a > b</mi>",
        ] {
            assert!(!is_formula(&inside(hostile)), "{hostile}");
        }
        assert!(!is_formula("text before <math display=\"block\"></math>"));
        assert!(!is_formula("<mi>outside</mi>"));
        assert!(!is_formula(&inside(&"<mrow>".repeat(500))));
    }
}
