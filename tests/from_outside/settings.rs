//! Settings of what a user's own crate brings.

use oreal::algos::{Algorithm, Data, Expr, Frozen, Objective, Rloo, Token as OneToken};
use oreal::{Catalogue, Config};

/// Settings that do not refuse unknown keys by themselves.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
struct Lenient {
    weight: f64,
}

impl Algorithm for Lenient {
    fn name(&self) -> &str {
        "lenient"
    }
    fn credit<'g>(&self, x: Data<'g>) -> Expr<'g, OneToken, Frozen> {
        Rloo::default().credit(x)
    }
    fn objective(&self) -> Box<dyn Objective> {
        Rloo::default().objective()
    }
}

#[test]
fn an_unknown_key_of_ones_own_algorithm_is_named() {
    let presets = [("light", Lenient { weight: 1.0 }), ("heavy", Lenient { weight: 5.0 })];
    let catalogue = Catalogue::built_in().algorithm("lenient", "a test", presets);
    let show = |set: &str| catalogue.run(&["test", "show", "lenient/heavy", "--set", set]);
    assert!(show("weight=2.5").unwrap().contains("weight = 2.5"));
    assert!(catalogue.run(&["test", "show", "lenient/heavy"]).unwrap().contains("weight = 5.0"));
    let message = show("wieght=2").unwrap_err().to_string();
    assert!(message.contains("algorithm.wieght") && message.contains("unknown field `wieght`"), "{message}");
}

/// Settings that no TOML file can hold.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
struct TooLarge {
    weight: u64,
}

impl Algorithm for TooLarge {
    fn name(&self) -> &str {
        "too_large"
    }
    fn credit<'g>(&self, x: Data<'g>) -> Expr<'g, OneToken, Frozen> {
        Rloo::default().credit(x)
    }
    fn objective(&self) -> Box<dyn Objective> {
        Rloo::default().objective()
    }
}

#[test]
fn settings_that_cannot_be_written_are_refused_where_they_are_named() {
    let presets = [("default", TooLarge { weight: u64::MAX })];
    let catalogue = Catalogue::built_in().algorithm("too_large", "a test", presets);
    let message = catalogue.run(&["test", "show", "too_large"]).unwrap_err().to_string();
    assert!(message.contains("algorithm.name") && message.contains("settings of too_large"), "{message}");
    assert!(catalogue.run(&["test", "show", "rloo"]).is_ok(), "the others can be used");
}

#[test]
fn the_last_of_several_overrides_holds() {
    let overrides = ["train.steps=3", "seed=1", "train.steps=7", "seed=2"].map(str::to_owned);
    let config = Config::from_toml("seed = 9", "test", &overrides).unwrap();
    assert_eq!((config.settings.seed, config.settings.train.steps), (2, 7));
    let overrides = ["seed=1", "seed=-5"].map(str::to_owned);
    let message = Config::from_toml("", "test", &overrides).unwrap_err().to_string();
    assert!(message.starts_with("--set seed=-5: seed"), "{message}");
}
