//! Equalities between algorithms, and between ways to compute the same thing.

use oreal::algos::{
    Algorithm, Average, BuiltIn, Coefficient, Column, Experience, Grpo, Level, Normaliser, Objective, Oreal, Positives,
    Reinforce, Rft, Role, TokenWeights, credit_of,
};
use oreal::models::{
    Family, Head, Model, Optimiser, RopeScaling, Sequence, Signal, Signals, Table, Transformer, TransformerConfig, Want,
};
use oreal::roles::{Roles, head};
use oreal::update::{Traversal, Update};

fn cotangents(objective: &dyn Objective, x: &Experience) -> Vec<f64> {
    objective.evaluate(x).cotangents[&Column::LOGP].clone()
}

fn assert_close(a: &[f64], b: &[f64], tolerance: f64, what: &str) {
    assert_eq!(a.len(), b.len(), "{what}");
    let off = a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(off <= tolerance, "{what}: off by {off}");
}

#[test]
fn grpo_at_the_first_update_is_reinforce_with_its_baseline() {
    let grpo = Grpo { beta: Coefficient::ZERO, ..Grpo::default() };
    let mut x = oreal::lab::random_batch(11);
    x.set(Column::OLD_LOGP, x.column(Column::LOGP).unwrap().to_vec()).unwrap();
    x.set(Column::ADVANTAGE, credit_of(&grpo).evaluate(&x)).unwrap();
    let reinforce = Reinforce { average: Average::Trajectory, ..Reinforce::default() };
    let (a, b) = (cotangents(&*grpo.objective(), &x), cotangents(&*reinforce.objective(), &x));
    assert_close(&a, &b, 1e-15, "grpo and reinforce");
    assert!(a.iter().any(|g| *g != 0.0));
}

#[test]
fn rft_is_oreal_with_plain_cloning_and_nothing_else() {
    let oreal = Oreal {
        positives: Positives::Plain,
        eta: Coefficient::ZERO,
        beta: Coefficient::ZERO,
        token_weights: TokenWeights::Uniform,
        normaliser: Normaliser::Tokens,
        ..Oreal::default()
    };
    let x = oreal::lab::random_batch(12);
    let right: Vec<bool> = x.column(Column::REWARD).unwrap().iter().map(|&r| r > 0.5).collect();
    let (cloned, both) = (x.keep(&right), x);
    let rft = cotangents(&*Rft { average: Average::Token, ..Rft::default() }.objective(), &cloned);
    let all = cotangents(&*oreal.objective(), &both);
    let spans = both.layout().spans(Level::Token, Level::Trajectory);
    let on = |mark: bool| {
        spans.iter().zip(&right).filter(move |(_, r)| **r == mark).flat_map(|(s, _)| all[s.clone()].to_vec())
    };
    assert_close(&on(true).collect::<Vec<_>>(), &rft, 1e-15, "oreal on right answers and rft");
    assert!(on(false).all(|g| g == 0.0), "wrong answers are pushed");
}

/// Three ragged sequences of tokens below 5.
fn batch() -> Vec<(Vec<u32>, Vec<u32>)> {
    vec![(vec![1, 2], vec![3, 4, 0]), (vec![1], vec![2, 0]), (vec![4, 3, 2], vec![1])]
}

fn sequences(batch: &[(Vec<u32>, Vec<u32>)]) -> Vec<Sequence<'_>> {
    batch.iter().map(|(prompt, completion)| Sequence { prompt, completion }).collect()
}

fn sizes() -> TransformerConfig {
    TransformerConfig {
        family: Family::Qwen2,
        vocab_size: 5,
        hidden_size: 8,
        num_hidden_layers: 1,
        num_attention_heads: 2,
        num_key_value_heads: 1,
        head_dim: None,
        intermediate_size: 12,
        rope_theta: 10_000.0,
        rope_scaling: RopeScaling::Default,
        rms_norm_eps: 1e-6,
        tie_word_embeddings: false,
    }
}

