//! What a run needs of memory, from its sizes, before anything is allocated.
//!
//! Weights and moments stay for the whole run. Rollouts add caches of keys and values; an update adds gradients and activations; a
//! checkpoint adds copies of one role's weights and moments. The fullest moment is what must fit.

mod size;

use std::collections::BTreeSet;
use std::fs;

use oreal_algos::{Column, Role};
use oreal_models::{Device, Engine, Head, TransformerConfig};
use oreal_toy_envs::{Env, Split};
use serde::Serialize;

use crate::config::{Settings, Weights};
use crate::error::{Error, Result};
use crate::model;
use crate::renderer::Renderer;
use crate::roles::head;
use crate::streams::{Purpose, stream};
pub use size::{bytes_of, count, size};

/// What a run takes of memory, and what there is.
#[derive(Clone, Debug, Serialize)]
pub struct Plan {
    /// Where the models are.
    pub device: Device,
    /// Empty for tables, whose size depends on what is drawn.
    pub roles: Vec<RolePlan>,
    /// What the stages of a run take besides, each at its own time.
    pub stages: Vec<Stage>,
    /// Bytes that are free; `None` where that is not known, as on a GPU.
    pub available: Option<f64>,
    /// The setting to lower where the weights are too large.
    model: &'static str,
}

/// Bytes that a role takes for the whole run.
#[derive(Clone, Debug, Serialize)]
pub struct RolePlan {
    /// Which role.
    pub role: String,
    /// Number of weights.
    pub parameters: f64,
    /// Of the weights.
    pub weights: f64,
    /// Of the two moments, where it learns.
    pub moments: f64,
    /// Of the gradient during an update, where it learns.
    pub gradient: f64,
}

/// A stage of a run, with what it takes besides weights and moments.
#[derive(Clone, Debug, Serialize)]
pub struct Stage {
    /// `rollouts`, `update`, ..
    pub name: &'static str,
    /// What it takes, each with the setting to lower.
    pub items: Vec<Item>,
}

/// Bytes that one setting asks for.
#[derive(Clone, Debug, Serialize)]
pub struct Item {
    /// The setting to lower.
    pub key: &'static str,
    /// What they are of.
    pub what: String,
    /// How many.
    pub bytes: f64,
}

/// Bytes of a token of a trajectory: its id, its columns in f64, their cotangents, and copies on the way.
const TOKEN: f64 = 600.0;

/// Bytes of a completion besides its tokens.
const COMPLETION: f64 = 600.0;

/// The least a plan may take, so that no small run is refused on a machine that does not say what it has.
const ALWAYS: f64 = 64e6;

/// What is assumed where the system does not say how much memory there is.
const UNKNOWN: f64 = 1e12;

impl Plan {
    /// Of a run whose algorithm reads these columns. All arithmetic is in floating point, so that no size overflows.
    ///
    /// # Errors
    /// A prompt that cannot be rendered, a checkpoint whose sizes cannot be read.
    pub fn new(settings: &Settings, env: &dyn Env, renderer: &dyn Renderer, reads: &BTreeSet<Column>) -> Result<Plan> {
        let problem = env.problem(Split::Train, 0, &mut stream(settings.seed, Purpose::Problems, 0));
        let prompt = renderer.prompt(&problem.prompt)?.len() as f64;
        let lengths = Lengths { prompt, completion: env.max_tokens() as f64 };
        let sizes = model::sizes(settings, renderer.vocabulary())?;
        let roles = sizes.as_ref().map_or_else(Vec::new, |sizes| roles(sizes, settings, reads));
        let stages = vec![
            Stage { name: "warm-up", items: warm_up(settings, sizes.as_ref(), lengths) },
            Stage { name: "rollouts", items: rollouts(settings, sizes.as_ref(), lengths) },
            Stage { name: "update", items: update(settings, sizes.as_ref(), lengths, &roles) },
            Stage { name: "drawing ahead", items: ahead(settings, sizes.as_ref(), lengths, &roles) },
            Stage { name: "evaluation", items: evaluation(settings, sizes.as_ref(), lengths) },
            Stage { name: "checkpoint", items: saved(&roles) },
            Stage { name: "going on", items: read_back(&roles).into_iter().collect() },
        ];
        let available = if settings.device == Device::Cpu { available() } else { None };
        let model = sizes.as_ref().map_or("model", |sizes| model_key(settings, sizes));
        Ok(Plan { device: settings.device, roles, stages, available, model })
    }

