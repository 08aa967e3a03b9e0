//! Every setting of every algorithm is checked, or has an effect.

mod common;

use oreal_algos::{
    Added, Algorithm, Average, BuiltIn, Coefficient, Grpo, IllegalSetting, Oreal, Ppo, RatioGuard, Rft, Scale,
    Selection, TokenWeights, check, credit_of,
};
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use toml::Value;

#[test]
fn presets_are_legal() {
    for (name, preset, algorithm) in BuiltIn::all() {
        assert_eq!(check(&*algorithm), Ok(()), "{name}/{preset}");
    }
}

/// Each number of each preset, one at a time.
#[test]
fn a_number_that_makes_no_sense_is_refused_by_its_key_or_has_an_effect() {
    let mut tried = 0;
    for (name, preset, algorithm) in BuiltIn::all() {
        let whole = Value::try_from(&algorithm).unwrap();
        for path in numbers(&whole) {
            for bad in [Value::Float(f64::NAN), Value::Float(f64::INFINITY), Value::Float(-1.0), Value::Integer(-1)] {
                tried += 1;
                let what = format!("{name}/{preset} with {path} = {bad}");
                let Ok(changed) = with(&whole, &path, &bad).try_into::<BuiltIn>() else { continue };
                match check(&*changed) {
                    Err(problem) => assert_eq!(problem.key, path, "{what}"),
                    Ok(()) => {
                        assert!(bad.as_float().is_none_or(f64::is_finite), "{what} is not refused");
                        assert_ne!(behaviour(&*changed), behaviour(&*algorithm), "{what} has no effect");
                    }
                }
            }
        }
    }
    assert!(tried > 150, "only {tried} numbers were tried");
}

#[test]
fn added_terms_are_refused_by_their_key_too() {
    let whole = Value::try_from(Added { average: Average::SUM, ..Added::default() }).unwrap();
    let paths = numbers(&whole);
    assert_eq!(paths, ["average.constant", "baseline", "entropy", "kl", "reward_kl"]);
    for path in paths {
        for bad in [f64::NAN, f64::INFINITY, -1.0] {
            let added: Added = with(&whole, &path, &Value::Float(bad)).try_into().unwrap();
            match check(&*added.to(Box::new(Grpo::default()))) {
                Err(problem) => assert_eq!(problem.key, format!("added.{path}")),
                Ok(()) => assert_eq!((path.as_str(), bad), ("entropy", -1.0), "an entropy penalty is legal"),
            }
        }
    }
}

#[test]
fn settings_named_in_reports_are_refused() {
    let constant = Coefficient::Constant;
    let ppo = |change: fn(&mut Ppo)| -> Box<dyn Algorithm> {
        let mut ppo = Ppo::default();
        change(&mut ppo);
        Box::new(ppo)
    };
    let oreal = |token_weights| -> Box<dyn Algorithm> { Box::new(Oreal { token_weights, ..Oreal::default() }) };
    let grpo = |scale| -> Box<dyn Algorithm> { Box::new(Grpo { scale, ..Grpo::default() }) };
    let cases: Vec<(&str, Box<dyn Algorithm>)> = vec![
        ("epochs", ppo(|ppo| ppo.epochs = 0)),
        ("minibatches", ppo(|ppo| ppo.minibatches = 0)),
        ("clip", ppo(|ppo| ppo.clip = Coefficient::Constant(-1.0))),
        ("discount", ppo(|ppo| ppo.discount = Coefficient::Constant(7.0))),
        ("lambda", ppo(|ppo| ppo.lambda = Coefficient::Constant(1.01))),
        ("average.constant", ppo(|ppo| ppo.average = Average::Constant(Coefficient::Constant(-4.0)))),
        ("average.constant", ppo(|ppo| ppo.average = Average::Constant(Coefficient::ZERO))),
        ("ratio_guard.bound", ppo(|ppo| ppo.ratio_guard = RatioGuard::Bound(Coefficient::ZERO))),
        ("token_weights.threshold", oreal(TokenWeights::Threshold(constant(1.0)))),
        ("token_weights.threshold", oreal(TokenWeights::Threshold(constant(2.0)))),
        (
            "token_weights.thresholds.wrong",
            oreal(TokenWeights::Thresholds { right: constant(0.5), wrong: constant(1.5) }),
        ),
        ("token_weights.top_share", oreal(TokenWeights::TopShare(constant(0.0)))),
        ("token_weights.top_share", oreal(TokenWeights::TopShare(constant(f64::NAN)))),
        ("eta", Box::new(Oreal { eta: constant(f64::NAN), ..Oreal::default() })),
        ("per_prompt", Box::new(Rft { per_prompt: 0, ..Rft::default() })),
        ("scale.deviation.epsilon", grpo(Scale::Deviation { degrees_of_freedom: 1.0, epsilon: constant(-1.0) })),
        ("scale.deviation.epsilon", grpo(Scale::Deviation { degrees_of_freedom: 1.0, epsilon: Coefficient::ZERO })),
        (
            "scale.deviation.degrees_of_freedom",
            grpo(Scale::Deviation { degrees_of_freedom: 0.5, epsilon: constant(1.0) }),
        ),
        ("minibatches", Box::new(Grpo { minibatches: 0, ..Grpo::default() })),
        ("epochs", Box::new(Oreal { epochs: 0, ..Oreal::default() })),
        ("selection.right.per_prompt", {
            let selection = Selection::Right { per_prompt: 0, repeats: oreal_algos::Repeats::Keep };
            Box::new(Oreal { selection, ..Oreal::default() })
        }),
        ("beta", Box::new(Grpo { beta: Coefficient::Linear { from: 0.04, to: 0.0, steps: 0 }, ..Grpo::default() })),
    ];
    for (key, algorithm) in cases {
        let problem = check(&*algorithm).expect_err(key);
        assert_eq!(problem.key, key, "{problem}");
    }
}

