//! A [`Table`] as a safetensors file: states as runs of tokens, their numbers as two tensors.

use std::path::Path;

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors, serialize};

use super::{Row, State, Table};
use crate::data::Token;
use crate::error::{Error, Result};
use crate::file;
use crate::optim::Optimiser;

pub(super) fn bytes(table: &Table) -> Vec<u8> {
    let states = table.rows.len();
    let lengths = |s: &State| [s.prompt.len() as u32, s.prefix.len() as u32];
    let lengths = bytes_u32(table.rows.keys().flat_map(lengths));
    let tokens = table.rows.keys().flat_map(|s| s.prompt.iter().chain(&s.prefix));
    let tokens = bytes_u32(tokens.copied());
    let logits = bytes_f64(table.rows.values().flat_map(|row| row.logits.iter().copied()));
    let scalars = bytes_f64(table.rows.values().map(|row| row.scalar));
    let view = |dtype, shape: Vec<usize>, bytes| {
        TensorView::new(dtype, shape, bytes).expect("as many bytes as the shape says")
    };
    let tensors = [
        ("lengths", view(Dtype::U32, vec![states, 2], &lengths)),
        ("tokens", view(Dtype::U32, vec![tokens.len() / 4], &tokens)),
        ("logits", view(Dtype::F64, vec![states, table.vocabulary], &logits)),
        ("scalars", view(Dtype::F64, vec![states], &scalars)),
    ];
    serialize(tensors, None).expect("four valid tensors")
}

pub(super) fn read(path: &Path, optimiser: &Optimiser) -> Result<Table> {
    let bytes = file::read(path)?;
    let stored = SafeTensors::deserialize(&bytes)
        .map_err(|problem| Error::file(path, format!("not a safetensors file: {problem}")))?;
    let get = |name: &'static str, dtype: Dtype| {
        let view =
            stored.tensor(name).map_err(|_| Error::tensor(path, name, "missing: this is not the file of a table"))?;
        if view.dtype() != dtype {
            let problem = format!("{} where {dtype} is needed", view.dtype());
            return Err(Error::tensor(path, name, problem));
        }
        Ok(view)
    };
    let lengths = get("lengths", Dtype::U32)?;
    let logits = get("logits", Dtype::F64)?;
    let scalars = numbers_f64(get("scalars", Dtype::F64)?.data());
    let mut tokens = numbers_u32(get("tokens", Dtype::U32)?.data()).into_iter();
    let lengths = numbers_u32(lengths.data());
    let &[states, vocabulary] = logits.shape() else {
        return Err(Error::tensor(path, "logits", "its shape is not [states, vocabulary]"));
    };
    let total: usize = lengths.iter().map(|&n| n as usize).sum();
    if lengths.len() != 2 * states || scalars.len() != states || tokens.len() != total {
        return Err(Error::file(path, "its tensors do not describe the same states: it is damaged"));
    }
    let mut take = |n: u32| -> Vec<Token> { tokens.by_ref().take(n as usize).collect() };
    let mut table = Table::new(vocabulary, optimiser);
    let logits = numbers_f64(logits.data());
    for (i, scalar) in scalars.into_iter().enumerate() {
        let state = State { prompt: take(lengths[2 * i]), prefix: take(lengths[2 * i + 1]) };
        let logits = logits[i * vocabulary..][..vocabulary].to_vec();
        table.rows.insert(state, Row { logits, scalar });
    }
    Ok(table)
}

fn bytes_u32(numbers: impl Iterator<Item = u32>) -> Vec<u8> {
    numbers.flat_map(u32::to_le_bytes).collect()
}

fn bytes_f64(numbers: impl Iterator<Item = f64>) -> Vec<u8> {
    numbers.flat_map(f64::to_le_bytes).collect()
}

fn numbers_u32(bytes: &[u8]) -> Vec<u32> {
    bytes.as_chunks().0.iter().map(|b| u32::from_le_bytes(*b)).collect()
}

fn numbers_f64(bytes: &[u8]) -> Vec<f64> {
    bytes.as_chunks().0.iter().map(|b| f64::from_le_bytes(*b)).collect()
}
