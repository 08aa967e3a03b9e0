//! Formulas made of others, and what they print, record and compute.

mod common;

use std::collections::BTreeMap;
use std::sync::Arc;

use common::{batch, off};
use oreal_algos::{
    Added, Algorithm, Average, Batch, BuiltIn, Coefficient, Column, Data, Experience, Expr, Frozen, Group, Grpo, Kl,
    Level, Loss, Objective, Oreal, Ppo, RatioGuard, Reinforce, Rft, Rloo, SamplerRatio, Shaping, Token, Trajectory,
    check, credit_of, minimise, with_loss,
};

#[test]
fn built_in_losses_are_their_objectives() {
    for (name, preset, algorithm) in BuiltIn::all() {
        let again = minimise(|x| algorithm.expression(x).expect("a formula"));
        assert_eq!(again.formula(), algorithm.objective().formula(), "{name}/{preset}");
    }
}

#[test]
fn a_sum_of_losses_has_the_sum_of_their_cotangents() {
    let (oreal, x) = (Oreal::default(), batch(1));
    let bonus = minimise(|x| x.entropy().mean::<Batch>());
    let sum = minimise(|x| oreal.loss(x) - 0.01 * x.entropy().mean::<Batch>());
    let mut expected = oreal.objective().evaluate(&x);
    let bonus = bonus.evaluate(&x);
    expected.value -= 0.01 * bonus.value;
    let entropy = bonus.cotangents[&Column::ENTROPY].iter().map(|g| -0.01 * g).collect();
    expected.cotangents.insert(Column::ENTROPY, entropy);
    let found = sum.evaluate(&x);
    assert!((found.value - expected.value).abs() < 1e-15);
    assert!(off(&found.cotangents, &expected.cotangents) < 1e-17);
}

#[test]
fn ones_own_token_weights_take_the_place_of_the_reward_models() {
    let algorithm = with_loss("last_token", Oreal::default(), |oreal, x| {
        let weights = x.last_token();
        oreal.loss_weighted(x, weights, 1.0 - weights)
    });
    let objective = algorithm.objective();
    assert!(!objective.reads().contains(&Column::SCORE), "no reward model");
    assert!(objective.formula().contains("positive = sum_batch((-A·1[last]·logπ)·right)"), "{}", objective.formula());
    assert!(format!("{algorithm:?}").starts_with("last_token {"), "{algorithm:?}");
    assert_eq!(algorithm.frozen_steps(oreal_algos::Role::POLICY), Oreal::default().frozen_steps);
    let ones = minimise(|x| Oreal::default().loss_weighted(x, x.number(1.0), x.number(1.0)));
    assert_eq!(ones.formula(), Oreal::outcome().objective().formula(), "uniform weights are weights of 1");
}

#[test]
fn a_loss_of_which_nothing_is_left_is_refused() {
    let nothing = with_loss("nothing", Rloo::default(), |rloo, x| x.setting("c", 0.0) * rloo.loss(x));
    let problem = check(&nothing).unwrap_err().to_string();
    assert_eq!(problem, "`nothing` has a loss that reads no signal: no model can learn from it");
}

#[test]
fn nothing_added_is_the_algorithm_itself() {
    let algorithm = Added::default().to(Box::new(Grpo::default()));
    assert_eq!(format!("{algorithm:?}"), format!("{:?}", Grpo::default()));
}

#[test]
fn added_terms_are_those_of_the_algorithm_that_has_them() {
    let x = batch(2);
    let with_kl = Grpo { average: Average::Token, ..Grpo::default() };
    let without = Grpo { beta: Coefficient::ZERO, ..with_kl.clone() };
    let added = Added { kl: with_kl.beta, ..Added::default() }.to(Box::new(without));
    same(&*added, &with_kl, &x, "kl in the loss");
    let with_entropy = Ppo { entropy_weight: 0.3.into(), ..Ppo::default() };
    let added = Added { entropy: 0.3.into(), ..Added::default() }.to(Box::new(Ppo::default()));
    same(&*added, &with_entropy, &x, "an entropy bonus");
}

fn same(a: &dyn Algorithm, b: &dyn Algorithm, x: &Experience, what: &str) {
    let [a, b] = [a, b].map(|algorithm| {
        assert_eq!(check(algorithm), Ok(()), "{what}");
        let x = x.clone().with(Column::ADVANTAGE, credit_of(algorithm).evaluate(x)).unwrap();
        algorithm.objective().evaluate(&x)
    });
    assert!((a.value - b.value).abs() < 1e-14 && off(&a.cotangents, &b.cotangents) < 1e-15, "{what}");
}

