//! A server of our own: one model on this machine, as the Tinker API has it, and as inference servers do.
//!
//! It answers the part of the Tinker API that trains and draws, in JSON and, where the public SDK sends nothing else, in protobuf;
//! `/v1/completions` as vLLM, and `/generate` as SGLang. One thread computes, one call after another; every model is a copy of the
//! base with all its weights. Nothing that a client sends stops it: what cannot be done is refused with a sentence.
//!
//! ```
//! use std::sync::Arc;
//!
//! use oreal_engines::serve::{Base, ServeSettings, Serving};
//! use oreal_models::{Optimiser, Table};
//!
//! let make = || Ok(Box::new(Table::new(4, &Optimiser::default())?) as _);
//! let base = Base { name: "table".to_owned(), vocabulary: 4, ..Base::new(Arc::new(make)) };
//! let serving = Serving::start(ServeSettings { port: 0, ..ServeSettings::default() }, base)?;
//! assert!(serving.url().starts_with("http://127.0.0.1:"));
//! # Ok::<(), oreal_engines::serve::ServeError>(())
//! ```

mod batch;
mod completions;
mod drawing;
mod job;
mod loss;
mod order;
mod protobuf;
mod queue;
mod reading;
mod refusal;
mod reload;
mod results;
mod routes;
mod settings;
mod sglang;
mod state;
mod tinker;
mod worker;

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};

use oreal_models::{Error, Model, Token};
use tokio::runtime::{Builder, Runtime};

pub use settings::ServeSettings;
use state::Shared;
use worker::Worker;

/// Makes a model.
pub type Make = Arc<dyn Fn() -> oreal_models::Result<Box<dyn Model>> + Send + Sync>;

/// Makes a model from a folder.
pub type MakeFrom = Arc<dyn Fn(&Path) -> oreal_models::Result<Box<dyn Model>> + Send + Sync>;

/// The model that all others start from.
#[derive(Clone)]
pub struct Base {
    /// What clients call it.
    pub name: String,
    /// Where its tokenizer is, for clients that load it themselves.
    pub tokenizer: Option<String>,
    /// Number of its tokens; larger ones are refused.
    pub vocabulary: usize,
    /// Text and tokens, for requests that send text.
    pub text: Option<Arc<dyn Text>>,
    /// Makes it. Called once, on the thread that computes.
    pub make: Make,
    /// Makes one like it from a folder, where its weights can be replaced while it is served.
    pub from_folder: Option<MakeFrom>,
}

/// Text and tokens.
pub trait Text: Send + Sync {
    /// The tokens of a text; the error says what is wrong with it.
    fn encode(&self, text: &str) -> Result<Vec<Token>, String>;

    /// The text of tokens, control tokens included.
    fn decode(&self, tokens: &[Token]) -> String;

    /// Tokens that end a completion where a request does not say otherwise.
    fn stops(&self) -> Vec<Token>;
}

/// A server that runs until it is dropped.
pub struct Serving {
    address: SocketAddr,
    shared: Arc<Shared>,
    runtime: Option<Runtime>,
    worker: Option<JoinHandle<()>>,
}

/// Why a server could not be started.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A setting without sense.
    #[error("{key}: {problem}")]
    Setting {
        /// The setting.
        key: &'static str,
        /// What is wrong, and what would be right.
        problem: String,
    },
    /// The base model could not be made.
    #[error(transparent)]
    Model(#[from] Error),
    /// There is no listening on this address.
    #[error("{address}: {problem}: choose another host or port")]
    Address {
        /// Host and port.
        address: String,
        /// What the system says.
        problem: io::Error,
    },
    /// The system gave no thread.
    #[error("no thread to serve with: {0}")]
    Thread(io::Error),
}

impl Base {
    /// A model with this factory and one token, to be filled in.
    pub fn new(make: Make) -> Base {
        Base { name: "base".to_owned(), tokenizer: None, vocabulary: 1, text: None, make, from_folder: None }
    }
}

impl Serving {
    /// Starts a server; it answers when this returns.
    pub fn start(settings: ServeSettings, base: Base) -> Result<Serving, ServeError> {
        settings.check()?;
        if base.vocabulary == 0 {
            return Err(ServeError::Setting { key: "vocabulary", problem: "must be at least 1".to_owned() });
        }
        let failed = |problem| ServeError::Address { address: format!("{}:{}", settings.host, settings.port), problem };
        let listener = TcpListener::bind((settings.host, settings.port)).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let shared = Arc::new(Shared::new(settings.clone(), base, &mark()));
        let worker = start_worker(shared.clone())?;
        let runtime = Builder::new_multi_thread().worker_threads(2).thread_name("serve").enable_all().build();
        let serving =
            |runtime| Serving { address, shared: shared.clone(), runtime: Some(runtime), worker: Some(worker) };
        let serving = serving(runtime.map_err(ServeError::Thread)?);
        serving.listen(listener).map_err(failed)?;
        Ok(serving)
    }

    /// Its address, such as `http://127.0.0.1:8000`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Stops it: connections are closed, and the call that is being computed is finished.
    pub fn stop(self) {}

    fn listen(&self, listener: TcpListener) -> io::Result<()> {
        let Some(runtime) = &self.runtime else { return Ok(()) };
        let _inside = runtime.enter();
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let router = routes::router(self.shared.clone());
        runtime.spawn(async move { axum::serve(listener, router).await });
        Ok(())
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.shared.queue.close();
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
        if let Some(worker) = self.worker.take() {
            // It has caught its panics.
            let _ = worker.join();
        }
    }
}

impl std::fmt::Debug for Serving {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Serving").field("address", &self.address).finish_non_exhaustive()
    }
}

/// The thread that computes, once its base model is made.
fn start_worker(shared: Arc<Shared>) -> Result<JoinHandle<()>, ServeError> {
    let (made, ready) = mpsc::channel();
    let work = move || {
        let base = match (shared.base.make)() {
            Ok(base) => base,
            Err(problem) => {
                let _ = made.send(Err(problem));
                return;
            }
        };
        let _ = made.send(Ok(()));
        Worker::new(shared, base).run();
    };
    let worker = thread::Builder::new().name("model".to_owned()).spawn(work).map_err(ServeError::Thread)?;
    let lost = |_| ServeError::Thread(io::Error::other("the model could not be made"));
    ready.recv().map_err(lost)??;
    Ok(worker)
}

/// Part of the names of sessions and results, another for each server, so that none is taken for that of an earlier one. No
/// result depends on it.
fn mark() -> String {
    format!("{:08x}", RandomState::new().build_hasher().finish() as u32)
}
