//! The typed handles: what mixes with what is decided by the compiler, what is computed by the graph.

use std::marker::PhantomData;
use std::ops::{Add, Div, Mul, Neg, Sub};
use std::sync::Arc;

use crate::graph::{Graph, Id, Op};
use crate::operation::{Binary, Scan, Unary};
use crate::rank::{Finer, Flow, Frozen, Join, Joined, Level, Mix, Rank, Token, Within};

/// An expression of rank `R` (how many values) and flow `F` (whether gradient passes). A copyable handle into a graph.
///
/// `+ - * /` mix with expressions and numbers. Mixing ranks broadcasts to the finer; [`Expr::sum`] and [`Expr::mean`]
/// reduce to a coarser one. Live wins over frozen.
#[derive(Clone, Copy, Debug)]
pub struct Expr<'g, R: Rank, F: Flow> {
    graph: &'g Graph,
    id: Id,
    kind: PhantomData<(R, F)>,
}

impl<'g, R: Rank, F: Flow> Expr<'g, R, F> {
    /// `e^x`
    pub fn exp(self) -> Self {
        self.unary(Unary::Exp)
    }

    /// Natural logarithm.
    pub fn ln(self) -> Self {
        self.unary(Unary::Ln)
    }

    /// Square root; its slope at zero is taken as zero.
    pub fn sqrt(self) -> Self {
        self.unary(Unary::Sqrt)
    }

    /// `x²`
    pub fn square(self) -> Self {
        self.unary(Unary::Square)
    }

    /// `|x|`; its slope at zero is zero.
    pub fn abs(self) -> Self {
        self.unary(Unary::Abs)
    }

    /// `1 / (1 + e^-x)`
    pub fn sigmoid(self) -> Self {
        self.unary(Unary::Sigmoid)
    }

    /// `ln(1 + e^x)`
    pub fn softplus(self) -> Self {
        self.unary(Unary::Softplus)
    }

    /// Between two bounds; no gradient outside them.
    pub fn clip(self, low: f64, high: f64) -> Self {
        self.unary(Unary::Clamp(low, high))
    }

    /// The larger of `x` and a number.
    pub fn at_least(self, low: f64) -> Self {
        self.unary(Unary::Clamp(low, f64::INFINITY))
    }

    /// The smaller of `x` and a number.
    pub fn at_most(self, high: f64) -> Self {
        self.unary(Unary::Clamp(f64::NEG_INFINITY, high))
    }

    /// 1 where `x` is greater than a number, 0 elsewhere.
    pub fn above(self, number: f64) -> Expr<'g, R, Frozen> {
        self.unary(Unary::Above(number)).cast()
    }

    /// The smaller of two; gradient goes to the left on a tie.
    pub fn min<S: Rank, G: Flow>(self, other: Expr<'g, S, G>) -> Expr<'g, Finer<R, S>, Joined<F, G>>
    where
        R: Mix<S>,
        F: Join<G>,
    {
        self.binary(Binary::Min, other)
    }

    /// The larger of two; gradient goes to the left on a tie.
    pub fn max<S: Rank, G: Flow>(self, other: Expr<'g, S, G>) -> Expr<'g, Finer<R, S>, Joined<F, G>>
    where
        R: Mix<S>,
        F: Join<G>,
    {
        self.binary(Binary::Max, other)
    }

    /// The same value, a number as far as gradient is concerned.
    pub fn detach(self) -> Expr<'g, R, Frozen> {
        let node = Op::Detach(self.id);
        Expr::new(self.graph, self.graph.node(node, self.graph.level(self.id)))
    }

    /// Sum over each unit of a coarser rank.
    pub fn sum<To: Rank>(self) -> Expr<'g, To, F>
    where
        R: Within<To>,
    {
        Expr::new(self.graph, self.graph.node(Op::Sum(self.full()), To::LEVEL))
    }

    /// Mean over each unit of a coarser rank, every finer value counting the same.
    pub fn mean<To: Rank>(self) -> Expr<'g, To, F>
    where
        R: Within<To>,
    {
        Expr::new(self.graph, self.graph.node(Op::Mean(self.full()), To::LEVEL))
    }

    /// Mean over the values where `mask` is 1; zero where it nowhere is.
    pub fn mean_where<To: Rank>(self, mask: Expr<'g, R, Frozen>) -> Expr<'g, To, F>
    where
        R: Within<To>,
    {
        if self.graph.known(mask.id) == Some(1.0) {
            return self.mean();
        }
        let masked: Self = self.binary(Binary::Mul, mask);
        masked.sum::<To>().binary(Binary::Div, mask.sum::<To>().at_least(1.0))
    }

    /// The same value for every finer unit.
    pub fn spread<To: Rank + Within<R>>(self) -> Expr<'g, To, F> {
        match self.graph.known(self.id) {
            Some(_) => Expr::new(self.graph, self.id),
            None => Expr::new(self.graph, self.graph.spread(self.id, To::LEVEL)),
        }
    }

    /// Gives the node a name: it is printed on its own line, and its mean is logged with every step as long as the loss
    /// reads its columns anyway.
    pub fn named(self, name: &'static str) -> Self {
        self.graph.name(self.id, name);
        self
    }

    pub(crate) fn new(graph: &'g Graph, id: Id) -> Self {
        Expr { graph, id, kind: PhantomData }
    }

    pub(crate) fn id(self) -> Id {
        self.id
    }

    /// The node with all its values, even where it is the same for all of them.
    pub(crate) fn full(self) -> Id {
        self.graph.spread(self.id, R::LEVEL)
    }

    fn unary(self, op: Unary) -> Self {
        Expr::new(self.graph, self.graph.unary(op, self.id))
    }

    fn binary<S: Rank, G: Flow, T: Rank, H: Flow>(self, op: Binary, other: Expr<'g, S, G>) -> Expr<'g, T, H> {
        Expr::new(self.graph, self.graph.binary(op, self.id, other.id))
    }

    fn cast<S: Rank, G: Flow>(self) -> Expr<'g, S, G> {
        Expr::new(self.graph, self.id)
    }
}

