//! Hugging Face's `config.json`.

use std::path::Path;

use safetensors::Dtype;
use serde_json::{Value, json};

use crate::data::Head;
use crate::error::{Error, Result};
use crate::file;
use crate::qwen2::Config;

/// Settings that are read into a [`Config`]. Others are ignored, unless they would change the arithmetic.
const READ: [&str; 9] = [
    "vocab_size",
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "intermediate_size",
    "rope_theta",
    "rms_norm_eps",
    "tie_word_embeddings",
];

/// The sizes, validated.
pub(super) fn read(path: &Path) -> Result<Config> {
    let wrong = |problem: String| Error::file(path, problem);
    let bytes = file::read(path, file::MOST_TEXT)?;
    let mut all: Value = serde_json::from_slice(&bytes).map_err(|problem| wrong(problem.to_string()))?;
    if let Some(problem) = refusal(&all) {
        return Err(wrong(problem));
    }
    let theta = all["rope_parameters"]["rope_theta"].clone();
    let entries = all.as_object_mut().ok_or_else(|| wrong("not an object".into()))?;
    if !theta.is_null() {
        entries.insert("rope_theta".into(), theta);
    }
    let width = entries.get("head_dim").cloned().unwrap_or_default();
    entries.retain(|key, value| READ.contains(&key.as_str()) && !value.is_null());
    let config: Config = serde_json::from_value(all).map_err(|problem| wrong(problem.to_string()))?;
    config.validate().map_err(|problem| wrong(problem.to_string()))?;
    if !width.is_null() && width != config.head_dim() {
        return Err(wrong(format!("head_dim is {width}; only hidden_size / num_attention_heads is supported")));
    }
    Ok(config)
}

/// Why a model of this configuration would compute something else than this crate does.
fn refusal(all: &Value) -> Option<String> {
    let said = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match &all["model_type"] {
        Value::String(kind) if kind == "qwen2" => {}
        Value::Null => return Some("model_type is missing; only qwen2 is supported".into()),
        other => return Some(format!("model_type is {}; only qwen2 is supported", said(other))),
    }
    match &all["hidden_act"] {
        Value::Null => {}
        Value::String(name) if name == "silu" => {}
        other => return Some(format!("hidden_act is {}; only silu is supported", said(other))),
    }
    let slides = |layer: &Value| layer != "full_attention";
    if all["use_sliding_window"] == true
        || all["layer_types"].as_array().is_some_and(|layers| layers.iter().any(slides))
    {
        return Some(
            "use_sliding_window or layer_types asks for sliding windows; only full attention is supported".into(),
        );
    }
    ["rope_scaling", "rope_parameters"]
        .into_iter()
        .find_map(|key| scaling(&all[key]).map(|why| format!("{key}: {why}")))
}

/// Why these rotary positions are not the plain ones. `type` is the older spelling of `rope_type`.
fn scaling(rope: &Value) -> Option<String> {
    if rope.is_null() {
        return None;
    }
    let Some(entries) = rope.as_object() else { return Some(format!("{rope} is not an object")) };
    for key in ["rope_type", "type"] {
        match entries.get(key) {
            None | Some(Value::Null) => {}
            Some(Value::String(kind)) if kind == "default" => {}
            Some(Value::String(kind)) => return Some(format!("{key} is {kind}; only default is supported")),
            Some(other) => return Some(format!("{key} is {other}; only default is supported")),
        }
    }
    if entries.get("partial_rotary_factor").is_some_and(|factor| *factor != 1.0 && *factor != 1) {
        return Some("partial_rotary_factor is not 1".into());
    }
    let kind = ["rope_type", "type"].iter().any(|key| entries.contains_key(*key));
    let plain = ["rope_type", "type", "rope_theta", "partial_rotary_factor"];
    let other = entries.keys().find(|key| !plain.contains(&key.as_str()))?;
    // With its type said to be the default one, other entries act on nothing.
    (!kind).then(|| format!("{other} without a rope_type; only plain rotary positions are supported"))
}

pub(super) fn write(path: &Path, config: &Config, head: Head, stored: Dtype) -> Result<Vec<u8>> {
    let mut all = json!({
        "model_type": "qwen2",
        "hidden_act": "silu",
        "torch_dtype": if stored == Dtype::F64 { "float64" } else { "float32" },
    });
    let heads = match head {
        Head::Vocabulary => json!({ "architectures": ["Qwen2ForCausalLM"] }),
        Head::Scalar => json!({
            "architectures": ["Qwen2ForSequenceClassification"],
            "id2label": { "0": "LABEL_0" },
            "label2id": { "LABEL_0": 0 },
        }),
    };
    let sizes = serde_json::to_value(config).map_err(|problem| Error::file(path, problem))?;
    for part in [heads, sizes] {
        if let (Value::Object(all), Value::Object(part)) = (&mut all, part) {
            all.extend(part);
        }
    }
    serde_json::to_vec_pretty(&all).map_err(|problem| Error::file(path, problem))
}
