//! A formula: a finished graph with a root. Printed, analysed, evaluated, differentiated.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::analysis;
use crate::column::{Column, Columns};
use crate::experience::Experience;
use crate::export::FormulaGraph;
use crate::expr::Expr;
use crate::graph::{self, Graph, Id, Node, Op, Values};
use crate::mathml;
use crate::objective::{Loss, Objective, PartCotangents};
use crate::parts::{self, Part};
use crate::printed;
use crate::rank::{Batch, Frozen, Level, Live, Token};
use crate::terms::{Data, Terms};

/// Makes an objective of a formula of the language.
pub fn minimise(loss: impl for<'g> FnOnce(Terms<'g>) -> Expr<'g, Batch, Live>) -> Box<dyn Objective> {
    let graph = Graph::default();
    let root = loss(Terms::new(&graph)).id();
    Box::new(Formula::new(graph, root, "loss"))
}

/// The same where there may be no formula.
pub(crate) fn try_minimise(
    loss: impl for<'g> FnOnce(Terms<'g>) -> Option<Expr<'g, Batch, Live>>,
) -> Option<Box<dyn Objective>> {
    let graph = Graph::default();
    let root = loss(Terms::new(&graph))?.id();
    Some(Box::new(Formula::new(graph, root, "loss")))
}

/// The credit of each token, as a formula.
#[derive(Clone, Debug)]
pub struct Credit(Formula);

impl Credit {
    pub(crate) fn new(credit: impl for<'g> FnOnce(Data<'g>) -> Expr<'g, Token, Frozen>) -> Credit {
        let graph = Graph::default();
        let root = credit(Data::new(&graph)).full();
        Credit(Formula::new(graph, root, Column::ADVANTAGE.symbol()))
    }

    /// The columns it reads.
    pub fn reads(&self) -> Vec<Column> {
        self.0.reads()
    }

    /// One value per token. A column that is read but not set yields NaN.
    pub fn evaluate(&self, x: &Experience) -> Vec<f64> {
        self.0.values(x).swap_remove(self.0.root)
    }

    /// The printed formula.
    pub fn formula(&self) -> String {
        printed::print(&self.0)
    }

    /// The formula in MathML: see [`Objective::mathml`].
    pub fn mathml(&self) -> String {
        mathml::print(&self.0)
    }

    /// The parts of the formula that explain a token's credit, with their values.
    pub fn parts(&self, x: &Experience) -> Vec<Part> {
        parts::of(&self.0, x)
    }

    /// The graph of the formula.
    pub fn graph(&self) -> FormulaGraph {
        FormulaGraph::of(&self.0)
    }
}

/// A finished graph with a root.
#[derive(Clone, Debug)]
pub(crate) struct Formula {
    pub(crate) nodes: Vec<Node>,
    pub(crate) root: Id,
    /// What the root is called.
    pub(crate) title: &'static str,
    /// Named nodes and settings that are printed, by what they are called.
    pub(crate) labels: BTreeMap<Id, String>,
    /// Every node that is evaluated: for the root and for the log.
    pub(crate) wanted: Vec<bool>,
}

impl Formula {
    fn new(graph: Graph, root: Id, title: &'static str) -> Formula {
        let nodes = graph.into_nodes();
        let logged = analysis::named(&nodes, root);
        let roots: Vec<Id> = logged.iter().copied().chain([root]).collect();
        let wanted = analysis::reachable(&nodes, &roots);
        let labels = labels(&nodes, &wanted, &logged, title);
        Formula { nodes, root, title, labels, wanted }
    }

    fn reads(&self) -> Vec<Column> {
        analysis::columns(&self.nodes, &[self.root]).into_iter().collect()
    }

    pub(crate) fn values(&self, x: &Experience) -> Values {
        graph::forward(&self.nodes, &self.wanted, Values::new(), x)
    }

