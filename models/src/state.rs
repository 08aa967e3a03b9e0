//! Everything a training run must keep of a model, apart from any file.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors, serialize, serialize_to_file};

use crate::error::{Error, Result};

/// Weights, optimiser moments and step count of a model, as named tensors.
///
/// Taken by [`Model::state`](crate::Model::state), given back to [`Model::restore`](crate::Model::restore), which
/// checks every name, shape and type.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelState {
    /// What it is a state of, such as `table`.
    kind: String,
    steps: u64,
    tensors: BTreeMap<String, Stored>,
}

/// One tensor.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Stored {
    pub(crate) dtype: Dtype,
    pub(crate) shape: Vec<usize>,
    /// Little-endian, row-major.
    pub(crate) bytes: Vec<u8>,
}

/// The tensor that holds the step count; no parameter has a name without a dot at its end.
const STEPS: &str = "steps.";
/// The tensor that holds where a model is kept elsewhere.
const PLACE: &str = "place.";
/// The metadata entry that holds the kind.
const KIND: &str = "oreal_state";

impl ModelState {
    pub(crate) fn new(kind: &str, steps: u64, tensors: BTreeMap<String, Stored>) -> Self {
        Self { kind: kind.to_owned(), steps, tensors }
    }

    /// Of a model elsewhere: where its weights and moments are kept there.
    pub fn elsewhere(kind: &str, steps: u64, place: &str) -> Self {
        let bytes = place.as_bytes().to_vec();
        let stored = Stored { dtype: Dtype::U8, shape: vec![bytes.len()], bytes };
        Self::new(kind, steps, [(PLACE.to_owned(), stored)].into())
    }

    /// What [`ModelState::elsewhere`] was given.
    ///
    /// # Errors
    /// [`Error::State`] for a state of another kind, or one that names no place.
    pub fn place(&self, kind: &str) -> Result<&str> {
        let mut opened = self.open(kind)?;
        let place = opened.find(PLACE, Dtype::U8)?.ok_or_else(|| damaged(format!("tensor `{PLACE}` is missing")))?;
        opened.finish()?;
        std::str::from_utf8(&place.bytes).map_err(|_| damaged(format!("tensor `{PLACE}` is no text")))
    }

    /// Optimiser steps taken so far.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Bytes of all tensors.
    pub fn size(&self) -> usize {
        self.tensors.values().map(|stored| stored.bytes.len()).sum()
    }

    /// As a safetensors file; the same state is the same bytes.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let steps = self.steps.to_le_bytes();
        serialize(self.views(&steps)?, Some(self.metadata())).map_err(|problem| damaged(problem.to_string()))
    }

    /// Writes the bytes of [`ModelState::to_bytes`] to a file, a tensor at a time, so that they are in memory once.
    pub fn write(&self, path: &Path) -> Result<()> {
        let steps = self.steps.to_le_bytes();
        let written = serialize_to_file(self.views(&steps)?, Some(self.metadata()), path);
        written.map_err(|problem| Error::file(path, problem))
    }

    fn views<'a>(&'a self, steps: &'a [u8]) -> Result<Vec<(&'a str, TensorView<'a>)>> {
        let view = |name: &str, dtype, shape: &[usize], bytes| {
            TensorView::new(dtype, shape.to_vec(), bytes)
                .map_err(|problem| damaged(format!("tensor `{name}`: {problem}")))
        };
        let mut views = vec![(STEPS, view(STEPS, Dtype::U64, &[1], steps)?)];
        for (name, Stored { dtype, shape, bytes }) in &self.tensors {
            views.push((name, view(name, *dtype, shape, bytes)?));
        }
        Ok(views)
    }

    /// A single entry: the library writes several in no fixed order.
    fn metadata(&self) -> HashMap<String, String> {
        HashMap::from([(KIND.to_owned(), self.kind.clone())])
    }

    /// Reads what [`ModelState::to_bytes`] wrote.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let broken = |problem: safetensors::SafeTensorError| damaged(format!("not a safetensors file: {problem}"));
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(broken)?;
        let file = SafeTensors::deserialize(bytes).map_err(broken)?;
        let kind = header.metadata().as_ref().and_then(|metadata| metadata.get(KIND));
        let kind = kind.ok_or_else(|| damaged(format!("a safetensors file without `{KIND}` in its metadata")))?;
        let mut tensors = BTreeMap::new();
        for (name, view) in file.tensors() {
            let stored = Stored { dtype: view.dtype(), shape: view.shape().to_vec(), bytes: view.data().to_vec() };
            tensors.insert(name, stored);
        }
        let steps = tensors.remove(STEPS).and_then(|steps| Some(u64::from_le_bytes(steps.bytes.try_into().ok()?)));
        let steps = steps.ok_or_else(|| damaged(format!("the number of steps, tensor `{STEPS}`, is missing")))?;
        Ok(Self { kind: kind.clone(), steps, tensors })
    }

    /// Hands out the tensors, if the state is of this kind.
    pub(crate) fn open(&self, kind: &str) -> Result<Opened<'_>> {
        if self.kind != kind {
            return Err(damaged(format!("of a {} where one of a {kind} is needed", self.kind)));
        }
        Ok(Opened { tensors: self.tensors.iter().map(|(name, stored)| (name.as_str(), stored)).collect() })
    }
}