#[test]
fn a_divergence_in_the_reward_is_taken_off_the_reward() {
    let x = batch(3);
    for algorithm in [Box::new(Rloo::default()) as Box<dyn Algorithm>, Box::new(Oreal::default())] {
        let (name, scale) = (algorithm.name().to_owned(), if algorithm.name() == "oreal" { 2.0 } else { 1.0 });
        let before = credit_of(&*algorithm).evaluate(&x);
        let added = Added { reward_kl: 0.1.into(), ..Added::default() }.to(algorithm);
        assert_eq!(check(&*added), Ok(()), "{name}");
        let after = credit_of(&*added).evaluate(&x);
        let [old, reference] = [Column::OLD_LOGP, Column::REF_LOGP].map(|column| x.column(column).unwrap());
        let trajectories = x.layout().spans(Level::Token, Level::Trajectory);
        let kl: Vec<f64> = trajectories.iter().map(|t| t.clone().map(|t| old[t] - reference[t]).sum()).collect();
        for group in x.layout().spans(Level::Trajectory, Level::Group) {
            let (n, total) = (group.len() as f64, kl[group.clone()].iter().sum::<f64>());
            for i in group {
                let others = (total - kl[i]) / (n - 1.0);
                let expected = before[trajectories[i].start] - 0.1 * scale * (kl[i] - others);
                let found = after[trajectories[i].start];
                assert!((found - expected).abs() < 1e-12, "{name}, trajectory {i}: {found} against {expected}");
            }
        }
    }
}

#[test]
fn a_learned_baseline_is_subtracted_and_learns_the_credit() {
    let x = batch(4);
    let credit = credit_of(&Rloo::default()).evaluate(&x);
    let added = Added { baseline: 0.5.into(), ..Added::default() }.to(Box::new(Rloo::default()));
    let advantage = credit_of(&*added).evaluate(&x);
    let old_value = x.column(Column::OLD_VALUE).unwrap();
    assert!(advantage.iter().zip(&credit).zip(old_value).all(|((a, c), v)| *a == c - v));
    let x = x.with(Column::ADVANTAGE, advantage).unwrap();
    let loss = added.objective().evaluate(&x);
    let tokens = credit.len() as f64;
    for ((found, value), credit) in
        loss.cotangents[&Column::VALUE].iter().zip(x.column(Column::VALUE).unwrap()).zip(&credit)
    {
        assert!((found - 0.5 * (value - credit) / tokens).abs() < 1e-15);
    }
    assert!(
        added
            .objective()
            .formula()
            .contains("loss       = -mean_batch(mean_trajectory(A·logπ)) + c_V·mean_batch(value_loss)")
    );
}

#[test]
fn the_ratio_to_the_sampler_weights_the_gradient_of_each_token() {
    let added = Added { sampler_ratio: SamplerRatio::Truncated(1.1.into()), ..Added::default() };
    for (name, preset, built_in) in BuiltIn::all() {
        let shared: Arc<dyn Algorithm> = Box::<dyn Algorithm>::from(built_in).into();
        let algorithm = || Box::new(shared.clone());
        let x = batch(6);
        let x = x.clone().with(Column::ADVANTAGE, credit_of(&*algorithm()).evaluate(&x)).unwrap();
        let (before, weighted) = (algorithm().objective().evaluate(&x), added.to(algorithm()).objective().evaluate(&x));
        assert!((before.value - weighted.value).abs() < 1e-12, "{name}/{preset}: the value is the same");
        let [old, sampled] = [Column::OLD_LOGP, Column::SAMPLED_LOGP].map(|column| x.column(column).unwrap());
        let weights: Vec<f64> = old.iter().zip(sampled).map(|(old, sampled)| (old - sampled).exp().min(1.1)).collect();
        assert!(weights.contains(&1.1) && weights.iter().any(|weight| *weight < 1.0), "some are cut and some are not");
        for (column, cotangents) in &before.cotangents {
            let weight = |i: usize| if *column == Column::LOGP { weights[i] } else { 1.0 };
            let apart = |(i, (before, after)): (usize, (&f64, &f64))| (weight(i) * before - after).abs();
            let most = cotangents.iter().zip(&weighted.cotangents[column]).enumerate().map(apart).fold(0.0, f64::max);
            assert!(most < 1e-12, "{name}/{preset}, {}: {most}", column.name());
        }
        let mean = weights.iter().sum::<f64>() / weights.len() as f64;
        assert!((weighted.metrics["sampler_ratio"] - mean).abs() < 1e-12, "{name}/{preset}");
    }
    let printed = added.to(Box::new(Rloo::default())).objective().formula();
    let expected = "sampler_ratio = min(exp(logπ_old - logπ_sampled), C)";
    assert!(printed.contains(expected) && printed.contains("sg(logπ) + sampler_ratio·(logπ - sg(logπ))"), "{printed}");
    let zero = Added { sampler_ratio: SamplerRatio::Truncated(Coefficient::ZERO), ..Added::default() };
    assert_eq!(check(&*zero.to(Box::new(Rloo::default()))).unwrap_err().key, "added.sampler_ratio.truncated");
}

