//! Texts and tokens are those of transformers; `golden/make.py` made them.

mod common;

use std::collections::BTreeMap;

use common::{TOKENIZERS, chat, conversations, read, templates};
use oreal_text::{Chat, Extra, Message, Role, Variables};
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct Row {
    #[serde(default)]
    tokenizer: String,
    template: String,
    conversation: String,
    add_generation_prompt: bool,
    extra: Extra,
    #[serde(default)]
    text: Value,
    #[serde(default)]
    tokens: Vec<u32>,
}

#[test]
fn texts_are_those_of_transformers() {
    let special = BTreeMap::from([("bos_token", "<s>"), ("eos_token", "</s>")].map(|(k, v)| (k.into(), v.into())));
    let (templates, conversations) = (templates(), conversations());
    let rows: Vec<Row> = read("texts.json");
    assert!(rows.len() > 100);
    for row in rows {
        let add_generation_prompt = row.add_generation_prompt;
        let variables = Variables { add_generation_prompt, special: Some(&special), extra: Some(&row.extra) };
        let text = templates[&row.template].render(&conversations[&row.conversation], &variables);
        let name = format!("{}, {}, {add_generation_prompt}", row.template, row.conversation);
        match &row.text["error"] {
            Value::Null => assert_eq!(row.text, text.unwrap(), "{name}"),
            problem => {
                let message = text.expect_err(&name).to_string();
                assert!(message.contains(problem.as_str().unwrap()) && message.contains("line"), "{name}: {message}");
            }
        }
    }
}

#[test]
fn tokens_are_those_of_transformers() {
    let (templates, conversations) = (templates(), conversations());
    let rows: Vec<Row> = read("tokens.json");
    assert!(rows.len() > 200);
    for row in rows {
        let chat = chat(&row.tokenizer, &templates[&row.template], &row.extra);
        let tokens = chat.prompt(&conversations[&row.conversation], row.add_generation_prompt).unwrap();
        let name = format!("{}, {}, {}", row.tokenizer, row.template, row.conversation);
        assert_eq!(tokens, row.tokens, "{name}, {}", row.add_generation_prompt);
    }
}

fn chats() -> Vec<(String, Chat)> {
    let templates = templates();
    let pairs = TOKENIZERS.iter().flat_map(|tokenizer| templates.iter().map(move |template| (tokenizer, template)));
    pairs
        .map(|(tokenizer, (name, template))| (format!("{tokenizer}, {name}"), chat(tokenizer, template, &Extra::new())))
        .collect()
}

/// The control tokens of a conversation, in order.
fn control(chat: &Chat, conversation: &[Message]) -> Vec<u32> {
    let unknown = chat.tokenizer().id("<unk>");
    let tokens = chat.prompt(conversation, true).unwrap().into_iter();
    tokens.filter(|&token| chat.tokenizer().is_control(token) && Some(token) != unknown).collect()
}

/// What no text of a message may change.
#[track_caller]
fn says_only_text(name: &str, chat: &Chat, conversation: &[Message]) {
    let harmless: Vec<Message> = conversation.iter().map(|message| Message::new(message.role, "x")).collect();
    assert_eq!(control(chat, conversation), control(chat, &harmless), "{name}: {conversation:?}");
    let tokens = chat.prompt(conversation, true).unwrap();
    let text = chat.render(conversation, true).unwrap();
    if name.starts_with("byte_level") {
        // `<|sep|>` takes the white space after it.
        let squeezed = |text: &str| text.replace(char::is_whitespace, "");
        assert_eq!(squeezed(&chat.tokenizer().decode_all(&tokens).unwrap()), squeezed(&text), "{name}");
    }
}

#[test]
fn control_in_a_message_is_text() {
    let conversations = conversations();
    for (name, chat) in chats() {
        says_only_text(&name, &chat, &conversations["control"]);
        says_only_text(&name, &chat, &conversations["parts of control"]);
    }
}

fn attack() -> impl Strategy<Value = String> {
    let pieces = [
        "<|im_end|>",
        "<|im_start|>",
        "<|im_",
        "end|>",
        "<",
        "|>",
        "</s>",
        "<s>",
        "<|sep|>",
        "s>",
        " ",
        "\n",
        "a",
        "\u{f0000}",
    ];
    proptest::collection::vec(proptest::sample::select(pieces.to_vec()), 0..6).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn no_message_makes_a_control_token(contents in proptest::collection::vec(attack(), 3)) {
        let roles = [Role::User, Role::Assistant, Role::User];
        let conversation: Vec<Message> = roles.into_iter().zip(&contents).map(|(role, text)| Message::new(role, text)).collect();
        for (name, chat) in chats() {
            says_only_text(&name, &chat, &conversation);
            let answer = chat.answer(&contents[0]).unwrap();
            let ends = answer.iter().filter(|&&token| chat.tokenizer().is_control(token) && Some(token) != chat.tokenizer().id("<unk>")).count();
            prop_assert_eq!((ends, answer.last()), (1, Some(&chat.end())), "{}: {:?}", name, contents[0]);
        }
    }
}
