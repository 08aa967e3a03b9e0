//! Byte-level tokenizers that are trained here.

use oreal_text::Tokenizer;
use proptest::prelude::*;

const TEXTS: [&str; 4] = [
    "There are 12 apples and 30 pears. How many fruits are there?",
    "12 + 30 = 42, so there are 42 fruits.\n\nThe answer is \\boxed{42}.",
    "There are 7 red and 8 blue cars. How many cars are there?",
    "7 + 8 = 15, so there are 15 cars.\n\nThe answer is \\boxed{15}.",
];

const CONTROL: [&str; 2] = ["<|endoftext|>", "<|im_end|>"];

fn trained() -> Tokenizer {
    Tokenizer::train_bpe(TEXTS.iter().cycle().take(40), 400, &CONTROL).unwrap()
}

fn json(tokenizer: &Tokenizer) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokenizer.json");
    tokenizer.save(&path).unwrap();
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn words_become_tokens_and_digits_stay_alone() {
    let tokenizer = trained();
    let names = |text: &str| -> Vec<String> {
        tokenizer.encode(text).unwrap().into_iter().map(|token| tokenizer.name(token).unwrap()).collect()
    };
    assert_eq!(names("There are 42"), ["There", "\u{120}are", "\u{120}", "4", "2"]);
    assert_eq!((tokenizer.id("<|endoftext|>"), tokenizer.id("<|im_end|>")), (Some(0), Some(1)));
    assert!(tokenizer.len() > 300 && tokenizer.len() <= 400, "{}", tokenizer.len());
    let message = Tokenizer::train_bpe(TEXTS.iter(), 257, &CONTROL).unwrap_err().to_string();
    assert!(message.contains("257 tokens") && message.contains("258"), "{message}");
}

#[test]
fn neither_threads_nor_order_matter() {
    let expected = json(&trained());
    tokenizers::parallelism::set_parallelism(false);
    assert!(json(&trained()) == expected, "another tokenizer without threads");
    tokenizers::parallelism::set_parallelism(true);
    let backward = Tokenizer::train_bpe(TEXTS.iter().rev().cycle().take(40), 400, &CONTROL).unwrap();
    assert!(json(&backward) == expected, "another tokenizer of the texts in another order");
    let changed = Tokenizer::train_bpe(TEXTS[..2].iter().cycle().take(40), 400, &CONTROL).unwrap();
    assert!(json(&changed) != expected, "the texts matter");
}

#[test]
fn pieces_of_characters_are_replaced() {
    let tokenizer = trained();
    let tokens = tokenizer.encode("a\u{1f600}").unwrap();
    assert_eq!(tokenizer.decode(&tokens[..3]).unwrap(), "a\u{fffd}");
    assert_eq!(tokenizer.decode(&[tokens[0], 9999, 1, tokens[0]]).unwrap(), "a\u{fffd}a");
}

proptest! {
    #[test]
    fn decoding_gives_the_text_back(text in "(\\PC|[ \n\r\t]|<\\|im_end\\|>|\u{301}|a|12){0,20}") {
        thread_local!(static TOKENIZER: Tokenizer = trained());
        let (tokens, decoded) = TOKENIZER.with(|tokenizer| {
            let tokens = tokenizer.encode(&text).unwrap();
            let decoded = tokenizer.decode(&tokens).unwrap();
            (tokens, decoded)
        });
        prop_assert_eq!(decoded, text);
        prop_assert!(tokens.iter().all(|&token| token > 1), "a control token");
    }
}
