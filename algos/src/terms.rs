//! What a formula can speak of: the recorded data, and the signals models report.

use std::ops::Deref;

use crate::experience::Column;
use crate::expr::Expr;
use crate::graph::{Graph, Op};
use crate::rank::{Flow, Frozen, Live, Rank, Token, Trajectory, Within};

/// What is known before a step's update: all of it frozen. A column that is asked for is a column that is read.
#[derive(Clone, Copy, Debug)]
pub struct Data<'g> {
    graph: &'g Graph,
}

impl<'g> Data<'g> {
    pub(crate) fn new(graph: &'g Graph) -> Self {
        Data { graph }
    }

    /// Outcome reward in {0, 1}.
    pub fn reward(self) -> Expr<'g, Trajectory, Frozen> {
        self.column(Column::Reward)
    }

    /// 1 for right answers, 0 for all others.
    pub fn right(self) -> Expr<'g, Trajectory, Frozen> {
        self.reward().above(0.5)
    }

    /// 1 where the completion was cut at the token limit.
    pub fn truncated(self) -> Expr<'g, Trajectory, Frozen> {
        self.column(Column::Truncated)
    }

    /// 1 where an earlier completion of the group has the same tokens.
    pub fn duplicate(self) -> Expr<'g, Trajectory, Frozen> {
        self.column(Column::Duplicate)
    }

    /// Log-probability that the token was drawn with, under the sampler's temperature and support.
    pub fn sampled_logp(self) -> Expr<'g, Token, Frozen> {
        self.column(Column::SampledLogp)
    }

    /// Log-probability under the policy as it was before this step's updates, recomputed with the full softmax.
    pub fn old_logp(self) -> Expr<'g, Token, Frozen> {
        self.column(Column::OldLogp)
    }

    /// Log-probability under the reference.
    pub fn ref_logp(self) -> Expr<'g, Token, Frozen> {
        self.column(Column::RefLogp)
    }

    /// The critic's value of the prefix before the token, before this step's updates.
    pub fn old_value(self) -> Expr<'g, Token, Frozen> {
        self.column(Column::OldValue)
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

    fn column<R: Rank, F: Flow>(self, column: Column) -> Expr<'g, R, F> {
        Expr::new(self.graph, self.graph.node(Op::Column(column), column.level()))
    }
}

/// What an objective can speak of: the data, the credit of each token, and the live signals.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'g> {
    data: Data<'g>,
}

impl<'g> Terms<'g> {
    pub(crate) fn new(graph: &'g Graph) -> Self {
        Terms { data: Data::new(graph) }
    }

    /// The algorithm's own credit, computed on whole groups before selection.
    pub fn advantage(self) -> Expr<'g, Token, Frozen> {
        self.column(Column::Advantage)
    }

    /// Log-probability of the token under the policy being trained.
    pub fn logp(self) -> Expr<'g, Token, Live> {
        self.column(Column::Logp)
    }

    /// Entropy of the policy where the token was drawn. (`-logp` is no entropy bonus: its expected gradient is zero.)
    pub fn entropy(self) -> Expr<'g, Token, Live> {
        self.column(Column::Entropy)
    }

    /// The critic's value of the prefix before the token.
    pub fn value(self) -> Expr<'g, Token, Live> {
        self.column(Column::Value)
    }

    /// The reward model's score of the prefix before the token.
    pub fn score(self) -> Expr<'g, Token, Live> {
        self.column(Column::Score)
    }

    /// The reward model's score of the prefix that ends with the token.
    pub fn score_after(self) -> Expr<'g, Token, Live> {
        self.column(Column::ScoreAfter)
    }
}

impl<'g> Deref for Terms<'g> {
    type Target = Data<'g>;
    fn deref(&self) -> &Data<'g> {
        &self.data
    }
}
