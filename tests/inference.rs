//! Runs whose completions an inference server draws: a server of this process that is right, stale, or of another temperature.

use std::path::Path;

use oreal::engines::inference::{Kind, Logprobs};
use oreal::engines::testing::Server;
use oreal::engines::testing::inference::{Flaw, Loading, engine, engine_with};
use oreal::renderer::Characters;
use oreal::sentinels::Finding;
use oreal::{Config, Experiment, Progress, StepRecord};
use serde_json::json;

const SMALL: &str = r#"
    algorithm.name = "rloo"
    env.name = "bandit"
    model = { kind = "transformer", num_hidden_layers = 1, hidden_size = 16, intermediate_size = 16 }
    warm_up = { steps = 30, batch = 16 }
    train = { steps = 4, prompts = 4, rollouts = 4 }
    evaluation.completions = 16
    rates.warmup = 0
"#;

fn config(server: &Server, kind: &str, folder: &Path, more: &[&str]) -> Config {
    let sampler = format!(
        "[sampler]\nkind = {kind:?}\nurl = {:?}\nweights = {folder:?}\nconcurrency = 4\nbackoff_seconds = 0.01\nretries = 1",
        server.url()
    );
    let more: Vec<String> = more.iter().map(|setting| (*setting).to_owned()).collect();
    Config::from_toml(&format!("{SMALL}{sampler}"), "test", &more).unwrap_or_else(|problem| panic!("{problem}"))
}

fn honest() -> Box<Flaw> {
    Box::new(|_, _, answer| answer)
}

/// The records and findings of a run.
fn run(config: Config) -> (Vec<StepRecord>, Vec<Finding>) {
    watched(&Experiment::from_config(config))
}

fn watched(experiment: &Experiment) -> (Vec<StepRecord>, Vec<Finding>) {
    let (mut records, mut findings) = (Vec::new(), Vec::new());
    let mut watch = |progress: Progress<'_>| match progress {
        Progress::Step { record, .. } => records.push(record.clone()),
        Progress::Found(finding) => findings.push(finding.clone()),
        _ => {}
    };
    experiment.run_watched(&mut watch).unwrap_or_else(|problem| panic!("{problem}"));
    (records, findings)
}

#[test]
fn a_server_draws_from_the_weights_of_each_step() {
    let cases = [
        ("sglang", Kind::Sglang, ["sampling.temperature=0.8", "sampler.at_most_behind=0"]),
        ("vllm", Kind::Vllm(Logprobs::Raw), ["sampler.logprobs=\"raw\"", "sampling.temperature=1.0"]),
        ("vllm", Kind::Vllm(Logprobs::Processed), ["sampler.logprobs=\"processed\"", "sampling.temperature=0.8"]),
    ];
    for (name, kind, more) in cases {
        let (server, folder) = (engine(kind, Loading::Always, honest()), tempfile::tempdir().unwrap());
        let more: Vec<&str> = more.into_iter().chain(["rates.policy=0.02"]).collect();
        let (records, findings) = run(config(&server, name, folder.path(), &more));
        assert!(findings.is_empty(), "{findings:?}");
        for (step, record) in records.iter().enumerate() {
            assert_eq!((record.version, record.failed, record.trajectories), (Some(step as u64), 0, 16), "{kind:?}");
            let rescored = record.rescored.unwrap();
            assert_eq!(rescored.completions, 4);
            assert!(rescored.mean <= rescored.largest && rescored.largest < 1e-4, "{kind:?}: {rescored:?}");
            assert!((record.first_update_ratio.unwrap() - 1.0).abs() < 1e-4);
        }
        assert!(records.iter().any(|record| record.gradient_norm["policy"] > 0.0), "{kind:?}: it learns");
        let json = serde_json::to_value(&records[0]).unwrap();
        assert!(json["rescored"]["largest"].is_number() && json["rescored"]["mean"].is_number(), "{json}");
    }
}

