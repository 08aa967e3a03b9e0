//! The arena behind an expression: plain nodes, each with earlier ones as inputs. Evaluated in f64, differentiated in
//! reverse.

use std::cell::RefCell;
use std::ops::Range;

use crate::coefficient::Coefficient;
use crate::column::{Column, Columns};
use crate::elementwise::Side;
use crate::experience::Experience;
use crate::layout::Layout;
use crate::operation::{Binary, Scan, Unary, clip, clip_slope};
use crate::rank::Level;

/// Index of a node in its graph.
pub(crate) type Id = usize;

/// What a node computes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Op {
    Column(Column),
    Constant(f64),
    /// A number with a symbol, which may depend on the training step.
    Setting(&'static str, Coefficient),
    /// How many units of this level the node's own units have.
    Count(Level),
    /// 1 on the last token of each trajectory.
    LastToken,
    Unary(Unary, Id),
    Binary(Binary, Id, Id),
    /// The first input between the other two.
    Clip(Id, Id, Id),
    Sum(Id),
    Mean(Id),
    /// The same value for every finer unit.
    Spread(Id),
    /// The second input, a single number, is the scan's parameter.
    Scan(Scan, Id, Option<Id>),
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
    pub(crate) from_signals: bool,
    /// It is a single number that depends on nothing but constants and settings.
    pub(crate) fixed: bool,
    pub(crate) name: Option<&'static str>,
}

impl Node {
    /// The nodes it is computed from.
    pub(crate) fn inputs(&self) -> impl Iterator<Item = Id> + use<> {
        let inputs = match self.op {
            Op::Column(_) | Op::Constant(_) | Op::Setting(..) | Op::Count(_) | Op::LastToken => [None; 3],
            Op::Unary(_, a) | Op::Sum(a) | Op::Mean(a) | Op::Spread(a) | Op::Detach(a) => [Some(a), None, None],
            Op::Binary(_, a, b) => [Some(a), Some(b), None],
            Op::Clip(a, low, high) => [Some(a), Some(low), Some(high)],
            Op::Scan(_, a, parameter) => [Some(a), parameter, None],
        };
        inputs.into_iter().flatten()
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
        let cut = matches!(
            op,
            Op::Detach(_) | Op::Binary(Binary::Above | Binary::Below, ..) | Op::Scan(Scan::Function(..), ..)
        );
        let number = match op {
            Op::Constant(_) | Op::Setting(..) => true,
            Op::Unary(..) | Op::Binary(..) | Op::Clip(..) => level == Level::Batch,
            _ => false,
        };
        let mut node = Node { op, level, live: false, from_signals: false, fixed: false, name: None };
        node.live = !cut && (signal || node.inputs().any(|id| nodes[id].live));
        node.from_signals = signal || node.inputs().any(|id| nodes[id].from_signals);
        node.fixed = number && node.inputs().all(|id| nodes[id].fixed);
        nodes.push(node);
        nodes.len() - 1
    }

    pub(crate) fn constant(&self, value: f64) -> Id {
        self.node(Op::Constant(value), Level::Batch)
    }

    pub(crate) fn level(&self, id: Id) -> Level {
        self.nodes.borrow()[id].level
    }

    /// The first name that a node is given stays. A plain number has none.
    pub(crate) fn name(&self, id: Id, name: &'static str) {
        if self.known(id).is_none() {
            self.nodes.borrow_mut()[id].name.get_or_insert(name);
        }
    }

    pub(crate) fn unary(&self, op: Unary, x: Id) -> Id {
        match self.known(x) {
            Some(x) => self.constant(op.value(x)),
            None => self.node(Op::Unary(op, x), self.level(x)),
        }
    }

    /// Mixing ranks broadcasts to the finer. Terms multiplied by 0 are removed, and with them the columns they would read.
    pub(crate) fn binary(&self, op: Binary, a: Id, b: Id) -> Id {
        match (op, self.known(a), self.known(b)) {
            (_, Some(a), Some(b)) => self.constant(op.value(a, b)),
            (Binary::Mul, ..) if self.is_zero(a) || self.is_zero(b) => self.constant(0.0),
            (Binary::Add, Some(0.0), _) | (Binary::Mul, Some(1.0), _) => b,
            (Binary::Add | Binary::Sub, _, Some(0.0)) | (Binary::Mul | Binary::Div, _, Some(1.0)) => a,
            (Binary::Sub, Some(0.0), _) | (Binary::Mul, Some(-1.0), _) => self.unary(Unary::Neg, b),
            (Binary::Mul | Binary::Div, _, Some(-1.0)) => self.unary(Unary::Neg, a),
            _ => {
                let level = self.level(a).min(self.level(b));
                self.node(Op::Binary(op, self.operand(a, level), self.operand(b, level)), level)
            }
        }
    }

    pub(crate) fn clip(&self, x: Id, low: Id, high: Id) -> Id {
        match (self.known(x), self.known(low), self.known(high)) {
            (Some(x), Some(low), Some(high)) => self.constant(clip(x, low, high)),
            _ => {
                let level = [low, high].into_iter().fold(self.level(x), |level, id| level.min(self.level(id)));
                let [x, low, high] = [x, low, high].map(|id| self.operand(id, level));
                self.node(Op::Clip(x, low, high), level)
            }
        }
    }

    pub(crate) fn spread(&self, x: Id, level: Level) -> Id {
        if self.level(x) == level { x } else { self.node(Op::Spread(x), level) }
    }

    /// As an operand of a finer operation: a single number is broadcast when it is read.
    fn operand(&self, x: Id, level: Level) -> Id {
        let fixed = self.nodes.borrow()[x].fixed;
        if fixed { x } else { self.spread(x, level) }
    }

