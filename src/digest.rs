//! SHA-256 of texts and files, in hexadecimal digits.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

/// Of a text.
pub(crate) fn of_text(text: &str) -> String {
    digits(&Sha256::digest(text))
}

/// The first 16 digits of that of a text.
pub(crate) fn short(text: &str) -> String {
    digits(&Sha256::digest(text)[..8])
}

/// Of bytes.
pub(crate) fn of_bytes(bytes: &[u8]) -> String {
    digits(&Sha256::digest(bytes))
}

/// Of parts, one after the other.
pub(crate) fn of_parts<P: AsRef<[u8]>>(parts: impl Iterator<Item = P>) -> String {
    digits(&parts.fold(Sha256::new(), |digest, part| digest.chain_update(part)).finalize())
}

/// Of a file.
pub(crate) fn of_file(path: &Path) -> Result<String> {
    let failed = |problem: io::Error| Error::file(path, problem);
    let (mut file, mut digest, mut part) = (File::open(path).map_err(failed)?, Sha256::new(), vec![0; 1 << 16]);
    loop {
        match file.read(&mut part).map_err(failed)? {
            0 => return Ok(digits(&digest.finalize())),
            count => digest.update(&part[..count]),
        }
    }
}

fn digits(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
