//! Who plays what: the models behind the columns an algorithm reads.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use oreal_algos::{Column, Columns, Experience, Role};
use oreal_models::{Head, Model, Optimiser, Sequence, Signal, Signals, Want};

use crate::error::{Error, Result};

/// The models of a run, by role. A role that no column asks for is not there.
pub struct Roles<M: Model + ?Sized = dyn Model> {
    models: BTreeMap<Role, Box<M>>,
    temperature: f64,
    /// Whether the reference, where there is one, still has the policy's weights.
    twins: bool,
}

impl Roles {
    /// The policy, and what the columns ask for: each starts from the policy's weights.
    pub fn new(
        policy: Box<dyn Model>,
        reads: &BTreeSet<Column>,
        optimiser: &Optimiser,
        temperature: f64,
    ) -> Result<Roles> {
        let mut models: BTreeMap<Role, Box<dyn Model>> = BTreeMap::new();
        for role in reads.iter().filter_map(|column| column.role()).filter(|&role| role != Role::Policy) {
            if let Entry::Vacant(place) = models.entry(role) {
                place.insert(policy.fork(head(role), optimiser).map_err(Error::model(role.name()))?);
            }
        }
        models.insert(Role::Policy, policy);
        Ok(Roles { models, temperature, twins: true })
    }

    /// The policy, to draw completions from.
    pub fn policy(&mut self) -> Result<&mut dyn Model> {
        let policy = self.models.get_mut(&Role::Policy).ok_or_else(|| missing(Role::Policy))?;
        Ok(policy.as_mut())
    }

    /// The policy, for itself.
    pub fn into_policy(mut self) -> Result<Box<dyn Model>> {
        self.models.remove(&Role::Policy).ok_or_else(|| missing(Role::Policy))
    }
}

impl<M: Model + ?Sized> Roles<M> {
    /// These models, all at one temperature.
    pub fn of(models: BTreeMap<Role, Box<M>>, temperature: f64) -> Self {
        Roles { models, temperature, twins: false }
    }

    /// The model in a role, to do anything with.
    pub fn get_mut(&mut self, role: Role) -> Result<&mut M> {
        self.twins &= !matches!(role, Role::Policy | Role::Reference);
        self.models.get_mut(&role).map(Box::as_mut).ok_or_else(|| missing(role))
    }

    /// Every role with its model.
    pub fn iter(&self) -> impl Iterator<Item = (Role, &M)> {
        self.models.iter().map(|(role, model)| (*role, model.as_ref()))
    }

