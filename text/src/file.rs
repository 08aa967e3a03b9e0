//! Files: read if they are regular and not too long, written whole or not at all.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Longest `tokenizer.json` that is read, in bytes.
pub(crate) const MOST_TOKENIZER: u64 = 1 << 28;

/// Longest configuration or chat template that is read, in bytes.
pub(crate) const MOST_CONFIGURATION: u64 = 1 << 24;

/// Writes beside the path, then renames: a reader never sees half a file.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    write_all([(path.to_owned(), bytes)])
}

/// Writes all files beside their paths, then renames them: if one cannot be written, none is there.
pub(crate) fn write_all<'a>(files: impl IntoIterator<Item = (PathBuf, &'a [u8])>) -> Result<()> {
    let mut written = Vec::new();
    let result = files.into_iter().try_for_each(|(path, bytes)| {
        let partial = partial(&path)?;
        written.push((partial.clone(), path.clone()));
        fs::write(&partial, bytes).map_err(|problem| Error::file(&path, problem))
    });
    let rename =
        |(partial, path): &(PathBuf, PathBuf)| fs::rename(partial, path).map_err(|problem| Error::file(path, problem));
    result.and_then(|()| written.iter().try_for_each(rename)).inspect_err(|_| {
        // The first error is the one to report; a partial file that cannot be removed stays under its own name.
        for (partial, _) in &written {
            let _ = fs::remove_file(partial);
        }
    })
}

/// Where a file stands while it is written.
fn partial(path: &Path) -> Result<PathBuf> {
    let name = path.file_name().ok_or_else(|| Error::file(path, "not the name of a file"))?;
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".{}.partial", std::process::id()));
    Ok(path.with_file_name(hidden))
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
    fn all_files_are_written_or_none() {
        let folder = tempfile::tempdir().unwrap();
        let (first, second) = (folder.path().join("a"), folder.path().join("missing/b"));
        assert!(write_all([(first.clone(), b"1".as_slice()), (second, b"2")]).is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        write_all([(first.clone(), b"1".as_slice())]).unwrap();
        assert_eq!(fs::read(first).unwrap(), b"1");
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
