//! The weights of a transformer: names, shapes, and how a fresh model starts.

use rand::RngExt;
use rand::rngs::ChaCha8Rng;

use super::Config;
use crate::data::Head;
use crate::real::Real;

/// One weight.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// As Hugging Face names it.
    pub name: String,
    /// `[out, in]`, or `[n]` for norms and biases.
    pub shape: Vec<usize>,
    /// Values in a fresh model.
    pub init: Init,
}

/// Values of a weight in a fresh model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    /// All 0.
    Zeros,
    /// All 1.
    Ones,
    /// Normal, of this standard deviation.
    Normal(f64),
}

impl Config {
    /// Every weight, in order: embedding, layers, last norm, and the head where it has weights of its own.
    ///
    /// Projections start at variance `1 / inputs`; those that add to the residual stream are divided by the root of
    /// their number (GPT-2); vocabulary heads start small, so that a fresh policy is near uniform; scalar heads start
    /// at zero.
    pub fn parameters(&self, head: Head) -> Vec<Parameter> {
        let hidden = self.hidden_size;
        let of = |name: &str, shape: &[usize], init| Parameter { name: name.into(), shape: shape.to_vec(), init };
        let mut all = vec![of("model.embed_tokens.weight", &[self.vocab_size, hidden], Init::Normal(0.02))];
        all.extend((0..self.num_hidden_layers).flat_map(|layer| self.layer(layer)));
        all.push(of("model.norm.weight", &[hidden], Init::Ones));
        match head {
            Head::Vocabulary if self.tie_word_embeddings => {}
            Head::Vocabulary => all.push(of("lm_head.weight", &[self.vocab_size, hidden], Init::Normal(0.02))),
            Head::Scalar => all.push(of("score.weight", &[1, hidden], Init::Zeros)),
        }
        all
    }
}

impl Parameter {
    /// How many numbers it has.
    pub fn count(&self) -> usize {
        self.shape.iter().product()
    }

    /// Rows and columns; a one-dimensional parameter is a single row.
    pub fn matrix(&self) -> (usize, usize) {
        match self.shape[..] {
            [rows, columns] => (rows, columns),
            _ => (1, self.count()),
        }
    }

    /// Values for a fresh model, row-major.
    pub fn initial<E: Real>(&self, stream: &mut ChaCha8Rng) -> Vec<E> {
        let number = |_| match self.init {
            Init::Zeros => E::ZERO,
            Init::Ones => E::ONE,
            Init::Normal(deviation) => E::of(deviation * normal(stream)),
        };
        (0..self.count()).map(number).collect()
    }
}

/// The cosine half of the Box-Muller transform.
fn normal(stream: &mut ChaCha8Rng) -> f64 {
    let (radius, angle) = (1.0 - stream.random::<f64>(), stream.random::<f64>());
    (-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
}
