//! What a run needs of memory, from its sizes, before anything is allocated.

use std::collections::BTreeSet;
use std::fs;

use oreal_algos::{Column, Role};
use oreal_models::{Device, Head, TransformerConfig};
use oreal_toy_envs::{Env, Split};

use crate::config::{Architecture, Settings};
use crate::error::{Error, Result};
use crate::policy;
use crate::renderer::Renderer;
use crate::streams::{Purpose, stream};

/// What a run takes of the host's memory, and what there is.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Models first: what they need depends on nothing else.
    items: Vec<Item>,
    /// Bytes; `None` where the system does not say.
    available: Option<f64>,
}

/// Bytes that one setting asks for.
#[derive(Clone, Debug)]
struct Item {
    /// The setting to lower.
    key: &'static str,
    what: String,
    bytes: f64,
}

/// Bytes of a token of a trajectory: its id, its columns in f64, their cotangents, and copies on the way.
const TOKEN: f64 = 600.0;

/// Bytes of a completion besides its tokens.
const COMPLETION: f64 = 600.0;

/// The least a plan may take, so that no small run is refused on a machine that does not say what it has.
const ALWAYS: f64 = 64e6;

impl Plan {
    /// Of a run whose algorithm reads these columns. All arithmetic is in floating point, so that no size
    /// overflows.
    pub(crate) fn new(
        settings: &Settings,
        env: &dyn Env,
        renderer: &dyn Renderer,
        reads: &BTreeSet<Column>,
    ) -> Result<Plan> {
        let problem = env.problem(Split::Train, 0, &mut stream(settings.seed, Purpose::Problems, 0));
        let prompt = renderer.prompt(&problem.prompt)?.len() as f64;
        let completion = env.max_tokens() as f64;
        let rollouts = settings.train.prompts as f64 * settings.train.rollouts as f64;
        let drawn = |count: f64| count * (COMPLETION + TOKEN * completion);
        let host = settings.device == Device::Cpu;
        let mut items = Vec::new();
        if let Some(sizes) = policy::sizes(settings, renderer.vocabulary()).filter(|_| host) {
            items.push(weights(&sizes, reads));
            let tokens = prompt + completion;
            let differentiated = (settings.train.micro_batch as f64).min(rollouts);
            items.push(Item {
                key: "train.micro_batch",
                what: format!("activations of {differentiated:e} trajectories in one pass"),
                bytes: differentiated * tokens * activations(&settings.model, renderer.vocabulary()),
            });
            let batch = settings.warm_up.batch as f64 * f64::from(settings.warm_up.steps > 0);
            items.push(Item {
                key: "warm_up.batch",
                what: format!("activations of {batch:e} demonstrations in one pass"),
                bytes: batch * tokens * activations(&settings.model, renderer.vocabulary()),
            });
        }
        items.extend([
            Item {
                key: if settings.train.rollouts > settings.train.prompts { "train.rollouts" } else { "train.prompts" },
                what: format!("{rollouts:e} rollouts of up to {completion} tokens a step"),
                bytes: drawn(rollouts),
            },
            Item {
                key: "evaluation.completions",
                what: format!("{:e} completions of an evaluation", settings.evaluation.completions as f64),
                bytes: drawn(settings.evaluation.completions as f64),
            },
            Item {
                key: "warm_up.batch",
                what: format!("{:e} demonstrations a step", settings.warm_up.batch as f64),
                bytes: drawn(settings.warm_up.batch as f64),
            },
        ]);
        Ok(Plan { items, available: available() })
    }

    /// Refuses what does not fit, by the key of the first part that does not fit by itself, or of the largest.
    pub(crate) fn check(&self) -> Result<()> {
        let total: f64 = self.items.iter().map(|item| item.bytes).sum();
        let limit = self.available.unwrap_or(UNKNOWN).max(ALWAYS);
        let alone = self.items.iter().find(|item| item.bytes > limit);
        let largest = alone.or_else(|| self.items.iter().max_by(|a, b| a.bytes.total_cmp(&b.bytes)));
        let Some(largest) = largest else { return Ok(()) };
        if total <= limit {
            return Ok(());
        }
        let problem = format!(
            "{} need about {} of memory and the whole run {}, where {} are available: lower it",
            largest.what,
            size(largest.bytes),
            size(total),
            size(limit)
        );
        Err(Error::setting(largest.key, problem))
    }
}

/// What is assumed where the system does not say how much memory there is.
const UNKNOWN: f64 = 1e12;

