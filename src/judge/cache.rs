//! Decided opinions on disk: one small file each, named by a hash of what was asked.
//!
//! A file holds all that was asked besides the opinion, and counts only if it is, byte for byte, what would be written. So a
//! file that is broken, foreign or of another version is as good as none, and is written anew. Files appear whole, by renaming.

use std::fs::{self, File, OpenOptions};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use super::{JudgeSettings, Opinion, Question, prompt};
use crate::digest;
use crate::error::{Error, Result};

/// Everything that an opinion depends on.
#[derive(Debug, Serialize)]
pub(super) struct Asked<'a> {
    model: &'a str,
    /// Hash of the prompt, apart from the texts of the question.
    prompt: String,
    question: &'a str,
    gold: &'a str,
    answer: &'a str,
    votes: u32,
    temperature: f64,
}

/// A folder of opinions. Several runs may share it.
#[derive(Debug)]
pub(super) struct Cache {
    folder: PathBuf,
    writing: Mutex<Writing>,
}

/// Whether opinions are written.
#[derive(Debug)]
enum Writing {
    Works,
    /// It failed, and nobody was told yet.
    Failed(String),
    /// It failed, and that was told.
    Told,
}

#[derive(Serialize)]
struct Entry<'a> {
    asked: &'a Asked<'a>,
    opinion: &'static str,
}

impl<'a> Asked<'a> {
    pub(super) fn new(settings: &'a JudgeSettings, question: &'a Question) -> Asked<'a> {
        let nothing = Question { question: String::new(), gold: String::new(), answer: String::new() };
        let prompt: String = prompt::messages(&nothing).into_iter().map(|message| message.content).collect();
        Asked {
            model: &settings.model,
            prompt: digest::of_text(&prompt),
            question: &question.question,
            gold: &question.gold,
            answer: &question.answer,
            votes: settings.votes,
            temperature: settings.temperature,
        }
    }

    /// The content of the file with this opinion; `None` where there is nothing to keep.
    fn entry(&self, opinion: &Opinion) -> Option<String> {
        let opinion = match opinion {
            Opinion::Right => "right",
            Opinion::Wrong => "wrong",
            Opinion::Ungraded(_) => return None,
        };
        serde_json::to_string_pretty(&Entry { asked: self, opinion }).ok()
    }

    fn file_name(&self) -> String {
        format!("{}.json", digest::of_text(&serde_json::to_string(self).unwrap_or_default()))
    }
}

impl Cache {
    /// Makes the folder where it is missing.
    pub(super) fn open(folder: &Path) -> Result<Cache> {
        fs::create_dir_all(folder)
            .map_err(|problem| Error::setting("judge.cache", format!("{}: {problem}", folder.display())))?;
        Ok(Cache { folder: folder.to_owned(), writing: Mutex::new(Writing::Works) })
    }

    /// The opinion that was kept.
    pub(super) fn find(&self, asked: &Asked<'_>) -> Option<Opinion> {
        let path = self.folder.join(asked.file_name());
        let entries = [Opinion::Right, Opinion::Wrong].map(|opinion| (asked.entry(&opinion), opinion));
        let length = entries.iter().filter_map(|(entry, _)| entry.as_ref()).map(String::len).max()?;
        let found = read(&path, length).ok()?;
        entries.into_iter().find(|(entry, _)| entry.as_deref() == Some(&found)).map(|(_, opinion)| opinion)
    }

    /// Keeps a decided opinion. After a first failure nothing more is written.
    pub(super) fn keep(&self, asked: &Asked<'_>, opinion: &Opinion) {
        let works = matches!(*self.writing.lock().unwrap_or_else(PoisonError::into_inner), Writing::Works);
        let Some(entry) = asked.entry(opinion).filter(|_| works) else { return };
        if let Err(problem) = self.write(&asked.file_name(), &entry) {
            let problem = format!("{}: {problem}: opinions are no longer kept", self.folder.display());
            let mut writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
            if matches!(*writing, Writing::Works) {
                *writing = Writing::Failed(problem);
            }
        }
    }

    /// Why nothing is written any more, said once.
    pub(super) fn notice(&self) -> Option<String> {
        let mut writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        match &*writing {
            Writing::Failed(problem) => {
                let problem = problem.clone();
                *writing = Writing::Told;
                Some(problem)
            }
            Writing::Works | Writing::Told => None,
        }
    }

    fn write(&self, name: &str, entry: &str) -> io::Result<()> {
        // A name of its own for each writer: other threads, processes and machines may write the same entry.
        let unique = RandomState::new().hash_one(std::process::id());
        let temporary = self.folder.join(format!(".{name}.{unique:016x}"));
        let mut file = OpenOptions::new().write(true).create_new(true).open(&temporary)?;
        let written = file.write_all(entry.as_bytes()).and_then(|()| fs::rename(&temporary, self.folder.join(name)));
        if written.is_err() {
            let _ = fs::remove_file(&temporary);
        }
        written
    }
}

/// The text of an ordinary file, or the first of it: one byte more than `length`.
fn read(path: &Path, length: usize) -> io::Result<String> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut text = String::new();
    File::open(path)?.take(length as u64 + 1).read_to_string(&mut text)?;
    Ok(text)
}
