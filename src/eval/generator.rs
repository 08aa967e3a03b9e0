//! Where completions come from.

use oreal_algos::Role;
use oreal_models::{Completion, Ending, Head, InProcess, Key, Model, Products, Request, Sampler, Sampling, Token};
use serde_json::{Value, json};

use super::settings::EvalSettings;
use crate::config::{ModelSettings, Settings};
use crate::error::{Error, Result};
use crate::model;
use crate::problems::TestProblem;
use crate::renderer::{self, Renderer};
use crate::streams::EVALUATION;

/// Draws completions of problems: a model on this machine ([`Local`]) or behind an endpoint ([`super::Served`]).
pub trait Generator {
    /// What the record says of the model. Where it differs, no run is continued.
    fn identity(&self) -> Value;

    /// What a person is told of the model, on one line.
    fn name(&self) -> String;

    /// Draws a completion for each of `wanted`, and hands them over as they come, in any order.
    ///
    /// # Errors
    /// What `arrived` returns, which ends the work; and whatever keeps all further completions from being drawn. One that fails
    /// by itself arrives as a failure.
    fn draw(&mut self, wanted: &[Wanted<'_>], how: &Draw, arrived: &mut Receiver<'_>) -> Result<()>;
}

/// Takes completions as they come.
pub type Receiver<'a> = dyn FnMut(Vec<Arrived>) -> Result<()> + 'a;

/// A completion that is wanted.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The problem.
    pub problem: &'a TestProblem,
    /// Its number among the completions of the problem, from 0.
    pub sample: usize,
}

/// How completions are drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct Draw {
    /// Logits are divided by this; 0 takes the most likely token.
    pub temperature: f64,
    /// Smallest set of most likely tokens with at least this probability; 1 is all.
    pub top_p: f64,
    /// So many most likely tokens; 0 is all.
    pub top_k: usize,
    /// Longest completion in tokens, end token included.
    pub max_tokens: usize,
    /// Of every random number.
    pub seed: u64,
}

/// A completion, or why it failed.
#[derive(Clone, Debug, PartialEq)]
pub struct Arrived {
    /// Its index among the wanted ones.
    pub index: usize,
    /// What was drawn; else what went wrong.
    pub outcome: std::result::Result<Generated, String>,
}

/// The tokens of a completion as they were drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct Drawn {
    /// With the token that ended it.
    pub ids: Vec<Token>,
    /// Log-probability of each in the distribution it was drawn from, nats; `None` where the sampler does not say.
    pub logps: Option<Vec<f64>>,
}

/// A completion.
#[derive(Clone, Debug, PartialEq)]
pub struct Generated {
    /// Its text, without the end token.
    pub text: String,
    /// What the model thought before, where that is told apart from the text. No answer is looked for in it.
    pub reasoning: Option<String>,
    /// Its length in tokens, where it is known.
    pub tokens: Option<usize>,
    /// The tokens and their log-probabilities, where it was drawn on this machine.
    pub drawn: Option<Drawn>,
    /// How it ended.
    pub ending: Ending,
}

/// A model on this machine. A completion depends on the model, its prompt, the seed and its number only.
pub struct Local {
    name: String,
    identity: Value,
    renderer: std::sync::Arc<dyn Renderer>,
    model: Box<dyn Model>,
    sampler: Box<dyn Sampler>,
    batch: usize,
}

impl Local {
    /// A model that the record knows by `name`, such as its folder. `batch` completions are drawn at once.
    pub fn new(
        name: &str,
        renderer: std::sync::Arc<dyn Renderer>,
        model: Box<dyn Model>,
        sampler: Box<dyn Sampler>,
        batch: usize,
    ) -> Local {
        let identity = Value::from(name);
        Local { name: name.to_owned(), identity, renderer, model, sampler, batch: batch.max(1) }
    }

