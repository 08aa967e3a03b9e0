//! The family of GRPO and its kin, by hand: values from the papers' equations on a batch small enough to calculate, and what every
//! algorithm says of itself.

use oreal_algos::{
    Algorithm, Average, BuiltIn, Cispo, Column, Dpo, DualClip, Experience, Gpg, Grpo, Gspo, IllegalSetting, Layout,
    LogRatio, Loss, Overlong, Passes, ReinforcePlusPlus, Remax, Sapo, Scale, Select, Selection, VinePpo, check,
    credit_of, dialects, minimise,
};

/// One group: a right answer of two tokens and a wrong one of one token.
fn pair() -> Experience {
    let x = Experience::new(Layout::new(&[vec![2, 1]]).unwrap());
    let columns = [
        (Column::REWARD, vec![1.0, 0.0]),
        (Column::LOGP, vec![-1.0, -0.5, -0.7]),
        (Column::OLD_LOGP, vec![-1.4, -0.3, -0.4]),
        (Column::REF_LOGP, vec![-1.1, -0.9, -0.6]),
        (Column::ADVANTAGE, vec![2.0, 2.0, -3.0]),
    ];
    columns.into_iter().fold(x, |x, (column, values)| x.with(column, values).unwrap())
}

/// `π/π_old` of its three tokens.
fn ratios() -> [f64; 3] {
    [0.4_f64.exp(), (-0.2_f64).exp(), (-0.3_f64).exp()]
}

fn loss(algorithm: &dyn Algorithm) -> Loss {
    algorithm.objective().evaluate(&pair())
}

fn near(found: &[f64], expected: &[f64], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let apart = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(apart < 1e-12, "{what}: {found:?}, not {expected:?}");
}

/// The value, and the derivative by each token's log-probability.
fn check_loss(algorithm: &dyn Algorithm, value: f64, gradient: [f64; 3], what: &str) {
    let found = loss(algorithm);
    near(&[found.value], &[value], &format!("{what}: value"));
    near(&found.cotangents[&Column::LOGP], &gradient, &format!("{what}: gradient"));
}

/// 2507.18071, eq. 5 to 7: the ratio of the right answer is `exp((0.4 - 0.2)/2)`, that of the wrong one `exp(-0.3)`.
#[test]
fn gspo_clips_the_ratio_of_a_completion() {
    let wide = Gspo { clip_low: 0.5.into(), clip_high: 0.5.into(), ..Gspo::default() };
    let (right, wrong) = (0.1_f64.exp(), (-0.3_f64).exp());
    let gradient = [-right / 2.0, -right / 2.0, 3.0 * wrong / 2.0];
    check_loss(&wide, -(2.0 * right - 3.0 * wrong) / 2.0, gradient, "gspo");
    check_loss(&Gspo { ..Gspo::token() }, -(2.0 * 1.0004 - 3.0 * 0.9997) / 2.0, [0.0; 3], "gspo/token, all clipped");
    // 1.105 is above 1.1: no gradient. 0.741 is above 0.7: its own gradient.
    let tight = Gspo { clip_low: 0.3.into(), clip_high: 0.1.into(), ..Gspo::default() };
    check_loss(&tight, -(2.0 * 1.1 - 3.0 * wrong) / 2.0, [0.0, 0.0, 3.0 * wrong / 2.0], "gspo, one clipped");
    // Where the tokens of a completion have different advantages, the gradient of GSPO-token is each token's own (eq. 13).
    let x = pair().with(Column::ADVANTAGE, vec![2.0, 6.0, -3.0]).unwrap();
    let token = Gspo { clip_low: 0.5.into(), clip_high: 0.5.into(), ..Gspo::token() };
    let expected = [-2.0 * right / 4.0, -6.0 * right / 4.0, 3.0 * wrong / 2.0];
    near(&token.objective().evaluate(&x).cotangents[&Column::LOGP], &expected, "gspo/token");
    let whole = [-(2.0 + 6.0) / 2.0 * right / 4.0; 2];
    near(&wide.objective().evaluate(&x).cotangents[&Column::LOGP][..2], &whole, "gspo, both tokens alike");
}

