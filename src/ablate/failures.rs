//! Cells that failed and why, in the folder of an ablation, so that its results can be made again from there.

use std::collections::BTreeMap;
use std::path::Path;

use crate::error::{Error, Result};
use crate::record::{pretty, read, write};

/// The file of failures.
pub(crate) const FAILURES: &str = "failures.json";

/// Longest file that is read, in bytes.
const LONGEST: u64 = 1 << 24;

/// Longest message that is kept, in characters.
const MESSAGE: usize = 2000;

/// Messages by the folder of the cell within that of the ablation.
#[derive(Debug, Default)]
pub(crate) struct Failures(BTreeMap<String, String>);

impl Failures {
    /// Those that are recorded in a folder; none without the file.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub(crate) fn read(folder: &Path) -> Result<Failures> {
        let path = folder.join(FAILURES);
        if !path.exists() {
            return Ok(Failures::default());
        }
        let failures = serde_json::from_slice(&read(&path, LONGEST)?).map_err(|problem| Error::file(&path, problem))?;
        Ok(Failures(failures))
    }

    /// The message of a cell that failed.
    pub(crate) fn of(&self, cell: &str) -> Option<&str> {
        self.0.get(cell).map(String::as_str)
    }

    /// All of them: cell and message.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(cell, message)| (cell.as_str(), message.as_str()))
    }

    /// Whether that changes anything.
    pub(super) fn insert(&mut self, cell: &str, error: &Error) -> bool {
        let message: String = error.to_string().chars().take(MESSAGE).collect();
        self.0.insert(cell.to_owned(), message.clone()).is_none_or(|before| before != message)
    }

    /// Whether that changes anything.
    pub(super) fn remove(&mut self, cell: &str) -> bool {
        self.0.remove(cell).is_some()
    }

    /// Over what is recorded.
    pub(super) fn write(&self, folder: &Path) -> Result<()> {
        write(&folder.join(FAILURES), &pretty(&self.0)?)
    }
}
