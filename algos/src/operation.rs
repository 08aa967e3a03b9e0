//! The operations of the language: value, derivative and printed form of each, side by side.

use std::fmt;
use std::sync::Arc;

/// A function of one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unary {
    Neg,
    Exp,
    Ln,
    Sqrt,
    Square,
    Abs,
    Sigmoid,
    /// `ln(1 + e^x)`
    Softplus,
}

impl Unary {
    pub(crate) fn value(self, x: f64) -> f64 {
        match self {
            Unary::Neg => -x,
            Unary::Exp => x.exp(),
            Unary::Ln => x.ln(),
            Unary::Sqrt => x.sqrt(),
            Unary::Square => x * x,
            Unary::Abs => x.abs(),
            Unary::Sigmoid => sigmoid(x),
            Unary::Softplus => x.max(0.0) + (-x.abs()).exp().ln_1p(),
        }
    }

    /// Derivative at `x`, where `y` is the value. Where there is none, at 0, that of `abs` and `sqrt` is taken as 0.
    pub(crate) fn slope(self, x: f64, y: f64) -> f64 {
        match self {
            Unary::Neg => -1.0,
            Unary::Exp => y,
            Unary::Ln => 1.0 / x,
            Unary::Sqrt | Unary::Abs if y == 0.0 => 0.0,
            Unary::Sqrt => 0.5 / y,
            Unary::Square => 2.0 * x,
            Unary::Abs => x.signum(),
            Unary::Sigmoid => y * (1.0 - y),
            Unary::Softplus => sigmoid(x),
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Unary::Neg => "neg",
            Unary::Exp => "exp",
            Unary::Ln => "ln",
            Unary::Sqrt => "sqrt",
            Unary::Square => "square",
            Unary::Abs => "abs",
            Unary::Sigmoid => "sigmoid",
            Unary::Softplus => "softplus",
        }
    }

    /// Printed form and its precedence, from the operand's printer.
    pub(crate) fn print(self, x: &dyn Fn(Precedence) -> String) -> (String, Precedence) {
        let call = |name: &str| (format!("{name}({})", x(Precedence::Sum)), Precedence::Atom);
        match self {
            Unary::Neg => (format!("-{}", x(Precedence::Product)), Precedence::Negative),
            Unary::Square => (format!("{}²", x(Precedence::Atom)), Precedence::Atom),
            Unary::Abs => (format!("|{}|", x(Precedence::Sum)), Precedence::Atom),
            Unary::Sigmoid => call("σ"),
            _ => call(self.name()),
        }
    }
}

/// A function of two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Binary {
    Add,
    Sub,
    Mul,
    Div,
    Min,
    Max,
    /// 1 where `a > b`, 0 elsewhere, NaN where either is.
    Above,
    /// 1 where `a < b`, 0 elsewhere, NaN where either is.
    Below,
}

impl Binary {
    pub(crate) fn value(self, a: f64, b: f64) -> f64 {
        match self {
            Binary::Add => a + b,
            Binary::Sub => a - b,
            Binary::Mul => a * b,
            Binary::Div => a / b,
            Binary::Min if a <= b || a.is_nan() => a,
            Binary::Max if a >= b || a.is_nan() => a,
            Binary::Min | Binary::Max => b,
            Binary::Above | Binary::Below if a.is_nan() || b.is_nan() => f64::NAN,
            Binary::Above => f64::from(a > b),
            Binary::Below => f64::from(a < b),
        }
    }

    /// Derivatives with respect to `a` and `b`. In a tie, all of that of `min` and `max` goes to `a`.
    pub(crate) fn slopes(self, a: f64, b: f64) -> (f64, f64) {
        let choose = |left: bool| if left { (1.0, 0.0) } else { (0.0, 1.0) };
        match self {
            Binary::Add => (1.0, 1.0),
            Binary::Sub => (1.0, -1.0),
            Binary::Mul => (b, a),
            Binary::Div => (1.0 / b, -a / (b * b)),
            Binary::Min => choose(a <= b),
            Binary::Max => choose(a >= b),
            Binary::Above | Binary::Below => (0.0, 0.0),
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Binary::Add => "add",
            Binary::Sub => "sub",
            Binary::Mul => "mul",
            Binary::Div => "div",
            Binary::Min => "min",
            Binary::Max => "max",
            Binary::Above => "above",
            Binary::Below => "below",
        }
    }

