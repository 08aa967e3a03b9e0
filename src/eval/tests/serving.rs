//! Models behind servers that are slow, overloaded, broken or hostile.

use std::collections::HashSet;
use std::thread;
use std::time::{Duration, Instant};

use super::*;
use crate::chat::Endpoint;
use crate::chat::testing::{Server, ServesChat, asked, completion, response, send};

fn served(server: &Server) -> Served {
    let Endpoint { url, model, key_variable, concurrency, timeout_seconds, retries, backoff_seconds } =
        server.endpoint();
    Served::new(&Endpoint { url, model, key_variable, concurrency, timeout_seconds, retries, backoff_seconds }).unwrap()
}

/// The question in a request, without the instruction after it.
fn question(request: &str) -> String {
    asked(request).lines().next().unwrap().to_owned()
}

fn body(request: &str) -> Value {
    serde_json::from_str(request.split_once("\r\n\r\n").unwrap().1).unwrap()
}

#[test]
fn each_completion_is_a_request_with_a_seed_of_its_own() {
    let mut place = Place::new();
    (place.settings.top_p, place.settings.top_k) = (0.9, 40);
    let server = Server::saying(|_, request| right(&question(request)));
    let results = place.run(&mut served(&server)).unwrap();
    assert_eq!((results.total.pass[&1].rate, results.total.completions, server.count()), (1.0, 12, 12));
    assert_eq!(results.model, format!("judge-7b at {}", server.endpoint().url));
    let bodies: Vec<Value> = server.requests().iter().map(|request| body(request)).collect();
    let seeds: HashSet<u64> = bodies.iter().map(|body| body["seed"].as_u64().unwrap()).collect();
    assert!(seeds.len() == 12 && seeds.iter().all(|seed| *seed < 1 << 31), "{seeds:?}");
    let said = ["temperature", "top_p", "top_k", "max_tokens"].map(|key| bodies[0][key].as_f64().unwrap());
    assert_eq!(said, [1.0, 0.9, 40.0, 100.0]);

    let again = Server::saying(|_, request| right(&question(request)));
    let other = place.folder.path().join("other");
    place.run_in(&other, &mut served(&again)).unwrap();
    let other: HashSet<u64> = again.requests().iter().map(|request| body(request)["seed"].as_u64().unwrap()).collect();
    assert_eq!(seeds, other, "the same seeds in another run");
    (place.settings.top_p, place.settings.top_k, place.settings.seed) = (1.0, 0, 1);
    let third = Server::saying(|_, request| right(&question(request)));
    place.run_in(&place.folder.path().join("third"), &mut served(&third)).unwrap();
    let bodies: Vec<Value> = third.requests().iter().map(|request| body(request)).collect();
    assert!(bodies.iter().all(|body| body.get("top_p").is_none() && body.get("top_k").is_none()));
    assert!(bodies.iter().all(|body| !seeds.contains(&body["seed"].as_u64().unwrap())), "another seed, other seeds");
}

