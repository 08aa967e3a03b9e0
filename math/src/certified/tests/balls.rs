//! Operations of balls hold the exact results for numbers in their operands.

use std::cmp::Ordering;

use num_rational::BigRational;
use num_traits::Signed;
use proptest::prelude::*;

use super::super::ball::Ball;
use super::super::bound::{Bound, leading};
use super::super::constants::{ln_2, pi};
use super::super::fixed::{Approximate, arctangent, circular, exponential, logarithm};
use super::*;

type Function = fn(&Ball, u32) -> Result<Ball, Trouble>;

/// A ball and a number in it: the midpoint, moved by a fraction of the radius.
fn ball() -> impl Strategy<Value = (Ball, BigRational)> {
    let radius = prop_oneof![Just(0_u64), 1..1_000_u64, any::<u64>()];
    (any::<i128>(), 0..120_u32, -80..80_i64, radius, -90..10_i64, -16..=16_i64).prop_map(
        |(mantissa, short, exponent, radius, fine, part)| {
            let mantissa = BigInt::from(mantissa >> short);
            let bound = Bound::new(radius, exponent + fine - 40);
            let inside = number(&mantissa, exponent) + bound_number(bound) * q(part, 16);
            (Ball::new(mantissa, exponent, bound, 4_096), inside)
        },
    )
}

fn number(mantissa: &BigInt, exponent: i64) -> BigRational {
    let power = BigInt::from(1) << exponent.unsigned_abs();
    let mantissa = mantissa.clone();
    if exponent >= 0 { (mantissa * power).into() } else { BigRational::new(mantissa, power) }
}

fn bound_number(bound: Bound) -> BigRational {
    let (mantissa, exponent) = bound.parts();
    number(&mantissa.into(), exponent)
}

fn holds(ball: &Ball, x: &BigRational) -> bool {
    let (mantissa, exponent) = ball.midpoint();
    (number(mantissa, exponent) - x).abs() <= bound_number(ball.radius())
}

/// Whether two balls that hold the same number overlap.
fn meet(a: &Ball, b: &Ball) -> bool {
    a.minus(b, 4_096).sign().is_none_or(Ordering::is_eq)
}

#[test]
fn a_bound_sees_the_last_bit() {
    let n = (BigInt::from(1) << 100) + 1;
    assert!(bound_number(Bound::of(&n, 0)) >= n.into());
}

