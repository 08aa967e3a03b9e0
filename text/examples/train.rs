//! Trains a byte-level tokenizer on lines of input and writes it to a folder, as transformers loads it:
//! `cargo run -p oreal-text --example train -- SIZE FOLDER < TEXT`.

use std::io::read_to_string;
use std::path::Path;

use oreal_text::{Chat, Preset, Result, Special, Tokenizer};

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (size, folder) = (arguments.next().expect("a size"), arguments.next().expect("a folder"));
    let text = read_to_string(std::io::stdin()).expect("text");
    let control = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"];
    let tokenizer = Tokenizer::train_bpe(text.lines(), size.parse().expect("a number"), &control)?;
    let special = Special { eos: "<|im_end|>".into(), pad: Some("<|endoftext|>".into()), bos: None };
    let chat = Chat::new(tokenizer, Preset::Chatml, &special)?;
    println!("{} tokens", chat.vocabulary());
    chat.save(Path::new(&folder))
}
