//! Every setting acts: changing it changes what is trained, or the run says at its start that it cannot.

use oreal::algos::BuiltIn;
use oreal::{Catalogue, Config, Experiment, section, train};
use toml::{Table, Value};

/// What three small steps come to: every record without its times, and the weights of every role.
fn trained(config: Config) -> Result<String, String> {
    let experiment = Experiment::from_config(config);
    experiment.check().map_err(|problem| problem.to_string())?;
    let start = experiment.warm_up(&mut |_| {}).map_err(|problem| problem.to_string())?;
    let mut run = experiment.prepare(&start).unwrap();
    let mut all = String::new();
    let observe = &mut |done: &oreal::Done| {
        let mut record = oreal::StepRecord::new(done);
        record.seconds = Default::default();
        all += &format!("{record:?}\n{:?}\n", done.kept);
        Ok(())
    };
    let trained = train(&mut run, observe);
    trained.map_err(|problem| problem.to_string())?;
    let state = run.state().unwrap();
    all += &format!("{:?}", state.models.values().map(|model| model.to_bytes().unwrap()).collect::<Vec<_>>());
    Ok(all)
}

fn small(algorithm: Table, changes: &str) -> Result<Config, String> {
    let text = "[env]\nname = \"chain\"\nterms = 2\n[model]\nkind = \"table\"\n[warm_up]\nsteps = 30\nbatch = 48\nrate = 0.3\n[train]\nsteps = \
                3\nprompts = 6\nrollouts = 6\n[rates]\npolicy = 0.2\ncritic = 0.2\nreward_model = 0.2\nwarmup = 0\n";
    let mut table: Table = text.parse().unwrap();
    table.insert("algorithm".into(), algorithm.into());
    for (section, values) in changes.parse::<Table>().unwrap() {
        let Value::Table(values) = values else {
            table.insert(section, values);
            continue;
        };
        let place = table.entry(section).or_insert_with(|| Table::new().into()).as_table_mut().unwrap();
        place.extend(values);
    }
    Config::from_toml(&table.to_string(), "test", &[]).map_err(|problem| problem.to_string())
}

/// Other values of a setting.
fn others(value: &Value) -> Vec<Value> {
    match value {
        Value::Integer(0) => vec![1.into()],
        Value::Integer(n) => vec![(n + 1).into(), 1.into()],
        Value::Float(x) => vec![(0.5 * x + 0.07).into(), (0.4 * x).into(), (x + 0.3).into()],
        Value::Boolean(b) => vec![(!b).into()],
        _ => Vec::new(),
    }
}

/// Values of the settings that are words or tables, by name.
const WORDS: &[(&str, &[&str])] = &[
    ("reward", &["\"binary\"", "\"signed\""]),
    ("shaping", &["\"grpo\"", "\"failure_rate\"", "\"rloo\""]),
    ("positives", &["\"plain\"", "\"advantage\""]),
    ("negatives", &["\"log_ratio\"", "\"ratio\""]),
    ("token_weights", &["\"uniform\"", "{ threshold = 0.2 }", "{ top_share = 0.4 }"]),
    ("alignment", &["\"after\"", "\"before\""]),
    ("pooling", &["\"own\"", "\"running_mean\""]),
    ("normaliser", &["\"trajectories\"", "\"tokens\""]),
    ("kl", &["\"k1\"", "\"k2\"", "\"k3\""]),
    ("anchor", &["\"old\"", "\"reference\""]),
    ("selection", &["\"all\"", "\"mixed\"", "\"pair\""]),
    ("scale", &["\"one\"", "{ deviation = { degrees_of_freedom = 0.0, epsilon = 0.1 } }"]),
    ("average", &["\"trajectory\"", "\"token\"", "{ constant = 3.0 }"]),
    ("whitening", &["\"none\"", "\"batch\""]),
    ("repeats", &["\"keep\"", "\"drop\""]),
    ("baseline", &["\"none\"", "\"batch\"", "\"group\""]),
    ("dual_clip", &["{ at = 1.2 }", "\"off\""]),
    ("clip_high", &["0.1"]),
    ("overlong", &["{ soft = { length = 6.0, cache = 4.0 } }", "\"off\""]),
    ("ratio", &["\"sequence\"", "\"token\""]),
    ("loss", &["\"logistic\"", "\"squared\""]),
    ("log_ratio", &["\"sum\"", "\"mean\""]),
    ("ratio_guard", &["{ bound = 0.01 }", "\"off\""]),
];

