//! The arena behind an expression: plain nodes, each pointing at earlier ones. Evaluated in f64, differentiated in
//! reverse.

use std::cell::RefCell;

use crate::experience::{Column, Columns, Experience};
use crate::layout::Layout;
use crate::operation::{Binary, Scan, Unary};
use crate::rank::Level;

/// Place of a node in its graph.
pub(crate) type Id = usize;

/// What a node computes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Op {
    Column(Column),
    Constant(f64),
    /// How many units of this level the node's own units have.
    Count(Level),
    /// 1 on the last token of each trajectory.
    LastToken,
    Unary(Unary, Id),
    Binary(Binary, Id, Id),
    Sum(Id),
    Mean(Id),
    /// The same value for every finer unit.
    Spread(Id),
    Scan(Scan, Id),
    /// The value without its gradient.
    Detach(Id),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    pub(crate) op: Op,
    pub(crate) level: Level,
    /// Gradient flows through it to a signal.
    pub(crate) live: bool,
    /// Its value depends on a signal, whether gradient flows or not.
    pub(crate) stirred: bool,
    pub(crate) name: Option<&'static str>,
}

impl Node {
    /// The nodes it is computed from.
    pub(crate) fn inputs(&self) -> impl Iterator<Item = Id> + use<> {
        let (a, b) = match self.op {
            Op::Column(_) | Op::Constant(_) | Op::Count(_) | Op::LastToken => (None, None),
            Op::Unary(_, a) | Op::Sum(a) | Op::Mean(a) | Op::Spread(a) | Op::Scan(_, a) | Op::Detach(a) => {
                (Some(a), None)
            }
            Op::Binary(_, a, b) => (Some(a), Some(b)),
        };
        a.into_iter().chain(b)
    }
}

/// A graph under construction; expressions are handles into it.
#[derive(Debug, Default)]
pub struct Graph {
    nodes: RefCell<Vec<Node>>,
}

impl Graph {
    pub(crate) fn into_nodes(self) -> Vec<Node> {
        self.nodes.into_inner()
    }

    /// The node of an operation; the same operation is the same node.
    pub(crate) fn node(&self, op: Op, level: Level) -> Id {
        let mut nodes = self.nodes.borrow_mut();
        if let Some(id) = nodes.iter().position(|node| node.op == op && node.level == level) {
            return id;
        }
        let signal = matches!(&op, Op::Column(column) if column.is_signal());
        let cut = matches!(op, Op::Detach(_) | Op::Unary(Unary::Above(_), _) | Op::Scan(Scan::Frozen(..), _));
        let mut node = Node { op, level, live: false, stirred: false, name: None };
        node.live = !cut && (signal || node.inputs().any(|id| nodes[id].live));
        node.stirred = signal || node.inputs().any(|id| nodes[id].stirred);
        nodes.push(node);
        nodes.len() - 1
    }

    pub(crate) fn constant(&self, value: f64) -> Id {
        self.node(Op::Constant(value), Level::Batch)
    }

    pub(crate) fn level(&self, id: Id) -> Level {
        self.nodes.borrow()[id].level
    }

    pub(crate) fn name(&self, id: Id, name: &'static str) {
        self.nodes.borrow_mut()[id].name.get_or_insert(name);
    }

    pub(crate) fn unary(&self, op: Unary, x: Id) -> Id {
        match (op, self.known(x)) {
            (_, Some(x)) => self.constant(op.value(x)),
            (Unary::Scale(0.0), _) => self.constant(0.0),
            (Unary::Scale(1.0) | Unary::Offset(0.0), _) => x,
            (Unary::Scale(-1.0) | Unary::From(0.0), _) => self.unary(Unary::Neg, x),
            _ => self.node(Op::Unary(op, x), self.level(x)),
        }
    }

    /// Mixing ranks gives the finer one. A zero takes its whole term away, and with it the columns the term would read.
    pub(crate) fn binary(&self, op: Binary, a: Id, b: Id) -> Id {
        match (op, self.known(a), self.known(b)) {
            (_, Some(a), Some(b)) => self.constant(op.value(a, b)),
            (Binary::Add, Some(c), _) => self.unary(Unary::Offset(c), b),
            (Binary::Add, _, Some(c)) => self.unary(Unary::Offset(c), a),
            (Binary::Sub, Some(c), _) => self.unary(Unary::From(c), b),
            (Binary::Sub, _, Some(c)) => self.unary(Unary::Offset(-c), a),
            (Binary::Mul, Some(c), _) => self.unary(Unary::Scale(c), b),
            (Binary::Mul, _, Some(c)) => self.unary(Unary::Scale(c), a),
            (Binary::Div, Some(c), _) => self.unary(Unary::Over(c), b),
            (Binary::Div, _, Some(c)) => self.unary(Unary::Scale(1.0 / c), a),
            _ => {
                let level = self.level(a).min(self.level(b));
                self.node(Op::Binary(op, self.spread(a, level), self.spread(b, level)), level)
            }
        }
    }

    pub(crate) fn spread(&self, x: Id, level: Level) -> Id {
        if self.level(x) == level { x } else { self.node(Op::Spread(x), level) }
    }

    /// The number a node stands for, where it is known before any experience.
    pub(crate) fn known(&self, id: Id) -> Option<f64> {
        match self.nodes.borrow()[id].op {
            Op::Constant(value) => Some(value),
            _ => None,
        }
    }
}

/// Values of every node that was asked for; empty where not.
pub(crate) type Values = Vec<Vec<f64>>;

