//! The client against servers that are slow, overloaded, broken, hostile or wrong.

use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use oreal_toy_envs::Speaker;

use super::testing::{Server, ServesChat, asked, completion, response, send};
use super::*;

const KEY: &str = "sk-test-4f1c9a7d2b";

fn request(text: &str) -> Request {
    let messages = vec![Message { role: Speaker::User, content: text.into() }];
    Request { messages, temperature: 0.0, top_p: None, top_k: None, max_tokens: 16, seed: None }
}

/// The reply to one request.
fn reply(endpoint: &Endpoint) -> Result<Reply, Failure> {
    replies(endpoint, 1).remove(0)
}

fn replies(endpoint: &Endpoint, count: usize) -> Vec<Result<Reply, Failure>> {
    let requests: Vec<Request> = (0..count).map(|i| request(&i.to_string())).collect();
    Chat::new(endpoint, "judge").unwrap().replies(&requests)
}

/// What a request fails with, and how often it was sent.
fn failure(answer: impl Fn(usize, &str, &mut TcpStream) + Send + Sync + 'static) -> (String, usize) {
    let server = Server::start(answer);
    (reply(&server.endpoint()).unwrap_err().problem, server.count())
}

#[test]
fn replies_are_in_order_and_a_few_at_once() {
    let (now, most) = (AtomicU64::new(0), Arc::new(AtomicU64::new(0)));
    let seen = most.clone();
    let server = Server::saying(move |_, request| {
        seen.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        let asked = asked(request);
        thread::sleep(Duration::from_millis(if asked == "0" { 90 } else { 30 }));
        now.fetch_sub(1, Ordering::SeqCst);
        format!("reply to {asked}")
    });
    let expected: Vec<String> = (0..12).map(|i| format!("reply to {i}")).collect();
    let texts: Vec<String> = replies(&server.endpoint(), 12).into_iter().map(|reply| reply.unwrap().text).collect();
    assert_eq!(texts, expected);
    assert_eq!(most.load(Ordering::SeqCst), server.endpoint().concurrency as u64);
}

#[test]
fn a_request_says_what_is_asked_of_which_model() {
    let server = Server::saying(|_, _| "fine".into());
    let chat = Chat::new(&server.endpoint(), "judge").unwrap();
    let full = Request { seed: Some(7), temperature: 0.5, ..request("Is it?") };
    assert_eq!(chat.replies(&[full])[0].as_ref().unwrap().ending, Ending::Stopped);
    let sent = server.requests().remove(0);
    assert!(sent.starts_with("POST /v1/chat/completions HTTP/1.1\r\n"), "{sent}");
    let body = r#"{"model":"judge-7b","messages":[{"role":"user","content":"Is it?"}],"temperature":0.5,"max_tokens":16,"seed":7}"#;
    assert!(sent.ends_with(body), "{sent}");
}

#[test]
fn passing_failures_are_retried() {
    for status in ["408 Request Timeout", "409 Conflict", "429 Too Many Requests", "500 Oh", "503 Overloaded"] {
        let server = Server::start(move |number, _, connection| match number {
            0 | 1 => send(connection, &response(status, "", "later")),
            _ => send(connection, &completion("now")),
        });
        assert_eq!(reply(&server.endpoint()).unwrap().text, "now", "{status}");
        assert_eq!(server.count(), 3, "{status}");
    }
    let (problem, count) = failure(|_, _, connection| send(connection, &response("503 No", "", "<b>too\nbusy</b>")));
    assert!(problem.contains("status 503") && problem.ends_with("<b>too busy</b>"), "{problem}");
    assert_eq!(count, 3, "two retries, and no more");
}

#[test]
fn the_server_says_when_to_come_back() {
    let server = Server::start(|number, _, connection| match number {
        0 => send(connection, &response("429 Too Many Requests", "Retry-After: 1\r\n", "")),
        _ => send(connection, &completion("now")),
    });
    let started = Instant::now();
    assert_eq!(reply(&server.endpoint()).unwrap().text, "now");
    assert!(started.elapsed() >= Duration::from_secs(1), "{:?}", started.elapsed());
}

