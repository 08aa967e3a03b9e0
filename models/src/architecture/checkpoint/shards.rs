//! The weight files of a checkpoint, and which tensor is in which.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use safetensors::{Dtype, SafeTensors};
use serde::Deserialize;

use crate::architecture::Config;
use crate::data::Head;
use crate::error::{Error, Result};
use crate::file;
use crate::mapped::Mapped;

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

/// The files, mapped, and where each tensor is in them.
#[derive(Debug)]
pub(super) struct Shards {
    files: Vec<(PathBuf, Mapped)>,
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
    pub(super) bytes: &'a [u8],
}

impl Shards {
    /// Maps the files, none of them longer than a model of these sizes can make it. Each tensor is in one file only,
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
            let mapped = Mapped::open(&path, most)?;
            shards.add(path, mapped, index.as_ref())?;
        }
        if let Some(index) = &index
            && let Some((name, path)) = index.iter().find(|(name, _)| !shards.tensors.contains_key(*name))
        {
            return Err(Error::tensor(path, name, format!("missing, though {INDEX} says that it is in this file")));
        }
        Ok(shards)
    }

    fn add(&mut self, path: PathBuf, mapped: Mapped, index: Option<&BTreeMap<String, PathBuf>>) -> Result<()> {
        let broken = |problem| Error::file(&path, format!("not a whole safetensors file: {problem}"));
        let (header, metadata) = SafeTensors::read_metadata(&mapped).map_err(broken)?;
        for (name, info) in metadata.tensors() {
            if let Some(other) = self.tensors.get(&name) {
                let other = self.files[other.file].0.display();
                return Err(Error::tensor(&path, &name, format!("it is in {other} too")));
            }
            if index.is_some_and(|index| index.get(&name) != Some(&path)) {
                return Err(Error::tensor(&path, &name, format!("{INDEX} does not say that it is in this file")));
            }
            // The length of the header stands before it, in eight bytes.
            let (start, (first, end)) = (8 + header, info.data_offsets);
            let bytes = start + first..start + end;
            let place = Place { file: self.files.len(), dtype: info.dtype, shape: info.shape.clone(), bytes };
            self.tensors.insert(name, place);
        }
        self.files.push((path, mapped));
        Ok(())
    }

    /// A file to name when a tensor is in none.
    pub(super) fn first(&self) -> &Path {
        self.files.first().map_or(Path::new(""), |(path, _)| path)
    }

    /// Every tensor with its file.
    pub(super) fn names(&self) -> impl Iterator<Item = (&str, &Path)> {
        self.tensors.iter().map(|(name, place)| (name.as_str(), self.files[place.file].0.as_path()))
    }

    pub(super) fn find(&self, name: &str) -> Option<Found<'_>> {
        let Place { file, dtype, shape, bytes } = self.tensors.get(name)?;
        let (file, mapped) = &self.files[*file];
        Some(Found { file, dtype: *dtype, shape, bytes: mapped.get(bytes.clone())? })
    }
}