/// 2506.13585, eq. 4 and 5: weights of 1.49, 0.82 and 0.74, clipped to between 0.8 and 1.3.
#[test]
fn cispo_clips_weights_and_keeps_every_gradient() {
    let [_, second, _] = ratios();
    let weights = [1.3, second, 0.8];
    let gradient = [-2.0 * weights[0] / 3.0, -2.0 * weights[1] / 3.0, 3.0 * weights[2] / 3.0];
    let logp = [-1.0, -0.5, -0.7];
    let terms = [weights[0] * 2.0 * logp[0], weights[1] * 2.0 * logp[1], weights[2] * -3.0 * logp[2]];
    let value = -terms.iter().sum::<f64>() / 3.0;
    let cispo = Cispo { clip_low: 0.2.into(), clip_high: 0.3.into(), ..Cispo::default() };
    check_loss(&cispo, value, gradient, "cispo");
    let summed = gradient.map(|g| 3.0 * g / 2.0);
    check_loss(&Cispo { average: Average::SUM, ..cispo }, 3.0 * value / 2.0, summed, "cispo, a sum over tokens");
}

/// 2511.20347, eq. 5 and 6: `4/τ·σ(τ·(r - 1))`, whose slope is `4·σ·(1 - σ)`, with one τ for each sign of the advantage.
#[test]
fn sapo_has_a_gate_for_each_sign() {
    let sapo = Sapo { tau_positive: 2.0.into(), tau_negative: 5.0.into(), ..Sapo::default() };
    let gate = |ratio: f64, tau: f64| {
        let sigma = 1.0 / (1.0 + (-tau * (ratio - 1.0)).exp());
        (4.0 / tau * sigma, 4.0 * sigma * (1.0 - sigma) * ratio)
    };
    let [a, b, c] = ratios();
    let [a, b, c] = [gate(a, 2.0), gate(b, 2.0), gate(c, 5.0)];
    let value = -((2.0 * a.0 + 2.0 * b.0) / 2.0 - 3.0 * c.0) / 2.0;
    check_loss(&sapo, value, [-2.0 * a.1 / 4.0, -2.0 * b.1 / 4.0, 3.0 * c.1 / 2.0], "sapo");
}

/// 2501.03262: with k1 in the reward, the returns are `1 - β(0.3 + -0.3 ..)` summed to the end, and whitened by mean and deviation of n.
#[test]
fn reinforce_plus_plus_normalises_returns_over_the_batch() {
    let whitened = |returns: [f64; 3]| {
        let mean = returns.iter().sum::<f64>() / 3.0;
        let variance = returns.iter().map(|r| (r - mean).powi(2)).sum::<f64>() / 3.0;
        returns.map(|r| (r - mean) / (variance.sqrt() + 1e-8))
    };
    // logπ_old - logπ_ref is -0.3, 0.6 and 0.2.
    let plain = ReinforcePlusPlus { reward_beta: 0.5.into(), ..ReinforcePlusPlus::default() };
    let expected = whitened([1.0 + 0.15 - 0.3, 1.0 - 0.3, -0.1]);
    near(&credit_of(&plain).evaluate(&pair()), &expected, "reinforce_plus_plus: advantages");
    let expected = whitened([0.5, 0.5, -0.5]);
    near(&credit_of(&ReinforcePlusPlus::baseline()).evaluate(&pair()), &expected, "baseline: advantages");
    // Ratios of 1.49 (clipped at 1.2), 0.82, and 0.74 (clipped at 0.8 where the advantage is negative); k2 of 0.1, 0.4 and -0.1.
    let [_, second, _] = ratios();
    let value = -((2.4 - 0.01 / 2.0) + (2.0 * second - 0.16 / 2.0) + (-2.4 - 0.01 / 2.0)) / 3.0;
    let gradient = [0.1 / 3.0, (0.4 - 2.0 * second) / 3.0, -0.1 / 3.0];
    check_loss(
        &ReinforcePlusPlus { loss_beta: 1.0.into(), ..ReinforcePlusPlus::baseline() },
        value,
        gradient,
        "baseline",
    );
}