#[test]
fn what_has_nothing_to_act_on_is_refused() {
    let reward_kl = Added { reward_kl: 0.1.into(), ..Added::default() };
    let baseline = Added { baseline: 0.1.into(), ..Added::default() };
    let entropy = Added { entropy: 0.1.into(), ..Added::default() };
    let by_failure_rate = Oreal { shaping: Shaping::FailureRate, ..Oreal::default() };
    let cases: [(Added, Box<dyn Algorithm>, &str); 5] = [
        (reward_kl, Box::new(Rft::default()), "`added.reward_kl` cannot be added to `rft`: as its settings stand"),
        (reward_kl, Box::new(by_failure_rate), "`added.reward_kl` cannot be added to `oreal`: as its settings stand"),
        (baseline, Box::new(Ppo::default()), "`added.baseline` cannot be added to `ppo`: it has a critic"),
        (baseline, Box::new(Rft::default()), "`added.baseline` cannot be added to `rft`: its loss does not read"),
        (entropy, Box::new(ByHand), "`added` cannot be added to `by_hand`: its objective is written by hand"),
    ];
    for (added, algorithm, message) in cases {
        let problem = check(&*added.to(algorithm)).unwrap_err().to_string();
        assert!(problem.starts_with(message), "{problem}");
    }
}

/// `-mean logπ` without the language.
#[derive(Debug)]
struct ByHand;

impl Algorithm for ByHand {
    fn name(&self) -> &str {
        "by_hand"
    }

    fn credit<'g>(&self, x: Data<'g>) -> Expr<'g, Token, Frozen> {
        x.number(1.0)
    }

    fn objective(&self) -> Box<dyn Objective> {
        Box::new(ByHand)
    }
}

impl Objective for ByHand {
    fn reads(&self) -> Vec<Column> {
        vec![Column::LOGP]
    }

    fn coupling(&self) -> Level {
        Level::Token
    }

    fn evaluate(&self, x: &Experience) -> Loss {
        let logp = x.column(Column::LOGP).unwrap_or_default();
        let n = x.layout().size(Level::Token, Level::Batch, 0) as f64;
        let cotangents = BTreeMap::from([(Column::LOGP, vec![-1.0 / n; logp.len()])]);
        Loss { value: -logp.iter().sum::<f64>() / n, cotangents, metrics: BTreeMap::new(), not_finite: None }
    }
}

#[test]
fn parts_of_a_wrong_length_are_errors() {
    let x = batch(5);
    for objective in [Box::new(ByHand) as Box<dyn Objective>, Rft::default().objective()] {
        let by_parts = objective.by_parts(&x);
        let part = |tokens| by_parts(0..2, &BTreeMap::from([(Column::LOGP, vec![0.0; tokens])]));
        assert_eq!(part(4).unwrap()[&Column::LOGP], [-1.0 / 18.0; 4]);
        for found in [0, 3, 5] {
            let problem = part(found).unwrap_err().to_string();
            assert_eq!(problem, format!("column `logp` has {found} values, but there are 4 tokens"));
        }
    }
}

