//! Between a client and a server: requests are changed, lost, delayed, sent twice, answers broken off and garbled.

use std::net::TcpStream;
use std::time::Duration;

use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use serde_json::Value;

use super::{Server, body, path, response, send};

/// What happens to one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mischief {
    /// Nothing.
    None,
    /// The connection closes, and the server never hears of it.
    LostRequest,
    /// The server does it, and the answer is lost.
    LostAnswer,
    /// The server gets it twice; the second answer counts.
    Twice,
    /// It waits.
    Delay,
    /// Half of the answer.
    HalfAnswer,
    /// A status 503 in its place.
    Refused,
    /// The server does it, and the answer is a status 502.
    BadGateway,
    /// The server does it, and the answer is no JSON.
    Garbage,
}

impl Mischief {
    /// All kinds but none.
    pub const ALL: [Mischief; 8] = [
        Mischief::LostRequest,
        Mischief::LostAnswer,
        Mischief::Twice,
        Mischief::Delay,
        Mischief::HalfAnswer,
        Mischief::Refused,
        Mischief::BadGateway,
        Mischief::Garbage,
    ];

    /// A plan by the number of a request: this share of requests suffers one of all kinds.
    pub fn at_random(seed: u64, share: f64) -> impl Fn(usize, &str) -> Mischief + Send + Sync + 'static {
        move |number, _| {
            let mut rng = ChaCha8Rng::seed_from_u64(seed.wrapping_mul(1 << 20).wrapping_add(number as u64));
            match rng.random::<f64>() < share {
                true => Mischief::ALL[rng.random_range(0..Mischief::ALL.len())],
                false => Mischief::None,
            }
        }
    }
}

/// A server that passes requests on to `upstream`, after `change` has made another body of each; `plan` says what happens to the
/// request of this number and path.
pub fn proxy(
    upstream: &str,
    change: impl Fn(&str, Value) -> Value + Send + Sync + 'static,
    plan: impl Fn(usize, &str) -> Mischief + Send + Sync + 'static,
) -> Server {
    let (upstream, agent) = (upstream.to_owned(), agent());
    Server::start(move |number, request, connection| {
        let path = path(request);
        let pass = || pass(&agent, &format!("{upstream}{path}"), request, &change(path, body(request)));
        answer(plan(number, path), connection, &pass);
    })
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder().http_status_as_error(false).proxy(None).build().into()
}

fn answer(mischief: Mischief, connection: &mut TcpStream, pass: &dyn Fn() -> String) {
    match mischief {
        Mischief::None => send(connection, &pass()),
        Mischief::LostRequest => {}
        Mischief::LostAnswer => drop(pass()),
        Mischief::Twice => {
            pass();
            send(connection, &pass());
        }
        Mischief::Delay => {
            std::thread::sleep(Duration::from_millis(20));
            send(connection, &pass());
        }
        Mischief::HalfAnswer => {
            let answer = pass();
            send(connection, &answer[..answer.len() / 2]);
        }
        Mischief::Refused => send(connection, &response("503 Service Unavailable", "", "later")),
        Mischief::BadGateway => {
            pass();
            send(connection, &response("502 Bad Gateway", "", "lost"));
        }
        Mischief::Garbage => {
            pass();
            send(connection, &response("200 OK", "", "}{"));
        }
    }
}

/// The server's answer, as text.
fn pass(agent: &ureq::Agent, address: &str, request: &str, body: &Value) -> String {
    let answered = match request.starts_with("GET") {
        true => agent.get(address).call(),
        false => agent.post(address).send(body.to_string()),
    };
    match answered {
        Ok(mut answered) => {
            let text = answered.body_mut().read_to_string().unwrap_or_default();
            response(&format!("{} Passed", answered.status().as_u16()), "Content-Type: application/json\r\n", &text)
        }
        Err(problem) => response("502 Bad Gateway", "", &problem.to_string()),
    }
}
