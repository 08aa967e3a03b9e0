//! Random batches with random values in every column.

use oreal_algos::{Column, Experience, Layout, Level};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

/// Two to four groups of two to five trajectories of one to six tokens. Each group has right and wrong trajectories.
/// All log-probabilities of a token are within 1 of each other.
pub fn random_batch(seed: u64) -> Experience {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let groups = rng.random_range(2..=4);
    let lengths: Vec<Vec<usize>> = (0..groups)
        .map(|_| {
            let count = rng.random_range(2..=5);
            (0..count).map(|_| rng.random_range(1..=6)).collect()
        })
        .collect();
    random_batch_on(Layout::new(&lengths).expect("every length is at least 1"), seed)
}

/// A random batch as of [`random_batch`] on a given layout. In each group rewards alternate: right, wrong, right, ..
pub fn random_batch_on(layout: Layout, seed: u64) -> Experience {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut x = Experience::new(layout);
    let tokens = x.layout().count(Level::Token);
    let near: Vec<f64> = (0..tokens).map(|_| -rng.random_range(0.1..3.0)).collect();
    for column in Column::ALL {
        let values = match column {
            Column::LOGP | Column::OLD_LOGP | Column::REF_LOGP | Column::SAMPLED_LOGP => {
                near.iter().map(|logp| logp + rng.random_range(-0.5..0.5)).collect()
            }
            Column::REWARD => rewards(&x),
            Column::GREEDY_REWARD => {
                (0..x.layout().count(Level::Trajectory)).map(|_| f64::from(rng.random_bool(0.5))).collect()
            }
            Column::DUPLICATE | Column::TRUNCATED => vec![0.0; x.layout().count(Level::Trajectory)],
            _ => (0..tokens).map(|_| rng.random_range(-1.5..1.5)).collect(),
        };
        x.set(column, values).expect("a value for each unit");
    }
    x
}

/// 1, 0, 1, 0, .. in each group.
fn rewards(x: &Experience) -> Vec<f64> {
    let groups = x.layout().spans(Level::Trajectory, Level::Group).into_iter();
    groups.flat_map(|group| (0..group.len()).map(|i| f64::from(i % 2 == 0))).collect()
}
