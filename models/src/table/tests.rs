use proptest::prelude::*;

use super::*;
use crate::data::{Ending, Key};
use crate::testing::differentiate;

const ALL: [Signal; 4] = [Signal::Logp, Signal::Entropy, Signal::Scalar, Signal::ScalarAfter];

/// Two tokens, three states set, of one prompt.
fn table(numbers: &[f64; 9]) -> Table {
    let mut table = Table::new(2, &Optimiser::EXACT).unwrap();
    for (prefix, n) in [&[][..], &[0], &[1]].into_iter().zip(numbers.as_chunks::<3>().0) {
        table.set_logits(&[0], prefix, &n[..2]);
        table.set_scalar(&[0], prefix, n[2]);
    }
    table
}

fn want(temperature: f64) -> Want {
    Want { signals: ALL.to_vec(), temperature }
}

fn batch() -> [Sequence<'static>; 3] {
    let sequence = |completion| Sequence { prompt: &[0], completion };
    [sequence(&[0, 1]), sequence(&[1]), sequence(&[0, 0])]
}

fn cotangents(g: &[f64]) -> Signals {
    Signals(ALL.into_iter().zip(g.chunks(5).map(<[f64]>::to_vec)).collect())
}

fn inner(a: &Signals, b: &Signals) -> f64 {
    let products = |(x, y): (&Vec<f64>, &Vec<f64>)| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
    a.0.values().zip(b.0.values()).map(products).sum()
}

proptest! {
    #[test]
    fn gradient_is_the_slope(numbers in prop::array::uniform9(-2.0..2.0f64), g in prop::collection::vec(-1.0..1.0f64, 20), t in 0.5..2.0f64) {
        let g = cotangents(&g);
        let mut exact = table(&numbers);
        differentiate(&mut exact, &batch(), &want(t), |_| g.clone());
        for i in 0..9 {
            let moved = |h: f64| {
                let mut numbers = numbers;
                numbers[i] += h;
                inner(&table(&numbers).read(&batch(), &want(t)).unwrap(), &g)
            };
            let difference = (moved(1e-5) - moved(-1e-5)) / 2e-5;
            let row = &exact.gradient()[&State::new(&[0], [&[][..], &[0], &[1]][i / 3])];
            let slope = row.logits.get(i % 3).copied().unwrap_or(row.scalar);
            prop_assert!((slope - difference).abs() < 1e-8, "number {i}: {slope} but {difference}");
        }
    }

    #[test]
    fn accumulation_is_addition(numbers in prop::array::uniform9(-2.0..2.0f64)) {
        let ones = |signals: &Signals| Signals(signals.0.iter().map(|(&s, c)| (s, vec![1.0; c.len()])).collect());
        let (mut whole, mut parts) = (table(&numbers), table(&numbers));
        differentiate(&mut whole, &batch(), &want(1.0), ones);
        for sequence in batch() {
            differentiate(&mut parts, &[sequence], &want(1.0), ones);
        }
        for (state, row) in whole.gradient() {
            let other = &parts.gradient()[state];
            prop_assert!(row.logits.iter().zip(&other.logits).all(|(a, b)| (a - b).abs() < 1e-12));
        }
    }
}

#[test]
fn unseen_states_are_uniform_and_stay_unseen() {
    let table = Table::new(4, &Optimiser::default()).unwrap();
    let batch = [Sequence { prompt: &[3], completion: &[2] }];
    let signals = table.read(&batch, &want(1.0)).unwrap();
    assert!((signals.0[&Signal::Logp][0] + 4f64.ln()).abs() < 1e-15);
    assert!((signals.0[&Signal::Entropy][0] - 4f64.ln()).abs() < 1e-15);
    assert!(table.rows().is_empty());
}

#[test]
fn a_step_descends_and_clears() {
    let mut table = Table::new(2, &Optimiser::EXACT).unwrap();
    let batch = [Sequence { prompt: &[0], completion: &[1] }];
    let want = Want { signals: vec![Signal::Logp], temperature: 1.0 };
    differentiate(&mut table, &batch, &want, |_| Signals([(Signal::Logp, vec![-1.0])].into()));
    let norm = table.gradient_norm().unwrap();
    table.step(2.0, norm).unwrap();
    assert_eq!(table.row(&[0], &[]).logits, [-1.0, 1.0]);
    assert!((norm.unwrap() - 0.5f64.sqrt()).abs() < 1e-15);
    assert!(table.gradient().is_empty());
}

