//! From sequences with targets to those that a model reads.
//!
//! A model reports the log-probability of the token that follows. Where the target is that token, one sequence serves for all
//! positions; any other target needs a sequence of its own, which ends with it. Equal sequences are read once, so a prompt with
//! the target 0 that many completions share costs little.
//!
//! The first token of each sequence is the prompt, and all others are its completion: a model that distinguishes the two, such
//! as a table, then has one state per context.

use std::collections::HashMap;
use std::ops::Range;

use oreal_models::{Sequence, Token};

use super::batch::Row;

/// What is read, and where in it the log-probability of each target is.
#[derive(Debug, Default)]
pub(super) struct Reading {
    sequences: Vec<Vec<Token>>,
    /// For each position of each row: the sequence, and the position in it.
    places: Vec<Vec<(usize, usize)>>,
    tokens: usize,
}

impl Reading {
    /// `None` where more than `most` tokens would have to be read.
    pub(super) fn of(rows: &[Row], most: usize) -> Option<Reading> {
        let (mut reading, mut known) = (Reading::default(), HashMap::new());
        for row in rows {
            let last = row.tokens.len() - 1;
            let mut places = Vec::with_capacity(row.tokens.len());
            // The whole row ends with its last target.
            let whole = reading.add(&row.tokens, row.targets[last], &mut known);
            for (i, &target) in row.targets.iter().enumerate() {
                let follows = i == last || row.tokens[i + 1] == target;
                let sequence = if follows { whole } else { reading.add(&row.tokens[..=i], target, &mut known) };
                places.push((sequence, i));
                if reading.tokens > most {
                    return None;
                }
            }
            reading.places.push(places);
        }
        Some(reading)
    }

    fn add(&mut self, tokens: &[Token], target: Token, known: &mut HashMap<Vec<Token>, usize>) -> usize {
        let sequence = [tokens, &[target]].concat();
        *known.entry(sequence).or_insert_with_key(|sequence| {
            self.tokens += sequence.len();
            self.sequences.push(sequence.clone());
            self.sequences.len() - 1
        })
    }

    /// The sequences in parts of at most so many tokens, but at least one sequence.
    pub(super) fn parts(&self, tokens: usize) -> Vec<Range<usize>> {
        let (mut parts, mut begin, mut taken) = (Vec::new(), 0, 0);
        for (i, sequence) in self.sequences.iter().enumerate() {
            if i > begin && taken + sequence.len() > tokens {
                parts.push(begin..i);
                (begin, taken) = (i, 0);
            }
            taken += sequence.len();
        }
        parts.push(begin..self.sequences.len());
        parts
    }

    /// Some of the sequences, as a model takes them.
    pub(super) fn sequences<'a>(&'a self, part: Range<usize>) -> Vec<Sequence<'a>> {
        let of = |tokens: &'a Vec<Token>| {
            let (prompt, completion) = tokens.split_at(1);
            Sequence { prompt, completion }
        };
        self.sequences[part].iter().map(of).collect()
    }

    /// The numbers of each sequence, from those of all completion tokens of a part.
    pub(super) fn split(&self, part: Range<usize>, mut numbers: &[f64]) -> Vec<Vec<f64>> {
        let mut cut = |tokens: &Vec<Token>| {
            let (of, rest) = numbers.split_at(tokens.len() - 1);
            numbers = rest;
            of.to_vec()
        };
        self.sequences[part].iter().map(&mut cut).collect()
    }

    /// The number of each target, from those of each sequence.
    pub(super) fn targets(&self, sequences: &[Vec<f64>]) -> Vec<Vec<f64>> {
        let at = |&(sequence, position): &(usize, usize)| sequences[sequence][position];
        self.places.iter().map(|places| places.iter().map(at).collect()).collect()
    }

    /// For each sequence a number per completion token: the sums of those of the targets there.
    pub(super) fn gathered(&self, targets: &[Vec<f64>]) -> Vec<Vec<f64>> {
        let mut sums: Vec<Vec<f64>> = self.sequences.iter().map(|tokens| vec![0.0; tokens.len() - 1]).collect();
        for (places, numbers) in self.places.iter().zip(targets) {
            for (&(sequence, position), number) in places.iter().zip(numbers) {
                sums[sequence][position] += number;
            }
        }
        sums
    }
}
