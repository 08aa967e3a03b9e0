//! The same over the wire and here, for a model that generalises.

use std::sync::Arc;

use oreal_engines::serve::Base;
use oreal_models::{
    Decayed, Family, Head, Model, Optimiser, RopeScaling, Sequence, Signal, Signals, Transformer, TransformerConfig,
    Want,
};
use serde_json::json;

use crate::setup::{datum, settings, with};

pub fn model() -> Transformer {
    let config = TransformerConfig {
        family: Family::Qwen2,
        vocab_size: 11,
        hidden_size: 16,
        num_hidden_layers: 2,
        num_attention_heads: 4,
        num_key_value_heads: 2,
        head_dim: None,
        intermediate_size: 24,
        rope_theta: 10_000.0,
        rope_scaling: RopeScaling::Default,
        rms_norm_eps: 1e-6,
        tie_word_embeddings: true,
    };
    Transformer::new(config, Head::Vocabulary, &Optimiser::default(), 5).unwrap()
}

#[test]
fn steps_over_the_wire_are_those_of_the_same_model_here() {
    let make = || Ok(Box::new(model()) as _);
    let base = Base { name: "table".to_owned(), vocabulary: 11, ..Base::new(Arc::new(make)) };
    let client = with(settings(), base);
    let optimiser = Optimiser::AdamW {
        beta1: 0.8,
        beta2: 0.9,
        epsilon: 1e-6,
        weight_decay: 0.1,
        decay: Decayed::All,
        clip: oreal_models::Clip::Norm(0.5),
        clip_epsilon: 0.0,
    };
    let adam = json!({
        "learning_rate": 0.02, "beta1": 0.8, "beta2": 0.9, "eps": 1e-6, "weight_decay": 0.1, "grad_clip_norm": 0.5,
    });
    let mut own = model();
    own.set_optimiser(&optimiser).unwrap();
    let want = Want { signals: vec![Signal::Logp], temperature: 1.0 };
    // The first row as it is sent; the second has a target off its input, hence a sequence of its own.
    let batch = [
        Sequence { prompt: &[1], completion: &[2, 3, 4] },
        Sequence { prompt: &[7], completion: &[8, 9] },
        Sequence { prompt: &[7], completion: &[10] },
    ];
    for step in 0..3 {
        let (read, pass) = own.forward(&batch, &want).unwrap();
        pass.backward(&Signals([(Signal::Logp, vec![0.0, -1.0, 0.5, 0.0, -1.0, 2.0])].into())).unwrap();
        let norm = own.gradient_norm().unwrap();
        own.step(0.02, norm).unwrap();
        let data = json!([datum(&[1, 2, 3], &[2, 3, 4], &[0.0, 1.0, -0.5]), datum(&[7, 8], &[10, 9], &[-2.0, 1.0])]);
        let output = client.backward(2 * step, data, "cross_entropy");
        let logps = |row: usize| crate::setup::floats(&output["loss_fn_outputs"][row]["logprobs"]["data"]);
        let read = &read.0[&Signal::Logp];
        assert_eq!(logps(0), read[..3]);
        assert_eq!(logps(1), [read[5], read[4]]);
        let done = client.step(2 * step + 1, adam.clone());
        assert_eq!(done["metrics"]["grad_norm:last"].as_f64(), norm);
    }
}
