//! The typed handles: what mixes with what is decided by the compiler, what is computed by the graph.

use std::marker::PhantomData;
use std::ops::{Add, Div, Mul, Neg, Sub};
use std::sync::Arc;

use crate::coefficient::Coefficient;
use crate::graph::{Graph, Id, Op};
use crate::operation::{Binary, Scan, Unary};
use crate::rank::{Batch, Finer, Flow, Frozen, Join, Joined, Level, Mix, Rank, Token, Within};

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

    /// Square root. Its derivative at 0 is taken as 0.
    pub fn sqrt(self) -> Self {
        self.unary(Unary::Sqrt)
    }

    /// `x²`
    pub fn square(self) -> Self {
        self.unary(Unary::Square)
    }

    /// `|x|`. Its derivative at 0 is taken as 0.
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
    pub fn clip(self, low: impl Number<'g>, high: impl Number<'g>) -> Self {
        let (low, high) = (low.node(self.graph), high.node(self.graph));
        Expr::new(self.graph, self.graph.clip(self.id, low, high))
    }

    /// The larger of `x` and a number.
    pub fn at_least(self, low: impl Number<'g>) -> Self {
        self.with_number(Binary::Max, low)
    }

    /// The smaller of `x` and a number.
    pub fn at_most(self, high: impl Number<'g>) -> Self {
        self.with_number(Binary::Min, high)
    }

    /// 1 where `x` is greater than a number, 0 elsewhere, NaN where `x` is NaN.
    pub fn above(self, number: impl Number<'g>) -> Expr<'g, R, Frozen> {
        self.with_number(Binary::Above, number).cast()
    }

    /// 1 where `x` is less than a number, 0 elsewhere, NaN where `x` is NaN.
    pub fn below(self, number: impl Number<'g>) -> Expr<'g, R, Frozen> {
        self.with_number(Binary::Below, number).cast()
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

    /// The same value without its gradient (stop-gradient).
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

    /// Mean over the values where `mask` is 1; zero for a unit where it is 1 nowhere.
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

    /// Gives the value a name: it is printed on its own line, and its mean is logged with every step as long as that needs no
    /// column besides those the loss reads. Of two different values of one name the second is called `name_2`. A value that
    /// has a name keeps it.
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

    /// A number as an expression of the same formula.
    pub(crate) fn number(self, number: impl Number<'g>) -> Expr<'g, Batch, Frozen> {
        Expr::new(self.graph, number.node(self.graph))
    }

    /// Divided by a setting.
    pub(crate) fn over(self, symbol: &'static str, by: Coefficient) -> Self {
        let by = self.graph.node(Op::Setting(symbol, by), Level::Batch);
        Expr::new(self.graph, self.graph.binary(Binary::Div, self.id, by))
    }

    fn with_number(self, op: Binary, number: impl Number<'g>) -> Self {
        Expr::new(self.graph, self.graph.binary(op, self.id, number.node(self.graph)))
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
        self.scan(Scan::RunningMean, None)
    }

    /// `x_t + d·x_{t+1} + d²·x_{t+2} + ..` to the end of the trajectory.
    pub fn discounted(self, discount: impl Number<'g>) -> Self {
        let discount = discount.node(self.graph);
        self.scan(Scan::Discounted, Some(discount))
    }

    /// The value at the next token, zero after the last.
    pub fn next(self) -> Self {
        self.scan(Scan::Next, None)
    }

    fn scan(self, scan: Scan, parameter: Option<Id>) -> Self {
        Expr::new(self.graph, self.graph.node(Op::Scan(scan, self.full(), parameter), Level::Token))
    }
}

impl<'g> Expr<'g, Token, Frozen> {
    /// A function of a trajectory's token values that is not in the language, to as many values (another number of values
    /// yields NaN). It carries no gradient; `name` is printed.
    pub fn per_trajectory(self, name: &'static str, f: impl Fn(&[f64]) -> Vec<f64> + Send + Sync + 'static) -> Self {
        self.scan(Scan::Function(name, Arc::new(move |x, _| f(x))), None)
    }

    /// The same with a parameter, a setting say, which is printed.
    pub fn per_trajectory_with(
        self,
        name: &'static str,
        parameter: impl Number<'g>,
        f: impl Fn(&[f64], f64) -> Vec<f64> + Send + Sync + 'static,
    ) -> Self {
        let parameter = parameter.node(self.graph);
        self.scan(Scan::Function(name, Arc::new(f)), Some(parameter))
    }
}

/// A single number: an `f64`, or an expression of rank [`Batch`] without gradient, such as a setting.
pub trait Number<'g>: Sealed<'g> {}

impl<'g> Number<'g> for f64 {}
impl<'g> Number<'g> for Expr<'g, Batch, Frozen> {}

mod sealed {
    use super::{Batch, Expr, Frozen, Graph, Id};

    pub trait Sealed<'g> {
        /// Its node in a graph.
        fn node(self, graph: &'g Graph) -> Id;
    }

    impl<'g> Sealed<'g> for f64 {
        fn node(self, graph: &'g Graph) -> Id {
            graph.constant(self)
        }
    }

    impl<'g> Sealed<'g> for Expr<'g, Batch, Frozen> {
        fn node(self, _: &'g Graph) -> Id {
            self.id
        }
    }
}
use sealed::Sealed;

impl<R: Rank, F: Flow> Neg for Expr<'_, R, F> {
    type Output = Self;
    fn neg(self) -> Self {
        self.unary(Unary::Neg)
    }
}

macro_rules! operator {
    ($operator:ident, $method:ident) => {
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
            fn $method(self, number: f64) -> Self {
                self.with_number(Binary::$operator, number)
            }
        }
        impl<'g, R: Rank, F: Flow> $operator<Expr<'g, R, F>> for f64 {
            type Output = Expr<'g, R, F>;
            fn $method(self, x: Expr<'g, R, F>) -> Self::Output {
                Expr::new(x.graph, x.graph.binary(Binary::$operator, self.node(x.graph), x.id))
            }
        }
    };
}
operator!(Add, add);
operator!(Sub, sub);
operator!(Mul, mul);
operator!(Div, div);
