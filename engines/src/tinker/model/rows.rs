//! From sequences to what a server reads, and from its log-probabilities to signals.

use std::ops::Range;

use oreal_models::{Sequence, Signal, Token};

use super::carrier::Contribution;

/// Inputs with a target after each of their tokens, and the positions that matter.
pub(super) struct Rows {
    rows: Vec<Row>,
}

/// One of them.
pub(super) struct Row {
    pub(super) input: Vec<Token>,
    /// As many as there are tokens of the input.
    pub(super) targets: Vec<Token>,
    /// Positions whose log-probabilities are signals.
    pub(super) chosen: Range<usize>,
    /// Factor of a cotangent on its way to a log-probability: -1 for the second of two tokens.
    sign: f64,
}

impl Row {
    /// With signals at every position.
    pub(super) fn of(input: Vec<Token>, targets: Vec<Token>) -> Row {
        Row { chosen: 0..input.len(), input, targets, sign: 1.0 }
    }
}

impl Rows {
    /// The log-probability of each token of the completions: targets are the input shifted by one.
    pub(super) fn of_completions(batch: &[Sequence<'_>]) -> Rows {
        let row = |sequence: &Sequence<'_>| {
            let all = [sequence.prompt, sequence.completion].concat();
            let (first, last) = (sequence.prompt.len() - 1, all.len() - 1);
            Row { input: all[..last].to_vec(), targets: all[1..].to_vec(), chosen: first..last, sign: 1.0 }
        };
        Rows { rows: batch.iter().map(row).collect() }
    }

    /// The log-probabilities of two tokens, a row for each, at the position before or after each token of the completions.
    pub(super) fn of_scores(batch: &[Sequence<'_>], signal: Signal, tokens: [Token; 2]) -> Rows {
        let after = usize::from(signal == Signal::ScalarAfter);
        let row = |sequence: &Sequence<'_>, target: Token, sign: f64| {
            let input = [sequence.prompt, sequence.completion].concat();
            let last = input.len() - 1 + after;
            let input = input[..last].to_vec();
            let first = sequence.prompt.len() - 1 + after;
            Row { targets: vec![target; input.len()], input, chosen: first..last, sign }
        };
        let pair = |sequence: &Sequence<'_>| [row(sequence, tokens[0], 1.0), row(sequence, tokens[1], -1.0)];
        Rows { rows: batch.iter().flat_map(pair).collect() }
    }

    pub(super) fn iter(&self) -> std::slice::Iter<'_, Row> {
        self.rows.iter()
    }

    /// The log-probabilities at the positions that matter, all rows one after another.
    pub(super) fn chosen(&self, logps: &[Vec<f64>]) -> Vec<f64> {
        self.rows.iter().zip(logps).flat_map(|(row, logps)| logps[row.chosen.clone()].iter().copied()).collect()
    }

    /// The difference of the two rows of each sequence.
    pub(super) fn differences(&self, logps: &[Vec<f64>]) -> Vec<f64> {
        let pairs = self.rows.chunks_exact(2).zip(logps.chunks_exact(2));
        let difference = |(rows, logps): (&[Row], &[Vec<f64>])| {
            let [of, less] = [0, 1].map(|i| logps[i][rows[i].chosen.clone()].to_vec());
            of.into_iter().zip(less).map(|(of, less)| of - less).collect::<Vec<f64>>()
        };
        pairs.flat_map(difference).collect()
    }

    /// What these cotangents, one for each value of the signal, add to the gradient.
    pub(super) fn contributions(self, logps: Vec<Vec<f64>>, cotangents: &[f64]) -> Vec<Contribution> {
        let rows_each = if self.rows.iter().any(|row| row.sign < 0.0) { 2 } else { 1 };
        let (mut contributions, mut begin) = (Vec::new(), 0);
        for (i, (row, logps)) in self.rows.into_iter().zip(logps).enumerate() {
            let count = row.chosen.len();
            let cotangents = &cotangents[begin..begin + count];
            if cotangents.iter().any(|cotangent| *cotangent != 0.0) {
                let cotangents = cotangents.iter().map(|cotangent| row.sign * cotangent).collect();
                let Row { input, targets, chosen, .. } = row;
                contributions.push(Contribution { input, targets, chosen, cotangents, logps });
            }
            if (i + 1) % rows_each == 0 {
                begin += count;
            }
        }
        contributions
    }
}
