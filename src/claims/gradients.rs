//! Direction and norm of expected gradients.

use oreal_algos::{Algorithm, Average, Grpo, Oreal, Ppo, Reinforce, Repeats, Rft, Rloo, Scale, Shaping, TokenWeights};

use super::claim::Check::Exact;
use super::claim::{Claim, Control, Topic};
use super::evidence::{Evidence, Measurement, Verdict};
use super::variants::WHOLE;
use super::worlds::{PASS_RATES, arms, binomial, crossed};
use crate::error::Result;
use crate::lab::{Direction, Lab};

pub fn claims() -> Vec<Claim> {
    vec![
        Claim {
            name: "rloo-unbiased",
            topic: Topic::GradientConsistency,
            source: "RLOO (arXiv 2402.14740)",
            statement: "RLOO's expected gradient is that of the pass rate, for every K.",
            measures: "expected gradient against ∇p",
            derivation: "The baseline of an answer is the mean reward of the others, which are independent of it, so \
                         E[baseline·∇logπ] = 0. What remains is E[R·∇logπ] = ∇p.",
            recorded: Verdict::Holds,
            check: Exact(|| same(&Rloo { average: WHOLE })),
            control: Control {
                wrong: "the baseline includes the answer's own reward",
                check: Exact(|| same(&Grpo { beta: 0.0.into(), scale: Scale::One, average: WHOLE, ..Grpo::default() })),
            },
        },
        Claim {
            name: "grpo-scale",
            topic: Topic::GradientConsistency,
            source: "GRPO (arXiv 2402.03300), Dr. GRPO (arXiv 2503.20783)",
            statement: "GRPO's expected gradient is that of the pass rate.",
            measures: "expected gradient against ∇p",
            derivation: "Division by the group's standard deviation multiplies ∇p by √((K-1)/K)·E[√(q(1-q))]/(p(1-p)), \
                         where q is the group's pass rate. The factor tends to 1/√(p(1-p)) as K grows: questions that \
                         are almost always or almost never solved get the largest weights.",
            recorded: Verdict::UpToScale,
            check: Exact(|| grpo(1.0)),
            control: Control {
                wrong: "the other standard deviation (divided by n, not n-1)",
                check: Exact(|| grpo(0.0)),
            },
        },
        Claim {
            name: "rft-scale",
            topic: Topic::GradientConsistency,
            source: "RFT (arXiv 2308.01825); OREAL, section 2.2",
            statement: "Cloning right answers follows the gradient of the pass rate.",
            measures: "expected gradient of RFT against ∇p",
            derivation: "If there is a right answer, the mean over right answers has expectation E₊[∇logπ] = ∇p/p. So \
                         the expected gradient is (1-(1-p)^K)/p times ∇p, for large K the gradient of log p. If \
                         repeated answers are dropped, its direction differs from that of ∇p.",
            recorded: Verdict::UpToScale,
            check: Exact(|| rft(Repeats::Keep)),
            control: Control { wrong: "repeated answers are dropped", check: Exact(|| rft(Repeats::Drop)) },
        },
        Claim {
            name: "released-scale",
            topic: Topic::GradientConsistency,
            source: "OREAL, released code",
            statement: "The released OREAL, without its token weights, follows the gradient of the pass rate.",
            measures: "expected gradient of pairs with leave-one-out advantages against ∇p",
            derivation: "It is C(p)·∇p with C(p) = (2K/(K-1))·[((1-p)/p)·(1-(1-p)^(K-1)) + η·(p/(1-p))·(1-p^(K-1))]. \
                         For K = 16 and η = 0.5, C is 21.8 at p = 0.05, 3.2 at 0.5, and 11.0 at 0.95: questions of \
                         medium difficulty get the smallest weights.",
            recorded: Verdict::UpToScale,
            check: Exact(|| released(Shaping::Rloo)),
            control: Control {
                wrong: "advantages divided by the group's standard deviation",
                check: Exact(|| released(Shaping::Grpo)),
            },
        },
        Claim {
            name: "one-question-direction",
            topic: Topic::GradientConsistency,
            source: "OREAL, section 2.3 (implied)",
            statement: "On one question, every scheme that weights answers by their reward follows the gradient of the \
                        pass rate.",
            measures: "expected gradient of each algorithm against ∇p",
            derivation: "Weights that depend on the reward alone give a·E₊[∇logπ] - b·E₋[∇logπ], and both means are \
                         multiples of ∇p. So on one question such schemes differ only in a factor and in their \
                         variance. Token weights, length normalisation and dropping repeated answers do not depend on \
                         the reward alone.",
            recorded: Verdict::UpToScale,
            check: Exact(|| one_question(schemes())),
            control: Control {
                wrong: "RFT with repeated answers dropped",
                check: Exact(|| one_question(vec![("rft", Box::new(Rft::default()) as Box<dyn Algorithm>)])),
            },
        },
        Claim {
            name: "across-questions",
            topic: Topic::GradientConsistency,
            source: "OREAL, section 2.3 (implied)",
            statement: "Every scheme that weights answers by their reward also follows the gradient of the mean pass \
                        rate over questions that share parameters.",
            measures: "expected gradient against that of the mean pass rate, two questions with shared logits",
            derivation: "The gradient of a scheme is then the mean of C(p)·∇p over questions. The factor differs \
                         between questions, and a weighted sum of vectors that are not parallel has another direction. \
                         RLOO has factor 1 on every question and is exact.",
            recorded: Verdict::DoesNotHold,
            check: Exact(|| across(&Rloo { average: WHOLE })),
            control: Control {
                wrong: "the baseline includes the answer's own reward",
                check: Exact(|| {
                    across(&Grpo { beta: 0.0.into(), scale: Scale::One, average: WHOLE, ..Grpo::default() })
                }),
            },
        },
    ]
}

