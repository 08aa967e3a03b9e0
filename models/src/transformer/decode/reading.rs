//! Signals of a batch, without a tape and without copies of large weights.

use rayon::prelude::*;

use super::cache::Cache;
use super::factor::Layout;
use super::forward::{Activations, Forward, Team};
use super::workers;
use crate::architecture::Packed;
use crate::data::{Head, Sequence, Signals, Token, Want};
use crate::head::{Softmax, TokenOutput};
use crate::transformer::ops::Readable;
use crate::transformer::read_only::ReadOnly;

/// Tokens that are read at once, unless one sequence has more.
const TOKENS: usize = 1 << 10;

/// Most logits that exist at once.
const LOGITS: usize = 1 << 24;

/// Signals of a batch that is checked.
pub(in crate::transformer) fn signals<E: Readable>(
    model: &ReadOnly<'_, E>,
    batch: &[Sequence<'_>],
    want: &Want,
) -> Signals {
    let mut all = Signals(want.signals.iter().map(|&signal| (signal, Vec::new())).collect());
    let longest = batch.iter().map(|sequence| sequence.prompt.len() + sequence.completion.len()).max().unwrap_or(0);
    let team = workers::team(model);
    let layout = if team == Team::Alone { Layout::Panels } else { Layout::InPlace };
    let forward = Forward::new(model, longest, team, layout);
    let mut activations = Activations::default();
    for part in parts(batch) {
        let packed = Packed::new(part, want);
        let outputs = outputs(&forward, &mut activations, &packed, model.head, want.temperature);
        for (signal, column) in packed.signals(&outputs, want).0 {
            all.0.entry(signal).or_default().extend(column);
        }
    }
    all
}

/// Runs of sequences with at most [`TOKENS`] tokens together, or one.
fn parts<'a, 'b>(batch: &'a [Sequence<'b>]) -> Vec<&'a [Sequence<'b>]> {
    let (mut parts, mut first, mut tokens) = (Vec::new(), 0, 0);
    for (i, sequence) in batch.iter().enumerate() {
        let more = sequence.prompt.len() + sequence.completion.len();
        if i > first && tokens + more > TOKENS {
            parts.push(&batch[first..i]);
            (first, tokens) = (i, 0);
        }
        tokens += more;
    }
    parts.push(&batch[first..]);
    parts
}

/// What the head reports for each row that is read.
fn outputs<E: Readable>(
    forward: &Forward<'_, E>,
    activations: &mut Activations<E>,
    packed: &Packed,
    head: Head,
    temperature: f64,
) -> Vec<TokenOutput> {
    let sequences: Vec<&[Token]> = packed.starts.windows(2).map(|ends| &packed.tokens[ends[0]..ends[1]]).collect();
    let mut caches: Vec<Cache<E>> = sequences.iter().map(|tokens| forward.cache(tokens.len())).collect();
    forward.read(activations, &sequences, &mut caches.iter_mut().collect::<Vec<_>>());
    drop(caches);
    let mut outputs = Vec::with_capacity(packed.read.len());
    let at_once = (LOGITS / forward.outputs).max(1);
    for (i, rows) in packed.read.chunks(at_once).enumerate() {
        let numbers: Vec<&[E]> = forward.outputs_of(activations, rows).collect();
        match head {
            Head::Scalar => outputs.extend(numbers.iter().map(|x| TokenOutput { logp: x[0].wide(), entropy: 0.0 })),
            Head::Vocabulary => {
                let targets = packed.targets[i * at_once..].par_iter();
                outputs.par_extend(
                    numbers
                        .par_iter()
                        .zip(targets)
                        .map(|(logits, &token)| Softmax::new(logits, temperature).row(logits[token as usize])),
                );
            }
        }
    }
    outputs
}