    /// Printed form and its precedence, from the printers of the operands.
    pub(crate) fn print(
        self,
        a: &dyn Fn(Precedence) -> String,
        b: &dyn Fn(Precedence) -> String,
    ) -> (String, Precedence) {
        use Precedence::{Atom, Product, Sum};
        match self {
            Binary::Add => (format!("{} + {}", a(Sum), b(Sum)), Sum),
            Binary::Sub => (format!("{} - {}", a(Sum), b(Product)), Sum),
            Binary::Mul => (format!("{}·{}", a(Product), b(Product)), Product),
            Binary::Div => (format!("{}/{}", a(Product), b(Atom)), Product),
            Binary::Min => (format!("min({}, {})", a(Sum), b(Sum)), Atom),
            Binary::Max => (format!("max({}, {})", a(Sum), b(Sum)), Atom),
            Binary::Above => (format!("1[{} > {}]", a(Sum), b(Sum)), Atom),
            Binary::Below => (format!("1[{} < {}]", a(Sum), b(Sum)), Atom),
        }
    }
}

/// `x` between two bounds; NaN stays NaN.
pub(crate) fn clip(x: f64, low: f64, high: f64) -> f64 {
    if x < low {
        low
    } else if x > high {
        high
    } else {
        x
    }
}

/// Derivative of [`clip`] with respect to `x`: 1 between the bounds and on them, 0 elsewhere.
pub(crate) fn clip_slope(x: f64, low: f64, high: f64) -> f64 {
    f64::from((low..=high).contains(&x))
}

/// A function of the values of a trajectory's tokens, in their order. Some have a parameter `p`.
#[derive(Clone)]
pub(crate) enum Scan {
    /// `y_t = (x_1 + .. + x_t) / t`
    RunningMean,
    /// `y_t = x_t + p·y_{t+1}`
    Discounted,
    /// `y_t = x_{t+1}`, zero at the end
    Next,
    /// A function of the user, without derivative.
    Function(&'static str, Arc<PerTrajectory>),
}

/// A function from the values of a trajectory's tokens, and a parameter, to as many values.
pub(crate) type PerTrajectory = dyn Fn(&[f64], f64) -> Vec<f64> + Send + Sync;

impl Scan {
    /// A function of the user that returns another number of values than it was given yields NaN for the trajectory.
    pub(crate) fn value(&self, x: &[f64], p: f64) -> Vec<f64> {
        match self {
            Scan::RunningMean => {
                let mut sum = 0.0;
                let mean = |(t, x): (usize, &f64)| {
                    sum += x;
                    sum / (t + 1) as f64
                };
                x.iter().enumerate().map(mean).collect()
            }
            Scan::Discounted => from_the_end(x, |x, later| x + p * later),
            Scan::Next => x.iter().skip(1).copied().chain([0.0]).collect(),
            Scan::Function(_, function) => match function(x, p) {
                y if y.len() == x.len() => y,
                _ => vec![f64::NAN; x.len()],
            },
        }
    }

    /// Cotangent of `x` from that of the value: every scan with a derivative is linear in `x`, so this is its transpose.
    pub(crate) fn pull(&self, cotangent: &[f64], p: f64) -> Vec<f64> {
        match self {
            Scan::RunningMean => {
                let shares: Vec<f64> = cotangent.iter().enumerate().map(|(t, g)| g / (t + 1) as f64).collect();
                from_the_end(&shares, |share, later| share + later)
            }
            Scan::Discounted => {
                let mut earlier = 0.0;
                let forwards = |g: &f64| {
                    earlier = g + p * earlier;
                    earlier
                };
                cotangent.iter().map(forwards).collect()
            }
            Scan::Next => {
                let kept = cotangent.len().saturating_sub(1);
                [0.0].into_iter().chain(cotangent[..kept].iter().copied()).collect()
            }
            Scan::Function(..) => vec![0.0; cotangent.len()],
        }
    }

    pub(crate) fn name(&self) -> &'static str {
        match self {
            Scan::RunningMean => "running_mean",
            Scan::Discounted => "discounted",
            Scan::Next => "next",
            Scan::Function(name, _) => name,
        }
    }
}

impl PartialEq for Scan {
    fn eq(&self, other: &Scan) -> bool {
        match (self, other) {
            (Scan::RunningMean, Scan::RunningMean)
            | (Scan::Discounted, Scan::Discounted)
            | (Scan::Next, Scan::Next) => true,
            (Scan::Function(_, a), Scan::Function(_, b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }
}

impl fmt::Debug for Scan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Operator precedence of a printed expression: one of lower precedence than its place asks for is put in parentheses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Precedence {
    Sum,
    Negative,
    Product,
    Atom,
}

fn sigmoid(x: f64) -> f64 {
    if x >= 0.0 {
        1.0 / (1.0 + (-x).exp())
    } else {
        let e = x.exp();
        e / (1.0 + e)
    }
}

/// `y_t = step(x_t, y_{t+1})`, from the end, where `y` after the end is zero.
fn from_the_end(x: &[f64], step: impl Fn(f64, f64) -> f64) -> Vec<f64> {
    let mut y = x.to_vec();
    for t in (0..x.len()).rev() {
        let later = y.get(t + 1).copied().unwrap_or(0.0);
        y[t] = step(x[t], later);
    }
    y
}

#[cfg(test)]
mod tests;