    /// Bytes of weights and moments.
    pub fn resident(&self) -> f64 {
        self.roles.iter().map(|role| role.weights + role.moments).sum()
    }

    /// The stage that takes most.
    pub fn fullest(&self) -> Option<&Stage> {
        self.stages.iter().max_by(|a, b| a.bytes().total_cmp(&b.bytes()))
    }

    /// Bytes at the fullest moment.
    pub fn total(&self) -> f64 {
        self.resident() + self.fullest().map_or(0.0, Stage::bytes)
    }

    /// Bytes that may be taken.
    fn limit(&self) -> f64 {
        self.available.unwrap_or(UNKNOWN).max(ALWAYS)
    }

    /// Whether it fits.
    pub fn fits(&self) -> bool {
        self.total() <= self.limit()
    }

    /// Refuses what does not fit on the CPU, by the key of the part that takes most. What a GPU has is seen when it is used.
    ///
    /// # Errors
    /// [`Error::Setting`] with the setting to lower.
    pub fn check(&self) -> Result<()> {
        if self.device != Device::Cpu || self.fits() {
            return Ok(());
        }
        let (resident, limit) = (self.resident(), self.limit());
        let largest = self.fullest().and_then(|stage| stage.items.iter().max_by(|a, b| a.bytes.total_cmp(&b.bytes)));
        let (key, what, bytes) = match largest {
            Some(item) if item.bytes > resident => (item.key, item.what.clone(), item.bytes),
            _ => (self.model, format!("weights and moments of {} roles", self.roles.len()), resident),
        };
        let problem = format!(
            "{what} need about {} of memory and the whole run {}, where {} are available: lower it, and see `oreal plan`",
            size(bytes),
            size(self.total()),
            size(limit)
        );
        Err(Error::setting(key, problem))
    }
}

impl Stage {
    /// Bytes of all its items.
    pub fn bytes(&self) -> f64 {
        self.items.iter().map(|item| item.bytes).sum()
    }
}

/// Tokens of the first prompt, and of the longest completion.
#[derive(Clone, Copy, Debug)]
struct Lengths {
    prompt: f64,
    completion: f64,
}

impl Lengths {
    fn both(self) -> f64 {
        self.prompt + self.completion
    }
}

/// The setting that the number of weights follows from most.
fn model_key(settings: &Settings, sizes: &TransformerConfig) -> &'static str {
    match settings.model.checkpoint() {
        Some(_) => "model.path",
        None if sizes.num_hidden_layers > sizes.hidden_size => "model.num_hidden_layers",
        None => "model.hidden_size",
    }
}

/// Bytes of a forward and backward pass over so many trajectories.
fn pass(settings: &Settings, sizes: &TransformerConfig, trajectories: f64, lengths: Lengths) -> f64 {
    match is_fused(settings) {
        true => sizes.pass_bytes(trajectories * lengths.both(), trajectories * lengths.completion),
        // Sizes beyond any machine end as such; the count is bounded by the settings' own.
        false => sizes.recomputed_pass_bytes((trajectories.ceil() as usize).min(1 << 20), lengths.both() as usize),
    }
}

/// Whether the CPU's own kernels compute, not dfdx's operations.
fn is_fused(settings: &Settings) -> bool {
    settings.model.engine().unwrap_or_else(|| Engine::best_on(settings.device)) == Engine::Fused
}

/// Every role that the columns ask for.
fn roles(sizes: &TransformerConfig, settings: &Settings, reads: &BTreeSet<Column>) -> Vec<RolePlan> {
    let roles: BTreeSet<Role> = reads.iter().filter_map(|column| column.role()).chain([Role::POLICY]).collect();
    let learning = reads.iter().filter(|column| column.is_signal()).filter_map(|column| column.role());
    let learning: BTreeSet<Role> = learning.chain([Role::POLICY]).collect();
    let plan = |role: Role| {
        let parameters = sizes.parameter_count(head(role)).map_or(f64::INFINITY, |count| count as f64);
        let learns = f64::from(learning.contains(&role));
        RolePlan {
            role: role.name().to_owned(),
            parameters,
            weights: parameters * bytes_of_weight(settings, role, learning.contains(&role)),
            moments: 8.0 * parameters * learns,
            gradient: 4.0 * parameters * learns,
        }
    };
    roles.into_iter().map(plan).collect()
}

