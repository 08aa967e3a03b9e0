//! A matrix product for few rows, limited by how fast the weight can be read.
//!
//! A general product first copies the weight into panels, so that many rows can go over them; when each token is decoded
//! for a handful of sequences, that copy is most of the work. Here every row of the weight is read once, where it lies.
//! Each number is one sum over the inputs, in an order that depends neither on how many rows there are nor on threads.

use rayon::prelude::*;

use super::vectorised;
use crate::real::Real;

/// Numbers of a weight. Smaller ones stay in a cache close to the processor, where the general product is as good or better.
const SMALL: usize = 1 << 16;

/// Outputs that are worth a task of their own.
const TASK: usize = 64;

/// Rows that are summed at the same time: their partial sums fit in the registers.
const BLOCK: usize = 4;

/// Numbers of one partial sum.
const LANES: usize = 16;

/// Whether it is worth it for a weight of so many numbers. It does not depend on the rows, so that a row never does on others.
pub(super) fn pays(numbers: usize) -> bool {
    numbers >= SMALL
}

/// `out += x Wᵀ` with `x` of `[rows, inputs]` and `W` of `[outputs, inputs]`.
pub(super) fn add_product<E: Real>(out: &mut [E], x: &[E], weight: &[E], inputs: usize) {
    let (rows, outputs) = (x.len() / inputs, weight.len() / inputs);
    assert_eq!((x.len(), weight.len(), out.len()), (rows * inputs, outputs * inputs, rows * outputs), "a product");
    // By output, so that a task has its numbers side by side.
    let mut columns = vec![E::ZERO; out.len()];
    let tasks = columns.par_chunks_mut(TASK * rows).zip(weight.par_chunks(TASK * inputs));
    tasks.for_each(|(columns, weight)| {
        vectorised(
            #[inline(always)]
            || task(columns, x, weight, inputs),
        );
    });
    for (row, out) in out.chunks_exact_mut(outputs).enumerate() {
        out.iter_mut().zip(columns.chunks_exact(rows)).for_each(|(out, column)| *out += column[row]);
    }
}

/// `columns` is `[outputs, rows]`.
#[inline(always)]
fn task<E: Real>(columns: &mut [E], x: &[E], weight: &[E], inputs: usize) {
    let rows = x.len() / inputs;
    for (column, weight) in columns.chunks_exact_mut(rows).zip(weight.chunks_exact(inputs)) {
        for (out, x) in column.chunks_mut(BLOCK).zip(x.chunks(BLOCK * inputs)) {
            // Where fewer rows are left, the first stands in for the others and is not used again.
            let row = |i: usize| if i < out.len() { &x[i * inputs..][..inputs] } else { &x[..inputs] };
            let sums = block([row(0), row(1), row(2), row(3)], weight);
            out.copy_from_slice(&sums[..out.len()]);
        }
    }
}

/// The products of one output with [`BLOCK`] rows.
#[inline(always)]
fn block<E: Real>(x: [&[E]; BLOCK], weight: &[E]) -> [E; BLOCK] {
    let [mut a, mut b, mut c, mut d] = [[E::ZERO; LANES]; BLOCK];
    let [xa, xb, xc, xd] = x.map(|x| x.chunks_exact(LANES));
    for ((((w, xa), xb), xc), xd) in weight.chunks_exact(LANES).zip(xa).zip(xb).zip(xc).zip(xd) {
        for i in 0..LANES {
            a[i] += w[i] * xa[i];
            b[i] += w[i] * xb[i];
            c[i] += w[i] * xc[i];
            d[i] += w[i] * xd[i];
        }
    }
    let whole = weight.len() / LANES * LANES;
    let total = |lanes: [E; LANES], x: &[E]| {
        let mut sum = E::ZERO;
        weight[whole..].iter().zip(&x[whole..]).for_each(|(w, x)| sum += *w * *x);
        lanes.iter().for_each(|lane| sum += *lane);
        sum
    };
    [total(a, x[0]), total(b, x[1]), total(c, x[2]), total(d, x[3])]
}

#[cfg(test)]
mod tests {
    use rand::rngs::ChaCha8Rng;
    use rand::{RngExt, SeedableRng};

    use super::*;

    fn random(count: usize, seed: u64) -> Vec<f32> {
        let mut stream = ChaCha8Rng::seed_from_u64(seed);
        (0..count).map(|_| stream.random::<f32>() - 0.5).collect()
    }

    fn product(x: &[f32], weight: &[f32], inputs: usize) -> Vec<f32> {
        let mut out = vec![0.25; x.len() / inputs * (weight.len() / inputs)];
        add_product(&mut out, x, weight, inputs);
        out
    }

    #[test]
    fn it_is_the_product_added_to_what_was_there() {
        for (rows, inputs, outputs) in [(1, 256, 1), (3, 270, 70), (4, 17, 130), (9, 16, 5), (5, 3, 64)] {
            let (x, weight) = (random(rows * inputs, 1), random(outputs * inputs, 2));
            let found = product(&x, &weight, inputs);
            for (row, output) in (0..rows).flat_map(|row| (0..outputs).map(move |output| (row, output))) {
                let pairs = x[row * inputs..][..inputs].iter().zip(&weight[output * inputs..][..inputs]);
                let expected = 0.25 + pairs.map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
                let off = (f64::from(found[row * outputs + output]) - expected).abs();
                assert!(off < 1e-5, "{rows} x {inputs} x {outputs}, row {row}, output {output}: off by {off}");
            }
        }
    }

    #[test]
    fn a_row_is_the_same_bit_by_bit_whatever_is_beside_it_and_at_any_number_of_threads() {
        let (inputs, outputs) = (270, 150);
        let (x, weight) = (random(9 * inputs, 3), random(outputs * inputs, 4));
        let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let all = pool(1).install(|| product(&x, &weight, inputs));
        assert_eq!(all, pool(3).install(|| product(&x, &weight, inputs)));
        for (row, x) in x.chunks_exact(inputs).enumerate() {
            assert_eq!(product(x, &weight, inputs), all[row * outputs..][..outputs], "row {row}");
        }
    }
}
