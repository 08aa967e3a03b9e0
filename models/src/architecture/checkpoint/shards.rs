//! The weight files of a checkpoint, and which tensor is in which.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use safetensors::Dtype;
use safetensors::tensor::Metadata;
use serde::Deserialize;

use crate::architecture::Config;
use crate::data::Head;
use crate::error::{Error, Result};
use crate::file;
use crate::mapped::{Mapped, Piece};

/// The weight file of a folder that has only one.
pub(super) const SINGLE: &str = "model.safetensors";

/// Says which tensor is in which of several weight files.
pub(super) const INDEX: &str = "model.safetensors.index.json";

/// Which files to read.
pub(super) enum Files {
    /// All tensors are in this one.
    One(PathBuf),
    /// File of each tensor.
    Several(BTreeMap<String, PathBuf>),
}

#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

pub(super) fn is_weight_file(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "safetensors")
}

/// Where `config.json` is.
pub(super) fn folder(path: &Path) -> &Path {
    if path.is_dir() { path } else { path.parent().unwrap_or(Path::new("")) }
}

/// The files that `path` stands for: see [`Checkpoint::open`](super::Checkpoint::open).
pub(super) fn files(path: &Path) -> Result<Files> {
    if !fs::metadata(path).map_err(|problem| Error::file(path, problem))?.is_dir() {
        return Ok(Files::One(path.to_owned()));
    }
    let index = path.join(INDEX);
    let there = weight_files(path)?;
    if index.exists() {
        let several = indexed(&index)?;
        // Two sets of weights in one folder: nothing says which of them is meant.
        if there.iter().any(|name| name == SINGLE) && !several.values().any(|file| file.ends_with(SINGLE)) {
            return Err(Error::file(
                path,
                format!("holds both {SINGLE} and {INDEX}, which does not name it: remove one"),
            ));
        }
        return Ok(Files::Several(several));
    }
    match &there[..] {
        [] => Err(Error::file(path, "the folder holds no .safetensors file")),
        [only] if only == SINGLE => Ok(Files::One(path.join(SINGLE))),
        several => {
            let names = several.join(", ");
            let problem = format!(
                "the folder has no {INDEX}, and its weight files are {names}: {SINGLE} alone is read, or the path of one file"
            );
            Err(Error::file(path, problem))
        }
    }
}

/// Names of the weight files in a folder, in order.
fn weight_files(folder: &Path) -> Result<Vec<String>> {
    let failed = |problem| Error::file(folder, problem);
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if is_weight_file(&path) {
            names.extend(path.file_name().map(|name| name.to_string_lossy().into_owned()));
        }
    }
    names.sort();
    Ok(names)
}

fn indexed(index: &Path) -> Result<BTreeMap<String, PathBuf>> {
    let wrong = |problem: String| Error::file(index, problem);
    let Index { weight_map } =
        serde_json::from_slice(&file::read(index, file::MOST_TEXT)?).map_err(|problem| wrong(problem.to_string()))?;
    if weight_map.is_empty() {
        return Err(wrong("weight_map names no tensor".into()));
    }
    let located = |(tensor, name): (String, String)| {
        let path = index.with_file_name(&name);
        if Path::new(&name).components().count() != 1 || !is_weight_file(&path) {
            return Err(wrong(format!("weight_map: {name:?} is not the name of a .safetensors file beside it")));
        }
        Ok((tensor, path))
    };
    weight_map.into_iter().map(located).collect()
}

/// Longest header of a safetensors file: that of the library.
const MOST_HEADER: usize = 100_000_000;

/// What the header of a file says, and where the tensors begin after it. The header is copied before it is read.
fn header(mapped: &Mapped) -> Result<(usize, Metadata)> {
    let broken = |problem: String| Error::file(mapped.path(), format!("not a whole safetensors file: {problem}"));
    let all = mapped.length();
    let length = if all < 8 { None } else { mapped.piece(0..8)?.first_chunk().map(|bytes| u64::from_le_bytes(*bytes)) };
    let length = length.and_then(|length| usize::try_from(length).ok()).filter(|length| *length <= MOST_HEADER);
    let start = length.map(|length| length + 8).filter(|start| *start <= all);
    let start = start.ok_or_else(|| broken("it does not begin with the length of a header".into()))?;
    let header = mapped.piece(8..start)?.to_vec();
    let metadata: Metadata = serde_json::from_slice(&header).map_err(|problem| broken(problem.to_string()))?;
    if metadata.data_len() != all - start {
        let (said, there) = (metadata.data_len(), all - start);
        return Err(broken(format!("its header speaks of {said} bytes of tensors, and it has {there}")));
    }
    Ok((start, metadata))
}

