//! Checkpoint folders: what ends a text, what is written back, sizes, and folders that are wrong.

mod common;

use std::fs;
use std::path::Path;

use common::{chat, golden, templates};
use oreal_text::{Chat, Extra, Message, Preset, Role, Special, SystemPrompt, Tokenizer};
use tempfile::TempDir;

/// A checkpoint's folder with the byte-level tokenizer of the golden files and these files.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["tokenizer.json", "tokenizer_config.json"] {
        fs::copy(golden("byte_level").join(name), folder.path().join(name)).unwrap();
    }
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

const TEMPLATE: (&str, &str) =
    ("chat_template.jinja", "{% for m in messages %}{{ m.content + '<|im_end|>' }}{% endfor %}");

fn names(chat: &Chat) -> Vec<String> {
    chat.stop().iter().map(|&token| chat.tokenizer().name(token).unwrap()).collect()
}

fn read(files: &[(&str, &str)]) -> Chat {
    Chat::read(folder(files).path()).unwrap()
}

#[test]
fn texts_end_where_the_files_say_so() {
    let generation = ("generation_config.json", r#"{"eos_token_id": [3, 2]}"#);
    let config = ("config.json", r#"{"eos_token_id": 1, "vocab_size": 1000}"#);
    assert_eq!(names(&read(&[TEMPLATE, generation, config])), ["<|im_start|>", "</s>", "<|im_end|>"]);
    assert_eq!(names(&read(&[TEMPLATE, ("generation_config.json", "{}"), config])), ["<s>", "<|im_end|>"]);
    assert_eq!(names(&read(&[TEMPLATE])), ["</s>", "<|im_end|>"]);
    let silent = read(&[("chat_template.jinja", "{{ messages[0].content }}")]);
    assert_eq!((names(&silent), silent.end()), (vec!["</s>".to_string()], 2));
    let objects = ("special_tokens_map.json", r#"{"eos_token": {"content": "<s>", "lstrip": false}}"#);
    assert_eq!(names(&read(&[TEMPLATE, objects, ("tokenizer_config.json", "{}")])), ["<s>", "<|im_end|>"]);
}

#[test]
fn a_template_stands_in_its_file_or_in_the_configuration() {
    let config = r#"{"eos_token": "</s>", "chat_template": [{"name": "tool_use", "template": "t"}, {"name": "default", "template": "d"}]}"#;
    assert_eq!(read(&[("tokenizer_config.json", config)]).template().source(), "d");
    assert_eq!(read(&[("tokenizer_config.json", config), TEMPLATE]).template().source(), TEMPLATE.1);
}

#[test]
fn an_end_that_the_tokenizer_takes_for_text_is_control_all_the_same() {
    let chat = read(&[TEMPLATE, ("generation_config.json", r#"{"eos_token_id": 370}"#)]);
    assert_eq!(chat.tokenizer().name(370).unwrap(), "<think>");
    let tokens = chat.prompt(&[Message::new(Role::User, "a<think>")], true).unwrap();
    assert!(!tokens.contains(&370) && tokens.len() > 3, "{tokens:?}");
}

#[test]
fn answers_are_what_the_template_writes() {
    for (name, expected) in [
        ("chatml_tools", "4 <|im_end|>"),
        ("thinking", "<think>\n\n</think>\n\n4 <|im_end|>"),
        ("inst", " 4 </s>"),
        ("header", "4<|im_end|>"),
        ("distilled", "4 </s>"),
        ("turns", "4<|im_end|>"),
        ("marked", "4 <|im_end|>"),
    ] {
        let chat = chat("byte_level", &templates()[name], &Extra::new());
        let answer = chat.answer("4 ").unwrap();
        assert_eq!(chat.tokenizer().decode_all(&answer).unwrap(), expected, "{name}");
        assert_eq!(answer.last(), Some(&chat.end()), "{name}");
    }
    let thinking = chat("byte_level", &templates()["thinking"], &Extra::new());
    let thought = thinking.answer("<think>\nhm\n</think>\n\n4").unwrap();
    assert_eq!(thinking.tokenizer().decode_all(&thought).unwrap(), "<think>\nhm\n</think>\n\n4<|im_end|>");
    let quick = thinking.with_extra([("enable_thinking".to_string(), false.into())].into());
    assert_eq!(quick.tokenizer().decode_all(&quick.answer("4").unwrap()).unwrap(), "4<|im_end|>");
}

fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let mut files: Vec<_> =
        entries.map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())).collect();
    files.sort();
    files
}

#[test]
fn files_are_written_back_byte_for_byte() {
    let from =
        folder(&[TEMPLATE, ("generation_config.json", "{ \"eos_token_id\":2,\n\"x\": 1}"), ("merges.txt", "a b")]);
    let to = tempfile::tempdir().unwrap();
    Chat::read(from.path()).unwrap().save(to.path()).unwrap();
    assert_eq!(files(from.path()), files(to.path()));
    let missing = to.path().join("missing");
    let message = Chat::read(from.path()).unwrap().save(&missing).unwrap_err().to_string();
    assert!(message.contains("missing"), "{message}");
}

#[test]
fn a_preset_is_written_where_transformers_finds_it() {
    let (from, to) = (folder(&[]), tempfile::tempdir().unwrap());
    let chat = Chat::read_with_preset(from.path(), Preset::QwenMath).unwrap();
    chat.save(to.path()).unwrap();
    let question = [Message::new(Role::User, "1+1?")];
    let text = chat.render(&question, true).unwrap();
    let system = SystemPrompt::QwenMath.text().unwrap();
    assert_eq!(
        text,
        format!("<|im_start|>system\n{system}<|im_end|>\n<|im_start|>user\n1+1?<|im_end|>\n<|im_start|>assistant\n")
    );
    assert_eq!(Chat::read(to.path()).unwrap().render(&question, true).unwrap(), text);
}

#[test]
fn every_preset_asks_and_answers() {
    let from = folder(&[]);
    for preset in Preset::ALL {
        assert_eq!(preset.name().parse::<Preset>().unwrap(), preset);
        let chat = Chat::read_with_preset(from.path(), preset).unwrap();
        let conversation =
            [("be brief", Role::System), ("1+1?", Role::User)].map(|(text, role)| Message::new(role, text));
        let text = chat.render(&conversation, true).unwrap();
        assert!(text.contains("be brief") && text.contains("1+1?"), "{text}");
        let answer = chat.answer("2").unwrap();
        assert_eq!(chat.decode(&answer).unwrap().trim(), "2", "{}", preset.name());
        let whole = [&conversation[..], &[Message::new(Role::Assistant, "2")]].concat();
        let expected = [chat.prompt(&conversation, true).unwrap(), answer].concat();
        assert!(chat.prompt(&whole, false).unwrap().starts_with(&expected), "{}", preset.name());
    }
    for prompt in SystemPrompt::ALL {
        assert_eq!(prompt.name().parse::<SystemPrompt>().unwrap(), prompt);
    }
    let message = "alpaca".parse::<Preset>().unwrap_err().to_string();
    assert!(message.contains("\"alpaca\"") && message.contains("r1_zero"), "{message}");
}

#[test]
fn embeddings_of_another_size() {
    let chat = read(&[TEMPLATE]);
    let len = chat.tokenizer().len();
    assert_eq!((len, chat.vocabulary()), (372, 372));
    assert_eq!(chat.clone().for_embedding(512).unwrap().vocabulary(), 372, "padding is never drawn");
    let short = chat.clone().for_embedding(371).unwrap();
    assert_eq!(short.vocabulary(), 371);
    assert!(short.prompt(&[Message::new(Role::User, "a<think>")], true).is_ok());
    let message = short.prompt(&[Message::new(Role::User, "a</think>")], true).unwrap_err().to_string();
    assert!(message.contains("371 (\"</think>\")") && message.contains("embedding of 371"), "{message}");
    let message = chat.for_embedding(300).unwrap_err().to_string();
    assert!(message.contains("372 tokens") && message.contains("300 rows"), "{message}");
    let folder = folder(&[TEMPLATE, ("config.json", r#"{"vocab_size": 300}"#)]);
    assert!(Chat::read(folder.path()).unwrap_err().to_string().contains("300 rows"));
}

#[track_caller]
fn refused(files: &[(&str, &str)], expected: &str) {
    let message = Chat::read(folder(files).path()).unwrap_err().to_string();
    assert!(message.contains(expected), "{message}");
}

#[test]
fn what_is_wrong_is_told_by_file_and_key() {
    refused(&[], "no chat template: choose one by name");
    refused(&[TEMPLATE, ("tokenizer.json", "{}")], "tokenizer.json: not a tokenizer");
    refused(&[("chat_template.jinja", "\n{% if %}")], "chat_template.jinja: chat template, line 2: ");
    refused(&[("tokenizer_config.json", r#"{"chat_template": 3}"#)], "tokenizer_config.json: `chat_template`: needs");
    refused(&[TEMPLATE, ("tokenizer_config.json", "[1]")], "tokenizer_config.json: invalid type");
    refused(&[TEMPLATE, ("tokenizer_config.json", r#"{"eos_token": 7}"#)], "`eos_token`: 7, where the name");
    refused(&[TEMPLATE, ("tokenizer_config.json", r#"{"eos_token": "<eot>"}"#)], "no token called \"<eot>\"");
    refused(
        &[TEMPLATE, ("generation_config.json", r#"{"eos_token_id": "x"}"#)],
        "generation_config.json: `eos_token_id`: \"x\"",
    );
    refused(&[TEMPLATE, ("generation_config.json", r#"{"eos_token_id": 9999}"#)], "the tokenizer has no token 9999");
    refused(&[TEMPLATE, ("config.json", r#"{"vocab_size": -1}"#)], "config.json: `vocab_size`: -1");
    refused(&[("chat_template.jinja", ""), ("tokenizer_config.json", "{}")], "eos_token");
    let empty = tempfile::tempdir().unwrap();
    assert!(Chat::read(empty.path()).unwrap_err().to_string().contains("tokenizer.json: there is none"));
    let huge = folder(&[TEMPLATE]);
    fs::File::create(huge.path().join("tokenizer_config.json")).unwrap().set_len(1 << 40).unwrap();
    assert!(Chat::read(huge.path()).unwrap_err().to_string().contains("where at most"));
}

#[test]
fn a_tokenizer_of_ones_own_has_files() {
    let texts = ["the cat sat on the mat, the cat said"; 3];
    let tokenizer = Tokenizer::train_bpe(texts.iter(), 300, &["<|endoftext|>", "<|im_start|>", "<|im_end|>"]).unwrap();
    let special = Special { eos: "<|im_end|>".into(), pad: Some("<|endoftext|>".into()), bos: None };
    let chat = Chat::new(tokenizer, Preset::Chatml, &special).unwrap();
    let folder = tempfile::tempdir().unwrap();
    chat.save(folder.path()).unwrap();
    let read = Chat::read(folder.path()).unwrap();
    let conversation = [Message::new(Role::User, "the cat?")];
    assert_eq!(read.prompt(&conversation, true).unwrap(), chat.prompt(&conversation, true).unwrap());
    assert_eq!((read.stop(), read.end()), (&[2][..], 2));
    let missing = Special { eos: "</s>".into(), ..special };
    assert!(Chat::new(chat.tokenizer().clone(), Preset::Chatml, &missing).is_err());
}
