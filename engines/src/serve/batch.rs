//! Sequences with targets, as they come, and as they are learnt from once they are found right.

use std::collections::BTreeMap;

use oreal_models::Token;
use serde::Deserialize;
use serde_json::Value;

use super::loss::{Given, Loss};
use super::refusal::{Answered, Refusal};
use crate::tinker::wire::{ModelInput, Numbers, Tensor};

/// Sequences and a loss, as sent.
#[derive(Debug, Deserialize)]
pub(super) struct Input {
    pub(super) data: Vec<Datum>,
    pub(super) loss_fn: String,
    #[serde(default)]
    pub(super) loss_fn_config: Option<BTreeMap<String, Value>>,
}

/// One sequence, as sent.
#[derive(Debug, Deserialize)]
pub(super) struct Datum {
    pub(super) model_input: ModelInput,
    pub(super) loss_fn_inputs: BTreeMap<String, Tensor>,
}

/// Sequences that can be read, and their loss.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) loss: Loss,
    pub(super) rows: Vec<Row>,
}

/// One sequence: as many targets and numbers as tokens, at least one.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) tokens: Vec<Token>,
    pub(super) targets: Vec<Token>,
    pub(super) given: Vec<Given>,
}

/// What tokens a model reads.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reads {
    pub(super) vocabulary: usize,
    /// Longest sequence.
    pub(super) longest: usize,
}

impl Input {
    /// Refuses what no model of these sizes reads, or no loss takes.
    pub(super) fn checked(self, reads: Reads) -> Answered<Batch> {
        let loss = Loss::named(&self.loss_fn, self.loss_fn_config.as_ref()).map_err(Refusal::bad)?;
        if self.data.is_empty() {
            return Err(Refusal::bad("data is empty: send at least one sequence"));
        }
        let row = |(index, datum): (usize, Datum)| {
            datum.checked(loss, reads).map_err(|refusal| refusal.of(&format!("data[{index}]")))
        };
        let rows = self.data.into_iter().enumerate().map(row).collect::<Answered<Vec<Row>>>()?;
        Ok(Batch { loss, rows })
    }
}

impl Datum {
    fn checked(mut self, loss: Loss, reads: Reads) -> Answered<Row> {
        let tokens = reads.tokens(&self.model_input)?;
        let count = tokens.len();
        let known =
            |name: &str| name == "target_tokens" || loss.needs().contains(&name) || loss.takes().contains(&name);
        if let Some(name) = self.loss_fn_inputs.keys().find(|name| !known(name)) {
            return Err(Refusal::bad(format!("loss_fn_inputs: this loss has no input {name}")));
        }
        let targets = self.take("target_tokens", count)?.ok_or_else(|| missing("target_tokens"))?;
        let targets = reads.targets(targets)?;
        for name in loss.needs() {
            if !self.loss_fn_inputs.contains_key(*name) {
                return Err(missing(name));
            }
        }
        let weights = self.numbers("weights", count, 1.0)?;
        let mask = self.numbers("mask", count, 1.0)?;
        let drawn = self.numbers("logprobs", count, 0.0)?;
        let advantages = self.numbers("advantages", count, 0.0)?;
        let given = |i: usize| Given { weight: weights[i] * mask[i], drawn_logp: drawn[i], advantage: advantages[i] };
        Ok(Row { tokens, targets, given: (0..count).map(given).collect() })
    }

    /// An input with a number for each token; `otherwise` where it is not given.
    fn numbers(&mut self, name: &str, count: usize, otherwise: f64) -> Answered<Vec<f64>> {
        let Some(numbers) = self.take(name, count)? else { return Ok(vec![otherwise; count]) };
        let numbers = numbers.reals();
        match numbers.iter().position(|number| !number.is_finite()) {
            Some(i) => Err(Refusal::bad(format!("{name}[{i}] is {}: a finite number is needed", numbers[i]))),
            None => Ok(numbers),
        }
    }

    fn take(&mut self, name: &str, count: usize) -> Answered<Option<Numbers>> {
        let Some(Tensor { data, shape, .. }) = self.loss_fn_inputs.remove(name) else { return Ok(None) };
        let found = match &data {
            Numbers::Whole(numbers) => numbers.len(),
            Numbers::Real(numbers) => numbers.len(),
        };
        if found != count {
            return Err(Refusal::bad(format!("{name} has {found} numbers where model_input has {count} tokens")));
        }
        match shape {
            Some(shape) if shape != [count] => {
                Err(Refusal::bad(format!("{name} has the shape {shape:?} where [{count}] is needed")))
            }
            _ => Ok(Some(data)),
        }
    }
}

impl Reads {
    /// The tokens of an input or a prompt.
    pub(super) fn tokens(self, input: &ModelInput) -> Answered<Vec<Token>> {
        if let Some(chunk) = input.chunks.iter().find(|chunk| chunk.kind != "encoded_text") {
            return Err(Refusal::bad(format!("a chunk of type {:?}: this server reads encoded_text only", chunk.kind)));
        }
        self.checked(input.tokens())
    }

    /// Refuses none, too many, and unknown ones.
    pub(super) fn checked(self, tokens: Vec<Token>) -> Answered<Vec<Token>> {
        if tokens.is_empty() {
            return Err(Refusal::bad("no tokens: at least one is needed to predict the next"));
        }
        if tokens.len() > self.longest {
            let sentence = format!("{} tokens where a sequence has at most {} here", tokens.len(), self.longest);
            return Err(Refusal::bad(sentence));
        }
        match tokens.iter().find(|token| **token as usize >= self.vocabulary) {
            Some(&token) => Err(self.outside(token.into())),
            None => Ok(tokens),
        }
    }

    fn targets(self, numbers: Numbers) -> Answered<Vec<Token>> {
        let Numbers::Whole(numbers) = numbers else {
            return Err(Refusal::bad("target_tokens: whole numbers are needed"));
        };
        let target = |number: i64| match Token::try_from(number) {
            Ok(token) if (token as usize) < self.vocabulary => Ok(token),
            _ => Err(self.outside(number)),
        };
        numbers.into_iter().map(target).collect()
    }

    fn outside(self, token: i64) -> Refusal {
        let last = self.vocabulary - 1;
        Refusal::bad(format!(
            "token {token} is outside the vocabulary, 0 to {last}: was it encoded with another tokenizer?"
        ))
    }
}

fn missing(name: &str) -> Refusal {
    Refusal::bad(format!("loss_fn_inputs has no {name}, which this loss reads"))
}
