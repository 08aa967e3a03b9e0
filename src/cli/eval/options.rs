//! Options of `oreal eval` that are put over the settings of a file.

use std::path::{Path, PathBuf};

use clap::Args;
use oreal_models::{Device, Products};
use serde::de::DeserializeOwned;

use crate::config::file_text;
use crate::error::{Error, Result};
use crate::eval::EvalSettings;
use crate::problems::Source;
use crate::rule::{DecimalsName, RuleName};

#[derive(Debug, Args)]
pub(super) struct Overrides {
    /// The model's checkpoint: a folder, or a name of the hub
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["url", "model_name"])]
    model: Option<String>,
    /// Where it is: cpu, or cuda:0 for the first GPU [default: cpu]
    #[arg(long, value_name = "DEVICE")]
    device: Option<Device>,
    /// Precision of its products on the CPU: f32, or bf16 where the processor has them [default: f32]
    #[arg(long, value_name = "PRECISION")]
    products: Option<Products>,
    /// Its chat template, by name, where it has none of its own
    #[arg(long, value_name = "NAME")]
    template: Option<String>,
    /// A model behind an OpenAI chat endpoint instead, such as http://127.0.0.1:8000/v1
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// The model's name at the endpoint
    #[arg(long, value_name = "NAME")]
    model_name: Option<String>,
    /// Requests to the endpoint in flight at once [default: 32]
    #[arg(long, value_name = "N")]
    concurrency: Option<usize>,
    /// The problems, JSONL or parquet; all of them are used
    #[arg(long, value_name = "FILE")]
    data: Option<String>,
    /// Where the file comes from, which says its fields
    #[arg(long, value_name = "SOURCE")]
    source: Option<Source>,
    /// Field of the question
    #[arg(long, value_name = "FIELD")]
    question: Option<String>,
    /// Field of the gold answer
    #[arg(long, value_name = "FIELD")]
    gold: Option<String>,
    /// What the decimals of gold answers mean
    #[arg(long, value_enum, value_name = "DECIMALS")]
    decimals: Option<DecimalsName>,
    /// Only the first problems of the file, so many
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Fields to group the problems by, as in --by level,subject
    #[arg(long, value_name = "FIELDS", value_delimiter = ',')]
    by: Option<Vec<String>>,
    /// The system message
    #[arg(long, value_name = "TEXT")]
    system: Option<String>,
    /// What follows each question; by default how the answer is to be given
    #[arg(long, value_name = "TEXT")]
    instruction: Option<String>,
    /// Where a completion has its answer
    #[arg(long, value_enum, value_name = "RULE")]
    rule: Option<RuleName>,
    /// Completions of each problem [default: 1]
    #[arg(short, value_name = "N")]
    n: Option<usize>,
    /// Values of k for pass@k, besides the powers of two up to n
    #[arg(long, value_name = "K", value_delimiter = ',')]
    pass_at: Option<Vec<usize>>,
    /// Logits are divided by this; 0 takes the most likely token [default: 0]
    #[arg(long, value_name = "T")]
    temperature: Option<f64>,
    /// The same as --temperature 0
    #[arg(long, conflicts_with = "temperature")]
    greedy: bool,
    /// Smallest set of most likely tokens with at least this probability [default: 1]
    #[arg(long, value_name = "P")]
    top_p: Option<f64>,
    /// So many most likely tokens; 0 is all [default: 0]
    #[arg(long, value_name = "K")]
    top_k: Option<usize>,
    /// Longest completion in tokens, end token included [default: 4096]
    #[arg(long, value_name = "N")]
    max_tokens: Option<usize>,
    /// Of all random numbers [default: 0]
    #[arg(long, value_name = "SEED")]
    seed: Option<u64>,
    /// Settings of a judge (TOML), a model that is asked where the rules cannot tell: see examples/judge.toml
    #[arg(long, value_name = "FILE")]
    judge: Option<PathBuf>,
}

impl Overrides {
    /// The settings of a file, or those given, with the options put over them.
    pub(super) fn over(self, file: Option<&Path>, start: EvalSettings) -> Result<EvalSettings> {
        let mut settings = file.map(read::<EvalSettings>).transpose()?.unwrap_or(start);
        if let Some(model) = self.model {
            (settings.model, settings.endpoint) = (Some(model), None);
        }
        if self.url.is_some() || self.model_name.is_some() || self.concurrency.is_some() {
            let endpoint = settings.endpoint.get_or_insert_default();
            put(&mut endpoint.url, self.url);
            put(&mut endpoint.model, self.model_name);
            put(&mut endpoint.concurrency, self.concurrency);
            settings.model = None;
        }
        put(&mut settings.device, self.device);
        put(&mut settings.products, self.products);
        put(&mut settings.text.template, self.template);
        put(&mut settings.data, self.data);
        put_some(&mut settings.source, self.source);
        put_some(&mut settings.question, self.question);
        put_some(&mut settings.gold, self.gold);
        put_some(&mut settings.decimals, self.decimals);
        put_some(&mut settings.limit, self.limit);
        put(&mut settings.by, self.by);
        put(&mut settings.system, self.system);
        put_some(&mut settings.instruction, self.instruction);
        put(&mut settings.rule, self.rule);
        put(&mut settings.n, self.n);
        put(&mut settings.pass_at, self.pass_at);
        put(&mut settings.temperature, self.temperature.or(self.greedy.then_some(0.0)));
        put(&mut settings.top_p, self.top_p);
        put(&mut settings.top_k, self.top_k);
        put(&mut settings.max_tokens, self.max_tokens);
        put(&mut settings.seed, self.seed);
        put_some(&mut settings.judge, self.judge.as_deref().map(read).transpose()?);
        Ok(settings)
    }
}

fn put<T>(setting: &mut T, option: Option<T>) {
    if let Some(value) = option {
        *setting = value;
    }
}

fn put_some<T>(setting: &mut Option<T>, option: Option<T>) {
    if option.is_some() {
        *setting = option;
    }
}

/// A problem is told by line, without the line itself: it may hold a key by mistake.
fn read<T: DeserializeOwned>(file: &Path) -> Result<T> {
    let text = file_text(file)?;
    toml::from_str(&text).map_err(|problem: toml::de::Error| {
        let before = problem.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        Error::setting(format!("{}, line {line}", file.display()), problem.message())
    })
}
