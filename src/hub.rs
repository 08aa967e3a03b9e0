//! Checkpoints by name: a folder, or a model of the Hugging Face hub.
//!
//! A name such as `Qwen/Qwen2.5-Math-1.5B`, or `Qwen/Qwen2.5-Math-1.5B@revision`, is looked up in the hub's cache first, the one
//! that Python's `huggingface_hub` uses (`HF_HUB_CACHE`, `HF_HOME`). Only files that are missing there are downloaded, and only those
//! that are needed. With `HF_HUB_OFFLINE=1` nothing is downloaded. `HF_ENDPOINT` and `HF_TOKEN` are respected.

use std::collections::BTreeMap;
use std::env;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use hf_hub::api::sync::{Api, ApiBuilder};
use hf_hub::{Cache, Repo, RepoType};
use indicatif::ProgressBar;

use crate::error::{Error, Result};

/// Which files of a checkpoint are needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Sizes, tokenizer and chat template: a few megabytes.
    Description,
    /// The weights too.
    Whole,
}

/// The folder of a checkpoint: a folder of this machine by its path, else one of the hub.
///
/// # Errors
/// A name that is neither a folder nor one of the hub's, a file that cannot be downloaded, and in offline mode a file that is
/// missing in the cache.
pub fn folder(name: &str, part: Part) -> Result<PathBuf> {
    let path = Path::new(name);
    if path.is_dir() {
        return Ok(path.to_owned());
    }
    // Settings are checked several times before a run; the hub is asked once.
    static FOUND: Mutex<BTreeMap<(String, Part), PathBuf>> = Mutex::new(BTreeMap::new());
    let found = || FOUND.lock().unwrap_or_else(PoisonError::into_inner);
    let known = found().get(&(name.to_owned(), part)).cloned();
    if let Some(folder) = known {
        return Ok(folder);
    }
    let folder = Hub::from_env().folder(name, part)?;
    found().insert((name.to_owned(), part), folder.clone());
    Ok(folder)
}

/// The hub, and the cache of it on this machine.
struct Hub {
    cache: Cache,
    endpoint: String,
    token: Option<String>,
    offline: bool,
}

/// Files that describe a checkpoint. Those that a checkpoint does not have are not missed, but for the first.
const DESCRIPTION: [&str; 6] = [
    "config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "generation_config.json",
    "special_tokens_map.json",
    "chat_template.jinja",
];

/// Says which tensor is in which of several weight files.
const INDEX: &str = "model.safetensors.index.json";

/// The only weight file where there is one.
const SINGLE: &str = "model.safetensors";

impl Hub {
    fn from_env() -> Hub {
        let word = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
        let cache = word("HF_HUB_CACHE").map_or_else(Cache::from_env, |path| Cache::new(path.into()));
        let yes = |value: String| ["1", "true", "yes", "on"].contains(&value.to_lowercase().as_str());
        Hub {
            token: word("HF_TOKEN").or_else(|| cache.token()),
            cache,
            endpoint: word("HF_ENDPOINT").unwrap_or_else(|| "https://huggingface.co".to_owned()),
            offline: word("HF_HUB_OFFLINE").is_some_and(yes),
        }
    }

    fn folder(&self, name: &str, part: Part) -> Result<PathBuf> {
        let repo = repo(name)?;
        let kept = |file: &str| self.cache.repo(repo.clone()).get(file);
        let api = if self.offline { None } else { Some(self.api(name)?) };
        let there = match &api {
            Some(api) => self.files(api, &repo, name)?,
            None => Vec::new(),
        };
        let fetch = |file: &str| -> Result<Option<PathBuf>> {
            match (kept(file), &api) {
                (Some(path), _) => Ok(Some(path)),
                (None, Some(api)) if there.iter().any(|known| known == file) => {
                    download(api, &repo, name, file).map(Some)
                }
                (None, _) => Ok(None),
            }
        };
        let missing = |file: &str| {
            let advice = match self.offline {
                true => "not in the hub's cache, and HF_HUB_OFFLINE is set: unset it, or name a folder",
                false => "the hub has no such file: only checkpoints in safetensors can be read",
            };
            Error::part(name, format!("{file}: {advice}"))
        };
        let config = fetch(DESCRIPTION[0])?.ok_or_else(|| missing(DESCRIPTION[0]))?;
        for file in &DESCRIPTION[1..] {
            fetch(file)?;
        }
        if part == Part::Whole {
            match fetch(INDEX)? {
                Some(index) => {
                    for shard in shards(&index)? {
                        fetch(&shard)?.ok_or_else(|| missing(&shard))?;
                    }
                }
                None => {
                    fetch(SINGLE)?.ok_or_else(|| missing(SINGLE))?;
                }
            }
        }
        Ok(config.parent().unwrap_or(Path::new("")).to_owned())
    }

