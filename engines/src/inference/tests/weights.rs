//! New weights: written whole, loaded, confirmed, and never too old.

use std::fs;

use serde_json::json;

use super::*;
use crate::testing::inference::Flaw;

/// Names of what is in a folder.
fn names(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name != ".lock").collect();
    names.sort();
    names
}

/// Where the server is told of weights.
fn update(kind: Kind) -> &'static str {
    if kind == Kind::Sglang { "/update_weights_from_disk" } else { "/collective_rpc" }
}

#[test]
fn weights_are_written_when_they_are_needed_and_one_folder_is_kept() {
    for kind in LEARNERS {
        let (server, folder) = (engine(kind, Loading::Always, honest()), folder());
        let mut sampler = sampler(kind, &server, learns(folder.path(), 0));
        for (updates, version) in [(1, 0), (2, 1), (2, 1), (3, 4)] {
            let policy = policy(version);
            sampler.moved(&*policy, version).unwrap();
            assert!(names(folder.path()).len() < 2, "nothing is written before it is needed");
            let drawn = sample(&mut sampler, &*policy, &how()).unwrap();
            assert!(apart(&*policy, &drawn, 1.0) < 1e-5, "{kind:?}: the new weights are used");
            assert!(drawn.iter().flatten().all(|c| c.version == version));
            assert_eq!(names(folder.path()), [format!("version-{version}")]);
            assert_eq!(sent(&server, update(kind)).len(), updates);
        }
        drop(sampler);
        assert!(names(folder.path()).is_empty(), "nothing is left behind");
    }
}

#[test]
fn what_is_told_of_new_weights() {
    let (server, folder, policy) = (engine(Kind::Sglang, Loading::Always, honest()), folder(), policy(1));
    let mut sglang = sampler(Kind::Sglang, &server, learns(folder.path(), 0));
    sglang.moved(&*policy, 3).unwrap();
    sample(&mut sglang, &*policy, &how()).unwrap();
    let told = sent(&server, "/update_weights_from_disk").remove(0);
    assert_eq!(told["model_path"], json!(folder.path().join("version-3")));
    assert!(told["flush_cache"] == json!(true) && told["abort_all_requests"] == json!(true), "{told}");
    assert!(told["weight_version"].as_str().unwrap().ends_with(":3"));

    let vllm = Kind::Vllm(Logprobs::Raw);
    let (server, folder) = (engine(vllm, Loading::Always, honest()), super::folder());
    let mut sampler = sampler(vllm, &server, learns(folder.path(), 0));
    sample(&mut sampler, &*policy, &how()).unwrap();
    let path = folder.path().join("version-0");
    let reload = json!({ "method": "reload_weights", "kwargs": { "weights_path": path } });
    assert_eq!(sent(&server, "/collective_rpc"), [reload]);
    assert_eq!(sent(&server, "/reset_prefix_cache").len(), 1);
    let salts: Vec<Value> = sent(&server, "/v1/completions").iter().map(|body| body["cache_salt"].clone()).collect();
    assert!(salts.iter().all(|salt| salt.as_str().unwrap().ends_with(":0")), "{salts:?}");
}

#[test]
fn the_policy_may_be_ahead_by_so_many_updates() {
    let (server, folder) = (engine(Kind::Sglang, Loading::Always, honest()), folder());
    let mut sampler = sampler(Kind::Sglang, &server, learns(folder.path(), 2));
    let mut drawn_from = Vec::new();
    for version in 0..7 {
        let policy = policy(version);
        sampler.moved(&*policy, version).unwrap();
        let drawn = sample(&mut sampler, &*policy, &how()).unwrap();
        drawn_from.push(drawn[0].as_ref().unwrap().version);
    }
    assert_eq!(drawn_from, [0, 0, 0, 3, 3, 3, 6]);
    // A run that goes on from an earlier step has other weights than the server.
    sampler.moved(&*policy(5), 5).unwrap();
    assert_eq!(sample(&mut sampler, &*policy(5), &how()).unwrap()[0].as_ref().unwrap().version, 5);
}