#[test]
fn messages_are_sentences() {
    let problem = Ppo { discount: 7.0.into(), ..Ppo::default() }.validate().unwrap_err();
    assert_eq!(problem.to_string(), "`discount` must be a finite number, at least 0 and at most 1, not 7");
    let problem = problem.within("algorithm");
    assert_eq!(problem, IllegalSetting::new("algorithm.discount", problem.problem.clone()));
}

#[test]
fn a_coefficient_is_a_number_or_a_schedule() {
    let grpo = |beta: &str| toml::from_str::<BuiltIn>(&format!("name = \"grpo\"\nbeta = {beta}"));
    let beta = |algorithm| match algorithm {
        BuiltIn::Grpo(grpo) => grpo.beta,
        _ => unreachable!("the name says grpo"),
    };
    let schedule = Coefficient::Linear { from: 0.04, to: 0.0, steps: 100 };
    for (written, read) in [("0.5", 0.5.into()), ("2", 2.0.into()), ("{ from = 0.04, to = 0, steps = 100 }", schedule)]
    {
        let algorithm = grpo(written).unwrap();
        let again: BuiltIn = toml::from_str(&toml::to_string(&algorithm).unwrap()).unwrap();
        assert_eq!((beta(algorithm), beta(again)), (read, read), "{written}");
    }
    for (written, message) in [
        ("\"0.5\"", "a number, or a schedule such as"),
        ("true", "a number, or a schedule such as"),
        ("{ from = 0.04, to = 0.0 }", "missing field `steps`"),
        ("{ from = 0.04, to = 0.0, steps = 1, step = 2 }", "unknown field `step`"),
        ("{ from = 0.04, to = 0.0, steps = -1 }", "invalid value"),
    ] {
        let problem = grpo(written).unwrap_err().to_string();
        assert!(problem.contains(message), "{written}: {problem}");
    }
}

/// Paths of all numbers, in order.
fn numbers(value: &Value) -> Vec<String> {
    match value {
        Value::Table(table) => {
            let inner = |(key, value): (&String, &Value)| -> Vec<String> {
                let paths = numbers(value).into_iter();
                paths.map(|path| if path.is_empty() { key.clone() } else { format!("{key}.{path}") }).collect()
            };
            table.iter().flat_map(inner).collect()
        }
        Value::Integer(_) | Value::Float(_) => vec![String::new()],
        _ => Vec::new(),
    }
}

fn with(whole: &Value, path: &str, value: &Value) -> Value {
    let mut changed = whole.clone();
    let place = path.split('.').fold(&mut changed, |table, key| &mut table[key]);
    *place = value.clone();
    changed
}

/// Everything that an algorithm does: credit, selection, loss, and how often.
fn behaviour(algorithm: &dyn Algorithm) -> String {
    let x = common::batch(1);
    let credit = credit_of(algorithm).evaluate(&x);
    let kept = algorithm.select().draw(&x, &mut ChaCha8Rng::seed_from_u64(1));
    let loss = algorithm.objective().evaluate(&x);
    let frozen = oreal_algos::Role::ALL.map(|role| algorithm.frozen_steps(role));
    format!("{credit:?} {kept:?} {:?} {:?} {:?} {frozen:?}", loss.value, loss.cotangents, algorithm.passes())
}
