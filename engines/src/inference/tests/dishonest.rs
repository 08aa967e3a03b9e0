//! Answers that are wrong are that completion's failure, or an error where all of them are.

use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::json;

use super::*;
use crate::testing::inference::Flaw;
use crate::testing::{response, send};

/// What a run is told where every completion of SGLang has this flaw.
fn told(flaw: impl Fn(&mut Value) + Send + Sync + 'static) -> String {
    told_by(Kind::Sglang, "/generate", flaw)
}

fn told_by(kind: Kind, at: &'static str, flaw: impl Fn(&mut Value) + Send + Sync + 'static) -> String {
    let flaw: Box<Flaw> = Box::new(move |_, path, mut answer| {
        if path == at {
            flaw(&mut answer);
        }
        answer
    });
    let (server, folder, policy) = (engine(kind, Loading::Always, flaw), folder(), policy(1));
    let mut sampler = sampler(kind, &server, learns(folder.path(), 0));
    sample(&mut sampler, &*policy, &how()).unwrap_err().to_string()
}

/// One of SGLang's log-probabilities.
fn first(answer: &mut Value) -> &mut Value {
    &mut answer["meta_info"]["output_token_logprobs"][0]
}

#[test]
fn wrong_answers_are_told_apart() {
    let vllm = Kind::Vllm(Logprobs::Raw);
    let complete = "/v1/completions";
    for (found, expected) in [
        (told(|a| first(a)[0] = json!(0.5)), "log-probability 0.5 at position 0"),
        (told(|a| first(a)[0] = Value::Null), "log-probability NaN at position 0"),
        (told(|a| a["output_ids"] = json!([1])), "output_ids are not the tokens of"),
        (told_by(vllm, complete, |a| a["choices"][0]["token_ids"][0] = json!(99)), "token 99 at position 0 is outside"),
        (told_by(vllm, complete, |a| a["choices"][0]["token_ids"] = json!([])), "log-probabilities for 0 tokens"),
        (told_by(vllm, complete, |a| a["choices"][0]["token_ids"] = Value::Null), "no token_ids: vLLM 0.10.2"),
        (told_by(vllm, complete, |a| a["choices"] = json!([])), "no choices"),
        (told_by(vllm, complete, |a| push(&mut a["choices"][0], 3)), "tokens where at most 6 were asked for"),
        (told_by(vllm, complete, |a| cut(&mut a["choices"][0])), "the server's context is too short"),
        (told_by(vllm, complete, |a| after_stop(&mut a["choices"][0])), "after the stop token 0"),
        (told_by(vllm, complete, |a| not_stopped(&mut a["choices"][0])), "token 3 is not one of them"),
        (told(|a| a["meta_info"]["finish_reason"]["type"] = json!("abort")), "aborted by the server"),
        (told(|a| a["meta_info"]["weight_version"] = json!("default\u{1b}")), "the server calls `default`"),
        (told(|a| *a = json!({ "text": "7" })), "is no answer (missing field `meta_info`"),
    ] {
        assert!(found.contains(expected), "{found}\nshould say: {expected}");
        assert!(!found.contains('\u{1b}'), "{found:?}");
    }
}

fn replace(choice: &mut Value, tokens: &[u32], finish: &str) {
    choice["token_ids"] = json!(tokens);
    choice["logprobs"]["token_logprobs"] = json!(vec![-1.0; tokens.len()]);
    choice["finish_reason"] = json!(finish);
}

fn push(choice: &mut Value, token: u32) {
    replace(choice, &[token; 7], "length");
}

fn cut(choice: &mut Value) {
    replace(choice, &[3; 5], "length");
}

fn after_stop(choice: &mut Value) {
    replace(choice, &[3, 0, 3], "stop");
}

fn not_stopped(choice: &mut Value) {
    replace(choice, &[3], "stop");
}

