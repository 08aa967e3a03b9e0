//! What a graph says of itself: the columns it reads, and the smallest unit that must be differentiated together.

use std::collections::BTreeSet;

use crate::experience::Column;
use crate::graph::{Id, Node, Op};
use crate::operation::Binary;
use crate::rank::Level;

/// Marks the nodes that the roots are computed from, roots included.
pub(crate) fn reachable(nodes: &[Node], roots: &[Id]) -> Vec<bool> {
    let mut seen = vec![false; nodes.len()];
    roots.iter().for_each(|&root| seen[root] = true);
    for id in (0..nodes.len()).rev() {
        if seen[id] {
            nodes[id].inputs().for_each(|input| seen[input] = true);
        }
    }
    seen
}

/// The columns that the roots read.
pub(crate) fn columns(nodes: &[Node], roots: &[Id]) -> BTreeSet<Column> {
    let seen = reachable(nodes, roots).into_iter();
    let column = |(seen, node): (bool, &Node)| match node.op {
        Op::Column(column) if seen => Some(column),
        _ => None,
    };
    seen.zip(nodes).filter_map(column).collect()
}

/// The named nodes that cost nothing to log: whatever they read, the root reads too.
pub(crate) fn named(nodes: &[Node], root: Id) -> Vec<Id> {
    let read = columns(nodes, &[root]);
    let logged = |&id: &Id| nodes[id].name.is_some() && columns(nodes, &[id]).is_subset(&read);
    (0..nodes.len()).filter(logged).collect()
}

/// The smallest unit within which a signal's cotangent can depend on signals, and can be had without the rest of the batch.
///
/// Walking from the root to each live signal, the cotangent is a product of slopes and factors. What these depend on is
/// `context`; a linear step adds nothing to it, a nonlinear one adds what its operands span. A quantity that is spread
/// collects the cotangents of its whole unit, on whatever these depend.
pub(crate) fn coupling(nodes: &[Node], root: Id) -> Level {
    Coupling { nodes, spans: spans(nodes) }.of(root, None)
}

/// How far the signals lie apart that one value of each node depends on; `None` where it depends on none.
fn spans(nodes: &[Node]) -> Vec<Option<Level>> {
    let mut spans: Vec<Option<Level>> = Vec::with_capacity(nodes.len());
    for node in nodes {
        let inputs = node.inputs().filter_map(|id| spans[id]).max();
        let own = match node.op {
            Op::Scan(..) => Level::Trajectory,
            _ => node.level,
        };
        spans.push(match node.op {
            Op::Column(column) if column.is_signal() => Some(Level::Token),
            _ => inputs.map(|span| span.max(own)),
        });
    }
    spans
}

struct Coupling<'a> {
    nodes: &'a [Node],
    spans: Vec<Option<Level>>,
}

impl Coupling<'_> {
    fn of(&self, id: Id, context: Option<Level>) -> Level {
        if !self.nodes[id].live {
            return Level::Token;
        }
        let span = |id: Id| self.spans[id];
        match &self.nodes[id].op {
            Op::Unary(op, a) => self.of(*a, if op.is_linear() { context } else { context.max(span(*a)) }),
            Op::Binary(op, a, b) => {
                let (left, right) = match op {
                    Binary::Add | Binary::Sub => (None, None),
                    Binary::Mul => (span(*b), span(*a)),
                    Binary::Div => (span(*b), span(*a).max(span(*b))),
                    Binary::Min | Binary::Max => (span(*a).max(span(*b)), span(*a).max(span(*b))),
                };
                self.of(*a, context.max(left)).max(self.of(*b, context.max(right)))
            }
            Op::Sum(a) | Op::Mean(a) => self.of(*a, context),
            Op::Spread(a) => self.of(*a, context.max(Some(self.nodes[*a].level))),
            Op::Scan(_, a) => self.of(*a, context.map(|level| level.max(Level::Trajectory))),
            _ => context.unwrap_or(Level::Token),
        }
    }
}
