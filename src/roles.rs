//! The models of a run, by role, behind the columns that an algorithm reads.

use std::borrow::Cow;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use oreal_algos::{Column, Columns, Experience, Output, Role, Source};
use oreal_models::{Head, Model, ModelState, Pass, Sequence, Signal, Signals, Want};

use crate::error::{Error, Result};

/// The models of a run. A role that no column asks for is not there.
pub struct Roles<M: Model + ?Sized = dyn Model> {
    models: BTreeMap<Role, Box<M>>,
    temperature: f64,
    /// The reference, where there is one, still has the policy's weights: one forward pass serves both.
    reference_is_policy: bool,
}

/// The forward passes of the roles that learn, each waiting for its cotangents.
pub struct Passes<'a>(Vec<RolePass<'a>>);

struct RolePass<'a> {
    role: Role,
    columns: Vec<Column>,
    /// Of the batch: a signal without a cotangent has zeros.
    tokens: usize,
    pass: Box<dyn Pass + 'a>,
}

/// How a role other than the policy is made, from the policy.
pub type Make<'a> = &'a dyn Fn(Role, &dyn Model) -> Result<Box<dyn Model>>;

impl Roles {
    /// The policy, and the roles that the columns ask for, each made by `make`.
    pub fn new(policy: Box<dyn Model>, reads: &BTreeSet<Column>, temperature: f64, make: Make<'_>) -> Result<Roles> {
        let mut models: BTreeMap<Role, Box<dyn Model>> = BTreeMap::new();
        for role in reads.iter().filter_map(|column| column.role()).filter(|&role| role != Role::POLICY) {
            if let Entry::Vacant(place) = models.entry(role) {
                place.insert(make(role, &*policy)?);
            }
        }
        models.insert(Role::POLICY, policy);
        Ok(Roles { models, temperature, reference_is_policy: false })
    }

    /// Says that the reference is a copy of the policy as it now is.
    pub fn reference_is_policy(mut self) -> Roles {
        self.reference_is_policy = true;
        self
    }

    /// The policy, to draw completions from.
    pub fn policy(&self) -> Result<&dyn Model> {
        self.get(Role::POLICY)
    }

    /// The policy, for itself.
    pub fn into_policy(mut self) -> Result<Box<dyn Model>> {
        self.models.remove(&Role::POLICY).ok_or_else(|| missing(Role::POLICY))
    }
}

impl<M: Model + ?Sized> Roles<M> {
    /// These models, all at one temperature.
    pub fn of(models: BTreeMap<Role, Box<M>>, temperature: f64) -> Self {
        Roles { models, temperature, reference_is_policy: false }
    }

    /// The model in a role.
    pub fn get(&self, role: Role) -> Result<&M> {
        self.models.get(&role).map(Box::as_ref).ok_or_else(|| missing(role))
    }

    /// The model in a role, to change it in any way.
    pub fn get_mut(&mut self, role: Role) -> Result<&mut M> {
        self.reference_is_policy &= role != Role::POLICY && role != Role::REFERENCE;
        self.models.get_mut(&role).map(Box::as_mut).ok_or_else(|| missing(role))
    }

