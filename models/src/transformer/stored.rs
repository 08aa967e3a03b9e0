//! Weights as safetensors under the names of Hugging Face's Qwen2, with the sizes beside them.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors, serialize};
use serde_json::{Value, json};

use super::config::{Config, Parameter};
use crate::data::Head;
use crate::error::{Error, Result};
use crate::file;
use crate::real::Real;

/// Writes `config.json` and the weights; `path` is a folder, or the name of the weight file if it ends in
/// `.safetensors`. The same weights are the same bytes.
pub(super) fn write<E: Real>(
    path: &Path,
    config: &Config,
    parameters: &[Parameter],
    numbers: Vec<std::borrow::Cow<'_, [E]>>,
) -> Result<()> {
    let weights = if is_file_name(path) { path.to_owned() } else { path.join("model.safetensors") };
    if let Some(folder) = weights.parent() {
        fs::create_dir_all(folder).map_err(|problem| Error::file(folder, problem))?;
    }
    let bytes: Vec<Vec<u8>> = numbers.iter().map(|numbers| little_endian(numbers)).collect();
    let mut tensors = Vec::new();
    for (parameter, bytes) in parameters.iter().zip(&bytes) {
        let tensor = TensorView::new(E::STORED, parameter.shape.clone(), bytes);
        tensors.push((parameter.name.as_str(), tensor.map_err(|p| Error::tensor(&weights, &parameter.name, p))?));
    }
    // A single entry: the library writes several in no fixed order.
    let metadata = HashMap::from([("format".into(), "pt".into())]);
    let whole = serialize(tensors, Some(metadata)).map_err(|problem| Error::file(&weights, problem))?;
    file::write(&weights.with_file_name("config.json"), &hugging_face(config, E::STORED)?)?;
    file::write(&weights, &whole)
}

/// Sizes, head, and the weights in the order of [`Config::parameters`].
pub(super) fn read<E: Real>(path: &Path) -> Result<(Config, Head, Vec<Vec<E>>)> {
    let files = weight_files(path)?;
    let contents: Vec<Vec<u8>> = files.iter().map(|file| file::read(file)).collect::<Result<_>>()?;
    let mut tensors = BTreeMap::new();
    for (file, bytes) in files.iter().zip(&contents) {
        let broken = |problem| Error::file(file, format!("not a whole safetensors file: {problem}"));
        let stored = SafeTensors::deserialize(bytes).map_err(broken)?;
        tensors.extend(stored.tensors().into_iter().map(|(name, view)| (name, (file, view))));
    }
    let config = sizes(&files[0].with_file_name("config.json"))?;
    config.validate()?;
    let head = if tensors.contains_key("score.weight") { Head::Scalar } else { Head::Vocabulary };
    let parameters = config.parameters(head);
    let values = parameters.iter().map(|p| match tensors.get(&p.name) {
        Some((file, view)) => numbers(file, p, view),
        None => Err(Error::tensor(&files[0], &p.name, format!("missing; it should be {:?}", p.shape))),
    });
    let values = values.collect::<Result<_>>()?;
    let known = |name: &String| parameters.iter().any(|p| p.name == *name) || name == "lm_head.weight";
    match tensors.iter().find(|(name, _)| !known(name)) {
        Some((name, (file, _))) => {
            Err(Error::tensor(file, name, "not a weight of this transformer: check config.json"))
        }
        None => Ok((config, head, values)),
    }
}

fn is_file_name(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "safetensors")
}

/// The file itself, or all weight files of the folder in the order of their names.
fn weight_files(path: &Path) -> Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let failed = |problem| Error::file(path, problem);
    let mut files = Vec::new();
    for entry in fs::read_dir(path).map_err(failed)? {
        files.push(entry.map_err(failed)?.path());
    }
    files.retain(|file| is_file_name(file));
    files.sort();
    if files.is_empty() {
        return Err(Error::file(path, "the folder holds no .safetensors file"));
    }
    Ok(files)
}

