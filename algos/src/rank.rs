//! The two phantom types of an expression: its *rank* (the unit that has one value) and its *flow* (whether it carries
//! gradient).

use std::fmt;

use serde::{Deserialize, Serialize};

/// The units of a batch: tokens make trajectories, the trajectories of one prompt make a group, groups make the batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// A token of a completion.
    Token,
    /// A completion.
    Trajectory,
    /// The completions of a prompt.
    Group,
    /// Everything a loss is evaluated on.
    Batch,
}

impl Level {
    pub(crate) fn plural(self) -> &'static str {
        match self {
            Level::Token => "tokens",
            Level::Trajectory => "trajectories",
            Level::Group => "groups",
            Level::Batch => "batches",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Level::Token => "token",
            Level::Trajectory => "trajectory",
            Level::Group => "group",
            Level::Batch => "batch",
        })
    }
}

/// The rank of an expression, as a type.
pub trait Rank: Copy + Mix<Self, Finer = Self> + 'static {
    /// The same as a value.
    const LEVEL: Level;
}

/// One value per completion token.
#[derive(Clone, Copy, Debug)]
pub struct Token;
/// One value per completion.
#[derive(Clone, Copy, Debug)]
pub struct Trajectory;
/// One value per prompt.
#[derive(Clone, Copy, Debug)]
pub struct Group;
/// A single value.
#[derive(Clone, Copy, Debug)]
pub struct Batch;

/// `Self` is strictly finer than `Coarse`: it can be reduced over it.
#[diagnostic::on_unimplemented(
    message = "a {Self} expression cannot be reduced over {Coarse}",
    label = "not a coarser rank",
    note = "ranks nest as Token < Trajectory < Group < Batch; reduce towards the right, spread towards the left"
)]
pub trait Within<Coarse: Rank>: Rank {}

/// Mixing two ranks gives the finer one.
pub trait Mix<Other> {
    /// The finer of the two.
    type Finer: Rank;
}

macro_rules! ranks {
    ($($rank:ident)*) => { $(impl Rank for $rank { const LEVEL: Level = Level::$rank; })* };
}
macro_rules! nest {
    ($fine:ident) => { impl Mix<$fine> for $fine { type Finer = $fine; } };
    ($fine:ident $($coarse:ident)+) => {
        impl Mix<$fine> for $fine { type Finer = $fine; }
        $(
            impl Within<$coarse> for $fine {}
            impl Mix<$coarse> for $fine { type Finer = $fine; }
            impl Mix<$fine> for $coarse { type Finer = $fine; }
        )+
        nest!($($coarse)+);
    };
}
ranks!(Token Trajectory Group Batch);
nest!(Token Trajectory Group Batch);

/// Whether gradient flows through an expression, as a type.
pub trait Flow: Copy + Join<Self, Joined = Self> + Join<Frozen, Joined = Self> + 'static {}

/// Carries gradient to a model.
#[derive(Clone, Copy, Debug)]
pub struct Live;
/// Carries no gradient.
#[derive(Clone, Copy, Debug)]
pub struct Frozen;

impl Flow for Live {}
impl Flow for Frozen {}

/// Mixing two flows: live wins.
pub trait Join<Other> {
    /// The flow of an expression made of both.
    type Joined: Flow;
}
impl Join<Live> for Live {
    type Joined = Live;
}
impl Join<Frozen> for Live {
    type Joined = Live;
}
impl Join<Live> for Frozen {
    type Joined = Live;
}
impl Join<Frozen> for Frozen {
    type Joined = Frozen;
}

/// The finer of two ranks.
pub type Finer<R, S> = <R as Mix<S>>::Finer;

/// The flow of two mixed.
pub type Joined<F, G> = <F as Join<G>>::Joined;