    /// Gives each role the state that `state` has for it; one is in memory at a time.
    pub(crate) fn restore<'a>(&mut self, state: &mut dyn FnMut(Role) -> Result<Cow<'a, ModelState>>) -> Result<()> {
        let roles: Vec<Role> = self.models.keys().copied().collect();
        for role in roles {
            self.get_mut(role)?.restore(&*state(role)?).map_err(Error::model(role.name()))?;
        }
        Ok(())
    }

    /// Every role with its model.
    pub fn iter(&self) -> impl Iterator<Item = (Role, &M)> {
        self.models.iter().map(|(role, model)| (*role, model.as_ref()))
    }

    /// Puts the columns that are not there yet in place, each from the role that reports it. An empty batch has none. As
    /// long as the reference has the policy's weights, one forward pass serves both.
    pub fn fill(&self, x: &mut Experience, columns: &[Column], batch: &[Sequence<'_>]) -> Result<()> {
        if batch.is_empty() {
            return Ok(());
        }
        let missing: Vec<Column> = columns.iter().copied().filter(|&column| x.column(column).is_none()).collect();
        let mut asked = by_role(&missing);
        if self.reference_is_policy {
            let shared = asked.remove(&Role::REFERENCE).unwrap_or_default();
            asked.entry(Role::POLICY).or_default().extend(shared);
        }
        for (role, columns) in asked.into_iter().filter(|(_, columns)| !columns.is_empty()) {
            for (column, values) in self.read(role, &columns, batch)? {
                x.set(column, values)?;
            }
        }
        Ok(())
    }

    /// Values of one role's columns, without gradient.
    pub fn read(&self, role: Role, columns: &[Column], batch: &[Sequence<'_>]) -> Result<Columns> {
        let signals =
            self.get(role)?.read(batch, &want(columns, self.temperature)).map_err(Error::model(role.name()))?;
        Ok(to_columns(columns, &signals))
    }

    /// The signals of a batch, and the forward passes of the roles that learn, to send cotangents back through. A role that
    /// does not learn is read only.
    pub fn forward<'a>(
        &'a mut self,
        signals: &[Column],
        learns: &dyn Fn(Role) -> bool,
        batch: &[Sequence<'_>],
    ) -> Result<(Columns, Passes<'a>)> {
        let mut asked = by_role(signals);
        let (mut known, mut passes) = (Columns::new(), Vec::new());
        for (&role, model) in &mut self.models {
            let Some(columns) = asked.remove(&role) else { continue };
            let want = want(&columns, self.temperature);
            let signals = if learns(role) {
                let (signals, pass) = model.forward(batch, &want).map_err(Error::model(role.name()))?;
                let tokens = batch.iter().map(|sequence| sequence.completion.len()).sum();
                passes.push(RolePass { role, columns: columns.clone(), tokens, pass });
                signals
            } else {
                model.read(batch, &want).map_err(Error::model(role.name()))?
            };
            known.extend(to_columns(&columns, &signals));
        }
        match asked.keys().next() {
            Some(&role) => Err(missing(role)),
            None => Ok((known, Passes(passes))),
        }
    }

    /// Whether there is memory to differentiate a part of a batch: the roles that learn each hold their own forward pass
    /// until the loss is known. A tenth of what is free is left for what is not counted.
    pub fn fits<'a>(
        &'a self,
        signals: &[Column],
        learns: &'a dyn Fn(Role) -> bool,
    ) -> Result<impl Fn(&[Sequence<'_>]) -> bool + use<'a, M>> {
        let roles: BTreeSet<Role> = signals.iter().filter_map(|column| column.role()).collect();
        let learners: Vec<(Role, &M)> = self.iter().filter(|(role, _)| roles.contains(role) && learns(*role)).collect();
        let mut free: Option<usize> = None;
        for (role, model) in &learners {
            free = free.into_iter().chain(model.free().map_err(Error::model(role.name()))?).min();
        }
        Ok(move |part: &[Sequence<'_>]| {
            free.is_none_or(|free| learners.iter().map(|(_, model)| model.needs(part)).sum::<usize>() <= free / 10 * 9)
        })
    }

    /// One optimiser step of each of these roles at its learning rate; the gradient norms before clipping, where they are told.
    /// Where a gradient
    /// is not finite, no role has moved and no gradient is left.
    pub fn step(&mut self, learners: &[(Role, f64)]) -> Result<Vec<Option<f64>>> {
        let norm = |&(role, _): &(Role, f64)| self.get(role)?.gradient_norm().map_err(Error::model(role.name()));
        let norms = match learners.iter().map(norm).collect::<Result<Vec<_>>>() {
            Ok(norms) => norms,
            Err(error) => {
                self.discard();
                return Err(error);
            }
        };
        for (&(role, rate), &norm) in learners.iter().zip(&norms) {
            self.get_mut(role)?.step(rate, norm).map_err(Error::model(role.name()))?;
        }
        Ok(norms)
    }

    /// Forgets the gradients accumulated so far.
    pub fn discard(&mut self) {
        self.models.values_mut().for_each(|model| model.discard());
    }
}

impl Passes<'_> {
    /// Sends each cotangent back to the role that reported the signal; a signal without one has none. Gradients accumulate.
    pub fn backward(self, cotangents: &Columns) -> Result<()> {
        for RolePass { role, columns, tokens, pass } in self.0 {
            let cotangent = |&column: &Column| {
                let values = cotangents.get(&column).cloned().unwrap_or_else(|| vec![0.0; tokens]);
                Some((signal(column)?, values))
            };
            pass.backward(&Signals(columns.iter().filter_map(cotangent).collect()))
                .map_err(Error::model(role.name()))?;
        }
        Ok(())
    }
}

/// The signal of a model that a column is; `None` for a column that no model reports.
pub(crate) fn signal(column: Column) -> Option<Signal> {
    match column.source() {
        Source::Model { output, .. } => Some(match output {
            Output::Logp => Signal::Logp,
            Output::Entropy => Signal::Entropy,
            Output::Scalar => Signal::Scalar,
            Output::ScalarAfter => Signal::ScalarAfter,
        }),
        _ => None,
    }
}

/// The head that a role's model has.
pub fn head(role: Role) -> Head {
    match role.head() {
        oreal_algos::Head::Vocabulary => Head::Vocabulary,
        oreal_algos::Head::Scalar => Head::Scalar,
    }
}

fn want(columns: &[Column], temperature: f64) -> Want {
    let signals: BTreeSet<Signal> = columns.iter().filter_map(|&column| signal(column)).collect();
    Want { signals: signals.into_iter().collect(), temperature }
}

fn to_columns(columns: &[Column], signals: &Signals) -> Columns {
    columns.iter().filter_map(|&column| Some((column, signals.0.get(&signal(column)?)?.clone()))).collect()
}

fn by_role(columns: &[Column]) -> BTreeMap<Role, Vec<Column>> {
    let mut roles: BTreeMap<Role, Vec<Column>> = BTreeMap::new();
    for &column in columns {
        if let Some(role) = column.role() {
            roles.entry(role).or_default().push(column);
        }
    }
    roles
}

fn missing(role: Role) -> Error {
    let problem = format!("no model has the role {}, though a column of the algorithm needs it", role.name());
    Error::setting("algorithm", problem)
}

#[cfg(test)]
mod tests;
