//! Losses, cotangents and advantages against numbers computed without this project: by the Python above each of them,
//! written from the papers and from OREAL's released code, differentiated by `autograd`.

#[path = "reference/estimators.rs"]
mod estimators;
#[path = "reference/family.rs"]
mod family;
#[path = "reference/grpo.rs"]
mod grpo;
#[path = "reference/oreal.rs"]
mod oreal;
#[path = "reference/ppo.rs"]
mod ppo;
#[path = "reference/trl.rs"]
mod trl;
#[path = "reference/verl.rs"]
mod verl;

use ::oreal::algos::{Algorithm, Column, Experience, Layout, credit_of};

// The inputs, for every snippet below (each is run behind this one):
//
// import autograd.numpy as np                          # pip install autograd
// from autograd import grad
//
// group = np.array([0, 0, 1, 1, 1, 2, 2])              # of each trajectory
// length = np.array([3, 1, 2, 4, 1, 5, 2])
// reward = np.array([1., 0, 0, 1, 1, 0, 1])
// owner = np.repeat(np.arange(7), length)              # trajectory of each token
// logp = np.array([-2.27, -1.75, -1.94, -2.27, -.72, -1.63, -2.27, -2.19, -1.48, -.51, -1.09, -2.49, -.35, -.87,
//                  -2.38, -1.18, -.6, -.86])
// old = np.array([-2.37, -1.85, -2.17, -1.97, -1.17, -1.93, -2.5, -1.89, -1.78, -.66, -.99, -2.09, -.25, -.57,
//                 -2.08, -1.08, -.65, -.91])
// ref = np.array([-2.5, -2.04, -1.79, -1.78, -1., -1.95, -1.86, -2.1, -2.01, -.15, -.95, -2.75, -.12, -1.07, -2.11,
//                 -.69, -.09, -1.13])
// entropy = np.array([1.28, .4, .73, 1.12, .36, .36, 1.21, .76, .49, 1.38, .27, .45, .42, .42, .31, 1.22, .58, 1.25])
// value = np.array([.55, .61, .2, .44, .88, .54, .6, -.15, .76, .29, -.53, .61, -.24, .3, .56, 1.43, .97, .35])
// old_value = np.array([.9, .71, .3, .39, .83, .79, .95, -.05, 1.11, .54, -.28, .56, -.14, .2, .66, 1.13, .87, .7])
// score = np.array([.34, -.85, -.91, -.82, -.6, .17, 1.16, .44, -.15, -1.49, -.93, -.9, -.28, 1.04, 1.23, -.61, .71,
//                   -.61])
// after = np.array([.53, -1.2, -.67, 1.14, -.38, 1.41, -.31, 1.01, -.11, -1.2, .23, -.87, 1.25, .6, .09, 1.27, .14,
//                   1.4])
//
// def of(i): return owner == i
// def peers(i): return reward[group == group[i]]
// def show(x): print(*[" ".join("%.12g" % v for v in x[of(i)]) for i in range(7)], sep="\n")