/// Along the tokens of each trajectory.
impl<'g, F: Flow> Expr<'g, Token, F> {
    /// `(x_1 + .. + x_t) / t`
    pub fn running_mean(self) -> Self {
        self.scan(Scan::RunningMean)
    }

    /// `x_t + d·x_{t+1} + d²·x_{t+2} + ..` to the end of the trajectory.
    pub fn discounted(self, discount: f64) -> Self {
        self.scan(Scan::Discounted(discount))
    }

    /// The value at the next token, zero after the last.
    pub fn next(self) -> Self {
        self.scan(Scan::Next)
    }

    fn scan(self, scan: Scan) -> Self {
        Expr::new(self.graph, self.graph.node(Op::Scan(scan, self.full()), Level::Token))
    }
}

impl<'g> Expr<'g, Token, Frozen> {
    /// A function of a trajectory's token values that is not in the language. It carries no gradient; `name` is printed.
    pub fn per_trajectory(self, name: &'static str, f: impl Fn(&[f64]) -> Vec<f64> + Send + Sync + 'static) -> Self {
        self.scan(Scan::Frozen(name, Arc::new(f)))
    }
}

impl<R: Rank, F: Flow> Neg for Expr<'_, R, F> {
    type Output = Self;
    fn neg(self) -> Self {
        self.unary(Unary::Neg)
    }
}

macro_rules! operator {
    ($operator:ident, $method:ident, |$c:ident| $right:expr, $left:expr) => {
        impl<'g, R: Rank, F: Flow, S: Rank, G: Flow> $operator<Expr<'g, S, G>> for Expr<'g, R, F>
        where
            R: Mix<S>,
            F: Join<G>,
        {
            type Output = Expr<'g, Finer<R, S>, Joined<F, G>>;
            fn $method(self, other: Expr<'g, S, G>) -> Self::Output {
                self.binary(Binary::$operator, other)
            }
        }
        impl<R: Rank, F: Flow> $operator<f64> for Expr<'_, R, F> {
            type Output = Self;
            fn $method(self, $c: f64) -> Self {
                self.unary($right)
            }
        }
        impl<'g, R: Rank, F: Flow> $operator<Expr<'g, R, F>> for f64 {
            type Output = Expr<'g, R, F>;
            fn $method(self, x: Expr<'g, R, F>) -> Self::Output {
                let $c = self;
                x.unary($left)
            }
        }
    };
}
operator!(Add, add, |c| Unary::Offset(c), Unary::Offset(c));
operator!(Sub, sub, |c| Unary::Offset(-c), Unary::From(c));
operator!(Mul, mul, |c| Unary::Scale(c), Unary::Scale(c));
operator!(Div, div, |c| Unary::Scale(1.0 / c), Unary::Over(c));
