//! `oreal probe`: what a server of the Tinker API does with a gradient.

use clap::Args;
use oreal_engines::tinker::{Finding, Probed, RemoteSettings, Service, ServiceSettings, compare, probe};
use oreal_models::{Frozen, Head, Products};
use serde_json::json;

use crate::config::TinkerSettings;
use crate::error::{Error, Result};
use crate::hub::{self, Part};

#[derive(Debug, Args)]
pub(super) struct Probe {
    /// Its base address, such as http://127.0.0.1:8000
    url: String,
    /// What models start from, as the server calls it [default: the first that it says]
    #[arg(long, value_name = "NAME")]
    base_model: Option<String>,
    /// Rank of the adapters; 0 trains all weights, where the server can
    #[arg(long, default_value_t = 8)]
    lora: u32,
    /// Number of tokens of its tokenizer, where its embeddings have more [default: as many as they have]
    #[arg(long, value_name = "TOKENS", default_value_t = u32::MAX, hide_default_value = true, value_parser = clap::value_parser!(u32).range(4..))]
    vocabulary: u32,
    /// The same weights here, a folder or a name of the hub, whose log-probabilities are compared with the server's
    #[arg(long, value_name = "CHECKPOINT")]
    against: Option<String>,
    /// The environment variable with the key
    #[arg(long, value_name = "NAME", default_value_t = ServiceSettings::default().key_variable)]
    key_variable: String,
    /// As JSON
    #[arg(long)]
    json: bool,
}

impl Probe {
    pub(super) fn run(self) -> Result<String> {
        let mut settings = TinkerSettings { url: self.url.clone(), lora: self.lora, ..TinkerSettings::default() };
        settings.key_variable.clone_from(&self.key_variable);
        let failed = Error::model("probe");
        let service = Service::connect(&settings.service()).map_err(&failed)?;
        settings.base_model = match &self.base_model {
            Some(name) => name.clone(),
            None => first(&service).map_err(&failed)?,
        };
        if let Some((key, problem)) = settings.check() {
            return Err(Error::setting(key, problem));
        }
        let how: RemoteSettings = settings.remote(0, self.vocabulary as usize);
        let mut probed = probe(&service, &how).map_err(&failed)?;
        if let Some(checkpoint) = &self.against {
            let folder = hub::folder(checkpoint, Part::Whole)?;
            let here = Frozen::open(&folder, Head::Vocabulary, Products::default()).map_err(Error::model("probe"))?;
            probed.findings.push(compare(&service, &how, &here).map_err(&failed)?);
        }
        let text = if self.json { machine(&probed, &settings) } else { page(&probed, &settings) };
        crate::terminal::print(&text)?;
        // The exit code says whether it can train.
        probed.carrier().map(|_| String::new()).map_err(&failed)
    }
}

fn first(service: &Service) -> oreal_models::Result<String> {
    let named = service.capabilities()?.supported_models.into_iter().find_map(|model| model.model_name);
    named.ok_or_else(|| oreal_models::Error::Server {
        server: service.url().to_owned(),
        problem: "it names no model: give --base-model".to_owned(),
    })
}

fn page(probed: &Probed, settings: &TinkerSettings) -> String {
    let mut text = format!("{} on {}, rank {}\n\n", settings.base_model, settings.url, settings.lora);
    for Finding { question, answer, meaning } in &probed.findings {
        text += &format!("{:5} {question}\n      {answer}\n", meaning.to_string());
    }
    match probed.carrier {
        Some(carrier) => text + &format!("\ncotangents travel as {}\n", carrier.loss()),
        None => text,
    }
}

fn machine(probed: &Probed, settings: &TinkerSettings) -> String {
    let finding = |Finding { question, answer, meaning }: &Finding| json!({ "question": question, "answer": answer, "meaning": meaning.to_string() });
    let findings: Vec<_> = probed.findings.iter().map(finding).collect();
    let said = json!({
        "server": settings.url,
        "base_model": settings.base_model,
        "carrier": probed.carrier,
        "clips": probed.clips,
        "knows_numbers": probed.knows_numbers,
        "older": probed.older,
        "findings": findings,
    });
    format!("{said:#}\n")
}
