use super::*;

const UNARY: [Unary; 8] =
    [Unary::Neg, Unary::Exp, Unary::Ln, Unary::Sqrt, Unary::Square, Unary::Abs, Unary::Sigmoid, Unary::Softplus];
const BINARY: [Binary; 8] =
    [Binary::Add, Binary::Sub, Binary::Mul, Binary::Div, Binary::Min, Binary::Max, Binary::Above, Binary::Below];

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
    for op in BINARY {
        for (a, b) in [(0.21, 0.8), (1.3, -0.7), (-2.9, 1.1)] {
            let by_a = (op.value(a + h, b) - op.value(a - h, b)) / (2.0 * h);
            let by_b = (op.value(a, b + h) - op.value(a, b - h)) / (2.0 * h);
            let (left, right) = op.slopes(a, b);
            assert!((by_a - left).abs() < 1e-7 && (by_b - right).abs() < 1e-7, "{op:?} at {a}, {b}");
        }
    }
    for (x, slope) in [(0.4, 0.0), (0.5, 1.0), (1.0, 1.0), (1.5, 1.0), (1.6, 0.0), (f64::NAN, 0.0)] {
        assert_eq!(clip_slope(x, 0.5, 1.5), slope, "clip at {x}");
    }
}

#[test]
fn derivatives_that_do_not_exist_are_zero() {
    assert_eq!([Unary::Abs, Unary::Sqrt].map(|op| op.slope(0.0, 0.0)), [0.0, 0.0]);
}

#[test]
fn scans_pull_back_by_their_transpose() {
    let x = [0.4, -1.0, 2.0, 0.3];
    let g = [1.0, 0.5, -0.2, 0.7];
    for scan in [Scan::RunningMean, Scan::Discounted, Scan::Next] {
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let difference = dot(&scan.value(&x, 0.9), &g) - dot(&x, &scan.pull(&g, 0.9));
        assert!(difference.abs() < 1e-12, "{scan:?}: {difference}");
    }
    assert_eq!(Scan::Discounted.value(&[1.0, 0.0, 4.0], 0.5), [2.0, 2.0, 4.0]);
    assert_eq!(Scan::RunningMean.value(&[1.0, 3.0, 5.0], 0.0), [1.0, 2.0, 3.0]);
}

#[test]
fn a_function_that_returns_another_number_of_values_yields_nan() {
    for count in [0, 1, 3] {
        let scan = Scan::Function("cut", Arc::new(move |_: &[f64], _| vec![0.0; count]));
        let y = scan.value(&[1.0, 2.0], 0.0);
        assert!(y.len() == 2 && y.iter().all(|y| y.is_nan()), "{count}: {y:?}");
    }
}

#[test]
fn nan_stays_visible() {
    assert!(clip(f64::NAN, 0.0, 1.0).is_nan());
    for op in BINARY {
        assert!(op.value(f64::NAN, 1.0).is_nan() && op.value(1.0, f64::NAN).is_nan(), "{op:?}");
    }
}

#[test]
fn ties_go_to_the_left() {
    assert_eq!(Binary::Min.slopes(1.0, 1.0), (1.0, 0.0));
    assert_eq!(Binary::Max.slopes(1.0, 1.0), (1.0, 0.0));
    assert_eq!([Binary::Above, Binary::Below].map(|op| op.value(1.0, 1.0)), [0.0, 0.0]);
}

#[test]
fn sigmoid_and_softplus_do_not_overflow() {
    assert_eq!(Unary::Softplus.value(800.0), 800.0);
    assert_eq!(Unary::Sigmoid.value(-800.0), 0.0);
}