#[test]
fn what_can_never_succeed_is_sent_once() {
    let cases = [
        ("400 Bad Request", "refuses such a request"),
        ("401 Unauthorized", "no key was sent"),
        ("403 Forbidden", "key in"),
        ("404 Not Found", "the model `judge-7b`"),
        ("422 Unprocessable", "refuses such a request"),
    ];
    for (status, advice) in cases {
        let (problem, count) = failure(move |_, _, connection| {
            send(connection, &response(status, "", r#"{"error":"bad \u001b[31mthing"}"#))
        });
        assert!(problem.contains(&status[..3]) && problem.contains(advice), "{problem}");
        assert!(!problem.contains('\u{1b}'), "{problem:?}");
        assert_eq!(count, 1, "{status}");
    }
}

#[test]
fn a_slow_server_is_left_in_time() {
    let server = Server::start(|_, _, connection| {
        // A byte now and then: no pause between two of them is long.
        let answer = completion("late");
        let (headers, body) = answer.split_at(answer.find('{').unwrap());
        send(connection, headers);
        for byte in body.bytes() {
            if connection.write_all(&[byte]).is_err() {
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
    });
    let started = Instant::now();
    let problem = reply(&Endpoint { retries: 1, timeout_seconds: 0.2, ..server.endpoint() }).unwrap_err().problem;
    assert!(problem.contains("timeout_seconds"), "{problem}");
    let taken = started.elapsed().as_secs_f64();
    assert!((0.4..2.0).contains(&taken), "twice the time-out: {taken}");
    assert_eq!(server.count(), 2);
}

#[test]
fn broken_answers_are_asked_for_again() {
    let broken: [fn(&mut TcpStream); 7] = [
        |_| {},
        |connection| send(connection, &completion("half")[..120]),
        |connection| send(connection, "nonsense\r\n\r\n"),
        |connection| send(connection, &response("200 OK", "", "<html>Log in</html>")),
        |connection| send(connection, &response("200 OK", "", r#"{"choices":[]}"#)),
        |connection| send(connection, &response("200 OK", "", &"[".repeat(100_000))),
        |connection| {
            let body = b"HTTP/1.1 200 OK\r\nContent-Length: 48\r\n\r\n{\"choices\":[{\"message\":{\"content\":\"\xff\xfe            \"}}]}";
            let _ = connection.write_all(body);
        },
    ];
    for (i, answer) in broken.into_iter().enumerate() {
        let server = Server::start(move |number, _, connection| match number {
            0 => answer(connection),
            _ => send(connection, &completion("whole")),
        });
        assert_eq!(reply(&server.endpoint()).map(|reply| reply.text), Ok("whole".into()), "{i}");
        assert_eq!(server.count(), 2, "{i}");
    }
    let (problem, _) = failure(|_, _, connection| send(connection, &response("200 OK", "", "<html>Log in</html>")));
    assert!(problem.contains("no chat completion") && problem.ends_with("<html>Log in</html>"), "{problem}");
}

#[test]
fn a_server_without_tls_fails_requests_that_want_it() {
    let server = Server::saying(|_, _| "A".into());
    let endpoint =
        Endpoint { url: server.endpoint().url.replace("http:", "https:"), timeout_seconds: 0.5, ..server.endpoint() };
    assert!(reply(&Endpoint { retries: 0, ..endpoint }).is_err());
    assert_eq!(server.count(), 0);
}

#[test]
fn a_reply_without_text_is_empty_and_a_long_one_is_truncated() {
    let body = r#"{"choices":[{"message":{"content":null},"finish_reason":"length"}],"usage":{"deep":[[[[]]]]}}"#;
    let server = Server::start(move |_, _, connection| send(connection, &response("200 OK", "", body)));
    assert_eq!(
        reply(&server.endpoint()),
        Ok(Reply { text: String::new(), reasoning: None, tokens: None, ending: Ending::Truncated })
    );
}

#[test]
fn an_endless_answer_is_cut_off() {
    let (problem, count) = failure(|_, _, connection| {
        send(connection, "HTTP/1.1 200 OK\r\n\r\n");
        while connection.write_all(&[b' '; 1 << 16]).is_ok() {}
    });
    assert!(problem.contains("longer than 4194304 bytes"), "{problem}");
    assert_eq!(count, 1);
    let (problem, _) = failure(|_, _, connection| {
        send(connection, "HTTP/1.1 200 OK\r\nX: ");
        while connection.write_all(&[b'x'; 1 << 16]).is_ok() {}
    });
    assert!(problem.contains("header is too big"), "{problem}");
}

#[test]
fn redirects_take_the_key_nowhere() {
    let other = Server::saying(|_, _| "A".into());
    let location = format!("Location: {}/chat/completions\r\n", other.url());
    let server = Server::start(move |_, _, connection| send(connection, &response("307 Moved", &location, "")));
    let chat = Chat::with_key(&server.endpoint(), Key::new(KEY, KeyHeader::Bearer)).unwrap();
    let problem = chat.replies(&[request("?")])[0].clone().unwrap_err().problem;
    assert!(problem.contains(&other.url()) && problem.contains("not followed"), "{problem}");
    assert_eq!((server.count(), other.count()), (1, 0));
}

#[test]
fn the_key_is_sent_and_never_shown() {
    let server = Server::start(|number, request, connection| match number {
        0 => send(connection, &response("401 Unauthorized", "", request)),
        1 => send(connection, &response("200 OK", "", request)),
        2 => send(connection, &response("302 Found", &format!("Location: http://x/{KEY}\r\n"), "")),
        _ => send(connection, &completion(request)),
    });
    let endpoint = Endpoint { retries: 0, ..server.endpoint() };
    let chat = Chat::with_key(&endpoint, Key::new(KEY, KeyHeader::Bearer)).unwrap();
    for _ in 0..3 {
        let problem = chat.replies(&[request("?")])[0].clone().unwrap_err();
        assert!(!format!("{problem} {problem:?}").contains(&KEY[3..]), "{problem}");
    }
    let text = chat.replies(&[request("?")])[0].clone().unwrap().text;
    assert!(text.to_lowercase().contains("authorization: bearer [key]"), "{text}");
    assert!(!format!("{chat:?}").contains(&KEY[3..]));
    assert!(server.requests().iter().all(|request| request.contains(&format!("Bearer {KEY}"))));
}

#[test]
fn the_key_comes_from_the_environment() {
    // Set by cargo for every test.
    let variable = "CARGO_PKG_DESCRIPTION";
    let problem = Key::from_environment(variable, KeyHeader::Bearer).unwrap_err();
    assert!(problem.problem.contains(variable) && !problem.problem.contains("language"), "{problem}");
    let server = Server::saying(|_, _| "A".into());
    for (variable, sent) in [("CARGO_PKG_NAME", true), ("CARGO_PKG_NO_SUCH_VARIABLE", false), ("", false)] {
        let endpoint = Endpoint { key_variable: variable.into(), ..server.endpoint() };
        reply(&endpoint).unwrap();
        let request = server.requests().pop().unwrap().to_lowercase();
        assert_eq!(request.contains("authorization: bearer oreal\r\n"), sent, "{variable}");
        assert_eq!(request.contains("authorization"), sent, "{variable}");
    }
}

#[test]
fn an_endpoint_that_is_down_is_not_asked_for_ever() {
    let server = Server::start(|_, _, connection| send(connection, &response("500 Oh", "", "")));
    let replies = replies(&server.endpoint(), 500);
    assert!(replies.iter().all(Result::is_err));
    assert!(server.count() < 60, "eight failures in a row are enough: {}", server.count());
    let last = replies[499].as_ref().unwrap_err();
    assert!(last.problem.contains("server is down") && last.problem.contains("status 500"), "{last}");

    let server = Server::start(|_, _, connection| send(connection, &response("401 No", "", "")));
    assert_eq!(self::replies(&server.endpoint(), 500).iter().filter(|reply| reply.is_ok()).count(), 0);
    assert!(server.count() <= 4, "a refused key is refused for all: {}", server.count());
}

#[test]
fn waiting_ends_when_the_endpoint_is_found_down() {
    // The first request is told to come back in a minute; another finds the key refused.
    let server = Server::start(|_, request, connection| match asked(request).as_str() {
        "0" => send(connection, &response("429 Wait", "Retry-After: 60\r\n", "")),
        _ => {
            thread::sleep(Duration::from_millis(100));
            send(connection, &response("401 No", "", ""));
        }
    });
    let started = Instant::now();
    assert!(replies(&server.endpoint(), 4).iter().all(Result::is_err));
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

#[test]
fn failures_of_some_requests_do_not_stop_the_others() {
    let server = Server::start(|_, request, connection| match asked(request).parse::<usize>().unwrap() % 2 {
        0 => send(connection, &response("400 Bad Request", "", "too long")),
        _ => send(connection, &completion("fine")),
    });
    let replies = replies(&Endpoint { concurrency: 1, ..server.endpoint() }, 60);
    assert!(replies.iter().enumerate().all(|(i, reply)| reply.is_ok() == (i % 2 == 1)), "{replies:?}");
}

#[test]
fn settings_without_sense_are_refused_by_key() {
    let fine = Endpoint {
        url: "https://127.0.0.1/v1".into(),
        model: "m".into(),
        key_variable: String::new(),
        concurrency: 1,
        timeout_seconds: 1.0,
        retries: 0,
        backoff_seconds: 0.0,
    };
    assert_eq!(fine.check(), Ok(()));
    let url = |url: &str| ("url", Endpoint { url: url.into(), ..fine.clone() });
    let mut cases = vec![
        ("model", Endpoint { model: " ".into(), ..fine.clone() }),
        ("concurrency", Endpoint { concurrency: 0, ..fine.clone() }),
        ("concurrency", Endpoint { concurrency: 100_000, ..fine.clone() }),
        ("retries", Endpoint { retries: 21, ..fine.clone() }),
    ];
    let urls = ["", "localhost:8000", "ftp://a/v1", "http:///v1", "http://me:secret@host/v1", "http://host/v1?a=b"];
    cases.extend(urls.into_iter().chain(["http://host/v1/chat/completions/"]).map(url));
    for bad in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e9] {
        cases.push(("timeout_seconds", Endpoint { timeout_seconds: bad, ..fine.clone() }));
    }
    for bad in [-1.0, f64::NAN, 61.0] {
        cases.push(("backoff_seconds", Endpoint { backoff_seconds: bad, ..fine.clone() }));
    }
    for (key, endpoint) in cases {
        let problem = Chat::new(&endpoint, "judge").unwrap_err().to_string();
        assert!(problem.starts_with(&format!("judge.{key}: must ")), "{problem}");
        assert!(!problem.contains("secret"), "{problem}");
    }
}
