//! Files mapped into memory: weights are read from the page cache without a copy of the file.

use std::fs;
use std::ops::Deref;
use std::path::Path;

use memmap2::Mmap;

use crate::error::{Error, Result};

/// The bytes of a file, read from disk as they are used.
///
/// The file must not be made shorter while it is mapped: the system then ends the process. Files that this crate writes
/// are never changed in place; a new one takes their name, and the old bytes stay as long as they are mapped.
#[derive(Debug)]
pub(crate) struct Mapped(Mmap);

impl Mapped {
    /// Maps a regular file (or a link to one) of at most `most` bytes. Devices, pipes and folders are refused before
    /// they are opened.
    pub(crate) fn open(path: &Path, most: u64) -> Result<Self> {
        let failed = |problem: std::io::Error| Error::file(path, problem);
        let metadata = fs::metadata(path).map_err(failed)?;
        if !metadata.is_file() {
            return Err(Error::file(path, "not a regular file"));
        }
        if metadata.len() > most {
            return Err(Error::file(path, format!("{} bytes, where at most {most} can be of use", metadata.len())));
        }
        let file = fs::File::open(path).map_err(failed)?;
        // SAFETY: the mapping is private to this value, read-only, and outlives every slice of it by `Deref`'s borrow.
        // Every bit pattern is a valid `u8`. What remains is that another process writes to the file meanwhile: the
        // bytes are only ever copied out as plain integers and numbers, after checks that do not rely on a second
        // read of the same byte being the same (lengths and offsets are copied out of the header first), so other
        // bytes are wrong weights, not wrong accesses. A file that is cut off meanwhile ends the process by a signal.
        let mapping = unsafe { Mmap::map(&file) }.map_err(failed)?;
        Ok(Self(mapping))
    }
}

impl Deref for Mapped {
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
        assert_eq!(&*Mapped::open(&path, 5).unwrap(), b"12345");
        assert!(Mapped::open(&path, 4).unwrap_err().to_string().contains("5 bytes, where at most 4"));
        assert!(Mapped::open(folder.path(), 9).unwrap_err().to_string().contains("not a regular file"));
        fs::write(&path, b"").unwrap();
        assert!(Mapped::open(&path, 9).is_ok_and(|mapped| mapped.is_empty()));
    }

    #[test]
    fn a_mapped_file_stays_as_it_was_when_another_takes_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        crate::file::write(&path, b"12345").unwrap();
        let mapped = Mapped::open(&path, 5).unwrap();
        crate::file::write(&path, b"abc").unwrap();
        assert_eq!(&*mapped, b"12345");
    }
}
