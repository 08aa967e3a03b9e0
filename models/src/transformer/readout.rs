//! What the head is asked for.

use super::ops::{Kind, Readout};
use super::{Ops, Transformer};
use crate::architecture::Packed;
use crate::data::{Head, Want};
use crate::real::Real;

impl<E: Real, O: Ops<E>> Transformer<E, O> {
    pub(super) fn readout<'a>(&self, packed: &'a Packed, want: &Want) -> Readout<'a> {
        let kind = match self.head {
            Head::Scalar => Kind::Scalar,
            Head::Vocabulary => Kind::Vocabulary { targets: &packed.targets, temperature: want.temperature },
        };
        Readout { kind, unit: self.unit, at_once: self.logits_at_once }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::architecture::{Family, RopeScaling};
    use crate::data::{Sequence, Signal, Signals};
    use crate::optim::Optimiser;
    use crate::testing::differentiate;
    use crate::transformer::{Backend, Config, Cpu, Fused, Stock};

    fn chunks_change_nothing<O: Backend<f64, Device = Cpu>>() {
        let config = Config {
            family: Family::Qwen2,
            vocab_size: 5,
            hidden_size: 8,
            num_hidden_layers: 1,
            num_attention_heads: 2,
            num_key_value_heads: 1,
            head_dim: None,
            intermediate_size: 8,
            rope_theta: 100.0,
            rope_scaling: RopeScaling::Default,
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
                let mut model = Transformer::<f64, O>::new(config.clone(), head, &Optimiser::EXACT, 2).unwrap();
                let last = model.parameters.last().unwrap().name.clone();
                model.nudge(&last, 3, 0.7).unwrap();
                model.logits_at_once = logits_at_once;
                let mut seen = Signals::default();
                differentiate(&mut model, &batch, &want, |s| {
                    seen = s.clone();
                    Signals(s.0.iter().map(|(k, column)| (*k, column.iter().map(slope).collect())).collect())
                });
                let gradient: Vec<f64> = model.gradient().flat_map(|(_, g)| g).collect();
                (seen, gradient)
            };
            let (whole, parts) = (run(O::LOGITS), run(10));
            for (signal, column) in &whole.0.0 {
                for (a, b) in column.iter().zip(&parts.0.0[signal]) {
                    assert!((a - b).abs() < 1e-14, "{signal:?}: {a} and {b}");
                }
            }
            assert!(whole.1.len() > 300);
            for (a, b) in whole.1.iter().zip(&parts.1) {
                assert!((a - b).abs() < 1e-13, "{head:?}: {a} and {b}");
            }
        }
    }

    #[test]
    fn chunks_change_nothing_fused() {
        chunks_change_nothing::<Fused>();
    }

    #[test]
    fn chunks_change_nothing_stock() {
        chunks_change_nothing::<Stock<Cpu>>();
    }
}
