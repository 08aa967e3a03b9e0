//! Folders of runs: taken before any work, by one run only.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// A new folder that no other run can take. Dropping it removes the folder if nothing was written into it.
#[derive(Debug)]
pub struct Reserved(PathBuf);

impl Reserved {
    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        // Fails where something was written, which is what is wanted.
        let _ = fs::remove_dir(&self.0);
    }
}

/// Makes a folder, which must not exist, and its parents.
pub fn reserve(path: &Path) -> Result<Reserved> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(|problem| Error::file(parent, problem))?;
    }
    match fs::create_dir(path) {
        Ok(()) => Ok(Reserved(path.to_owned())),
        Err(problem) if problem.kind() == ErrorKind::AlreadyExists => Err(taken(path)),
        Err(problem) => Err(Error::file(path, problem)),
    }
}

/// Makes the first of `NAME-1`, `NAME-2`, .. in `parent` that does not exist.
pub fn reserve_numbered(parent: &Path, name: &str) -> Result<Reserved> {
    fs::create_dir_all(parent).map_err(|problem| Error::file(parent, problem))?;
    let mut number = 1_u64;
    loop {
        let folder = parent.join(format!("{name}-{number}"));
        match fs::create_dir(&folder) {
            Ok(()) => return Ok(Reserved(folder)),
            Err(problem) if problem.kind() == ErrorKind::AlreadyExists => number += 1,
            Err(problem) => return Err(Error::file(&folder, problem)),
        }
    }
}

/// For a folder that another run has written into.
pub(crate) fn taken(path: &Path) -> Error {
    Error::file(path, "exists: a run is recorded in a new folder, so that none is overwritten")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_run_gets_a_folder_of_its_own() {
        let parent = tempfile::tempdir().unwrap();
        let out = parent.path().join("runs");
        let take = || reserve_numbered(&out, "run").unwrap();
        let threads: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(take)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let mut paths: Vec<PathBuf> = threads.iter().map(|reserved| reserved.path().to_owned()).collect();
        paths.sort();
        paths.dedup();
        assert_eq!(paths.len(), 8);
        assert!(reserve(&paths[0]).unwrap_err().to_string().contains("new folder"));
        fs::write(paths[0].join("file"), "x").unwrap();
        drop(threads);
        assert!(paths[0].exists() && !paths[1].exists(), "only what was written into stays");
    }
}
