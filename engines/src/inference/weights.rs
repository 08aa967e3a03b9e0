//! The folder that a policy's weights go through.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{self, Path, PathBuf};

use oreal_models::{Error, Model, Result, Saving};

use crate::http::IllegalSetting;

/// First part of the names of checkpoints in it.
const PREFIX: &str = "version-";

/// A checkpoint under construction.
const PARTIAL: &str = ".version.partial";

/// Held by the sampler that uses the folder.
const LOCK: &str = ".lock";

/// How a server gets the weights of a policy.
#[derive(Clone, Debug, PartialEq)]
pub struct Weights {
    /// A folder that both sides see under this name. Checkpoints in it are named `version-N`; one at a time is kept.
    pub folder: PathBuf,
    /// The form of the checkpoints.
    pub saving: Saving,
}

/// The folder, taken by this sampler when it first writes.
#[derive(Debug)]
pub(super) struct Store {
    folder: PathBuf,
    saving: Saving,
    lock: Option<File>,
}

impl Store {
    /// Refuses a folder without a name.
    pub(super) fn new(weights: Weights) -> std::result::Result<Store, IllegalSetting> {
        let absolute = path::absolute(&weights.folder);
        let wrong = "must be a folder that the server sees under the same name, such as /dev/shm/weights";
        let folder = absolute.map_err(|_| IllegalSetting::new("weights", wrong))?;
        Ok(Store { folder, saving: weights.saving, lock: None })
    }

    /// Writes a checkpoint; under its name it is whole.
    pub(super) fn write(&mut self, policy: &dyn Model, version: u64) -> Result<PathBuf> {
        if self.lock.is_none() {
            self.lock = Some(self.take()?);
            self.remove_but(None)?;
        }
        let (partial, place) = (self.folder.join(PARTIAL), self.folder.join(format!("{PREFIX}{version}")));
        remove(&partial)?;
        remove(&place)?;
        fs::create_dir(&partial).map_err(failed(&partial))?;
        policy.save_as(&partial, &self.saving)?;
        fs::rename(&partial, &place).map_err(failed(&place))?;
        Ok(place)
    }

    /// Removes the other checkpoints.
    pub(super) fn keep_only(&self, place: &Path) -> Result<()> {
        self.remove_but(Some(place))
    }

    /// Makes the folder, which no other sampler may use.
    fn take(&self) -> Result<File> {
        fs::create_dir_all(&self.folder).map_err(failed(&self.folder))?;
        let path = self.folder.join(LOCK);
        let file = File::create(&path).map_err(failed(&path))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => {
                let problem = "another run writes its weights here: give each a folder of its own (sampler.weights)";
                Err(Error::File { path: self.folder.clone(), problem: problem.to_owned() })
            }
            Err(TryLockError::Error(problem)) => Err(failed(&path)(problem)),
        }
    }

    fn remove_but(&self, place: Option<&Path>) -> Result<()> {
        for entry in fs::read_dir(&self.folder).map_err(failed(&self.folder))? {
            let entry = entry.map_err(failed(&self.folder))?;
            let ours = entry.file_name().to_str().and_then(|name| name.strip_prefix(PREFIX)).is_some_and(is_number);
            if ours && Some(&*entry.path()) != place {
                remove(&entry.path())?;
            }
        }
        Ok(())
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        if self.lock.is_some() {
            // What cannot be removed is removed by the next run.
            let _ = self.remove_but(None);
        }
    }
}

fn is_number(text: &str) -> bool {
    text.parse::<u64>().is_ok()
}

/// Removes a folder, where it is there.
fn remove(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(problem) if problem.kind() != io::ErrorKind::NotFound => Err(failed(path)(problem)),
        _ => Ok(()),
    }
}

fn failed(path: &Path) -> impl Fn(io::Error) -> Error + '_ {
    |problem| Error::File { path: path.to_owned(), problem: problem.to_string() }
}
