//! The parts of a formula explain its numbers: from them alone the credit and the cotangents can be computed again.

mod common;

use common::batch;
use oreal_algos::{BuiltIn, Column, Level, Part, PartKind, credit_of};

/// The values of a part, for each token of the batch.
fn each(parts: &[Part], kind: PartKind, expression: &str) -> Vec<f64> {
    let part = parts.iter().find(|part| part.kind == kind && part.expression == expression);
    let known: Vec<(PartKind, &str)> = parts.iter().map(|part| (part.kind, part.expression.as_str())).collect();
    let part = part.unwrap_or_else(|| panic!("no {kind:?} {expression} in {known:?}"));
    of_tokens(part.level, &part.values)
}

fn of_tokens(level: Level, values: &[f64]) -> Vec<f64> {
    let layout = batch(1).layout().clone();
    let spans = layout.spans(Level::Token, level);
    assert_eq!(spans.len(), values.len(), "one value for each {level}");
    spans.into_iter().zip(values).flat_map(|(span, &value)| span.map(move |_| value)).collect()
}

fn preset(name: &str, preset: &str) -> BuiltIn {
    BuiltIn::presets(name).into_iter().find(|(known, _)| *known == preset).unwrap().1
}

#[test]
fn a_normalised_advantage_is_made_of_its_baseline_and_denominator() {
    let (x, credit) = (batch(1), credit_of(&*preset("grpo", "deepseek")));
    let parts = credit.parts(&x);
    let baseline = each(&parts, PartKind::Baseline, "mean_group(R)");
    let denominator = parts.iter().find(|part| part.kind == PartKind::Denominator && part.expression.ends_with("+ ε"));
    let denominator = of_tokens(Level::Group, &denominator.unwrap().values);
    let reward = of_tokens(Level::Trajectory, x.column(Column::REWARD).unwrap());
    for (token, credit) in credit.evaluate(&x).into_iter().enumerate() {
        assert!((credit - (reward[token] - baseline[token]) / denominator[token]).abs() < 1e-12, "token {token}");
    }
}

#[test]
fn a_cotangent_is_made_of_weights_and_denominators() {
    let (x, objective) = (batch(1), preset("reinforce", "default").objective());
    let (parts, loss) = (objective.parts(&x), objective.evaluate(&x));
    let tokens = each(&parts, PartKind::Denominator, "tokens_per_trajectory");
    let trajectories = each(&parts, PartKind::Denominator, "trajectories_per_batch");
    let advantage = x.column(Column::ADVANTAGE).unwrap();
    for (token, cotangent) in loss.cotangents[&Column::LOGP].iter().enumerate() {
        assert!((cotangent + advantage[token] / (tokens[token] * trajectories[token])).abs() < 1e-12, "token {token}");
    }

    let (objective, right) = (preset("oreal", "released").objective(), x.column(Column::REWARD).unwrap());
    let (parts, loss) = (objective.parts(&x), objective.evaluate(&x));
    let weight = each(&parts, PartKind::Weight, "clip((confidence - τ)/(1 - τ), 0, 1)");
    let count = each(&parts, PartKind::Denominator, "max(sum_batch(right), 1)");
    let right = of_tokens(Level::Trajectory, right);
    let logps = [Column::LOGP, Column::REF_LOGP].map(|column| x.column(column).unwrap());
    for token in (0..right.len()).filter(|&token| right[token] == 1.0) {
        let kl = 0.01 * (1.0 - (logps[1][token] - logps[0][token]).exp()) / right.len() as f64;
        let expected = -advantage[token] * weight[token] / count[token] + kl;
        assert!((loss.cotangents[&Column::LOGP][token] - expected).abs() < 1e-12, "token {token}");
    }
    let settings: Vec<&str> =
        parts.iter().filter(|p| p.kind == PartKind::Coefficient).filter_map(|p| p.name.as_deref()).collect();
    assert_eq!(settings, ["η", "β"]);
}

#[test]
fn every_part_has_a_value_for_each_unit() {
    let x = batch(2);
    for (name, preset, algorithm) in BuiltIn::all() {
        let parts = credit_of(&*algorithm).parts(&x).into_iter().chain(algorithm.objective().parts(&x));
        for Part { expression, level, values, .. } in parts {
            assert_eq!(values.len(), x.layout().count(level), "{name}/{preset}: {expression}");
            assert!(values.iter().all(|value| value.is_finite()), "{name}/{preset}: {expression}");
        }
    }
}