    /// Puts the columns that are not there yet in place, each from the role that knows it. In an empty batch there is
    /// nothing to know. As long as the reference has the policy's weights, one pass serves both.
    pub fn fill(&self, x: &mut Experience, columns: &[Column], batch: &[Sequence<'_>]) -> Result<()> {
        if batch.is_empty() {
            return Ok(());
        }
        let missing: Vec<Column> = columns.iter().copied().filter(|&column| x.column(column).is_none()).collect();
        let mut asked = by_role(&missing);
        if self.twins {
            let shared = asked.remove(&Role::Reference).unwrap_or_default();
            asked.entry(Role::Policy).or_default().extend(shared);
        }
        for (role, columns) in asked.into_iter().filter(|(_, columns)| !columns.is_empty()) {
            for (column, values) in self.read(role, &columns, batch)? {
                x.set(column, values);
            }
        }
        Ok(())
    }

    /// Values of one role's columns, without gradient.
    pub fn read(&self, role: Role, columns: &[Column], batch: &[Sequence<'_>]) -> Result<Columns> {
        let model = self.models.get(&role).ok_or_else(|| missing(role))?;
        let signals = model.read(batch, &want(columns, self.temperature)).map_err(Error::model(role.name()))?;
        Ok(to_columns(columns, &signals))
    }

    /// Forward for every signal, then `loss` with all of them, then each cotangent back to the role that reported the
    /// signal. A role that does not learn is read only.
    pub fn backward(
        &mut self,
        signals: &[Column],
        learns: &dyn Fn(Role) -> bool,
        batch: &[Sequence<'_>],
        loss: &mut dyn FnMut(&Columns) -> Columns,
    ) -> Result<()> {
        let mut asked = by_role(signals);
        let (mut known, mut chain) = (Columns::new(), Vec::new());
        for (&role, model) in &mut self.models {
            let Some(columns) = asked.remove(&role) else { continue };
            let want = want(&columns, self.temperature);
            if learns(role) {
                chain.push(Link { role, columns, want, model: model.as_mut() });
            } else {
                let signals = model.read(batch, &want).map_err(Error::model(role.name()))?;
                known.extend(to_columns(&columns, &signals));
            }
        }
        match asked.keys().next() {
            Some(&role) => Err(missing(role)),
            None => descend(&mut chain, &known, batch, loss).map(drop),
        }
    }

    /// Whether there is memory to differentiate a part of a batch: the roles that learn each hold their own pass until
    /// all are done. A tenth of what is free is left for what is not counted.
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

    /// One step of a role's optimiser; the gradient norm before clipping.
    pub fn step(&mut self, role: Role, rate: f64) -> Result<f64> {
        Ok(self.get_mut(role)?.step(rate).map_err(Error::model(role.name()))?.gradient_norm)
    }
}

/// A role whose forward pass waits for the ones after it.
struct Link<'a, M: ?Sized> {
    role: Role,
    columns: Vec<Column>,
    want: Want,
    model: &'a mut M,
}

/// Each role's loss callback runs the next role's pass; the innermost evaluates the objective. Returns all cotangents.
fn descend<M: Model + ?Sized>(
    chain: &mut [Link<'_, M>],
    known: &Columns,
    batch: &[Sequence<'_>],
    loss: &mut dyn FnMut(&Columns) -> Columns,
) -> Result<Columns> {
    let Some((link, rest)) = chain.split_first_mut() else {
        return Ok(loss(known));
    };
    let (role, columns) = (link.role, &link.columns);
    let mut inner = Ok(Columns::new());
    let pass = link.model.backward(batch, &link.want, &mut |signals| {
        let mut known = known.clone();
        known.extend(to_columns(columns, signals));
        inner = descend(rest, &known, batch, loss);
        let cotangent = |column: Column, like: &Vec<f64>| match &inner {
            Ok(cotangents) => cotangents.get(&column).cloned().unwrap_or_else(|| vec![0.0; like.len()]),
            Err(_) => vec![0.0; like.len()],
        };
        Signals(columns.iter().map(|&c| (signal(c), cotangent(c, &signals.0[&signal(c)]))).collect())
    });
    pass.map_err(Error::model(role.name())).and(inner)
}

/// The signal of a model that a column is.
fn signal(column: Column) -> Signal {
    match column {
        Column::Entropy => Signal::Entropy,
        Column::Value | Column::OldValue | Column::Score => Signal::Scalar,
        Column::ScoreAfter => Signal::ScalarAfter,
        _ => Signal::Logp,
    }
}

fn head(role: Role) -> Head {
    match role {
        Role::Policy | Role::Reference => Head::Vocabulary,
        Role::Critic | Role::RewardModel => Head::Scalar,
    }
}

fn want(columns: &[Column], temperature: f64) -> Want {
    let signals: BTreeSet<Signal> = columns.iter().map(|&column| signal(column)).collect();
    Want { signals: signals.into_iter().collect(), temperature }
}

fn to_columns(columns: &[Column], signals: &Signals) -> Columns {
    columns.iter().filter_map(|&column| Some((column, signals.0.get(&signal(column))?.clone()))).collect()
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
    let problem = format!("no model plays the {}, though a column of the algorithm needs it", role.name());
    Error::setting("algorithm", problem)
}

#[cfg(test)]
mod tests {
    use oreal_algos::Layout;
    use oreal_models::Table;

    use super::*;

    const PROMPT: [u32; 1] = [1];
    const COMPLETION: [u32; 2] = [2, 0];

    fn batch() -> [Sequence<'static>; 1] {
        [Sequence { prompt: &PROMPT, completion: &COMPLETION }]
    }

    /// A policy whose scalars are 0.1, 0.2 and 0.3 after no, one and two tokens; a fork to a scalar head would zero them.
    fn table() -> Box<dyn Model> {
        let mut table = Table::new(3, &Optimiser::EXACT);
        for length in 0..=2 {
            table.set_scalar(&PROMPT, &COMPLETION[..length], 0.1 * (length + 1) as f64);
        }
        Box::new(table)
    }

    fn roles() -> Roles {
        let mut roles = Roles::new(table(), &BTreeSet::from([Column::RefLogp]), &Optimiser::EXACT, 1.0).unwrap();
        roles.models.insert(Role::Critic, table());
        roles.models.insert(Role::RewardModel, table());
        roles
    }

    #[test]
    fn columns_come_from_the_signal_they_are() {
        let mut x = Experience::new(Layout::new(&[vec![2]]));
        roles().fill(&mut x, &Column::ALL, &batch()).unwrap();
        for (column, expected) in [
            (Column::Score, [0.1, 0.2]),
            (Column::ScoreAfter, [0.2, 0.30000000000000004]),
            (Column::OldValue, [0.1, 0.2]),
            (Column::RefLogp, [-(3f64.ln()); 2]),
            (Column::Entropy, [3f64.ln(); 2]),
        ] {
            let found = x.column(column).unwrap();
            let off = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            assert!(off < 1e-12, "{}: {found:?}", column.name());
        }
        assert_eq!(x.column(Column::Reward), None, "no model knows the reward");
    }

    #[test]
    fn the_reference_is_read_with_the_policy_until_the_policy_moves() {
        let reads = BTreeSet::from([Column::OldLogp, Column::RefLogp]);
        let mut roles = Roles::new(table(), &reads, &Optimiser::EXACT, 1.0).unwrap();
        // A reference that would be seen, were it asked.
        roles.models.insert(Role::Reference, Box::new(Table::new(7, &Optimiser::EXACT)));
        let logps = |roles: &Roles| {
            let mut x = Experience::new(Layout::new(&[vec![2]]));
            roles.fill(&mut x, &[Column::OldLogp, Column::RefLogp], &batch()).unwrap();
            [Column::OldLogp, Column::RefLogp].map(|column| x.column(column).unwrap()[0])
        };
        assert_eq!(logps(&roles), [-(3f64.ln()); 2]);
        roles.step(Role::Policy, 0.0).unwrap();
        assert_eq!(logps(&roles), [-(3f64.ln()), -(7f64.ln())]);
    }

    #[test]
    fn cotangents_return_to_the_role_the_signal_came_from_and_to_learners_only() {
        let mut roles = roles();
        let signals = [Column::Logp, Column::Score, Column::Value];
        let mut loss = |seen: &Columns| {
            assert_eq!(seen.len(), 3);
            Columns::from([
                (Column::Logp, vec![1.0, 0.0]),
                (Column::Score, vec![0.0, 2.0]),
                (Column::Value, vec![5.0; 2]),
            ])
        };
        roles.backward(&signals, &|role| role != Role::Critic, &batch(), &mut loss).unwrap();
        // The slope of a log-probability of 1/3 is (2/3, -1/3, -1/3).
        assert!((roles.step(Role::Policy, 1.0).unwrap() - (6f64.sqrt() / 3.0)).abs() < 1e-12);
        assert!((roles.step(Role::RewardModel, 1.0).unwrap() - 2.0).abs() < 1e-12);
        assert_eq!(roles.step(Role::Critic, 1.0).unwrap(), 0.0, "a role that does not learn is read only");
        let reference = roles.read(Role::Reference, &[Column::RefLogp], &batch()).unwrap();
        assert!((reference[&Column::RefLogp][0] + 3f64.ln()).abs() < 1e-12, "the reference stays where it was");
        assert!(roles.read(Role::Policy, &[Column::Logp], &batch()).unwrap()[&Column::Logp][0] < -3f64.ln());
    }
}