/// The gradient times a number.
pub fn scaled(gradient: &[f64], scale: f64) -> Vec<f64> {
    gradient.iter().map(|g| g * scale).collect()
}

/// The factor between an algorithm's expected gradient and ∇p.
fn scale(lab: &Lab, algorithm: &dyn Algorithm) -> Result<f64> {
    Ok(Direction::new(lab.expected(algorithm)?.policy(), &lab.pass_rate_gradient()?).scale)
}

/// At every pass rate and each of these group sizes: the expected gradient against ∇p, and the factor between them
/// against the derived formula, a function of p and K.
pub fn scales(sizes: &[usize], algorithm: &dyn Algorithm, derived: impl Fn(f64, usize) -> f64) -> Result<Evidence> {
    let (mut stated, mut exactly) = (Vec::new(), Vec::new());
    for &k in sizes {
        for p in PASS_RATES {
            let lab = arms(p, k)?;
            let found = lab.expected(algorithm)?;
            let row = Measurement::gradient(format!("p {p}, K {k}"), &lab.pass_rate_gradient()?, found.policy());
            exactly.push(Measurement::number(format!("factor, p {p}, K {k}"), derived(p, k), row.measured));
            stated.push(row);
        }
    }
    Ok(Evidence::new(stated).exactly(exactly))
}

/// The expected gradient against ∇p, on answers of one token and of several.
fn same(algorithm: &dyn Algorithm) -> Result<Evidence> {
    let mut rows = Vec::new();
    for p in PASS_RATES {
        for k in [2, 4, 8] {
            let lab = arms(p, k)?;
            let found = lab.expected(algorithm)?;
            rows.push(Measurement::gradient(format!("p {p}, K {k}"), &lab.pass_rate_gradient()?, found.policy()));
        }
    }
    for seed in 0..5 {
        for (world, lab) in [("tree", super::worlds::tree(seed, 3)?), ("ragged tree", super::worlds::ragged(seed, 4)?)]
        {
            let found = lab.expected(algorithm)?;
            rows.push(Measurement::gradient(format!("{world} {seed}"), &lab.pass_rate_gradient()?, found.policy()));
        }
    }
    Ok(Evidence::new(rows))
}

