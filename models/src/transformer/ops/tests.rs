//! Each fused kernel against the composition it replaces: values and all gradients, in both number types.

use std::sync::Arc;

use dfdx::prelude::{Backward, Cpu, SumTo, Trace};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

use super::*;
use crate::architecture::Family;

const NUMERICS: Numerics = Numerics { epsilon: 1e-3, unit: None };

type Taped<E> = Matrix<E, Cpu, OwnedTape<E, Cpu>>;
type Operation<'a, E> = &'a dyn Fn(&[Matrix<E, Cpu>]) -> Taped<E>;

/// Runs an operation on random inputs and sends a random cotangent back; the result and every gradient.
fn run<E: Real>(shapes: &[(usize, usize)], operation: Operation<'_, E>) -> Vec<Vec<f64>>
where
    Cpu: Device<E>,
{
    let mut stream = ChaCha8Rng::seed_from_u64(3);
    let device = Cpu::default();
    let mut random = |(rows, columns): (usize, usize)| -> Matrix<E, Cpu> {
        let numbers = (0..rows * columns).map(|_| E::of(stream.random::<f64>() * 3.0 - 1.5)).collect();
        raw::matrix(&device, numbers, (rows, columns))
    };
    let inputs: Vec<_> = shapes.iter().map(|&shape| random(shape)).collect();
    let out = operation(&inputs);
    let cotangent = random(*dfdx::prelude::HasShape::shape(&out));
    let mut all = vec![out.as_vec()];
    let mut gradients = (out * cotangent).sum::<(), _>().backward();
    all.extend(inputs.iter().map(|x| gradients::of(&mut gradients, x).as_vec()));
    all.into_iter().map(|numbers| numbers.into_iter().map(Real::wide).collect()).collect()
}

fn compare<E: Real>(shapes: &[(usize, usize)], tolerance: f64, stock: Operation<'_, E>, fused: Operation<'_, E>)
where
    Cpu: Device<E>,
{
    let (expected, found) = (run(shapes, stock), run(shapes, fused));
    for (which, (expected, found)) in expected.iter().zip(&found).enumerate() {
        assert_eq!(expected.len(), found.len());
        let size = expected.iter().fold(1e-3, |max: f64, x| max.max(x.abs()));
        println!("list {which} is of size {size}");
        assert!(size > 1e-3, "number list {which} is all zero, so the test shows nothing");
        for (i, (a, b)) in expected.iter().zip(found).enumerate() {
            // Small sums of large terms are as exact as the terms.
            let error = (a - b).abs() / size.max(0.1);
            assert!(error < tolerance, "list {which} (0 is the value), number {i}: {b} for {a}");
        }
    }
}

fn trace<E: Real>(x: &Matrix<E, Cpu>) -> Taped<E>
where
    Cpu: Device<E>,
{
    x.leaky_trace()
}

fn all<E: Readable>(tolerance: f64)
where
    Cpu: Device<E>,
{
    let tokens = [3, 0, 3, 1];
    compare::<E>(&[(5, 7)], tolerance, &|x| Stock::embedding(&x[0], &tokens).unwrap(), &|x| {
        embedding::fused(&x[0], &tokens)
    });
    for rows in [1, 9, 300] {
        compare::<E>(
            &[(rows, 13), (1, 13)],
            tolerance,
            &|x| Stock::rms_norm(trace(&x[0]), &x[1], 1e-3).unwrap(),
            &|x| rms_norm::fused(trace(&x[0]), &x[1], 1e-3),
        );
    }
    for (rows, hidden, units) in [(1, 7, 3), (9, 16, 21), (300, 13, 40), (130, 80, 70), (300, 260, 300)] {
        let shapes = [(rows, hidden), (1, hidden), (units, hidden), (units, hidden), (hidden, units)];
        compare::<E>(
            &shapes,
            tolerance,
            &|x| Stock::feed_forward(trace(&x[0]), [&x[1], &x[2], &x[3], &x[4]], NUMERICS).unwrap(),
            &|x| feed_forward::fused(trace(&x[0]), [&x[1], &x[2], &x[3], &x[4]], NUMERICS),
        );
    }
    for family in Family::ALL {
        for (heads, kv_heads, head_dim, hidden) in [(4, 2, 6, 24), (2, 2, 4, 8), (3, 1, 2, 21), (2, 1, 16, 9)] {
            println!("{family:?}: {heads} heads on {kv_heads} of width {head_dim}, {hidden} hidden");
            for starts in [vec![0, 5, 6, 13, 113], vec![0, 2], vec![0, 130, 131]] {
                // Gradients of keys are small differences of large terms.
                attention_halves::<E>(30.0 * tolerance, family, (heads, kv_heads, head_dim, hidden), starts);
            }
        }
    }
}

fn attention_halves<E: Readable>(
    tolerance: f64,
    family: Family,
    (heads, kv_heads, head_dim, hidden): (usize, usize, usize, usize),
    starts: Vec<usize>,
) where
    Cpu: Device<E>,
{
    let rows = starts[starts.len() - 1];
    let frequencies: Vec<f64> = (0..head_dim / 2).map(|i| 0.7f64.powi(i as i32)).collect();
    let rotary = Rotary::new(200, &frequencies);
    let how = Arc::new(Causal { starts, heads, kv_heads, head_dim, rotary, numerics: NUMERICS });
    let (wide, narrow) = (heads * head_dim, kv_heads * head_dim);
    // The number of each weight in the list of inputs.
    let numbers = AttentionWeights {
        norm: 1,
        q: 2,
        k: 3,
        v: 4,
        o: 5,
        biases: family.has_biases().then_some([6, 7, 8]),
        head_norms: family.has_head_norms().then_some([6, 7]),
    };
    let mut shapes =
        vec![(rows, hidden), (1, hidden), (wide, hidden), (narrow, hidden), (narrow, hidden), (hidden, wide)];
    shapes.extend(numbers.biases.into_iter().flatten().zip([wide, narrow, narrow]).map(|(_, width)| (1, width)));
    shapes.extend(numbers.head_norms.into_iter().flatten().map(|_| (1, head_dim)));
    compare::<E>(
        &shapes,
        tolerance,
        &|x| Stock::attention(trace(&x[0]), numbers.map(|i| &x[i]), &how).unwrap(),
        &|x| attention::fused(trace(&x[0]), numbers.map(|i| &x[i]), &how),
    );
}

/// The half layer that is computed again, against the same with everything on the tape.
#[test]
fn computing_again_changes_nothing() {
    let shapes = [(9, 16), (1, 16), (21, 16), (21, 16), (16, 21)];
    let weights = |x: &'_ [Matrix<f64, Cpu>]| -> [Matrix<f64, Cpu>; 4] { std::array::from_fn(|i| x[i + 1].clone()) };
    compare::<f64>(
        &shapes,
        1e-15,
        &|x| stock::feed_forward(trace(&x[0]), weights(x).each_ref(), 1e-3).unwrap(),
        &|x| Stock::feed_forward(trace(&x[0]), weights(x).each_ref(), NUMERICS).unwrap(),
    );
}

#[test]
fn fused_is_stock_in_f64() {
    all::<f64>(1e-13);
}

#[test]
fn fused_is_stock_in_f32() {
    all::<f32>(1e-5);
}

#[test]
fn pulling_back_from_a_cotangent_is_the_linear_surrogate() {
    let device = Cpu::default();
    let x = raw::matrix(&device, vec![1.0, 2.0, 3.0, 4.0], (2, 2));
    let cotangent = || raw::matrix(&device, vec![0.5, -1.0, 0.0, 2.0], (2, 2));
    let mut surrogate = (trace(&x).square() * cotangent()).sum::<(), _>().backward();
    let mut seeded = Fused::pull_back(trace(&x).square(), cotangent()).unwrap();
    assert_eq!(gradients::of(&mut surrogate, &x).as_vec(), gradients::of(&mut seeded, &x).as_vec());
}

#[test]
fn updates_reach_the_tensor_and_not_its_clones() {
    let mut x: Matrix<f32, Cpu> = raw::matrix(&Cpu::default(), vec![1.0, 2.0], (1, 2));
    let clone = x.clone();
    Fused::edit(&mut x, |numbers| numbers[1] = 5.0).unwrap();
    assert_eq!((x.as_vec(), clone.as_vec()), (vec![1.0, 5.0], vec![1.0, 2.0]));
}