#[test]
fn stale_weights_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let more = ["rates.policy=0.3", "train.steps=8", "sentinels.patience=2"];
    let told = |loading| {
        let server = engine(Kind::Sglang, loading, honest());
        let (records, findings) = run(config(&server, "sglang", folder.path(), &more));
        (records, findings.into_iter().find(|finding| finding.name == "sampler_apart"))
    };
    let (records, finding) = told(Loading::Once);
    assert!(records[0].rescored.unwrap().largest < 1e-4, "the first weights are right");
    let finding = finding.unwrap_or_else(|| panic!("{:?}", records.iter().map(|r| r.rescored).collect::<Vec<_>>()));
    assert!(finding.evidence.contains("in the first step it was 0.0000"), "{finding}");
    assert!(finding.remedy.contains("stale weights"), "{finding}");
    let (records, finding) = told(Loading::Always);
    assert!(finding.is_none() && records.iter().all(|r| r.rescored.unwrap().largest < 1e-3), "{finding:?}");
}

#[test]
fn another_number_than_was_said_is_told() {
    // Said to be processed, but raw: the temperature is not in it.
    let (server, folder) = (engine(Kind::Vllm(Logprobs::Raw), Loading::Always, honest()), tempfile::tempdir().unwrap());
    let more = ["sampler.logprobs=\"processed\"", "sampling.temperature=0.3", "sentinels.patience=2"];
    let (records, findings) = run(config(&server, "vllm", folder.path(), &more));
    assert!(findings.iter().any(|finding| finding.name == "sampler_apart"), "{findings:?} {:?}", records[0].rescored);
}

#[test]
fn groups_of_which_a_completion_failed_are_absent() {
    let damaged: Box<Flaw> = Box::new(|number, path, mut answer| {
        if path == "/generate" && number % 17 == 5 {
            answer["meta_info"]["output_token_logprobs"][0][0] = json!(3.0);
        }
        answer
    });
    let (server, folder) = (engine(Kind::Sglang, Loading::Always, damaged), tempfile::tempdir().unwrap());
    let (records, _) = run(config(&server, "sglang", folder.path(), &[]));
    assert!(records.iter().any(|record| record.failed > 0));
    assert!(records.iter().all(|record| record.failed % 4 == 0 && record.failed + record.trajectories == 16));
}

#[test]
fn staleness_is_bounded_and_recorded() {
    let (server, folder) = (engine(Kind::Sglang, Loading::Always, honest()), tempfile::tempdir().unwrap());
    let more = ["sampler.at_most_behind=1", "rates.policy=0.02"];
    let (records, _) = run(config(&server, "sglang", folder.path(), &more));
    assert_eq!(records.iter().map(|record| record.version.unwrap()).collect::<Vec<_>>(), [0, 0, 2, 2]);
    let rescored: Vec<bool> = records.iter().map(|record| record.rescored.is_some()).collect();
    assert_eq!(rescored, [true, false, true, false], "completions of older weights may differ");
}

#[test]
fn rollouts_are_drawn_while_earlier_steps_train() {
    let more = ["train.steps=6", "train.steps_ahead=1", "rates.policy=0.1", "sentinels.patience=2"];
    for (kind, name) in [(Kind::Sglang, "sglang"), (Kind::Vllm(Logprobs::Raw), "vllm")] {
        let (server, folder) = (engine(kind, Loading::Always, honest()), tempfile::tempdir().unwrap());
        let (records, findings) = run(config(&server, name, folder.path(), &more));
        let versions: Vec<u64> = records.iter().map(|record| record.version.unwrap()).collect();
        assert_eq!(versions, [0, 0, 1, 2, 3, 4], "{kind:?}");
        let behind: Vec<Option<u64>> = records.iter().map(|record| record.behind).collect();
        assert_eq!(behind, [None, Some(1), Some(1), Some(1), Some(1), Some(1)], "{kind:?}");
        let far = |record: &StepRecord| record.sampler_apart.unwrap() > 0.02;
        assert!(records[2..].iter().any(far), "{kind:?}: the policy has moved since");
        let right = |record: &StepRecord| record.rescored.is_some_and(|rescored| rescored.largest < 1e-3);
        assert!(records.iter().all(right), "{kind:?}: scored again by the weights that drew them");
        assert!(!findings.iter().any(|f| f.name == "sampler_apart" || f.name == "first_update_ratio"), "{findings:?}");
    }
}

