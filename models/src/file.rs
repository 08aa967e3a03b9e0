//! Files that are written whole or not at all.

use std::fs;
use std::path::Path;

use crate::error::{Error, Result};

/// Writes beside the path, then renames: a reader never sees half a file.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let failed = |problem: std::io::Error| Error::file(path, problem);
    let name = path.file_name().ok_or_else(|| Error::file(path, "not the name of a file"))?;
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".{}.partial", std::process::id()));
    let partial = path.with_file_name(hidden);
    fs::write(&partial, bytes).and_then(|()| fs::rename(&partial, path)).map_err(|problem| {
        // The error that matters is the first one; a partial file that cannot be removed is named by it.
        let _ = fs::remove_file(&partial);
        failed(problem)
    })
}

pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|problem| Error::file(path, problem))
}