#[test]
fn what_a_server_says_of_a_completion_is_kept() {
    let place = Place::new();
    let server = Server::start(|_, request, connection| {
        let choice = match question(request).as_str() {
            "One?" => {
                r#"{"message":{"content":"\\boxed{1}","reasoning_content":"Hm: \\boxed{7}"},"finish_reason":"stop"}"#
            }
            "Two?" => r#"{"message":{"content":null,"reasoning":"Is it \\boxed{2}"},"finish_reason":"length"}"#,
            "Three?" => r#"{"message":{"content":"","reasoning_content":"\\boxed{3}"},"finish_reason":"stop"}"#,
            _ => r#"{"message":{"content":"\\boxed{4}"},"finish_reason":null}"#,
        };
        let body = format!(r#"{{"choices":[{choice}],"usage":{{"prompt_tokens":9,"completion_tokens":21}}}}"#);
        send(connection, &response("200 OK", "", &body));
    });
    let results = place.run(&mut served(&server)).unwrap();
    let rights: Vec<usize> = results.problems.iter().map(|problem| problem.outcome.right).collect();
    assert_eq!(rights, [3, 0, 0, 3], "no answer is looked for in thoughts");
    assert_eq!((results.total.truncated, results.total.unparsable), (0.25, 0.25));
    assert_eq!(results.total.mean_tokens, Some(21.0));
    let first = place.lines().into_iter().find(|line| line["row"] == 1).unwrap();
    assert_eq!((first["text"].as_str(), first["reasoning"].as_str()), (Some("\\boxed{1}"), Some("Hm: \\boxed{7}")));
    let second = place.lines().into_iter().find(|line| line["row"] == 2).unwrap();
    assert_eq!((second["ending"].as_str(), second["verdict"].as_str()), (Some("truncated"), Some("truncated")));
}

#[test]
fn an_overloaded_server_costs_time_only() {
    let place = Place::new();
    let server = Server::start(|number, request, connection| match number % 3 {
        0 => send(connection, &response("429 Too Many Requests", "", "later")),
        1 => {
            thread::sleep(Duration::from_millis(20));
            send(connection, &completion(&right(&question(request))));
        }
        _ => send(connection, &completion(&right(&question(request)))),
    });
    let mut patient = Served::new(&Endpoint {
        url: server.endpoint().url,
        model: "m".into(),
        key_variable: String::new(),
        concurrency: 3,
        retries: 20,
        backoff_seconds: 0.001,
        ..Endpoint::default()
    });
    let results = place.run(patient.as_mut().unwrap()).unwrap();
    assert_eq!((results.total.failed, results.total.pass[&1].rate), (0, 1.0));
}

#[test]
fn broken_and_hostile_answers_are_failures_and_not_wrong() {
    let place = Place::new();
    let bombs = [
        "{\"choices\":".to_owned(),
        r#"{"choices":[{"message":{"content":7}}]}"#.to_owned(),
        "[".repeat(100_000),
        r#"{"choices":[{"message":{"content":"\\boxed{2}"},"finish_reason":"stop"}],"usage":{"completion_tokens":-5}}"#
            .into(),
    ];
    let server = Server::start(move |_, request, connection| match question(request).as_str() {
        "One?" => send(connection, &response("200 OK", "", &bombs[0])),
        "Two?" => send(connection, &response("200 OK", "", &bombs[3])),
        "Three?" => send(connection, &response("400 Bad Request", "", "too long")),
        _ => send(connection, &completion(&right(&question(request)))),
    });
    let results = place.run(&mut served(&server)).unwrap();
    assert_eq!((results.total.failed, results.total.completions, results.total.pass[&1].rate), (6, 6, 1.0));
    let two = &results.problems[1].outcome;
    assert_eq!((two.right, two.counted), (3, 0), "a count without sense is no count");
    assert!(results.first_failure.is_some() && results.total.pass[&1].bounds.unwrap()[0] == 0.5);
    assert_eq!(place.lines().len(), 6, "failures are not written down");
}

#[test]
fn what_was_done_before_a_server_went_down_is_kept() {
    let mut place = Place::new();
    place.settings.n = 30;
    let server = Server::start(|number, request, connection| match number {
        0..20 => send(connection, &completion(&right(&question(request)))),
        _ => send(connection, &response("500 Out Of Order", "", "")),
    });
    let started = Instant::now();
    let problem = place.run(&mut served(&server)).unwrap_err().to_string();
    assert!(started.elapsed() < Duration::from_secs(5) && server.count() < 100, "{}", server.count());
    assert!(problem.contains("is down") && problem.contains("status 500"), "{problem}");
    assert!(problem.contains("20 of 120 completions are kept") && problem.contains("--out"), "{problem}");
    assert!(!place.out().join("results.json").exists());

    let well = Server::saying(|_, request| right(&question(request)));
    let results = place.run(&mut served(&well)).unwrap();
    assert_eq!((well.count(), results.total.completions, results.total.failed), (100, 120, 0));
}

#[test]
fn a_refused_key_ends_the_run_at_once() {
    let place = Place::new();
    let server = Server::start(|_, _, connection| send(connection, &response("401 Unauthorized", "", "")));
    let problem = place.run(&mut served(&server)).unwrap_err().to_string();
    assert!(problem.contains("401") && problem.contains("0 of 12") && server.count() <= 4, "{problem}");
}

#[test]
fn a_folder_that_cannot_be_written_ends_the_run() {
    let mut place = Place::new();
    place.settings.n = 200;
    let server = Server::saying(|_, request| right(&question(request)));
    let mut served = served(&server);
    let benchmark = Benchmark::new(&place.settings).unwrap();
    let wanted: Vec<Wanted<'_>> =
        benchmark.wanted(&vec![Vec::new(); 4]).into_iter().map(|(_, wanted)| wanted).collect();
    let mut full = |_: Vec<Arrived>| Err(Error::part("disk", "full"));
    let problem = served.draw(&wanted, &place.settings.draw(), &mut full).unwrap_err().to_string();
    assert!(problem.contains("full") && server.count() < 100, "{problem}: {} of 800 requests", server.count());
}

#[test]
fn a_judge_decides_what_the_rules_leave_open() {
    let mut place = Place::new();
    std::fs::write(&place.settings.data, "{\"problem\": \"Root?\", \"answer\": \"$\\\\sqrt{x^2}$\"}\n").unwrap();
    place.settings.by = Vec::new();
    let says = |_: &str, sample: usize| Ok(["\\boxed{x}", "\\boxed{|x|}", "\\boxed{1}"][sample].to_owned());
    let without = place.run(&mut Scripted::new(says)).unwrap();
    assert_eq!((without.total.ungraded, without.problems[0].outcome.right), (1, 1));
    assert!(without.total.pass[&1].bounds.is_some());
    let judge = Server::saying(|_, _| "A".into());
    let Endpoint { url, model, .. } = judge.endpoint();
    place.settings.judge = Some(crate::judge::JudgeSettings { url, model, ..Default::default() });
    let with = place.run_in(&place.folder.path().join("with"), &mut Scripted::new(says)).unwrap();
    assert_eq!((judge.count(), with.total.ungraded, with.problems[0].outcome.right), (1, 0, 2));
}