/// 2504.02546, eq. 5 and 6: two of three groups teach something, so that centred rewards are times 3/2.
#[test]
fn gpg_makes_up_for_groups_that_teach_nothing() {
    let x = Experience::new(Layout::new(&[vec![2, 1], vec![1, 1], vec![1, 1, 1]]).unwrap());
    let x = x.with(Column::REWARD, vec![1.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0]).unwrap();
    let centred = [0.5, 0.5, -0.5, 0.0, 0.0, -1.0 / 3.0, -1.0 / 3.0, 2.0 / 3.0];
    near(&credit_of(&Gpg::default()).evaluate(&x), &centred.map(|a| 1.5 * a), "gpg");
    let scale = Scale::Deviation { degrees_of_freedom: 0.0, epsilon: 0.5.into() };
    let by_deviation = credit_of(&Gpg { scale, ..Gpg::default() }).evaluate(&x);
    near(&by_deviation[..3], &[0.75, 0.75, -0.75], "gpg over a deviation of 0.5 and 0.5 more");
    let none = x.with(Column::REWARD, vec![1.0; 7]).unwrap();
    near(&credit_of(&Gpg::default()).evaluate(&none), &[0.0; 8], "no group teaches anything");
    check_loss(&Gpg::default(), -(-2.0 - 1.0 + 2.1) / 3.0, [-2.0 / 3.0, -2.0 / 3.0, 1.0], "gpg: loss");
    check_loss(&Gpg { average: Average::SUM, ..Gpg::default() }, 0.45, [-1.0, -1.0, 1.5], "gpg, a sum over tokens");
}

/// 2310.10505, algorithm 2.
#[test]
fn remax_takes_off_the_reward_of_the_greedy_completion() {
    let x = pair().with(Column::GREEDY_REWARD, vec![0.25, 0.75]).unwrap();
    near(&credit_of(&Remax::default()).evaluate(&x), &[0.75, 0.75, -0.75], "remax: advantages");
    check_loss(&Remax::default(), -(-3.0 + 2.1) / 2.0, [-1.0, -1.0, 1.5], "remax");
    let mean = Remax { average: Average::Token };
    check_loss(&mean, -(-3.0 + 2.1) / 3.0, [-2.0 / 3.0, -2.0 / 3.0, 1.0], "remax, a mean over tokens");
}

/// 2410.01679, eq. 5: the reward comes with the last token, after which nothing is left to come.
#[test]
fn vine_ppo_takes_the_difference_of_values() {
    let x = pair().with(Column::PREFIX_VALUE, vec![0.3, 0.6, 0.4]).unwrap();
    near(&credit_of(&VinePpo::default()).evaluate(&x), &[0.6 - 0.3, 1.0 - 0.6, -0.4], "vine_ppo: advantages");
    let [_, second, _] = ratios();
    let value = -(2.4 + 2.0 * second - 2.4) / 3.0;
    check_loss(&VinePpo::default(), value, [0.0, -2.0 * second / 3.0, 0.0], "vine_ppo");
    assert_eq!(VinePpo { continuations: 7, ..VinePpo::default() }.continuations(), 7);
}

/// 2305.18290, eq. 7, and 2310.12036, eq. 17: log-ratios of 0.1 and 0.4, and of -0.1.
#[test]
fn dpo_and_ipo_have_the_margin_of_a_pair() {
    let (summed, mean) = (0.5 + 0.1, 0.25 + 0.1);
    let softplus = |z: f64| z.exp().ln_1p();
    let sigma = |z: f64| 1.0 / (1.0 + (-z).exp());
    let dpo = Dpo { beta: 0.5.into(), ..Dpo::default() };
    let slope = -0.5 * sigma(-0.5 * summed);
    check_loss(&dpo, softplus(-0.5 * summed), [slope, slope, -slope], "dpo");
    let slope = -0.5 * sigma(-0.5 * mean);
    let of_means = Dpo { log_ratio: LogRatio::Mean, ..dpo };
    check_loss(&of_means, softplus(-0.5 * mean), [slope / 2.0, slope / 2.0, -slope], "dpo of means");
    let ipo = Dpo { beta: 0.5.into(), ..Dpo::ipo() };
    let slope = 2.0 * (summed - 1.0);
    check_loss(&ipo, (summed - 1.0_f64).powi(2), [slope, slope, -slope], "ipo");
    near(&credit_of(&Dpo::default()).evaluate(&pair()), &[1.0; 3], "dpo: every pair counts the same");
    assert!(matches!(Dpo::default().select(), Select::Declared(Selection::Pair)));
}

/// 2503.14476, eq. 13, for a limit of 16 tokens and a cache of 4.
#[test]
fn overlong_completions_lose_reward() {
    let overlong = Overlong::Soft { length: 16.0.into(), cache: 4.0.into() };
    let grpo = Grpo { overlong, scale: Scale::One, ..Grpo::default() };
    let x = Experience::new(Layout::new(&[vec![11, 12, 13, 16, 20]]).unwrap());
    let x = x.with(Column::REWARD, vec![1.0; 5]).unwrap();
    let found = credit_of(&grpo).evaluate(&x);
    let rewards = [1.0, 1.0, 0.75, 0.0, 0.0];
    let firsts = [0, 11, 23, 36, 52].map(|first| found[first]);
    near(&firsts, &rewards.map(|reward| reward - 2.75 / 5.0), "overlong");
    let zero = Grpo { overlong: Overlong::Soft { length: 16.0.into(), cache: 0.0.into() }, ..grpo.clone() };
    assert_eq!(check(&zero).unwrap_err().key, "overlong.soft.cache");
    let zero = Grpo { overlong: Overlong::Soft { length: 0.0.into(), cache: 4.0.into() }, ..grpo };
    assert_eq!(check(&zero).unwrap_err().key, "overlong.soft.length");
}

