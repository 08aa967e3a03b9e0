//! What a server does with a gradient, seen from outside.
//!
//! AdamW without moments and with a large epsilon is gradient descent: with `beta1 = beta2 = 0` and an epsilon far above every entry
//! of the gradient, a step moves the weights by `-(rate / epsilon) * gradient`. So a log-probability changes, to first order, by
//! `-(rate / epsilon) * <grad logp, gradient>`, and the gradient that a server makes of some cotangents can be compared with that of
//! others: it must change sign with them, grow with them, and add up over tokens and sequences.

mod drawn;
mod older;
mod response;

use std::fmt;
use std::sync::Arc;

use oreal_models::{Error, Model, Optimiser, Result, Sequence, Signal, Token, Want};

use super::model::{Carrier, Remote, RemoteSettings};
use super::service::Service;
use drawn::Drawn;
pub use older::Older;
use older::older;
use response::Responses;

/// What was found out about a server.
#[derive(Clone, Debug, PartialEq)]
pub struct Probed {
    /// The address of the server.
    pub server: String,
    /// In the order of the questions.
    pub findings: Vec<Finding>,
    /// How cotangents travel; `None` where none of the losses carries them.
    pub carrier: Option<Carrier>,
    /// Long gradients are clipped where a step asks for it.
    pub clips: bool,
    /// A call with the number of an earlier one is taken for that one.
    pub knows_numbers: bool,
    /// Until when completions of older weights can be drawn.
    pub older: Older,
}

/// One question with its answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// What was asked.
    pub question: String,
    /// What the server does.
    pub answer: String,
    /// What that means for training.
    pub meaning: Meaning,
}

impl Probed {
    /// How cotangents travel.
    ///
    /// # Errors
    /// [`Error::Server`] with what the server does instead, where nothing carries them.
    pub fn carrier(&self) -> Result<Carrier> {
        self.carrier.ok_or_else(|| {
            let bad = self.findings.iter().filter(|finding| finding.meaning == Meaning::Bad);
            let bad: Vec<String> = bad.map(|finding| format!("{}: {}", finding.question, finding.answer)).collect();
            let server = self.server.clone();
            Error::Server { server, problem: format!("no loss of this server carries cotangents: {}", bad.join("; ")) }
        })
    }
}

/// What a finding means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// As it should be.
    Good,
    /// Training works, with what the answer says in mind.
    Note,
    /// Nothing can be trained with this.
    Bad,
}

impl fmt::Display for Meaning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Meaning::Good => "good",
            Meaning::Note => "note",
            Meaning::Bad => "bad",
        })
    }
}

/// Largest difference of log-probabilities, in nats, that is put down to rounding.
const ROUNDING: f64 = 0.02;

/// Only tokens below this number are read.
const FEW: usize = 12;

/// Asks everything, with models of its own, which are then unloaded. The service is told whether the server knows calls by their
/// number.
///
/// # Errors
/// Whatever the server refuses.
pub fn probe(service: &Arc<Service>, settings: &RemoteSettings) -> Result<Probed> {
    // First of all, so that what follows can be sent again.
    let model = Remote::new(service.clone(), settings.clone(), &response::descent())?;
    let knows_numbers = model.is_numbered()?;
    service.knows_numbers(knows_numbers);
    let mut findings = vec![numbers(knows_numbers)];
    let (mut carrier, mut clips, mut older_ones) = (None, false, Older::Never);
    for candidate in [Carrier::CrossEntropy, Carrier::ImportanceSampling] {
        let settings = RemoteSettings { carrier: candidate, ..settings.clone() };
        let new = |optimiser: &Optimiser| Remote::new(service.clone(), settings.clone(), optimiser);
        let responses = Responses::find(new)?;
        findings.push(gradients(&responses, candidate));
        if responses.faults().is_empty() {
            carrier = Some(candidate);
            clips = responses.is_clipped(new)?;
            findings.push(clipping(clips));
            let (until, finding) = older(&model, new(&response::descent())?, responses.rate, &settings)?;
            older_ones = until;
            findings.push(finding);
            break;
        }
    }
    if carrier.is_some() {
        // What a loss that is not used does is no harm.
        findings.iter_mut().filter(|f| f.meaning == Meaning::Bad).for_each(|f| f.meaning = Meaning::Note);
    }
    findings.push(lengths(&model, settings)?);
    findings.extend(samples(&model, settings)?);
    Ok(Probed { server: service.url().to_owned(), findings, carrier, clips, knows_numbers, older: older_ones })
}

