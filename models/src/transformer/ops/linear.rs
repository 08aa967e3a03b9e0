//! The three matmuls of a linear layer by themselves, as training makes them, to be measured: see `benches/products.rs`.

use rayon::prelude::*;

use super::outer_products::{Factor, OuterProducts};
use super::panels::Panels;
use super::product::{Left, Onto};
use super::rows_at_once;
use crate::buffers::{Buffer, Pooled};

/// `out = x weightsᵀ`. Sizes are multiples of 16.
pub struct Linear {
    weights: Buffer<f32>,
    x: Buffer<f32>,
    out: Buffer<f32>,
    inputs: usize,
    outputs: usize,
}

impl Linear {
    /// With `x` of `[rows, inputs]` and weights of `[outputs, inputs]`, row-major.
    pub fn new(x: &[f32], weights: &[f32], inputs: usize) -> Self {
        let (rows, outputs) = (x.len() / inputs, weights.len() / inputs);
        assert!(inputs.is_multiple_of(16) && outputs.is_multiple_of(16) && rows > 0);
        let copy = |numbers: &[f32]| {
            let mut copy = f32::buffers().take(numbers.len());
            copy.copy_from_slice(numbers);
            copy
        };
        Self { weights: copy(weights), x: copy(x), out: copy(&vec![0.0; rows * outputs]), inputs, outputs }
    }

    /// The output, `[rows, outputs]`.
    pub fn forward(&mut self) -> &[f32] {
        let panels = Panels::transposed(&[&self.weights], self.inputs, None);
        let at_once = rows_at_once(self.x.len() / self.inputs);
        let tasks = self.out.par_chunks_mut(at_once * self.outputs).zip(self.x.par_chunks(at_once * self.inputs));
        tasks.for_each(|(out, x)| panels.apply(out, Onto::Zero, Left::rows(x, self.inputs)));
        &self.out
    }

    /// The gradient of `x`, where the output is that of itself: it is written over `x`.
    pub fn input_gradient(&mut self) -> &[f32] {
        let panels = Panels::stacked(&[&self.weights], self.inputs, None);
        let at_once = rows_at_once(self.x.len() / self.inputs);
        let tasks = self.x.par_chunks_mut(at_once * self.inputs).zip(self.out.par_chunks(at_once * self.outputs));
        tasks.for_each(|(x, out)| panels.apply(x, Onto::Zero, Left::rows(out, self.outputs)));
        &self.x
    }

    /// The gradient of the weights, where the output is that of itself: it is added to the weights.
    pub fn weight_gradient(&mut self) -> &[f32] {
        let left = Factor { numbers: &self.out, stride: self.outputs, first: 0 };
        let right = Factor { numbers: &self.x, stride: self.inputs, first: 0 };
        OuterProducts::of(right, self.inputs, None).add(&mut self.weights, left);
        &self.weights
    }
}
