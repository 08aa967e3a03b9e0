//! The thread that computes: one call after another.

mod losses;
mod saved;

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use oreal_models::{Clip, Completion, Decayed, Error, Head, Model, Optimiser, Request, Sequence, Signal, Token, Want};
use serde_json::json;

use super::job::{Draw, From, Job, Saves, Task, Weights};
use super::results::{Answer, Fault};
use super::state::Shared;
use crate::tinker::wire::Adam;
use losses::losses;
use saved::{Found, Saved};

/// Models and what was saved of them.
pub(super) struct Worker {
    shared: Arc<Shared>,
    base: Box<dyn Model>,
    /// In place of the base, where it was replaced, and the version.
    served: Option<(Box<dyn Model>, u64)>,
    models: HashMap<String, Box<dyn Model>>,
    saved: Saved,
}

/// A sentence, and whose fault it is.
type Done<T> = Result<T, (String, Fault)>;

impl Worker {
    pub(super) fn new(shared: Arc<Shared>, base: Box<dyn Model>) -> Worker {
        let saved = Saved::new(shared.settings.kept, shared.settings.kept_bytes);
        Worker { shared, base, served: None, models: HashMap::new(), saved }
    }

    /// Works until the queue is closed.
    pub(super) fn run(mut self) {
        while let Some(tasks) = self.shared.queue.take() {
            let names: Vec<String> = tasks.iter().map(|task| task.result.clone()).collect();
            let done = catch_unwind(AssertUnwindSafe(|| self.does(tasks)));
            let answers = done.unwrap_or_else(|_| names.iter().map(|_| broken()).collect());
            self.shared.answer(names.iter().zip(answers));
        }
    }

    /// One task, or several that draw in the same way.
    fn does(&mut self, mut tasks: Vec<Task>) -> Vec<Answer> {
        if matches!(tasks[0].job, Job::Draw(_)) {
            let draws: Vec<Draw> = tasks.into_iter().filter_map(|task| draw_of(task.job)).collect();
            return self.draws(&draws);
        }
        let done = tasks.pop().map(|task| self.job(task.job));
        done.into_iter().map(|done| done.unwrap_or_else(|(sentence, fault)| Answer::failed(sentence, fault))).collect()
    }

    fn job(&mut self, job: Job) -> Done<Answer> {
        match job {
            Job::Create { model, from } => self.create(model, from.as_ref()),
            Job::Unload { model } => {
                self.models.remove(&model);
                Ok(Answer::Plain(json!({ "model_id": model, "type": "unload_model" })))
            }
            Job::Losses { model, batch, gradient } => {
                let most = self.shared.settings.call_tokens;
                losses(self.model(&model)?, &batch, gradient, most)
            }
            Job::Step { model, adam } => step(self.model(&model)?, &adam),
            Job::Save { model, path, what, answer } => {
                let saved = self.save(&model, path.clone(), what);
                saved.inspect_err(|_| self.shared.forget_saved(&[path])).map(|()| Answer::Plain(answer))
            }
            Job::Load { model, from } => {
                let loaded = self.loaded(&from)?;
                let path = from.path;
                let answer = json!({ "path": path, "model_id": model, "type": "load_weights" });
                *self.model(&model)? = loaded;
                Ok(Answer::Plain(answer))
            }
            Job::Draw(draw) => self.draws(&[draw]).pop().ok_or_else(|| ("nothing was drawn".to_owned(), Fault::Server)),
            Job::Replace { folder, version, answer } => {
                let make = self.shared.base.from_folder.clone();
                let make = make.ok_or_else(|| user("this server reads no other weights"))?;
                let model = make(&folder).map_err(|problem| user(problem.to_string()))?;
                self.served = Some((model, self.shared.replaced(version)));
                Ok(Answer::Plain(answer))
            }
        }
    }

    fn model(&mut self, name: &str) -> Done<&mut Box<dyn Model>> {
        self.models.get_mut(name).ok_or_else(|| {
            user(format!("model {name} is not there any more: it was unloaded, or it could not be made"))
        })
    }

    fn create(&mut self, model: String, from: Option<&From>) -> Done<Answer> {
        let made = match from {
            None => self.base.fork(Head::Vocabulary, &unset()).map_err(failed)?,
            Some(from) => self.loaded(from)?,
        };
        let answer = match from {
            None => json!({ "model_id": model, "type": "create_model" }),
            Some(From { path, .. }) => json!({ "model_id": model, "path": path, "type": "load_weights" }),
        };
        self.models.insert(model, made);
        Ok(Answer::Plain(answer))
    }

    /// A model like the one that was saved.
    fn loaded(&self, from: &From) -> Done<Box<dyn Model>> {
        match self.saved.find(&from.path) {
            Some(Found::State(state)) => {
                let mut model = self.base.fork(Head::Vocabulary, &unset()).map_err(failed)?;
                model.restore(state).map_err(failed)?;
                match from.moments {
                    true => Ok(model),
                    false => model.fork(Head::Vocabulary, &unset()).map_err(failed),
                }
            }
            Some(Found::Weights(_)) if from.moments => {
                Err(user(format!("{} has weights to draw with, without the optimiser's moments", from.path)))
            }
            Some(Found::Weights(model)) => model.fork(Head::Vocabulary, &unset()).map_err(failed),
            None => Err(not_kept(&from.path)),
        }
    }

