//! One expression at two precisions: the values agree, and trouble that no precision helps does not go away.

use proptest::prelude::*;

use super::*;
use crate::expr::Function::*;

const FUNCTIONS: [Function; 32] = [
    Root,
    Abs,
    Floor,
    Ceiling,
    Factorial,
    DoubleFactorial,
    Binomial,
    Log,
    Ln,
    LogBase,
    Sin,
    Cos,
    Tan,
    Cot,
    Sec,
    Csc,
    Arcsin,
    Arccos,
    Arctan,
    Arccot,
    Arcsec,
    Arccsc,
    Sinh,
    Cosh,
    Tanh,
    Coth,
    Max,
    Min,
    Gcd,
    Lcm,
    Root,
    LogBase,
];

fn expression() -> impl Strategy<Value = Expr> {
    let leaf = prop_oneof![
        4 => (-12..12_i64).prop_map(int),
        4 => (-30..30_i64, 1..9_i64).prop_map(|(a, b)| rational(a, b)),
        1 => Just(PI),
        1 => Just(E),
        1 => Just(I),
    ];
    leaf.prop_recursive(5, 24, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..4).prop_map(Expr::Sum),
            prop::collection::vec(inner.clone(), 1..4).prop_map(Expr::Product),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| quotient(a, b)),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| power(a, b)),
            (prop::sample::select(&FUNCTIONS[..]), inner.clone()).prop_map(|(f, a)| call(f, [a])),
            (prop::sample::select(&FUNCTIONS[..]), inner.clone(), inner).prop_map(|(f, a, b)| call(f, [a, b])),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn precisions_agree(expr in expression()) {
        match (at(64, &expr), at(300, &expr)) {
            (Ok(low), Ok(high)) => {
                let difference = low.minus(&high, 400).unwrap();
                prop_assert!(!difference.is_certainly_nonzero(), "{low:?} {high:?}");
                prop_assert!(!high.is_exactly_zero() || !low.is_certainly_nonzero());
            }
            (Err(Trouble::Undefined), high) => prop_assert_eq!(high.unwrap_err(), Trouble::Undefined),
            (Ok(_), Err(trouble)) => prop_assert_ne!(trouble, Trouble::Undefined),
            _ => {}
        }
    }
}
