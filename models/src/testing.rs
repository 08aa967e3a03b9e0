//! What tests of several modules share.

use crate::contract::Model;
use crate::data::{Sequence, Signals, Want};

/// One forward and backward pass; `loss` returns the cotangents.
pub(crate) fn differentiate(
    model: &mut dyn Model,
    batch: &[Sequence<'_>],
    want: &Want,
    loss: impl FnOnce(&Signals) -> Signals,
) {
    let (signals, pass) = model.forward(batch, want).unwrap();
    pass.backward(&loss(&signals)).unwrap();
}