#[test]
fn a_group_is_complete_or_absent() {
    // The second group's prompt is the only one of one token; one of its completions is damaged.
    let damaged = Arc::new(AtomicUsize::new(0));
    let flaw = |damaged: Arc<AtomicUsize>| -> Box<Flaw> {
        Box::new(move |_, path, mut answer| {
            if path == "/generate" && damaged.fetch_add(1, Ordering::SeqCst) == 5 {
                first(&mut answer)[0] = json!(2.0);
            }
            answer
        })
    };
    for (groups, lost) in [(Groups::Complete, 4), (Groups::Partial, 1)] {
        damaged.store(0, Ordering::SeqCst);
        let server = engine(Kind::Sglang, Loading::Always, flaw(damaged.clone()));
        let (folder, policy) = (folder(), policy(1));
        let settings = http::Server { concurrency: 1, ..server.settings() };
        let mut sampler = Inference::new(Kind::Sglang, &settings, learns(folder.path(), 0), groups).unwrap();
        let drawn = sample(&mut sampler, &*policy, &how()).unwrap();
        let failed: Vec<usize> = (0..12).filter(|&i| drawn[i].is_err()).collect();
        assert_eq!(failed.len(), lost, "{groups:?}: {drawn:?}");
        assert_eq!(failed.iter().map(|i| i / 4).collect::<std::collections::BTreeSet<_>>().len(), 1);
        let told = |text: &str| drawn.iter().flatten_err().filter(|problem| problem.contains(text)).count();
        assert_eq!((told("log-probability 2"), told("left out: 1 of 4")), (1, lost - 1));
    }
}

trait FlattenErr {
    fn flatten_err(self) -> impl Iterator<Item = String>;
}

impl<'a, I: Iterator<Item = &'a std::result::Result<Completion, Failure>>> FlattenErr for I {
    fn flatten_err(self) -> impl Iterator<Item = String> {
        self.filter_map(|drawn| drawn.as_ref().err().map(ToString::to_string))
    }
}

#[test]
fn a_request_that_is_sent_again_has_the_same_seed() {
    let policy = policy(1);
    let folder = folder();
    policy.save(folder.path()).unwrap();
    let answers = Mutex::new(engine_with(Kind::LlamaCpp, folder.path(), &[0], honest()));
    // Every other request is turned away.
    let server = Server::start(move |number, request, connection| match number % 2 {
        0 => send(connection, &response("503 Busy", "", "")),
        _ => {
            let inner = answers.lock().unwrap().settings();
            let client = Client::new(&inner, KeyHeader::Bearer).unwrap();
            let answer: Value = client.round().send(|http| http.post("/completion", &body(request))).unwrap();
            send(connection, &testing::json(&answer));
        }
    });
    let settings = http::Server { concurrency: 1, ..server.settings() };
    let mut fixed = Inference::new(Kind::LlamaCpp, &settings, Policy::Fixed, Groups::Complete).unwrap();
    let drawn = sample(&mut fixed, &*policy, &how()).unwrap();
    assert!(drawn.iter().all(std::result::Result::is_ok), "{drawn:?}");
    let seeds: Vec<u64> = sent(&server, "/completion").iter().map(|body| body["seed"].as_u64().unwrap()).collect();
    assert_eq!((seeds.len(), fixed.retried()), (24, 12));
    assert!(seeds.chunks(2).all(|pair| pair[0] == pair[1]), "{seeds:?}");
    let different: std::collections::BTreeSet<&u64> = seeds.iter().collect();
    assert_eq!(different.len(), 12);
}

#[test]
fn slow_and_broken_servers_end_the_call_in_time() {
    let policy = policy(1);
    type Answers = fn(&mut TcpStream);
    let cases: [(&str, Answers); 3] = [
        ("timeout_seconds", |_| std::thread::park_timeout(Duration::from_secs(5))),
        ("is no answer", |connection| send(connection, &response("200 OK", "", "<html>"))),
        ("status 500", |connection| send(connection, &response("500 Oh", "", "out of memory"))),
    ];
    for (said, answer) in cases {
        let server = Server::start(move |_, _, connection| answer(connection));
        let settings = http::Server { timeout_seconds: 0.1, retries: 1, ..server.settings() };
        let mut fixed = Inference::new(Kind::LlamaCpp, &settings, Policy::Fixed, Groups::Complete).unwrap();
        let started = Instant::now();
        let problem = sample(&mut fixed, &*policy, &how()).unwrap_err().to_string();
        assert!(problem.contains(said) && problem.starts_with(&server.url()), "{problem}");
        assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    }
}
