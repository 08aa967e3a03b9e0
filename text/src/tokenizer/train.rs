//! Training of a tokenizer.

use tokenizers::models::TrainerWrapper;
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{AddedToken, PreTokenizerWrapper, SplitDelimiterBehavior};

use super::Tokenizer;
use crate::error::{Error, Result};

/// Where the byte-level tokenizers of the GPT-2 line cut a text before they merge: contractions, words with the space
/// before them, digits one by one (as Qwen2 has it), runs of other characters, line ends, spaces.
const WORDS: &str = concat!(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)",
    r"|[^\r\n\p{L}\p{N}]?\p{L}+",
    r"|\p{N}",
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*",
    r"|\s*[\r\n]+|\s+(?!\S)|\s+",
);

/// Number of bytes, each of which is a token of its own.
const BYTES: usize = 256;

impl Tokenizer {
    /// A byte-level BPE tokenizer trained on the texts: any text can be encoded, and decoding gives it back.
    ///
    /// `size` is the number of tokens, at most; `control` are the names of the control tokens, which get the ids from 0
    /// in the order given, before the 256 bytes. The result depends on the texts, not on their order or the number of
    /// threads.
    pub fn train_bpe<T: AsRef<str> + Send>(
        texts: impl Iterator<Item = T> + Send,
        size: usize,
        control: &[&str],
    ) -> Result<Self> {
        let least = BYTES + control.len();
        if size < least {
            let problem =
                format!("{size} tokens, where {BYTES} bytes and {} control tokens need {least}", control.len());
            return Err(Error::Tokenizer { problem });
        }
        let trainer = BpeTrainer::builder()
            .vocab_size(size)
            .min_frequency(2)
            .show_progress(false)
            .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
            .special_tokens(control.iter().map(|name| AddedToken::from(*name, true)).collect())
            .build();
        let mut inner = tokenizers::Tokenizer::new(BPE::default());
        let words = Split::new(SplitPattern::Regex(WORDS.into()), SplitDelimiterBehavior::Isolated, false);
        let cut: Vec<PreTokenizerWrapper> =
            vec![words.map_err(Error::tokenizer)?.into(), ByteLevel::new(false, false, false).into()];
        inner.with_pre_tokenizer(Some(Sequence::new(cut)));
        inner.with_decoder(Some(ByteLevel::new(false, false, false)));
        inner.train(&mut TrainerWrapper::BpeTrainer(trainer), texts).map_err(Error::tokenizer)?;
        Self::new(inner)
    }
}
