//! How a formula is printed.

use crate::analysis;
use crate::coefficient::number;
use crate::formula::Formula;
use crate::graph::{Id, Op};
use crate::operation::Precedence;

/// A line for each named value in the order of computation, then the root, then the values of settings; below that what is
/// only logged, with its settings.
///
/// ```text
/// ratio = exp(logπ - logπ_old)
/// loss  = -mean_batch(min(ratio·A, clip(ratio, 1 - ε_low, 1 + ε_high)·A))
/// with ε_low = 0.2, ε_high = 0.2
/// logged
/// outside = 1[ratio > 1 + ε_high] + 1[ratio < 1 - ε_low]
/// ```
pub(crate) fn print(formula: &Formula) -> String {
    let printed = |Lines { values, settings }: Lines<'_>| equations(formula, &values) + &with(formula, &settings);
    let logged = printed(lines(formula, false));
    let logged = if logged.is_empty() { logged } else { format!("logged\n{logged}") };
    printed(lines(formula, true)) + &logged
}

/// Named nodes in the order of computation.
pub(crate) struct Lines<'a> {
    /// Those with an equation of their own.
    pub(crate) values: Vec<(&'a str, Id)>,
    /// Those whose value is listed.
    pub(crate) settings: Vec<(&'a str, Id)>,
}

/// The lines of what is part of the loss, with the root as the last, or of what is only logged.
pub(crate) fn lines(formula: &Formula, part_of_loss: bool) -> Lines<'_> {
    let in_loss = analysis::reachable(&formula.nodes, &[formula.root]);
    let labels = formula.labels.iter().filter(|(id, _)| **id != formula.root && in_loss[**id] == part_of_loss);
    let named = labels.map(|(&id, label)| (label.as_str(), id));
    let (settings, mut values): (Vec<_>, Vec<_>) =
        named.partition(|(_, id)| matches!(formula.nodes[*id].op, Op::Setting(..)));
    values.extend(part_of_loss.then_some((formula.title, formula.root)));
    Lines { values, settings }
}

/// An expression as it stands in others: by its name if it has one.
pub(crate) fn expression(formula: &Formula, id: Id) -> String {
    operand(formula, id, Precedence::Sum)
}

/// What a node is computed from, whether it has a name or not.
pub(crate) fn definition(formula: &Formula, id: Id) -> String {
    body(formula, id).0
}

fn equations(formula: &Formula, lines: &[(&str, Id)]) -> String {
    let width = lines.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    lines.iter().map(|(name, id)| format!("{name:width$} = {}\n", body(formula, *id).0)).collect()
}

fn with(formula: &Formula, settings: &[(&str, Id)]) -> String {
    let value = |(symbol, id): &(&str, Id)| match formula.nodes[*id].op {
        Op::Setting(_, coefficient) => Some(format!("{symbol} = {coefficient}")),
        _ => None,
    };
    let values: Vec<String> = settings.iter().filter_map(value).collect();
    if values.is_empty() { String::new() } else { format!("with {}\n", values.join(", ")) }
}

/// An operand: by its name if it has one, in parentheses where its place needs a higher precedence.
fn operand(formula: &Formula, id: Id, place: Precedence) -> String {
    if let Some(label) = formula.labels.get(&id) {
        return label.clone();
    }
    let (text, precedence) = body(formula, id);
    if precedence < place { format!("({text})") } else { text }
}

fn body(formula: &Formula, id: Id) -> (String, Precedence) {
    let operand_of = |id: Id| move |place: Precedence| operand(formula, id, place);
    let plain = |id: Id| operand(formula, id, Precedence::Sum);
    let call = |name: &str, arguments: &[Id]| {
        let arguments: Vec<String> = arguments.iter().map(|&id| plain(id)).collect();
        (format!("{name}({})", arguments.join(", ")), Precedence::Atom)
    };
    let node = &formula.nodes[id];
    match &node.op {
        Op::Column(column) => (column.symbol().to_owned(), Precedence::Atom),
        Op::Constant(value) if *value < 0.0 => (number(*value), Precedence::Negative),
        Op::Constant(value) => (number(*value), Precedence::Atom),
        Op::Setting(symbol, _) => ((*symbol).to_owned(), Precedence::Atom),
        Op::Count(of) => (format!("{}_per_{}", of.plural(), node.level), Precedence::Atom),
        Op::LastToken => ("1[last]".to_owned(), Precedence::Atom),
        Op::Unary(op, a) => op.print(&operand_of(*a)),
        Op::Binary(op, a, b) => op.print(&operand_of(*a), &operand_of(*b)),
        Op::Clip(a, low, high) => call("clip", &[*a, *low, *high]),
        Op::Sum(a) => call(&format!("sum_{}", node.level), &[*a]),
        Op::Mean(a) => call(&format!("mean_{}", node.level), &[*a]),
        Op::Spread(a) if formula.labels.contains_key(a) => (operand(formula, *a, Precedence::Atom), Precedence::Atom),
        Op::Spread(a) => body(formula, *a),
        Op::Scan(scan, a, p) => call(scan.name(), &[Some(*a), *p].into_iter().flatten().collect::<Vec<_>>()),
        Op::Detach(a) => call("sg", &[*a]),
    }
}
