//! A look at the models themselves: do their numbers change with an update, do all parameters get a gradient?

use std::collections::BTreeMap;

use oreal_algos::{Column, Columns, Role};
use oreal_models::{Sequence, Token};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::roles::Roles;

/// Trajectories that are read before and after the updates of a step.
const TRAJECTORIES: usize = 4;

/// What a look at the models found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Probed {
    /// Roles whose signals are the same, bit for bit, after updates with a positive rate and gradient.
    pub unmoved: Vec<String>,
    /// Parameters, each after its role, that have had no gradient since the start.
    pub idle: Vec<String>,
}

/// What each role that learns reported before the updates of a step.
pub struct Probe {
    sequences: Vec<(Vec<Token>, Vec<Token>)>,
    before: BTreeMap<Role, Columns>,
}

impl Probe {
    /// Reads the first trajectories of a batch; `signals` are those of the objective.
    pub(crate) fn read(
        roles: &Roles,
        signals: &[Column],
        learners: &[(Role, f64)],
        batch: &[Sequence<'_>],
    ) -> Result<Probe> {
        let batch = &batch[..batch.len().min(TRAJECTORIES)];
        let mut before = BTreeMap::new();
        for &(role, _) in learners.iter().filter(|(_, rate)| *rate > 0.0 && !batch.is_empty()) {
            let columns: Vec<Column> = signals.iter().copied().filter(|column| column.role() == Some(role)).collect();
            before.insert(role, roles.read(role, &columns, batch)?);
        }
        let owned = |sequence: &Sequence<'_>| (sequence.prompt.to_vec(), sequence.completion.to_vec());
        Ok(Probe { sequences: batch.iter().map(owned).collect(), before })
    }

    /// Reads them again after the updates, whose gradient norms are given by role where they are told.
    pub(crate) fn compare(self, roles: &Roles, norms: &dyn Fn(Role) -> Option<f64>) -> Result<Probed> {
        let sequences: Vec<Sequence<'_>> =
            self.sequences.iter().map(|(prompt, completion)| Sequence { prompt, completion }).collect();
        let mut probed = Probed::default();
        for (role, before) in self.before {
            let columns: Vec<Column> = before.keys().copied().collect();
            if norms(role) > Some(0.0) && roles.read(role, &columns, &sequences)? == before {
                probed.unmoved.push(role.name().to_owned());
            }
            let idle = roles.get(role)?.idle_parameters().map_err(Error::model(role.name()))?;
            probed.idle.extend(idle.into_iter().map(|parameter| format!("{}: {parameter}", role.name())));
        }
        Ok(probed)
    }
}
