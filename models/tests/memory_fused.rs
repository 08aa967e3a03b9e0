//! What a pass on the CPU is said to need, against what it takes. In a process of its own: buffers are kept for the next pass.

use oreal_models::transformer::{Config, Fused};
use oreal_models::{Family, Head, Model, Optimiser, RopeScaling, Sequence, Signal, Token, Transformer, Want};

#[global_allocator]
static COUNTED: dhat::Alloc = dhat::Alloc;

#[test]
fn a_pass_takes_about_what_is_said() {
    let config = Config {
        family: Family::Qwen2,
        vocab_size: 9_000,
        hidden_size: 192,
        num_hidden_layers: 8,
        num_attention_heads: 6,
        num_key_value_heads: 2,
        head_dim: None,
        intermediate_size: 512,
        rope_theta: 1e4,
        rope_scaling: RopeScaling::Default,
        rms_norm_eps: 1e-6,
        tie_word_embeddings: true,
    };
    let profiler = dhat::Profiler::builder().testing().build();
    let mut model = Transformer::<f32, Fused>::new(config.clone(), Head::Vocabulary, &Optimiser::default(), 0).unwrap();
    let completions: Vec<Vec<Token>> = (0..8).map(|i| (1..160).map(|t| (t * 7 + i) % 9_000).collect()).collect();
    let batch: Vec<Sequence<'_>> =
        completions.iter().map(|completion| Sequence { prompt: &[1; 20], completion }).collect();
    let want = Want { signals: vec![Signal::Logp, Signal::Entropy], temperature: 1.0 };
    let (signals, pass) = model.forward(&batch, &want).unwrap();
    pass.backward(&signals).unwrap();
    let took = dhat::HeapStats::get().max_bytes as f64;
    drop(profiler);
    let weights = 4.0 * model.parameters() as f64;
    let (read, tokens) = (8.0 * 159.0, 8.0 * 179.0);
    // Weights and gradient, and a head's gradient that is added to the embedding's.
    let said = 2.0 * weights + config.pass_bytes(tokens, read);
    println!("said {said:.3e}, took {took:.3e}, {:.2}", said / took);
    assert!((0.9..1.6).contains(&(said / took)), "said {said:.3e}, took {took:.3e}");
}
