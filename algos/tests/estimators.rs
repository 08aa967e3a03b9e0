//! What algorithms share: surrogates, divergences, advantages.

mod common;

use common::batch;
use oreal_algos::{
    Algorithm, Average, Batch, Coefficient, Column, DualClip, Experience, Grpo, Kl, Layout, Overlong, Ppo, RatioGuard,
    Rloo, credit_of, minimise,
};

#[test]
fn a_guard_bounds_large_log_ratios() {
    let mut x = batch(9);
    x.set(Column::OLD_LOGP, x.column(Column::LOGP).unwrap().iter().map(|logp| logp - 50.0).collect()).unwrap();
    x.set(Column::ADVANTAGE, vec![-1.0; 18]).unwrap();
    let loss = |ratio_guard| Grpo { ratio_guard, beta: Coefficient::ZERO, ..Grpo::default() }.objective().evaluate(&x);
    let (off, on) = (loss(RatioGuard::Off), loss(RatioGuard::Bound(20.0.into())));
    assert!(off.value > 1e21 && off.cotangents[&Column::LOGP].iter().all(|g| *g > 1e18), "{}", off.value);
    assert!((on.value - 20f64.exp()).abs() < 1e-4 * 20f64.exp(), "{}", on.value);
    assert!(on.cotangents[&Column::LOGP].iter().all(|g| *g == 0.0), "no gradient beyond the bound");
    let near = batch(9);
    let near = |ratio_guard| Ppo { ratio_guard, loss_beta: 0.1.into(), ..Ppo::default() }.objective().evaluate(&near);
    assert_eq!(near(RatioGuard::Off).cotangents, near(RatioGuard::Bound(20.0.into())).cotangents);
}

#[test]
fn clipped_is_the_share_of_tokens_without_gradient() {
    for seed in 0..20 {
        let objective = Grpo { beta: Coefficient::ZERO, average: Average::Token, ..Grpo::default() }.objective();
        let loss = objective.evaluate(&batch(seed));
        let still = loss.cotangents[&Column::LOGP].iter().filter(|g| **g == 0.0).count();
        assert!((loss.metrics["clipped"] - still as f64 / 18.0).abs() < 1e-15, "batch {seed}");
        assert!(loss.metrics["outside"] >= loss.metrics["clipped"], "batch {seed}");
    }
    let shares = minimise(|x| -oreal_algos::estimators::clipped(x.logp().exp(), x.advantage(), 0.2, 0.3).mean());
    let x = batch(0).with(Column::LOGP, vec![0.2; 18]).unwrap(); // a ratio of 1.22: within 1.3, outside 0.8 to 1.2
    assert_eq!(shares.evaluate(&x).metrics["outside"], 0.0);
    let x = x.with(Column::LOGP, vec![0.3; 18]).unwrap().with(Column::ADVANTAGE, vec![-1.0; 18]).unwrap();
    let metrics = shares.evaluate(&x).metrics;
    assert_eq!(
        (metrics["outside"], metrics["clipped"]),
        (1.0, 0.0),
        "above the bound a negative advantage still pulls"
    );
}

/// At `π = π_old` the correction adds `k3·∇logπ`: together with k3's own gradient that of `KL(π‖ref)`.
#[test]
fn the_corrected_divergence_has_the_gradient_of_kl_from_the_policy() {
    let p: [f64; 3] = [0.5, 0.3, 0.2];
    let q: [f64; 3] = [0.2, 0.2, 0.6];
    let layout = Layout::new(&[vec![1, 1, 1]]).unwrap();
    let logs = |p: [f64; 3]| p.iter().map(|p| p.ln()).collect::<Vec<_>>();
    let x = [(Column::LOGP, logs(p)), (Column::OLD_LOGP, logs(p)), (Column::REF_LOGP, logs(q))];
    let x = x.into_iter().fold(Experience::new(layout), |x, (column, values)| x.with(column, values).unwrap());
    // d logπ_a / d z_b = 1[a = b] - p_b; the expectation is over a drawn from p.
    let expected = |kl: Kl| -> Vec<f64> {
        let loss = minimise(|x| kl.penalty(x, x.ref_logp(), RatioGuard::Off).sum::<Batch>()).evaluate(&x);
        let g = &loss.cotangents[&Column::LOGP];
        (0..3).map(|b| (0..3).map(|a| p[a] * g[a] * (f64::from(a == b) - p[b])).sum()).collect()
    };
    let kl: f64 = (0..3).map(|a| p[a] * (p[a] / q[a]).ln()).sum();
    let forward: Vec<f64> = (0..3).map(|b| p[b] * ((p[b] / q[b]).ln() - kl)).collect();
    let reverse: Vec<f64> = (0..3).map(|b| p[b] - q[b]).collect();
    let close = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-12);
    assert!(close(&expected(Kl::K3Corrected), &forward), "{:?} against {forward:?}", expected(Kl::K3Corrected));
    assert!(close(&expected(Kl::K2), &forward) && close(&expected(Kl::K3), &reverse));
    assert!(close(&expected(Kl::K1), &[0.0; 3]));
}