#[test]
fn an_algorithm_has_the_name_of_its_entry_and_the_loss_of_its_expression() {
    let x = pair().with(Column::PREFIX_VALUE, vec![0.3, 0.6, 0.4]).unwrap();
    for name in ["gspo", "cispo", "sapo", "reinforce_plus_plus", "gpg", "dpo", "remax", "vine_ppo"] {
        for (preset, algorithm) in BuiltIn::presets(name) {
            assert_eq!(algorithm.name(), name, "{preset}");
            let composed = minimise(|x| algorithm.expression(x).unwrap()).evaluate(&x);
            let own = algorithm.objective().evaluate(&x);
            assert_eq!((composed.value, composed.cotangents), (own.value, own.cotangents), "{name}/{preset}");
        }
    }
}

/// Each with these passes, and the settings that act from a step's second update on.
fn with_passes(epochs: usize, minibatches: usize) -> Vec<(Box<dyn Algorithm>, &'static [&'static str])> {
    vec![
        (Box::new(Gspo { epochs, minibatches, ..Gspo::default() }), &["clip_low", "clip_high"]),
        (Box::new(Cispo { epochs, minibatches, ..Cispo::default() }), &["clip_low", "clip_high"]),
        (Box::new(Sapo { epochs, minibatches, ..Sapo::default() }), &["tau_positive", "tau_negative"]),
        (Box::new(ReinforcePlusPlus { epochs, minibatches, ..ReinforcePlusPlus::default() }), &["clip"]),
        (Box::new(VinePpo { epochs, minibatches, ..VinePpo::default() }), &["clip"]),
    ]
}

#[test]
fn passes_are_those_of_the_settings() {
    for (algorithm, _) in with_passes(3, 5) {
        assert_eq!(algorithm.passes(), Passes { epochs: 3, minibatches: 5 }, "{}", algorithm.name());
    }
    for algorithm in [&Gpg::default() as &dyn Algorithm, &Remax::default(), &Dpo::default()] {
        assert_eq!(algorithm.passes(), Passes::ONCE, "{}", algorithm.name());
    }
}

#[test]
fn what_has_no_effect_in_a_single_update_is_named() {
    let keys = |algorithm: &dyn Algorithm| algorithm.inert().into_iter().map(|inert| inert.key).collect::<Vec<_>>();
    for (algorithm, expected) in with_passes(1, 1) {
        assert_eq!(keys(&*algorithm), expected, "{}", algorithm.name());
    }
    for (algorithm, _) in with_passes(1, 2).into_iter().chain(with_passes(2, 1)) {
        assert!(keys(&*algorithm).is_empty(), "{}", algorithm.name());
    }
    let without_weight = ReinforcePlusPlus { loss_beta: 0.0.into(), ..ReinforcePlusPlus::baseline() };
    assert_eq!(keys(&without_weight), ["kl"]);
    assert!(keys(&Gpg::default()).is_empty(), "nobody chose it");
    let gpg = Gpg { threshold: 0.25, ..Gpg::default() };
    assert_eq!(keys(&gpg), ["threshold"], "as long as no more problems are drawn");
    let gpg = Gpg { resample: 2, threshold: 0.25, ..Gpg::default() };
    assert!(keys(&gpg).is_empty() && gpg.resamples() == 2 && gpg.enough() == 0.25);
    assert!(matches!(gpg.teaches(), Select::Declared(Selection::Mixed)));
    assert!(matches!(gpg.select(), Select::Declared(Selection::All)), "it learns from all groups");
}

