//! Randomness keyed by what is drawn, never by when or where.

use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

/// What a stream of random numbers decides. (Completions have keys of their own: [`oreal_models::Key`].)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Weights of a fresh policy.
    Weights,
    /// What the teacher demonstrates, its mistakes among it.
    Demonstrations,
    /// The problems that are trained on.
    Problems,
    /// Which trajectories are learnt from.
    Select,
    /// How a batch is divided into minibatches.
    Minibatch,
    /// The problems that are demonstrated.
    WarmUpProblems,
    /// Weights of another role that starts fresh.
    RoleWeights,
    /// The problems of an evaluation.
    Evaluation,
    /// Generated word problems.
    WordProblems,
    /// The order of demonstrations in fine-tuning.
    Examples,
    /// Resamples of a bootstrap.
    Bootstrap,
    /// Completions of problems that are drawn in place of others.
    Resample,
    /// Completions that go on from a prefix.
    Continuations,
}

impl Purpose {
    /// A seed of its own, for what is keyed by one number.
    pub fn seed(self, seed: u64) -> u64 {
        stream(seed, self, usize::MAX).random()
    }
}

/// The stream of a purpose at a step.
pub fn stream(seed: u64, purpose: Purpose, step: usize) -> ChaCha8Rng {
    let mut key = [0; 32];
    let words = [seed, step as u64, u64::MAX, purpose as u64];
    key.chunks_exact_mut(8).zip(words).for_each(|(bytes, word)| bytes.copy_from_slice(&word.to_le_bytes()));
    ChaCha8Rng::from_seed(key)
}

/// The step number that keys the completions of an evaluation.
pub const EVALUATION: u64 = u64::MAX;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_of_a_key_matters() {
        let first = |seed, purpose, step| stream(seed, purpose, step).random::<u64>();
        let streams = [
            first(1, Purpose::Problems, 1),
            first(2, Purpose::Problems, 1),
            first(1, Purpose::Select, 1),
            first(1, Purpose::Problems, 2),
        ];
        for (i, a) in streams.iter().enumerate() {
            assert!(!streams[..i].contains(a), "stream {i} is another's");
        }
        assert_eq!(streams[0], first(1, Purpose::Problems, 1));
    }
}