proptest! {
    #[test]
    fn fixed_point_functions_keep_their_error(numerator in 0..1_u64 << 40, scale in 64..400_u32) {
        let finer = 100;
        let x = |scale: u32| (BigInt::from(numerator) << scale) >> 40_u32;
        let m = |scale: u32| (x(scale) + (BigInt::from(1) << scale)) >> 1_u32;
        let functions: [(&str, &dyn Fn(u32) -> Approximate); 7] = [
            ("exp", &|scale| exponential(&x(scale), scale)),
            ("cos", &|scale| circular(&x(scale), scale)[0].clone()),
            ("sin", &|scale| circular(&x(scale), scale)[1].clone()),
            ("ln", &|scale| logarithm(&m(scale), scale)),
            ("arctan", &|scale| arctangent(&x(scale), scale)),
            ("pi", &|scale| Approximate { value: pi(scale), error: 2 }),
            ("ln 2", &|scale| Approximate { value: ln_2(scale), error: 2 }),
        ];
        for (name, function) in functions {
            let (coarse, fine) = (function(scale), function(scale + finer));
            let error = (coarse.value << finer) - fine.value;
            prop_assert!(error.magnitude() <= (BigInt::from(coarse.error) << finer).magnitude(), "{name}");
        }
    }

    #[test]
    fn arithmetic_holds_exact_results((a, x) in ball(), (b, y) in ball(), precision in 2..300_u32) {
        prop_assert!(holds(&a, &x));
        prop_assert!(holds(&a.plus(&b, precision), &(&x + &y)));
        prop_assert!(holds(&a.minus(&b, precision), &(&x - &y)));
        prop_assert!(holds(&a.times(&b, precision), &(&x * &y)));
        prop_assert!(holds(&a.abs(), &x.abs()));
        prop_assert!(holds(&a.scaled(-7), &(&x * q(1, 128))));
        if let Ok(quotient) = a.over(&b, precision) {
            prop_assert!(holds(&quotient, &(&x / &y)));
        }
        if let Some(sign) = a.sign() {
            prop_assert_eq!(sign, x.cmp(&q(0, 1)));
        }
        if let Ok(floor) = a.floor(400) {
            prop_assert_eq!(BigRational::from(floor), x.floor());
        }
        if let Ok(root) = a.sqrt(precision) {
            let (mantissa, exponent) = root.midpoint();
            let (middle, radius) = (number(mantissa, exponent), bound_number(root.radius()));
            let low = &middle - &radius;
            let high = middle + radius;
            prop_assert!(&high * &high >= x && (low.is_negative() || &low * &low <= x));
        }
    }

    #[test]
    fn bounds_round_to_their_side(a in any::<u64>(), b in 1..u64::MAX, s in -70..70_i64, t in -70..70_i64, n in any::<i128>()) {
        let (up, other, low) = (Bound::new(a, s), Bound::new(b, t), Bound::below(b, t));
        let (x, y) = (number(&a.into(), s), number(&b.into(), t));
        prop_assert!(bound_number(up) >= x);
        prop_assert!(bound_number(low) <= y);
        prop_assert!(bound_number(up.plus(other)) >= &x + &y);
        prop_assert!(bound_number(up.times(other)) >= &x * &y);
        prop_assert!(bound_number(up.over(low)) >= x / y);
        let (head, shift) = leading(&n.into());
        let size = BigRational::from(BigInt::from(n)).abs();
        prop_assert!(number(&head.into(), shift) <= size && size < number(&(head + 1).into(), shift));
        prop_assert!(bound_number(Bound::of(&n.into(), s)) >= size * number(&1.into(), s));
    }

    #[test]
    fn functions_of_a_wide_ball_hold_those_of_a_number_in_it((a, x) in ball(), precision in 64..200_u32) {
        let point = Ball::rational(&x, 700);
        let functions: [Function; 5] =
            [Ball::exp, Ball::ln, Ball::atan, |x, p| Ok(x.cos_sin(p)?[0].clone()), |x, p| Ok(x.cos_sin(p)?[1].clone())];
        for (index, function) in functions.iter().enumerate() {
            if let (Ok(wide), Ok(narrow)) = (function(&a, precision), function(&point, 700)) {
                prop_assert!(meet(&wide, &narrow), "function {index}: {wide:?} {narrow:?}");
            }
        }
    }

    #[test]
    fn inverses_and_identities_hold((a, _) in ball(), precision in 64..600_u32) {
        if let Ok(back) = a.ln(precision).and_then(|ln| ln.exp(precision)) {
            prop_assert!(meet(&back, &a));
        }
        if let Ok([cos, sin]) = a.cos_sin(precision) {
            let one = cos.times(&cos, precision).plus(&sin.times(&sin, precision), precision);
            prop_assert!(meet(&one, &Ball::integer(1)));
        }
        if let Ok([cos, sin]) = a.atan(precision).and_then(|angle| angle.cos_sin(precision)) {
            prop_assert!(meet(&sin, &cos.times(&a, precision)));
        }
    }

    #[test]
    fn functions_are_accurate(numerator in 1..1_000_000_i64, denominator in 1..1_000_000_i64, precision in 64..4_096_u32) {
        let x = Ball::rational(&q(numerator, denominator), precision + 100);
        let [cos, sin] = x.cos_sin(precision).unwrap();
        for result in [cos, sin, x.ln(precision).unwrap(), x.atan(precision).unwrap()] {
            prop_assert!(result.radius().top().unwrap_or(i64::MIN) <= 10 - i64::from(precision));
        }
    }
}
