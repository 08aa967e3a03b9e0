//! Files: read if they are regular and not too long, written whole or not at all.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Longest configuration, index or tokenizer that is read, in bytes.
pub(crate) const MOST_TEXT: u64 = 1 << 28;

/// Writes beside the path, then renames: a reader never sees half a file.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    Partial::write(path, |file| file.write_all(bytes))?.place()
}

/// A whole file that stands beside its place, under a name of its own. It is removed unless it is placed.
#[derive(Debug)]
pub(crate) struct Partial {
    partial: PathBuf,
    path: PathBuf,
}

impl Partial {
    /// Writes it, a piece at a time.
    pub(crate) fn write(path: &Path, fill: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> Result<Self> {
        let name = path.file_name().ok_or_else(|| Error::file(path, "not the name of a file"))?;
        let mut hidden = std::ffi::OsString::from(".");
        hidden.push(name);
        hidden.push(format!(".{}.partial", std::process::id()));
        let this = Self { partial: path.with_file_name(hidden), path: path.to_owned() };
        let written = File::create(&this.partial).and_then(|file| {
            let mut file = BufWriter::with_capacity(1 << 20, file);
            fill(&mut file)?;
            file.flush()
        });
        written.map_err(|problem| Error::file(path, problem))?;
        Ok(this)
    }

    /// Gives it its name; a file that had it is gone.
    pub(crate) fn place(self) -> Result<()> {
        fs::rename(&self.partial, &self.path).map_err(|problem| Error::file(&self.path, problem))
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // Where it was placed there is nothing to remove. If it cannot be removed it stays under its own name.
        let _ = fs::remove_file(&self.partial);
    }
}

/// The bytes of a regular file (or a link to one) of at most `most` bytes. Devices, pipes and folders are refused
/// before they are opened.
pub(crate) fn read(path: &Path, most: u64) -> Result<Vec<u8>> {
    let failed = |problem: std::io::Error| Error::file(path, problem);
    let metadata = fs::metadata(path).map_err(failed)?;
    if !metadata.is_file() {
        return Err(Error::file(path, "not a regular file"));
    }
    let length = metadata.len();
    if length > most {
        return Err(Error::file(path, format!("{length} bytes, where at most {most} can be of use")));
    }
    let mut bytes = Vec::new();
    let room = usize::try_from(length).ok().and_then(|length| bytes.try_reserve_exact(length).ok());
    room.ok_or_else(|| Error::file(path, format!("no memory for its {length} bytes")))?;
    let file = fs::File::open(path).map_err(failed)?;
    file.take(length + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 != length {
        return Err(Error::file(path, "its length changed while it was read"));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_not_written_whole_leaves_the_old_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        write(&path, b"old").unwrap();
        let failed = Partial::write(&path, |file| {
            file.write_all(b"ne")?;
            Err(io::Error::other("the disk is full"))
        });
        assert!(failed.unwrap_err().to_string().contains("the disk is full"));
        drop(Partial::write(&path, |file| file.write_all(b"new")).unwrap());
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing partial is left");
    }

    #[test]
    fn only_regular_files_of_a_bounded_length_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        write(&path, b"12345").unwrap();
        assert_eq!(read(&path, 5).unwrap(), b"12345");
        assert!(read(&path, 4).unwrap_err().to_string().contains("5 bytes, where at most 4"));
        assert!(read(folder.path(), 9).unwrap_err().to_string().contains("not a regular file"));
        #[cfg(unix)]
        assert!(read(Path::new("/dev/zero"), u64::MAX).unwrap_err().to_string().contains("not a regular file"));
        // A sparse file of 4 GiB takes no space.
        fs::File::create(&path).unwrap().set_len(1 << 32).unwrap();
        assert!(read(&path, 1 << 31).unwrap_err().to_string().contains("4294967296 bytes"));
    }
}