fn alternatives(key: &str, value: &Value) -> Vec<Value> {
    let words = WORDS.iter().find(|(name, _)| *name == key).map_or(&[] as &[&str], |(_, words)| words);
    let words = words.iter().map(|word| format!("x = {word}").parse::<Table>().unwrap().remove("x").unwrap());
    words.chain(others(value)).filter(|other| other != value).collect()
}

/// With more updates a step, so that ratios leave 1; and with repeated answers, of which a problem has only one right one.
fn updated(settings: &Table) -> Table {
    let mut settings = settings.clone();
    let changes: [(&str, Value); 4] =
        [("epochs", 3.into()), ("minibatches", 3.into()), ("frozen_steps", 0.into()), ("repeats", "keep".into())];
    for (key, value) in changes {
        if let Some(setting) = settings.get_mut(key) {
            *setting = value;
        }
    }
    settings
}

#[test]
fn every_setting_of_every_algorithm_acts_or_is_said_not_to() {
    let catalogue = Catalogue::built_in();
    let mut silent = Vec::new();
    for (name, preset, _) in BuiltIn::all() {
        let chosen = catalogue.chosen_algorithm(section(&format!("{name}/{preset}"))).unwrap();
        let mut settings = updated(&chosen.settings);
        settings.insert("name".into(), name.into());
        let config = small(settings.clone(), "").unwrap();
        let said: Vec<String> = config.algorithm.value.inert().into_iter().map(|inert| inert.key).collect();
        let before = trained(config).unwrap();
        for (key, value) in settings.iter().filter(|(key, _)| *key != "name") {
            let alternatives = alternatives(key, value);
            assert!(!alternatives.is_empty(), "{name}: no other value of {key} is known to this test");
            let other = |value: &Value| {
                let mut settings = settings.clone();
                settings.insert(key.clone(), value.clone());
                small(settings, "").ok().and_then(|config| trained(config).ok())
            };
            let acts = alternatives.iter().filter_map(other).any(|after| after != before);
            let of_key = |said: &String| said == key || said.starts_with(&format!("{key}."));
            let says = |value: &Value| {
                let mut settings = settings.clone();
                settings.insert(key.clone(), value.clone());
                let inert = small(settings, "").map(|config| config.algorithm.value.inert()).unwrap_or_default();
                inert.iter().any(|inert| of_key(&inert.key))
            };
            let told = said.iter().any(of_key) || (!acts && alternatives.iter().any(says));
            if acts == told {
                silent.push(format!("{name}/{preset}: {key} acts: {acts}, is said not to: {told}"));
            }
        }
    }
    assert!(silent.is_empty(), "\n{}", silent.join("\n"));
}

/// Settings of runs, each beside a value other than the one it is compared with.
const OTHERS: &[&str] = &[
    "seed = 1",
    "[env]\ndigits = 2",
    "[warm_up]\nsteps = 31",
    "[warm_up]\nbatch = 47",
    "[warm_up]\nerror_rate = 0.2",
    "[warm_up]\nrate = 0.31",
    "[train]\nsteps = 4",
    "[train]\nprompts = 5",
    "[train]\nrollouts = 5",
    "[train]\nsteps_ahead = 1",
    "[sampling]\ntemperature = 0.7",
    "[sampling]\ntop_p = 0.5",
    "[sampling]\ntop_k = 2",
    "[rates]\npolicy = 0.1",
    "[rates]\ncritic = 0.1",
    "[rates]\nwarmup = 2",
    "[rates]\nfloor = 0.9",
    "[roles.reference]\nstart = \"fresh\"",
    "[added]\nentropy = 0.1",
    "[added]\nkl = 0.1",
    "[added]\nreward_kl = 0.1",
    "[added]\nsampler_ratio = { truncated = 0.5 }",
    "[optimiser]\ndecay = \"all\"\nweight_decay = 0.4",
    "[optimiser]\nclip = 0.1\nclip_epsilon = 0.1",
    "[optimiser]\nbeta1 = 0.5",
    "[optimiser]\nbeta2 = 0.5",
    "[optimiser]\nepsilon = 0.1",
    "[optimiser]\nweight_decay = 0.5",
    "[optimiser]\nclip = 0.001",
    "[optimiser]\nrule = \"sgd\"",
];

#[test]
fn every_setting_of_a_run_acts() {
    let ppo = || section("ppo");
    let before = trained(small(ppo(), "").unwrap()).unwrap();
    assert_eq!(trained(small(ppo(), "").unwrap()).unwrap(), before, "the same settings are the same run");
    for change in OTHERS {
        let after = trained(small(ppo(), change).unwrap()).unwrap();
        assert_ne!(after, before, "{change} changes nothing");
    }
}
