//! The right factor of a matmul: weights side by side, stored in one of several ways.

use super::forward::Team;
use crate::transformer::ops::{Bf16, Left, Onto, Panels, Readable, Unit, Weights};
use crate::transformer::read_only::Numbers;

/// Where a forward pass reads weights of `f32` or `f64` from. The results are the same, bit for bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// A copy in panels: worth its memory and its time where many tokens follow each other.
    Panels,
    /// The model itself.
    InPlace,
}

/// The transposes of weights, side by side.
pub(super) struct Factor<'a, E: Readable> {
    stored: Kind<'a, E>,
    unit: Option<Unit>,
}

enum Kind<'a, E: Readable> {
    Panels(Panels<E>),
    Wide(Weights<'a, E>),
    Half(Weights<'a, Bf16>),
}

impl<'a, E: Readable> Factor<'a, E> {
    /// Of weights with this number of inputs. Those in bf16 are multiplied as they lie, unless they are copied to
    /// panels or stand beside others.
    pub(super) fn new<const N: usize>(
        weights: [&'a Numbers<'a, E>; N],
        inputs: usize,
        layout: Layout,
        unit: Option<Unit>,
    ) -> Self {
        let panels = || {
            let wide = weights.map(Numbers::wide);
            Kind::Panels(Panels::transposed(&wide.each_ref().map(|numbers| &**numbers), inputs, unit))
        };
        let half = weights.iter().map(|w| if let Numbers::Half(x) = w { Some(*x) } else { None });
        let wide = weights.iter().map(|w| if let Numbers::Wide(x) = w { Some(&**x) } else { None });
        let stored = match layout {
            Layout::Panels => panels(),
            Layout::InPlace => match (half.collect::<Option<Vec<_>>>(), wide.collect::<Option<Vec<_>>>()) {
                (Some(half), _) => Kind::Half(Weights::new(&half, inputs)),
                (_, Some(wide)) => Kind::Wide(Weights::new(&wide, inputs)),
                _ => panels(),
            },
        };
        Self { stored, unit }
    }

    /// Outputs, those of each weight padded.
    pub(super) fn columns(&self) -> usize {
        match &self.stored {
            Kind::Panels(panels) => panels.columns(),
            Kind::Wide(weights) => weights.columns(),
            Kind::Half(weights) => weights.columns(),
        }
    }

    /// `out = start + left self`, with `out` of `[rows, columns]` and rows of the left factor `stride` apart.
    pub(super) fn apply(&self, team: Team, out: &mut [E], start: Onto, left: &[E], stride: usize) {
        let rows = Left::rows(left, stride);
        match (&self.stored, self.unit) {
            (Kind::Wide(weights), Some(unit)) => weights.apply_in_bf16(unit, out, start, (left, stride)),
            (Kind::Half(weights), Some(unit)) => weights.apply_in_bf16(unit, out, start, (left, stride)),
            (Kind::Wide(weights), None) => weights.apply(out, start, rows),
            (Kind::Half(weights), None) => weights.apply(out, start, rows),
            (Kind::Panels(panels), _) => match team {
                Team::Alone => panels.apply(out, start, rows),
                Team::Together => panels.apply_by_columns(out, start, rows),
            },
        }
    }
}
