//! Writing checkpoints that transformers loads: tensor after tensor, without a second copy of the weights.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs;
use std::io::{self, Write};
use std::ops::Range;
use std::path::Path;

use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};
use serde_json::json;

use super::json::{self, Entries};
use super::numbers::to_bf16;
use super::shards::{INDEX, SINGLE, is_weight_file};
use crate::architecture::{Config, Parameter};
use crate::data::Head;
use crate::error::{Error, Result};
use crate::file::{self, Partial};
use crate::real::Real;

/// The type in which weights are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// That of the model's numbers: every bit is kept. `F32`, or `F64` for a model in `f64`.
    #[default]
    Full,
    /// `BF16`: rounded to 8 bits of fraction, half the size of `F32`.
    Bf16,
}

/// How a checkpoint is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Saving {
    /// The type of the weights.
    pub precision: Precision,
    /// Bytes of weights in a file, at most, except where one tensor is larger. More are written as several files with
    /// an index.
    pub shard_size: u64,
}

impl Default for Saving {
    /// Every bit, in files of up to 5 GB.
    fn default() -> Self {
        Self { precision: Precision::Full, shard_size: 5_000_000_000 }
    }
}

/// What is written.
pub(crate) struct Source<'a> {
    pub(crate) config: &'a Config,
    /// The `config.json` that the model was read with.
    pub(crate) entries: Option<&'a Entries>,
    pub(crate) head: Head,
    pub(crate) parameters: &'a [Parameter],
}

/// Writes `config.json` and the weights; `path` is a folder, or the name of the one weight file if it ends in
/// `.safetensors`. The same weights are the same bytes.
///
/// Every file is written whole under another name first. Then weights of a folder that would contradict the new ones
/// are removed (another index, files that it may name), and the new files get their names, the index last: at no time
/// does a reader find a mixture.
///
/// transformers loads a vocabulary head as the family's `ForCausalLM`, and a scalar head as its
/// `ForSequenceClassification` with one label: its `score.weight` has no bias either. (It reports the score after the
/// last token only, and needs `pad_token_id` set for batches.)
pub(crate) fn write<'w, E: Real>(
    path: &Path,
    how: &Saving,
    source: &Source<'_>,
    numbers: impl Fn(usize) -> Cow<'w, [E]>,
) -> Result<()> {
    let is_file = is_weight_file(path);
    let folder = if is_file { path.parent().unwrap_or(Path::new("")) } else { path };
    if !folder.as_os_str().is_empty() {
        fs::create_dir_all(folder).map_err(|problem| Error::file(folder, problem))?;
    }
    let stored = match how.precision {
        Precision::Full => E::STORED,
        Precision::Bf16 => Dtype::BF16,
    };
    let most = if is_file { u64::MAX } else { how.shard_size };
    let shards = shards(source.parameters, stored, most);
    let mut partials = Vec::new();
    for (number, shard) in (1..).zip(&shards) {
        let file = match (is_file, shards.len()) {
            (true, _) => path.to_owned(),
            (false, 1) => folder.join(SINGLE),
            (false, count) => folder.join(shard_name(number, count)),
        };
        partials.push(shard_file(&file, &source.parameters[shard.clone()], stored, |i| numbers(shard.start + i))?);
    }
    let config = folder.join("config.json");
    let entries = json::entries(source.config, source.entries, source.head, stored);
    let entries = serde_json::to_vec_pretty(&entries).map_err(|problem| Error::file(&config, problem))?;
    if !is_file {
        remove_others(folder, shards.len() > 1)?;
    }
    file::write(&config, &entries)?;
    partials.into_iter().try_for_each(Partial::place)?;
    if !is_file && shards.len() > 1 {
        let path = folder.join(INDEX);
        let index = serde_json::to_vec_pretty(&index(source.parameters, &shards, stored));
        file::write(&path, &index.map_err(|problem| Error::file(&path, problem))?)?;
    }
    Ok(())
}

/// As Hugging Face names one of several weight files, counted from 1.
fn shard_name(number: usize, count: usize) -> String {
    format!("model-{number:05}-of-{count:05}.safetensors")
}

fn is_shard_name(name: &str) -> bool {
    let numbers = name.strip_prefix("model-").and_then(|name| name.strip_suffix(".safetensors"));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    numbers.and_then(|name| name.split_once("-of-")).is_some_and(|(i, n)| is_number(i) && is_number(n))
}

