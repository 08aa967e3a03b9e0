//! Supervised fine-tuning (`oreal sft`): a model imitates the answers of examples.
//!
//! Minimises the mean negative log-probability of the answers' tokens over the examples of a step. Examples lie end to end, without
//! padding; a step takes as many as its number of tokens holds, in an order of its own for each epoch.

mod examples;
pub(crate) mod running;
mod settings;

use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use oreal_algos::{Column, Experience, Layout, Objective, Role, minimise};
use oreal_models::{Schedule, Sequence};
use serde::{Deserialize, Serialize};

use crate::config::Settings;
use crate::epoch;
use crate::error::Result;
use crate::model;
use crate::record::Line;
use crate::renderer::{self, Renderer};
use crate::roles::Roles;
use crate::stop::Stop;
use crate::streams::Purpose;
use crate::update::{Update, lengths};
use examples::{Example, Read};

pub use settings::{Checkpoints, Examples, Pace, SftSettings};

/// Everything that fine-tuning needs.
pub struct FineTuning {
    settings: SftSettings,
    renderer: Arc<dyn Renderer>,
    roles: Roles,
    read: Read,
    /// The examples of each step, as positions of the run.
    steps: Vec<Range<usize>>,
    objective: Box<dyn Objective>,
    stop: Stop,
}

/// What is told of fine-tuning on its way.
#[derive(Clone, Copy, Debug)]
pub enum SftProgress<'a> {
    /// It goes on after so many steps; `notes` say what was damaged or missing.
    Resumed {
        /// The step that comes next.
        step: usize,
        /// What a user should know.
        notes: &'a [String],
    },
    /// A step was made.
    Step(&'a SftStep),
}

/// A line of `metrics.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SftStep {
    /// Counted from 0.
    pub step: usize,
    /// Mean negative log-probability of the answers' tokens before the step, nats.
    pub loss: f64,
    /// Examples of the step.
    pub examples: usize,
    /// Tokens of the step, prompts included.
    pub tokens: usize,
    /// Norm of the gradient before clipping.
    pub gradient_norm: f64,
    /// Learning rate.
    pub rate: f64,
    /// Loss on the held-out examples after the step, where it has a checkpoint and the best one is kept.
    pub held_out: Option<f64>,
    /// Wall time.
    pub seconds: f64,
}

impl Line for SftStep {
    fn step(&self) -> usize {
        self.step
    }
}

/// What fine-tuning came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SftReport {
    /// Examples to learn from.
    pub examples: usize,
    /// Their tokens, prompts included.
    pub tokens: usize,
    /// Examples whose loss is measured.
    pub held_out: usize,
    /// Examples longer than `sft.longest`, which were left out.
    pub too_long: usize,
    /// Rollouts that were not right, repeated, or beyond the most of their problem.
    pub unused: usize,
    /// Steps.
    pub steps: usize,
    /// Loss on the held-out examples before the first step.
    pub before: Option<f64>,
    /// Loss on the held-out examples after the last step.
    pub after: Option<f64>,
    /// Wall time.
    pub seconds: f64,
}

impl FineTuning {
    /// Reads examples and model.
    ///
    /// # Errors
    /// Settings, files and checkpoints that cannot be used, before any work.
    pub fn new(settings: SftSettings) -> Result<FineTuning> {
        settings.validate()?;
        let renderer = renderer::of(&settings.model, &settings.text, None)?;
        model::check(&how(&settings), renderer.vocabulary())?;
        let read = examples::read(&settings, &*renderer)?;
        let steps = steps(&settings, &read.train);
        let roles = roles(&settings, &*renderer)?;
        let objective = minimise(|x| -x.logp().mean::<oreal_algos::Batch>());
        Ok(FineTuning { settings, renderer, roles, read, steps, objective, stop: Stop::default() })
    }

    /// Stops after the step that it is at, once `stop` is asked: the step is saved, and the error is
    /// [`Error::Stopped`](crate::Error::Stopped).
    pub fn stopped_by(self, stop: Stop) -> FineTuning {
        FineTuning { stop, ..self }
    }

