//! Sequences laid end to end, and which rows their signals come from.
//!
//! Each row of an activation is one token of one sequence. There is no padding, and only attention knows where a
//! sequence starts, so nothing can leak from one sequence into another.

use crate::data::{Sequence, Signal, Signals, Token, Want};
use crate::head::TokenOutput;

/// A batch as rows.
#[derive(Clone, Debug)]
pub struct Packed {
    /// Input of each row.
    pub tokens: Vec<Token>,
    /// First row of each sequence, and after the last one the number of rows.
    pub starts: Vec<usize>,
    /// The rows that the head reads, in order.
    pub read: Vec<usize>,
    /// For each completion token: where in `read` the row is that has seen everything before it. The row that has
    /// seen the token too comes right after.
    pub before: Vec<usize>,
    /// The completion tokens.
    pub targets: Vec<Token>,
}

impl Packed {
    /// The last token of a completion is an input only where a scalar after it is wanted.
    pub fn new(batch: &[Sequence<'_>], want: &Want) -> Self {
        let after = usize::from(want.signals.contains(&Signal::ScalarAfter));
        let mut packed = Self { tokens: vec![], starts: vec![0], read: vec![], before: vec![], targets: vec![] };
        for Sequence { prompt, completion } in batch {
            let first = packed.tokens.len() + prompt.len() - 1;
            packed.tokens.extend_from_slice(prompt);
            packed.tokens.extend_from_slice(&completion[..completion.len() - 1 + after]);
            packed.starts.push(packed.tokens.len());
            packed.before.extend(packed.read.len()..packed.read.len() + completion.len());
            packed.read.extend(first..packed.tokens.len());
            packed.targets.extend_from_slice(completion);
        }
        packed
    }

    /// Number of completion tokens.
    pub fn tokens_read(&self) -> usize {
        self.before.len()
    }

    /// Signals of the completion tokens, from the head's output for each row of `read`. A scalar head reports its
    /// scalar as `logp`.
    pub fn signals(&self, outputs: &[TokenOutput], want: &Want) -> Signals {
        let column = |&signal: &Signal| {
            let of = |&row: &usize| match signal {
                Signal::Logp | Signal::Scalar => outputs[row].logp,
                Signal::Entropy => outputs[row].entropy,
                Signal::ScalarAfter => outputs[row + 1].logp,
            };
            (signal, self.before.iter().map(of).collect())
        };
        Signals(want.signals.iter().map(column).collect())
    }

    /// The transpose of [`Packed::signals`]: a scalar may be before one token and after another.
    pub fn cotangents(&self, cotangents: &Signals) -> Vec<TokenOutput> {
        let mut rows = vec![TokenOutput::default(); self.read.len()];
        for (signal, column) in &cotangents.0 {
            for (&row, slope) in self.before.iter().zip(column) {
                match signal {
                    Signal::Logp | Signal::Scalar => rows[row].logp += slope,
                    Signal::Entropy => rows[row].entropy += slope,
                    Signal::ScalarAfter => rows[row + 1].logp += slope,
                }
            }
        }
        rows
    }

    /// Length of the longest sequence.
    pub fn longest(&self) -> usize {
        self.starts.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_those_that_predict() {
        let batch = [Sequence { prompt: &[1, 2], completion: &[3, 4] }, Sequence { prompt: &[5], completion: &[6] }];
        let pack = |signals: &[Signal]| Packed::new(&batch, &Want { signals: signals.to_vec(), temperature: 1.0 });
        let before = pack(&[Signal::Logp]);
        assert_eq!(before.tokens, [1, 2, 3, 5]);
        assert_eq!((before.starts, before.read, before.before), (vec![0, 3, 4], vec![1, 2, 3], vec![0, 1, 2]));
        let after = pack(&[Signal::ScalarAfter]);
        assert_eq!(after.tokens, [1, 2, 3, 4, 5, 6]);
        assert_eq!((after.starts, after.read, after.before), (vec![0, 4, 6], vec![1, 2, 3, 4, 5], vec![0, 1, 3]));
        assert_eq!(after.targets, [3, 4, 6]);
    }
}
