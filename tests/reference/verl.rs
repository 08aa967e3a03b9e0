//! What verl 0.9.1 computes of the same batch: tests/golden/with_verl.py ran it in float64 and wrote tests/golden/verl.json.

use ::oreal::algos::estimators::Kl;
use ::oreal::algos::{
    Algorithm, Average, Batch, Cispo, Column, Dialect, DualClip, Gpg, Grpo, Gspo, ReinforcePlusPlus, Remax, Rloo, Sapo,
    Scale, credit_of, dialects, minimise,
};
use serde_json::Value;

use crate::experience;

fn golden() -> Value {
    serde_json::from_str(include_str!("../golden/verl.json")).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

fn advantages(name: &str) -> Vec<f64> {
    numbers(&golden()["advantages"][name])
}

fn near(found: &[f64], expected: &[f64], within: f64, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (place, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!((found - expected).abs() <= within * expected.abs(), "{what}: {found} at {place}, {expected} in verl");
    }
}

fn dialect() -> Grpo {
    let verl = dialects().into_iter().find(|dialect| dialect.name == "verl");
    let Dialect { framework, algorithm, .. } = verl.unwrap();
    assert_eq!(
        framework,
        format!("verl {}", golden()["verl"].as_str().unwrap()),
        "the dialect is of the version that ran"
    );
    algorithm
}

#[test]
fn advantages_are_those_of_verl() {
    let scaled: Box<dyn Algorithm> = Box::new(dialect());
    let centred: Box<dyn Algorithm> = Box::new(Grpo { scale: Scale::One, ..dialect() });
    // The vectorised form takes the deviation in f32.
    for (name, algorithm, within) in [
        ("grpo", &scaled, 1e-12),
        ("grpo_vectorized", &scaled, 1e-7),
        ("dr_grpo", &centred, 1e-12),
        ("rloo", &(Box::new(Rloo::default()) as _), 1e-12),
        ("rloo_vectorized", &(Box::new(Rloo::default()) as _), 1e-12),
        ("remax", &(Box::new(Remax::default()) as _), 1e-12),
    ] {
        let x = experience().with(Column::GREEDY_REWARD, vec![1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 1.0]).unwrap();
        near(&credit_of(&**algorithm).evaluate(&x), &advantages(name), within, name);
    }
}

/// Both are said in docs/differences.md. verl divides by the deviation of n - 1, with the epsilon under the root; its GPG makes up for
/// completions with a reward of 0, four of seven here, not for groups that teach nothing.
#[test]
fn where_advantages_differ_from_those_of_verl_the_factor_is_known() {
    let unbiased = (17.0_f64 / 18.0).sqrt();
    let algorithms: [(&str, Box<dyn Algorithm>, f64, f64); 3] = [
        ("reinforce_plus_plus", Box::new(ReinforcePlusPlus::default()), unbiased, 1e-7),
        ("reinforce_plus_plus_baseline", Box::new(ReinforcePlusPlus::baseline()), unbiased, 1e-7),
        ("gpg", Box::new(Gpg::default()), 7.0 / 4.0, 1e-12),
    ];
    for (name, algorithm, factor, within) in algorithms {
        let found = credit_of(&*algorithm).evaluate(&experience());
        let times: Vec<f64> = found.iter().map(|advantage| factor * advantage).collect();
        near(&times, &advantages(name), within, name);
    }
}

/// Each on verl's own advantages. verl adds 1e-8 to the number of tokens of a trajectory.
#[test]
fn losses_are_those_of_verl() {
    let (grpo, by_number) = (dialect(), Average::Constant(16.0.into()));
    let bound = DualClip::At(1.21.into());
    let narrow = Cispo { clip_low: 0.2.into(), clip_high: 0.2.into(), ..Cispo::default() };
    let losses: [(&str, &str, Box<dyn Algorithm>); 14] = [
        ("grpo", "grpo", Box::new(grpo.clone())),
        ("grpo_by_trajectory", "grpo", Box::new(Grpo { average: Average::Trajectory, ..grpo.clone() })),
        ("dual_clip", "grpo", Box::new(Grpo { dual_clip: bound, ..grpo.clone() })),
        ("clip_higher", "grpo", Box::new(Grpo { clip_high: 0.28.into(), ..grpo.clone() })),
        ("dr_grpo", "dr_grpo", Box::new(Grpo { average: by_number, ..grpo.clone() })),
        ("rloo", "rloo", Box::new(grpo.clone())),
        ("reinforce_plus_plus", "reinforce_plus_plus", Box::new(ReinforcePlusPlus::default())),
        ("remax", "remax", Box::new(grpo)),
        ("gpg", "gpg", Box::new(Gpg::default())),
        ("gspo", "grpo", Box::new(Gspo::default())),
        ("gspo", "grpo", Box::new(Gspo::token())),
        ("cispo", "grpo", Box::new(Cispo::default())),
        ("cispo_default", "grpo", Box::new(narrow)),
        ("sapo", "grpo", Box::new(Sapo::default())),
    ];
    let golden = golden();
    for (name, advantage, algorithm) in losses {
        let x = experience().with(Column::ADVANTAGE, advantages(advantage)).unwrap();
        check(&algorithm.objective().evaluate(&x), &golden["losses"][name], name);
    }
    for (name, kl) in [("k1", Kl::K1), ("k2", Kl::K2), ("k3", Kl::K3)] {
        let objective = minimise(|x| kl.estimate(x.logp(), x.ref_logp()).mean::<Batch>());
        check(&objective.evaluate(&experience()), &golden["losses"][name], name);
    }
}

fn check(loss: &::oreal::algos::Loss, golden: &Value, name: &str) {
    near(&[loss.value], &[golden["value"].as_f64().unwrap()], 2e-8, &format!("{name}: value"));
    near(&loss.cotangents[&Column::LOGP], &numbers(&golden["gradient"]), 2e-8, &format!("{name}: gradient"));
}