    /// Number of steps.
    pub fn steps(&self) -> usize {
        self.steps.len()
    }

    fn step(&mut self, step: usize) -> Result<SftStep> {
        let clock = Instant::now();
        let Pace { rate, warmup, floor, micro_tokens, .. } = self.settings.sft;
        let total = self.steps.len() as u64;
        let rate = Schedule { peak: rate, warmup, total, floor }.rate(step as u64);
        let place = order(self.settings.seed, self.read.train.len());
        let chosen = |position| &self.read.train[place(position)];
        let examples: Vec<&Example> = self.steps[step].clone().map(chosen).collect();
        let (batch, sequences) = batch(&examples, step)?;
        let update = Update::new(&*self.objective, &[], usize::MAX).at_most(micro_tokens);
        let updated = update.accumulate(&mut self.roles, &|_| true, &batch, &sequences)?;
        let norms = self.roles.step(&[(Role::POLICY, rate)])?;
        Ok(SftStep {
            step,
            loss: updated.loss.value,
            examples: examples.len(),
            tokens: examples.iter().map(|example| example.len()).sum(),
            gradient_norm: norms.into_iter().flatten().sum(),
            rate,
            held_out: None,
            seconds: clock.elapsed().as_secs_f64(),
        })
    }

    /// Mean negative log-probability of the held-out answers' tokens; `None` without any.
    fn held_out_loss(&self) -> Result<Option<f64>> {
        let (mut sum, mut count) = (0.0, 0);
        let held_out: Vec<&Example> = self.read.held_out.iter().collect();
        for part in held_out.chunks(READ_AT_ONCE) {
            let (_, sequences) = batch(part, 0)?;
            let read = self.roles.read(Role::POLICY, &[Column::LOGP], &sequences)?;
            let logps = read.values().flatten();
            (sum, count) = logps.fold((sum, count), |(sum, count), logp| (sum - logp, count + 1));
        }
        Ok((count > 0).then(|| sum / f64::from(count)))
    }
}

/// The settings that a model is made with.
fn how(settings: &SftSettings) -> Settings {
    Settings {
        seed: settings.seed,
        device: settings.device,
        model: settings.model.clone(),
        text: settings.text.clone(),
        optimiser: settings.optimiser,
        ..Settings::default()
    }
}

/// The policy before the first step.
fn roles(settings: &SftSettings, renderer: &dyn Renderer) -> Result<Roles> {
    let policy = model::policy(&how(settings), renderer.vocabulary())?;
    Ok(Roles::of([(Role::POLICY, policy)].into(), 1.0))
}

/// Held-out examples that are read at once.
const READ_AT_ONCE: usize = 16;

/// Which of so many examples comes at a position of the run.
fn order(seed: u64, examples: usize) -> impl Fn(usize) -> usize {
    let seed = Purpose::Examples.seed(seed);
    move |position| epoch::index(seed, examples as u64, position as u64) as usize
}

/// The examples of each step: as many as its tokens hold, at least one.
fn steps(settings: &SftSettings, examples: &[Example]) -> Vec<Range<usize>> {
    let Pace { epochs, most_steps, tokens, .. } = settings.sft;
    let (mut steps, mut first, mut held) = (Vec::new(), 0, 0);
    let (place, total) = (order(settings.seed, examples.len()), examples.len() * epochs);
    for position in 0..total {
        let length = examples[place(position)].len();
        if held + length > tokens && position > first {
            steps.push(first..position);
            (first, held) = (position, 0);
        }
        held += length;
    }
    steps.push(first..total);
    if most_steps > 0 {
        steps.truncate(most_steps);
    }
    steps
}

fn batch<'a>(examples: &[&'a Example], step: usize) -> Result<(Experience, Vec<Sequence<'a>>)> {
    let sequence = |example: &&'a Example| Sequence { prompt: &example.prompt, completion: &example.answer };
    let sequences: Vec<Sequence<'a>> = examples.iter().map(sequence).collect();
    Ok((Experience::new(Layout::new(&[lengths(&sequences)])?).at_step(step as u64), sequences))
}