/// Bytes of a weight of a role in memory: 2 where it stays in the bf16 of a checkpoint's files, which is assumed of a role that
/// does not learn; else 4.
fn bytes_of_weight(settings: &Settings, role: Role, learns: bool) -> f64 {
    let start = settings.roles.get(role.name()).map_or(&Weights::Policy, |role| &role.start);
    let in_files = match start {
        Weights::Policy => settings.model.checkpoint().is_some() && settings.warm_up.steps == 0,
        Weights::Checkpoint(_) => true,
        Weights::Fresh => false,
    };
    if in_files && !learns && settings.device == Device::Cpu { 2.0 } else { 4.0 }
}

fn warm_up(settings: &Settings, sizes: Option<&TransformerConfig>, lengths: Lengths) -> Vec<Item> {
    if settings.warm_up.steps == 0 {
        return Vec::new();
    }
    let batch = settings.warm_up.batch as f64;
    let mut items = vec![Item {
        key: "warm_up.batch",
        what: format!("{} demonstrations a step", count(batch)),
        bytes: batch * (COMPLETION + TOKEN * lengths.completion),
    }];
    items.extend(sizes.map(|sizes| Item {
        key: "warm_up.batch",
        what: format!("activations of {} demonstrations in one pass", count(batch)),
        bytes: pass(settings, sizes, batch, lengths),
    }));
    items
}

fn rollouts(settings: &Settings, sizes: Option<&TransformerConfig>, lengths: Lengths) -> Vec<Item> {
    let rollouts = settings.train.prompts as f64 * settings.train.rollouts as f64;
    let key = if settings.train.rollouts > settings.train.prompts { "train.rollouts" } else { "train.prompts" };
    let what = format!("{} rollouts of up to {} tokens a step", count(rollouts), count(lengths.completion));
    let kept = Item { key, what, bytes: kept(settings, lengths) };
    [kept].into_iter().chain(sizes.into_iter().flat_map(|sizes| drawing(settings, sizes, rollouts, lengths))).collect()
}

fn evaluation(settings: &Settings, sizes: Option<&TransformerConfig>, lengths: Lengths) -> Vec<Item> {
    let completions = settings.evaluation.completions as f64;
    let kept = Item {
        key: "evaluation.completions",
        what: format!("{} completions of an evaluation", count(completions)),
        bytes: completions * (COMPLETION + TOKEN * lengths.completion),
    };
    [kept]
        .into_iter()
        .chain(sizes.into_iter().flat_map(|sizes| drawing(settings, sizes, completions, lengths)))
        .collect()
}

/// What drawing takes: keys and values, and on the CPU the weights once more, in the order that the kernel reads them in.
fn drawing(settings: &Settings, sizes: &TransformerConfig, completions: f64, lengths: Lengths) -> Vec<Item> {
    let parameters = sizes.parameter_count(Head::Vocabulary).map_or(f64::INFINITY, |count| count as f64);
    let tokens = lengths.both() as usize;
    let at_once = completions.min(sizes.drawn_at_once(tokens).unwrap_or(1) as f64);
    let what = "the policy's weights in the order they are read in".into();
    let copy = is_fused(settings).then_some(Item { key: "model", what, bytes: 4.0 * parameters });
    let caches = Item {
        key: "env.max_tokens",
        what: format!("keys and values of {} completions of up to {} tokens", count(at_once), count(lengths.both())),
        bytes: at_once * sizes.cache_bytes(tokens) as f64,
    };
    copy.into_iter().chain([caches]).collect()
}

