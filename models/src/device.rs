//! Where a transformer is.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::process::TF32;

/// Where a model is: written as `cpu`, `cuda`, or `cuda:1`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Device {
    /// The processor.
    #[default]
    Cpu,
    /// An NVIDIA GPU, counted from 0.
    Cuda(usize),
}

impl Device {
    /// Precision that the factors of a matmul are rounded to: `f32`, or `tf32` (see [`allow_tf32`](crate::allow_tf32)).
    pub fn products(self) -> &'static str {
        match self {
            Self::Cuda(_) if std::env::var(TF32).is_ok_and(|value| value == "1") => "tf32",
            _ => "f32",
        }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(number) => write!(f, "cuda:{number}"),
        }
    }
}

impl FromStr for Device {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let number = text.strip_prefix("cuda").map(|rest| match rest {
            "" => Some(0),
            _ => rest.strip_prefix(':').and_then(|number| number.parse().ok()),
        });
        match number {
            Some(Some(number)) => Ok(Self::Cuda(number)),
            None if text == "cpu" => Ok(Self::Cpu),
            _ => Err(Error::UnknownDevice { device: text.to_owned() }),
        }
    }
}

impl TryFrom<String> for Device {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Device> for String {
    fn from(device: Device) -> Self {
        device.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_read_as_they_are_written() {
        for (text, device) in [("cpu", Device::Cpu), ("cuda", Device::Cuda(0)), ("cuda:3", Device::Cuda(3))] {
            assert_eq!(text.parse::<Device>().unwrap(), device);
            assert_eq!(device.to_string().parse::<Device>().unwrap(), device);
        }
        for wrong in ["gpu", "cuda:", "cuda:x", "cuda1", "CPU", ""] {
            let message = wrong.parse::<Device>().unwrap_err().to_string();
            assert!(message.contains("cuda:0"), "{message}");
        }
    }
}
