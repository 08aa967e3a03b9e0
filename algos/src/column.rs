//! The table of columns: the named sequences of numbers that formulas read, and where each comes from.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use crate::rank::{Flow, Frozen, Level, Live, Rank, Token};
use crate::role::Role;

/// A named sequence of numbers on a [`crate::Layout`].
///
/// The columns of the built-in algorithms are constants here. A [`Term`] adds one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Column {
    name: &'static str,
    symbol: &'static str,
    level: Level,
    source: Source,
}

/// Where the values of a column come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// The rollout: the sampler, and the verdicts on what it drew.
    Rollout,
    /// The algorithm's own credit.
    Credit,
    /// Further rollouts: the mean reward of completions that go on from a prefix. For a column of tokens that is the prefix
    /// before each token, for a column of trajectories the prompt alone.
    Continued(Continuation),
    /// A function of the rollout that the user registers with the run.
    Data,
    /// A model.
    Model {
        /// Which model.
        role: Role,
        /// What it reports.
        output: Output,
        /// Whether it is a signal: computed in the forward pass of an update, with a cotangent for it in the backward pass.
        /// Otherwise it is computed once per step, before the first update, without gradient.
        live: bool,
    },
}

/// How completions of a prefix are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Continuation {
    /// As rollouts are, [`crate::Algorithm::continuations`] of them.
    Drawn,
    /// One, of the most likely tokens.
    Greedy,
}

/// What a model reports at each token of a completion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Output {
    /// Log-probability of the token.
    Logp,
    /// Entropy of the distribution the token is drawn from, in nats.
    Entropy,
    /// The number of a scalar head at the prefix before the token.
    Scalar,
    /// The number of a scalar head at the prefix that ends with the token.
    ScalarAfter,
}

