//! The parts of a formula that explain a token's number: what was subtracted from the reward, what it was divided and
//! multiplied by.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::analysis;
use crate::column::{Column, Output, Source};
use crate::experience::Experience;
use crate::formula::Formula;
use crate::graph::{Id, Node, Op};
use crate::operation::{Binary, Unary};
use crate::printed;
use crate::rank::Level;

/// A part of a formula with its values on a batch.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// What it does in the formula.
    pub kind: PartKind,
    /// What it is called where the formula is printed, and in the metrics.
    pub name: Option<String>,
    /// What it is computed from, as printed.
    pub expression: String,
    /// The unit that has one value.
    pub level: Level,
    /// One value per unit of the batch.
    pub values: Vec<f64>,
}

/// What a part does in its formula.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PartKind {
    /// A statistic, or the output of a scalar model, that is subtracted.
    Baseline,
    /// A factor of a signal that carries no gradient.
    Weight,
    /// A setting that is such a factor.
    Coefficient,
    /// What is divided by; for a mean, the number of units it is over.
    Denominator,
    /// A named value of a token or a trajectory.
    Named,
}

/// Each part once, those of a kind together; columns are not among them.
pub(crate) fn of(formula: &Formula, x: &Experience) -> Vec<Part> {
    let values = formula.values(x);
    let mut kinds: BTreeMap<Id, PartKind> = BTreeMap::new();
    let in_loss = analysis::reachable(&formula.nodes, &[formula.root]);
    let nodes = || (0..formula.nodes.len()).filter(|&id| in_loss[id]);
    for id in nodes() {
        for (part, kind) in found(&formula.nodes, id) {
            kinds.entry(part).or_insert(kind);
        }
    }
    for id in nodes().filter(|id| formula.labels.contains_key(id) && *id != formula.root) {
        if formula.nodes[id].level <= Level::Trajectory && !matches!(formula.nodes[id].op, Op::Setting(..)) {
            kinds.entry(id).or_insert(PartKind::Named);
        }
    }
    let part = |(&id, &kind): (&Id, &PartKind)| Part {
        kind,
        name: formula.labels.get(&id).cloned(),
        expression: printed::definition(formula, id),
        level: formula.nodes[id].level,
        values: values[id].clone(),
    };
    let mut parts: Vec<Part> = kinds.iter().map(part).chain(nodes().filter_map(|id| count(formula, id, x))).collect();
    parts.sort_by_key(|part| part.kind);
    let mut seen = BTreeSet::new();
    parts.retain(|part| seen.insert((part.kind, part.expression.clone())));
    parts
}

/// The parts that a node shows among its inputs.
fn found(nodes: &[Node], id: Id) -> Vec<(Id, PartKind)> {
    let known = |id: Id| matches!(nodes[id].op, Op::Constant(_) | Op::Column(_));
    match nodes[id].op {
        Op::Binary(Binary::Sub, _, b) if !nodes[id].live && is_baseline(nodes, b) => {
            vec![(whole(nodes, b), PartKind::Baseline)]
        }
        Op::Binary(Binary::Div, a, b) if !known(b) && (nodes[a].live || !nodes[b].fixed) => {
            vec![(whole(nodes, b), PartKind::Denominator)]
        }
        Op::Binary(Binary::Mul, a, b) if nodes[a].live != nodes[b].live => {
            let mut factors = Vec::new();
            flatten(nodes, if nodes[a].live { b } else { a }, &mut factors);
            let kind = |&id: &Id| if nodes[id].fixed { PartKind::Coefficient } else { PartKind::Weight };
            factors.iter().filter(|id| !known(**id)).map(|id| (*id, kind(id))).collect()
        }
        _ => Vec::new(),
    }
}

/// A node without the broadcast to finer units.
fn whole(nodes: &[Node], id: Id) -> Id {
    match nodes[id].op {
        Op::Spread(a) => whole(nodes, a),
        _ => id,
    }
}

/// The factors of a product, without signs.
fn flatten(nodes: &[Node], id: Id, factors: &mut Vec<Id>) {
    match nodes[whole(nodes, id)].op {
        Op::Binary(Binary::Mul, a, b) => [a, b].into_iter().for_each(|id| flatten(nodes, id, factors)),
        Op::Unary(Unary::Neg, a) => flatten(nodes, a, factors),
        _ => factors.push(whole(nodes, id)),
    }
}

/// A statistic of several units, or what a scalar model said.
fn is_baseline(nodes: &[Node], id: Id) -> bool {
    match &nodes[id].op {
        Op::Mean(_) | Op::Sum(_) => true,
        Op::Column(column) => is_value(*column),
        Op::Scan(..) => false,
        _ => nodes[id].inputs().any(|input| is_baseline(nodes, input)),
    }
}

fn is_value(column: Column) -> bool {
    matches!(column.source(), Source::Model { output: Output::Scalar | Output::ScalarAfter, live: false, .. })
}

/// What a mean on the way to a signal divides by.
fn count(formula: &Formula, id: Id, x: &Experience) -> Option<Part> {
    let node = &formula.nodes[id];
    let Op::Mean(a) = node.op else { return None };
    let of = formula.nodes[a].level;
    let sizes = (0..x.layout().count(node.level)).map(|unit| x.layout().size(of, node.level, unit) as f64);
    node.live.then(|| Part {
        kind: PartKind::Denominator,
        name: None,
        expression: format!("{}_per_{}", of.plural(), node.level),
        level: node.level,
        values: sizes.collect(),
    })
}
