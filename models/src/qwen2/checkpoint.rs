//! Weights as safetensors under the names of Hugging Face's Qwen2, with the sizes beside them.

mod json;
mod shards;

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs;
use std::path::Path;

use safetensors::tensor::TensorView;
use safetensors::{Dtype, serialize};

use super::{Config, Parameter};
use crate::data::Head;
use crate::error::{Error, Result};
use crate::file;
use crate::real::Real;
use shards::Shards;

/// A model's files, read: sizes, head, and weights in the order of [`Config::parameters`].
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint<E> {
    /// Sizes.
    pub config: Config,
    /// Scalar where there is a `score.weight`.
    pub head: Head,
    /// Row-major.
    pub weights: Vec<Vec<E>>,
}

impl<E: Real> Checkpoint<E> {
    /// Reads what [`Model::save`](crate::Model::save) of a transformer wrote, or a Qwen2 checkpoint of Hugging Face.
    /// `path` is a weight file with `config.json` beside it, or a folder with one of
    /// - `model.safetensors.index.json`, which says which tensor is in which file;
    /// - a single weight file, `model.safetensors`.
    ///
    /// Settings of `config.json` that would change the arithmetic in a way that is not implemented (rotary scaling,
    /// another activation, sliding windows) are errors.
    ///
    /// # Errors
    /// [`Error::File`] or [`Error::Tensor`], naming the file, the key or the tensor.
    pub fn read(path: &Path) -> Result<Self> {
        let folder = if path.is_dir() { path } else { path.parent().unwrap_or(Path::new("")) };
        let files = shards::files(path)?;
        let config = json::read(&folder.join("config.json"))?;
        let shards = Shards::read(&files, &config)?;
        let tensors = shards.tensors()?;
        let head = if tensors.contains_key("score.weight") { Head::Scalar } else { Head::Vocabulary };
        let parameters = config.parameters(head);
        let weights = parameters.iter().map(|parameter| match tensors.get(&parameter.name) {
            Some((file, view)) => numbers(file, parameter, view),
            None => {
                let problem = format!("missing; it should be {:?}", parameter.shape);
                Err(Error::tensor(shards.first(), &parameter.name, problem))
            }
        });
        let weights = weights.collect::<Result<_>>()?;
        let known = |name: &String| parameters.iter().any(|p| p.name == *name) || name == "lm_head.weight";
        match tensors.iter().find(|(name, _)| !known(name)) {
            Some((name, (file, _))) => {
                Err(Error::tensor(file, name, "not a weight of this transformer: check config.json"))
            }
            None => Ok(Self { config, head, weights }),
        }
    }
}

/// Writes `config.json` and the weights; `path` is a folder, or the name of the weight file if it ends in
/// `.safetensors`. The same weights are the same bytes.
///
/// transformers loads a vocabulary head as `Qwen2ForCausalLM`, and a scalar head as `Qwen2ForSequenceClassification`
/// with one label: its `score.weight` has no bias either. (It reports the score after the last token only, and needs
/// `pad_token_id` set for batches.)
pub(crate) fn write<E: Real>(
    path: &Path,
    config: &Config,
    head: Head,
    parameters: &[Parameter],
    numbers: &[Cow<'_, [E]>],
) -> Result<()> {
    let weights = if shards::is_weight_file(path) { path.to_owned() } else { path.join(shards::SINGLE) };
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
    let config_file = weights.with_file_name("config.json");
    file::write(&config_file, &json::write(&config_file, config, head, E::STORED)?)?;
    file::write(&weights, &whole)
}

fn numbers<E: Real>(path: &Path, parameter: &Parameter, view: &TensorView<'_>) -> Result<Vec<E>> {
    let refused = |problem: String| Err(Error::tensor(path, &parameter.name, problem));
    if view.shape() != parameter.shape {
        return refused(format!("shape {:?} where the sizes say {:?}", view.shape(), parameter.shape));
    }
    let dtype = view.dtype();
    match decode(dtype, view.data()) {
        Some(numbers) => Ok(numbers),
        None => refused(format!("type {dtype}, shape {:?}; weights are F64, F32, BF16 or F16", view.shape())),
    }
}

/// Numbers of a type that weights may be stored in.
pub(crate) fn decode<E: Real>(dtype: Dtype, bytes: &[u8]) -> Option<Vec<E>> {
    Some(match dtype {
        Dtype::F64 => bytes.as_chunks().0.iter().map(|b| E::of(f64::from_le_bytes(*b))).collect(),
        Dtype::F32 => bytes.as_chunks().0.iter().map(|b| E::of(f32::from_le_bytes(*b).into())).collect(),
        Dtype::BF16 => bytes.as_chunks().0.iter().map(|b| E::of(bf16(u16::from_le_bytes(*b)))).collect(),
        Dtype::F16 => bytes.as_chunks().0.iter().map(|b| E::of(f16(u16::from_le_bytes(*b)))).collect(),
        _ => return None,
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

/// Bytes of numbers in their own type.
pub(crate) fn little_endian<E: Real>(numbers: &[E]) -> Vec<u8> {
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
