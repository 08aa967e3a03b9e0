//! What computes a transformer and where, chosen at run time.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::architecture::Config;
use crate::contract::Model;
use crate::data::Head;
use crate::device::Device;
use crate::error::{Error, Result};
use crate::optim::Optimiser;
use crate::products::Products;
use crate::transformer::{Backend, Cpu, Fused, Hardware, Stock, Transformer, Unit};

/// What computes a transformer: written as `fused` or `stock`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// This crate's own kernels, each with its derivative; on the CPU only.
    Fused,
    /// dfdx's own operations and derivatives, on any of its devices.
    Stock,
}

/// An engine on a device: makes and loads transformers in `f32`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Runtime {
    engine: Engine,
    device: Device,
    products: Products,
}

impl Engine {
    /// Every engine.
    pub const ALL: [Self; 2] = [Self::Fused, Self::Stock];

    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fused => "fused",
            Self::Stock => "stock",
        }
    }

    /// The faster engine of a device: fused on the CPU, stock elsewhere.
    pub fn best_on(device: Device) -> Self {
        match device {
            Device::Cpu => Self::Fused,
            Device::Cuda(_) => Self::Stock,
        }
    }
}

impl Runtime {
    /// This engine on this device; [`Engine::best_on`] the device where none is given.
    ///
    /// # Errors
    /// [`Error::Setting`] for an engine that does not run on the device, [`Error::NotBuilt`] for a device that this
    /// program was built without.
    pub fn new(engine: Option<Engine>, device: Device) -> Result<Self> {
        let engine = engine.unwrap_or_else(|| Engine::best_on(device));
        if cfg!(not(feature = "dfdx-cuda")) && device != Device::Cpu {
            return Err(Error::NotBuilt { device: device.to_string() });
        }
        if engine == Engine::Fused && device != Device::Cpu {
            let problem =
                format!("fused runs on the cpu only: choose engine = \"stock\" on {device}, or device = \"cpu\"");
            return Err(Error::setting("model", "engine", problem));
        }
        Ok(Self { engine, device, products: Products::F32 })
    }

    /// The same with products of this precision: see [`Transformer::set_products`].
    ///
    /// # Errors
    /// [`Error::Setting`] for bf16 with another engine than fused, or on a processor without it.
    pub fn with_products(self, products: Products) -> Result<Self> {
        if products == Products::Bf16 && self.engine != Engine::Fused {
            let problem = "the engine stock has no products in bf16: write \"f32\", or choose engine = \"fused\"";
            return Err(Error::setting("model", "train_products", problem));
        }
        Unit::of(products, "train_products")?;
        Ok(Self { products, ..self })
    }

    /// What computes.
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// Where.
    pub fn device(&self) -> Device {
        self.device
    }

    /// A fresh transformer; the same seed gives the same weights with every engine on every device.
    pub fn create(&self, config: Config, head: Head, optimiser: &Optimiser, seed: u64) -> Result<Box<dyn Model>> {
        self.build(Fresh { config, head, optimiser, seed })
    }

    /// As [`Transformer::load`].
    pub fn load(&self, path: &Path, head: Head, optimiser: &Optimiser) -> Result<Box<dyn Model>> {
        self.build(Saved { path, head, optimiser })
    }

    fn build(&self, source: impl Source) -> Result<Box<dyn Model>> {
        match (self.engine, self.device) {
            (Engine::Fused, Device::Cpu) => {
                let mut model = source.model::<Fused>(Cpu::open(0)?)?;
                model.set_products(self.products)?;
                Ok(Box::new(model))
            }
            (Engine::Stock, Device::Cpu) => Ok(Box::new(source.model::<Stock<Cpu>>(Cpu::open(0)?)?)),
            #[cfg(feature = "dfdx-cuda")]
            (Engine::Stock, Device::Cuda(number)) => {
                let device = crate::transformer::Cuda::open(number)?;
                Ok(Box::new(source.model::<Stock<crate::transformer::Cuda>>(device)?))
            }
            // Excluded by `new`.
            (_, device) => Err(Error::NotBuilt { device: device.to_string() }),
        }
    }
}

/// Where a transformer's weights come from.
trait Source {
    fn model<O: Backend<f32>>(self, device: O::Device) -> Result<Transformer<f32, O>>;
}

struct Fresh<'a> {
    config: Config,
    head: Head,
    optimiser: &'a Optimiser,
    seed: u64,
}

impl Source for Fresh<'_> {
    fn model<O: Backend<f32>>(self, device: O::Device) -> Result<Transformer<f32, O>> {
        let Self { config, head, optimiser, seed } = self;
        Transformer::new_on(device, config, head, optimiser, seed)
    }
}

struct Saved<'a> {
    path: &'a Path,
    head: Head,
    optimiser: &'a Optimiser,
}

impl Source for Saved<'_> {
    fn model<O: Backend<f32>>(self, device: O::Device) -> Result<Transformer<f32, O>> {
        Transformer::load_on(device, self.path, self.head, self.optimiser)
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Engine {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|engine| engine.name() == text);
        found.ok_or_else(|| Error::setting("model", "engine", format!("{text:?} is not an engine: fused, stock")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engines_are_read_as_they_are_written() {
        for engine in Engine::ALL {
            assert_eq!(engine.to_string().parse::<Engine>().unwrap(), engine);
            assert_eq!(serde_json::to_value(engine).unwrap(), engine.name());
        }
        let message = "fast".parse::<Engine>().unwrap_err().to_string();
        assert!(message.contains("model.engine") && message.contains("fused, stock"), "{message}");
    }

    #[test]
    fn the_engine_follows_the_device_and_must_run_there() {
        let cpu = |engine| Runtime::new(engine, Device::Cpu).unwrap();
        assert_eq!(cpu(None).engine(), Engine::Fused);
        assert_eq!(cpu(Some(Engine::Stock)).engine(), Engine::Stock);
        assert_eq!(Engine::best_on(Device::Cuda(1)), Engine::Stock);
        let message = Runtime::new(Some(Engine::Fused), Device::Cuda(1)).unwrap_err().to_string();
        let said = if cfg!(feature = "dfdx-cuda") {
            "model.engine: fused runs on the cpu only"
        } else {
            "cuda:1: this program"
        };
        assert!(message.starts_with(said), "{message}");
    }

    #[cfg(not(feature = "dfdx-cuda"))]
    #[test]
    fn devices_that_were_not_built_are_named() {
        let message = Runtime::new(None, Device::Cuda(0)).unwrap_err().to_string();
        assert!(message.contains("cuda:0") && message.contains("--features dfdx-cuda"), "{message}");
    }
}