#[test]
fn a_group_of_one_has_no_advantage() {
    let x = Experience::new(Layout::new(&[vec![2]]).unwrap()).with(Column::REWARD, vec![1.0]).unwrap();
    for algorithm in
        [Box::new(Rloo::default()) as Box<dyn Algorithm>, Box::new(Grpo::default()), Box::new(Grpo::dr_grpo())]
    {
        assert_eq!(credit_of(&*algorithm).evaluate(&x), [0.0, 0.0], "{}", algorithm.name());
    }
}

#[test]
fn whitening_may_keep_the_mean() {
    let x = batch(2);
    let credit = |whitening| credit_of(&Ppo { whitening, ..Ppo::default() }).evaluate(&x);
    let [raw, white, scaled] =
        [oreal_algos::Whitening::None, oreal_algos::Whitening::Batch, oreal_algos::Whitening::KeepMean].map(credit);
    let mean = raw.iter().sum::<f64>() / 18.0;
    let deviation = (raw.iter().map(|a| (a - mean).powi(2)).sum::<f64>() / 18.0).sqrt() + 1e-8;
    for ((raw, white), scaled) in raw.iter().zip(white).zip(scaled) {
        assert!((white - (raw - mean) / deviation).abs() < 1e-12 && (scaled - raw / deviation).abs() < 1e-12);
    }
}

/// Clip bounds act from the second update of a step on, and not in the first.
#[test]
fn clip_bounds_act_once_the_policy_has_moved() {
    let (tight, wide) = (Grpo { clip_high: 1e-4.into(), ..Grpo::default() }, Grpo::default());
    let cotangents = |grpo: &Grpo, moved: f64| {
        let x = batch(3);
        let old = x.column(Column::LOGP).unwrap().iter().map(|logp| logp - moved).collect();
        grpo.objective().evaluate(&x.with(Column::OLD_LOGP, old).unwrap()).cotangents
    };
    assert_eq!(cotangents(&tight, 0.0), cotangents(&wide, 0.0));
    assert_ne!(cotangents(&tight, 0.1), cotangents(&wide, 0.1));
}

/// A dual clip is TRL's `delta`: the ratio of a token with a negative advantage has no gradient above the bound.
#[test]
fn a_dual_clip_bounds_the_ratio_where_the_advantage_is_negative() {
    let bounded = Grpo { dual_clip: DualClip::At(3.0.into()), beta: Coefficient::ZERO, ..Grpo::default() };
    let free = Grpo { dual_clip: DualClip::Off, ..bounded.clone() };
    let cotangents = |grpo: &Grpo, advantage: f64, log_ratio: f64| {
        let mut x = batch(3);
        x.set(Column::OLD_LOGP, x.column(Column::LOGP).unwrap().iter().map(|logp| logp - log_ratio).collect()).unwrap();
        x.set(Column::ADVANTAGE, vec![advantage; 18]).unwrap();
        grpo.objective().evaluate(&x).cotangents.remove(&Column::LOGP).unwrap()
    };
    assert!(cotangents(&free, -1.0, 1.2).iter().all(|g| *g > 0.0), "a ratio of 3.3");
    assert!(cotangents(&bounded, -1.0, 1.2).iter().all(|g| *g == 0.0), "a ratio of 3.3");
    for (advantage, log_ratio) in [(-1.0, 1.0), (-1.0, -0.1), (1.0, 1.2), (1.0, 0.1), (0.0, 1.2)] {
        assert_eq!(cotangents(&bounded, advantage, log_ratio), cotangents(&free, advantage, log_ratio));
    }
}

