//! A [`Table`] as named tensors: states as runs of tokens, their parameters and moments as one row each.

use std::collections::BTreeMap;
use std::path::Path;

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors, serialize};

use super::{State, Table, TableRow};
use crate::error::{Error, Result};
use crate::file;
use crate::optim::{Moments, Optimiser};
use crate::state::{ModelState, Stored, damaged};

/// What a [`ModelState`] of a table is called.
const KIND: &str = "table";

/// The moments, in the order of their tensors.
const MOMENTS: [[&str; 2]; 2] = [["first.logits", "second.logits"], ["first.scalars", "second.scalars"]];

/// The weights as a safetensors file.
pub(super) fn bytes(table: &Table) -> Result<Vec<u8>> {
    let tensors = weights(table);
    let views = tensors.iter().map(|(name, stored)| {
        TensorView::new(stored.dtype, stored.shape.clone(), &stored.bytes).map(|view| (name.as_str(), view))
    });
    let views: std::result::Result<Vec<_>, _> = views.collect();
    views.and_then(|views| serialize(views, None)).map_err(|problem| damaged(problem.to_string()))
}

/// Reads what [`bytes`] made.
pub(super) fn read(path: &Path, optimiser: &Optimiser) -> Result<Table> {
    let bytes = file::read(path, u64::MAX)?;
    let file = SafeTensors::deserialize(&bytes)
        .map_err(|problem| Error::file(path, format!("not a safetensors file: {problem}")))?;
    let stored = |(name, view): (String, TensorView<'_>)| {
        (name, Stored { dtype: view.dtype(), shape: view.shape().to_vec(), bytes: view.data().to_vec() })
    };
    let tensors: BTreeMap<String, Stored> = file.tensors().into_iter().map(stored).collect();
    let vocabulary = match tensors.get("logits").map(|logits| &logits.shape[..]) {
        Some(&[_, vocabulary]) => vocabulary,
        Some(_) => return Err(Error::tensor(path, "logits", "its shape is not [states, vocabulary]")),
        None => return Err(Error::tensor(path, "logits", "missing: this is not the file of a table")),
    };
    let mut table = Table::new(vocabulary, optimiser)?;
    match restore(&mut table, &ModelState::new(KIND, 0, tensors)) {
        Err(Error::State { problem }) => Err(Error::file(path, problem)),
        other => other.map(|()| table),
    }
}

/// Weights, moments and steps.
pub(super) fn state(table: &Table) -> ModelState {
    let mut tensors = weights(table);
    let states = table.rows.len();
    for (names, width, which) in [(MOMENTS[0], table.vocabulary, 0), (MOMENTS[1], 1, 1)] {
        for (order, name) in names.into_iter().enumerate() {
            let mut numbers = Vec::with_capacity(states * width);
            for state in table.rows.keys() {
                match table.moments.get(state) {
                    Some(moments) => numbers.extend(moments[which].number(order, width)),
                    None => numbers.resize(numbers.len() + width, 0.0),
                }
            }
            tensors.insert(name.to_owned(), doubles(vec![states, width], numbers));
        }
    }
    ModelState::new(KIND, table.steps, tensors)
}