/// Removes the index first, so that the files of a previous save are never read beside new ones.
fn remove_others(folder: &Path, is_sharded: bool) -> Result<()> {
    let remove = |path: &Path| match fs::remove_file(path) {
        Err(problem) if problem.kind() != io::ErrorKind::NotFound => Err(Error::file(path, problem)),
        _ => Ok(()),
    };
    remove(&folder.join(INDEX))?;
    if is_sharded {
        remove(&folder.join(SINGLE))?;
    }
    for entry in fs::read_dir(folder).map_err(|problem| Error::file(folder, problem))? {
        let entry = entry.map_err(|problem| Error::file(folder, problem))?;
        if entry.file_name().to_str().is_some_and(is_shard_name) {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

fn bytes(parameter: &Parameter, stored: Dtype) -> u64 {
    (parameter.count() * stored.bitsize() / 8) as u64
}

/// Parameters of each file, in order, at most this many bytes but at least one parameter.
fn shards(parameters: &[Parameter], stored: Dtype, most: u64) -> Vec<Range<usize>> {
    let (mut shards, mut size) = (Vec::<Range<usize>>::new(), 0u64);
    for (i, parameter) in parameters.iter().enumerate() {
        let more = bytes(parameter, stored);
        match shards.last_mut() {
            Some(last) if size.saturating_add(more) <= most => {
                last.end = i + 1;
                size += more;
            }
            _ => {
                shards.push(i..i + 1);
                size = more;
            }
        }
    }
    shards
}

fn index(parameters: &[Parameter], shards: &[Range<usize>], stored: Dtype) -> serde_json::Value {
    let mut files = Entries::new();
    for (number, shard) in (1..).zip(shards) {
        let name = shard_name(number, shards.len());
        files.extend(parameters[shard.clone()].iter().map(|p| (p.name.clone(), name.clone().into())));
    }
    let total: u64 = parameters.iter().map(|parameter| bytes(parameter, stored)).sum();
    json!({ "metadata": { "total_size": total }, "weight_map": files })
}

/// Numbers that are turned into bytes at a time.
const AT_ONCE: usize = 1 << 16;

/// One weight file, beside its place.
fn shard_file<'w, E: Real>(
    path: &Path,
    parameters: &[Parameter],
    stored: Dtype,
    numbers: impl Fn(usize) -> Cow<'w, [E]>,
) -> Result<Partial> {
    let header = header(parameters, stored).map_err(|problem| Error::file(path, problem))?;
    let mut wrong = None;
    let partial = Partial::write(path, |file| {
        file.write_all(&(header.len() as u64).to_le_bytes())?;
        file.write_all(&header)?;
        let mut bytes = Vec::new();
        for (i, parameter) in parameters.iter().enumerate() {
            for numbers in numbers(i).chunks(AT_ONCE) {
                if !numbers.iter().all(|x| x.is_finite()) {
                    wrong = Some(parameter.name.clone());
                    return Err(io::Error::other("a weight is not finite"));
                }
                bytes.clear();
                match stored {
                    Dtype::BF16 => bytes.extend(numbers.iter().flat_map(|x| to_bf16(*x))),
                    _ => numbers.iter().for_each(|x| x.store(&mut bytes)),
                }
                file.write_all(&bytes)?;
            }
        }
        Ok(())
    });
    match wrong {
        Some(name) => Err(Error::tensor(path, &name, "holds NaN or an infinity: it is not written")),
        None => partial,
    }
}

/// The JSON that a safetensors file begins with, padded to whole words of eight bytes.
fn header(parameters: &[Parameter], stored: Dtype) -> std::result::Result<Vec<u8>, String> {
    let mut end = 0;
    let info = |parameter: &Parameter| {
        let start = end;
        end += parameter.count() * stored.bitsize() / 8;
        let info = TensorInfo { dtype: stored, shape: parameter.shape.clone(), data_offsets: (start, end) };
        (parameter.name.clone(), info)
    };
    let tensors = parameters.iter().map(info).collect();
    // A single entry: several have no fixed order.
    let format = HashMap::from([("format".into(), "pt".into())]);
    let metadata = Metadata::new(Some(format), tensors).map_err(|problem| problem.to_string())?;
    let mut header = serde_json::to_vec(&metadata).map_err(|problem| problem.to_string())?;
    header.resize(header.len().next_multiple_of(8), b' ');
    Ok(header)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_shards_are_removed() {
        assert!(is_shard_name("model-00001-of-00002.safetensors") && is_shard_name(&shard_name(3, 4)));
        for other in [
            "model.safetensors",
            "model-1.safetensors",
            "model-a-of-b.safetensors",
            "model-1-of-2.bin",
            "policy-1-of-2.safetensors",
        ] {
            assert!(!is_shard_name(other), "{other}");
        }
    }
}
