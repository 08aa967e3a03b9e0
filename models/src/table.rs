//! The exact reference: a softmax over a row of logits for each state, in `f64`.

mod stored;

use std::collections::BTreeMap;
use std::path::Path;

use crate::contract::{Backbone, Model, Sampler};
use crate::data::{Completion, Head, Key, Sampling, Sequence, Signal, Signals, Step, Token, Want};
use crate::error::Result;
use crate::head::{self, Softmax};
use crate::optim::{self, Decay, Moments, Optimiser, Update};
use crate::sampling::Drawing;
use crate::{check, file};

/// What a table knows when it predicts a token: the prompt and the completion so far.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct State {
    pub prompt: Vec<Token>,
    pub prefix: Vec<Token>,
}

/// The numbers of one state, or their gradient.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// One per token of the vocabulary.
    pub logits: Vec<f64>,
    pub scalar: f64,
}

/// A model without generalisation: each state has its own [`Row`], zero (uniform) until it is set or learned.
///
/// It has both heads, so it reports every signal. Nothing is random and the order of states is fixed.
#[derive(Clone, Debug)]
pub struct Table {
    vocabulary: usize,
    rows: BTreeMap<State, Row>,
    gradient: BTreeMap<State, Row>,
    moments: BTreeMap<State, [Moments<f64>; 2]>,
    optimiser: Optimiser,
    steps: u64,
}

impl Table {
    /// Uniform everywhere.
    pub fn new(vocabulary: usize, optimiser: &Optimiser) -> Self {
        Self {
            vocabulary,
            rows: BTreeMap::new(),
            gradient: BTreeMap::new(),
            moments: BTreeMap::new(),
            optimiser: *optimiser,
            steps: 0,
        }
    }

    /// Reads what [`Model::save`] wrote.
    pub fn load(path: &Path, optimiser: &Optimiser) -> Result<Self> {
        stored::read(path, optimiser)
    }

    /// Number of tokens.
    pub fn vocabulary(&self) -> usize {
        self.vocabulary
    }

    /// The states that were set or learned; all others are zero.
    pub fn rows(&self) -> &BTreeMap<State, Row> {
        &self.rows
    }

    /// The numbers of any state.
    pub fn row(&self, prompt: &[Token], prefix: &[Token]) -> Row {
        let row = self.rows.get(&State::new(prompt, prefix));
        row.cloned().unwrap_or_else(|| Row::zero(self.vocabulary))
    }

    /// Sets the logits of a state.
    ///
    /// # Panics
    /// When there is not one logit per token of the vocabulary.
    pub fn set_logits(&mut self, prompt: &[Token], prefix: &[Token], logits: &[f64]) {
        assert_eq!(logits.len(), self.vocabulary, "one logit per token of the vocabulary");
        self.row_mut(prompt, prefix).logits = logits.to_vec();
    }

    /// Sets the scalar of a state.
    pub fn set_scalar(&mut self, prompt: &[Token], prefix: &[Token], scalar: f64) {
        self.row_mut(prompt, prefix).scalar = scalar;
    }

    /// Gradient accumulated since the last step, of the states it reached.
    pub fn gradient(&self) -> &BTreeMap<State, Row> {
        &self.gradient
    }

    /// Forgets the gradient accumulated since the last step.
    pub fn clear_gradient(&mut self) {
        self.gradient.clear();
    }

    /// Probability that the completion starts with these tokens, at temperature 1.
    pub fn probability(&self, prompt: &[Token], completion: &[Token]) -> f64 {
        let step = |t: usize| {
            let logits = self.row(prompt, &completion[..t]).logits;
            Softmax::new(&logits, 1.0).row(logits[completion[t] as usize]).logp
        };
        (0..completion.len()).map(step).sum::<f64>().exp()
    }

    fn row_mut(&mut self, prompt: &[Token], prefix: &[Token]) -> &mut Row {
        let row = self.rows.entry(State::new(prompt, prefix));
        row.or_insert_with(|| Row::zero(self.vocabulary))
    }

    /// Value of one signal at token `t` of a sequence.
    fn signal(&self, sequence: &Sequence<'_>, t: usize, signal: Signal, temperature: f64) -> f64 {
        let row = self.row(sequence.prompt, &sequence.completion[..t]);
        let predicted = || Softmax::new(&row.logits, temperature).row(row.logits[sequence.completion[t] as usize]);
        match signal {
            Signal::Logp => predicted().logp,
            Signal::Entropy => predicted().entropy,
            Signal::Scalar => row.scalar,
            Signal::ScalarAfter => self.row(sequence.prompt, &sequence.completion[..=t]).scalar,
        }
    }