/// `L_max` 6 and `L_cache` 4: nothing up to 2 tokens, a quarter for each token above.
#[test]
fn overlong_completions_lose_reward_by_their_length() {
    let x = Experience::new(Layout::new(&[vec![1, 2, 3, 5, 6, 9]]).unwrap());
    let x = x.with(Column::REWARD, vec![1.0, 0.0, 1.0, 1.0, 0.0, 1.0]).unwrap();
    let overlong = Overlong::Soft { length: 6.0.into(), cache: 4.0.into() };
    let shaped = [1.0, 0.0, 0.75, 0.25, -1.0, 0.0];
    let grpo = Grpo { overlong, scale: oreal_algos::Scale::One, ..Grpo::default() };
    let credit = credit_of(&grpo).evaluate(&x);
    let mean = shaped.iter().sum::<f64>() / 6.0;
    for (span, reward) in x.layout().spans(oreal_algos::Level::Token, oreal_algos::Level::Trajectory).iter().zip(shaped)
    {
        assert!((credit[span.start] - (reward - mean)).abs() < 1e-15, "{span:?}");
    }
}

/// Where all tokens of a completion have one advantage, GSPO-token has the gradient of GSPO (section 4.3 of the paper).
#[test]
fn a_ratio_for_each_token_has_the_gradient_of_one_for_the_sequence() {
    let [sequence, token] = [oreal_algos::Gspo::default(), oreal_algos::Gspo::token()];
    let x = batch(3).with(Column::ADVANTAGE, credit_of(&sequence).evaluate(&batch(3))).unwrap();
    let [a, b] = [&sequence, &token].map(|gspo| gspo.objective().evaluate(&x));
    assert!((a.value - b.value).abs() < 1e-15 && common::off(&a.cotangents, &b.cotangents) < 1e-15);
    let uneven = (0..18).map(|t| f64::from(t % 3) - 1.0).collect();
    let x = x.with(Column::ADVANTAGE, uneven).unwrap();
    let [a, b] = [&sequence, &token].map(|gspo| gspo.objective().evaluate(&x));
    assert!(common::off(&a.cotangents, &b.cotangents) > 1e-3, "with advantages of tokens they differ");
}

/// One of two groups is mixed: `α` is 2, and the mean over all tokens is that over the mixed group's, had it half of them.
#[test]
fn groups_that_teach_nothing_are_made_up_for() {
    let x = Experience::new(Layout::new(&[vec![1, 1], vec![1, 1]]).unwrap());
    let credit = |rewards: [f64; 4]| {
        credit_of(&oreal_algos::Gpg::default()).evaluate(&x.clone().with(Column::REWARD, rewards.to_vec()).unwrap())
    };
    assert_eq!(credit([1.0, 0.0, 1.0, 1.0]), [1.0, -1.0, 0.0, 0.0]);
    assert_eq!(credit([1.0, 0.0, 0.0, 1.0]), [0.5, -0.5, -0.5, 0.5]);
    assert_eq!(credit([1.0, 1.0, 0.0, 0.0]), [0.0; 4]);
}

/// The loss of one pair, and the margin that IPO stops at.
#[test]
fn pairs_are_judged_by_their_margin() {
    let x = |margin: f64| {
        let x = Experience::new(Layout::new(&[vec![1, 1]]).unwrap()).with(Column::REWARD, vec![1.0, 0.0]).unwrap();
        let x = x.with(Column::REF_LOGP, vec![-1.0, -2.0]).unwrap();
        x.with(Column::LOGP, vec![-1.0 + margin, -2.0]).unwrap()
    };
    let [dpo, ipo] = [oreal_algos::Dpo::default(), oreal_algos::Dpo::ipo()].map(|dpo| dpo.objective());
    for margin in [-3.0, 0.0, 2.0, 5.0] {
        let (loss, slope) = (dpo.evaluate(&x(margin)), 0.1 / (1.0 + (0.1 * margin).exp()));
        assert!((loss.value - (1.0 + (-0.1 * margin).exp()).ln()).abs() < 1e-15, "{margin}");
        assert!((loss.cotangents[&Column::LOGP][0] + slope).abs() < 1e-15, "{margin}");
        assert!((loss.cotangents[&Column::LOGP][1] - slope).abs() < 1e-15, "{margin}");
        let loss = ipo.evaluate(&x(margin));
        assert!((loss.value - (margin - 5.0).powi(2)).abs() < 1e-12, "{margin}");
    }
    assert_eq!(ipo.evaluate(&x(5.0)).cotangents[&Column::LOGP], [0.0, 0.0]);
}