    fn api(&self, name: &str) -> Result<Api> {
        let builder = ApiBuilder::from_cache(self.cache.clone())
            .with_endpoint(self.endpoint.clone())
            .with_token(self.token.clone())
            .with_retries(3);
        builder.build().map_err(|problem| Error::part(name, problem))
    }

    /// Names of the files that the hub has; none where it cannot be reached but the cache has the checkpoint.
    fn files(&self, api: &Api, repo: &Repo, name: &str) -> Result<Vec<String>> {
        match api.repo(repo.clone()).info() {
            Ok(info) => Ok(info.siblings.into_iter().map(|file| file.rfilename).collect()),
            Err(_) if self.cache.repo(repo.clone()).get(DESCRIPTION[0]).is_some() => Ok(Vec::new()),
            Err(problem) => {
                let advice = "neither a folder here nor a model that the hub gives";
                Err(Error::part(name, format!("{advice} ({problem}): check the name, HF_ENDPOINT and HF_TOKEN")))
            }
        }
    }
}

/// `OWNER/NAME`, perhaps with `@REVISION`.
fn repo(name: &str) -> Result<Repo> {
    let (id, revision) = name.split_once('@').unwrap_or((name, "main"));
    let plain = |text: &str| {
        let legal = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        !text.is_empty() && !text.contains("..") && text.chars().all(legal)
    };
    match id.split_once('/') {
        Some((owner, model)) if plain(owner) && plain(model) && plain(revision) => {
            Ok(Repo::with_revision(id.to_owned(), RepoType::Model, revision.to_owned()))
        }
        _ => Err(Error::part(name, "no such folder, and no name of a model of the hub (OWNER/NAME)")),
    }
}

/// The weight files that an index names.
fn shards(index: &Path) -> Result<Vec<String>> {
    #[derive(serde::Deserialize)]
    struct Index {
        weight_map: BTreeMap<String, String>,
    }
    let wrong = |problem: String| Error::file(index, problem);
    let text = std::fs::read(index).map_err(|problem| wrong(problem.to_string()))?;
    let read: Index = serde_json::from_slice(&text).map_err(|problem| wrong(problem.to_string()))?;
    let mut files: Vec<String> = read.weight_map.into_values().collect();
    files.sort();
    files.dedup();
    match files.iter().find(|file| file.contains(['/', '\\']) || !file.ends_with(".safetensors")) {
        Some(file) => Err(wrong(format!("{file:?} is no weight file of the same folder"))),
        None => Ok(files),
    }
}

