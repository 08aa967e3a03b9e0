//! The head: from hidden states to signals and back, some rows at a time, so that the logits of a whole batch never
//! exist at once when they are large.

use rayon::prelude::*;

use super::pack::Packed;
use super::{Matrix, Ops, Transformer};
use crate::data::{Head, Signal, Signals, Want};
use crate::head::{Row, Softmax};
use crate::real::Real;

/// Most logits that exist at once, unless a test says otherwise.
pub(super) const LOGITS: usize = 1 << 25;

/// What the head sends back.
pub(super) struct Slopes<E> {
    /// Of the hidden states, one row per token of the batch.
    pub(super) hidden: Vec<E>,
    /// Of the head's weight.
    pub(super) weight: Vec<E>,
}

/// What the head keeps for the way back: the hidden states it read, one softmax per row, and its outputs where they are
/// few enough.
pub(super) struct Outputs<E> {
    hidden: Vec<E>,
    softmaxes: Vec<Softmax>,
    kept: Option<Vec<E>>,
}

impl<E: Real, D: Ops<E>> Transformer<E, D> {
    /// Signals of the packed tokens.
    pub(super) fn signals(&self, hidden: &Matrix<E, D>, packed: &Packed, want: &Want) -> (Signals, Outputs<E>) {
        let hidden = self.gather(&D::host(hidden), &packed.read);
        let (mut kept, mut softmaxes) = (None, Vec::new());
        let mut rows = Vec::with_capacity(packed.read.len());
        for (first, chunk) in self.chunks(&hidden) {
            let outputs = D::project(chunk, &self.weights[self.head_index()]);
            match self.head {
                Head::Scalar => rows.extend(outputs.iter().map(|x| Row { logp: x.wide(), entropy: 0.0 })),
                Head::Vocabulary => {
                    let logits = || outputs.par_chunks(self.outputs());
                    softmaxes.par_extend(logits().map(|logits| Softmax::new(logits, want.temperature)));
                    let targets = packed.targets[first..].par_iter();
                    let read = softmaxes[first..].par_iter().zip(logits()).zip(targets);
                    rows.par_extend(read.map(|((softmax, logits), &token)| softmax.row(logits[token as usize])));
                }
            }
            if chunk.len() == hidden.len() {
                kept = Some(outputs);
            }
        }
        let column = |&signal: &Signal| {
            let of = |&row: &usize| match signal {
                Signal::Logp | Signal::Scalar => rows[row].logp,
                Signal::Entropy => rows[row].entropy,
                Signal::ScalarAfter => rows[row + 1].logp,
            };
            (signal, packed.before.iter().map(of).collect())
        };
        (Signals(want.signals.iter().map(column).collect()), Outputs { hidden, softmaxes, kept })
    }

    /// The closed form of the way back.
    pub(super) fn slopes(&self, outputs: Outputs<E>, packed: &Packed, cotangents: &Signals) -> Slopes<E> {
        let (width, hidden_size) = (self.outputs(), self.config.hidden_size);
        let weight = &self.weights[self.head_index()];
        let scalars = self.scalar_slopes(packed, cotangents);
        let Outputs { hidden, softmaxes, mut kept } = outputs;
        let mut slopes = Slopes {
            hidden: vec![E::ZERO; packed.tokens.len() * hidden_size],
            weight: vec![E::ZERO; width * hidden_size],
        };
        for (first, chunk) in self.chunks(&hidden) {
            let rows = chunk.len() / hidden_size;
            let mut d = kept.take().unwrap_or_else(|| D::project(chunk, &self.weights[self.head_index()]));
            match self.head {
                Head::Scalar => d.copy_from_slice(&scalars[first..first + rows]),
                Head::Vocabulary => d.par_chunks_mut(width).enumerate().for_each(|(i, logits)| {
                    let at = |signal| cotangents.0.get(&signal).map_or(0.0, |column| column[first + i]);
                    let cotangent = Row { logp: at(Signal::Logp), entropy: at(Signal::Entropy) };
                    softmaxes[first + i].vjp(logits, packed.targets[first + i] as usize, cotangent);
                }),
            }
            let d_hidden = D::project_back(&d, chunk, weight, &mut slopes.weight);
            let read = &packed.read[first..first + rows];
            for (row, d) in read.iter().zip(d_hidden.chunks_exact(hidden_size)) {
                slopes.hidden[row * hidden_size..][..hidden_size].copy_from_slice(d);
            }
        }
        slopes
    }

