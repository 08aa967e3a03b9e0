//! Files of a run's folder, read with bounds: they may be broken, half written or anybody's.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::error::{Error, Result};
use crate::record::{MANIFEST, read};

/// Largest JSON file that is read, in bytes.
const LARGEST: u64 = 16 << 20;

/// Longest line that is read, in bytes.
const LONGEST: u64 = 8 << 20;

/// Most lines of a file that are read.
const LINES: usize = 400_000;

/// Most runs of a page.
const RUNS: usize = 2000;

/// Folders below a comparison's folder that are looked into: `LABEL/seed-N`.
const DEPTH: usize = 3;

/// A run's folder, and what the run is called beside others.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Found {
    /// Runs with the same label are seeds of one variant.
    pub(crate) label: String,
    pub(crate) path: PathBuf,
}

/// The runs in these folders: each is a run or holds some. Links are not followed.
///
/// # Errors
/// A folder that cannot be read or has no run in it; too many runs.
pub(crate) fn runs(folders: &[PathBuf]) -> Result<Vec<Found>> {
    let mut found = Vec::new();
    for folder in folders {
        let before = found.len();
        let name = name(folder);
        if folder.join(MANIFEST).is_file() {
            found.push(Found { label: name, path: folder.clone() });
            continue;
        }
        let prefix = if folders.len() > 1 { format!("{name}/") } else { String::new() };
        search(folder, &prefix, DEPTH, &mut found)?;
        if found.len() == before {
            let problem = "holds no run: a run's folder has a manifest.json, as oreal train and oreal compare write it";
            return Err(Error::file(folder, problem));
        }
    }
    Ok(found)
}

/// Folders of the runs below a folder; none where there is none.
///
/// # Errors
/// A folder that cannot be read; too many runs.
pub(crate) fn below(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    search(folder, "", DEPTH, &mut found)?;
    Ok(found.into_iter().map(|run| run.path).collect())
}

fn search(folder: &Path, label: &str, depth: usize, found: &mut Vec<Found>) -> Result<()> {
    let entries = fs::read_dir(folder).map_err(|problem| Error::file(folder, problem))?;
    let folders = entries.filter_map(std::result::Result::ok).filter(|e| e.file_type().is_ok_and(|t| t.is_dir()));
    let mut folders: Vec<PathBuf> = folders.map(|entry| entry.path()).collect();
    folders.sort_by_key(|path| in_order(&name(path)));
    for path in folders {
        let own = name(&path);
        let seed = own.strip_prefix("seed-").is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
        let below = match (seed, label) {
            (true, "") => self::name(folder),
            (true, label) => label.to_owned(),
            _ => format!("{label}{own}/"),
        };
        if path.join(MANIFEST).is_file() {
            if found.len() == RUNS {
                let problem = format!("holds more than {RUNS} runs: name fewer folders");
                return Err(Error::file(folder, problem));
            }
            found.push(Found { label: below.trim_end_matches('/').to_owned(), path });
        } else if depth > 1 {
            search(&path, &below, depth - 1, found)?;
        }
    }
    Ok(())
}

/// `seed-2` before `seed-10`.
fn in_order(name: &str) -> (String, u64) {
    let digits = name.len() - name.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    let (stem, number) = name.split_at(name.len() - digits);
    (stem.to_owned(), number.parse().unwrap_or(0))
}

fn name(folder: &Path) -> String {
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    folder.file_name().map_or_else(|| "run".to_owned(), |name| name.to_string_lossy().into_owned())
}

/// A file's text; `None` where there is none, and a sentence where it cannot be read.
pub(crate) fn text(path: &Path) -> Option<std::result::Result<String, String>> {
    if let Ok(false) = path.try_exists() {
        return None;
    }
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Some(read(path, LARGEST).map(text).map_err(|problem| problem.to_string()))
}

/// A JSON file; what is wrong with it is added to `problems`.
pub(crate) fn json(path: &Path, problems: &mut Vec<String>) -> Option<Value> {
    let parsed = text(path)?
        .and_then(|text| serde_json::from_str(&text).map_err(|problem| format!("{}: {problem}", path.display())));
    parsed.map_err(|problem| problems.push(problem)).ok()
}

/// Hands each line of a JSON lines file to `each`; a line that is none, or that is too long, is counted and left out. The count
/// is `None` where there is no file.
pub(crate) fn lines(path: &Path, each: &mut dyn FnMut(Value)) -> Option<usize> {
    let mut file = BufReader::new(File::open(path).ok()?);
    let (mut broken, mut line) = (0, Vec::new());
    for _ in 0..LINES {
        line.clear();
        match (&mut file).take(LONGEST).read_until(b'\n', &mut line) {
            Ok(0) => return Some(broken),
            Err(_) => return Some(broken + 1),
            Ok(_) => {}
        }
        if line.last() != Some(&b'\n') && line.len() as u64 == LONGEST {
            broken += 1;
            skip_line(&mut file);
            continue;
        }
        match serde_json::from_slice(&line) {
            _ if line.trim_ascii().is_empty() => {}
            Ok(value) => each(value),
            Err(_) => broken += 1,
        }
    }
    Some(broken)
}

/// Reads on to the end of a line without keeping it.
fn skip_line(file: &mut BufReader<File>) {
    while let Ok(part) = file.fill_buf() {
        let end = part.iter().position(|byte| *byte == b'\n');
        let used = end.map_or(part.len(), |end| end + 1);
        file.consume(used);
        if end.is_some() || used == 0 {
            return;
        }
    }
}