    fn save(&mut self, model: &str, path: String, what: Saves) -> Done<()> {
        let model = self.models.get(model).ok_or_else(|| user(format!("model {model} is not there any more")))?;
        let dropped = match what {
            Saves::Everything => self.saved.keep_state(path, model.state().map_err(failed)?),
            Saves::WeightsToDraw => {
                let copy = model.fork(Head::Vocabulary, &unset()).map_err(failed)?;
                self.saved.keep_weights(path, copy)
            }
        };
        self.shared.forget_saved(&dropped);
        Ok(())
    }

    /// What is drawn from, and its version.
    fn weights(&self, weights: &Weights) -> Done<(&dyn Model, u64)> {
        match (weights, &self.served) {
            (Weights::Served, Some((model, version))) => Ok((&**model, *version)),
            (Weights::Base | Weights::Served, _) => Ok((&*self.base, 0)),
            (Weights::Saved(path), _) => match self.saved.find(path) {
                Some(Found::Weights(model)) => Ok((model, 0)),
                Some(Found::State(_)) => Err(user(format!("{path} is to train with, not to draw with"))),
                None => Err(not_kept(path)),
            },
        }
    }

    /// All draw from the same weights in the same way.
    fn draws(&self, draws: &[Draw]) -> Vec<Answer> {
        match self.drawn(draws) {
            Ok(answers) => answers,
            Err((sentence, fault)) => draws.iter().map(|_| Answer::failed(&sentence, fault)).collect(),
        }
    }

    fn drawn(&self, draws: &[Draw]) -> Done<Vec<Answer>> {
        let Some(Draw { weights, how, .. }) = draws.first() else { return Ok(Vec::new()) };
        let (model, version) = self.weights(weights)?;
        let request = |draw| requests(draw).collect::<Vec<Request<'_>>>();
        let all: Vec<Request<'_>> = draws.iter().flat_map(request).collect();
        let mut completions = model.draw(&all, how).map_err(failed)?.into_iter();
        let answer = |draw: &Draw| {
            let of_version = |completion| Completion { version, ..completion };
            let completions: Vec<Completion> = completions.by_ref().take(draw.keys.len()).map(of_version).collect();
            let prompt = if draw.prompt_logps { Some(prompt_logps(model, &draw.prompt)?) } else { None };
            Ok(Answer::Sampled { completions, prompt })
        };
        draws.iter().map(answer).collect()
    }
}

fn requests(draw: &Draw) -> impl Iterator<Item = Request<'_>> {
    draw.keys.iter().map(|&key| Request { prompt: &draw.prompt, key })
}

fn draw_of(job: Job) -> Option<Draw> {
    match job {
        Job::Draw(draw) => Some(draw),
        _ => None,
    }
}

/// Log-probabilities of the tokens of a prompt, of which the first has none.
fn prompt_logps(model: &dyn Model, prompt: &[Token]) -> Done<Vec<Option<f64>>> {
    let (first, rest) = prompt.split_at(1);
    let mut logps = vec![None];
    if !rest.is_empty() {
        let read = model.read(&[Sequence { prompt: first, completion: rest }], &wanted()).map_err(failed)?;
        logps.extend(read.0.into_values().flatten().map(Some));
    }
    Ok(logps)
}

fn step(model: &mut Box<dyn Model>, adam: &Adam) -> Done<Answer> {
    let stepped = model.set_optimiser(&optimiser(adam)).and_then(|()| {
        let norm = model.gradient_norm()?;
        model.step(adam.learning_rate, norm)?;
        Ok(norm)
    });
    match stepped {
        Ok(norm) => {
            let metrics = norm.map_or(json!({}), |norm| json!({ "grad_norm:last": norm }));
            Ok(Answer::Plain(json!({ "metrics": metrics, "type": "optim_step" })))
        }
        Err(problem) => {
            model.discard();
            Err((format!("{problem}; no step was made, and the gradient is discarded"), Fault::User))
        }
    }
}

/// PyTorch's `AdamW`, which decays every parameter.
pub(super) fn optimiser(adam: &Adam) -> Optimiser {
    Optimiser::AdamW {
        beta1: adam.beta1,
        beta2: adam.beta2,
        epsilon: adam.eps,
        weight_decay: adam.weight_decay,
        decay: Decayed::All,
        clip: if adam.grad_clip_norm > 0.0 { Clip::Norm(adam.grad_clip_norm) } else { Clip::Off },
        clip_epsilon: 0.0,
    }
}

/// Of a model before its first step, which brings its own.
fn unset() -> Optimiser {
    Optimiser::default()
}

fn wanted() -> Want {
    Want { signals: vec![Signal::Logp], temperature: 1.0 }
}

fn user(sentence: impl Into<String>) -> (String, Fault) {
    (sentence.into(), Fault::User)
}

fn not_kept(path: &str) -> (String, Fault) {
    user(format!("nothing is kept at {path}: it could not be saved, or newer ones took its place"))
}

/// Inputs were checked when they came, so that most other errors are the machine's.
fn failed(problem: Error) -> (String, Fault) {
    (problem.to_string(), Fault::Server)
}

fn broken() -> Answer {
    Answer::failed("the server came upon a defect in itself while it did this", Fault::Server)
}
