//! Event files of TensorBoard: scalars only, in the format that its readers document.
//!
//! A file is a sequence of TFRecords: the length of the data (8 bytes, little-endian), its masked CRC32C, the data, the data's
//! masked CRC32C. The data is an `Event` in the encoding of protocol buffers (tensorboard/compat/proto/event.proto).

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::error::Result;
use crate::record::Log;

/// The file; TensorBoard reads files that have `tfevents` in their names.
pub(crate) const NAME: &str = "events.out.tfevents.oreal";

/// The event file of a run.
pub(crate) struct Events(Log);

impl Events {
    /// Goes on with a file; an empty one gets the version that a reader expects first.
    pub(crate) fn new(mut log: Log) -> Result<Events> {
        if log.length() == 0 {
            log.bytes(&record(&version(now())))?;
        }
        Ok(Events(log))
    }

    /// Every number in this, under its path: `{"seconds": {"sample": 1.5}}` is the scalar `seconds/sample`. The step itself is
    /// none.
    pub(crate) fn numbers(&mut self, step: usize, value: &Value) -> Result<()> {
        let mut scalars = Vec::new();
        flatten("", value, &mut scalars);
        scalars.retain(|(tag, _)| tag != "step");
        self.0.bytes(&record(&event(now(), step as u64, &scalars)))
    }

    pub(crate) fn log(&self) -> &Log {
        &self.0
    }
}

fn flatten(path: &str, value: &Value, scalars: &mut Vec<(String, f32)>) {
    match value {
        Value::Number(number) => {
            scalars.extend(number.as_f64().map(|number| (path.to_owned(), number as f32)));
        }
        Value::Object(fields) => {
            for (name, value) in fields {
                let path = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
                flatten(&path, value, scalars);
            }
        }
        _ => {}
    }
}

/// Seconds since 1970.
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

fn record(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    [&length[..], &masked(&length), data, &masked(data)].concat()
}

/// As TensorFlow masks it, so that the checksum of data with a checksum in it is not degenerate.
fn masked(data: &[u8]) -> [u8; 4] {
    crc32c::crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes()
}

/// `Event { wall_time = 1, file_version = 3 }`
fn version(wall_time: f64) -> Vec<u8> {
    [&[0x09][..], &wall_time.to_le_bytes(), &bytes(3, b"brain.Event:2")].concat()
}

/// `Event { wall_time = 1, step = 2, summary = 5 }` with `Summary { value = 1 }` and `Value { tag = 1, simple_value = 2 }`
fn event(wall_time: f64, step: u64, scalars: &[(String, f32)]) -> Vec<u8> {
    let value = |(tag, number): &(String, f32)| {
        let value = [&bytes(1, tag.as_bytes())[..], &[0x15], &number.to_le_bytes()].concat();
        bytes(1, &value)
    };
    let summary: Vec<u8> = scalars.iter().flat_map(value).collect();
    [&[0x09][..], &wall_time.to_le_bytes(), &[0x10], &varint(step), &bytes(5, &summary)].concat()
}

/// A field of bytes, with its length.
fn bytes(field: u8, content: &[u8]) -> Vec<u8> {
    [&[field << 3 | 2][..], &varint(content.len() as u64), content].concat()
}

fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Written by `tensorboard` 2.21, see tests/tensorboard/golden.py.
    const GOLDEN: &[u8] = include_bytes!("../tests/tensorboard/golden.tfevents");

    #[test]
    fn events_are_the_bytes_that_tensorboard_writes() {
        let mut scalars = Vec::new();
        flatten("", &json!({ "reward": 0.25, "seconds": { "sample": 1.5 }, "name": "x", "loss": null }), &mut scalars);
        let written = [
            record(&version(1.5)),
            record(&event(2.5, 3, &scalars)),
            record(&event(1e9, 300_000, &[("a".repeat(200), -1e-3)])),
        ];
        assert_eq!(written.concat(), GOLDEN);
    }
}
