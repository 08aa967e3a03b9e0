//! A model of the size that the settings say.

use oreal_algos::Role;
use oreal_models::{Family, Head, Model, RopeScaling, Runtime, Table, TransformerConfig};
use rand::RngExt;

use crate::config::{Architecture, Settings};
use crate::error::{Error, Result};
use crate::streams::{Purpose, stream};

/// The sizes of a transformer over a vocabulary; `None` for a table.
pub(crate) fn sizes(settings: &Settings, vocab_size: usize) -> Option<TransformerConfig> {
    match settings.model {
        Architecture::Table {} => None,
        Architecture::Transformer {
            num_hidden_layers,
            hidden_size,
            num_attention_heads,
            num_key_value_heads,
            intermediate_size,
            ..
        } => Some(TransformerConfig {
            family: Family::Qwen2,
            vocab_size,
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
        }),
    }
}

/// Refuses sizes that make no transformer, by key.
pub(crate) fn check(settings: &Settings, vocabulary: usize) -> Result<()> {
    match sizes(settings, vocabulary) {
        Some(config) => Ok(config.validate()?),
        None => Ok(()),
    }
}

/// For a role, with random weights of its own.
pub(crate) fn new(settings: &Settings, vocabulary: usize, head: Head, role: Role) -> Result<Box<dyn Model>> {
    let Some(config) = sizes(settings, vocabulary) else {
        return Ok(Box::new(Table::new(vocabulary, &settings.optimiser)?));
    };
    let engine = match settings.model {
        Architecture::Transformer { engine, .. } => engine,
        Architecture::Table {} => None,
    };
    let (purpose, number) =
        if role == Role::POLICY { (Purpose::Weights, 0) } else { (Purpose::RoleWeights, number(role)) };
    let seed = stream(settings.seed, purpose, number).random();
    let runtime = Runtime::new(engine, settings.device)?;
    runtime.create(config, head, &settings.optimiser, seed).map_err(Error::model(role.name()))
}

/// A number of a role's own, made of its name.
fn number(role: Role) -> usize {
    role.name().bytes().fold(0, |number: usize, byte| number.wrapping_mul(257).wrapping_add(byte.into()))
}
