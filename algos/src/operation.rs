//! The operations of the language: each one's value, slope and printed form stand beside each other.

use std::fmt;
use std::sync::Arc;

/// A function of one number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Unary {
    Neg,
    /// `c·x`
    Scale(f64),
    /// `x + c`
    Offset(f64),
    /// `c - x`
    From(f64),
    /// `c / x`
    Over(f64),
    Exp,
    Ln,
    Sqrt,
    Square,
    Abs,
    Sigmoid,
    /// `ln(1 + e^x)`
    Softplus,
    /// Between two bounds, either of which may be infinite.
    Clamp(f64, f64),
    /// 1 where `x` is greater than `c`, 0 elsewhere.
    Above(f64),
}

impl Unary {
    pub(crate) fn value(self, x: f64) -> f64 {
        match self {
            Unary::Neg => -x,
            Unary::Scale(c) => c * x,
            Unary::Offset(c) => x + c,
            Unary::From(c) => c - x,
            Unary::Over(c) => c / x,
            Unary::Exp => x.exp(),
            Unary::Ln => x.ln(),
            Unary::Sqrt => x.sqrt(),
            Unary::Square => x * x,
            Unary::Abs => x.abs(),
            Unary::Sigmoid => sigmoid(x),
            Unary::Softplus => x.max(0.0) + (-x.abs()).exp().ln_1p(),
            Unary::Clamp(low, _) if x < low => low,
            Unary::Clamp(_, high) if x > high => high,
            Unary::Clamp(..) => x,
            Unary::Above(c) => f64::from(x > c),
        }
    }

    /// Derivative at `x`, where `y` is the value there. On a kink: zero for `abs`, `sqrt` and `above`, one on a bound.
    pub(crate) fn slope(self, x: f64, y: f64) -> f64 {
        match self {
            Unary::Neg | Unary::From(_) => -1.0,
            Unary::Scale(c) => c,
            Unary::Offset(_) => 1.0,
            Unary::Over(_) => -y / x,
            Unary::Exp => y,
            Unary::Ln => 1.0 / x,
            Unary::Sqrt | Unary::Abs if y == 0.0 => 0.0,
            Unary::Sqrt => 0.5 / y,
            Unary::Square => 2.0 * x,
            Unary::Abs => x.signum(),
            Unary::Sigmoid => y * (1.0 - y),
            Unary::Softplus => sigmoid(x),
            Unary::Clamp(low, high) => f64::from((low..=high).contains(&x)),
            Unary::Above(_) => 0.0,
        }
    }

    /// Slope does not depend on `x`.
    pub(crate) fn is_linear(self) -> bool {
        matches!(self, Unary::Neg | Unary::Scale(_) | Unary::Offset(_) | Unary::From(_))
    }

    /// Printed form and its binding strength, from the operand's printer.
    pub(crate) fn print(self, x: &dyn Fn(Strength) -> String) -> (String, Strength) {
        let call = |name: &str| (format!("{name}({})", x(Strength::Sum)), Strength::Atom);
        match self {
            Unary::Neg => (format!("-{}", x(Strength::Product)), Strength::Negative),
            Unary::Scale(by) => (format!("{}·{}", number(by), x(Strength::Product)), Strength::Product),
            Unary::Offset(by) if by < 0.0 => (format!("{} - {}", x(Strength::Sum), number(-by)), Strength::Sum),
            Unary::Offset(by) => (format!("{} + {}", x(Strength::Sum), number(by)), Strength::Sum),
            Unary::From(c) => (format!("{} - {}", number(c), x(Strength::Product)), Strength::Sum),
            Unary::Over(c) => (format!("{}/{}", number(c), x(Strength::Atom)), Strength::Product),
            Unary::Exp => call("exp"),
            Unary::Ln => call("ln"),
            Unary::Sqrt => call("sqrt"),
            Unary::Square => (format!("{}²", x(Strength::Atom)), Strength::Atom),
            Unary::Abs => (format!("|{}|", x(Strength::Sum)), Strength::Atom),
            Unary::Sigmoid => call("σ"),
            Unary::Softplus => call("softplus"),
            Unary::Clamp(low, f64::INFINITY) => (format!("max({}, {})", x(Strength::Sum), number(low)), Strength::Atom),
            Unary::Clamp(f64::NEG_INFINITY, high) => {
                (format!("min({}, {})", x(Strength::Sum), number(high)), Strength::Atom)
            }
            Unary::Clamp(low, high) => {
                (format!("clip({}, {}, {})", x(Strength::Sum), number(low), number(high)), Strength::Atom)
            }
            Unary::Above(c) => (format!("1[{} > {}]", x(Strength::Sum), number(c)), Strength::Atom),
        }
    }
}

