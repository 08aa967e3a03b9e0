//! A file of a run that grows by a line, or another record, at a time, and is cut back to a checkpoint.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::StepRecord;
use crate::error::{Error, Result};

/// An open file and its length.
pub(crate) struct Log {
    path: PathBuf,
    file: File,
    length: u64,
}

impl Log {
    /// Of a file that has so many bytes of this run; what comes after them is cut off. With 0 it is made.
    pub(crate) fn open(path: PathBuf, length: u64) -> Result<Log> {
        let failed = |problem: std::io::Error| Error::file(&path, problem);
        let mut file = File::options().create(length == 0).truncate(false).write(true).open(&path).map_err(failed)?;
        file.set_len(length).and_then(|()| file.seek(SeekFrom::End(0))).map_err(failed)?;
        Ok(Log { path, file, length })
    }

    /// A line of JSON.
    pub(crate) fn line(&mut self, value: &impl Serialize) -> Result<()> {
        let mut bytes = serde_json::to_vec(value).map_err(|problem| Error::file(&self.path, problem))?;
        bytes.push(b'\n');
        self.bytes(&bytes)
    }

    /// Bytes as they are.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).map_err(|problem| Error::file(&self.path, problem))?;
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Makes what was written last.
    pub(crate) fn sync(&self) -> Result<()> {
        self.file.sync_data().map_err(|problem| Error::file(&self.path, problem))
    }

    /// The file's name.
    pub(crate) fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// Bytes so far.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }
}

/// Longest line of `metrics.jsonl` that is read, in bytes.
const LONGEST: u64 = 1 << 20;

/// A line of a `metrics.jsonl`.
pub(crate) trait Line: DeserializeOwned {
    /// The step that it is of, counted from 0.
    fn step(&self) -> usize;
}

impl Line for StepRecord {
    fn step(&self) -> usize {
        self.step
    }
}

/// The lines of so many steps, which the first `length` bytes of a `metrics.jsonl` hold; `see` is told of each.
///
/// # Errors
/// A file that is too short, or does not hold just these steps in order.
pub(crate) fn records<L: Line>(path: &Path, length: u64, steps: usize, see: &mut dyn FnMut(L)) -> Result<()> {
    let wrong = |problem: String| Error::file(path, problem);
    holds(path, length)?;
    let mut file = BufReader::new(File::open(path).map_err(|problem| Error::file(path, problem))?.take(length));
    let mut number = 0;
    loop {
        let mut line = Vec::new();
        let read = file.by_ref().take(LONGEST).read_until(b'\n', &mut line);
        if read.map_err(|problem| Error::file(path, problem))? == 0 {
            break;
        }
        match serde_json::from_slice::<L>(&line) {
            Ok(record) if record.step() == number && line.ends_with(b"\n") => see(record),
            _ => return Err(wrong(format!("line {} is not that of step {number}", number + 1))),
        }
        number += 1;
    }
    if number != steps {
        return Err(wrong(format!("{number} steps where the checkpoint was taken after {steps}")));
    }
    Ok(())
}

/// Refuses a file that has fewer bytes than a checkpoint knows of.
pub(crate) fn holds(path: &Path, length: u64) -> Result<()> {
    let metadata = fs::metadata(path).map_err(|problem| Error::file(path, problem))?;
    let found = metadata.len();
    if !metadata.is_file() || found < length {
        return Err(Error::file(path, format!("{found} bytes where the checkpoint knows of {length}")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pass_rates(path: &Path, length: u64, steps: usize) -> Result<Vec<f64>> {
        let mut rates = Vec::new();
        records(path, length, steps, &mut |record: StepRecord| rates.push(record.pass_rate)).map(|()| rates)
    }

    #[test]
    fn a_log_is_cut_back_and_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        let of = |step: usize| StepRecord { step, pass_rate: 0.1 * step as f64, ..StepRecord::default() };
        let mut log = Log::open(path.clone(), 0).unwrap();
        (0..3).for_each(|step| log.line(&of(step)).unwrap());
        let (length, whole) = (log.length(), fs::read(&path).unwrap());
        log.line(&of(3)).unwrap();
        log.bytes(b"{\"step\":4,\"pa").unwrap();
        assert_eq!(pass_rates(&path, length, 3).unwrap(), [0.0, 0.1, 0.2]);
        let mut log = Log::open(path.clone(), length).unwrap();
        assert_eq!((log.length(), log.name().as_str()), (length, "metrics.jsonl"));
        assert_eq!(fs::read(&path).unwrap(), whole);
        log.line(&of(3)).unwrap();
        assert_eq!(pass_rates(&path, log.length(), 4).unwrap().len(), 4);
    }

    #[test]
    fn a_record_of_other_steps_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        let refused = |text: &str, length: usize, steps| {
            fs::write(&path, text).unwrap();
            pass_rates(&path, length as u64, steps).unwrap_err().to_string()
        };
        let line = &(serde_json::to_string(&StepRecord::default()).unwrap() + "\n");
        let length = line.len();
        let expected = format!("{length} bytes where the checkpoint knows of {}", length + 1);
        assert!(refused(line, length + 1, 1).contains(&expected));
        assert!(refused(line, line.len(), 2).contains("1 steps where the checkpoint was taken after 2"));
        assert!(refused(line, line.len() - 1, 1).contains("line 1 is not that of step 0"));
        assert!(refused(&line.replace("\"step\":0", "\"step\":1"), length, 1).contains("line 1"));
        assert!(refused(&line.replace("\"reward\":0.0", "\"reward\":nul"), length, 1).contains("line 1"));
        fs::remove_file(&path).unwrap();
        assert!(pass_rates(&path, 0, 0).is_err() && Log::open(path, 5).is_err());
    }
}