macro_rules! columns {
    ($($(#[$doc:meta])* $column:ident = $name:literal, $symbol:literal, $level:ident, $source:expr;)*) => {
        impl Column {
            $($(#[$doc])* pub const $column: Column =
                Column { name: $name, symbol: $symbol, level: Level::$level, source: $source };)*

            /// The columns of the built-in algorithms.
            pub const ALL: [Column; [$($name),*].len()] = [$(Column::$column),*];
        }
    };
}

columns! {
    /// Log-probability of the token under the policy being trained. Signal.
    LOGP = "logp", "logπ", Token, signal(Role::POLICY, Output::Logp);
    /// Entropy of the policy where the token was drawn, in nats. Signal.
    ENTROPY = "entropy", "H(π)", Token, signal(Role::POLICY, Output::Entropy);
    /// The critic's value of the prefix before the token. Signal.
    VALUE = "value", "V", Token, signal(Role::CRITIC, Output::Scalar);
    /// The reward model's score of the prefix before the token. Signal.
    SCORE = "score", "w", Token, signal(Role::REWARD_MODEL, Output::Scalar);
    /// The reward model's score of the prefix that ends with the token. Signal.
    SCORE_AFTER = "score_after", "w⁺", Token, signal(Role::REWARD_MODEL, Output::ScalarAfter);
    /// Log-probability that the sampler drew the token with, under its temperature and support.
    SAMPLED_LOGP = "sampled_logp", "logπ_sampled", Token, Source::Rollout;
    /// Log-probability under the policy as it was before this step's updates, recomputed with the full softmax.
    OLD_LOGP = "old_logp", "logπ_old", Token, constant(Role::POLICY, Output::Logp);
    /// Log-probability under the reference.
    REF_LOGP = "ref_logp", "logπ_ref", Token, constant(Role::REFERENCE, Output::Logp);
    /// The critic's value before this step's updates.
    OLD_VALUE = "old_value", "V_old", Token, constant(Role::CRITIC, Output::Scalar);
    /// The algorithm's own credit.
    ADVANTAGE = "advantage", "A", Token, Source::Credit;
    /// Outcome reward in {0, 1}, per trajectory.
    REWARD = "reward", "R", Trajectory, Source::Rollout;
    /// 1 where an earlier completion of the group has the same tokens, per trajectory.
    DUPLICATE = "duplicate", "duplicate", Trajectory, Source::Rollout;
    /// 1 where the completion was cut at the token limit, per trajectory.
    TRUNCATED = "truncated", "truncated", Trajectory, Source::Rollout;
    /// Reward of the most likely completion of the prompt, on each of its trajectories.
    GREEDY_REWARD = "greedy_reward", "R_greedy", Trajectory, Source::Continued(Continuation::Greedy);
    /// Mean reward of completions drawn from the prefix before the token.
    PREFIX_VALUE = "prefix_value", "V_MC", Token, Source::Continued(Continuation::Drawn);
}

impl Column {
    /// As in records and on the command line.
    pub const fn name(self) -> &'static str {
        self.name
    }

    /// As in a printed formula.
    pub const fn symbol(self) -> &'static str {
        self.symbol
    }

    /// The unit that has one value.
    pub const fn level(self) -> Level {
        self.level
    }

    /// Where its values come from.
    pub const fn source(self) -> Source {
        self.source
    }

    /// The role that reports it; `None` where it does not come from a model.
    pub const fn role(self) -> Option<Role> {
        match self.source {
            Source::Model { role, .. } => Some(role),
            _ => None,
        }
    }

    /// What a model reports for it; `None` where it does not come from a model.
    pub const fn output(self) -> Option<Output> {
        match self.source {
            Source::Model { output, .. } => Some(output),
            _ => None,
        }
    }

    /// Whether a model reports it in the forward pass of an update and takes a cotangent for it.
    pub const fn is_signal(self) -> bool {
        matches!(self.source, Source::Model { live: true, .. })
    }
}

/// Built-in columns in the order of [`Column::ALL`], then others by name.
impl Ord for Column {
    fn cmp(&self, other: &Column) -> Ordering {
        let place = |column: &Column| Column::ALL.iter().position(|built_in| built_in.name == column.name);
        let key = |c: &Column| (place(c).unwrap_or(usize::MAX), c.name, c.symbol, c.level, c.source);
        key(self).cmp(&key(other))
    }
}

impl PartialOrd for Column {
    fn partial_cmp(&self, other: &Column) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// Values by column: signals on their way to an objective, cotangents on their way back.
pub type Columns = BTreeMap<Column, Vec<f64>>;

/// A column as a term of the language: with the rank and the flow of the expression that reads it.
///
/// ```
/// use oreal_algos::{Frozen, Head, Live, Output, Role, Term, Token, Trajectory, minimise};
///
/// const STYLE_MODEL: Role = Role::new("style_model", Head::Scalar);
/// const STYLE: Term<Token, Live> = Term::signal("style", "s", STYLE_MODEL, Output::Scalar);
/// const GRADE: Term<Trajectory, Frozen> = Term::data("grade", "g");
///
/// let regression = minimise(|x| (x.term(STYLE) - x.term(GRADE)).square().mean());
/// assert_eq!(regression.formula(), "loss = mean_batch((s - g)²)\n");
/// assert_eq!(regression.reads(), [GRADE.column(), STYLE.column()]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Term<R, F> {
    column: Column,
    kind: PhantomData<(R, F)>,
}

impl<R: Rank, F: Flow> Term<R, F> {
    /// The column it reads.
    pub const fn column(self) -> Column {
        self.column
    }

    const fn new(name: &'static str, symbol: &'static str, source: Source) -> Self {
        Term { column: Column { name, symbol, level: R::LEVEL, source }, kind: PhantomData }
    }
}

impl<R: Rank> Term<R, Frozen> {
    /// Data that the user registers a function for: one value per unit of rank `R`, computed from the rollout.
    pub const fn data(name: &'static str, symbol: &'static str) -> Self {
        Term::new(name, symbol, Source::Data)
    }
}

impl Term<Token, Frozen> {
    /// What a model reports before a step's first update, without gradient.
    pub const fn constant(name: &'static str, symbol: &'static str, role: Role, output: Output) -> Self {
        Term::new(name, symbol, constant(role, output))
    }
}

impl Term<Token, Live> {
    /// What a model reports in an update, with gradient: the model learns from it.
    pub const fn signal(name: &'static str, symbol: &'static str, role: Role, output: Output) -> Self {
        Term::new(name, symbol, signal(role, output))
    }
}

const fn signal(role: Role, output: Output) -> Source {
    Source::Model { role, output, live: true }
}

const fn constant(role: Role, output: Output) -> Source {
    Source::Model { role, output, live: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_symbols_of_built_in_columns_and_roles_are_distinct() {
        for (i, a) in Column::ALL.into_iter().enumerate() {
            for b in &Column::ALL[..i] {
                assert!(a.name() != b.name() && a.symbol() != b.symbol() && *b < a, "{a} and {b}");
            }
        }
        for role in Role::ALL {
            assert_eq!(Role::named(role.name()), Some(role));
        }
    }

    #[test]
    fn columns_of_models_are_what_their_heads_can_report() {
        for column in Column::ALL {
            assert_eq!(column.role().is_some(), column.output().is_some(), "{column}");
            assert!(!column.is_signal() || column.role().is_some(), "{column}");
        }
        assert_eq!(Column::ALL.iter().filter(|column| column.is_signal()).count(), 5);
    }
}
