//! Invariances of an algorithm: order, repetition and cutting of a batch must not change its loss or cotangents, and
//! its cotangents must be the derivatives of its loss.

use oreal_algos::{Algorithm, Column, Columns, Experience, Layout, Level, Objective, credit_of};
use serde::Serialize;

use super::random::random_batch;
use crate::update::parts;

/// One invariance and the largest deviation from it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Invariance {
    /// The invariance as a statement.
    pub name: &'static str,
    /// Largest absolute deviation over random batches; infinite if one is NaN.
    pub off: f64,
    /// Largest deviation that rounding explains.
    pub allowed: f64,
}

impl Invariance {
    /// Whether the deviation is within rounding.
    pub fn holds(&self) -> bool {
        self.off <= self.allowed
    }
}

const BATCHES: u64 = 20;

/// Half the interval of the central differences.
const H: f64 = 1e-5;

/// Checks every invariance on random batches of completions of unequal length.
pub fn invariances(algorithm: &dyn Algorithm) -> Vec<Invariance> {
    let credit = credit_of(algorithm);
    let objective = algorithm.objective();
    let worst = |off: &dyn Fn(&Experience) -> f64| {
        let each = (0..BATCHES).map(|seed| off(&random_batch(seed)));
        each.fold(0.0, |worst, off| if off.is_nan() { f64::INFINITY } else { f64::max(worst, off) })
    };
    let reordered = |x: &Experience| {
        let mut order = groups(x);
        order.reverse();
        order.iter_mut().for_each(|group| group.rotate_left(1));
        order
    };
    vec![
        Invariance {
            name: "credit does not depend on the order of groups and answers",
            off: worst(&|x| {
                let order = reordered(x);
                let y = rearranged(x, &order);
                let [a, b] = [x, &y].map(|x| Columns::from([(Column::ADVANTAGE, credit.evaluate(x))]));
                difference(x, &a, &y, &b, &order.concat(), 1.0)
            }),
            allowed: 1e-12,
        },
        Invariance {
            name: "the loss does not depend on the order of groups and answers",
            off: worst(&|x| deviation(&*objective, x, &reordered(x), 1.0)),
            allowed: 1e-12,
        },
        Invariance {
            name: "a batch with everything twice has the same loss, and half the cotangents",
            off: worst(&|x| deviation(&*objective, x, &[groups(x), groups(x)].concat(), 2.0)),
            allowed: 1e-12,
        },
        Invariance {
            name: "parts of a batch have the cotangents of the whole",
            off: worst(&|x| [1, 2, 5].map(|most| cut_deviation(&*objective, x, most)).into_iter().fold(0.0, f64::max)),
            allowed: 1e-12,
        },
        Invariance {
            name: "cotangents are the derivative of the loss",
            off: worst(&|x| derivative_deviation(&*objective, x)),
            allowed: 1e-8,
        },
    ]
}

/// The indices of the trajectories of each group.
fn groups(x: &Experience) -> Vec<Vec<usize>> {
    x.layout().spans(Level::Trajectory, Level::Group).into_iter().map(Iterator::collect).collect()
}

/// A batch of the given groups of trajectories of `x`, in the given order.
fn rearranged(x: &Experience, groups: &[Vec<usize>]) -> Experience {
    let length = |&i: &usize| x.layout().size(Level::Token, Level::Trajectory, i);
    let lengths: Vec<Vec<usize>> = groups.iter().map(|group| group.iter().map(length).collect()).collect();
    let layout = Layout::new(&lengths).expect("every trajectory of a batch has a token");
    let mut rearranged = Experience::new(layout);
    for (&column, values) in x.columns() {
        let of = |i: &usize| values[x.layout().range(column.level(), &(*i..*i + 1))].to_vec();
        let values = groups.iter().flatten().flat_map(of).collect();
        rearranged.set(column, values).expect("a value for each unit");
    }
    rearranged
}

/// Largest change of loss or cotangents when the trajectories are rearranged, where cotangents should be `scale` times
/// smaller.
fn deviation(objective: &dyn Objective, x: &Experience, order: &[Vec<usize>], scale: f64) -> f64 {
    let y = rearranged(x, order);
    let (a, b) = (objective.evaluate(x), objective.evaluate(&y));
    let cotangents = difference(x, &a.cotangents, &y, &b.cotangents, &order.concat(), scale);
    (a.value - b.value).abs().max(cotangents)
}

/// Largest difference between token columns `a` of `x` and `scale` times `b` of `y`, where trajectory `i` of `y` is
/// trajectory `order[i]` of `x`.
fn difference(x: &Experience, a: &Columns, y: &Experience, b: &Columns, order: &[usize], scale: f64) -> f64 {
    let mut worst: f64 = 0.0;
    for (column, values) in a {
        for (position, &i) in order.iter().enumerate() {
            let left = &values[x.layout().range(Level::Token, &(i..i + 1))];
            let right = &b[column][y.layout().range(Level::Token, &(position..position + 1))];
            worst = left.iter().zip(right).map(|(l, r)| (l - scale * r).abs()).fold(worst, f64::max);
        }
    }
    worst
}

/// Largest difference between the cotangents of the whole batch and those of parts of at most `most` trajectories.
fn cut_deviation(objective: &dyn Objective, x: &Experience, most: usize) -> f64 {
    let whole = objective.evaluate(x).cotangents;
    let split = objective.by_parts(x);
    let mut worst: f64 = 0.0;
    for part in parts(x.layout(), objective.coupling(), &|part| part.len() <= most) {
        let range = x.layout().range(Level::Token, &part);
        let cut = |(&column, values): (&Column, &Vec<f64>)| (column, values[range.clone()].to_vec());
        let signals: Columns = x.columns().iter().filter(|(column, _)| column.is_signal()).map(cut).collect();
        // Cotangents of the wrong length, or none, are as wrong as can be.
        let Ok(found) = split(part.clone(), &signals) else { return f64::INFINITY };
        for (column, values) in whole.iter().map(cut) {
            let Some(found) = found.get(&column) else { return f64::INFINITY };
            worst = values.iter().zip(found).map(|(a, b)| (a - b).abs()).fold(worst, f64::max);
        }
    }
    worst
}

/// Largest difference between cotangents and central differences; detached quantities are held constant.
fn derivative_deviation(objective: &dyn Objective, x: &Experience) -> f64 {
    let cotangents = objective.evaluate(x).cotangents;
    let mut worst: f64 = 0.0;
    for column in objective.reads().into_iter().filter(|column| column.is_signal()) {
        let values = x.column(column).unwrap_or_default();
        for token in 0..values.len() {
            let at = |change: f64| {
                let mut shifted = values.to_vec();
                shifted[token] += change;
                x.clone().with(column, shifted).map_or(f64::NAN, |shifted| objective.value_holding(&shifted, x))
            };
            let expected = (at(H) - at(-H)) / (2.0 * H);
            let found = cotangents.get(&column).map_or(0.0, |values| values[token]);
            worst = worst.max((found - expected).abs());
        }
    }
    worst
}
