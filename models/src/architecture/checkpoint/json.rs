//! Hugging Face's `config.json`.

use std::path::Path;

use safetensors::Dtype;
use serde_json::{Map, Value, json};

use super::refused;
use crate::architecture::{Config, Family, RopeScaling};
use crate::data::Head;
use crate::error::{Error, Result};
use crate::file;

/// What a `config.json` says.
pub(crate) type Entries = Map<String, Value>;

/// Settings that are read into a [`Config`] as they are. Others are ignored, unless they would change the arithmetic.
const READ: [&str; 8] = [
    "model_type",
    "vocab_size",
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "intermediate_size",
    "rms_norm_eps",
    "tie_word_embeddings",
];

/// The sizes, validated, and all entries of the file.
pub(super) fn read(path: &Path) -> Result<(Config, Entries)> {
    let wrong = |problem: String| Error::file(path, problem);
    let bytes = file::read(path, file::MOST_TEXT)?;
    let all: Value = serde_json::from_slice(&bytes).map_err(|problem| wrong(problem.to_string()))?;
    let Value::Object(entries) = all else { return Err(wrong("not an object".into())) };
    let config = config(&entries).map_err(wrong)?;
    config.validate().map_err(|problem| wrong(problem.to_string()))?;
    Ok((config, entries))
}

fn config(entries: &Entries) -> std::result::Result<Config, String> {
    let family = family(entries)?;
    if let Some(problem) = refused::refusal(family, entries) {
        return Err(problem);
    }
    let get = |key: &str| entries.get(key).filter(|value| !value.is_null()).cloned();
    let mut read: Entries = READ.iter().filter_map(|key| Some(((*key).to_owned(), get(key)?))).collect();
    // Left out, they stand for what transformers has as its default.
    let key_heads = get("num_key_value_heads").or_else(|| {
        let as_many = family == Family::Llama || entries.contains_key("num_key_value_heads");
        if as_many { get("num_attention_heads") } else { None }
    });
    let qwen3 = || (family == Family::Qwen3 && !entries.contains_key("head_dim")).then(|| json!(128));
    let theta = entries.get("rope_parameters").and_then(|rope| rope.get("rope_theta")).filter(|x| !x.is_null());
    for (key, value) in [
        ("num_key_value_heads", key_heads),
        ("head_dim", get("head_dim").or_else(qwen3)),
        ("rope_theta", theta.cloned().or_else(|| get("rope_theta"))),
    ] {
        read.extend(value.map(|value| (key.to_owned(), value)));
    }
    let mut config: Config = serde_json::from_value(Value::Object(read)).map_err(|problem| problem.to_string())?;
    config.rope_scaling = scaling(entries)?;
    // The usual width is said by its absence.
    config.head_dim =
        config.head_dim.filter(|width| width.checked_mul(config.num_attention_heads) != Some(config.hidden_size));
    Ok(config)
}

fn family(entries: &Entries) -> std::result::Result<Family, String> {
    let supported = Family::ALL.map(Family::model_type).join(", ");
    match entries.get("model_type") {
        None | Some(Value::Null) => Err(format!("model_type is missing; supported are {supported}")),
        Some(kind) => {
            let known = Family::ALL.into_iter().find(|family| kind == family.model_type());
            known.ok_or_else(|| format!("model_type is {}; supported are {supported}", refused::said(kind)))
        }
    }
}

/// Scaling of rotary positions; `rope_parameters` is the newer name of `rope_scaling`.
fn scaling(entries: &Entries) -> std::result::Result<RopeScaling, String> {
    let mut found = Vec::new();
    for key in ["rope_scaling", "rope_parameters"] {
        match entries.get(key) {
            None | Some(Value::Null) => {}
            Some(Value::Object(rope)) => found.push(one_scaling(rope).map_err(|why| format!("{key}: {why}"))?),
            Some(other) => return Err(format!("{key}: {other} is not an object")),
        }
    }
    match found[..] {
        [older, newer] if older != newer => {
            Err("rope_scaling and rope_parameters ask for different rotary positions: remove one".into())
        }
        _ => Ok(found.first().copied().unwrap_or_default()),
    }
}

