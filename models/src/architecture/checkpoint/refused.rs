//! Settings of a `config.json` that ask for arithmetic that is not implemented.

use serde_json::{Map, Value};

use crate::architecture::Family;

/// A text without quotes, or any other value as JSON.
pub(super) fn said(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Why a model of this configuration would compute something else than this crate does.
pub(super) fn refusal(family: Family, entries: &Map<String, Value>) -> Option<String> {
    let given = |key: &str| entries.get(key).filter(|value| !value.is_null());
    let true_ones = [("attention_bias", family != Family::Qwen2), ("mlp_bias", true)];
    if let Some((key, _)) = true_ones.into_iter().find(|(key, acts)| *acts && given(key) == Some(&Value::Bool(true))) {
        return Some(format!("{key} is true; only projections without these biases are supported"));
    }
    if let Some(name) = given("hidden_act").filter(|name| *name != "silu") {
        return Some(format!("hidden_act is {}; only silu is supported", said(name)));
    }
    if given("partial_rotary_factor").is_some_and(|factor| factor.as_f64() != Some(1.0)) {
        return Some("partial_rotary_factor is not 1: only rotary positions of whole heads are supported".into());
    }
    if given("quantization_config").is_some() {
        return Some("quantization_config: quantised weights are not supported; use the checkpoint before it".into());
    }
    let experts = ["num_experts", "num_local_experts", "n_routed_experts", "moe_intermediate_size"];
    if let Some(key) = experts.into_iter().find(|key| given(key).is_some_and(|value| *value != 0)) {
        return Some(format!("{key}: mixtures of experts are not supported"));
    }
    sliding(family, entries)
}

/// Why not every token attends to all before it. In transformers Mistral's window is 4096 where none is given; the
/// window of the others acts with `use_sliding_window` or `layer_types` only.
fn sliding(family: Family, entries: &Map<String, Value>) -> Option<String> {
    let slides = |layer: &Value| layer != "full_attention";
    let layers = entries.get("layer_types").and_then(Value::as_array);
    if entries.get("use_sliding_window") == Some(&Value::Bool(true))
        || layers.is_some_and(|layers| layers.iter().any(slides))
    {
        return Some(
            "use_sliding_window or layer_types asks for sliding windows; only full attention is supported".into(),
        );
    }
    let window = entries.get("sliding_window");
    if family != Family::Mistral || window == Some(&Value::Null) {
        return None;
    }
    let window = window.map_or("left out, which means 4096".into(), said);
    Some(format!(
        "sliding_window is {window}; only full attention is supported, which is the same for shorter sequences: to have \
         it, write null"
    ))
}