#[test]
fn two_values_of_one_name_are_told_apart() {
    let objective = minimise(|x| {
        let [k2, k3] = [Kl::K2, Kl::K3].map(|kl| kl.estimate(x.logp(), x.ref_logp()).named("kl"));
        x.setting("β", 0.1) * k2.mean::<Batch>() + x.setting("β", 0.2) * k3.mean::<Batch>()
    });
    let printed = objective.formula();
    assert!(printed.contains("kl   = 0.5·(logπ - logπ_ref)²\nkl_2 = exp"), "{printed}");
    assert!(printed.contains("loss = β·mean_batch(kl) + β_2·mean_batch(kl_2)\nwith β = 0.1, β_2 = 0.2\n"), "{printed}");
    let loss = objective.evaluate(&batch(6));
    let recorded = 0.1 * loss.metrics["kl"] + 0.2 * loss.metrics["kl_2"];
    assert!((loss.value - recorded).abs() < 1e-15);
    let one = minimise(|x| {
        x.setting("β", 0.1) * x.logp().mean::<Batch>() + x.setting("β", 0.1) * x.entropy().mean::<Batch>()
    });
    assert!(one.formula().ends_with("with β = 0.1\n"), "the same setting twice is one: {}", one.formula());
}

#[test]
fn a_name_cannot_be_taken_for_the_loss_or_a_column() {
    let formula =
        minimise(|x| (x.logp().exp().named("loss") * x.advantage().square().named("A")).mean::<Batch>()).formula();
    assert_eq!(formula, "loss_2 = exp(logπ)\nA_2    = A²\nloss   = mean_batch(loss_2·A_2)\n");
}

#[test]
fn what_is_only_logged_is_printed_apart_from_the_loss() {
    let objective = minimise(|x| {
        (x.logp() * x.setting("κ", 0.5)).named("half");
        x.logp().above(x.setting("κ", 0.5)).named("high");
        -x.logp().mean::<Batch>()
    });
    assert_eq!(
        objective.formula(),
        "loss = -mean_batch(logπ)\nlogged\nhalf = logπ·κ\nhigh = 1[logπ > κ]\nwith κ = 0.5\n"
    );
    assert_eq!(objective.evaluate(&batch(1)).metrics.len(), 2);
}

#[test]
fn a_schedule_has_the_value_of_its_step_everywhere() {
    let schedule = Coefficient::Linear { from: 1.0, to: 0.0, steps: 4 };
    let scheduled = minimise(|x| x.setting("β", schedule) * x.logp().exp().mean::<Batch>());
    assert_eq!(scheduled.formula(), "loss = β·mean_batch(exp(logπ))\nwith β = 1 -> 0 over 4 steps\n");
    for (step, value) in [(0, 1.0), (1, 0.75), (4, 0.0), (9, 0.0)] {
        let constant = minimise(|x| value * x.logp().exp().mean::<Batch>());
        let x = batch(7).at_step(step);
        let (found, expected) = (scheduled.evaluate(&x), constant.evaluate(&x));
        assert_eq!((found.value, found.metrics["β"]), (expected.value, value), "step {step}");
        if value > 0.0 {
            assert_eq!(found.cotangents, expected.cotangents, "step {step}");
            let signals = BTreeMap::from([(Column::LOGP, x.column(Column::LOGP).unwrap()[..4].to_vec())]);
            let parts = [scheduled.by_parts(&x)(0..2, &signals), constant.by_parts(&x)(0..2, &signals)];
            assert_eq!(parts[0], parts[1], "step {step}");
        }
        assert_eq!(scheduled.evaluate(&x.keep(&[true; 7])).value, expected.value, "a selection keeps the step");
    }
}

#[test]
fn terms_multiplied_by_a_setting_of_zero_are_removed() {
    let none = minimise(|x| {
        x.logp().mean::<Batch>() + x.setting("β", 0.0) * (0.5 * x.setting("γ", 2.0)) * x.ref_logp().mean::<Batch>()
    });
    assert_eq!((none.formula().as_str(), none.reads()), ("loss = mean_batch(logπ)\n", vec![Column::LOGP]));
    let negative = minimise(|x| x.logp().mean::<Batch>() + -x.setting("β", 0.0) * x.ref_logp().mean::<Batch>());
    assert_eq!(negative.reads(), [Column::LOGP]);
    let schedule = Coefficient::Linear { from: 0.0, to: 1.0, steps: 1 };
    let later = minimise(|x| x.logp().mean::<Batch>() + x.setting("β", schedule) * x.ref_logp().mean::<Batch>());
    assert_eq!(later.reads(), [Column::LOGP, Column::REF_LOGP], "a schedule from zero is not zero");
}