/// Whether the server's log-probabilities are those of the same weights here.
///
/// # Errors
/// Whatever the server refuses, and a model here that does not read.
pub fn compare(service: &Arc<Service>, settings: &RemoteSettings, here: &dyn Model) -> Result<Finding> {
    let there = Remote::new(service.clone(), settings.clone(), &response::descent())?;
    let completions: Vec<Vec<Token>> = (1..9).map(|i| tokens(i, 2 * i, settings.vocabulary)).collect();
    let batch: Vec<Sequence<'_>> = completions.iter().map(|completion| Sequence { prompt: &[1], completion }).collect();
    let here = here.read(&batch, &want())?.0.remove(&Signal::Logp).unwrap_or_default();
    let far = largest(&logps(&there, &batch)?, &here);
    let meaning = if far < ROUNDING { Meaning::Good } else { Meaning::Bad };
    let answer = format!("they differ by at most {far:.1e} nats");
    Ok(Finding {
        question: "log-probabilities of the base model against those of its checkpoint here".to_owned(),
        answer,
        meaning,
    })
}

/// Whether a loss carries cotangents.
fn gradients(responses: &Responses, carrier: Carrier) -> Finding {
    let question = format!("gradient of signed cotangents as {}", carrier.loss());
    let (answer, meaning) = match responses.faults().first() {
        None => (format!("their sum: {responses}"), Meaning::Good),
        Some(fault) => (format!("{fault}: {responses}"), Meaning::Bad),
    };
    Finding { question, answer, meaning }
}

fn clipping(clips: bool) -> Finding {
    let (answer, meaning) = match clips {
        true => ("it acts", Meaning::Good),
        false => ("it does not act: optimiser.clip must be \"off\"", Meaning::Note),
    };
    Finding { question: "grad_clip_norm".to_owned(), answer: answer.to_owned(), meaning }
}

fn numbers(knows: bool) -> Finding {
    let (answer, meaning) = match knows {
        true => ("it is the same call: calls whose fate is unknown are sent again", Meaning::Good),
        false => (
            "it is another call: after a broken connection a run stops, and goes on from its checkpoint",
            Meaning::Note,
        ),
    };
    Finding { question: "a call with the number of an earlier one".to_owned(), answer: answer.to_owned(), meaning }
}

/// Tokens that every tokenizer has.
pub(super) fn tokens(from: usize, count: usize, vocabulary: usize) -> Vec<Token> {
    (0..count).map(|i| ((from + i * (i + 3)) % vocabulary.min(FEW)) as Token).collect()
}

fn want() -> Want {
    Want { signals: vec![Signal::Logp], temperature: 1.0 }
}

/// Whether a short sequence beside a long one has the log-probabilities that it has alone.
fn lengths(model: &Remote, settings: &RemoteSettings) -> Result<Finding> {
    let [short, long] = [tokens(1, 3, settings.vocabulary), tokens(2, 14, settings.vocabulary)];
    let sequence = |completion| Sequence { prompt: &[0], completion };
    let together = logps(model, &[sequence(&short), sequence(&long)])?;
    let alone = [logps(model, &[sequence(&short)])?, logps(model, &[sequence(&long)])?].concat();
    let far = largest(&together, &alone);
    let meaning = if far < ROUNDING { Meaning::Good } else { Meaning::Bad };
    let answer = format!("log-probabilities differ by at most {far:.1e} from those read alone");
    Ok(Finding { question: "sequences of unequal lengths in one call".to_owned(), answer, meaning })
}

fn logps(model: &Remote, batch: &[Sequence<'_>]) -> Result<Vec<f64>> {
    Ok(model.read(batch, &want())?.0.remove(&Signal::Logp).unwrap_or_default())
}

/// Whether the log-probabilities of completions are those that the trainer has for them, and what they mean at another temperature.
fn samples(model: &Remote, settings: &RemoteSettings) -> Result<Vec<Finding>> {
    let finding =
        |temperature| Ok(sampled(temperature, Drawn::of(model, settings, 0, temperature)?.apart_from(model)?));
    [1.0, 0.5].into_iter().map(finding).collect()
}

fn sampled(temperature: f64, far: Option<f64>) -> Finding {
    let question = format!("log-probabilities of completions drawn at temperature {temperature}");
    let (answer, meaning) = match (far, temperature == 1.0) {
        (None, _) => ("none to compare: they are read by the trainer".to_owned(), Meaning::Note),
        (Some(far), true) if far < ROUNDING => (format!("those of the trainer, up to {far:.1e}"), Meaning::Good),
        (Some(far), true) => (format!("up to {far:.2} nats from those of the trainer"), Meaning::Bad),
        (Some(far), false) if far < ROUNDING => {
            ("of logits that are not divided by it: not used".to_owned(), Meaning::Note)
        }
        (Some(_), false) => ("of logits that are divided by it: not used".to_owned(), Meaning::Note),
    };
    Finding { question, answer, meaning }
}

fn largest(a: &[f64], b: &[f64]) -> f64 {
    if a.len() != b.len() {
        return f64::INFINITY;
    }
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}
