//! `oreal tokenizer`: a byte-level BPE tokenizer with a chat template, trained on the texts of a file.

use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use oreal_text::{Chat, Preset, Special, Tokenizer as Bpe};

use crate::error::{Error, Result};
use crate::folder::reserve;
use crate::rows::Rows;

#[derive(Debug, Args)]
pub(super) struct Tokenizer {
    /// Texts, JSONL or parquet
    #[arg(long, value_name = "FILE")]
    texts: PathBuf,
    /// The fields of a row that are texts
    #[arg(long, value_delimiter = ',', value_name = "NAMES", default_value = "text")]
    fields: Vec<String>,
    /// Most tokens
    #[arg(long, default_value_t = 4096)]
    size: usize,
    /// The chat template
    #[arg(long, value_name = "NAME", default_value = "chatml", value_parser = Preset::from_str)]
    template: Preset,
    /// A new folder for tokenizer.json, the template and what transformers reads beside them
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
}

/// Fills up batches, and comes before a text that is continued.
const PAD: &str = "<|endoftext|>";
const START: &str = "<|im_start|>";
const END: &str = "<|im_end|>";

impl Tokenizer {
    pub(super) fn run(self) -> Result<String> {
        let mut texts = Vec::new();
        for row in Rows::open(&self.texts)? {
            let row = row?.parse()?;
            for field in &self.fields {
                texts.push(row.text(field)?);
            }
        }
        let failed = |problem: oreal_text::Error| Error::part("tokenizer", problem);
        let count = texts.len();
        let bpe = Bpe::train_bpe(texts.into_iter(), self.size, &[PAD, START, END]).map_err(failed)?;
        let tokens = bpe.len();
        let special = Special { eos: END.to_owned(), pad: Some(PAD.to_owned()), bos: None };
        let chat = Chat::new(bpe, self.template, &special).map_err(failed)?;
        let folder = reserve(&self.out)?;
        chat.save(folder.path()).map_err(failed)?;
        Ok(format!("{tokens} tokens from {count} texts, in {}\n", folder.path().display()))
    }
}
