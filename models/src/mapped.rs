//! Files mapped into memory, a piece at a time: weights are read from the page cache, and at no time is more of a file
//! in memory than the piece that is read.

use std::fs::{self, File};
use std::ops::{Deref, Range};
use std::path::{Path, PathBuf};

use memmap2::{Mmap, MmapOptions};

use crate::error::{Error, Result};

/// A file whose bytes can be mapped.
///
/// It must not be made shorter while a piece is mapped: the system then ends the process. Files that this crate writes
/// are never changed in place; a new one takes their name, and this stays the old one.
#[derive(Debug)]
pub(crate) struct Mapped {
    path: PathBuf,
    file: File,
    length: usize,
}

/// Some bytes of a file, read from disk as they are used.
#[derive(Debug)]
pub(crate) struct Piece(Mmap);

impl Mapped {
    /// Opens a regular file (or a link to one) of at most `most` bytes. Devices, pipes and folders are refused before
    /// they are opened.
    pub(crate) fn open(path: &Path, most: u64) -> Result<Self> {
        let failed = |problem: std::io::Error| Error::file(path, problem);
        let metadata = fs::metadata(path).map_err(failed)?;
        if !metadata.is_file() {
            return Err(Error::file(path, "not a regular file"));
        }
        let length = metadata.len();
        if length > most {
            return Err(Error::file(path, format!("{length} bytes, where at most {most} can be of use")));
        }
        let file = File::open(path).map_err(failed)?;
        let length = usize::try_from(length).map_err(|_| Error::file(path, "too long for this machine"))?;
        Ok(Self { path: path.to_owned(), file, length })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// In bytes.
    pub(crate) fn length(&self) -> usize {
        self.length
    }

    /// Maps these bytes, which must be in the file.
    pub(crate) fn piece(&self, bytes: Range<usize>) -> Result<Piece> {
        let failed = |problem: std::io::Error| Error::file(&self.path, problem);
        let length = self.file.metadata().map_err(failed)?.len();
        if bytes.start > bytes.end || bytes.end > self.length || length != self.length as u64 {
            return Err(Error::file(&self.path, "its length changed while it was read"));
        }
        let (offset, length) = (bytes.start as u64, bytes.len());
        // SAFETY: the mapping is private to the `Piece`, read-only, and its slices cannot outlive it. It lies inside the
        // file, and every bit pattern is a valid `u8`. What remains is that another process writes to the file
        // meanwhile. The bytes are only copied out (the header, before it is parsed) or converted to numbers, and no
        // check of a byte is relied on when it is read again: other bytes are other weights, not other accesses. A file that
        // is cut off meanwhile ends the process by a signal.
        let mapping = unsafe { MmapOptions::new().offset(offset).len(length).map(&self.file) }.map_err(failed)?;
        Ok(Piece(mapping))
    }
}

impl Deref for Piece {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_regular_files_of_a_bounded_length_are_mapped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        fs::write(&path, b"12345").unwrap();
        let mapped = Mapped::open(&path, 5).unwrap();
        assert_eq!(&*mapped.piece(0..5).unwrap(), b"12345");
        assert_eq!(&*mapped.piece(1..3).unwrap(), b"23");
        assert!(mapped.piece(3..3).unwrap().is_empty());
        assert!(mapped.piece(3..6).is_err());
        assert!(Mapped::open(&path, 4).unwrap_err().to_string().contains("5 bytes, where at most 4"));
        assert!(Mapped::open(folder.path(), 9).unwrap_err().to_string().contains("not a regular file"));
        fs::write(&path, b"123").unwrap();
        assert!(mapped.piece(0..3).unwrap_err().to_string().contains("length changed"));
        fs::write(&path, b"").unwrap();
        assert!(Mapped::open(&path, 9).unwrap().piece(0..0).unwrap().is_empty());
    }

    #[test]
    fn a_file_stays_as_it_was_when_another_takes_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        crate::file::write(&path, b"12345").unwrap();
        let mapped = Mapped::open(&path, 5).unwrap();
        crate::file::write(&path, b"abc").unwrap();
        assert_eq!(&*mapped.piece(0..5).unwrap(), b"12345");
    }
}
