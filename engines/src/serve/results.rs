//! Results of calls: awaited, kept for a while, and forgotten.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use oreal_models::{Completion, Ending};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::refusal::{Answered, Refusal};
use crate::tinker::wire::{LossOutput, LossOutputs, Sampled, SampledSequence, Tensor};

/// What came of a call.
#[derive(Debug)]
pub(super) enum Answer {
    /// Log-probabilities of the targets of each row, and the loss.
    Loss { logps: Vec<Vec<f64>>, loss: f64 },
    /// Completions of a prompt, and the log-probabilities of its tokens.
    Sampled { completions: Vec<Completion>, prompt: Option<Vec<Option<f64>>> },
    /// As JSON.
    Plain(Value),
    /// It could not be done.
    Failed { sentence: String, fault: Fault },
}

/// Whose fault a failure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    User,
    Server,
}

/// Where an answer arrives.
pub(super) type Awaited = watch::Receiver<Option<Arc<Answer>>>;

/// Results by name.
#[derive(Debug)]
pub(super) struct Results {
    /// Part of each name, so that no other server's names are mistaken for its own.
    mark: String,
    next: u64,
    open: usize,
    entries: HashMap<u64, watch::Sender<Option<Arc<Answer>>>>,
    /// Answered, the oldest first, with their bytes.
    answered: VecDeque<(u64, usize)>,
    bytes: usize,
    most: usize,
    most_bytes: usize,
}

impl Results {
    pub(super) fn new(mark: String, most: usize, most_bytes: usize) -> Results {
        Results {
            mark,
            next: 0,
            open: 0,
            entries: HashMap::new(),
            answered: VecDeque::new(),
            bytes: 0,
            most,
            most_bytes,
        }
    }

    /// A name for a result that is not there yet.
    pub(super) fn open(&mut self) -> Answered<String> {
        if self.open >= self.most {
            return Err(Refusal::full(format!("{} calls are not done yet: wait for their results", self.open)));
        }
        self.open += 1;
        let number = self.next;
        self.next += 1;
        self.entries.insert(number, watch::Sender::new(None));
        Ok(format!("{}-{number}", self.mark))
    }

    /// The result is there. The oldest are forgotten where there are too many.
    pub(super) fn answer(&mut self, name: &str, answer: Answer) {
        let Some(number) = self.number(name) else { return };
        let Some(entry) = self.entries.get(&number).filter(|entry| entry.borrow().is_none()) else { return };
        let bytes = answer.bytes();
        entry.send_replace(Some(Arc::new(answer)));
        self.open -= 1;
        self.bytes += bytes;
        self.answered.push_back((number, bytes));
        // The newest is kept, whatever its size.
        while self.answered.len() > 1 && (self.answered.len() > self.most || self.bytes > self.most_bytes) {
            if let Some((number, bytes)) = self.answered.pop_front() {
                self.entries.remove(&number);
                self.bytes -= bytes;
            }
        }
    }

    /// Where the result of this name arrives.
    pub(super) fn awaited(&self, name: &str) -> Answered<Awaited> {
        let number = self.number(name).filter(|number| *number < self.next);
        let number = number.ok_or_else(|| Refusal::unknown("request_id: this server has given no result this name"))?;
        let entry = self.entries.get(&number);
        let entry = entry.ok_or_else(|| Refusal::gone("the result is not kept any more: newer ones took its place"))?;
        Ok(entry.subscribe())
    }

    fn number(&self, name: &str) -> Option<u64> {
        name.strip_prefix(&self.mark)?.strip_prefix('-')?.parse().ok()
    }
}

impl Answer {
    pub(super) fn failed(sentence: impl Into<String>, fault: Fault) -> Answer {
        Answer::Failed { sentence: sentence.into(), fault }
    }

