//! Our side of the comparison of matmuls that `products.py` makes; by itself it measures nothing.
//!
//! Each line of standard input is `KIND ROWS INPUTS OUTPUTS TIMES`, where KIND is `forward`, `input_gradient`, `weight_gradient`, or
//! `check`. It is answered with the seconds of each time, or, for `check`, with the sums of the three results.

use std::io::{Write, stdin, stdout};
use std::time::Instant;

use oreal_models::transformer::Linear;

fn numbers(count: usize, prime: usize) -> Vec<f32> {
    (0..count).map(|i| (i * prime % 1009) as f32 / 1009.0 - 0.5).collect()
}

fn sum(numbers: &[f32]) -> String {
    // Each place has a weight of its own.
    format!("{:.6e}", numbers.iter().enumerate().map(|(i, x)| f64::from(*x) * (1 + i % 7) as f64).sum::<f64>())
}

fn main() {
    oreal_models::keep_memory();
    for line in stdin().lines() {
        let line = line.expect("a line");
        let words: Vec<&str> = line.split_whitespace().collect();
        let Some((kind, sizes)) = words.split_first() else { return };
        let sizes: Vec<usize> = sizes.iter().map(|size| size.parse().expect("a size")).collect();
        let [rows, inputs, outputs, times] = sizes[..] else { panic!("KIND ROWS INPUTS OUTPUTS TIMES") };
        let mut linear = Linear::new(&numbers(rows * inputs, 7919), &numbers(outputs * inputs, 104_729), inputs);
        let answer = match *kind {
            "check" => {
                let forward = sum(linear.forward());
                let weights = sum(linear.weight_gradient());
                format!("{forward} {weights} {}", sum(linear.input_gradient()))
            }
            _ => {
                let run = match *kind {
                    "forward" => Linear::forward,
                    "input_gradient" => Linear::input_gradient,
                    "weight_gradient" => Linear::weight_gradient,
                    other => panic!("{other} is not known"),
                };
                let timed = |_| {
                    let start = Instant::now();
                    run(&mut linear);
                    start.elapsed().as_secs_f64()
                };
                let seconds: Vec<String> =
                    (0..times + 1).map(timed).skip(1).map(|time| format!("{time:.6e}")).collect();
                seconds.join(" ")
            }
        };
        println!("{answer}");
        stdout().flush().expect("an output");
    }
}