/// Replaces weights, moments and steps; all of them or, with an error, none.
pub(super) fn restore(table: &mut Table, state: &ModelState) -> Result<()> {
    let mut opened = state.open(KIND)?;
    let lengths = opened.find("lengths", Dtype::U32)?.ok_or_else(|| damaged("tensor `lengths` is missing".into()))?;
    let &[states, 2] = &lengths.shape[..] else {
        return Err(damaged(format!("tensor `lengths`: shape {:?} where [states, 2] is needed", lengths.shape)));
    };
    let lengths = numbers_u32(&lengths.bytes);
    let total = lengths.iter().try_fold(0usize, |sum, &length| sum.checked_add(length as usize));
    let total = total.ok_or_else(|| damaged("tensor `lengths`: more tokens than memory can hold".into()))?;
    let tokens = numbers_u32(&opened.take("tokens", Dtype::U32, &[total])?.bytes);
    let width = table.vocabulary;
    let logits = numbers_f64(&opened.take("logits", Dtype::F64, &[states, width])?.bytes);
    let scalars = numbers_f64(&opened.take("scalars", Dtype::F64, &[states])?.bytes);
    let mut moments = Vec::new();
    for (names, width) in [(MOMENTS[0], width), (MOMENTS[1], 1)] {
        for name in names {
            let found = opened.find(name, Dtype::F64)?.map(|stored| (numbers_f64(&stored.bytes), &stored.shape));
            match found {
                Some((numbers, shape)) if *shape == [states, width] => moments.push((numbers, width)),
                Some((_, shape)) => {
                    return Err(damaged(format!("tensor `{name}`: shape {shape:?} for {states} states")));
                }
                None => {}
            }
        }
    }
    opened.finish()?;
    if let Some(token) = tokens.iter().find(|token| **token as usize >= width) {
        return Err(damaged(format!("tensor `tokens`: token {token} is outside the vocabulary of {width}")));
    }
    let mut restored = Table { rows: BTreeMap::new(), gradient: BTreeMap::new(), moments: BTreeMap::new(), ..*table };
    restored.steps = state.steps();
    let mut rest = &tokens[..];
    for i in 0..states {
        let (prompt, after) = rest.split_at(lengths[2 * i] as usize);
        let (prefix, after) = after.split_at(lengths[2 * i + 1] as usize);
        rest = after;
        let key = State::new(prompt, prefix);
        if let [m1, m2, s1, s2] = &moments[..] {
            let part = |(numbers, width): &(Vec<f64>, usize)| numbers[i * width..][..*width].to_vec();
            let moments = [Moments::from([part(m1), part(m2)]), Moments::from([part(s1), part(s2)])];
            restored.moments.insert(key.clone(), moments);
        }
        let row = TableRow { logits: logits[i * width..][..width].to_vec(), scalar: scalars[i] };
        if restored.rows.insert(key, row).is_some() {
            return Err(damaged(format!("state {i} is there twice")));
        }
    }
    *table = restored;
    Ok(())
}

fn weights(table: &Table) -> BTreeMap<String, Stored> {
    let states = table.rows.len();
    let lengths =
        words(vec![states, 2], table.rows.keys().flat_map(|s| [s.prompt.len() as u32, s.prefix.len() as u32]));
    let tokens: Vec<u32> = table.rows.keys().flat_map(|s| s.prompt.iter().chain(&s.prefix).copied()).collect();
    let logits = table.rows.values().flat_map(|row| row.logits.iter().copied());
    let scalars = table.rows.values().map(|row| row.scalar);
    [
        ("lengths", lengths),
        ("tokens", words(vec![tokens.len()], tokens)),
        ("logits", doubles(vec![states, table.vocabulary], logits)),
        ("scalars", doubles(vec![states], scalars)),
    ]
    .map(|(name, stored)| (name.to_owned(), stored))
    .into()
}

fn words(shape: Vec<usize>, numbers: impl IntoIterator<Item = u32>) -> Stored {
    Stored { dtype: Dtype::U32, shape, bytes: numbers.into_iter().flat_map(u32::to_le_bytes).collect() }
}

fn doubles(shape: Vec<usize>, numbers: impl IntoIterator<Item = f64>) -> Stored {
    Stored { dtype: Dtype::F64, shape, bytes: numbers.into_iter().flat_map(f64::to_le_bytes).collect() }
}

fn numbers_u32(bytes: &[u8]) -> Vec<u32> {
    bytes.as_chunks().0.iter().map(|b| u32::from_le_bytes(*b)).collect()
}

fn numbers_f64(bytes: &[u8]) -> Vec<f64> {
    bytes.as_chunks().0.iter().map(|b| f64::from_le_bytes(*b)).collect()
}