    /// About what it takes of memory.
    fn bytes(&self) -> usize {
        const SMALL: usize = 256;
        match self {
            Answer::Loss { logps, .. } => SMALL + logps.iter().map(|logps| 24 + 8 * logps.len()).sum::<usize>(),
            Answer::Sampled { completions, prompt } => {
                let drawn: usize = completions.iter().map(|completion| 64 + 12 * completion.tokens.len()).sum();
                SMALL + drawn + prompt.as_ref().map_or(0, |logps| 16 * logps.len())
            }
            Answer::Plain(_) | Answer::Failed { .. } => SMALL,
        }
    }

    /// As the Tinker API has it.
    pub(super) fn to_json(&self) -> Value {
        let written = match self {
            Answer::Loss { logps, loss } => serde_json::to_value(loss_output(logps, *loss)),
            Answer::Sampled { completions, prompt } => serde_json::to_value(sampled(completions, prompt.as_deref()))
                .map(|mut value| {
                    value["type"] = json!("sample");
                    value
                }),
            Answer::Plain(value) => Ok(value.clone()),
            Answer::Failed { sentence, fault } => {
                let category = if *fault == Fault::User { "user" } else { "server" };
                Ok(json!({ "error": sentence, "category": category }))
            }
        };
        written.unwrap_or_else(|problem| json!({ "error": problem.to_string(), "category": "server" }))
    }
}

/// As a message.
pub(super) fn loss_output(logps: &[Vec<f64>], loss: f64) -> LossOutput {
    LossOutput {
        loss_fn_output_type: "ArrayRecord".to_owned(),
        loss_fn_outputs: logps.iter().map(|logps| LossOutputs { logprobs: Tensor::floats(logps.clone()) }).collect(),
        metrics: json!({ "loss:sum": loss }),
    }
}

/// As a message.
pub(super) fn sampled(completions: &[Completion], prompt: Option<&[Option<f64>]>) -> Sampled {
    let sequence = |completion: &Completion| SampledSequence {
        tokens: completion.tokens.clone(),
        logprobs: completion.sampled_logp.clone(),
        stop_reason: reason(completion.ending).to_owned(),
    };
    Sampled { sequences: completions.iter().map(sequence).collect(), prompt_logprobs: prompt.map(<[_]>::to_vec) }
}

/// Why a completion ended, as servers call it.
pub(super) fn reason(ending: Ending) -> &'static str {
    match ending {
        Ending::Stopped => "stop",
        Ending::Truncated => "length",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_results_are_forgotten() {
        let mut results = Results::new("r".to_owned(), 2, 1 << 20);
        let names: Vec<String> = (0..3).map(|_| results.open().unwrap_or_default()).collect();
        assert_eq!(names, ["r-0", "r-1", ""], "two may be open");
        for name in &names[..2] {
            results.answer(name, Answer::Plain(json!(name)));
        }
        let third = results.open().unwrap();
        assert!(results.awaited(&third).unwrap().borrow().is_none());
        results.answer(&third, Answer::Plain(json!(3)));
        assert!(results.awaited("r-0").unwrap_err().sentence.contains("not kept"));
        assert!(results.awaited("r-1").unwrap().borrow().is_some());
        for foreign in ["r-9", "s-1", "", "r-", "r--1", "r-1-1"] {
            assert!(results.awaited(foreign).unwrap_err().sentence.contains("no result"), "{foreign}");
        }
    }

    #[test]
    fn results_are_bounded_by_their_bytes_too() {
        let mut results = Results::new("r".to_owned(), 100, 10_000);
        for _ in 0..4 {
            let name = results.open().unwrap();
            results.answer(&name, Answer::Loss { logps: vec![vec![0.0; 500]], loss: 0.0 });
        }
        assert!(results.bytes <= 10_000 && results.answered.len() == 2, "{}", results.bytes);
        let name = results.open().unwrap();
        results.answer(&name, Answer::Loss { logps: vec![vec![0.0; 5000]], loss: 0.0 });
        assert!(results.awaited(&name).unwrap().borrow().is_some(), "the newest is kept, whatever its size");
        results.answer(&name, Answer::Plain(json!(1)));
        assert_eq!(results.open, 0, "an answer is given once");
    }
}
