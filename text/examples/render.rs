//! Renders conversations, one per line of input, for comparison with other implementations: see `tests/golden/compare.py`.
//!
//! A line is `{"template": .., "special": {..}, "extra": {..}, "messages": [..], "add_generation_prompt": ..}`, or has a
//! `"folder"` instead of template and special tokens, and then is answered with tokens too.

use std::collections::BTreeMap;
use std::io::{BufRead, stdin};
use std::path::PathBuf;

use oreal_text::{Chat, ChatTemplate, Extra, Message, Result, Variables};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
struct Asked {
    template: Option<String>,
    folder: Option<PathBuf>,
    #[serde(default)]
    special: BTreeMap<String, String>,
    #[serde(default)]
    extra: Extra,
    messages: Vec<Message>,
    add_generation_prompt: bool,
}

fn main() {
    for line in stdin().lock().lines() {
        let asked: Asked = serde_json::from_str(&line.expect("lines of text")).expect("a question in JSON");
        let answer = answer(asked).unwrap_or_else(|problem| json!({"error": problem.to_string()}));
        println!("{answer}");
    }
}

fn answer(asked: Asked) -> Result<Value> {
    let Asked { template, folder, special, extra, messages, add_generation_prompt } = asked;
    if let Some(folder) = folder {
        let chat = Chat::read(&folder)?.with_extra(extra);
        let tokens = chat.prompt(&messages, add_generation_prompt)?;
        return Ok(json!({"text": chat.render(&messages, add_generation_prompt)?, "tokens": tokens}));
    }
    let template = ChatTemplate::new(&template.unwrap_or_default())?;
    let variables = Variables { add_generation_prompt, special: Some(&special), extra: Some(&extra) };
    Ok(json!({"text": template.render(&messages, &variables)?}))
}