fn grpo(degrees_of_freedom: f64) -> Result<Evidence> {
    let scale = Scale::Deviation { degrees_of_freedom, epsilon: 1e-12.into() };
    let algorithm = Grpo { beta: 0.0.into(), scale, ..Grpo::default() };
    scales(&[2, 4, 16], &algorithm, |p, k| {
        let n = k as f64;
        let deviation = |right: usize| (right as f64 / n * (1.0 - right as f64 / n)).sqrt();
        let mean: f64 = (0..=k).map(|right| binomial(k, right, p) * deviation(right)).sum();
        ((n - 1.0) / n).sqrt() * mean / (p * (1.0 - p))
    })
}

fn rft(repeats: Repeats) -> Result<Evidence> {
    let algorithm = Rft { per_prompt: 16, repeats, average: Average::Trajectory };
    scales(&[2, 4, 8], &algorithm, |p, k| (1.0 - (1.0 - p).powi(k as i32)) / p)
}

fn released(shaping: Shaping) -> Result<Evidence> {
    let algorithm = Oreal { shaping, token_weights: TokenWeights::Uniform, beta: 0.0.into(), ..Oreal::default() };
    scales(&[4, 16], &algorithm, move |p, k| {
        let (n, q) = (k as f64, 1.0 - p);
        let right = q / p * (1.0 - q.powi(k as i32 - 1));
        let wrong = p / q * (1.0 - p.powi(k as i32 - 1));
        2.0 * n / (n - 1.0) * (right + 0.5 * wrong)
    })
}

/// Algorithms whose weights depend on the reward alone.
fn schemes() -> Vec<(&'static str, Box<dyn Algorithm>)> {
    let uniform = |oreal: Oreal| Oreal { token_weights: TokenWeights::Uniform, ..oreal };
    vec![
        ("reinforce", Box::new(Reinforce::default())),
        ("rloo", Box::new(Rloo::default())),
        ("grpo/deepseek", Box::new(Grpo::default())),
        ("grpo/dapo", Box::new(Grpo::dapo())),
        ("grpo/dr_grpo", Box::new(Grpo::dr_grpo())),
        ("ppo", Box::new(Ppo::default())),
        ("rft, repeats kept", Box::new(Rft { repeats: Repeats::Keep, ..Rft::default() })),
        ("oreal/outcome", Box::new(Oreal::outcome())),
        ("oreal/released, no token weights", Box::new(uniform(Oreal::default()))),
        ("oreal/paper, no token weights", Box::new(uniform(Oreal::paper()))),
    ]
}

fn one_question(schemes: Vec<(&'static str, Box<dyn Algorithm>)>) -> Result<Evidence> {
    let mut rows = Vec::new();
    for (name, algorithm) in &schemes {
        for p in [0.1, 0.5, 0.9] {
            let lab = arms(p, 4)?;
            let found = lab.expected(&**algorithm)?;
            rows.push(Measurement::gradient(format!("{name}, p {p}"), &lab.pass_rate_gradient()?, found.policy()));
        }
    }
    Ok(Evidence::new(rows))
}

fn across(unbiased: &dyn Algorithm) -> Result<Evidence> {
    let lab = crossed([0.1, 0.8], 4)?;
    let truth = lab.pass_rate_gradient()?;
    let mut stated = Vec::new();
    for (name, algorithm) in schemes() {
        stated.push(Measurement::gradient(name, &truth, lab.expected(&*algorithm)?.policy()));
    }
    let mut exactly = vec![Measurement::gradient("rloo", &truth, lab.expected(unbiased)?.policy())];
    let grpo = Grpo { beta: 0.0.into(), ..Grpo::default() };
    let factors = lab.pass_rates().into_iter().map(|p| scale(&arms(p, 4)?, &grpo)).collect::<Result<Vec<_>>>()?;
    let weighed = lab.gradient_of_mean(&|question, answer| factors[question] * lab.reward(question, answer) / 2.0)?;
    exactly.push(Measurement::gradient("grpo, against the mean of C(p)·∇p", &weighed, lab.expected(&grpo)?.policy()));
    Ok(Evidence::new(stated).exactly(exactly))
}
