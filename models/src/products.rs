//! The precision of matmuls.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::transformer::Unit;

/// The numbers that a model's activations and weights are multiplied as, and its gradients: written as `f32` or `bf16`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Products {
    /// Both factors as they are, sums in `f32`.
    #[default]
    F32,
    /// Both factors rounded to bf16 (8 bits of fraction), sums in `f32`: several times as fast on a processor with AMX.
    /// It needs AMX or AVX512-BF16, which round differently in the last bits of a sum. Weights that are bf16 in their
    /// file are multiplied as they are; the error comes from rounding the activations. A model that learns keeps weights,
    /// gradients and moments in `f32`, and attention multiplies queries, keys and values as they are.
    Bf16,
}

impl Products {
    /// What computes them on this processor: AMX and AVX512-BF16 differ in the last bits.
    pub fn unit(self) -> Option<&'static str> {
        Unit::of(self, "products").ok().flatten().map(Unit::name)
    }
}

impl FromStr for Products {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "f32" => Ok(Self::F32),
            "bf16" => Ok(Self::Bf16),
            _ => Err(Error::setting("model", "products", format!("{text:?} is not a precision: f32, bf16"))),
        }
    }
}
