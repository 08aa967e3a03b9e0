//! What follows from a graph: the columns it reads, and the units that must be differentiated or kept together.

use std::collections::BTreeSet;

use crate::column::Column;
use crate::graph::{Id, Node, Op};
use crate::operation::{Binary, Unary};
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

/// The named nodes that are logged: those that need no column besides the ones the root reads.
pub(crate) fn named(nodes: &[Node], root: Id) -> Vec<Id> {
    let read = columns(nodes, &[root]);
    let logged = |&id: &Id| nodes[id].name.is_some() && columns(nodes, &[id]).is_subset(&read);
    (0..nodes.len()).filter(logged).collect()
}

/// The smallest unit that must be differentiated together: a signal's cotangent depends on no signal of another unit, and can
/// be computed without the rest of the batch.
///
/// On the way from the root to a live signal, the cotangent is a product of slopes. `context` is the largest unit that these
/// depend on: a linear operation leaves it as it is, a nonlinear one adds the units that its operands depend on. A broadcast
/// node's gradient sums over its unit, so the unit must stay together.
pub(crate) fn coupling(nodes: &[Node], root: Id) -> Level {
    Coupling { nodes, spans: spans(nodes) }.of(root, None)
}

/// The smallest unit that holds all signals that one value of a node depends on; `None` where it depends on none.
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

/// The unit that minibatches must not cut: a group where the value of some node is a statistic of a group, else a trajectory,
/// or the coupling where that is coarser.
pub(crate) fn minibatch_unit(nodes: &[Node], root: Id) -> Level {
    let wanted = reachable(nodes, &[root]).into_iter().zip(nodes);
    let of_groups = |(wanted, node): (bool, &Node)| {
        wanted && node.level == Level::Group && matches!(node.op, Op::Sum(_) | Op::Mean(_) | Op::Count(_))
    };
    let groups = wanted.into_iter().any(of_groups);
    let unit = if groups { Level::Group } else { Level::Trajectory };
    coupling(nodes, root).clamp(unit, Level::Group)
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
            Op::Unary(Unary::Neg, a) => self.of(*a, context),
            Op::Unary(_, a) => self.of(*a, context.max(span(*a))),
            Op::Binary(op, a, b) => {
                let (left, right) = match op {
                    Binary::Add | Binary::Sub => (None, None),
                    Binary::Mul => (span(*b), span(*a)),
                    Binary::Div => (span(*b), span(*a).max(span(*b))),
                    Binary::Min | Binary::Max | Binary::Above | Binary::Below => {
                        (span(*a).max(span(*b)), span(*a).max(span(*b)))
                    }
                };
                self.of(*a, context.max(left)).max(self.of(*b, context.max(right)))
            }
            Op::Clip(a, low, high) => self.of(*a, context.max(span(*a)).max(span(*low)).max(span(*high))),
            Op::Sum(a) | Op::Mean(a) => self.of(*a, context),
            Op::Spread(a) => self.of(*a, context.max(Some(self.nodes[*a].level))),
            Op::Scan(_, a, parameter) => {
                let along = context.map(|level| level.max(Level::Trajectory));
                self.of(*a, along.max(parameter.and_then(span)))
            }
            _ => context.unwrap_or(Level::Token),
        }
    }
}
