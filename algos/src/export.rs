//! A read-only view of a formula's graph, for export and typesetting.

use crate::coefficient::Coefficient;
use crate::column::Column;
use crate::formula::Formula;
use crate::graph::{self, Id, Op};
use crate::rank::Level;

/// A formula as plain data: nodes, each with earlier ones as inputs.
///
/// ```
/// use oreal_algos::{Column, NodeKind, Level, minimise};
///
/// let graph = minimise(|x| -(x.advantage() * x.logp()).mean()).graph().expect("a formula");
/// let kinds: Vec<NodeKind> = graph.nodes().iter().map(|node| node.kind).collect();
/// assert_eq!(
///     kinds,
///     [NodeKind::Column(Column::ADVANTAGE), NodeKind::Column(Column::LOGP), NodeKind::Call("mul"), NodeKind::Mean, NodeKind::Call("neg")]
/// );
/// assert_eq!(graph.root(), 4);
/// assert_eq!(graph.nodes()[3].inputs, [2]);
/// assert_eq!((graph.nodes()[2].level, graph.nodes()[3].level), (Level::Token, Level::Batch));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct FormulaGraph {
    nodes: Vec<GraphNode>,
    root: usize,
}

/// A node of a formula's graph.
#[derive(Clone, Debug, PartialEq)]
pub struct GraphNode {
    /// What it computes.
    pub kind: NodeKind,
    /// The nodes it is computed from, in the order of its arguments.
    pub inputs: Vec<usize>,
    /// The unit that has one value.
    pub level: Level,
    /// Whether gradient flows through it to a signal.
    pub live: bool,
    /// What it is called where the formula is printed, and in the metrics.
    pub name: Option<String>,
}

/// What a node computes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum NodeKind {
    /// The values of a column.
    Column(Column),
    /// A number.
    Constant(f64),
    /// A setting, called by the node's name.
    Setting(Coefficient),
    /// How many units of this level each unit has.
    Count(Level),
    /// 1 on the last token of each trajectory, 0 elsewhere.
    LastToken,
    /// The sum of the input over each unit.
    Sum,
    /// The mean of the input over each unit.
    Mean,
    /// The input, the same for every finer unit.
    Spread,
    /// The input without its gradient.
    Detach,
    /// A function of the inputs, by its name. An input of level batch that depends on no column is broadcast.
    Call(&'static str),
}

impl FormulaGraph {
    /// Every node that is evaluated, each after its inputs.
    pub fn nodes(&self) -> &[GraphNode] {
        &self.nodes
    }

    /// The node that is the formula's value.
    pub fn root(&self) -> usize {
        self.root
    }

    pub(crate) fn of(formula: &Formula) -> FormulaGraph {
        let evaluated: Vec<Id> = (0..formula.nodes.len()).filter(|&id| formula.wanted[id]).collect();
        let place = |id: Id| evaluated.partition_point(|&earlier| earlier < id);
        let node = |&id: &Id| {
            let node = &formula.nodes[id];
            let inputs = node.inputs().map(place).collect();
            let name = formula.labels.get(&id).cloned();
            GraphNode { kind: kind(node), inputs, level: node.level, live: node.live, name }
        };
        FormulaGraph { nodes: evaluated.iter().map(node).collect(), root: place(formula.root) }
    }
}

fn kind(node: &graph::Node) -> NodeKind {
    match &node.op {
        Op::Column(column) => NodeKind::Column(*column),
        Op::Constant(value) => NodeKind::Constant(*value),
        Op::Setting(_, coefficient) => NodeKind::Setting(*coefficient),
        Op::Count(level) => NodeKind::Count(*level),
        Op::LastToken => NodeKind::LastToken,
        Op::Sum(_) => NodeKind::Sum,
        Op::Mean(_) => NodeKind::Mean,
        Op::Spread(_) => NodeKind::Spread,
        Op::Detach(_) => NodeKind::Detach,
        Op::Unary(op, _) => NodeKind::Call(op.name()),
        Op::Binary(op, ..) => NodeKind::Call(op.name()),
        Op::Clip(..) => NodeKind::Call("clip"),
        Op::Scan(scan, ..) => NodeKind::Call(scan.name()),
    }
}