#[test]
fn samples_come_as_often_as_they_are_probable() {
    let table = table(&[0.3, -0.4, 0.0, 1.0, 0.0, 0.0, -0.5, 0.9, 0.0]);
    let n = 40_000;
    let request = |sample| Request { prompt: &[0], key: Key { seed: 7, step: 0, prompt: 0, sample } };
    let requests: Vec<Request<'_>> = (0..n).map(request).collect();
    let how = Sampling { stop: vec![1], max_tokens: 2, ..Sampling::default() };
    let drawn = table.draw(&requests, &how).unwrap();
    for (tokens, ending) in [(&[1][..], Ending::Stopped), (&[0, 0], Ending::Truncated), (&[0, 1], Ending::Stopped)] {
        let hits: Vec<_> = drawn.iter().filter(|c| c.tokens == tokens).collect();
        let expected = table.probability(&[0], tokens);
        let found = hits.len() as f64 / n as f64;
        let error = (expected * (1.0 - expected) / n as f64).sqrt();
        assert!((found - expected).abs() < 4.0 * error, "{tokens:?}: {found} for {expected}");
        assert!(hits.iter().all(|c| c.ending == ending));
        let logp: f64 = hits[0].sampled_logp.iter().flatten().sum();
        assert!((logp.exp() - expected).abs() < 1e-12);
    }
}

#[test]
fn forks_keep_the_asked_head() {
    let table = table(&[0.3, -0.4, 0.7, 1.0, 0.0, 0.0, -0.5, 0.9, 0.0]);
    let first = |model: &dyn Model| {
        let signals = model.read(&batch(), &want(1.0)).unwrap();
        (signals.0[&Signal::Logp][0], signals.0[&Signal::Scalar][0])
    };
    let (logp, scalar) = first(&table);
    assert_eq!(first(&*table.fork(Head::Vocabulary, &Optimiser::EXACT).unwrap()), (logp, 0.0));
    assert_eq!(first(&*table.fork(Head::Scalar, &Optimiser::EXACT).unwrap()), (0.5f64.ln(), scalar));
}

#[test]
fn files_hold_every_bit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("table.safetensors");
    let table = table(&[0.1, 1.0 / 3.0, 0.7, 1.0, 1e-300, 0.0, -0.5, 0.9, 0.0]);
    table.save(&path).unwrap();
    let read = Table::load(&path, &Optimiser::EXACT).unwrap();
    assert_eq!(read.rows(), table.rows());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no partial file stays");
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    let message = Table::load(&path, &Optimiser::EXACT).unwrap_err().to_string();
    assert!(message.contains("table.safetensors"), "{message}");
    let lost = folder.path().join("lost");
    assert!(Table::load(&lost, &Optimiser::EXACT).unwrap_err().to_string().contains("lost"));
}

