//! The exact reference: a softmax over a row of logits for each state, in `f64`.

mod stored;

use std::collections::BTreeMap;
use std::path::Path;

use crate::contract::{Model, Pass};
use crate::data::{Completion, Head, Request, Sampling, Sequence, Signal, Signals, Token, Want};
use crate::error::{Error, Result};
use crate::head::{Softmax, TokenOutput};
use crate::optim::{self, Dimensions, Moments, Optimiser, OptimiserStep};
use crate::sampling::Drawing;
use crate::state::ModelState;
use crate::{check, file};

/// The context in which a token is predicted: the prompt and the completion so far.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct State {
    /// Tokens of the prompt.
    pub prompt: Vec<Token>,
    /// Tokens of the completion before the predicted one.
    pub prefix: Vec<Token>,
}

/// The parameters of one state, or their gradient.
#[derive(Clone, Debug, PartialEq)]
pub struct TableRow {
    /// One per token of the vocabulary.
    pub logits: Vec<f64>,
    /// Output of the scalar head.
    pub scalar: f64,
}

/// A model without generalisation: each state has parameters of its own, zero (a uniform distribution) until they are
/// set or trained.
///
/// It has both heads, so it reports every signal. States are kept in order, so that every sum over them is
/// reproducible.
#[derive(Clone, Debug)]
pub struct Table {
    vocabulary: usize,
    rows: BTreeMap<State, TableRow>,
    gradient: BTreeMap<State, TableRow>,
    moments: BTreeMap<State, [Moments<f64>; 2]>,
    optimiser: Optimiser,
    steps: u64,
}

impl Table {
    /// Largest vocabulary: each state takes 8 bytes per token.
    pub const MOST_TOKENS: usize = 1 << 20;