    /// Numbers the head gives per row.
    fn outputs(&self) -> usize {
        match self.head {
            Head::Vocabulary => self.config.vocab_size,
            Head::Scalar => 1,
        }
    }

    /// The rows of these numbers.
    fn gather(&self, hidden: &[E], rows: &[usize]) -> Vec<E> {
        let width = self.config.hidden_size;
        let mut out = Vec::with_capacity(rows.len() * width);
        rows.iter().for_each(|row| out.extend_from_slice(&hidden[row * width..][..width]));
        out
    }

    /// Runs of rows with the number of the first one.
    fn chunks<'a>(&self, hidden: &'a [E]) -> impl Iterator<Item = (usize, &'a [E])> + use<'a, E, D> {
        let rows = (self.logits_at_once / self.outputs()).max(1);
        let chunks = hidden.chunks(rows * self.config.hidden_size).enumerate();
        chunks.map(move |(i, chunk)| (i * rows, chunk))
    }

    /// Cotangent of the scalar at each read row: it may be before one token and after another.
    fn scalar_slopes(&self, packed: &Packed, cotangents: &Signals) -> Vec<E> {
        let mut slopes = vec![0.0; packed.read.len()];
        for (signal, shift) in [(Signal::Scalar, 0), (Signal::ScalarAfter, 1)] {
            let column = cotangents.0.get(&signal).into_iter().flatten();
            packed.before.iter().zip(column).for_each(|(row, d)| slopes[row + shift] += d);
        }
        slopes.into_iter().map(E::of).collect()
    }
}

#[cfg(test)]
mod tests {
    use dfdx::prelude::Cpu;

    use super::*;
    use crate::contract::Backbone;
    use crate::data::Sequence;
    use crate::optim::Optimiser;
    use crate::transformer::Config;

    #[test]
    fn chunks_change_nothing() {
        let config = Config {
            vocab_size: 5,
            hidden_size: 8,
            num_hidden_layers: 1,
            num_attention_heads: 2,
            num_key_value_heads: 1,
            intermediate_size: 8,
            rope_theta: 100.0,
            rms_norm_eps: 1e-6,
            tie_word_embeddings: true,
        };
        let batch = [
            Sequence { prompt: &[1], completion: &[2, 3, 4, 0] },
            Sequence { prompt: &[4, 1], completion: &[2, 0] },
            Sequence { prompt: &[3], completion: &[3] },
        ];
        let slope = |x: &f64| 1.0 + x;
        for head in [Head::Vocabulary, Head::Scalar] {
            let signals = match head {
                Head::Vocabulary => vec![Signal::Logp, Signal::Entropy],
                Head::Scalar => vec![Signal::Scalar, Signal::ScalarAfter],
            };
            let want = Want { signals, temperature: 1.2 };
            let run = |logits_at_once: usize| {
                let mut model = Transformer::<f64, Cpu>::new(config.clone(), head, &Optimiser::EXACT, 2).unwrap();
                model.nudge(model.parameters.last().unwrap().name.clone().as_str(), 3, 0.7);
                model.logits_at_once = logits_at_once;
                let mut seen = Signals::default();
                let mut loss = |s: &Signals| {
                    seen = s.clone();
                    Signals(s.0.iter().map(|(k, column)| (*k, column.iter().map(slope).collect())).collect())
                };
                model.backward(&batch, &want, &mut loss).unwrap();
                (seen, model.gradient)
            };
            let (whole, parts) = (run(LOGITS), run(10));
            assert_eq!(whole.0, parts.0);
            for (a, b) in whole.1.iter().flatten().zip(parts.1.iter().flatten()) {
                assert!((a - b).abs() < 1e-13, "{head:?}: {a} and {b}");
            }
        }
    }
}