/// `type` is the older spelling of `rope_type`.
fn one_scaling(rope: &Entries) -> std::result::Result<RopeScaling, String> {
    let given = |key: &str| rope.get(key).filter(|value| !value.is_null());
    if given("partial_rotary_factor").is_some_and(|factor| factor.as_f64() != Some(1.0)) {
        return Err("partial_rotary_factor is not 1".into());
    }
    let number = |key: &str| match given(key).map(Value::as_f64) {
        Some(Some(number)) => Ok(number),
        _ => Err(format!("{key} should be a number")),
    };
    let kind = given("rope_type").map(|kind| ("rope_type", kind)).or_else(|| Some(("type", given("type")?)));
    let Some((key, kind)) = kind else {
        let plain = ["rope_type", "type", "rope_theta", "partial_rotary_factor"];
        return match rope.keys().find(|key| !plain.contains(&key.as_str())) {
            Some(other) => Err(format!("{other} without a rope_type; only plain rotary positions have none")),
            None => Ok(RopeScaling::Default),
        };
    };
    match kind.as_str() {
        // Its other entries act on nothing.
        Some("default") => Ok(RopeScaling::Default),
        Some("linear") => Ok(RopeScaling::Linear { factor: number("factor")? }),
        Some("llama3") => {
            let key = "original_max_position_embeddings";
            let length = given(key).and_then(Value::as_u64).and_then(|length| u32::try_from(length).ok());
            Ok(RopeScaling::Llama3 {
                factor: number("factor")?,
                low_freq_factor: number("low_freq_factor")?,
                high_freq_factor: number("high_freq_factor")?,
                original_max_position_embeddings: length.ok_or_else(|| format!("{key} should be a whole number"))?,
            })
        }
        _ => Err(format!("{key} is {}; supported are default, linear, llama3", refused::said(kind))),
    }
}

/// The entries to write: those that were read, if any, with the type of the weights and the head.
pub(super) fn entries(config: &Config, read: Option<&Entries>, head: Head, stored: Dtype) -> Entries {
    let mut entries = read.cloned().unwrap_or_else(|| fresh(config));
    let stored = match stored {
        Dtype::F64 => "float64",
        Dtype::BF16 => "bfloat16",
        _ => "float32",
    };
    let old = !entries.contains_key("dtype") || entries.contains_key("torch_dtype");
    for (key, there) in [("torch_dtype", old), ("dtype", entries.contains_key("dtype"))] {
        if there {
            entries.insert(key.into(), stored.into());
        }
    }
    let class = config.family.class();
    let scalar = format!("{class}ForSequenceClassification");
    match head {
        Head::Vocabulary if entries.get("architectures").is_none_or(|classes| *classes == json!([scalar])) => {
            entries.insert("architectures".into(), json!([format!("{class}ForCausalLM")]));
        }
        Head::Vocabulary => {}
        Head::Scalar => {
            for (key, value) in [
                ("architectures", json!([scalar])),
                ("id2label", json!({ "0": "LABEL_0" })),
                ("label2id", json!({ "LABEL_0": 0 })),
            ] {
                entries.insert(key.into(), value);
            }
        }
    }
    entries
}

/// For a model that was not read from a file. What transformers would fill in otherwise is said.
fn fresh(config: &Config) -> Entries {
    let mut entries = json!({
        "model_type": config.family.model_type(),
        "hidden_act": "silu",
        "vocab_size": config.vocab_size,
        "hidden_size": config.hidden_size,
        "num_hidden_layers": config.num_hidden_layers,
        "num_attention_heads": config.num_attention_heads,
        "num_key_value_heads": config.num_key_value_heads,
        "head_dim": config.head_dim(),
        "intermediate_size": config.intermediate_size,
        "rope_theta": config.rope_theta,
        "rms_norm_eps": config.rms_norm_eps,
        "tie_word_embeddings": config.tie_word_embeddings,
        "sliding_window": null,
    });
    if config.rope_scaling != RopeScaling::Default {
        entries["rope_scaling"] = json!(config.rope_scaling);
    }
    match entries {
        Value::Object(entries) => entries,
        _ => Entries::new(),
    }
}