#[test]
fn group_statistics_keep_groups_whole() {
    let centred = minimise(|x| -((x.reward() - x.reward().mean::<Group>()) * x.logp()).mean::<Batch>());
    assert_eq!((centred.coupling(), centred.minibatch_unit()), (Level::Token, Level::Group));
    let counted = minimise(|x| -(x.count::<Trajectory, Group>() * x.logp()).mean());
    assert_eq!(counted.minibatch_unit(), Level::Group);
    let logged = minimise(|x| {
        x.reward().mean::<Group>().named("pass_rate");
        -(x.reward() * x.logp()).mean()
    });
    assert_eq!(logged.minibatch_unit(), Level::Trajectory, "what is only logged decides nothing");
    let whole = minimise(|x| (x.logp() - x.logp().mean::<Batch>()).square().mean());
    assert_eq!((whole.coupling(), whole.minibatch_unit()), (Level::Batch, Level::Group));
    for (name, preset, algorithm) in BuiltIn::all() {
        let unit = if name == "dpo" { Level::Group } else { Level::Trajectory };
        assert_eq!(algorithm.objective().minibatch_unit(), unit, "{name}/{preset}");
    }
    // Over what is kept: a group's statistics are those of its selected trajectories.
    let x = batch(8);
    let kept = [true, false, true, true, false, true, true];
    let rewards = [1.0, 1.0, 0.0, 0.0, 1.0];
    let expected = [0.0, 0.5, -0.5, -0.5, 0.5];
    let loss = centred.evaluate(&x.keep(&kept));
    let lengths = [3, 2, 4, 5, 2];
    let cotangents: Vec<f64> = lengths.iter().zip(expected).flat_map(|(&n, a)| vec![-a / 16.0; n]).collect();
    assert_eq!(x.keep(&kept).column(Column::REWARD).unwrap(), rewards);
    assert_eq!(loss.cotangents[&Column::LOGP], cotangents);
}

#[test]
fn a_nan_reward_is_visible_in_every_loss_that_reads_rewards() {
    let mut reward = batch(1).column(Column::REWARD).unwrap().to_vec();
    reward[1] = f64::NAN;
    let x = batch(1).with(Column::REWARD, reward).unwrap();
    for (name, preset, algorithm) in BuiltIn::all().into_iter().filter(|(name, ..)| *name != "rft") {
        let x = x.clone().with(Column::ADVANTAGE, credit_of(&*algorithm).evaluate(&x)).unwrap();
        let loss = algorithm.objective().evaluate(&x);
        assert!(loss.value.is_nan() && loss.not_finite.is_some(), "{name}/{preset}: {}", loss.value);
    }
}

#[test]
fn settings_without_effect_are_told() {
    let keys =
        |algorithm: &dyn Algorithm| -> Vec<String> { algorithm.inert().into_iter().map(|inert| inert.key).collect() };
    let once = Grpo {
        minibatches: 1,
        ratio_guard: RatioGuard::Bound(20.0.into()),
        beta: Coefficient::ZERO,
        kl: Kl::K2,
        ..Grpo::default()
    };
    assert_eq!(keys(&once), ["clip_low", "clip_high", "ratio_guard", "kl"]);
    assert_eq!(keys(&Ppo { epochs: 1, minibatches: 1, ..Ppo::default() }), ["clip", "value_clip"]);
    let uniform = Oreal { pooling: oreal_algos::Pooling::Own, ..Oreal::outcome() };
    assert_eq!(keys(&uniform), ["pooling"]);
    let right = oreal_algos::Selection::Right { per_prompt: 1, repeats: oreal_algos::Repeats::Keep };
    assert_eq!(keys(&Oreal { selection: right, ..Oreal::default() }), ["eta"]);
    assert_eq!(keys(&Oreal::paper()), ["reward", "beta"]);
    let added = Added { kl_estimator: Kl::K2, ..Added::default() };
    assert_eq!(keys(&*added.to(Box::new(Reinforce::default()))), ["added.kl_estimator"]);
    for algorithm in [&Grpo::default() as &dyn Algorithm, &Ppo::default(), &Oreal::default(), &Rft::default()] {
        assert!(keys(algorithm).is_empty(), "{}: {:?}", algorithm.name(), algorithm.inert());
    }
}
