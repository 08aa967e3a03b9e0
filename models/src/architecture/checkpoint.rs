//! Checkpoints of Hugging Face: weights as safetensors under its names, with `config.json` beside them.

mod json;
mod numbers;
mod refused;
mod shards;
mod write;

use std::collections::HashSet;
use std::path::Path;

use safetensors::Dtype;

use super::{Config, Parameter};
use crate::data::Head;
use crate::error::{Error, Result};
use crate::mapped::Piece;
use crate::real::Real;
pub(crate) use json::Entries;
use numbers::Fault;
pub(crate) use numbers::{decode, little_endian};
use shards::Shards;
pub use write::{Precision, Saving};
pub(crate) use write::{Source, write};

/// A checkpoint whose weights are read one at a time: while it is read, memory holds no second copy of all of them.
#[derive(Debug)]
pub struct Checkpoint {
    config: Config,
    entries: Entries,
    shards: Shards,
}

impl Checkpoint {
    /// Opens what [`Model::save`](crate::Model::save) of a transformer wrote, or a checkpoint of Hugging Face. `path` is
    /// a weight file with `config.json` beside it, or a folder with one of
    /// - `model.safetensors.index.json`, which says which tensor is in which file;
    /// - a single weight file, `model.safetensors`.
    ///
    /// Settings of `config.json` that would change the arithmetic in a way that is not implemented are errors: other
    /// families and activations, rotary scaling other than `linear` and `llama3`, sliding windows, quantised weights,
    /// mixtures of experts.
    ///
    /// # Errors
    /// [`Error::File`] or [`Error::Tensor`], naming the file, the key or the tensor. A tensor that is no weight of this
    /// transformer is one. Left aside, as by transformers, are `lm_head.weight` where the head is tied to the embedding,
    /// even if it holds other numbers; the head that is not asked for; and `rotary_emb.inv_freq` of old checkpoints,
    /// which follows from `config.json`.
    pub fn open(path: &Path) -> Result<Self> {
        let files = shards::files(path)?;
        let (config, entries) = json::read(&shards::folder(path).join("config.json"))?;
        let shards = Shards::open(files, &config)?;
        let known: HashSet<String> = config.parameters(Head::Vocabulary).into_iter().map(|p| p.name).collect();
        let is_known = |name: &str| {
            let head = ["lm_head.weight", "score.weight"].contains(&name);
            head || name.ends_with(".rotary_emb.inv_freq") || known.contains(name)
        };
        if let Some((name, file)) = shards.names().find(|(name, _)| !is_known(name)) {
            return Err(Error::tensor(file, name, "not a weight of this transformer: check config.json"));
        }
        Ok(Self { config, entries, shards })
    }

    /// Family and sizes.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Scalar where there is a `score.weight`.
    pub fn head(&self) -> Head {
        if self.shards.find("score.weight").is_some() { Head::Scalar } else { Head::Vocabulary }
    }

    /// All that `config.json` says.
    pub(crate) fn entries(&self) -> &Entries {
        &self.entries
    }

    /// The same.
    pub(crate) fn into_entries(self) -> Entries {
        self.entries
    }

    /// One of [`Config::parameters`], row-major, converted on all threads. A scalar head that the files do not have is
    /// zero.
    ///
    /// # Errors
    /// [`Error::Tensor`] when it is missing, of another shape or type, or holds NaN or an infinity.
    pub fn read<E: Real>(&self, parameter: &Parameter) -> Result<Vec<E>> {
        let Some((file, dtype, bytes)) = self.stored(parameter)? else {
            return Ok(vec![E::ZERO; parameter.count()]);
        };
        match numbers::decode_finite(dtype, &bytes) {
            Ok(numbers) => Ok(numbers),
            Err(Fault::NotFinite) => {
                Err(Error::tensor(file, &parameter.name, "holds NaN, an infinity or a number too large"))
            }
            Err(Fault::Type) => {
                let problem = format!("type {dtype}; weights are F64, F32, BF16 or F16");
                Err(Error::tensor(file, &parameter.name, problem))
            }
        }
    }

    /// A parameter that is stored in bf16, as it lies in its file, row-major; `None` for one of another type, and for a
    /// scalar head that there is not.
    ///
    /// # Errors
    /// As [`Checkpoint::read`].
    pub(crate) fn half(&self, parameter: &Parameter) -> Result<Option<Piece>> {
        match self.stored(parameter)? {
            Some((file, Dtype::BF16, bytes)) if !numbers::is_finite(Dtype::BF16, &bytes) => {
                Err(Error::tensor(file, &parameter.name, "holds NaN or an infinity"))
            }
            Some((_, Dtype::BF16, bytes)) => Ok(Some(bytes)),
            _ => Ok(None),
        }
    }

    /// File, type and bytes of a parameter, of the right shape; `None` for a scalar head that there is not.
    fn stored(&self, parameter: &Parameter) -> Result<Option<(&Path, Dtype, Piece)>> {
        let Parameter { name, shape, .. } = parameter;
        match self.shards.find(name) {
            None if name == "score.weight" => Ok(None),
            None => Err(Error::tensor(self.shards.first(), name, format!("missing; it should be {shape:?}"))),
            Some(found) if found.shape != *shape => {
                let problem = format!("shape {:?} where the sizes say {shape:?}", found.shape);
                Err(Error::tensor(found.file, name, problem))
            }
            Some(found) => Ok(Some((found.file, found.dtype, found.bytes()?))),
        }
    }
}

impl Config {
    /// The sizes of a checkpoint: a folder, or a weight file with `config.json` beside it. Weights are not read.
    ///
    /// # Errors
    /// As [`Checkpoint::open`].
    pub fn read(path: &Path) -> Result<Self> {
        Ok(json::read(&shards::folder(path).join("config.json"))?.0)
    }
}