    /// The model of a checkpoint, which it is read from now.
    ///
    /// # Errors
    /// A checkpoint or a tokenizer that cannot be read, a device that is not there.
    pub fn open(path: &str, settings: &EvalSettings) -> Result<Local> {
        let (products, train_products) = (settings.products, Products::default());
        let how = ModelSettings::Checkpoint { path: path.to_owned(), products, train_products, engine: None };
        let renderer = renderer::of(&how, &settings.text, None)?;
        let how = Settings { model: how, device: settings.device, ..Settings::default() };
        let model = model::to_read(&how, path, Head::Vocabulary, Role::POLICY)?;
        let identity = json!({ "checkpoint": path, "weights": model::files(path)? });
        let local = Local::new(path, renderer, model, Box::new(InProcess::default()), settings.batch);
        Ok(Local { identity, ..local })
    }

    fn batch(&mut self, wanted: &[Wanted<'_>], how: &Draw) -> Result<Vec<std::result::Result<Generated, String>>> {
        let prompt = |wanted: &Wanted<'_>| {
            let failed = |problem| Error::row(&wanted.problem.place, problem);
            self.renderer.prompt(&wanted.problem.prompt).map_err(failed)
        };
        let prompts = wanted.iter().map(prompt).collect::<Result<Vec<Vec<Token>>>>()?;
        let request = |(wanted, prompt)| {
            let (wanted, prompt): (&Wanted<'_>, &Vec<Token>) = (wanted, prompt);
            let (seed, sample) = (how.seed, wanted.sample as u64);
            Request { prompt, key: Key { seed, step: EVALUATION, prompt: number(&wanted.problem.id), sample } }
        };
        let requests: Vec<Request<'_>> = wanted.iter().zip(&prompts).map(request).collect();
        let sampling = self.sampling(how);
        let drawn = self.sampler.sample(&*self.model, &requests, &sampling).map_err(Error::model("sampler"))?;
        if drawn.len() != requests.len() {
            let problem = format!("{} completions for {} requests", drawn.len(), requests.len());
            return Err(Error::part("sampler", problem));
        }
        let vocabulary = self.renderer.vocabulary();
        let checked = |completion: Completion| completion.check(&sampling, vocabulary).map(|()| completion);
        let outcome = |outcome: std::result::Result<Completion, _>| match outcome.and_then(checked) {
            Ok(completion) => self.generated(completion).map(Ok),
            Err(failure) => Ok(Err(failure.to_string())),
        };
        drawn.into_iter().map(outcome).collect()
    }

    fn sampling(&self, how: &Draw) -> Sampling {
        let Draw { temperature, top_p, top_k, max_tokens, .. } = *how;
        let (stop, vocabulary) = (self.renderer.stop(), Some(self.renderer.vocabulary()));
        Sampling { temperature, top_p, top_k, vocabulary, stop, max_tokens }
    }

    fn generated(&self, completion: Completion) -> Result<Generated> {
        let Completion { tokens: ids, sampled_logp: logps, ending, .. } = completion;
        let (text, tokens) = (self.renderer.text(&ids)?, Some(ids.len()));
        Ok(Generated { text, reasoning: None, tokens, drawn: Some(Drawn { ids, logps }), ending })
    }
}

impl Generator for Local {
    fn identity(&self) -> Value {
        self.identity.clone()
    }

    fn name(&self) -> String {
        self.name.clone()
    }

    fn draw(&mut self, wanted: &[Wanted<'_>], how: &Draw, arrived: &mut Receiver<'_>) -> Result<()> {
        self.sampler.moved(&*self.model, 0).map_err(Error::model("sampler"))?;
        for (number, batch) in wanted.chunks(self.batch).enumerate() {
            let first = number * self.batch;
            let outcomes = self.batch(batch, how)?;
            let arrive = |(place, outcome)| Arrived { index: first + place, outcome };
            arrived(outcomes.into_iter().enumerate().map(arrive).collect())?;
        }
        Ok(())
    }
}

/// A problem's id as a number: completions are keyed by it, so that none depends on the place of its problem in the file.
pub(super) fn number(id: &str) -> u64 {
    u64::from_str_radix(id, 16).unwrap_or_default()
}