/// Takes what it knows from Hugging Face's `config.json`, and refuses what would change the arithmetic.
fn sizes(path: &Path) -> Result<Config> {
    let wrong = |problem: String| Error::file(path, problem);
    let mut all: Value = serde_json::from_slice(&file::read(path)?).map_err(|problem| wrong(problem.to_string()))?;
    let kind = all["model_type"].as_str().unwrap_or("missing").to_string();
    if kind != "qwen2" {
        return Err(wrong(format!("model_type is {kind}; only qwen2 is known")));
    }
    if !(all["rope_scaling"].is_null() && all["use_sliding_window"] != true) {
        return Err(wrong("rope_scaling and use_sliding_window are not supported".into()));
    }
    let theta = all["rope_parameters"]["rope_theta"].clone();
    let entries = all.as_object_mut().ok_or_else(|| wrong("not an object".into()))?;
    if !theta.is_null() {
        entries.insert("rope_theta".into(), theta);
    }
    let known = [
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
    entries.retain(|key, _| known.contains(&key.as_str()));
    serde_json::from_value(all).map_err(|problem| wrong(problem.to_string()))
}

fn hugging_face(config: &Config, stored: Dtype) -> Result<Vec<u8>> {
    let mut all = json!({
        "architectures": ["Qwen2ForCausalLM"],
        "model_type": "qwen2",
        "hidden_act": "silu",
        "torch_dtype": if stored == Dtype::F64 { "float64" } else { "float32" },
    });
    if let (Value::Object(all), Ok(Value::Object(sizes))) = (&mut all, serde_json::to_value(config)) {
        all.extend(sizes);
    }
    serde_json::to_vec_pretty(&all).map_err(|problem| Error::file(Path::new("config.json"), problem))
}

fn numbers<E: Real>(path: &Path, parameter: &Parameter, view: &TensorView<'_>) -> Result<Vec<E>> {
    let refused = |problem: String| Err(Error::tensor(path, &parameter.name, problem));
    if view.shape() != parameter.shape {
        return refused(format!("shape {:?} where the sizes say {:?}", view.shape(), parameter.shape));
    }
    let bytes = view.data();
    Ok(match view.dtype() {
        Dtype::F64 => bytes.as_chunks().0.iter().map(|b| E::of(f64::from_le_bytes(*b))).collect(),
        Dtype::F32 => bytes.as_chunks().0.iter().map(|b| E::of(f32::from_le_bytes(*b).into())).collect(),
        Dtype::BF16 => bytes.as_chunks().0.iter().map(|b| E::of(bf16(u16::from_le_bytes(*b)))).collect(),
        Dtype::F16 => bytes.as_chunks().0.iter().map(|b| E::of(f16(u16::from_le_bytes(*b)))).collect(),
        other => return refused(format!("type {other}, shape {:?}; weights are F64, F32, BF16 or F16", view.shape())),
    })
}

/// The upper half of an `f32`.
fn bf16(bits: u16) -> f64 {
    f32::from_bits(u32::from(bits) << 16).into()
}

/// IEEE half precision: sign, 5 bits of exponent, 10 of fraction.
fn f16(bits: u16) -> f64 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f64::from(bits & 1023) / 1024.0);
    sign * match exponent {
        0 => fraction * 2f64.powi(-14),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1.0 + fraction) * 2f64.powi(exponent - 15),
    }
}

fn little_endian<E: Real>(numbers: &[E]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(size_of_val(numbers));
    numbers.iter().for_each(|x| x.store(&mut bytes));
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_widened_exactly() {
        assert_eq!([0x3f80, 0xc000, 0x0000].map(bf16), [1.0, -2.0, 0.0]);
        assert_eq!(
            [0x3c00, 0xc000, 0x0001, 0x7bff, 0x3555].map(f16),
            [1.0, -2.0, 2f64.powi(-24), 65504.0, 0.333251953125]
        );
        assert!(f16(0x7c00).is_infinite() && f16(0x7e00).is_nan());
    }
}