/// Weights of every role, and gradient and two moments of those that learn, in f32.
fn weights(sizes: &TransformerConfig, reads: &BTreeSet<Column>) -> Item {
    let parameters = sizes.parameter_count(Head::Vocabulary).map_or(f64::INFINITY, |count| count as f64);
    let roles: BTreeSet<Role> = reads.iter().filter_map(|column| column.role()).chain([Role::POLICY]).collect();
    let learning = reads.iter().filter(|column| column.is_signal()).filter_map(|column| column.role());
    let learning: BTreeSet<Role> = learning.chain([Role::POLICY]).collect();
    let copies = (roles.len() + 3 * learning.len()) as f64;
    // The warmed-up policy stays beside the one that is trained.
    let bytes = 4.0 * parameters * (copies + 1.0);
    let key = if sizes.num_hidden_layers > sizes.hidden_size { "model.num_hidden_layers" } else { "model.hidden_size" };
    let what = format!("models of {parameters:e} parameters in {} roles", roles.len());
    Item { key, what, bytes }
}

/// Bytes of a token's activations and their derivatives.
fn activations(model: &Architecture, vocabulary: usize) -> f64 {
    let Architecture::Transformer { num_hidden_layers, hidden_size, intermediate_size, .. } = *model else {
        return 0.0;
    };
    let [layers, hidden, inner] = [num_hidden_layers, hidden_size, intermediate_size].map(|size| size as f64);
    4.0 * (layers * (8.0 * hidden + 3.0 * inner) + 2.0 * vocabulary as f64)
}

/// Bytes that can still be taken: what Linux says is available, and no more than the control group's limit.
fn available() -> Option<f64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kibibytes: f64 = line.trim().trim_end_matches(" kB").parse().ok()?;
    let group = fs::read_to_string("/sys/fs/cgroup/memory.max").ok().and_then(|text| text.trim().parse().ok());
    Some((1024.0 * kibibytes).min(group.unwrap_or(f64::INFINITY)))
}

fn size(bytes: f64) -> String {
    let units = ["bytes", "KB", "MB", "GB", "TB", "PB", "EB"];
    let step = (0..units.len() - 1).find(|&step| bytes < 1000_f64.powi(step as i32 + 1)).unwrap_or(units.len() - 1);
    format!("{:.3} {}", bytes / 1000_f64.powi(step as i32), units[step])
}

#[cfg(test)]
mod tests {
    use oreal_algos::{Oreal, Rft};
    use oreal_toy_envs::Addition;

    use super::*;
    use crate::experiment::Experiment;
    use crate::run::reads;

    fn plan(experiment: &Experiment) -> Plan {
        let renderer = experiment.new_renderer().unwrap();
        let reads = reads(&*experiment.effective());
        Plan::new(&experiment.settings, &*experiment.env, &*renderer, &reads).unwrap()
    }

    fn total(change: fn(&mut Settings)) -> f64 {
        let experiment = Experiment::new(Addition::default(), Oreal::default()).with(change);
        plan(&experiment).items.iter().map(|item| item.bytes).sum()
    }

    #[test]
    fn every_size_counts() {
        let least = total(|_| {});
        let changes: [fn(&mut Settings); 6] = [
            |s| s.train.prompts += 1,
            |s| s.train.rollouts += 1,
            |s| s.train.micro_batch += 1,
            |s| s.warm_up.batch += 1,
            |s| s.evaluation.completions += 1,
            |s| {
                if let Architecture::Transformer { num_hidden_layers, .. } = &mut s.model {
                    *num_hidden_layers += 1;
                }
            },
        ];
        for (i, change) in changes.into_iter().enumerate() {
            assert!(total(change) > least, "change {i}");
        }
        let rft = Experiment::new(Addition::default(), Rft::default());
        let of_models = |experiment: &Experiment| plan(experiment).items[0].bytes;
        let oreal = Experiment::new(Addition::default(), Oreal::default());
        // Policy, reward model, reference and the warmed-up policy against policy and warmed-up policy.
        assert!((of_models(&oreal) / of_models(&rft) - 10.0 / 5.0).abs() < 1e-12);
        let sizes = policy::sizes(&rft.settings, rft.new_renderer().unwrap().vocabulary()).unwrap();
        // Weights, gradient and two moments of the policy, and the weights of the warmed-up one, 4 bytes each.
        assert_eq!(of_models(&rft), 20.0 * sizes.parameter_count(Head::Vocabulary).unwrap() as f64);
    }

    #[test]
    fn what_does_not_fit_is_told_by_the_first_size_that_does_not() {
        let experiment = Experiment::new(Addition::default(), Rft::default());
        let mut plan = plan(&experiment);
        plan.available = Some(1e12);
        plan.check().unwrap();
        plan.items[1].bytes = 2e12;
        plan.items[2].bytes = 3e12;
        let message = plan.check().unwrap_err().to_string();
        assert!(
            message.contains(plan.items[1].key) && message.contains("2.000 TB") && message.contains("5.00"),
            "{message}"
        );
        plan.items.iter_mut().for_each(|item| item.bytes = 0.9e12);
        assert!(plan.check().is_err(), "each fits, but not all together");
    }
}