/// By the chain rule both models' gradients are the cotangents pushed through their own logits: the table's rows *are*
/// the transformer's `dL/dlogits`, which the gradient of an untied head and the differences of its logits give back.
#[test]
fn table_and_transformer_agree_in_values_and_in_what_a_cotangent_does_to_the_logits() {
    let fresh = Transformer::<f64>::new(sizes(), Head::Vocabulary, &Optimiser::EXACT, 3).unwrap();
    let mut transformer = fresh.clone();
    let mut table = Table::new(5, &Optimiser::EXACT).unwrap();
    let data = batch();
    for (prompt, completion) in &data {
        for t in 0..completion.len() {
            table.set_logits(prompt, &completion[..t], &logits(&transformer, prompt, &completion[..t]));
        }
    }
    let want = Want { signals: vec![Signal::Logp, Signal::Entropy], temperature: 0.7 };
    let (a, b) = (table.read(&sequences(&data), &want).unwrap(), transformer.read(&sequences(&data), &want).unwrap());
    for (signal, values) in &a.0 {
        assert_close(values, &b.0[signal], 1e-12, &format!("{signal:?}"));
    }
    let backward = |model: &mut dyn Model| {
        let (Signals(mut cotangents), pass) = model.forward(&sequences(&data), &want).unwrap();
        cotangents.values_mut().for_each(|v| v.iter_mut().enumerate().for_each(|(i, g)| *g = 0.3 * i as f64 - 0.5));
        pass.backward(&Signals(cotangents)).unwrap();
    };
    backward(&mut table);
    backward(&mut transformer);
    let head = transformer.gradient().find(|(name, _)| *name == "lm_head.weight").unwrap().1.to_vec();
    let mut expected = vec![0.0; head.len()];
    for (state, row) in table.gradient() {
        let hidden = hidden(&fresh, state);
        for (v, g) in row.logits.iter().enumerate() {
            hidden.iter().enumerate().for_each(|(h, x)| expected[v * hidden.len() + h] += g * x);
        }
    }
    assert_close(&head, &expected, 1e-10, "gradient of the head");
}

/// Log-probabilities of every next token: logits up to a constant.
fn logits(model: &Transformer<f64>, prompt: &[u32], prefix: &[u32]) -> Vec<f64> {
    let next = |token: u32| {
        let completion = [prefix, &[token]].concat();
        let want = Want { signals: vec![Signal::Logp], temperature: 1.0 };
        let signals = model.read(&[Sequence { prompt, completion: &completion }], &want).unwrap();
        signals.0[&Signal::Logp][prefix.len()]
    };
    (0..5).map(next).collect()
}

/// The state before the head, by the derivative of the logits' difference with respect to the head's weights.
fn hidden(model: &Transformer<f64>, state: &oreal::models::State) -> Vec<f64> {
    let mut probe = model.clone();
    let (prompt, prefix) = (&state.prompt, &state.prefix);
    let completion = [prefix.as_slice(), &[0]].concat();
    let want = Want { signals: vec![Signal::Logp], temperature: 1.0 };
    let sequence = [Sequence { prompt, completion: &completion }];
    let (Signals(mut one), pass) = probe.forward(&sequence, &want).unwrap();
    let values = one.get_mut(&Signal::Logp).unwrap();
    let p = values[prefix.len()].exp();
    values.iter_mut().enumerate().for_each(|(i, g)| *g = f64::from(i == prefix.len()));
    pass.backward(&Signals(one)).unwrap();
    let gradient = probe.gradient().find(|(name, _)| *name == "lm_head.weight").unwrap().1.to_vec();
    gradient[..8].iter().map(|g| g / (1.0 - p)).collect()
}

#[test]
fn two_passes_streaming_and_one_piece_have_one_gradient() {
    for (name, preset, algorithm) in BuiltIn::all() {
        let objective = algorithm.objective();
        let reads = objective.reads().into_iter().chain(credit_of(&*algorithm).reads()).collect();
        let data: Vec<_> = (0..4).flat_map(|_| batch()).collect();
        let lengths: Vec<usize> = data.iter().map(|(_, completion)| completion.len()).collect();
        let layout = oreal::algos::Layout::new(&[lengths[..6].to_vec(), lengths[6..].to_vec()]).unwrap();
        let mut x = oreal::lab::random_batch_on(layout, 4);
        x.set(Column::OLD_LOGP, vec![-5.0_f64.ln(); x.layout().count(Level::Token)]).unwrap();
        let gradient = |micro_batch: usize, traversal: Traversal| {
            let policy = Transformer::<f64>::new(sizes(), Head::Vocabulary, &Optimiser::EXACT, 9).unwrap();
            let make = |role, policy: &dyn Model| Ok(policy.fork(head(role), &Optimiser::EXACT)?);
            let mut roles = Roles::new(Box::new(policy), &reads, 1.0, &make).unwrap();
            let update = Update { traversal, ..Update::new(&*objective, &[], micro_batch) };
            update.accumulate(&mut roles, &|_| true, &x, &sequences(&data)).unwrap();
            let learners = [Role::POLICY, Role::CRITIC, Role::REWARD_MODEL];
            let norms = learners.map(|role| roles.step(&[(role, 0.1)]).map_or(0.0, |norms| norms[0].unwrap_or(0.0)));
            let moved = roles.read(Role::POLICY, &[Column::LOGP], &sequences(&data)).unwrap();
            [norms.to_vec(), moved[&Column::LOGP].clone()].concat()
        };
        let whole = gradient(100, Traversal::Streaming);
        assert!(whole[0] > 0.0, "{name}/{preset}");
        for (micro_batch, traversal) in [(1, Traversal::Streaming), (5, Traversal::Streaming), (5, Traversal::TwoPass)]
        {
            let found = gradient(micro_batch, traversal);
            assert_close(&found, &whole, 1e-12, &format!("{name}/{preset} {traversal:?} by {micro_batch}"));
        }
    }
}