/// The tensors that nobody asked for yet.
pub(crate) struct Opened<'a> {
    tensors: BTreeMap<&'a str, &'a Stored>,
}

impl<'a> Opened<'a> {
    /// Whether there is a tensor of this name.
    pub(crate) fn holds(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// Takes a tensor of this type out; `None` when there is none of this name.
    pub(crate) fn find(&mut self, name: &str, dtype: Dtype) -> Result<Option<&'a Stored>> {
        match self.tensors.remove(name) {
            Some(stored) if stored.dtype != dtype => {
                Err(damaged(format!("tensor `{name}`: {} where {dtype} is needed", stored.dtype)))
            }
            found => Ok(found),
        }
    }

    /// As [`Opened::find`], of a tensor that must be there with this shape.
    pub(crate) fn take(&mut self, name: &str, dtype: Dtype, shape: &[usize]) -> Result<&'a Stored> {
        let stored = self.find(name, dtype)?.ok_or_else(|| damaged(format!("tensor `{name}` is missing")))?;
        if stored.shape != shape {
            let found = &stored.shape;
            return Err(damaged(format!("tensor `{name}`: shape {found:?} where the model has {shape:?}")));
        }
        Ok(stored)
    }

    /// Refuses tensors that nobody took.
    pub(crate) fn finish(self) -> Result<()> {
        match self.tensors.keys().next() {
            Some(name) => Err(damaged(format!("tensor `{name}` is not one of this model"))),
            None => Ok(()),
        }
    }
}

/// The error for a state that cannot be used.
pub(crate) fn damaged(problem: String) -> Error {
    Error::State { problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> ModelState {
        let stored = |bytes: &[u8]| Stored { dtype: Dtype::F32, shape: vec![bytes.len() / 4], bytes: bytes.to_vec() };
        let tensors = [("b", stored(&[1, 2, 3, 4])), ("a", stored(&[0; 8]))];
        ModelState::new("toy", 1 << 40, tensors.map(|(name, tensor)| (name.to_owned(), tensor)).into())
    }

    #[test]
    fn bytes_hold_everything_and_are_the_same_each_time() {
        let bytes = state().to_bytes().unwrap();
        assert_eq!(ModelState::from_bytes(&bytes).unwrap(), state());
        assert_eq!(bytes, state().to_bytes().unwrap());
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.safetensors");
        state().write(&path).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), bytes, "the file is the same");
        assert!(state().write(folder.path()).unwrap_err().to_string().contains(&folder.path().display().to_string()));
        assert_eq!(state().size(), 12);
    }

    #[test]
    fn damaged_bytes_are_refused() {
        let bytes = state().to_bytes().unwrap();
        for length in 0..bytes.len() {
            assert!(ModelState::from_bytes(&bytes[..length]).is_err(), "{length} of {} bytes", bytes.len());
        }
        let plain = serialize(Vec::<(&str, TensorView<'_>)>::new(), None).unwrap();
        assert!(ModelState::from_bytes(&plain).unwrap_err().to_string().contains(KIND));
    }

    #[test]
    fn only_a_state_of_the_same_kind_and_tensors_is_opened() {
        let state = state();
        let message = state.open("table").err().unwrap().to_string();
        assert!(message.contains("of a toy where one of a table"), "{message}");
        let opened = || state.open("toy").unwrap();
        assert!(opened().take("c", Dtype::F32, &[1]).unwrap_err().to_string().contains("`c` is missing"));
        assert!(opened().take("b", Dtype::F64, &[1]).unwrap_err().to_string().contains("`b`: F32 where F64"));
        assert!(opened().take("b", Dtype::F32, &[2]).unwrap_err().to_string().contains("shape [1]"));
        let mut some = opened();
        some.take("a", Dtype::F32, &[2]).unwrap();
        assert!(some.finish().unwrap_err().to_string().contains("`b` is not one of this model"));
    }
}
