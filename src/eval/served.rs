//! A model behind an OpenAI chat endpoint.
//!
//! Each completion is a request of its own, with a seed of its own: so that one that fails is asked for again by itself, and a
//! server that heeds seeds gives the same completions in another run. Servers keep the prompt's computations between requests,
//! so little is lost over asking for `n` completions at once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;

use oreal_toy_envs::{Message, Prompt, Speaker};
use serde_json::{Value, json};

use super::generator::{Arrived, Draw, Generated, Generator, Receiver, Wanted, number};
use crate::chat::{Chat, Endpoint, Failure, Reach, Reply, Request};
use crate::epoch::mix;
use crate::error::{Error, Result};

/// A model behind an OpenAI chat endpoint.
#[derive(Debug)]
pub struct Served {
    chat: Chat,
    settings: Endpoint,
}

type Outcome = std::result::Result<Reply, Failure>;

impl Served {
    /// Checks the settings and reads the key. Sends nothing.
    pub fn new(settings: &Endpoint) -> Result<Served> {
        Ok(Served { chat: Chat::new(settings, "endpoint")?, settings: settings.clone() })
    }
}

impl Generator for Served {
    /// The address is no part of it: a server may move.
    fn identity(&self) -> Value {
        json!({ "served": self.settings.model })
    }

    fn name(&self) -> String {
        format!("{} at {}", self.settings.model, self.settings.url)
    }

    fn draw(&mut self, wanted: &[Wanted<'_>], how: &Draw, arrived: &mut Receiver<'_>) -> Result<()> {
        // Bounded, so that replies do not pile up behind a slow judge.
        let (sender, receiver) = mpsc::sync_channel::<(usize, Outcome)>(self.settings.concurrency);
        let (chat, stop) = (&self.chat, &AtomicBool::new(false));
        let ask = move || {
            let places: Vec<usize> = (0..wanted.len()).collect();
            chat.each(&places, |round, &place| {
                if !stop.load(Ordering::Relaxed) {
                    let reply = round.reply(&request(&wanted[place], how));
                    // Nobody receives any more where the work was ended.
                    let _ = sender.send((place, reply));
                }
            });
        };
        // The receiver is dropped inside, before the threads are waited for: none of them waits for it then.
        thread::scope(move |scope| {
            scope.spawn(ask);
            let mut down: Option<String> = None;
            while let Ok(first) = receiver.recv() {
                let replies = std::iter::once(first).chain(receiver.try_iter());
                let outcomes: Vec<Arrived> = replies.filter_map(|reply| outcome(reply, &mut down)).collect();
                if down.is_some() {
                    stop.store(true, Ordering::Relaxed);
                }
                if let Err(problem) = arrived(outcomes) {
                    stop.store(true, Ordering::Relaxed);
                    return Err(problem);
                }
            }
            match down {
                Some(problem) => Err(Error::part("the endpoint is down", problem)),
                None => Ok(()),
            }
        })
    }
}

/// What arrives of a reply; nothing where the endpoint is down. That is noted in the words of a request that was sent, which
/// are shorter than those of one that was not.
fn outcome((index, reply): (usize, Outcome), down: &mut Option<String>) -> Option<Arrived> {
    let outcome = match reply {
        Ok(Reply { text, reasoning, tokens, ending }) => Ok(Generated { text, reasoning, tokens, drawn: None, ending }),
        Err(Failure { problem, reach: Reach::Request, .. }) => Err(problem),
        Err(Failure { problem, reach: Reach::Server, .. }) => {
            if down.as_ref().is_none_or(|other| problem.len() < other.len()) {
                *down = Some(problem);
            }
            return None;
        }
    };
    Some(Arrived { index, outcome })
}

fn request(wanted: &Wanted<'_>, how: &Draw) -> Request {
    let messages = match &wanted.problem.prompt {
        Prompt::Chat(messages) => messages.clone(),
        Prompt::Text(text) => vec![Message { role: Speaker::User, content: text.clone() }],
    };
    let seed = mix(how.seed ^ mix(number(&wanted.problem.id) ^ mix(wanted.sample as u64)));
    Request {
        messages,
        temperature: how.temperature,
        top_p: (how.top_p < 1.0).then_some(how.top_p),
        top_k: (how.top_k > 0).then_some(how.top_k),
        max_tokens: how.max_tokens,
        // Servers take seeds of 32 bits with a sign at least.
        seed: Some(seed >> 33),
    }
}