#[test]
fn a_fixed_policy_is_drawn_from_by_llama_cpp() {
    let folder = tempfile::tempdir().unwrap();
    let start = Experiment::from_config(Config::from_toml(SMALL, "test", &[]).unwrap()).warm_up(&mut |_| {}).unwrap();
    let checkpoint = folder.path().join("policy");
    std::fs::create_dir(&checkpoint).unwrap();
    start.policy.save(&checkpoint).unwrap();
    start.renderer.save(&checkpoint).unwrap();
    let server = engine_with(Kind::LlamaCpp, &checkpoint, &start.renderer.stop(), honest());
    let text = format!(
        "algorithm.name = \"ppo\"\nenv.name = \"bandit\"\nmodel = {{ kind = \"checkpoint\", path = {checkpoint:?} }}\n\
         warm_up.steps = 0\ntrain = {{ steps = 2, prompts = 4, rollouts = 4 }}\n\
         evaluation.completions = 16\nrates.policy = 0.0\n[sampler]\nkind = \"llama_cpp\"\nurl = {:?}\n",
        server.url()
    );
    let config = Config::from_toml(&text, "test", &[]).unwrap_or_else(|problem| panic!("{problem}"));
    let characters = Characters::new(&config.env.value.world().unwrap().alphabet()).unwrap();
    let (records, _) = watched(&Experiment::from_config(config).renderer(characters));
    assert!(records.iter().all(|record| record.version == Some(0) && record.failed == 0), "{records:?}");
    assert!(records.iter().all(|record| record.rescored.unwrap().largest < 1e-4), "{records:?}");
}

#[test]
fn settings_without_sense_are_refused_by_key() {
    let said = |settings: &[&str]| {
        let settings: Vec<String> = settings.iter().map(|setting| (*setting).to_owned()).collect();
        let sampler = "[sampler]\nkind = \"sglang\"\nurl = \"http://127.0.0.1:1\"\nweights = \"w\"";
        let text = format!("{SMALL}{sampler}");
        Config::from_toml(&text, "test", &settings).err().map(|problem| problem.to_string())
    };
    assert_eq!(said(&[]), None);
    let cases: [(&[&str], &str); 12] = [
        (&["sampling.top_p=0.9"], "sampling.top_p"),
        (&["sampling.top_k=4"], "sampling.top_k"),
        (&["sampler.kind=\"vllm\"", "sampling.temperature=0.7"], "sampling.temperature"),
        (&["sampler.kind=\"llama_cpp\""], "sampler.kind"),
        (&["sampler.kind=\"ollama\""], "sampler"),
        (&["sampler.url=\"127.0.0.1\""], "sampler.url"),
        (&["sampler.logprobs=\"raw\""], "sampler.logprobs"),
        (&["sampler.concurrency=0"], "sampler.concurrency"),
        (&["sampler.wieghts=\"w\""], "wieghts"),
        (&["rates.policy=0.0", "warm_up.steps=0"], "sampler.kind"),
        (&["model={ kind = \"table\" }"], "sampler.kind"),
        (&["sampler.groups=\"some\""], "sampler"),
    ];
    for (settings, key) in cases {
        let problem = said(settings).unwrap_or_else(|| panic!("{settings:?} is taken"));
        assert!(problem.contains(key), "{settings:?}: {problem}");
    }
}

#[test]
fn the_example_file_holds_every_setting() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/sampler.toml");
    let config =
        Config::from_file(&path, &["sampler.kind=\"vllm\"".into(), "sampler.logprobs=\"raw\"".into()]).unwrap();
    let text = std::fs::read_to_string(path).unwrap();
    let all = serde_json::to_value(config.settings.sampler.unwrap()).unwrap();
    for key in all.as_object().unwrap().keys() {
        assert!(text.lines().any(|line| line.trim_start_matches("# ").starts_with(&format!("{key} = "))), "{key}");
    }
}
