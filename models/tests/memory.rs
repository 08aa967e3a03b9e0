//! What a model says a pass needs, against what it takes: dfdx allocates the same buffers on every device.

use oreal_models::transformer::{Config, Cpu, Stock};
use oreal_models::{Family, Head, Model, Optimiser, RopeScaling, Sequence, Signal, Token, Transformer, Want};

#[global_allocator]
static COUNTED: dhat::Alloc = dhat::Alloc;

/// Name, family, sizes (vocabulary, hidden, layers, heads, heads of keys, units) and tokens of each sequence.
const CASES: [(&str, Family, [usize; 6], &[usize]); 8] = [
    ("even", Family::Qwen2, [64, 64, 3, 4, 4, 128], &[60; 24]),
    ("ragged", Family::Qwen2, [64, 64, 3, 4, 4, 128], &[300, 20, 20, 20, 20]),
    ("long", Family::Qwen2, [64, 64, 2, 8, 2, 128], &[350, 350]),
    ("deep", Family::Qwen2, [64, 64, 16, 2, 2, 64], &[40; 16]),
    ("large vocabulary", Family::Qwen2, [5_000, 32, 2, 2, 1, 64], &[40; 8]),
    ("wide units", Family::Qwen2, [64, 64, 2, 2, 2, 900], &[50; 16]),
    ("norms of heads", Family::Qwen3, [64, 64, 2, 8, 8, 64], &[40; 16]),
    ("norms of long sequences", Family::Qwen3, [64, 64, 2, 8, 2, 128], &[350, 350]),
];

#[test]
fn what_a_pass_needs_is_said_before() {
    for (name, family, [vocab_size, hidden_size, num_hidden_layers, heads, kv_heads, intermediate_size], lengths) in
        CASES
    {
        let config = Config {
            family,
            vocab_size,
            hidden_size,
            num_hidden_layers,
            num_attention_heads: heads,
            num_key_value_heads: kv_heads,
            head_dim: (family == Family::Qwen3).then_some(16),
            intermediate_size,
            rope_theta: 1e4,
            rope_scaling: RopeScaling::Default,
            rms_norm_eps: 1e-6,
            tie_word_embeddings: false,
        };
        let optimiser = Optimiser::default();
        let mut model = Transformer::<f32, Stock<Cpu>>::new(config, Head::Vocabulary, &optimiser, 0).unwrap();
        let completions: Vec<Vec<Token>> =
            lengths.iter().map(|length| (1..*length).map(|t| (t * 7 % vocab_size) as Token).collect()).collect();
        let batch: Vec<Sequence<'_>> =
            completions.iter().map(|completion| Sequence { prompt: &[1], completion }).collect();
        let want = Want { signals: vec![Signal::Logp, Signal::Entropy], temperature: 1.0 };
        differentiate(&mut model, &batch, &want);
        let norm = model.gradient_norm().unwrap();
        model.step(1e-3, norm).unwrap();
        differentiate(&mut model, &batch, &want);

        let said = model.needs(&batch);
        let profiler = dhat::Profiler::builder().testing().build();
        differentiate(&mut model, &batch, &want);
        let took = dhat::HeapStats::get().max_bytes;
        drop(profiler);
        println!("{name}: said {said}, took {took}, {:.2}", said as f64 / took as f64);
        assert!(said >= took, "{name}: {said} bytes were said to be enough, {took} were taken");
        assert!(said <= 2 * took, "{name}: {said} bytes were said to be needed, {took} were taken");
    }
}

fn differentiate(model: &mut dyn Model, batch: &[Sequence<'_>], want: &Want) {
    let (signals, pass) = model.forward(batch, want).unwrap();
    pass.backward(&signals).unwrap();
}
