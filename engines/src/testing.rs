//! For tests: a server on this machine that answers as a test wants.

pub mod inference;
pub mod proxy;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};

use crate::http;

/// Listens until it is dropped. Each connection is one request, on a thread of its own. It panics where a test should fail.
pub struct Server {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
    closed: Arc<AtomicBool>,
}

/// A client's settings for a server, with two quick retries and four requests at once.
pub fn settings_of(url: &str) -> http::Server {
    http::Server {
        url: url.to_owned(),
        key_variable: String::new(),
        concurrency: 4,
        timeout_seconds: 10.0,
        retries: 2,
        backoff_seconds: 0.01,
        what: "answer".into(),
        longest: 1 << 20,
    }
}

impl Server {
    /// `answer` gets the number of the request, its text with all headers, and the connection to write to.
    pub fn start(answer: impl Fn(usize, &str, &mut TcpStream) + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server =
            Server { address: listener.local_addr().unwrap(), requests: Arc::default(), closed: Arc::default() };
        let (requests, closed, answer) = (server.requests.clone(), server.closed.clone(), Arc::new(answer));
        thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                if closed.load(Ordering::SeqCst) {
                    return;
                }
                let (requests, answer) = (requests.clone(), answer.clone());
                thread::spawn(move || serve(connection, &requests, &*answer));
            }
        });
        server
    }

    /// Answers every request with a chat completion of this text.
    pub fn saying(text: impl Fn(usize, &str) -> String + Send + Sync + 'static) -> Server {
        Server::start(move |number, request, connection| send(connection, &completion(&text(number, request))))
    }

    /// Its base address.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A client's settings for it.
    pub fn settings(&self) -> http::Server {
        settings_of(&self.url())
    }

    /// Requests so far, whole.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    /// How many requests there were.
    pub fn count(&self) -> usize {
        self.requests().len()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.closed.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
    }
}

/// Writes; a client that has gone away is no error.
pub fn send(connection: &mut TcpStream, text: &str) {
    let _ = connection.write_all(text.as_bytes());
}

/// A whole answer with status and headers (each ended by a line break).
pub fn response(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n{body}", body.len())
}

/// A whole answer with a chat completion.
pub fn completion(text: &str) -> String {
    let message = json!({ "role": "assistant", "content": text });
    json(&json!({ "id": "1", "choices": [{ "index": 0, "message": message, "finish_reason": "stop" }] }))
}

/// A whole answer of JSON.
pub fn json(body: &Value) -> String {
    response("200 OK", "Content-Type: application/json\r\n", &body.to_string())
}

/// The path of a request.
pub fn path(request: &str) -> &str {
    request.split(' ').nth(1).unwrap_or_default()
}

/// The body of a request.
pub fn body(request: &str) -> Value {
    let body = request.split_once("\r\n\r\n").map(|(_, body)| body).unwrap_or_default();
    serde_json::from_str(body).unwrap_or_default()
}

/// The first message in a request for a chat completion.
pub fn asked(request: &str) -> String {
    body(request)["messages"][0]["content"].as_str().unwrap_or_default().to_owned()
}

fn serve(mut connection: TcpStream, requests: &Mutex<Vec<String>>, answer: &dyn Fn(usize, &str, &mut TcpStream)) {
    let Some(request) = read(&mut connection) else { return };
    let number = {
        let mut requests = requests.lock().unwrap();
        requests.push(request.clone());
        requests.len() - 1
    };
    answer(number, &request, &mut connection);
}

/// Headers and body; `None` where the client has gone away.
fn read(connection: &mut TcpStream) -> Option<String> {
    let (mut request, mut part) = (Vec::new(), [0; 4096]);
    loop {
        let count = connection.read(&mut part).ok().filter(|count| *count > 0)?;
        request.extend_from_slice(&part[..count]);
        let text = String::from_utf8_lossy(&request);
        let Some((headers, body)) = text.split_once("\r\n\r\n") else { continue };
        let headers = headers.to_lowercase();
        let length = headers.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
        let length: usize = length.map_or(Some(0), |length| length.trim().parse().ok())?;
        if body.len() >= length {
            return Some(text.into_owned());
        }
    }
}