    /// What is recorded of an evaluation: means of named values, and settings that follow a schedule.
    fn metrics(&self, values: &Values) -> BTreeMap<String, f64> {
        let mean = |id: Id| values[id].iter().sum::<f64>() / (values[id].len().max(1) as f64);
        let recorded = |id: Id| match self.nodes[id].op {
            Op::Setting(_, coefficient) => coefficient.constant().is_none(),
            _ => true,
        };
        let labels = self.labels.iter().filter(|(id, _)| recorded(**id));
        labels.map(|(&id, label)| (label.clone(), mean(id))).collect()
    }
}

/// What named nodes and settings are called: by their own name, numbered from the second of a name.
fn labels(nodes: &[Node], wanted: &[bool], logged: &[Id], title: &'static str) -> BTreeMap<Id, String> {
    let symbols = nodes.iter().filter_map(|node| match node.op {
        Op::Column(column) => Some(column.symbol().to_owned()),
        _ => None,
    });
    let mut taken: Vec<String> = symbols.chain([title.to_owned()]).collect();
    let mut labels = BTreeMap::new();
    for (id, node) in nodes.iter().enumerate().filter(|(id, _)| wanted[*id]) {
        let name = match node.op {
            Op::Setting(symbol, _) => symbol,
            _ => match node.name.filter(|_| logged.contains(&id)) {
                Some(name) => name,
                None => continue,
            },
        };
        let numbered = (2..).map(|n| format!("{name}_{n}"));
        let label = std::iter::once(name.to_owned()).chain(numbered).find(|label| !taken.contains(label));
        taken.extend(label.clone());
        labels.extend(label.map(|label| (id, label)));
    }
    labels
}

impl Objective for Formula {
    fn reads(&self) -> Vec<Column> {
        self.reads()
    }

    fn coupling(&self) -> Level {
        analysis::coupling(&self.nodes, self.root)
    }

    fn minibatch_unit(&self) -> Level {
        analysis::minibatch_unit(&self.nodes, self.root)
    }

    fn evaluate(&self, x: &Experience) -> Loss {
        let values = self.values(x);
        let not_finite = |&id: &Id| self.wanted[id] && values[id].iter().any(|v| !v.is_finite());
        Loss {
            value: values[self.root][0],
            cotangents: graph::backward(&self.nodes, self.root, &values, x.layout()),
            metrics: self.metrics(&values),
            not_finite: (0..self.nodes.len()).find(not_finite).map(|id| printed::expression(self, id)),
        }
    }

    /// Nodes that depend on no signal are evaluated here, once, on the whole batch; a part takes its share of them.
    fn by_parts<'a>(&'a self, data: &'a Experience) -> PartCotangents<'a> {
        let wanted = analysis::reachable(&self.nodes, &[self.root]);
        let once: Vec<bool> =
            self.nodes.iter().zip(&wanted).map(|(node, &wanted)| wanted && !node.from_signals).collect();
        let whole = graph::forward(&self.nodes, &once, Values::new(), data);
        Box::new(move |part: Range<usize>, signals: &Columns| {
            let mut x = Experience::new(data.layout().part(part.clone())).at_step(data.step());
            signals.iter().try_for_each(|(&column, values)| x.set(column, values.clone()))?;
            let share = |(node, values): (&Node, &Vec<f64>)| match values.is_empty() {
                true => Vec::new(),
                false => values[data.layout().range(node.level, &part)].to_vec(),
            };
            let given = self.nodes.iter().zip(&whole).map(share).collect();
            let values = graph::forward(&self.nodes, &wanted, given, &x);
            Ok(graph::backward(&self.nodes, self.root, &values, x.layout()))
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
        printed::print(self)
    }

    fn mathml(&self) -> Option<String> {
        Some(mathml::print(self))
    }

    fn parts(&self, x: &Experience) -> Vec<Part> {
        parts::of(self, x)
    }

    fn graph(&self) -> Option<FormulaGraph> {
        Some(FormulaGraph::of(self))
    }
}