/// Values of the nodes marked in `wanted`, each from earlier ones; those already `given` are taken as they are. A column
/// nobody has put in place is not a number.
pub(crate) fn forward(nodes: &[Node], wanted: &[bool], given: Values, x: &Experience) -> Values {
    let mut values = given;
    values.resize(nodes.len(), Vec::new());
    for (id, node) in nodes.iter().enumerate() {
        if wanted[id] && values[id].is_empty() {
            values[id] = value(node, nodes, &values, x);
        }
    }
    values
}

fn value(node: &Node, nodes: &[Node], values: &Values, x: &Experience) -> Vec<f64> {
    let layout = x.layout();
    let count = layout.count(node.level);
    match &node.op {
        Op::Column(column) => x.column(*column).map_or_else(|| vec![f64::NAN; count], <[f64]>::to_vec),
        Op::Constant(value) => vec![*value; count],
        Op::Count(of) => (0..count).map(|unit| layout.size(*of, node.level, unit) as f64).collect(),
        Op::LastToken => {
            let mut last = vec![0.0; count];
            layout.spans(Level::Token, Level::Trajectory).into_iter().for_each(|span| last[span.end - 1] = 1.0);
            last
        }
        Op::Unary(op, a) => values[*a].iter().map(|&a| op.value(a)).collect(),
        Op::Binary(op, a, b) => values[*a].iter().zip(&values[*b]).map(|(&a, &b)| op.value(a, b)).collect(),
        Op::Sum(a) => sums(&values[*a], nodes[*a].level, node.level, layout),
        Op::Mean(a) => {
            let sums = sums(&values[*a], nodes[*a].level, node.level, layout).into_iter().enumerate();
            sums.map(|(unit, sum)| sum / layout.size(nodes[*a].level, node.level, unit) as f64).collect()
        }
        Op::Spread(a) => spread(&values[*a], nodes[*a].level, node.level, layout),
        Op::Scan(scan, a) => {
            let spans = layout.spans(Level::Token, Level::Trajectory).into_iter();
            spans.flat_map(|span| scan.value(&values[*a][span])).collect()
        }
        Op::Detach(a) => values[*a].clone(),
    }
}

/// Cotangents of the signals, from a cotangent of 1 on `root`.
pub(crate) fn backward(nodes: &[Node], root: Id, values: &Values, layout: &Layout) -> Columns {
    let mut cotangents: Values = vec![Vec::new(); nodes.len()];
    let mut signals = Columns::new();
    cotangents[root] = vec![1.0; layout.count(nodes[root].level)];
    for id in (0..=root).rev().filter(|&id| nodes[id].live) {
        let cotangent = std::mem::take(&mut cotangents[id]);
        if cotangent.is_empty() {
            continue;
        }
        match &nodes[id].op {
            Op::Column(column) => drop(signals.insert(*column, cotangent)),
            _ => pull(id, &cotangent, nodes, values, layout, &mut |id, pulled| {
                accumulate(&mut cotangents[id], pulled);
            }),
        }
    }
    signals
}

/// Hands each live input of a node its share of the node's cotangent. Where the cotangent is zero the slope may be
/// infinite.
fn pull(
    id: Id,
    cotangent: &[f64],
    nodes: &[Node],
    values: &Values,
    layout: &Layout,
    give: &mut dyn FnMut(Id, Vec<f64>),
) {
    let level = nodes[id].level;
    match &nodes[id].op {
        Op::Unary(op, a) => {
            let slope = |((&x, &y), &g): ((&f64, &f64), &f64)| if g == 0.0 { 0.0 } else { g * op.slope(x, y) };
            give(*a, values[*a].iter().zip(&values[id]).zip(cotangent).map(slope).collect());
        }
        Op::Binary(op, a, b) => {
            let side = |pick: fn((f64, f64)) -> f64| {
                let inputs = values[*a].iter().zip(&values[*b]);
                let slope =
                    |((&a, &b), &g): ((&f64, &f64), &f64)| if g == 0.0 { 0.0 } else { g * pick(op.slopes(a, b)) };
                inputs.zip(cotangent).map(slope).collect()
            };
            if nodes[*a].live {
                give(*a, side(|slopes| slopes.0));
            }
            if nodes[*b].live {
                give(*b, side(|slopes| slopes.1));
            }
        }
        Op::Sum(a) => give(*a, spread(cotangent, level, nodes[*a].level, layout)),
        Op::Mean(a) => {
            let share = |(unit, g): (usize, &f64)| g / layout.size(nodes[*a].level, level, unit) as f64;
            let shares: Vec<f64> = cotangent.iter().enumerate().map(share).collect();
            give(*a, spread(&shares, level, nodes[*a].level, layout));
        }
        Op::Spread(a) => give(*a, sums(cotangent, level, nodes[*a].level, layout)),
        Op::Scan(scan, a) => {
            let spans = layout.spans(Level::Token, Level::Trajectory).into_iter();
            give(*a, spans.flat_map(|span| scan.pull(&cotangent[span])).collect());
        }
        Op::Column(_) | Op::Constant(_) | Op::Count(_) | Op::LastToken | Op::Detach(_) => {}
    }
}

fn accumulate(sum: &mut Vec<f64>, more: Vec<f64>) {
    if sum.is_empty() {
        *sum = more;
    } else {
        sum.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
    }
}

fn sums(x: &[f64], fine: Level, coarse: Level, layout: &Layout) -> Vec<f64> {
    layout.spans(fine, coarse).into_iter().map(|span| x[span].iter().sum()).collect()
}

fn spread(x: &[f64], coarse: Level, fine: Level, layout: &Layout) -> Vec<f64> {
    let spans = layout.spans(fine, coarse).into_iter().enumerate();
    spans.flat_map(|(unit, span)| span.map(move |_| x[unit])).collect()
}