    /// A uniform distribution in every state.
    ///
    /// # Errors
    /// [`Error::Setting`] for a vocabulary outside 1 to [`Table::MOST_TOKENS`] and for what [`Optimiser::validate`]
    /// refuses.
    pub fn new(vocabulary: usize, optimiser: &Optimiser) -> Result<Self> {
        optimiser.validate()?;
        if !(1..=Self::MOST_TOKENS).contains(&vocabulary) {
            let problem = format!("{vocabulary} is not in [1, {}]", Self::MOST_TOKENS);
            return Err(Error::setting("table", "vocabulary", problem));
        }
        Ok(Self {
            vocabulary,
            rows: BTreeMap::new(),
            gradient: BTreeMap::new(),
            moments: BTreeMap::new(),
            optimiser: *optimiser,
            steps: 0,
        })
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
    pub fn rows(&self) -> &BTreeMap<State, TableRow> {
        &self.rows
    }

    /// The numbers of any state.
    pub fn row(&self, prompt: &[Token], prefix: &[Token]) -> TableRow {
        let row = self.rows.get(&State::new(prompt, prefix));
        row.cloned().unwrap_or_else(|| TableRow::zero(self.vocabulary))
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
    pub fn gradient(&self) -> &BTreeMap<State, TableRow> {
        &self.gradient
    }

    /// Probability that the completion starts with these tokens, at temperature 1.
    pub fn probability(&self, prompt: &[Token], completion: &[Token]) -> f64 {
        let step = |t: usize| {
            let logits = self.row(prompt, &completion[..t]).logits;
            Softmax::new(&logits, 1.0).row(logits[completion[t] as usize]).logp
        };
        (0..completion.len()).map(step).sum::<f64>().exp()
    }

    /// The numbers to draw from. A prompt may be another one with the first tokens of a completion of it: then they are those of
    /// that state.
    fn continued(&self, prompt: &[Token], prefix: &[Token]) -> TableRow {
        let at = |length: usize| {
            let (prompt, first) = prompt.split_at(length);
            self.rows.get(&State { prompt: prompt.to_vec(), prefix: [first, prefix].concat() })
        };
        let row = (1..=prompt.len()).rev().find_map(at);
        row.cloned().unwrap_or_else(|| TableRow::zero(self.vocabulary))
    }

    fn row_mut(&mut self, prompt: &[Token], prefix: &[Token]) -> &mut TableRow {
        let row = self.rows.entry(State::new(prompt, prefix));
        row.or_insert_with(|| TableRow::zero(self.vocabulary))
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

    /// Adds what the cotangent of one signal at token `t` contributes to the gradient.
    fn accumulate(&mut self, sequence: &Sequence<'_>, t: usize, (signal, cotangent): (Signal, f64), temperature: f64) {
        let seen = if signal == Signal::ScalarAfter { t + 1 } else { t };
        let prefix = &sequence.completion[..seen];
        let mut logits = self.row(sequence.prompt, prefix).logits;
        let gradient = self.gradient.entry(State::new(sequence.prompt, prefix));
        let gradient = gradient.or_insert_with(|| TableRow::zero(self.vocabulary));
        let cotangent = match signal {
            Signal::Scalar | Signal::ScalarAfter => {
                gradient.scalar += cotangent;
                return;
            }
            Signal::Logp => TokenOutput { logp: cotangent, entropy: 0.0 },
            Signal::Entropy => TokenOutput { logp: 0.0, entropy: cotangent },
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

impl TableRow {
    fn zero(vocabulary: usize) -> Self {
        Self { logits: vec![0.0; vocabulary], scalar: 0.0 }
    }
}

/// A forward pass over some sequences, whose tokens it keeps.
struct TablePass<'a> {
    table: &'a mut Table,
    batch: Vec<[Vec<Token>; 2]>,
    want: Want,
}

impl Pass for TablePass<'_> {
    fn backward(self: Box<Self>, cotangents: &Signals) -> Result<()> {
        let tokens = self.batch.iter().map(|[_, completion]| completion.len()).sum();
        let signals: Vec<_> = self.want.signals.iter().map(|&signal| (signal, tokens)).collect();
        check::cotangents(&signals, cotangents)?;
        for (&signal, column) in &cotangents.0 {
            let tokens = self.batch.iter().flat_map(|[prompt, completion]| {
                let sequence = Sequence { prompt, completion };
                positions(&sequence).map(move |t| (sequence, t))
            });
            for ((sequence, t), &cotangent) in tokens.zip(column) {
                self.table.accumulate(&sequence, t, (signal, cotangent), self.want.temperature);
            }
        }
        Ok(())
    }
}

impl Model for Table {
    fn read(&self, batch: &[Sequence<'_>], want: &Want) -> Result<Signals> {
        check::batch(batch, want, self.vocabulary)?;
        let column = |&signal: &Signal| {
            let of = |s| positions(s).map(move |t| self.signal(s, t, signal, want.temperature));
            (signal, batch.iter().flat_map(of).collect())
        };
        Ok(Signals(want.signals.iter().map(column).collect()))
    }

    fn forward(&mut self, batch: &[Sequence<'_>], want: &Want) -> Result<(Signals, Box<dyn Pass + '_>)> {
        let signals = self.read(batch, want)?;
        let batch = batch.iter().map(|s| [s.prompt.to_vec(), s.completion.to_vec()]).collect();
        Ok((signals, Box::new(TablePass { table: self, batch, want: want.clone() })))
    }

    fn gradient_norm(&self) -> Result<Option<f64>> {
        let mut squares = 0.0;
        for (state, row) in &self.gradient {
            let name = || format!("state {:?} {:?}", state.prompt, state.prefix);
            squares += optim::finite(name, optim::squares(&row.logits) + row.scalar * row.scalar)?;
        }
        Ok(Some(optim::finite(|| "all states".into(), squares)?.sqrt()))
    }

    fn discard(&mut self) {
        self.gradient.clear();
    }

    fn step(&mut self, rate: f64, gradient_norm: Option<f64>) -> Result<()> {
        let gradient_norm = optim::check_step(rate, gradient_norm)?;
        self.steps += 1;
        let update = OptimiserStep::new(self.optimiser, rate, gradient_norm, self.steps);
        let mut gradient = std::mem::take(&mut self.gradient);
        for state in gradient.keys() {
            self.row_mut(&state.prompt, &state.prefix);
        }
        for (state, row) in &mut self.rows {
            let gradient = gradient.remove(state).unwrap_or_else(|| TableRow::zero(self.vocabulary));
            let [logits, scalar] = self.moments.entry(state.clone()).or_default();
            let moments = logits.of(row.logits.len());
            update.apply(Dimensions::Matrix, &mut row.logits, &gradient.logits, moments);
            let number = std::slice::from_mut(&mut row.scalar);
            update.apply(Dimensions::Matrix, number, &[gradient.scalar], scalar.of(1));
        }
        Ok(())
    }

    fn draw(&self, requests: &[Request<'_>], how: &Sampling) -> Result<Vec<Completion>> {
        check::requests(requests, how, self.vocabulary)?;
        let complete = |request: &Request<'_>| {
            let mut drawing = Drawing::new(&request.key);
            loop {
                let row = self.continued(request.prompt, drawing.tokens());
                if let Some(ending) = drawing.advance(&row.logits, how)? {
                    return Ok(drawing.end(ending));
                }
            }
        };
        requests.iter().map(complete).collect()
    }

    fn fork(&self, head: Head, optimiser: &Optimiser) -> Result<Box<dyn Model>> {
        let mut fork = Self::new(self.vocabulary, optimiser)?;
        fork.rows = self.rows.clone();
        for row in fork.rows.values_mut() {
            match head {
                Head::Vocabulary => row.scalar = 0.0,
                Head::Scalar => row.logits.fill(0.0),
            }
        }
        Ok(Box::new(fork))
    }

    fn set_optimiser(&mut self, optimiser: &Optimiser) -> Result<()> {
        optimiser.validate()?;
        self.optimiser = *optimiser;
        Ok(())
    }

    fn parameters(&self) -> usize {
        self.rows.len() * (self.vocabulary + 1)
    }

    fn save(&self, path: &Path) -> Result<()> {
        let file = if path.is_dir() { path.join("model.safetensors") } else { path.to_owned() };
        file::write(&file, &stored::bytes(self)?)
    }

    fn state(&self) -> Result<ModelState> {
        Ok(stored::state(self))
    }

    fn restore(&mut self, state: &ModelState) -> Result<()> {
        stored::restore(self, state)
    }
}

fn positions(sequence: &Sequence<'_>) -> std::ops::Range<usize> {
    0..sequence.completion.len()
}

#[cfg(test)]
mod tests;
