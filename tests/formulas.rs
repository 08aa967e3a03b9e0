//! Every algorithm's formula, printed and typeset, as files that are reviewed.

use oreal::algos::{BuiltIn, credit_of};

#[test]
fn printed_formulas_are_the_reviewed_ones() {
    for (name, preset, algorithm) in BuiltIn::all() {
        insta::with_settings!({ snapshot_path => "formulas", prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!(format!("{name}-{preset}"), oreal::show::formula(&*algorithm));
        });
    }
}

/// Each row of equations on a line of its own.
fn lines(mathml: &str) -> String {
    mathml.replace("<mtr>", "\n  <mtr>").replace("</mtable>", "\n</mtable>")
}

#[test]
fn typeset_formulas_are_the_reviewed_ones() {
    for (name, preset, algorithm) in BuiltIn::all() {
        let (credit, objective) = (credit_of(&*algorithm), algorithm.objective());
        let (credit_lines, lines_of_objective) = (credit.formula(), objective.formula());
        let typeset = credit.mathml() + "\n" + &objective.mathml().unwrap();
        let equations = credit_lines.lines().chain(lines_of_objective.lines()).filter(|line| line.contains(" = "));
        let equations = equations.filter(|line| !line.starts_with("with ")).count();
        assert_eq!(typeset.matches("<mtr>").count(), equations, "{name}/{preset}: a row for each printed line");
        insta::with_settings!({ snapshot_path => "mathml", prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!(format!("{name}-{preset}"), lines(&typeset));
        });
    }
}
