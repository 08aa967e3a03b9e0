//! Every algorithm's cotangents are the derivatives of its loss.

mod common;

use oreal::algos::{BuiltIn, Column, Experience, Objective};

/// Step of the central differences.
const H: f64 = 1e-5;

#[test]
fn cotangents_are_central_differences_on_random_ragged_batches() {
    for (name, preset, algorithm) in BuiltIn::all() {
        let objective = algorithm.objective();
        for seed in 0..20 {
            let x = common::experience(seed);
            let cotangents = objective.evaluate(&x).cotangents;
            let signals: Vec<Column> = objective.reads().into_iter().filter(|column| column.is_signal()).collect();
            assert!(!signals.is_empty(), "{name}/{preset} learns nothing");
            for column in signals {
                let expected = differences(&*objective, &x, column);
                let found = cotangents.get(&column).cloned().unwrap_or_else(|| vec![0.0; expected.len()]);
                let error = found.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
                assert!(error < 1e-8, "{name}/{preset}, batch {seed}: d loss / d {} is off by {error}", column.name());
            }
        }
    }
}

#[test]
fn a_cotangent_is_not_zero_everywhere() {
    for (name, preset, algorithm) in BuiltIn::all() {
        let x = common::experience(3);
        for (column, values) in algorithm.objective().evaluate(&x).cotangents {
            assert!(values.iter().any(|g| *g != 0.0), "{name}/{preset}: {} has no gradient", column.name());
        }
    }
}

/// With stop-gradients held where they are.
fn differences(objective: &dyn Objective, x: &Experience, column: Column) -> Vec<f64> {
    let values = x.column(column).expect("every column has a value");
    let at = |token: usize, change: f64| {
        let mut moved = values.to_vec();
        moved[token] += change;
        objective.value_holding(&x.clone().with(column, moved), x)
    };
    (0..values.len()).map(|token| (at(token, H) - at(token, -H)) / (2.0 * H)).collect()
}
