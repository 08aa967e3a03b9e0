//! The product of the head, some rows a task.

use dfdx::prelude::{Cpu, HasShape};
use rayon::prelude::*;

use super::panels::{Factor, Panels, add_transposed_product};
use super::product::Left;
use super::raw::slice;
use super::{Matrix, ROWS};
use crate::real::Real;

pub(super) fn project<E: Real>(x: &[E], weight: &Matrix<E, Cpu>) -> Vec<E> {
    let (outputs, inputs) = *weight.shape();
    let panels = Panels::transposed(&[slice(weight)], inputs);
    by_rows(&panels, (x, inputs), outputs)
}

pub(super) fn project_back<E: Real>(d_out: &[E], x: &[E], weight: &Matrix<E, Cpu>, d_weight: &mut [E]) -> Vec<E> {
    let (outputs, inputs) = *weight.shape();
    let left = Factor { numbers: d_out, stride: outputs, first: 0 };
    add_transposed_product(d_weight, inputs, left, Factor { numbers: x, stride: inputs, first: 0 });
    let panels = Panels::stacked(&[slice(weight)], inputs);
    by_rows(&panels, (d_out, outputs), inputs)
}

fn by_rows<E: Real>(panels: &Panels<E>, (x, depth): (&[E], usize), width: usize) -> Vec<E> {
    let mut out = vec![E::ZERO; x.len() / depth * width];
    let tasks = out.par_chunks_mut(ROWS * width).zip(x.par_chunks(ROWS * depth));
    tasks.for_each(|(out, x)| panels.add_to(out, width, Left::rows(x, depth)));
    out
}