    /// The number that a node is, where it is one without a symbol.
    pub(crate) fn known(&self, id: Id) -> Option<f64> {
        match self.nodes.borrow()[id].op {
            Op::Constant(value) => Some(value),
            _ => None,
        }
    }

    /// Zero at every step.
    fn is_zero(&self, id: Id) -> bool {
        constantly(&self.nodes.borrow(), id) == Some(0.0)
    }
}

/// The value of a node that is the same for every experience and at every step.
fn constantly(nodes: &[Node], id: Id) -> Option<f64> {
    let of = |id: Id| constantly(nodes, id);
    match nodes[id].op {
        Op::Constant(value) => Some(value),
        Op::Setting(_, coefficient) => coefficient.constant(),
        Op::Unary(op, a) if nodes[id].fixed => Some(op.value(of(a)?)),
        Op::Binary(op, a, b) if nodes[id].fixed => Some(op.value(of(a)?, of(b)?)),
        Op::Clip(a, low, high) if nodes[id].fixed => Some(clip(of(a)?, of(low)?, of(high)?)),
        _ => None,
    }
}

/// Values of every node that was asked for; empty where not.
pub(crate) type Values = Vec<Vec<f64>>;

/// Values of the nodes marked in `wanted`; those already `given` are not computed again. A column that is not set is NaN.
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
        Op::Setting(_, coefficient) => vec![coefficient.at(x.step()); count],
        Op::Count(of) => (0..count).map(|unit| layout.size(*of, node.level, unit) as f64).collect(),
        Op::LastToken => {
            let mut last = vec![0.0; count];
            layout.spans(Level::Token, Level::Trajectory).into_iter().for_each(|span| last[span.end - 1] = 1.0);
            last
        }
        Op::Unary(op, a) => op.values(&values[*a]),
        Op::Binary(op, a, b) => op.values(&values[*a], &values[*b]),
        Op::Clip(a, low, high) => {
            let [a, low, high] = [a, low, high].map(|id| Operand::of(&values[*id]));
            (0..count).map(|i| clip(a.at(i), low.at(i), high.at(i))).collect()
        }
        Op::Sum(a) => sums(&values[*a], nodes[*a].level, node.level, layout),
        Op::Mean(a) => {
            let sums = sums(&values[*a], nodes[*a].level, node.level, layout).into_iter().enumerate();
            sums.map(|(unit, sum)| sum / layout.size(nodes[*a].level, node.level, unit) as f64).collect()
        }
        Op::Spread(a) => spread(&values[*a], nodes[*a].level, node.level, layout),
        Op::Scan(scan, a, p) => {
            let p = parameter(*p, values);
            per_trajectory(layout, |span| scan.value(&values[*a][span], p))
        }
        Op::Detach(a) => values[*a].clone(),
    }
}

/// The values of an input: one per unit, or a single number that is broadcast.
struct Operand<'a> {
    values: &'a [f64],
    stride: usize,
}

impl<'a> Operand<'a> {
    fn of(values: &'a [f64]) -> Operand<'a> {
        Operand { values, stride: usize::from(values.len() != 1) }
    }

    fn at(&self, i: usize) -> f64 {
        self.values[i * self.stride]
    }
}

/// The parameter of a scan, 0 where it has none.
fn parameter(id: Option<Id>, values: &Values) -> f64 {
    id.and_then(|id| values[id].first().copied()).unwrap_or(0.0)
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

/// Hands each live input of a node its share of the node's cotangent.
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
        Op::Unary(op, a) => give(*a, op.pull(&values[*a], &values[id], cotangent)),
        Op::Binary(op, a, b) => {
            for (id, side) in [(*a, Side::Left), (*b, Side::Right)] {
                if nodes[id].live {
                    give(id, op.pull(&values[*a], &values[*b], cotangent, side));
                }
            }
        }
        Op::Clip(a, low, high) => {
            let [x, low, high] = [a, low, high].map(|id| Operand::of(&values[*id]));
            let slope = |(i, g): (usize, &f64)| g * clip_slope(x.at(i), low.at(i), high.at(i));
            give(*a, cotangent.iter().enumerate().map(slope).collect());
        }
        Op::Sum(a) => give(*a, spread(cotangent, level, nodes[*a].level, layout)),
        Op::Mean(a) => {
            let share = |(unit, g): (usize, &f64)| g / layout.size(nodes[*a].level, level, unit) as f64;
            let shares: Vec<f64> = cotangent.iter().enumerate().map(share).collect();
            give(*a, spread(&shares, level, nodes[*a].level, layout));
        }
        Op::Spread(a) => give(*a, sums(cotangent, level, nodes[*a].level, layout)),
        Op::Scan(scan, a, p) => {
            let p = parameter(*p, values);
            give(*a, per_trajectory(layout, |span| scan.pull(&cotangent[span], p)));
        }
        Op::Column(_) | Op::Constant(_) | Op::Setting(..) | Op::Count(_) | Op::LastToken | Op::Detach(_) => {}
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

/// The value of each coarse unit for each of its fine ones.
fn spread(x: &[f64], coarse: Level, fine: Level, layout: &Layout) -> Vec<f64> {
    let mut spread = Vec::with_capacity(layout.count(fine));
    let spans = layout.spans(fine, coarse).into_iter();
    spans.zip(x).for_each(|(span, &value)| spread.resize(span.end, value));
    spread
}

/// Values of all tokens from those of each trajectory.
fn per_trajectory(layout: &Layout, values: impl Fn(Range<usize>) -> Vec<f64>) -> Vec<f64> {
    let mut all = Vec::with_capacity(layout.count(Level::Token));
    let spans = layout.spans(Level::Token, Level::Trajectory).into_iter();
    spans.for_each(|span| all.extend_from_slice(&values(span)));
    all
}
