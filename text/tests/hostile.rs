//! Tokenizer files that somebody has tampered with end in an error, or work.

mod common;

use common::{TOKENIZERS, golden};
use oreal_text::{Chat, ChatTemplate, Message, Role, Tokenizer};
use proptest::prelude::*;
use serde_json::{Value, json};

/// Replaces a value somewhere in a file; `path` says where.
fn tamper(value: &mut Value, path: &[usize], instead: &Value) {
    let Some((&step, rest)) = path.split_first() else { return *value = instead.clone() };
    match value {
        Value::Array(list) if !list.is_empty() => {
            let place = step % list.len();
            tamper(&mut list[place], rest, instead);
        }
        Value::Object(map) if !map.is_empty() => {
            let place = step % map.len();
            map.values_mut().nth(place).into_iter().for_each(|value| tamper(value, rest, instead));
        }
        _ => *value = instead.clone(),
    }
}

fn junk() -> impl Strategy<Value = Value> {
    let values = [json!(null), json!(-1), json!(0), json!(1), json!(7), json!(u32::MAX), json!(u64::MAX), json!(1e300)];
    let texts =
        [json!(""), json!("a"), json!("(("), json!("\u{2581}"), json!([]), json!({}), json!([["a", "b"]]), json!(true)];
    proptest::sample::select([values, texts].concat())
}

#[test]
fn what_the_library_panics_on_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    for (key, value) in [
        ("pre_tokenizer", json!({"type": "FixedLength", "length": 0})),
        ("normalizer", json!({"type": "Replace", "pattern": {"String": ""}, "content": "x"})),
    ] {
        let source = golden(TOKENIZERS[0]).join("tokenizer.json");
        let mut file: Value = serde_json::from_slice(&std::fs::read(source).unwrap()).unwrap();
        file[key] = value;
        let path = folder.path().join("tokenizer.json");
        std::fs::write(&path, file.to_string()).unwrap();
        let message = Tokenizer::read(&path).unwrap_err().to_string();
        assert!(message.contains("tokenizer.json: ") && message.contains("cannot be carried out"), "{message}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_file_panics(which in 0..2_usize, path in proptest::collection::vec(any::<usize>(), 1..6), instead in junk()) {
        let folder = tempfile::tempdir().unwrap();
        let source = golden(TOKENIZERS[which]).join("tokenizer.json");
        let mut file: Value = serde_json::from_slice(&std::fs::read(source).unwrap()).unwrap();
        tamper(&mut file, &path, &instead);
        std::fs::write(folder.path().join("tokenizer.json"), file.to_string()).unwrap();
        std::fs::write(folder.path().join("tokenizer_config.json"), r#"{"eos_token": "</s>"}"#).unwrap();
        let template = ChatTemplate::new("<s>{{ messages[0].content }}</s>").unwrap();
        let read = Chat::read_with_template(folder.path(), &template);
        let message = Message::new(Role::User, "What is 2 + 2? \u{e9}</s>");
        if let Err(problem) = read.and_then(|chat| chat.decode(&chat.prompt(&[message], true)?)) {
            prop_assert!(!problem.to_string().is_empty());
        }
    }
}
