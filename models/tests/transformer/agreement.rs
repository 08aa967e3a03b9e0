//! The table and the transformer mean the same by their signals.

use oreal_models::{Head, Model, Optimiser, Sequence, Signal, Table, Token, Transformer};

use crate::common::{ALL, Way, config, every_way, want};

every_way!(same_logits_same_signals);

/// A table whose rows are the transformer's log-probabilities, which are logits too.
fn same_logits_same_signals<O: Way>() {
    let model = Transformer::<f64, O>::new(config(false), Head::Vocabulary, &Optimiser::EXACT, 8).unwrap();
    let (prompt, completion): ([Token; 2], [Token; 3]) = ([3, 1], [2, 6, 0]);
    let mut table = Table::new(7, &Optimiser::EXACT).unwrap();
    for t in 0..completion.len() {
        let prefix = &completion[..t];
        let next: Vec<Vec<Token>> = (0..7).map(|token| [prefix, &[token]].concat()).collect();
        let batch: Vec<_> = next.iter().map(|next| Sequence { prompt: &prompt, completion: next }).collect();
        let read = model.read(&batch, &want(&[Signal::Logp], 1.0)).unwrap();
        let logits: Vec<f64> = read.0[&Signal::Logp].chunks_exact(t + 1).map(|column| column[t]).collect();
        table.set_logits(&prompt, prefix, &logits);
    }
    let batch = [Sequence { prompt: &prompt, completion: &completion }];
    for temperature in [0.5, 1.0, 1.7] {
        let want = want(&ALL[..2], temperature);
        let (a, b) = (model.read(&batch, &want).unwrap(), table.read(&batch, &want).unwrap());
        for (signal, column) in &a.0 {
            for (a, b) in column.iter().zip(&b.0[signal]) {
                assert!((a - b).abs() < 1e-12, "{signal:?} at {temperature}: {a} and {b}");
            }
        }
    }
}
