//! Operations on whole columns: values, and cotangents of the inputs.

use crate::operation::{Binary, Unary};

/// The same loop written out for each operation, so that the compiler knows the operation inside it.
macro_rules! specialised {
    ($kind:ident [$($known:ident)*] $op:expr, |$name:ident| $loop:expr) => {
        match $op {
            $($kind::$known => {
                let $name = $kind::$known;
                $loop
            })*
        }
    };
    (unary $op:expr, |$name:ident| $loop:expr) => {
        specialised!(Unary [Neg Exp Ln Sqrt Square Abs Sigmoid Softplus] $op, |$name| $loop)
    };
    (binary $op:expr, |$name:ident| $loop:expr) => {
        specialised!(Binary [Add Sub Mul Div Min Max Above Below] $op, |$name| $loop)
    };
}

/// A cotangent times a slope. Where the cotangent is zero, so is the product, though the slope may be infinite.
fn times(cotangent: f64, slope: f64) -> f64 {
    if cotangent == 0.0 { 0.0 } else { cotangent * slope }
}

impl Unary {
    /// The values of a node.
    pub(crate) fn values(self, x: &[f64]) -> Vec<f64> {
        specialised!(unary self, |op| x.iter().map(|&x| op.value(x)).collect())
    }

    /// The cotangents of the input, from those of the node, whose values are `y`.
    pub(crate) fn pull(self, x: &[f64], y: &[f64], cotangent: &[f64]) -> Vec<f64> {
        specialised!(unary self, |op| broadcast_with(x, y, cotangent, |x, y, g| times(g, op.slope(x, y))))
    }
}

impl Binary {
    /// The values of a node. An input of one value is broadcast.
    pub(crate) fn values(self, a: &[f64], b: &[f64]) -> Vec<f64> {
        specialised!(binary self, |op| broadcast(a, b, |a, b| op.value(a, b)))
    }

    /// The cotangents of one input, from those of the node.
    pub(crate) fn pull(self, a: &[f64], b: &[f64], cotangent: &[f64], of: Side) -> Vec<f64> {
        match of {
            Side::Left => specialised!(binary self, |op| {
                broadcast_with(a, b, cotangent, |a, b, g| times(g, op.slopes(a, b).0))
            }),
            Side::Right => specialised!(binary self, |op| {
                broadcast_with(a, b, cotangent, |a, b, g| times(g, op.slopes(a, b).1))
            }),
        }
    }
}

/// An input of a binary operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Left,
    Right,
}

/// `f` of both inputs, value by value. An input of one value is broadcast.
fn broadcast(a: &[f64], b: &[f64], f: impl Fn(f64, f64) -> f64) -> Vec<f64> {
    match (a, b) {
        (&[a], b) => b.iter().map(|&b| f(a, b)).collect(),
        (a, &[b]) => a.iter().map(|&a| f(a, b)).collect(),
        (a, b) => a.iter().zip(b).map(|(&a, &b)| f(a, b)).collect(),
    }
}

/// The same with a third input, which has all values.
fn broadcast_with(a: &[f64], b: &[f64], c: &[f64], f: impl Fn(f64, f64, f64) -> f64) -> Vec<f64> {
    match (a, b) {
        (&[a], b) => b.iter().zip(c).map(|(&b, &c)| f(a, b, c)).collect(),
        (a, &[b]) => a.iter().zip(c).map(|(&a, &c)| f(a, b, c)).collect(),
        (a, b) => a.iter().zip(b).zip(c).map(|((&a, &b), &c)| f(a, b, c)).collect(),
    }
}
