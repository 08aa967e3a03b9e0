//! What an algorithm learns from: a layout, and columns of numbers on it.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::layout::Layout;
use crate::rank::Level;

/// A part that a model plays in an algorithm. The columns an algorithm reads decide which roles exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The model that is trained to answer.
    Policy,
    /// The policy as it was before training, never updated.
    Reference,
    /// Expected return of a prefix (PPO).
    Critic,
    /// Token-level reward model (OREAL).
    RewardModel,
}

impl Role {
    pub const ALL: [Role; 4] = [Role::Policy, Role::Reference, Role::Critic, Role::RewardModel];

    /// As in configuration files and records.
    pub fn name(self) -> &'static str {
        match self {
            Role::Policy => "policy",
            Role::Reference => "reference",
            Role::Critic => "critic",
            Role::RewardModel => "reward_model",
        }
    }
}

/// A named sequence of numbers on a [`Layout`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Column {
    /// Log-probability of the token under the policy being trained. Signal.
    Logp,
    /// Entropy of the policy where the token was drawn. Signal.
    Entropy,
    /// The critic's value of the prefix before the token. Signal.
    Value,
    /// The reward model's score of the prefix before the token. Signal.
    Score,
    /// The reward model's score of the prefix that ends with the token. Signal.
    ScoreAfter,
    /// Log-probability that the sampler drew the token with (its temperature and support).
    SampledLogp,
    /// Log-probability under the policy as it was before this step's updates, recomputed.
    OldLogp,
    /// Log-probability under the reference.
    RefLogp,
    /// The critic's value before this step's updates.
    OldValue,
    /// The algorithm's own credit.
    Advantage,
    /// Outcome reward in {0, 1}, per trajectory.
    Reward,
    /// 1 where an earlier completion of the group has the same tokens, per trajectory.
    Duplicate,
    /// 1 where the completion was cut at the token limit, per trajectory.
    Truncated,
}

impl Column {
    pub const ALL: [Column; 13] = [
        Column::Logp,
        Column::Entropy,
        Column::Value,
        Column::Score,
        Column::ScoreAfter,
        Column::SampledLogp,
        Column::OldLogp,
        Column::RefLogp,
        Column::OldValue,
        Column::Advantage,
        Column::Reward,
        Column::Duplicate,
        Column::Truncated,
    ];

    /// As in records and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Column::Logp => "logp",
            Column::Entropy => "entropy",
            Column::Value => "value",
            Column::Score => "score",
            Column::ScoreAfter => "score_after",
            Column::SampledLogp => "sampled_logp",
            Column::OldLogp => "old_logp",
            Column::RefLogp => "ref_logp",
            Column::OldValue => "old_value",
            Column::Advantage => "advantage",
            Column::Reward => "reward",
            Column::Duplicate => "duplicate",
            Column::Truncated => "truncated",
        }
    }

    /// As in a printed formula.
    pub fn symbol(self) -> &'static str {
        match self {
            Column::Logp => "logπ",
            Column::Entropy => "H(π)",
            Column::Value => "V",
            Column::Score => "w",
            Column::ScoreAfter => "w⁺",
            Column::SampledLogp => "logπ_sampled",
            Column::OldLogp => "logπ_old",
            Column::RefLogp => "logπ_ref",
            Column::OldValue => "V_old",
            Column::Advantage => "A",
            Column::Reward => "R",
            Column::Duplicate => "duplicate",
            Column::Truncated => "truncated",
        }
    }

    /// One value per token, or per trajectory.
    pub fn level(self) -> Level {
        match self {
            Column::Reward | Column::Duplicate | Column::Truncated => Level::Trajectory,
            _ => Level::Token,
        }
    }

    /// The role that reports it; `None` for what the sampler, the judge or the algorithm's credit provide.
    pub fn role(self) -> Option<Role> {
        match self {
            Column::Logp | Column::Entropy | Column::OldLogp => Some(Role::Policy),
            Column::RefLogp => Some(Role::Reference),
            Column::Value | Column::OldValue => Some(Role::Critic),
            Column::Score | Column::ScoreAfter => Some(Role::RewardModel),
            _ => None,
        }
    }

    /// A model reports it while it learns, and takes a cotangent for it.
    pub fn is_signal(self) -> bool {
        matches!(self, Column::Logp | Column::Entropy | Column::Value | Column::Score | Column::ScoreAfter)
    }
}

/// Columns by name: signals on their way to an objective, cotangents on their way back.
pub type Columns = BTreeMap<Column, Vec<f64>>;

/// A batch of trajectories in their groups.
#[derive(Clone, Debug, PartialEq)]
pub struct Experience {
    layout: Layout,
    columns: Columns,
}

impl Experience {
    /// Without columns yet.
    pub fn new(layout: Layout) -> Experience {
        Experience { layout, columns: Columns::new() }
    }

    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Puts a column in place. It is cut or padded with zeros to the layout, so that later reads cannot fail; callers
    /// that know their layout pass exactly [`Layout::count`] values.
    pub fn set(&mut self, column: Column, mut values: Vec<f64>) {
        values.resize(self.layout.count(column.level()), 0.0);
        self.columns.insert(column, values);
    }

    /// With a column put in place.
    pub fn with(mut self, column: Column, values: Vec<f64>) -> Experience {
        self.set(column, values);
        self
    }

    /// The values of a column; `None` where nobody has put it in place.
    pub fn column(&self, column: Column) -> Option<&[f64]> {
        self.columns.get(&column).map(Vec::as_slice)
    }

    pub fn columns(&self) -> &Columns {
        &self.columns
    }

    /// The part made of these trajectories; means over coarser units still divide by the whole.
    pub fn part(&self, trajectories: Range<usize>) -> Experience {
        let cut = |(&column, values): (&Column, &Vec<f64>)| {
            (column, values[self.layout.range(column.level(), &trajectories)].to_vec())
        };
        Experience { columns: self.columns.iter().map(cut).collect(), layout: self.layout.part(trajectories.clone()) }
    }

    /// A batch of its own, made of the trajectories marked in `kept`. Groups left empty are gone.
    pub fn keep(&self, kept: &[bool]) -> Experience {
        let lengths = self.layout.spans(Level::Trajectory, Level::Group).into_iter();
        let kept = |i: usize| kept.get(i).copied().unwrap_or(false);
        let length = |i: usize| if kept(i) { self.layout.size(Level::Token, Level::Trajectory, i) } else { 0 };
        let layout = Layout::new(&lengths.map(|group| group.map(length).collect()).collect::<Vec<_>>());
        let gather = |(&column, values): (&Column, &Vec<f64>)| {
            let range = |i: usize| self.layout.range(column.level(), &(i..i + 1));
            let kept = (0..self.layout.count(Level::Trajectory)).filter(|&i| kept(i));
            (column, kept.flat_map(|i| values[range(i)].iter().copied()).collect())
        };
        Experience { columns: self.columns.iter().map(gather).collect(), layout }
    }
}
