//! Lines of a file, each no longer than a limit.

use std::io::{self, BufRead, ErrorKind};
use std::str;

/// Longest line that is read, in bytes.
pub(super) const LONGEST: u64 = 64 << 20;

/// The lines that are not blank, with their numbers from 1.
pub(super) struct Lines {
    from: Box<dyn BufRead + Send>,
    number: u64,
    objects: u64,
}

/// A line without its end; one that is too long is not kept.
#[derive(Debug)]
pub(super) enum Line {
    Text(Vec<u8>),
    TooLong,
}

impl Lines {
    pub(super) fn new(from: Box<dyn BufRead + Send>) -> Lines {
        Lines { from, number: 0, objects: 0 }
    }

    /// The next line that is not blank. An error ends the file.
    pub(super) fn next(&mut self) -> Option<Result<(u64, Line), String>> {
        loop {
            let line = match self.read() {
                Err(problem) => return Some(Err(problem.to_string())),
                Ok(line) => line?,
            };
            self.number += 1;
            if matches!(&line, Line::Text(text) if text.trim_ascii().is_empty()) {
                continue;
            }
            if self.objects == 0 && matches!(&line, Line::Text(text) if text.trim_ascii_start().starts_with(b"[")) {
                return Some(Err(ARRAY.to_owned()));
            }
            self.objects += 1;
            return Some(Ok((self.number, line)));
        }
    }

    /// One line; none at the end of the file.
    fn read(&mut self) -> io::Result<Option<Line>> {
        let (mut text, mut length) = (Vec::new(), 0_u64);
        loop {
            let part = match self.from.fill_buf() {
                Err(problem) if problem.kind() == ErrorKind::Interrupted => continue,
                part => part?,
            };
            let end = part.iter().position(|byte| *byte == b'\n');
            let (content, used) = match end {
                Some(end) => (part.split_at(end).0, end + 1),
                None => (part, part.len()),
            };
            let read = used as u64;
            length += read;
            if length <= LONGEST {
                text.extend_from_slice(content);
            } else {
                text = Vec::new();
            }
            self.from.consume(used);
            if end.is_some() || read == 0 {
                let line = if length <= LONGEST { Line::Text(text) } else { Line::TooLong };
                return Ok((length > 0).then_some(line));
            }
        }
    }
}

impl Line {
    pub(super) fn bytes(&self) -> usize {
        match self {
            Line::Text(text) => text.len(),
            Line::TooLong => 0,
        }
    }

    pub(super) fn text(&self) -> Result<&str, String> {
        match self {
            Line::TooLong => Err(format!("longer than {} MiB", LONGEST >> 20)),
            Line::Text(text) => {
                str::from_utf8(text).map_err(|problem| format!("not UTF-8 text at byte {}", problem.valid_up_to() + 1))
            }
        }
    }
}

const ARRAY: &str = "a JSON array, where one object a line is wanted: `jq -c '.[]' FILE` makes it";