/// A function of two numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Binary {
    Add,
    Sub,
    Mul,
    Div,
    Min,
    Max,
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
        }
    }

    /// Derivatives with respect to `a` and `b`. Ties in `min` and `max` go to the left.
    pub(crate) fn slopes(self, a: f64, b: f64) -> (f64, f64) {
        let choose = |left: bool| if left { (1.0, 0.0) } else { (0.0, 1.0) };
        match self {
            Binary::Add => (1.0, 1.0),
            Binary::Sub => (1.0, -1.0),
            Binary::Mul => (b, a),
            Binary::Div => (1.0 / b, -a / (b * b)),
            Binary::Min => choose(a <= b),
            Binary::Max => choose(a >= b),
        }
    }

    pub(crate) fn print(self, a: &dyn Fn(Strength) -> String, b: &dyn Fn(Strength) -> String) -> (String, Strength) {
        match self {
            Binary::Add => (format!("{} + {}", a(Strength::Sum), b(Strength::Sum)), Strength::Sum),
            Binary::Sub => (format!("{} - {}", a(Strength::Sum), b(Strength::Product)), Strength::Sum),
            Binary::Mul => (format!("{}·{}", a(Strength::Product), b(Strength::Product)), Strength::Product),
            Binary::Div => (format!("{}/{}", a(Strength::Product), b(Strength::Atom)), Strength::Product),
            Binary::Min => (format!("min({}, {})", a(Strength::Sum), b(Strength::Sum)), Strength::Atom),
            Binary::Max => (format!("max({}, {})", a(Strength::Sum), b(Strength::Sum)), Strength::Atom),
        }
    }
}

/// A function of the sequence of a trajectory's tokens.
#[derive(Clone)]
pub(crate) enum Scan {
    /// `y_t = (x_1 + .. + x_t) / t`
    RunningMean,
    /// `y_t = x_t + d·y_{t+1}`
    Discounted(f64),
    /// `y_t = x_{t+1}`, zero at the end
    Next,
    /// A named function without slope.
    Frozen(&'static str, Arc<PerTrajectory>),
}

/// A function from the values of a trajectory's tokens to as many values.
pub(crate) type PerTrajectory = dyn Fn(&[f64]) -> Vec<f64> + Send + Sync;

impl Scan {
    pub(crate) fn value(&self, x: &[f64]) -> Vec<f64> {
        match self {
            Scan::RunningMean => {
                let mut sum = 0.0;
                let mean = |(t, x): (usize, &f64)| {
                    sum += x;
                    sum / (t + 1) as f64
                };
                x.iter().enumerate().map(mean).collect()
            }
            Scan::Discounted(discount) => backwards(x, |x, later| x + discount * later),
            Scan::Next => x.iter().skip(1).copied().chain([0.0]).collect(),
            Scan::Frozen(_, function) => {
                let mut y = function(x);
                y.resize(x.len(), 0.0);
                y
            }
        }
    }

    /// Cotangent of `x` from that of the value: every scan with a slope is linear, so its transpose.
    pub(crate) fn pull(&self, cotangent: &[f64]) -> Vec<f64> {
        match self {
            Scan::RunningMean => {
                let shares: Vec<f64> = cotangent.iter().enumerate().map(|(t, g)| g / (t + 1) as f64).collect();
                backwards(&shares, |share, later| share + later)
            }
            Scan::Discounted(discount) => {
                let mut earlier = 0.0;
                let forwards = |g: &f64| {
                    earlier = g + discount * earlier;
                    earlier
                };
                cotangent.iter().map(forwards).collect()
            }
            Scan::Next => {
                let kept = cotangent.len() - 1;
                [0.0].into_iter().chain(cotangent[..kept].iter().copied()).collect()
            }
            Scan::Frozen(..) => vec![0.0; cotangent.len()],
        }
    }

