//! A small model, a ragged batch, and sums over signals.

use std::ops::Range;

use oreal_models::transformer::{Backend, Config};
use oreal_models::{Family, Model, RopeScaling, Sequence, Signal, Signals, Transformer, Want};

/// A way to run the transformer, in both number types.
pub trait Way: Backend<f32> + Backend<f64> {}

impl<O: Backend<f32> + Backend<f64>> Way for O {}

/// Runs tests in every way there is. On a GPU a sum may come in any order.
macro_rules! every_way {
    ($($test:ident),+ $(,)?) => {
        mod fused {
            $(#[test] fn $test() { super::$test::<oreal_models::transformer::Fused>() })+
        }
        mod stock {
            use oreal_models::transformer::{Cpu, Stock};
            $(#[test] fn $test() { super::$test::<Stock<Cpu>>() })+
        }
        #[cfg(feature = "dfdx-cuda")]
        mod cuda {
            use oreal_models::transformer::{Cuda, Stock};
            $(#[test] fn $test() { super::$test::<Stock<Cuda>>() })+
        }
    };
}
pub(crate) use every_way;

/// A small one of every family, also with heads that are not as wide together as the residual stream, and with scaled
/// rotary positions.
pub fn families() -> Vec<Config> {
    let scaling = RopeScaling::Llama3 {
        factor: 8.0,
        low_freq_factor: 1.0,
        high_freq_factor: 4.0,
        original_max_position_embeddings: 32,
    };
    let of = |family, head_dim, rope_scaling| Config { family, head_dim, rope_scaling, ..config(false) };
    vec![
        of(Family::Qwen2, None, RopeScaling::Default),
        of(Family::Qwen3, Some(6), RopeScaling::Default),
        of(Family::Llama, None, scaling),
        of(Family::Llama, None, RopeScaling::Linear { factor: 2.0 }),
        of(Family::Mistral, Some(2), RopeScaling::Default),
    ]
}

/// How far two log-probabilities in f32 may be apart that are one in exact arithmetic.
pub const ROUNDING: f64 = if cfg!(feature = "dfdx-cuda") { 1e-4 } else { 1e-5 };

pub const ALL: [Signal; 4] = [Signal::Logp, Signal::Entropy, Signal::Scalar, Signal::ScalarAfter];

/// Two layers, two query heads for each key head.
pub fn config(tied: bool) -> Config {
    Config {
        family: Family::Qwen2,
        vocab_size: 7,
        hidden_size: 16,
        num_hidden_layers: 2,
        num_attention_heads: 4,
        num_key_value_heads: 2,
        head_dim: None,
        intermediate_size: 20,
        rope_theta: 100.0,
        rope_scaling: RopeScaling::Default,
        rms_norm_eps: 1e-5,
        tie_word_embeddings: tied,
    }
}

/// Ragged, with a prompt and a completion of one token.
pub fn batch() -> [Sequence<'static>; 4] {
    [
        Sequence { prompt: &[1, 2, 3], completion: &[4, 0] },
        Sequence { prompt: &[5], completion: &[6] },
        Sequence { prompt: &[2], completion: &[3, 3, 1, 6, 0] },
        Sequence { prompt: &[1, 4, 4, 2, 6], completion: &[2] },
    ]
}

pub fn want(signals: &[Signal], temperature: f64) -> Want {
    Want { signals: signals.to_vec(), temperature }
}

/// One forward and backward pass; `loss` returns the cotangents.
pub fn differentiate(
    model: &mut dyn Model,
    batch: &[Sequence<'_>],
    want: &Want,
    loss: impl FnOnce(&Signals) -> Signals,
) {
    let (signals, pass) = model.forward(batch, want).unwrap();
    pass.backward(&loss(&signals)).unwrap();
}

/// One step; returns the norm of the gradient.
pub fn step(model: &mut dyn Model, rate: f64) -> f64 {
    let norm = model.gradient_norm().unwrap();
    model.step(rate, norm).unwrap();
    norm.unwrap()
}

/// Different for every signal and token.
pub fn cotangents(signals: &Signals) -> Signals {
    let column = |(signal, column): (&Signal, &Vec<f64>)| {
        let number = |t: usize| (1.0 + t as f64 * 2.3 + *signal as usize as f64).cos();
        (*signal, (0..column.len()).map(number).collect())
    };
    Signals(signals.0.iter().map(column).collect())
}

pub fn inner(a: &Signals, b: &Signals) -> f64 {
    a.0.iter().map(|(signal, column)| column.iter().zip(&b.0[signal]).map(|(x, y)| x * y).sum::<f64>()).sum()
}

pub fn rows(signals: &Signals, rows: Range<usize>) -> Signals {
    Signals(signals.0.iter().map(|(signal, column)| (*signal, column[rows.clone()].to_vec())).collect())
}

/// The same signals.
pub fn agree(a: &Signals, b: &Signals) {
    assert!(a.0.keys().eq(b.0.keys()));
    for (signal, column) in &a.0 {
        assert_eq!(column.len(), b.0[signal].len());
        for (a, b) in column.iter().zip(&b.0[signal]) {
            assert!((a - b).abs() < ROUNDING, "{signal:?}: {a} and {b}");
        }
    }
}

/// The same gradients.
pub fn close<O: Way>(a: &Transformer<f64, O>, b: &Transformer<f64, O>, tolerance: f64) {
    assert!(a.gradient().count() > 0);
    for ((name, a), (_, b)) in a.gradient().zip(b.gradient()) {
        for (i, (a, b)) in a.iter().zip(b).enumerate() {
            assert!((a - b).abs() < tolerance, "{name}[{i}]: {a} and {b}");
        }
    }
}