#[test]
fn wrong_inputs_are_refused() {
    let table = Table::new(2, &Optimiser::EXACT).unwrap();
    let refuse = |batch: &[Sequence<'_>], temperature| table.read(batch, &want(temperature)).unwrap_err().to_string();
    let good = Sequence { prompt: &[0], completion: &[1] };
    assert!(refuse(&[], 1.0).contains("empty batch"));
    assert!(refuse(&[good, Sequence { prompt: &[], ..good }], 1.0).contains("prompt 1"));
    assert!(refuse(&[Sequence { completion: &[], ..good }], 1.0).contains("completion 0"));
    assert!(refuse(&[Sequence { completion: &[2], ..good }], 1.0).contains("token 2"));
    assert!(refuse(&[good], 0.0).contains("want.temperature"));
    let message = |cotangents: &[f64]| {
        let mut table = Table::new(2, &Optimiser::EXACT).unwrap();
        let (_, pass) = table.forward(&[good], &want(1.0)).unwrap();
        let all = Signals(ALL.map(|signal| (signal, cotangents.to_vec())).into());
        let message = pass.backward(&all).unwrap_err().to_string();
        assert!(table.gradient().is_empty(), "a refused cotangent accumulates nothing");
        message
    };
    assert!(message(&[]).contains("0 numbers where the forward pass reported 1"), "{}", message(&[]));
    assert!(message(&[f64::NAN]).contains("the cotangent of Logp at token 0"), "{}", message(&[f64::NAN]));
    let message = table.draw(&[], &Sampling::default()).unwrap_err().to_string();
    assert!(message.contains("at least one request"), "{message}");
    for (vocabulary, optimiser) in [(0, Optimiser::EXACT), (usize::MAX, Optimiser::EXACT)] {
        let message = Table::new(vocabulary, &optimiser).unwrap_err().to_string();
        assert!(message.contains("table.vocabulary"), "{message}");
    }
}

proptest! {
    /// A damaged file is read as something or refused, never a panic.
    #[test]
    fn damaged_files_do_not_panic(places in prop::collection::vec((0usize..2000, any::<u8>()), 1..4), cut in 0usize..2000) {
        let table = table(&[0.1, 1.0 / 3.0, 0.7, 1.0, 1e-300, 0.0, -0.5, 0.9, 0.0]);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("table.safetensors");
        for mut bytes in [stored::bytes(&table).unwrap(), table.state().unwrap().to_bytes().unwrap()] {
            for (place, byte) in &places {
                let place = place % bytes.len();
                bytes[place] = *byte;
            }
            bytes.truncate(bytes.len().max(cut) - cut / 8);
            std::fs::write(&path, &bytes).unwrap();
            let _ = Table::load(&path, &Optimiser::EXACT);
            if let Ok(state) = ModelState::from_bytes(&bytes) {
                let _ = Table::new(2, &Optimiser::EXACT).unwrap().restore(&state);
            }
        }
    }
}

/// Tensors that are valid by themselves but do not fit together.
#[test]
fn files_whose_tensors_contradict_each_other_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("table.safetensors");
    let refuse = |lengths: &[u32], tokens: &[u32], logits: (Vec<usize>, usize), scalars: usize| {
        let words = |words: &[u32]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>();
        let (lengths, tokens, numbers, scalars) =
            ((vec![lengths.len() / 2, 2], words(lengths)), words(tokens), vec![0; logits.1 * 8], vec![0; scalars * 8]);
        let view = safetensors::tensor::TensorView::new;
        use safetensors::Dtype::{F64, U32};
        let views = [
            ("lengths", view(U32, lengths.0, &lengths.1).unwrap()),
            ("tokens", view(U32, vec![tokens.len() / 4], &tokens).unwrap()),
            ("logits", view(F64, logits.0, &numbers).unwrap()),
            ("scalars", view(F64, vec![scalars.len() / 8], &scalars).unwrap()),
        ];
        std::fs::write(&path, safetensors::serialize(views, None).unwrap()).unwrap();
        Table::load(&path, &Optimiser::EXACT).unwrap_err().to_string()
    };
    let found = refuse(&[u32::MAX, u32::MAX], &[0], (vec![1, 2], 2), 1);
    assert!(found.contains("`tokens`"), "{found}");
    let found = refuse(&[1, 0], &[0], (vec![0, 1 << 40], 0), 0);
    assert!(found.contains("table.vocabulary"), "{found}");
    let found = refuse(&[1, 0], &[0], (vec![2], 2), 1);
    assert!(found.contains("[states, vocabulary]"), "{found}");
    let found = refuse(&[1, 0], &[5], (vec![1, 2], 2), 1);
    assert!(found.contains("token 5 is outside"), "{found}");
    let found = refuse(&[1, 0, 1, 0], &[0, 0], (vec![2, 2], 4), 2);
    assert!(found.contains("state 1 is there twice"), "{found}");
    let found = refuse(&[1, 0], &[0], (vec![1, 2], 2), 3);
    assert!(found.contains("`scalars`: shape [3]"), "{found}");
}
