//! A transformer as a [`ModelState`] and back.

use std::collections::BTreeMap;

use crate::architecture::{Parameter, checkpoint};
use crate::error::Result;
use crate::real::Real;
use crate::state::{ModelState, Stored, damaged};
use crate::transformer::{Ops, Transformer};

/// Names of a weight's moments in a state.
fn moments(name: &str) -> [String; 2] {
    ["first", "second"].map(|moment| format!("{moment}.{name}"))
}

/// What the state of a model is called: models of other sizes are other kinds.
fn kind<E: Real, O: Ops<E>>(model: &Transformer<E, O>) -> Result<String> {
    let config = serde_json::to_string(&model.config).map_err(|problem| damaged(problem.to_string()))?;
    Ok(format!("transformer {config}"))
}

/// Weights, moments and steps.
pub(super) fn state<E: Real, O: Ops<E>>(model: &Transformer<E, O>) -> Result<ModelState> {
    let mut tensors = BTreeMap::new();
    for (i, Parameter { name, shape, .. }) in model.parameters.iter().enumerate() {
        let stored =
            |x| Stored { dtype: E::STORED, shape: shape.clone(), bytes: checkpoint::little_endian(&O::host(x)) };
        tensors.insert(name.clone(), stored(&model.weights[i]));
        if let Some(both) = &model.moments[i] {
            tensors.extend(moments(name).into_iter().zip(both.iter().map(stored)));
        }
    }
    Ok(ModelState::new(&kind(model)?, model.steps, tensors))
}

/// Replaces weights, moments and steps; all of them or, with an error, none.
pub(super) fn restore<E: Real, O: Ops<E>>(model: &mut Transformer<E, O>, state: &ModelState) -> Result<()> {
    let mut opened = state.open(&kind(model)?)?;
    let (mut weights, mut all_moments) = (Vec::new(), Vec::new());
    for parameter in &model.parameters {
        let tensor = |stored: &Stored| {
            let numbers = checkpoint::decode(stored.dtype, &stored.bytes).unwrap_or_default();
            O::matrix(&model.device, numbers, parameter.matrix())
        };
        weights.push(tensor(opened.take(&parameter.name, E::STORED, &parameter.shape)?)?);
        let names = moments(&parameter.name);
        all_moments.push(if opened.holds(&names[0]) {
            let [first, second] = names.map(|name| opened.take(&name, E::STORED, &parameter.shape));
            Some([tensor(first?)?, tensor(second?)?])
        } else {
            None
        });
    }
    opened.finish()?;
    (model.weights, model.moments, model.steps) = (weights, all_moments, state.steps());
    model.gradient.fill(None);
    Ok(())
}
