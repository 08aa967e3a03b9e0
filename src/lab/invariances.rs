//! What must not matter to an algorithm: how a batch is ordered, repeated or cut; and that its cotangents are derivatives.

use oreal_algos::{Algorithm, Column, Columns, Experience, Layout, Level, Objective, credit_of};
use serde::Serialize;

use super::random::random_batch;
use crate::update::parts;

/// One thing that must not matter, and how much it does.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Invariance {
    pub name: &'static str,
    /// Largest difference it makes, over random batches.
    pub off: f64,
    /// Room for rounding.
    pub allowed: f64,
}

impl Invariance {
    pub fn holds(&self) -> bool {
        self.off <= self.allowed
    }
}

const BATCHES: u64 = 20;

/// Step of the central differences.
const H: f64 = 1e-5;

/// Measures each on random ragged batches.
pub fn invariances(algorithm: &dyn Algorithm) -> Vec<Invariance> {
    let credit = credit_of(algorithm);
    let objective = algorithm.objective();
    let worst = |off: &dyn Fn(&Experience) -> f64| {
        let each = (0..BATCHES).map(|seed| off(&random_batch(seed)));
        each.fold(0.0, |worst, off| if off.is_nan() { f64::INFINITY } else { f64::max(worst, off) })
    };
    let turned = |x: &Experience| {
        let mut order = groups(x);
        order.reverse();
        order.iter_mut().for_each(|group| group.rotate_left(1));
        order
    };
    vec![
        Invariance {
            name: "credit does not depend on the order of groups and answers",
            off: worst(&|x| {
                let order = turned(x);
                let y = rearranged(x, &order);
                let [a, b] = [x, &y].map(|x| Columns::from([(Column::Advantage, credit.evaluate(x))]));
                difference(x, &a, &y, &b, &order.concat(), 1.0)
            }),
            allowed: 1e-12,
        },
        Invariance {
            name: "the loss does not depend on the order of groups and answers",
            off: worst(&|x| moved(&*objective, x, &turned(x), 1.0)),
            allowed: 1e-12,
        },
        Invariance {
            name: "a batch of everything twice has the same loss, and half the cotangents",
            off: worst(&|x| moved(&*objective, x, &[groups(x), groups(x)].concat(), 2.0)),
            allowed: 1e-12,
        },
        Invariance {
            name: "parts of a batch have the cotangents of the whole",
            off: worst(&|x| [1, 2, 5].map(|most| cut(&*objective, x, most)).into_iter().fold(0.0, f64::max)),
            allowed: 1e-12,
        },
        Invariance {
            name: "cotangents are the derivative of the loss",
            off: worst(&|x| slope(&*objective, x)),
            allowed: 1e-8,
        },
    ]
}

fn groups(x: &Experience) -> Vec<Vec<usize>> {
    x.layout().spans(Level::Trajectory, Level::Group).into_iter().map(Iterator::collect).collect()
}

/// Lays the trajectories (by group, in the order given) out anew.
fn rearranged(x: &Experience, groups: &[Vec<usize>]) -> Experience {
    let length = |&i: &usize| x.layout().size(Level::Token, Level::Trajectory, i);
    let layout = Layout::new(&groups.iter().map(|group| group.iter().map(length).collect()).collect::<Vec<_>>());
    let mut moved = Experience::new(layout);
    for (&column, values) in x.columns() {
        let of = |i: &usize| values[x.layout().range(column.level(), &(*i..*i + 1))].to_vec();
        moved.set(column, groups.iter().flatten().flat_map(of).collect());
    }
    moved
}

/// How much loss and cotangents differ when the trajectories are laid out anew and cotangents are `scale` times smaller.
fn moved(objective: &dyn Objective, x: &Experience, order: &[Vec<usize>], scale: f64) -> f64 {
    let y = rearranged(x, order);
    let (a, b) = (objective.evaluate(x), objective.evaluate(&y));
    let cotangents = difference(x, &a.cotangents, &y, &b.cotangents, &order.concat(), scale);
    (a.value - b.value).abs().max(cotangents)
}

/// Of the columns of each trajectory of `x`, found in `y` where `order` says.
fn difference(x: &Experience, a: &Columns, y: &Experience, b: &Columns, order: &[usize], scale: f64) -> f64 {
    let mut worst: f64 = 0.0;
    for (column, values) in a {
        for (place, &i) in order.iter().enumerate() {
            let left = &values[x.layout().range(Level::Token, &(i..i + 1))];
            let right = &b[column][y.layout().range(Level::Token, &(place..place + 1))];
            worst = left.iter().zip(right).map(|(l, r)| (l - scale * r).abs()).fold(worst, f64::max);
        }
    }
    worst
}

fn cut(objective: &dyn Objective, x: &Experience, most: usize) -> f64 {
    let whole = objective.evaluate(x).cotangents;
    let split = objective.split(x);
    let mut worst: f64 = 0.0;
    for part in parts(x.layout(), objective.coupling(), &|part| part.len() <= most) {
        let range = x.layout().range(Level::Token, &part);
        let cut = |(&column, values): (&Column, &Vec<f64>)| (column, values[range.clone()].to_vec());
        let signals: Columns = x.columns().iter().filter(|(column, _)| column.is_signal()).map(cut).collect();
        let found = split(part.clone(), &signals);
        for (column, values) in whole.iter().map(cut) {
            worst = values.iter().zip(&found[&column]).map(|(a, b)| (a - b).abs()).fold(worst, f64::max);
        }
    }
    worst
}

/// Cotangents against central differences, with stop-gradients held where they are.
fn slope(objective: &dyn Objective, x: &Experience) -> f64 {
    let cotangents = objective.evaluate(x).cotangents;
    let mut worst: f64 = 0.0;
    for column in objective.reads().into_iter().filter(|column| column.is_signal()) {
        let values = x.column(column).unwrap_or_default();
        for token in 0..values.len() {
            let at = |change: f64| {
                let mut moved = values.to_vec();
                moved[token] += change;
                objective.value_holding(&x.clone().with(column, moved), x)
            };
            let expected = (at(H) - at(-H)) / (2.0 * H);
            let found = cotangents.get(&column).map_or(0.0, |values| values[token]);
            worst = worst.max((found - expected).abs());
        }
    }
    worst
}
