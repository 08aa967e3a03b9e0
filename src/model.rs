//! The models that the settings ask for: fresh ones, and checkpoints.

use std::collections::BTreeMap;
use std::time::UNIX_EPOCH;
use std::{fs, io};

use oreal_algos::Role;
use oreal_engines::tinker::{Remote, Service, probe};
use oreal_models::architecture::RopeScaling;
use oreal_models::{Engine, Frozen, Head, Model, Products, Runtime, Table, TransformerConfig};
use rand::RngExt;

use crate::config::{ModelSettings, Settings, TinkerSettings};
use crate::error::{Error, Result};
use crate::hub::{self, Part};
use crate::streams::{Purpose, stream};

/// The sizes of the transformer that plays the policy, for so many tokens; `None` for a table.
///
/// # Errors
/// Of a checkpoint whose sizes cannot be read.
pub(crate) fn sizes(settings: &Settings, vocabulary: usize) -> Result<Option<TransformerConfig>> {
    match settings.model {
        ModelSettings::Table {} | ModelSettings::Tinker(_) => Ok(None),
        ModelSettings::Transformer {
            family,
            num_hidden_layers,
            hidden_size,
            num_attention_heads,
            num_key_value_heads,
            intermediate_size,
            ..
        } => Ok(Some(TransformerConfig {
            family,
            vocab_size: vocabulary,
            hidden_size,
            num_hidden_layers,
            num_attention_heads,
            num_key_value_heads,
            head_dim: None,
            intermediate_size,
            rope_theta: 10_000.0,
            rope_scaling: RopeScaling::Default,
            rms_norm_eps: 1e-6,
            tie_word_embeddings: true,
        })),
        ModelSettings::Checkpoint { ref path, .. } => sizes_of(path).map(Some),
    }
}

/// The sizes of a checkpoint, without its weights.
pub(crate) fn sizes_of(path: &str) -> Result<TransformerConfig> {
    let folder = hub::folder(path, Part::Description)?;
    TransformerConfig::read(&folder).map_err(Error::model("model"))
}

/// Refuses sizes that make no transformer, by key, what cannot compute it here, and checkpoints of roles that do not read
/// the policy's tokens.
pub(crate) fn check(settings: &Settings, vocabulary: usize) -> Result<()> {
    let Some(config) = sizes(settings, vocabulary)? else { return Ok(()) };
    config.validate()?;
    runtime(settings)?;
    for (role, start) in &settings.roles {
        if let Some(path) = start.start.checkpoint() {
            let found = sizes_of(path)?.vocab_size;
            if found != config.vocab_size {
                let problem = format!("{path} has {found} tokens and the policy {}", config.vocab_size);
                return Err(Error::setting(format!("roles.{role}.start"), problem));
            }
        }
    }
    Ok(())
}

/// The policy before training: from its checkpoint where it has one, else with random weights.
pub(crate) fn policy(settings: &Settings, vocabulary: usize) -> Result<Box<dyn Model>> {
    if let ModelSettings::Tinker(tinker) = &settings.model {
        return elsewhere(settings, tinker, vocabulary);
    }
    match settings.model.checkpoint() {
        Some(path) => load(settings, path, Head::Vocabulary, Role::POLICY),
        None => fresh(settings, vocabulary, Head::Vocabulary, Role::POLICY),
    }
}

/// The policy on a server, which is first asked what it does with gradients where the settings do not say.
fn elsewhere(settings: &Settings, tinker: &TinkerSettings, vocabulary: usize) -> Result<Box<dyn Model>> {
    let failed = Error::model("policy");
    let service = Service::connect(&tinker.service()).map_err(&failed)?;
    let mut how = tinker.remote(settings.seed, vocabulary);
    if tinker.carrier.is_none() {
        let probed = probe(&service, &how).map_err(&failed)?;
        how.carrier = probed.carrier().map_err(&failed)?;
        if !probed.clips && settings.optimiser.clips() {
            return Err(Error::setting("optimiser.clip", "must be \"off\": this server does not clip gradients"));
        }
        if let Some(most) = probed.older.steps_ahead().filter(|&most| settings.train.steps_ahead > most) {
            let problem =
                format!("must be at most {most}: this server does not draw from older weights (see `oreal probe`)");
            return Err(Error::setting("train.steps_ahead", problem));
        }
    }
    Ok(Box::new(Remote::new(service, how, &settings.optimiser).map_err(&failed)?))
}

/// For a role, with random weights of its own.
pub(crate) fn fresh(settings: &Settings, vocabulary: usize, head: Head, role: Role) -> Result<Box<dyn Model>> {
    let Some(config) = sizes(settings, vocabulary)? else {
        return Ok(Box::new(Table::new(vocabulary, &settings.optimiser)?));
    };
    let (purpose, number) =
        if role == Role::POLICY { (Purpose::Weights, 0) } else { (Purpose::RoleWeights, number(role)) };
    let seed = stream(settings.seed, purpose, number).random();
    runtime(settings)?.create(config, head, &settings.optimiser, seed).map_err(Error::model(role.name()))
}

/// For a role, from a checkpoint.
pub(crate) fn load(settings: &Settings, path: &str, head: Head, role: Role) -> Result<Box<dyn Model>> {
    let folder = hub::folder(path, Part::Whole)?;
    runtime(settings)?.load(&folder, head, &settings.optimiser).map_err(Error::model(role.name()))
}

/// A checkpoint that is only read and drawn from, for a role. On the CPU its weights in bf16 stay in their files.
pub(crate) fn to_read(settings: &Settings, path: &str, head: Head, role: Role) -> Result<Box<dyn Model>> {
    let products = match settings.model {
        ModelSettings::Checkpoint { products, .. } => products,
        ModelSettings::Table {} | ModelSettings::Transformer { .. } | ModelSettings::Tinker(_) => Products::default(),
    };
    if runtime(settings)?.engine() != Engine::Fused {
        return load(settings, path, head, role);
    }
    let folder = hub::folder(path, Part::Whole)?;
    Ok(Box::new(Frozen::open(&folder, head, products).map_err(Error::model(role.name()))?))
}

/// Length and time of the last change of each weight file of a checkpoint, by name: where they are the same, so is the model.
pub(crate) fn files(path: &str) -> Result<BTreeMap<String, (u64, u64)>> {
    let folder = hub::folder(path, Part::Whole)?;
    let failed = |problem: io::Error| Error::file(&folder, problem);
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(&folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "safetensors") {
            let metadata = fs::metadata(&path).map_err(failed)?;
            let changed = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            files.insert(name, (metadata.len(), changed.map_or(0, |since| since.as_secs())));
        }
    }
    Ok(files)
}

fn runtime(settings: &Settings) -> Result<Runtime> {
    Ok(Runtime::new(settings.model.engine(), settings.device)?.with_products(settings.model.train_products())?)
}

/// A number of a role's own, made of its name.
fn number(role: Role) -> usize {
    role.name().bytes().fold(0, |number: usize, byte| number.wrapping_mul(257).wrapping_add(byte.into()))
}