fn update(settings: &Settings, sizes: Option<&TransformerConfig>, lengths: Lengths, roles: &[RolePlan]) -> Vec<Item> {
    let Some(sizes) = sizes else { return Vec::new() };
    let rollouts = settings.train.prompts as f64 * settings.train.rollouts as f64;
    let at_once = (settings.train.micro_batch as f64).min(rollouts) * lengths.both();
    let tokens = at_once.min((settings.train.micro_tokens as f64).max(lengths.both()));
    let learning = roles.iter().filter(|role| role.gradient > 0.0).count() as f64;
    let gradient: f64 = roles.iter().map(|role| role.gradient).sum();
    // A further pass has a gradient of its own before it is added.
    let parts = f64::from(rollouts * lengths.both() > tokens);
    let largest = roles.iter().map(|role| role.gradient).fold(0.0, f64::max);
    let key = if tokens < at_once { "train.micro_tokens" } else { "train.micro_batch" };
    vec![
        Item { key: "model", what: format!("gradients of {learning} roles"), bytes: gradient + parts * largest },
        Item {
            key,
            what: format!("activations of {} tokens in one pass of {learning} roles", count(tokens)),
            bytes: learning * pass(settings, sizes, tokens / lengths.both(), lengths),
        },
    ]
}

/// What drawing while an update goes on takes: both at once, and for each step ahead a copy of the policy and the step's rollouts.
fn ahead(settings: &Settings, sizes: Option<&TransformerConfig>, lengths: Lengths, roles: &[RolePlan]) -> Vec<Item> {
    let steps = settings.train.steps_ahead.min(settings.train.steps) as f64;
    if steps == 0.0 {
        return Vec::new();
    }
    let policy = roles.iter().find(|role| role.role == Role::POLICY.name());
    let copies = policy.map(|policy| Item {
        key: "train.steps_ahead",
        what: format!("{} copies of the policy's weights", count(steps)),
        bytes: steps * 4.0 * policy.parameters,
    });
    let (drawn, kept) = (rollouts(settings, sizes, lengths), steps * kept(settings, lengths));
    let what = format!("rollouts of {} steps more", count(steps));
    let kept = Item { key: "train.steps_ahead", what, bytes: kept };
    let update = update(settings, sizes, lengths, roles);
    copies.into_iter().chain([kept]).chain(drawn).chain(update).collect()
}

/// Bytes of a step's rollouts.
fn kept(settings: &Settings, lengths: Lengths) -> f64 {
    let rollouts = settings.train.prompts as f64 * settings.train.rollouts as f64;
    rollouts * (COMPLETION + TOKEN * lengths.completion)
}

/// The role whose state is the largest. What is mapped from a checkpoint's files has none.
fn largest(roles: &[RolePlan]) -> Option<&RolePlan> {
    let own = roles.iter().filter(|role| role.weights >= 4.0 * role.parameters);
    own.max_by(|a, b| (a.weights + a.moments).total_cmp(&(b.weights + b.moments)))
}

/// What writing a checkpoint takes: a copy of one role at a time, beside the buffers of the gradients, which are kept.
fn saved(roles: &[RolePlan]) -> Vec<Item> {
    let Some(role) = largest(roles) else { return Vec::new() };
    let what = format!("weights and moments of the {} once more, as they are written", role.role);
    let gradients = "gradients, whose memory the next update takes again".to_owned();
    vec![
        Item { key: "model", what, bytes: role.weights + role.moments },
        Item { key: "model", what: gradients, bytes: roles.iter().map(|role| role.gradient).sum() },
    ]
}

/// What reading one takes: the file and its tensors, then the tensors and the new weights and moments, before the old weights go. The
/// role has no moments until then.
fn read_back(roles: &[RolePlan]) -> Option<Item> {
    let role = largest(roles)?;
    let what = format!("weights and moments of the {} twice more, as they are read", role.role);
    Some(Item { key: "model", what, bytes: 2.0 * role.weights + role.moments })
}

/// Bytes that can still be taken: what Linux says is available, and no more than the control group's limit.
fn available() -> Option<f64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kibibytes: f64 = line.trim().trim_end_matches(" kB").parse().ok()?;
    let group = fs::read_to_string("/sys/fs/cgroup/memory.max").ok().and_then(|text| text.trim().parse().ok());
    Some((1024.0 * kibibytes).min(group.unwrap_or(f64::INFINITY)))
}

#[cfg(test)]
mod tests;