/// The files, and where each tensor is in them.
#[derive(Debug)]
pub(super) struct Shards {
    files: Vec<Mapped>,
    tensors: BTreeMap<String, Place>,
}

/// Where a tensor is.
#[derive(Debug)]
struct Place {
    file: usize,
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Range<usize>,
}

/// A tensor as it is stored.
pub(super) struct Found<'a> {
    pub(super) file: &'a Path,
    pub(super) dtype: Dtype,
    pub(super) shape: &'a [usize],
    place: (&'a Mapped, &'a Range<usize>),
}

impl Shards {
    /// Opens the files, none of them longer than a model of these sizes can make it. Each tensor is in one file only,
    /// and in that which the index names.
    pub(super) fn open(files: Files, config: &Config) -> Result<Self> {
        let (mut paths, index): (Vec<PathBuf>, _) = match files {
            Files::One(path) => (vec![path], None),
            Files::Several(tensors) => (tensors.values().cloned().collect(), Some(tensors)),
        };
        paths.sort();
        paths.dedup();
        // Eight bytes a number, with an untied head that may be stored though it is not used, and a header.
        let untied = Config { tie_word_embeddings: false, ..config.clone() };
        let numbers = untied.parameter_count(Head::Vocabulary).and_then(|count| u64::try_from(count).ok());
        let most =
            numbers.and_then(|numbers| numbers.checked_mul(8)).unwrap_or(u64::MAX).saturating_add(file::MOST_TEXT);
        let mut shards = Self { files: Vec::new(), tensors: BTreeMap::new() };
        for path in paths {
            shards.add(Mapped::open(&path, most)?, index.as_ref())?;
        }
        if let Some(index) = &index
            && let Some((name, path)) = index.iter().find(|(name, _)| !shards.tensors.contains_key(*name))
        {
            return Err(Error::tensor(path, name, format!("missing, though {INDEX} says that it is in this file")));
        }
        Ok(shards)
    }

    fn add(&mut self, mapped: Mapped, index: Option<&BTreeMap<String, PathBuf>>) -> Result<()> {
        let path = mapped.path();
        let (first_byte, metadata) = header(&mapped)?;
        for (name, info) in metadata.tensors() {
            if let Some(other) = self.tensors.get(&name) {
                let other = self.files[other.file].path().display();
                return Err(Error::tensor(path, &name, format!("it is in {other} too")));
            }
            if index.is_some_and(|index| index.get(&name).map(PathBuf::as_path) != Some(path)) {
                return Err(Error::tensor(path, &name, format!("{INDEX} does not say that it is in this file")));
            }
            let bytes = first_byte + info.data_offsets.0..first_byte + info.data_offsets.1;
            let place = Place { file: self.files.len(), dtype: info.dtype, shape: info.shape.clone(), bytes };
            self.tensors.insert(name, place);
        }
        self.files.push(mapped);
        Ok(())
    }

    /// A file to name when a tensor is in none.
    pub(super) fn first(&self) -> &Path {
        self.files.first().map_or(Path::new(""), Mapped::path)
    }

    /// Every tensor with its file.
    pub(super) fn names(&self) -> impl Iterator<Item = (&str, &Path)> {
        self.tensors.iter().map(|(name, place)| (name.as_str(), self.files[place.file].path()))
    }

    pub(super) fn find(&self, name: &str) -> Option<Found<'_>> {
        let Place { file, dtype, shape, bytes } = self.tensors.get(name)?;
        let mapped = &self.files[*file];
        Some(Found { file: mapped.path(), dtype: *dtype, shape, place: (mapped, bytes) })
    }
}

impl Found<'_> {
    /// Little-endian, row-major; in memory as long as this lives.
    pub(super) fn bytes(&self) -> Result<Piece> {
        let (mapped, bytes) = self.place;
        mapped.piece(bytes.clone())
    }
}
