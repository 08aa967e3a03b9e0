//! Variants spend equally.

use super::*;

#[test]
fn variants_spend_equally() {
    for (matched, budget, key, step) in
        [("rollouts", 64, "rollouts", 16), ("updates", 10, "updates", 4), ("tokens", 100, "tokens", 128)]
    {
        let parent = tempfile::tempdir().unwrap();
        let grid = format!(
            "[ablation]\nseeds = 1\nmatch = \"{matched}\"\nbudget = {budget}\n[ablation.axes]\nalgorithm = [\"ppo\", \"rft\"]"
        );
        ablate(parent.path(), &format!("{FILE}{grid}"), &["--set", "train.steps=40"]).unwrap();
        for label in ["ppo", "rft"] {
            let report = json(&first(parent.path()).join(label).join("seed-3/report.json"));
            let spent = report["spent"][key].as_u64().unwrap();
            assert!((budget..budget + step).contains(&spent), "{label}: {report}");
            assert!(report["steps"].as_u64() < Some(40), "{label}: {report}");
        }
    }
}

#[test]
fn learning_rates_follow_the_budget() {
    let text = format!("{FILE}\n[algorithm]\nname = \"rloo\"\n");
    let config = Config::from_toml(&text, "test", &["rates.warmup=0".into(), "rates.floor=0.5".into()]).unwrap();
    let rates = |budget| {
        let experiment =
            Experiment::from_config(config.clone()).with(|s| (s.train.budget, s.train.steps) = (budget, 60));
        let start = experiment.warm_up(&mut |_| {}).unwrap();
        let (mut run, mut rates) = (experiment.prepare(&start).unwrap(), Vec::new());
        while !run.is_over() {
            rates.push(StepRecord::new(&step(&mut run).unwrap()).rate["policy"]);
        }
        rates
    };
    let (whole, half) = (rates(Budget::Off), rates(Budget::Rollouts(16 * 30)));
    assert_eq!((whole.len(), half.len()), (60, 30));
    for (place, rate) in half.iter().enumerate() {
        assert_eq!(*rate, whole[2 * place], "half the steps, the same schedule");
    }
}

#[test]
fn a_run_that_goes_on_spends_the_rest_of_its_budget() {
    let text = format!("{FILE}\n[algorithm]\nname = \"rloo\"\n");
    let config = Config::from_toml(&text, "test", &["train.steps=40".into()]).unwrap();
    let experiment = Experiment::from_config(config).with(|s| s.train.budget = Budget::Rollouts(96));
    let start = experiment.warm_up(&mut |_| {}).unwrap();
    let mut first = experiment.prepare(&start).unwrap();
    (0..4).for_each(|_| drop(step(&mut first).unwrap()));
    let mut second = experiment.prepare(&start).unwrap();
    second.restore(&first.state().unwrap()).unwrap();
    let mut more = 0;
    while !second.is_over() {
        step(&mut second).unwrap();
        more += 1;
    }
    assert_eq!(more, 2, "96 rollouts are 6 steps");
}