    pub(crate) fn print(&self, x: &dyn Fn(Strength) -> String) -> (String, Strength) {
        let x = x(Strength::Sum);
        let text = match self {
            Scan::RunningMean => format!("running_mean({x})"),
            Scan::Discounted(discount) => format!("discounted({x}, {})", number(*discount)),
            Scan::Next => format!("next({x})"),
            Scan::Frozen(name, _) => format!("{name}({x})"),
        };
        (text, Strength::Atom)
    }
}

impl PartialEq for Scan {
    fn eq(&self, other: &Scan) -> bool {
        match (self, other) {
            (Scan::RunningMean, Scan::RunningMean) | (Scan::Next, Scan::Next) => true,
            (Scan::Discounted(a), Scan::Discounted(b)) => a == b,
            (Scan::Frozen(_, a), Scan::Frozen(_, b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }
}

impl fmt::Debug for Scan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.print(&|_| "_".to_owned()).0)
    }
}

/// How tightly a printed expression holds together: one that binds less than its place asks for is put in parentheses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Strength {
    Sum,
    Negative,
    Product,
    Atom,
}

/// A number as a reader would write it.
pub(crate) fn number(x: f64) -> String {
    if x != 0.0 && x.abs() < 1e-3 { format!("{x:e}") } else { x.to_string() }
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
fn backwards(x: &[f64], step: impl Fn(f64, f64) -> f64) -> Vec<f64> {
    let mut y = x.to_vec();
    for t in (0..x.len()).rev() {
        let later = y.get(t + 1).copied().unwrap_or(0.0);
        y[t] = step(x[t], later);
    }
    y
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNARY: [Unary; 15] = [
        Unary::Neg,
        Unary::Scale(-1.5),
        Unary::Offset(0.3),
        Unary::From(2.0),
        Unary::Over(0.7),
        Unary::Exp,
        Unary::Ln,
        Unary::Sqrt,
        Unary::Square,
        Unary::Abs,
        Unary::Sigmoid,
        Unary::Softplus,
        Unary::Clamp(0.5, 1.5),
        Unary::Clamp(f64::NEG_INFINITY, 1.0),
        Unary::Above(0.9),
    ];

    #[test]
    fn slopes_are_derivatives() {
        let h = 1e-6;
        for op in UNARY {
            for x in [0.21, 0.8, 1.3, 2.9] {
                let difference = (op.value(x + h) - op.value(x - h)) / (2.0 * h);
                let slope = op.slope(x, op.value(x));
                assert!((difference - slope).abs() < 1e-8, "{op:?} at {x}: {slope} against {difference}");
            }
        }
    }

    #[test]
    fn linear_operations_have_one_slope() {
        for op in UNARY {
            let same = op.slope(0.6, op.value(0.6)) == op.slope(1.7, op.value(1.7));
            assert!(!op.is_linear() || same, "{op:?}");
        }
    }

    #[test]
    fn scans_pull_back_by_their_transpose() {
        let x = [0.4, -1.0, 2.0, 0.3];
        let g = [1.0, 0.5, -0.2, 0.7];
        for scan in [Scan::RunningMean, Scan::Discounted(0.9), Scan::Next] {
            let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
            let difference = dot(&scan.value(&x), &g) - dot(&x, &scan.pull(&g));
            assert!(difference.abs() < 1e-12, "{scan:?}: {difference}");
        }
        assert_eq!(Scan::Discounted(0.5).value(&[1.0, 0.0, 4.0]), [2.0, 2.0, 4.0]);
        assert_eq!(Scan::RunningMean.value(&[1.0, 3.0, 5.0]), [1.0, 2.0, 3.0]);
    }

    #[test]
    fn a_number_that_is_none_stays_visible() {
        assert!(Unary::Clamp(0.0, 1.0).value(f64::NAN).is_nan());
        for op in [Binary::Min, Binary::Max] {
            assert!(op.value(f64::NAN, 1.0).is_nan() && op.value(1.0, f64::NAN).is_nan(), "{op:?}");
        }
    }

    #[test]
    fn ties_go_to_the_left() {
        assert_eq!(Binary::Min.slopes(1.0, 1.0), (1.0, 0.0));
        assert_eq!(Binary::Max.slopes(1.0, 1.0), (1.0, 0.0));
    }

    #[test]
    fn sigmoid_and_softplus_do_not_overflow() {
        assert_eq!(Unary::Softplus.value(800.0), 800.0);
        assert_eq!(Unary::Sigmoid.value(-800.0), 0.0);
    }
}
