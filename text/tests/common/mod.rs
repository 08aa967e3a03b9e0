//! The golden files. Each test uses some of these functions.

#![allow(dead_code)]

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use oreal_text::{Chat, ChatTemplate, Extra, Message};
use serde::de::DeserializeOwned;

pub const TOKENIZERS: [&str; 2] = ["byte_level", "metaspace"];

pub fn golden(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

pub fn read<T: DeserializeOwned>(name: &str) -> T {
    serde_json::from_slice(&fs::read(golden(name)).unwrap()).unwrap()
}

pub fn templates() -> BTreeMap<String, ChatTemplate> {
    let files = fs::read_dir(golden("templates")).unwrap().map(|entry| entry.unwrap().path());
    let named = |path: PathBuf| {
        let source = fs::read_to_string(&path).unwrap();
        (path.file_stem().unwrap().to_string_lossy().into_owned(), ChatTemplate::new(&source).unwrap())
    };
    files.map(named).collect()
}

pub fn chat(tokenizer: &str, template: &ChatTemplate, extra: &Extra) -> Chat {
    Chat::read_with_template(&golden(tokenizer), template).unwrap().with_extra(extra.clone())
}

pub fn conversations() -> BTreeMap<String, Vec<Message>> {
    read("conversations.json")
}
