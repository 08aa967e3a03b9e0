//! What a file of `oreal sft` says.

use oreal_models::{Device, Optimiser};
use serde::{Deserialize, Serialize};

use crate::config::{ModelSettings, Record, TextSettings};
use crate::error::{Error, Result};
use crate::problems::Source;
use crate::rule::RuleName;

/// Everything that fine-tuning depends on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SftSettings {
    /// Every random choice follows from it.
    pub seed: u64,
    /// Where the model is.
    pub device: Device,
    /// What is fine-tuned: a checkpoint, or fresh weights.
    pub model: ModelSettings,
    /// Between text and tokens.
    pub text: TextSettings,
    /// What is imitated.
    pub examples: Examples,
    /// How long and how fast.
    pub sft: Pace,
    /// How a gradient becomes a step.
    pub optimiser: Optimiser,
    /// What it goes on from after it was stopped.
    pub record: Checkpoints,
}

/// How a run's checkpoints are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Checkpoints {
    /// A checkpoint to go on from every so many steps, with one before the first step and one after the last; 0 for none, but
    /// where the run is asked to stop.
    pub checkpoint_every: usize,
    /// So many of the newest checkpoints are kept. With 1 there is none to fall back to if the newest is damaged.
    pub keep_last: usize,
    /// Also keeps the checkpoint with the lowest loss on held-out examples, which is then measured at each. Each checkpoint then holds
    /// the model as a folder of weights too.
    pub keep_best: bool,
}

/// What is imitated. Only the answer is predicted, never the prompt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Examples {
    /// Solutions of problems, asked as the environment `math` asks them.
    Solutions {
        /// JSONL or parquet.
        file: String,
        /// Where the file comes from, which says its fields.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        source: Option<Source>,
        /// Field of the question, where it is another than the source says.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        question: Option<String>,
        /// Field of the solution, where it is another than the source says.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        solution: Option<String>,
        /// Where an answer is expected, which decides the usual instruction.
        #[serde(default)]
        rule: RuleName,
        /// The system message; without a text there is none.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        system: String,
        /// What follows each question, on a line of its own. Where it is not given, what `rule` needs to be said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        instruction: Option<String>,
    },
    /// One's own right answers: what `oreal sample` wrote (rejection-sampling fine-tuning, arXiv 2308.01825).
    Rollouts {
        /// Files of graded rollouts, or folders that hold a `completions.jsonl`.
        files: Vec<String>,
        /// Most different right answers of a problem.
        #[serde(default = "four")]
        per_problem: usize,
    },
    /// Plain texts, every token of which is predicted: for pretraining.
    Texts {
        /// JSONL or parquet.
        file: String,
        /// The fields of a text, joined by line breaks.
        fields: Vec<String>,
    },
}

/// How long and how fast.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Pace {
    /// Passes over the examples.
    pub epochs: usize,
    /// Most steps; 0 for no limit besides the epochs.
    pub most_steps: usize,
    /// Tokens of a step, prompts included: examples are taken until the next one would exceed it. They lie end to end, so
    /// nothing is padded.
    pub tokens: usize,
    /// Most tokens in one forward and backward pass. No result depends on it, but for the last digits.
    pub micro_tokens: usize,
    /// Longest example, in tokens; longer ones are left out, and counted.
    pub longest: usize,
    /// Share of the examples whose loss is measured instead of learnt.
    pub held_out: f64,
    /// Highest learning rate.
    pub rate: f64,
    /// Steps to the highest rate.
    pub warmup: u64,
    /// Share of the highest rate that the cosine ends at.
    pub floor: f64,
}

impl SftSettings {
    /// Refuses values without sense; the error names the key.
    ///
    /// # Errors
    /// [`Error::Setting`] with the key.
    pub fn validate(&self) -> Result<()> {
        let Pace { epochs, tokens, micro_tokens, longest, held_out, rate, floor, .. } = self.sft;
        let missing = |text: &str| text.is_empty();
        let (no_file, no_fields, no_answers) = match &self.examples {
            Examples::Solutions { file, .. } => (missing(file), false, false),
            Examples::Rollouts { files, per_problem } => (files.is_empty(), false, *per_problem == 0),
            Examples::Texts { file, fields } => (missing(file), fields.is_empty(), false),
        };
        let checks = [
            ("model.kind", !matches!(self.model, ModelSettings::Table {}), "must be \"transformer\" or \"checkpoint\""),
            ("examples.file", !no_file, "missing: name a file of examples, JSONL or parquet"),
            ("examples.fields", !no_fields, "must name at least one field"),
            ("examples.per_problem", !no_answers, "must be at least 1"),
            ("sft.epochs", epochs > 0, "must be at least 1"),
            ("sft.tokens", tokens > 0, "must be at least 1"),
            ("sft.micro_tokens", micro_tokens > 0, "must be at least 1"),
            ("sft.longest", longest > 1, "must be at least 2"),
            ("sft.held_out", (0.0..1.0).contains(&held_out), "must be at least 0 and less than 1"),
            ("sft.rate", rate >= 0.0 && rate.is_finite(), "must be 0 or more"),
            ("record.keep_last", self.record.keep_last > 0, "must be at least 1"),
            (
                "record.keep_best",
                !self.record.keep_best || (held_out > 0.0 && self.record.checkpoint_every > 0),
                "needs held-out examples and checkpoints: set sft.held_out and record.checkpoint_every",
            ),
            ("sft.floor", (0.0..=1.0).contains(&floor), "must be from 0 to 1"),
        ];
        if let Some((key, _, problem)) = checks.iter().find(|(_, holds, _)| !holds) {
            return Err(Error::setting(key, problem));
        }
        Ok(self.optimiser.validate()?)
    }
}

impl Default for Examples {
    fn default() -> Self {
        Examples::Solutions {
            file: String::new(),
            source: None,
            question: None,
            solution: None,
            rule: RuleName::default(),
            system: String::new(),
            instruction: None,
        }
    }
}

impl Default for Checkpoints {
    fn default() -> Self {
        let Record { checkpoint_every, keep_last, keep_best, .. } = Record::default();
        Checkpoints { checkpoint_every, keep_last, keep_best }
    }
}

impl Default for Pace {
    fn default() -> Self {
        Pace {
            epochs: 1,
            most_steps: 0,
            tokens: 16_384,
            micro_tokens: 8_192,
            longest: 4_096,
            held_out: 0.0,
            rate: 1e-5,
            warmup: 10,
            floor: 0.1,
        }
    }
}

fn four() -> usize {
    4
}