const LENGTHS: [&[usize]; 3] = [&[3, 1], &[2, 4, 1], &[5, 2]];
const REWARD: [f64; 7] = [1., 0., 0., 1., 1., 0., 1.];
/// A right and a wrong answer of each group.
const KEPT: [usize; 6] = [0, 1, 2, 3, 5, 6];
const ALL: [usize; 7] = [0, 1, 2, 3, 4, 5, 6];
#[rustfmt::skip]
const TOKENS: [(Column, [f64; 18]); 8] = [
    (Column::LOGP, [
        -2.27, -1.75, -1.94, -2.27, -0.72, -1.63, -2.27, -2.19, -1.48, -0.51, -1.09, -2.49, -0.35, -0.87, -2.38,
        -1.18, -0.6, -0.86,
    ]),
    (Column::OLD_LOGP, [
        -2.37, -1.85, -2.17, -1.97, -1.17, -1.93, -2.5, -1.89, -1.78, -0.66, -0.99, -2.09, -0.25, -0.57, -2.08,
        -1.08, -0.65, -0.91,
    ]),
    (Column::REF_LOGP, [
        -2.5, -2.04, -1.79, -1.78, -1.0, -1.95, -1.86, -2.1, -2.01, -0.15, -0.95, -2.75, -0.12, -1.07, -2.11,
        -0.69, -0.09, -1.13,
    ]),
    (Column::ENTROPY, [
        1.28, 0.4, 0.73, 1.12, 0.36, 0.36, 1.21, 0.76, 0.49, 1.38, 0.27, 0.45, 0.42, 0.42, 0.31, 1.22, 0.58,
        1.25,
    ]),
    (Column::VALUE, [
        0.55, 0.61, 0.2, 0.44, 0.88, 0.54, 0.6, -0.15, 0.76, 0.29, -0.53, 0.61, -0.24, 0.3, 0.56, 1.43, 0.97,
        0.35,
    ]),
    (Column::OLD_VALUE, [
        0.9, 0.71, 0.3, 0.39, 0.83, 0.79, 0.95, -0.05, 1.11, 0.54, -0.28, 0.56, -0.14, 0.2, 0.66, 1.13, 0.87,
        0.7,
    ]),
    (Column::SCORE, [
        0.34, -0.85, -0.91, -0.82, -0.6, 0.17, 1.16, 0.44, -0.15, -1.49, -0.93, -0.9, -0.28, 1.04, 1.23, -0.61,
        0.71, -0.61,
    ]),
    (Column::SCORE_AFTER, [
        0.53, -1.2, -0.67, 1.14, -0.38, 1.41, -0.31, 1.01, -0.11, -1.2, 0.23, -0.87, 1.25, 0.6, 0.09, 1.27,
        0.14, 1.4,
    ]),
];

/// What a snippet prints: a value, and cotangents with a row for each trajectory.
struct Golden {
    value: f64,
    cotangents: &'static [(Column, &'static [&'static [f64]])],
}

impl Golden {
    /// The loss of an algorithm's own credit, on the kept trajectories. The others' rows are not looked at.
    fn check(&self, algorithm: &dyn Algorithm, kept: &[usize], name: &str) {
        let x = experience();
        let x = x.clone().with(Column::ADVANTAGE, credit_of(algorithm).evaluate(&x)).unwrap();
        let marks: Vec<bool> = (0..7).map(|i| kept.contains(&i)).collect();
        let loss = algorithm.objective().evaluate(&x.keep(&marks));
        close(&[loss.value], &[self.value], &format!("{name}: value"));
        assert_eq!(loss.cotangents.len(), self.cotangents.len(), "{name}: signals");
        for (column, rows) in self.cotangents {
            let expected: Vec<f64> = kept.iter().flat_map(|&i| rows[i]).copied().collect();
            close(&loss.cotangents[column], &expected, &format!("{name}: d loss / d {}", column.name()));
        }
    }
}

/// Three prompts, seven trajectories, eighteen tokens.
fn experience() -> Experience {
    let x = Experience::new(Layout::new(&LENGTHS.map(<[usize]>::to_vec)).unwrap())
        .with(Column::REWARD, REWARD.to_vec())
        .unwrap();
    TOKENS.into_iter().fold(x, |x, (column, values)| x.with(column, values.to_vec()).unwrap())
}

/// The credit of an algorithm is the same for all tokens of a trajectory, and is this.
fn check_advantages(algorithm: &dyn Algorithm, golden: &[f64; 7], name: &str) {
    let lengths = LENGTHS.concat().into_iter();
    let expected: Vec<f64> = lengths.zip(golden).flat_map(|(length, a)| vec![*a; length]).collect();
    close(&credit_of(algorithm).evaluate(&experience()), &expected, &format!("{name}: advantages"));
}

/// The snippets print twelve digits.
fn close(found: &[f64], golden: &[f64], what: &str) {
    assert_eq!(found.len(), golden.len(), "{what}");
    for (place, (found, golden)) in found.iter().zip(golden).enumerate() {
        let near = (found - golden).abs() <= 1e-9 * golden.abs() + 1e-15;
        assert!(near, "{what}: {found} at {place}, expected {golden}");
    }
}
