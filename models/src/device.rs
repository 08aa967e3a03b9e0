//! Where a transformer is, chosen at run time.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::contract::Model;
use crate::data::Head;
use crate::error::{Error, Result};
use crate::optim::Optimiser;
use crate::process::TF32;
use crate::transformer::{Config, Cpu, Fused, Transformer};

/// Where a model is: written as `cpu`, `cuda`, or `cuda:1`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Device {
    #[default]
    Cpu,
    /// A GPU of NVIDIA, counted from 0.
    Cuda(usize),
}

impl Device {
    /// A fresh transformer in f32; the same seed gives the same weights on every device.
    pub fn transformer(self, config: Config, head: Head, optimiser: &Optimiser, seed: u64) -> Result<Box<dyn Model>> {
        match self {
            Self::Cpu => {
                let device = Cpu::default();
                Ok(Box::new(Transformer::<f32, Fused>::new_on(device, config, head, optimiser, seed)?))
            }
            #[cfg(feature = "dfdx-cuda")]
            Self::Cuda(number) => {
                let device = cuda::open(number)?;
                Ok(Box::new(Transformer::<f32, cuda::Ops>::new_on(device, config, head, optimiser, seed)?))
            }
            #[cfg(not(feature = "dfdx-cuda"))]
            Self::Cuda(_) => Err(Error::NotBuilt { device: self.to_string() }),
        }
    }

    /// As [`Transformer::load`], in f32.
    pub fn load(self, path: &Path, optimiser: &Optimiser) -> Result<Box<dyn Model>> {
        match self {
            Self::Cpu => Ok(Box::new(Transformer::<f32, Fused>::load(path, optimiser)?)),
            #[cfg(feature = "dfdx-cuda")]
            Self::Cuda(number) => {
                Ok(Box::new(Transformer::<f32, cuda::Ops>::load_on(cuda::open(number)?, path, optimiser)?))
            }
            #[cfg(not(feature = "dfdx-cuda"))]
            Self::Cuda(_) => Err(Error::NotBuilt { device: self.to_string() }),
        }
    }

    /// What the factors of a product are rounded to: `f32`, or `tf32`.
    pub fn products(self) -> &'static str {
        match self {
            Self::Cuda(_) if std::env::var(TF32).is_ok_and(|value| value == "1") => "tf32",
            _ => "f32",
        }
    }
}

#[cfg(feature = "dfdx-cuda")]
mod cuda {
    use dfdx::prelude::Cuda;

    use crate::error::Result;
    use crate::transformer::{Hardware, Stock};

    pub(super) type Ops = Stock<Cuda>;

    pub(super) fn open(number: usize) -> Result<Cuda> {
        Cuda::open(number)
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

    #[cfg(not(feature = "dfdx-cuda"))]
    #[test]
    fn what_was_not_built_is_said() {
        let message = Device::Cuda(0).load(Path::new("."), &Optimiser::default()).err().unwrap().to_string();
        assert!(message.contains("cuda:0") && message.contains("--features dfdx-cuda"), "{message}");
    }
}