    /// Adds what one cotangent contributes to the gradient.
    fn pull_back(&mut self, sequence: &Sequence<'_>, t: usize, (signal, cotangent): (Signal, f64), temperature: f64) {
        let seen = if signal == Signal::ScalarAfter { t + 1 } else { t };
        let prefix = &sequence.completion[..seen];
        let mut logits = self.row(sequence.prompt, prefix).logits;
        let gradient = self.gradient.entry(State::new(sequence.prompt, prefix));
        let gradient = gradient.or_insert_with(|| Row::zero(self.vocabulary));
        let cotangent = match signal {
            Signal::Scalar | Signal::ScalarAfter => {
                gradient.scalar += cotangent;
                return;
            }
            Signal::Logp => head::Row { logp: cotangent, entropy: 0.0 },
            Signal::Entropy => head::Row { logp: 0.0, entropy: cotangent },
        };
        let softmax = Softmax::new(&logits, temperature);
        softmax.vjp(&mut logits, sequence.completion[t] as usize, cotangent);
        gradient.logits.iter_mut().zip(logits).for_each(|(sum, dz)| *sum += dz);
    }
}

impl State {
    /// Copies both.
    pub fn new(prompt: &[Token], prefix: &[Token]) -> Self {
        Self { prompt: prompt.to_vec(), prefix: prefix.to_vec() }
    }
}

impl Row {
    fn zero(vocabulary: usize) -> Self {
        Self { logits: vec![0.0; vocabulary], scalar: 0.0 }
    }
}

impl Sampler for Table {
    fn sample(&mut self, prompts: &[&[Token]], keys: &[Key], how: &Sampling) -> Result<Vec<Completion>> {
        check::prompts(prompts, keys, how, self.vocabulary)?;
        let complete = |(prompt, key): (&&[Token], &Key)| {
            let mut drawing = Drawing::new(key);
            loop {
                let row = self.row(prompt, drawing.tokens());
                if let Some(ending) = drawing.advance(&row.logits, how)? {
                    return Ok(drawing.end(ending));
                }
            }
        };
        prompts.iter().zip(keys).map(complete).collect()
    }
}

impl Backbone for Table {
    fn read(&self, batch: &[Sequence<'_>], want: &Want) -> Result<Signals> {
        check::batch(batch, want, self.vocabulary)?;
        let column = |&signal: &Signal| {
            let of = |s| positions(s).map(move |t| self.signal(s, t, signal, want.temperature));
            (signal, batch.iter().flat_map(of).collect())
        };
        Ok(Signals(want.signals.iter().map(column).collect()))
    }

    fn backward(
        &mut self,
        batch: &[Sequence<'_>],
        want: &Want,
        loss: &mut dyn FnMut(&Signals) -> Signals,
    ) -> Result<()> {
        let signals = self.read(batch, want)?;
        let cotangents = loss(&signals);
        check::cotangents(&signals, &cotangents)?;
        for (&signal, column) in &cotangents.0 {
            let tokens = batch.iter().flat_map(|s| positions(s).map(move |t| (s, t)));
            for ((sequence, t), &cotangent) in tokens.zip(column) {
                self.pull_back(sequence, t, (signal, cotangent), want.temperature);
            }
        }
        Ok(())
    }

    fn step(&mut self, rate: f64) -> Result<Step> {
        optim::check_rate(rate)?;
        let mut squares = 0.0;
        for (state, row) in &self.gradient {
            let name = format!("state {:?} {:?}", state.prompt, state.prefix);
            squares += optim::finite(&name, optim::squares(&row.logits) + row.scalar * row.scalar)?;
        }
        let gradient_norm = squares.sqrt();
        self.steps += 1;
        let update = Update::new(self.optimiser, rate, gradient_norm, self.steps);
        let mut gradient = std::mem::take(&mut self.gradient);
        for state in gradient.keys() {
            self.row_mut(&state.prompt, &state.prefix);
        }
        for (state, row) in &mut self.rows {
            let gradient = gradient.remove(state).unwrap_or_else(|| Row::zero(self.vocabulary));
            let [logits, scalar] = self.moments.entry(state.clone()).or_default();
            let moments = logits.of(row.logits.len());
            update.apply(Decay::Yes, &mut row.logits, &gradient.logits, moments);
            let number = std::slice::from_mut(&mut row.scalar);
            update.apply(Decay::Yes, number, &[gradient.scalar], scalar.of(1));
        }
        Ok(Step { gradient_norm })
    }
}

impl Model for Table {
    fn fork(&self, head: Head, optimiser: &Optimiser) -> Result<Box<dyn Model>> {
        let mut fork = Self::new(self.vocabulary, optimiser);
        fork.rows = self.rows.clone();
        for row in fork.rows.values_mut() {
            match head {
                Head::Vocabulary => row.scalar = 0.0,
                Head::Scalar => row.logits.fill(0.0),
            }
        }
        Ok(Box::new(fork))
    }

    fn parameters(&self) -> usize {
        self.rows.len() * (self.vocabulary + 1)
    }

    fn save(&self, path: &Path) -> Result<()> {
        file::write(path, &stored::bytes(self))
    }
}

fn positions(sequence: &Sequence<'_>) -> std::ops::Range<usize> {
    0..sequence.completion.len()
}

#[cfg(test)]
mod tests;