fn download(api: &Api, repo: &Repo, name: &str, file: &str) -> Result<PathBuf> {
    let bar = ProgressBar::new(0);
    let done = api.repo(repo.clone()).download_with_progress(file, bar.clone());
    bar.finish_and_clear();
    done.map_err(|problem| Error::part(name, format!("{file} could not be downloaded: {problem}")))
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use oreal_engines::testing::{Server, response, send};

    use super::*;

    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

    /// A hub with one model of two weight files.
    fn server(broken: &'static str) -> Server {
        let files = |name: &str| match name {
            "config.json" => "{}",
            "tokenizer.json" => "{\"t\":1}",
            "model.safetensors.index.json" => r#"{"weight_map":{"a":"model-1.safetensors","b":"model-2.safetensors"}}"#,
            "model-1.safetensors" => "first",
            "model-2.safetensors" => "second",
            _ => "",
        };
        let seen = Mutex::new(());
        Server::start(move |_, request, connection| {
            let _one_at_a_time = seen.lock().unwrap();
            let path = request.split(' ').nth(1).unwrap();
            if path.contains("/api/models/") {
                let names = [
                    "config.json",
                    "tokenizer.json",
                    "model.safetensors.index.json",
                    "model-1.safetensors",
                    "model-2.safetensors",
                    "pytorch_model.bin",
                ];
                let siblings: Vec<_> = names.iter().map(|name| serde_json::json!({ "rfilename": name })).collect();
                let body = serde_json::json!({ "sha": COMMIT, "siblings": siblings }).to_string();
                return send(connection, &response("200 OK", "Content-Type: application/json\r\n", &body));
            }
            let name = path.rsplit('/').next().unwrap();
            if name == broken {
                return send(connection, &response("500 Internal Server Error", "", "no"));
            }
            let (body, start) = (files(name), request.to_lowercase().contains("bytes=0-0"));
            let part = if start { &body[..1] } else { body };
            let headers = format!(
                "ETag: \"{name}\"\r\nx-repo-commit: {COMMIT}\r\nContent-Range: bytes 0-{}/{}\r\n",
                part.len() - 1,
                body.len()
            );
            send(connection, &response("206 Partial Content", &headers, part));
        })
    }

    fn hub(server: &Server, cache: &Path, offline: bool) -> Hub {
        let endpoint = server.url();
        Hub { cache: Cache::new(cache.to_owned()), endpoint, token: Some("secret".into()), offline }
    }

    #[test]
    fn what_is_needed_is_downloaded_once() {
        let (server, cache) = (server(""), tempfile::tempdir().unwrap());
        let online = hub(&server, cache.path(), false);
        let described = online.folder("owner/model", Part::Description).unwrap();
        assert!(described.join("tokenizer.json").exists() && !described.join("model-1.safetensors").exists());
        let whole = online.folder("owner/model", Part::Whole).unwrap();
        assert_eq!(whole, described);
        assert_eq!(std::fs::read_to_string(whole.join("model-2.safetensors")).unwrap(), "second");
        assert!(!whole.join("pytorch_model.bin").exists(), "nothing else is downloaded");
        let before = server.count();
        assert_eq!(online.folder("owner/model", Part::Whole).unwrap(), whole);
        assert_eq!(server.count(), before + 1, "only the list of files is asked for again");
        drop(server);
        assert_eq!(online.folder("owner/model", Part::Whole).unwrap(), whole, "the cache is enough");
    }

    #[test]
    fn offline_only_the_cache_is_read() {
        let (server, cache) = (server(""), tempfile::tempdir().unwrap());
        let offline = hub(&server, cache.path(), true);
        let message = offline.folder("owner/model", Part::Description).unwrap_err().to_string();
        assert!(message.contains("owner/model: config.json") && message.contains("HF_HUB_OFFLINE"), "{message}");
        assert_eq!(server.count(), 0);
        hub(&server, cache.path(), false).folder("owner/model", Part::Description).unwrap();
        let before = server.count();
        offline.folder("owner/model", Part::Description).unwrap();
        let message = offline.folder("owner/model", Part::Whole).unwrap_err().to_string();
        assert!(message.contains("model.safetensors") && message.contains("HF_HUB_OFFLINE"), "{message}");
        assert_eq!(server.count(), before);
    }

    #[test]
    fn a_failed_download_and_a_wrong_name_are_told() {
        let (server, cache) = (server("tokenizer.json"), tempfile::tempdir().unwrap());
        let message = hub(&server, cache.path(), false).folder("owner/model", Part::Whole).unwrap_err().to_string();
        assert!(message.contains("owner/model: tokenizer.json could not be downloaded"), "{message}");
        assert!(!message.contains("secret"), "{message}");
        for wrong in ["model", "../../etc", "a/b/c", "a/b@..", "", "a /b"] {
            let message = hub(&server, cache.path(), false).folder(wrong, Part::Whole).unwrap_err().to_string();
            assert!(message.contains("OWNER/NAME"), "{message}");
        }
    }
}