/// A server that says of completions that they are of another version than the one it was told.
fn of_version(of: impl Fn(u64) -> u64 + Send + Sync + 'static) -> Box<Flaw> {
    Box::new(move |_, path, mut answer| {
        if path == "/generate" {
            let name = answer["meta_info"]["weight_version"].as_str().unwrap().to_owned();
            let (run, version) = name.split_once(':').unwrap();
            answer["meta_info"]["weight_version"] = json!(format!("{run}:{}", of(version.parse().unwrap())));
        }
        answer
    })
}

#[test]
fn completions_of_weights_that_are_too_old_are_refused() {
    for (at_most_behind, accepted) in [(0, false), (1, true)] {
        let server = engine(Kind::Sglang, Loading::Always, of_version(|version| version.saturating_sub(1)));
        let (folder, policy) = (folder(), policy(1));
        let mut sampler = sampler(Kind::Sglang, &server, learns(folder.path(), at_most_behind));
        sampler.moved(&*policy, 9).unwrap();
        match sample(&mut sampler, &*policy, &how()) {
            Ok(drawn) => assert!(accepted && drawn.iter().flatten().all(|c| c.version == 8), "{drawn:?}"),
            Err(problem) => {
                let problem = problem.to_string();
                assert!(
                    !accepted && problem.contains("from version 8, though the server has confirmed 9"),
                    "{problem}"
                );
            }
        }
    }
    let server = engine(Kind::Sglang, Loading::Always, of_version(|version| version + 1));
    let (folder, policy) = (folder(), policy(1));
    let mut sampler = sampler(Kind::Sglang, &server, learns(folder.path(), 3));
    let problem = sample(&mut sampler, &*policy, &how()).unwrap_err().to_string();
    assert!(problem.contains("from version 1, though"), "{problem}");
}

#[test]
fn weights_that_are_not_loaded_end_the_call() {
    let fail = |at: &'static str| -> Box<Flaw> {
        Box::new(move |_, path, answer| match path == at {
            true => json!({ "success": false, "message": "shapes differ" }),
            false => answer,
        })
    };
    let vllm = Kind::Vllm(Logprobs::Raw);
    for (kind, at, times) in [(Kind::Sglang, "/update_weights_from_disk", 1), (vllm, "/reset_prefix_cache", 3)] {
        let (server, folder, policy) = (engine(kind, Loading::Always, fail(at)), folder(), policy(1));
        let mut sampler = sampler(kind, &server, learns(folder.path(), 0));
        for round in 1..=2 {
            let problem = sample(&mut sampler, &*policy, &how()).unwrap_err().to_string();
            assert!(
                problem.contains("new weights were not loaded") && problem.contains("success is false"),
                "{problem}"
            );
            assert_eq!(sent(&server, at).len(), times * round, "{kind:?}: tried again each time");
        }
        let drawn = sent(&server, "/generate").len() + sent(&server, "/v1/completions").len();
        assert_eq!(drawn, 0, "nothing is drawn from weights that are not confirmed");
    }
    // A vLLM that is not in its development mode.
    let server = engine(Kind::LlamaCpp, Loading::Always, honest());
    let (folder, policy) = (folder(), policy(1));
    let mut sampler = sampler(vllm, &server, learns(folder.path(), 0));
    let problem = sample(&mut sampler, &*policy, &how()).unwrap_err().to_string();
    assert!(problem.contains("VLLM_SERVER_DEV_MODE=1"), "{problem}");
}

#[test]
fn a_folder_belongs_to_one_run_and_what_is_not_ours_stays() {
    let (server, folder, policy) = (engine(Kind::Sglang, Loading::Always, honest()), folder(), policy(1));
    for name in ["version-3", "version-old", "other"] {
        fs::create_dir(folder.path().join(name)).unwrap();
    }
    let mut first = sampler(Kind::Sglang, &server, learns(folder.path(), 0));
    sample(&mut first, &*policy, &how()).unwrap();
    assert_eq!(names(folder.path()), ["other", "version-0", "version-old"], "a run that was killed left version-3");
    let mut second = sampler(Kind::Sglang, &server, learns(folder.path(), 0));
    let problem = sample(&mut second, &*policy, &how()).unwrap_err().to_string();
    assert!(problem.contains("another run writes its weights here"), "{problem}");
    drop(first);
    sample(&mut second, &*policy, &how()).unwrap();
}
