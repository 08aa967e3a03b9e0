//! Text to tokens and back.

use std::path::Path;

use tokenizers::decoders::fuse::Fuse;
use tokenizers::models::wordlevel::WordLevel;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{AddedToken, SplitDelimiterBehavior};

use crate::data::Token;
use crate::error::{Error, Result};
use crate::file;

/// A Hugging Face tokenizer with one token that ends completions.
#[derive(Clone, Debug)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    end: Token,
    /// The characters that can be encoded, when each character is a token.
    alphabet: Option<String>,
}

/// Name of the end token of [`Tokenizer::characters`], whose id is 0.
pub const END: &str = "<|end|>";

/// A regular expression for any one character, in syntax that every engine supports.
const ANY: &str = r"[\s\S]";

impl Tokenizer {
    /// One token per distinct character, numbered from 1 in the order given; 0 is the end token.
    pub fn characters(alphabet: &str) -> Result<Self> {
        let mut distinct = String::new();
        for c in alphabet.chars() {
            if !distinct.contains(c) {
                distinct.push(c);
            }
        }
        let names = std::iter::once(END.to_string()).chain(distinct.chars().map(String::from));
        let vocabulary = names.zip(0..).collect();
        let model = WordLevel::builder().vocab(vocabulary).build().map_err(refused)?;
        let each = SplitPattern::Regex(ANY.into());
        let split = Split::new(each, SplitDelimiterBehavior::Isolated, false).map_err(refused)?;
        let mut inner = tokenizers::Tokenizer::new(model);
        inner.with_pre_tokenizer(Some(split));
        inner.with_decoder(Some(Fuse::new()));
        inner.add_special_tokens(&[AddedToken::from(END, true)]);
        Ok(Self { inner, end: 0, alphabet: Some(distinct) })
    }

    /// Reads a `tokenizer.json`; `end` is the name of the token that ends a completion, such as `<|im_end|>`.
    pub fn from_file(path: &Path, end: &str) -> Result<Self> {
        let bytes = file::read(path, file::MOST_TEXT)?;
        let inner = tokenizers::Tokenizer::from_bytes(bytes)
            .map_err(|problem| Error::file(path, format!("not a tokenizer: {problem}")))?;
        let id = inner.token_to_id(end);
        let end = id.ok_or_else(|| Error::file(path, format!("no token is called {end:?}")))?;
        let alphabet = alphabet(&inner);
        Ok(Self { inner, end, alphabet })
    }

    /// Writes a `tokenizer.json`, whole or not at all.
    pub fn save(&self, path: &Path) -> Result<()> {
        file::write(path, self.inner.to_string(true).map_err(refused)?.as_bytes())
    }

    /// Tokens of a text, without any added around it.
    pub fn encode(&self, text: &str) -> Result<Vec<Token>> {
        let unknown = |(_, c): &(usize, char)| self.alphabet.as_ref().is_some_and(|alphabet| !alphabet.contains(*c));
        let plain = text.replace(END, "");
        if let Some((position, character)) = plain.char_indices().find(unknown) {
            let vocabulary = self.alphabet.clone().unwrap_or_default();
            return Err(Error::Character { character, position, vocabulary });
        }
        let encoding = self.inner.encode(text, false).map_err(refused)?;
        Ok(encoding.get_ids().to_vec())
    }

    /// Text of the tokens; the end token and other special ones are left out.
    ///
    /// A model whose vocabulary is padded may draw an id that is no token (unless
    /// [`Sampling::vocabulary`](crate::Sampling::vocabulary) excludes it): it is decoded as U+FFFD, so that no such
    /// completion passes for another text.
    pub fn decode(&self, tokens: &[Token]) -> Result<String> {
        let known = |tokens: &[Token]| self.inner.decode(tokens, true).map_err(refused);
        let runs: Vec<&[Token]> = tokens.split(|&token| self.inner.id_to_token(token).is_none()).collect();
        let texts = runs.into_iter().map(|run| if run.is_empty() { Ok(String::new()) } else { known(run) });
        Ok(texts.collect::<Result<Vec<_>>>()?.join("\u{fffd}"))
    }

    /// The token that ends a completion.
    pub fn end(&self) -> Token {
        self.end
    }

    /// Number of tokens; a model needs at least this vocabulary.
    pub fn len(&self) -> usize {
        self.inner.get_vocab_size(true)
    }

    /// Always false: there is at least the end token.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The characters in order of their ids, when the tokenizer is one of [`Tokenizer::characters`].
fn alphabet(inner: &tokenizers::Tokenizer) -> Option<String> {
    let size = inner.get_vocab_size(true) as u32;
    if inner.token_to_id(END) != Some(0) {
        return None;
    }
    let single = |name: String| {
        let mut characters = name.chars();
        characters.next().filter(|_| characters.next().is_none())
    };
    (1..size).map(|id| inner.id_to_token(id).and_then(single)).collect()
}

fn refused(problem: tokenizers::Error) -> Error {
    Error::Tokenizer { problem: problem.to_string() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn characters_are_numbered_in_order() {
        let tokenizer = Tokenizer::characters("0123+=+\n ").unwrap();
        assert_eq!(tokenizer.len(), 9);
        assert_eq!(tokenizer.end(), 0);
        assert_eq!(tokenizer.encode("1+2= \n").unwrap(), [2, 5, 3, 6, 8, 7]);
        assert_eq!(tokenizer.decode(&[2, 5, 0]).unwrap(), "1+");
    }

    proptest! {
        #[test]
        fn round_trip(text in "[abc (){}=+\n\u{e9}\u{3b1}]{0,20}") {
            let tokenizer = Tokenizer::characters("abc (){}=+\n\u{e9}\u{3b1}").unwrap();
            let tokens = tokenizer.encode(&text).unwrap();
            prop_assert_eq!(tokens.len(), text.chars().count());
            prop_assert_eq!(tokenizer.decode(&tokens).unwrap(), text);
        }
    }

    #[test]
    fn unknown_characters_are_named_and_unknown_tokens_replaced() {
        let tokenizer = Tokenizer::characters("ab").unwrap();
        let message = tokenizer.encode("ab?").unwrap_err().to_string();
        assert!(message.contains("'?' at byte 2"), "{message}");
        assert_eq!(tokenizer.decode(&[1, 3, 2, 0, 999]).unwrap(), "a\u{fffd}b\u{fffd}");
    }

    #[test]
    fn survives_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokenizer.json");
        let tokenizer = Tokenizer::characters("ab\u{e9} ").unwrap();
        tokenizer.save(&path).unwrap();
        let read = Tokenizer::from_file(&path, END).unwrap();
        assert_eq!(read.encode("b \u{e9}a").unwrap(), tokenizer.encode("b \u{e9}a").unwrap());
        assert_eq!((read.len(), read.end()), (5, 0));
        assert!(read.encode("c").unwrap_err().to_string().contains("'c'"));
        let message = Tokenizer::from_file(&path, "</s>").unwrap_err().to_string();
        assert!(message.contains("tokenizer.json") && message.contains("</s>"), "{message}");
        std::fs::write(&path, "{").unwrap();
        let message = Tokenizer::from_file(&path, END).unwrap_err().to_string();
        assert!(message.contains("not a tokenizer"), "{message}");
    }
}
