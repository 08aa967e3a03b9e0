//! What a formula can read: recorded data, settings, and the signals that models report.

use std::ops::Deref;

use crate::coefficient::Coefficient;
use crate::column::{Column, Term};
use crate::expr::Expr;
use crate::graph::{Graph, Id, Op};
use crate::rank::{Batch, Flow, Frozen, Live, Rank, Token, Trajectory, Within};

/// What is known before a step's first update: all of it without gradient. A formula reads the columns it asks for.
#[derive(Clone, Copy, Debug)]
pub struct Data<'g> {
    graph: &'g Graph,
    /// What takes the place of the outcome reward.
    reward: Option<Id>,
}

impl<'g> Data<'g> {
    pub(crate) fn new(graph: &'g Graph) -> Self {
        Data { graph, reward: None }
    }

    /// The reward to learn from: the outcome reward in {0, 1}, or what [`Data::with_reward`] put in its place.
    pub fn reward(self) -> Expr<'g, Trajectory, Frozen> {
        self.shaped_reward().unwrap_or_else(|| self.column(Column::REWARD))
    }

    /// What [`Data::with_reward`] put in the place of the outcome reward.
    pub fn shaped_reward(self) -> Option<Expr<'g, Trajectory, Frozen>> {
        self.reward.map(|id| Expr::new(self.graph, id))
    }

    /// The same data with another reward, for credit to learn from: `x.with_reward(x.reward() - 0.1 * length)`. Which answers
    /// are right stays as it is.
    pub fn with_reward(self, reward: Expr<'g, Trajectory, Frozen>) -> Self {
        Data { reward: Some(reward.id()), ..self }
    }

    /// 1 for right answers (outcome reward above 0.5), 0 for all others, NaN where the reward is NaN.
    pub fn right(self) -> Expr<'g, Trajectory, Frozen> {
        self.column::<Trajectory, Frozen>(Column::REWARD).above(0.5)
    }

    /// 1 where the completion was cut at the token limit.
    pub fn truncated(self) -> Expr<'g, Trajectory, Frozen> {
        self.column(Column::TRUNCATED)
    }

    /// 1 where an earlier completion of the group has the same tokens.
    pub fn duplicate(self) -> Expr<'g, Trajectory, Frozen> {
        self.column(Column::DUPLICATE)
    }

    /// Log-probability that the token was drawn with, under the sampler's temperature and support.
    pub fn sampled_logp(self) -> Expr<'g, Token, Frozen> {
        self.column(Column::SAMPLED_LOGP)
    }

    /// Log-probability under the policy as it was before this step's updates, recomputed with the full softmax.
    pub fn old_logp(self) -> Expr<'g, Token, Frozen> {
        self.column(Column::OLD_LOGP)
    }

    /// Log-probability under the reference.
    pub fn ref_logp(self) -> Expr<'g, Token, Frozen> {
        self.column(Column::REF_LOGP)
    }

    /// The critic's value of the prefix before the token, before this step's updates.
    pub fn old_value(self) -> Expr<'g, Token, Frozen> {
        self.column(Column::OLD_VALUE)
    }

    /// Reward of the most likely completion of the same prompt.
    pub fn greedy_reward(self) -> Expr<'g, Trajectory, Frozen> {
        self.column(Column::GREEDY_REWARD)
    }

    /// Mean reward of completions drawn from the prefix before the token.
    pub fn prefix_value(self) -> Expr<'g, Token, Frozen> {
        self.column(Column::PREFIX_VALUE)
    }

    /// A column of your own.
    pub fn term<R: Rank>(self, term: Term<R, Frozen>) -> Expr<'g, R, Frozen> {
        self.column(term.column())
    }

    /// 1 on the last token of each trajectory, 0 elsewhere.
    pub fn last_token(self) -> Expr<'g, Token, Frozen> {
        Expr::new(self.graph, self.graph.node(Op::LastToken, Token::LEVEL))
    }

    /// How many finer units each unit has: `x.count::<Token, Trajectory>()` is the length of a completion.
    pub fn count<Fine: Rank + Within<Coarse>, Coarse: Rank>(self) -> Expr<'g, Coarse, Frozen> {
        Expr::new(self.graph, self.graph.node(Op::Count(Fine::LEVEL), Coarse::LEVEL))
    }

    /// The same number everywhere.
    pub fn number<R: Rank>(self, value: f64) -> Expr<'g, R, Frozen> {
        Expr::new(self.graph, self.graph.constant(value))
    }

    /// A setting, printed as `symbol` with its value below the formula. What is multiplied by a setting that is 0 at every
    /// step is removed.
    pub fn setting(self, symbol: &'static str, value: impl Into<Coefficient>) -> Expr<'g, Batch, Frozen> {
        Expr::new(self.graph, self.graph.node(Op::Setting(symbol, value.into()), Batch::LEVEL))
    }

    fn column<R: Rank, F: Flow>(self, column: Column) -> Expr<'g, R, F> {
        Expr::new(self.graph, self.graph.node(Op::Column(column), column.level()))
    }
}

/// What an objective can read: the data, the credit of each token, and the signals, which carry gradient.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'g> {
    data: Data<'g>,
    /// What takes the place of the policy's log-probability.
    logp: Option<Id>,
}

impl<'g> Terms<'g> {
    pub(crate) fn new(graph: &'g Graph) -> Self {
        Terms { data: Data::new(graph), logp: None }
    }

    /// As [`Data::with_reward`]: for losses that compute credit again, such as the target of a critic.
    pub fn with_reward(self, reward: Expr<'g, Trajectory, Frozen>) -> Self {
        Terms { data: self.data.with_reward(reward), ..self }
    }

    /// The same with another log-probability of the policy, for losses to read in its place.
    pub fn with_logp(self, logp: Expr<'g, Token, Live>) -> Self {
        Terms { logp: Some(logp.id()), ..self }
    }

    /// The algorithm's own credit, computed on whole groups before selection.
    pub fn advantage(self) -> Expr<'g, Token, Frozen> {
        self.column(Column::ADVANTAGE)
    }

    /// Log-probability of the token under the policy being trained, or what [`Terms::with_logp`] put in its place.
    pub fn logp(self) -> Expr<'g, Token, Live> {
        self.logp.map_or_else(|| self.column(Column::LOGP), |id| Expr::new(self.data.graph, id))
    }

    /// Entropy of the policy where the token was drawn. (`-logp` is no entropy bonus: its expected gradient is zero.)
    pub fn entropy(self) -> Expr<'g, Token, Live> {
        self.column(Column::ENTROPY)
    }

    /// The critic's value of the prefix before the token.
    pub fn value(self) -> Expr<'g, Token, Live> {
        self.column(Column::VALUE)
    }

    /// The reward model's score of the prefix before the token.
    pub fn score(self) -> Expr<'g, Token, Live> {
        self.column(Column::SCORE)
    }

    /// The reward model's score of the prefix that ends with the token.
    pub fn score_after(self) -> Expr<'g, Token, Live> {
        self.column(Column::SCORE_AFTER)
    }

    /// A column or a signal of your own.
    pub fn term<R: Rank, F: Flow>(self, term: Term<R, F>) -> Expr<'g, R, F> {
        self.column(term.column())
    }
}

impl<'g> Deref for Terms<'g> {
    type Target = Data<'g>;
    fn deref(&self) -> &Data<'g> {
        &self.data
    }
}