/// verl bounds the ratio of tokens with a negative advantage at 3, and every log-ratio at 20; all but TRL's make several updates.
#[test]
fn dialects_differ_from_the_second_update_on_too() {
    let moved = |by: f64, advantage: f64| {
        let x = Experience::new(Layout::new(&[vec![1]]).unwrap()).with(Column::LOGP, vec![-0.5]).unwrap();
        x.with(Column::OLD_LOGP, vec![-0.5 - by]).unwrap().with(Column::ADVANTAGE, vec![advantage]).unwrap()
    };
    for dialect in dialects() {
        let name = dialect.name;
        let updates = if name.starts_with("trl") {
            1
        } else if name == "verl" {
            4
        } else {
            2
        };
        assert_eq!(dialect.algorithm.passes(), Passes { epochs: 1, minibatches: updates }, "{name}");
        let value = |by, advantage| dialect.algorithm.objective().evaluate(&moved(by, advantage)).value;
        let length = match dialect.algorithm.average {
            Average::Constant(oreal_algos::Coefficient::Constant(length)) => length,
            _ => 1.0,
        };
        let bound = if name == "verl" { 3.0 } else { 2.0_f64.exp() };
        near(&[value(2.0, -1.0)], &[bound / length], &format!("{name}: a negative advantage"));
        near(&[value(2.0, 1.0)], &[-1.2 / length], &format!("{name}: a positive one"));
        let unbounded = Grpo { dual_clip: DualClip::Off, ..dialect.algorithm.clone() };
        let value = unbounded.objective().evaluate(&moved(25.0, -1.0)).value * length;
        let expected = if name == "verl" { 20.0_f64.exp() } else { 25.0_f64.exp() };
        assert!((value / expected - 1.0).abs() < 1e-12, "{name}: {value}");
    }
}

#[test]
fn settings_without_sense_are_refused_by_their_key() {
    let none = Average::Constant(0.0.into());
    let scale = Scale::Deviation { degrees_of_freedom: 1.0, epsilon: (-1.0).into() };
    let epsilon = "scale.deviation.epsilon";
    let cases: Vec<(&str, Box<dyn Algorithm>)> = vec![
        ("clip_low", Box::new(Gspo { clip_low: (-0.1).into(), ..Gspo::default() })),
        ("clip_high", Box::new(Gspo { clip_high: (-0.1).into(), ..Gspo::default() })),
        (epsilon, Box::new(Gspo { scale, ..Gspo::default() })),
        ("clip_low", Box::new(Cispo { clip_low: 1.1.into(), ..Cispo::default() })),
        ("clip_high", Box::new(Cispo { clip_high: (-0.1).into(), ..Cispo::default() })),
        (epsilon, Box::new(Cispo { scale, ..Cispo::default() })),
        ("average.constant", Box::new(Cispo { average: none, ..Cispo::default() })),
        ("tau_positive", Box::new(Sapo { tau_positive: 0.0.into(), ..Sapo::default() })),
        ("tau_negative", Box::new(Sapo { tau_negative: 0.0.into(), ..Sapo::default() })),
        (epsilon, Box::new(Sapo { scale, ..Sapo::default() })),
        ("clip", Box::new(ReinforcePlusPlus { clip: (-0.1).into(), ..ReinforcePlusPlus::default() })),
        ("reward_beta", Box::new(ReinforcePlusPlus { reward_beta: (-0.1).into(), ..ReinforcePlusPlus::default() })),
        ("loss_beta", Box::new(ReinforcePlusPlus { loss_beta: (-0.1).into(), ..ReinforcePlusPlus::default() })),
        ("average.constant", Box::new(ReinforcePlusPlus { average: none, ..ReinforcePlusPlus::default() })),
        (epsilon, Box::new(Gpg { scale, ..Gpg::default() })),
        ("average.constant", Box::new(Gpg { average: none, ..Gpg::default() })),
        ("threshold", Box::new(Gpg { threshold: 1.1, ..Gpg::default() })),
        ("average.constant", Box::new(Remax { average: none })),
        ("beta", Box::new(Dpo { beta: 0.0.into(), ..Dpo::default() })),
        ("continuations", Box::new(VinePpo { continuations: 0, ..VinePpo::default() })),
        ("clip", Box::new(VinePpo { clip: (-0.1).into(), ..VinePpo::default() })),
        ("average.constant", Box::new(VinePpo { average: none, ..VinePpo::default() })),
    ];
    let zero = |epochs, minibatches, key| with_passes(epochs, minibatches).into_iter().map(move |(of, _)| (key, of));
    for (key, algorithm) in cases.into_iter().chain(zero(0, 2, "epochs")).chain(zero(2, 0, "minibatches")) {
        let IllegalSetting { key: found, .. } = algorithm.validate().expect_err(key);
        assert_eq!(found, key, "{}", algorithm.name());
    }
}
