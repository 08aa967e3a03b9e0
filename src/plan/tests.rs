use oreal_algos::{Oreal, Rft};
use oreal_toy_envs::Addition;

use super::*;
use crate::config::ModelSettings;
use crate::experiment::Experiment;

fn plan(experiment: &Experiment) -> Plan {
    experiment.plan().unwrap()
}

fn bytes(change: fn(&mut Settings)) -> f64 {
    let experiment = Experiment::new(Addition::default(), Oreal::default()).with(change);
    let plan = plan(&experiment);
    plan.resident() + plan.stages.iter().map(Stage::bytes).sum::<f64>()
}

#[test]
fn every_size_counts() {
    let least = bytes(|_| {});
    let changes: [fn(&mut Settings); 8] = [
        |s| s.train.prompts += 1,
        |s| s.train.rollouts += 1,
        |s| s.train.micro_batch += 1,
        |s| s.train.steps_ahead += 1,
        |s| s.warm_up.batch += 1,
        |s| s.evaluation.completions += 1,
        |s| {
            if let ModelSettings::Transformer { num_hidden_layers, .. } = &mut s.model {
                *num_hidden_layers += 1;
            }
        },
        |s| {
            if let ModelSettings::Transformer { intermediate_size, .. } = &mut s.model {
                *intermediate_size += 1;
            }
        },
    ];
    for (i, change) in changes.into_iter().enumerate() {
        assert!(bytes(change) > least, "change {i}");
    }
    assert!(bytes(|s| s.train.micro_tokens = 100) < least, "fewer tokens in a pass");
}

#[test]
fn roles_that_learn_have_moments_and_a_gradient() {
    let plan = plan(&Experiment::new(Addition::default(), Oreal::default()));
    let of = |name: &str| plan.roles.iter().find(|role| role.role == name).unwrap();
    let policy = of("policy");
    assert_eq!(
        (policy.weights, policy.moments, policy.gradient),
        (4.0 * policy.parameters, 8.0 * policy.parameters, policy.weights)
    );
    assert!(of("reward_model").moments > 0.0);
    assert_eq!((of("reference").moments, of("reference").gradient), (0.0, 0.0));
    let rft = super::tests::plan(&Experiment::new(Addition::default(), Rft::default()));
    assert_eq!(rft.roles.len(), 1);
}

#[test]
fn a_checkpoint_takes_copies_of_the_largest_role() {
    let bytes = |plan: &Plan, stage: &str| plan.stages.iter().find(|found| found.name == stage).unwrap().bytes();
    let plan = plan(&Experiment::new(Addition::default(), Oreal::default()));
    let most = plan.roles.iter().map(|role| role.parameters).fold(0.0, f64::max);
    let gradients: f64 = plan.roles.iter().map(|role| role.gradient).sum();
    assert_eq!((bytes(&plan, "checkpoint"), bytes(&plan, "going on")), (12.0 * most + gradients, 16.0 * most));
    let table = Experiment::new(Addition::default(), Rft::default()).with(|s| s.model = ModelSettings::Table {});
    let table = super::tests::plan(&table);
    assert_eq!((bytes(&table, "checkpoint"), bytes(&table, "going on")), (0.0, 0.0), "its size is not known");
    let mapped = RolePlan { role: "reference".into(), parameters: 1e9, weights: 2e9, moments: 0.0, gradient: 0.0 };
    assert_eq!(largest(&[mapped.clone(), plan.roles[0].clone()]).unwrap().role, plan.roles[0].role);
    assert!(saved(&[mapped]).is_empty(), "weights that are in their files are not written");
}

#[test]
fn what_does_not_fit_is_told_by_what_takes_most() {
    let mut plan = plan(&Experiment::new(Addition::default(), Rft::default()));
    plan.available = Some(1e12);
    plan.check().unwrap();
    plan.stages[1].items[0].bytes = 2e12;
    plan.stages[2].items[0].bytes = 3e12;
    let message = plan.check().unwrap_err().to_string();
    assert!(message.contains(plan.stages[2].items[0].key) && message.contains("3.000 TB"), "{message}");
    plan.stages[2].items[0].bytes = 0.0;
    let message = plan.check().unwrap_err().to_string();
    assert!(message.contains("train.prompts") && message.contains("2.000 TB"), "{message}");
    plan.roles[0].moments = 9e12;
    let message = plan.check().unwrap_err().to_string();
    assert!(message.starts_with("model.hidden_size: weights and moments of 1 roles"), "{message}");
    plan.device = Device::Cuda(0);
    plan.check().unwrap();
}
