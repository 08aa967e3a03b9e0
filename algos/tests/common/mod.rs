//! Batches to evaluate formulas on.

use oreal_algos::{Column, Columns, Experience, Layout, Level};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

/// Three groups, seven trajectories, with every built-in column set to random numbers (rewards: right and wrong in each
/// group).
pub fn batch(seed: u64) -> Experience {
    let layout = Layout::new(&[vec![3, 1], vec![2, 4, 1], vec![5, 2]]).unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    Column::ALL.into_iter().fold(Experience::new(layout.clone()), |x, column| {
        let values = match column.level() {
            Level::Token if column == Column::ADVANTAGE => (0..18).map(|_| rng.random_range(-1.0..1.0)).collect(),
            Level::Token => (0..layout.count(Level::Token)).map(|_| rng.random_range(-2.0..0.5)).collect(),
            _ => vec![1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
        };
        x.with(column, values).unwrap()
    })
}

/// The largest difference between two sets of cotangents.
#[allow(dead_code)]
pub fn off(a: &Columns, b: &Columns) -> f64 {
    assert!(a.keys().eq(b.keys()), "{:?} against {:?}", a.keys(), b.keys());
    let pairs = a.values().flatten().zip(b.values().flatten());
    pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}
