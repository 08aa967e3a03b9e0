//! Folders of runs: taken before any work, by one run only.

use std::fs::{self, File, TryLockError};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

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

/// A run's folder while this process writes into it. No other process can until it is dropped, or the process ends.
#[derive(Debug)]
pub(crate) struct Held {
    path: PathBuf,
    _lock: File,
}

/// The file that is locked.
pub(crate) const LOCK: &str = "lock";

impl Held {
    /// Takes a folder, which is made as needed.
    pub(crate) fn take(path: &Path) -> Result<Held> {
        fs::create_dir_all(path).map_err(|problem| Error::file(path, problem))?;
        let place = path.join(LOCK);
        let failed = |problem: std::io::Error| Error::file(&place, problem);
        let lock = File::options().create(true).truncate(false).write(true).open(&place).map_err(failed)?;
        // Whoever asks whether a run is under way holds the lock for a moment.
        for _ in 0..20 {
            match lock.try_lock() {
                Ok(()) => return Ok(Held { path: path.to_owned(), _lock: lock }),
                Err(TryLockError::WouldBlock) => thread::sleep(Duration::from_millis(10)),
                Err(TryLockError::Error(problem)) => return Err(failed(problem)),
            }
        }
        Err(Error::file(path, "another process is working on this run: wait until it ends, or end it"))
    }

    /// Takes a folder for a new run. One that has any of the files `of_a_run`, or anything else, is refused.
    pub(crate) fn take_new(path: &Path, of_a_run: &[&str]) -> Result<Held> {
        let held = Held::take(path)?;
        if of_a_run.iter().any(|name| path.join(name).exists()) {
            return Err(taken(path));
        }
        if !held.is_empty() {
            return Err(Error::file(path, "holds something that is no run: move it away"));
        }
        Ok(held)
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether nothing else is in it.
    fn is_empty(&self) -> bool {
        let others = |entry: std::io::Result<fs::DirEntry>| entry.is_ok_and(|entry| entry.file_name() != LOCK);
        fs::read_dir(&self.path).is_ok_and(|mut entries| !entries.any(others))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.is_empty() {
            // Nothing was recorded, so that the folder can go as well.
            let _ = fs::remove_file(self.path.join(LOCK));
        }
    }
}

/// Whether a process is working on a run in this folder.
pub(crate) fn held(path: &Path) -> bool {
    let lock = File::open(path.join(LOCK)).map(|file| file.try_lock_shared());
    matches!(lock, Ok(Err(TryLockError::WouldBlock)))
}

/// Writes a file that is whole, or as it was before, whatever ends the process or the machine.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".partial");
    let partial = path.with_file_name(name);
    let written = File::create(&partial).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&partial, path)
    });
    if written.is_err() {
        // The error is the first one.
        let _ = fs::remove_file(&partial);
    }
    written.map_err(|problem| Error::file(path, problem))?;
    // The parent of a bare name is the folder that the process is in, which has no name.
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    sync(parent.unwrap_or(Path::new(".")))
}

/// Makes what was made or renamed in a folder last. Only Unix can be asked for it.
pub(crate) fn sync(folder: &Path) -> Result<()> {
    let synced = if cfg!(unix) { File::open(folder).and_then(|folder| folder.sync_all()) } else { Ok(()) };
    synced.map_err(|problem| Error::file(folder, problem))
}

/// For a folder that another run has written into.
fn taken(path: &Path) -> Error {
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
