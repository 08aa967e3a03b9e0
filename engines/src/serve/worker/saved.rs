//! Weights that were saved by name; the oldest go where there are too many.

use std::collections::VecDeque;

use oreal_models::{Model, ModelState};

/// What is kept, the oldest first.
pub(super) struct Saved {
    entries: VecDeque<Entry>,
    bytes: usize,
    most: usize,
    most_bytes: usize,
}

struct Entry {
    path: String,
    bytes: usize,
    what: Kept,
}

enum Kept {
    State(ModelState),
    Weights(Box<dyn Model>),
}

/// What is kept under a name.
pub(super) enum Found<'a> {
    /// Weights and moments.
    State(&'a ModelState),
    /// A model to draw with.
    Weights(&'a dyn Model),
}

impl Saved {
    pub(super) fn new(most: usize, most_bytes: usize) -> Saved {
        Saved { entries: VecDeque::new(), bytes: 0, most, most_bytes }
    }

    pub(super) fn find(&self, path: &str) -> Option<Found<'_>> {
        let entry = self.entries.iter().rev().find(|entry| entry.path == path)?;
        Some(match &entry.what {
            Kept::State(state) => Found::State(state),
            Kept::Weights(model) => Found::Weights(&**model),
        })
    }

    /// Returns the names of those that had to go.
    pub(super) fn keep_state(&mut self, path: String, state: ModelState) -> Vec<String> {
        let bytes = state.size();
        self.keep(path, bytes, Kept::State(state))
    }

    /// As [`Saved::keep_state`].
    pub(super) fn keep_weights(&mut self, path: String, model: Box<dyn Model>) -> Vec<String> {
        let bytes = model.parameters() * size_of::<f32>();
        self.keep(path, bytes, Kept::Weights(model))
    }

    fn keep(&mut self, path: String, bytes: usize, what: Kept) -> Vec<String> {
        // Saved again under the same name.
        if let Some(i) = self.entries.iter().position(|entry| entry.path == path) {
            self.bytes -= self.entries.remove(i).map_or(0, |entry| entry.bytes);
        }
        self.bytes += bytes;
        self.entries.push_back(Entry { path, bytes, what });
        let mut gone = Vec::new();
        while self.entries.len() > 1 && (self.entries.len() > self.most || self.bytes > self.most_bytes) {
            if let Some(entry) = self.entries.pop_front() {
                self.bytes -= entry.bytes;
                gone.push(entry.path);
            }
        }
        gone
    }
}
