//! A formula: a finished graph with a root. Printed, analysed, evaluated, differentiated.

use std::ops::Range;

use crate::analysis;
use crate::experience::{Column, Columns, Experience};
use crate::expr::Expr;
use crate::graph::{self, Graph, Id, Node, Op, Values};
use crate::objective::{Loss, Objective, Split};
use crate::operation::{Strength, number};
use crate::rank::{Batch, Frozen, Level, Live, Token};
use crate::terms::{Data, Terms};

/// The objective that a formula of the language is.
pub fn minimise(loss: impl for<'g> FnOnce(Terms<'g>) -> Expr<'g, Batch, Live>) -> Box<dyn Objective> {
    let graph = Graph::default();
    let root = loss(Terms::new(&graph)).id();
    Box::new(Formula::new(graph, root, "loss"))
}

/// The credit of each token, as a formula.
#[derive(Clone, Debug)]
pub struct Credit(Formula);

impl Credit {
    pub(crate) fn new(credit: impl for<'g> FnOnce(Data<'g>) -> Expr<'g, Token, Frozen>) -> Credit {
        let graph = Graph::default();
        let root = credit(Data::new(&graph)).full();
        Credit(Formula::new(graph, root, Column::Advantage.symbol()))
    }

    /// The columns it reads.
    pub fn reads(&self) -> Vec<Column> {
        self.0.reads()
    }

    /// One value per token. A column that is read must be in place; a missing one gives numbers that are none.
    pub fn evaluate(&self, x: &Experience) -> Vec<f64> {
        self.0.values(x).swap_remove(self.0.root)
    }

    /// The printed formula.
    pub fn formula(&self) -> String {
        self.0.print()
    }
}

#[derive(Clone, Debug)]
struct Formula {
    nodes: Vec<Node>,
    root: Id,
    title: &'static str,
    /// Named nodes that are logged and printed.
    named: Vec<Id>,
    /// Every node that matters: for the root and for the log.
    wanted: Vec<bool>,
}

impl Formula {
    fn new(graph: Graph, root: Id, title: &'static str) -> Formula {
        let nodes = graph.into_nodes();
        let named = analysis::named(&nodes, root);
        let roots: Vec<Id> = named.iter().copied().chain([root]).collect();
        let wanted = analysis::reachable(&nodes, &roots);
        Formula { nodes, root, title, named, wanted }
    }

    fn reads(&self) -> Vec<Column> {
        analysis::columns(&self.nodes, &[self.root]).into_iter().collect()
    }

    fn values(&self, x: &Experience) -> Values {
        graph::forward(&self.nodes, &self.wanted, Values::new(), x)
    }

    /// A line for each named node, in the order of computation, then the root.
    fn print(&self) -> String {
        let named = self.named.iter().filter(|&&id| id != self.root);
        let named = named.filter_map(|&id| Some((self.nodes[id].name?, id)));
        let lines: Vec<(&str, Id)> = named.chain([(self.title, self.root)]).collect();
        let width = lines.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
        lines.iter().map(|(name, id)| format!("{name:width$} = {}\n", self.body(*id).0)).collect()
    }

    /// An operand: by its name if it has one, in parentheses where its place binds tighter.
    fn operand(&self, id: Id, place: Strength) -> String {
        if let Some(name) = self.nodes[id].name.filter(|_| self.named.contains(&id)) {
            return name.to_owned();
        }
        let (text, strength) = self.body(id);
        if strength < place { format!("({text})") } else { text }
    }

    fn body(&self, id: Id) -> (String, Strength) {
        let operand = |id: Id| move |place: Strength| self.operand(id, place);
        let call = |name: String, id: Id| (format!("{name}({})", self.operand(id, Strength::Sum)), Strength::Atom);
        let node = &self.nodes[id];
        match &node.op {
            Op::Column(column) => (column.symbol().to_owned(), Strength::Atom),
            Op::Constant(value) if *value < 0.0 => (number(*value), Strength::Negative),
            Op::Constant(value) => (number(*value), Strength::Atom),
            Op::Count(of) => (format!("{}_per_{}", of.plural(), node.level), Strength::Atom),
            Op::LastToken => ("1[last]".to_owned(), Strength::Atom),
            Op::Unary(op, a) => op.print(&operand(*a)),
            Op::Binary(op, a, b) => op.print(&operand(*a), &operand(*b)),
            Op::Sum(a) => call(format!("sum_{}", node.level), *a),
            Op::Mean(a) => call(format!("mean_{}", node.level), *a),
            Op::Spread(a) if self.nodes[*a].name.is_some() => (self.operand(*a, Strength::Atom), Strength::Atom),
            Op::Spread(a) => self.body(*a),
            Op::Scan(scan, a) => scan.print(&operand(*a)),
            Op::Detach(a) => call("sg".to_owned(), *a),
        }
    }
}

impl Objective for Formula {
    fn reads(&self) -> Vec<Column> {
        self.reads()
    }

    fn coupling(&self) -> Level {
        analysis::coupling(&self.nodes, self.root)
    }

    fn evaluate(&self, x: &Experience) -> Loss {
        let values = self.values(x);
        let broken = |&id: &Id| self.wanted[id] && values[id].iter().any(|v| !v.is_finite());
        let mean = |id: Id| values[id].iter().sum::<f64>() / (values[id].len().max(1) as f64);
        Loss {
            value: values[self.root][0],
            cotangents: graph::backward(&self.nodes, self.root, &values, x.layout()),
            metrics: self.named.iter().filter_map(|&id| Some((self.nodes[id].name?.to_owned(), mean(id)))).collect(),
            broken: (0..self.nodes.len()).find(broken).map(|id| self.operand(id, Strength::Sum)),
        }
    }

    /// Nodes that no signal stirs are evaluated here, once, on the whole batch; a part takes its share of them.
    fn split<'a>(&'a self, data: &'a Experience) -> Split<'a> {
        let wanted = analysis::reachable(&self.nodes, &[self.root]);
        let still: Vec<bool> = self.nodes.iter().zip(&wanted).map(|(node, &wanted)| wanted && !node.stirred).collect();
        let whole = graph::forward(&self.nodes, &still, Values::new(), data);
        Box::new(move |part: Range<usize>, signals: &Columns| {
            let mut x = Experience::new(data.layout().part(part.clone()));
            signals.iter().for_each(|(&column, values)| x.set(column, values.clone()));
            let share = |(node, values): (&Node, &Vec<f64>)| match values.is_empty() {
                true => Vec::new(),
                false => values[data.layout().range(node.level, &part)].to_vec(),
            };
            let given = self.nodes.iter().zip(&whole).map(share).collect();
            let values = graph::forward(&self.nodes, &wanted, given, &x);
            graph::backward(&self.nodes, self.root, &values, x.layout())
        })
    }

    fn value_holding(&self, x: &Experience, held: &Experience) -> f64 {
        let held = self.values(held);
        let detached = |(node, values): (&Node, Vec<f64>)| {
            if matches!(node.op, Op::Detach(_)) { values } else { Vec::new() }
        };
        let given = self.nodes.iter().zip(held).map(detached).collect();
        graph::forward(&self.nodes, &self.wanted, given, x)[self.root][0]
    }

    fn formula(&self) -> String {
        self.print()
    }
}
