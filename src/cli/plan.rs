//! `oreal plan`: what a run needs of memory, before it starts.

use std::path::PathBuf;

use clap::Args;

use super::{json, notices};
use crate::catalogue::Catalogue;
use crate::error::{Error, Result};
use crate::experiment::Experiment;
use crate::plan::{Plan, bytes_of, count, size};

#[derive(Debug, Args)]
pub(super) struct PlanCommand {
    /// The experiment (TOML)
    file: PathBuf,
    /// Override a setting of the file, as in --set train.micro_batch=4
    #[arg(long, value_name = "SECTION.KEY=VALUE")]
    set: Vec<String>,
    /// Memory of the machine or GPU that it is planned for, such as 80GB [default: what is free here]
    #[arg(long, value_name = "SIZE", value_parser = memory)]
    memory: Option<f64>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

impl PlanCommand {
    pub(super) fn run(self, catalogue: &Catalogue) -> Result<String> {
        let config = catalogue.config_from_file(&self.file, &self.set)?;
        let experiment = Experiment::from_config(config);
        notices(&experiment, "");
        let mut plan = experiment.plan()?;
        plan.available = self.memory.or(plan.available);
        let text = if self.json { json(&plan)? } else { page(&plan) };
        crate::terminal::print(&text)?;
        // The exit code says whether it fits.
        if plan.available.is_some() && !plan.fits() {
            return Err(Error::part("plan", advice(&plan)));
        }
        Ok(String::new())
    }
}

fn memory(text: &str) -> std::result::Result<f64, String> {
    bytes_of(text).ok_or_else(|| "not a size: write 80GB".to_owned())
}

fn page(plan: &Plan) -> String {
    let of = |bytes: f64| if bytes > 0.0 { size(bytes) } else { "-".to_owned() };
    let mut text = format!(
        "on {}\n\n{:<14}{:>18}{:>14}{:>14}{:>14}\n",
        plan.device, "role", "parameters", "weights", "moments", "gradient"
    );
    for role in &plan.roles {
        let [weights, moments, gradient] = [role.weights, role.moments, role.gradient].map(of);
        text += &format!("{:<14}{:>18}{weights:>14}{moments:>14}{gradient:>14}\n", role.role, count(role.parameters));
    }
    for stage in plan.stages.iter().filter(|stage| !stage.items.is_empty()) {
        text += &format!("\n{:<14}{:>12}\n", stage.name, of(stage.bytes()));
        for item in stage.items.iter().filter(|item| item.bytes > 0.0) {
            text += &format!("{:>26}  {} ({})\n", size(item.bytes), item.what, item.key);
        }
    }
    let fullest = plan.fullest().map_or("", |stage| stage.name);
    text +=
        &format!("\nweights and moments {}, at most {} during {fullest}", size(plan.resident()), size(plan.total()));
    match plan.available {
        Some(available) if plan.fits() => text + &format!("; {} are there: it fits\n", size(available)),
        Some(available) => text + &format!("; {} are there: it does not fit\n", size(available)),
        None => text + "; give --memory to know whether it fits\n",
    }
}

/// What to lower.
fn advice(plan: &Plan) -> String {
    let mut items: Vec<_> = plan.fullest().into_iter().flat_map(|stage| &stage.items).collect();
    items.sort_by(|a, b| b.bytes.total_cmp(&a.bytes));
    let mut keys: Vec<&str> = items.iter().map(|item| item.key).filter(|key| *key != "model").collect();
    keys.dedup();
    let lower = if keys.is_empty() { String::new() } else { format!("lower {}, or ", keys.join(" or ")) };
    format!("it does not fit: {lower}choose a smaller model, fewer roles, or a larger machine")
}
