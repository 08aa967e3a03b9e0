//! One token per character.

use tokenizers::decoders::fuse::Fuse;
use tokenizers::models::wordlevel::WordLevel;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{AddedToken, SplitDelimiterBehavior};

use super::Tokenizer;
use crate::Token;
use crate::error::{Error, Result};

/// Name of the token that ends completions in a tokenizer of [`Tokenizer::characters`].
pub const END: &str = "<|end|>";

/// Id of [`END`].
pub const END_TOKEN: Token = 0;

/// A regular expression for any one character, in syntax that every engine supports.
const ANY: &str = r"[\s\S]";

impl Tokenizer {
    /// One token per distinct character, numbered from 1 in the order given; 0 is [`END`].
    pub fn characters(alphabet: &str) -> Result<Self> {
        let mut distinct = String::new();
        for c in alphabet.chars() {
            if !distinct.contains(c) {
                distinct.push(c);
            }
        }
        let names = std::iter::once(END.to_string()).chain(distinct.chars().map(String::from));
        let vocabulary = names.zip(0..).collect();
        let model = WordLevel::builder().vocab(vocabulary).build().map_err(Error::tokenizer)?;
        let each = SplitPattern::Regex(ANY.into());
        let split = Split::new(each, SplitDelimiterBehavior::Isolated, false).map_err(Error::tokenizer)?;
        let mut inner = tokenizers::Tokenizer::new(model);
        inner.with_pre_tokenizer(Some(split));
        inner.with_decoder(Some(Fuse::new()));
        inner.add_special_tokens(&[AddedToken::from(END, true)]);
        Self::new(inner)
    }

    /// The error of a character that has no token, where each character is a token.
    pub(super) fn check_characters(&self, text: &str) -> Result<()> {
        let Some(alphabet) = &self.alphabet else { return Ok(()) };
        match text.char_indices().find(|(_, c)| !alphabet.contains(*c)) {
            None => Ok(()),
            Some((position, character)) => Err(Error::Character { character, position, vocabulary: alphabet.clone() }),
        }
    }
}

/// The characters in order of their ids, when the tokenizer is one of [`Tokenizer::characters`].
pub(super) fn alphabet(inner: &tokenizers::Tokenizer, len: usize) -> Option<String> {
    if inner.token_to_id(END) != Some(END_TOKEN) {
        return None;
    }
    let single = |name: String| {
        let mut characters = name.chars();
        characters.next().filter(|_| characters.next().is_none())
    };
    (1..len as Token).map(|id| inner.id_to_token(id).and_then(single)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn characters_are_numbered_in_order() {
        let tokenizer = Tokenizer::characters("0123+=+\n ").unwrap();
        assert_eq!(tokenizer.len(), 9);
        assert_eq!(tokenizer.id(END), Some(0));
        assert_eq!(tokenizer.encode("1+2= \n").unwrap(), [2, 5, 3, 6, 8, 7]);
        assert_eq!(tokenizer.parse("1<|end|>2").unwrap(), [2, 0, 3]);
        assert_eq!(tokenizer.decode(&[2, 5, 0]).unwrap(), "1+");
        assert_eq!(tokenizer.decode_all(&[2, 5, 0]).unwrap(), "1+<|end|>");
    }

    proptest! {
        #[test]
        fn round_trip(text in "[abc (){}=+\n\u{e9}\u{3b1}]{0,20}") {
            let tokenizer = Tokenizer::characters("abc (){}=+\n\u{e9}\u{3b1}").unwrap();
            let tokens = tokenizer.encode(&text).unwrap();
            prop_assert_eq!(tokens.len(), text.chars().count());
            prop_assert_eq!(tokenizer.decode(&tokens).unwrap(), text);
        }

        #[test]
        fn no_text_ends_a_completion(text in "(<|\\|end|\\|>|a|<\\|end\\|>){0,6}") {
            let tokens = Tokenizer::characters("<|end>a").unwrap().encode(&text).unwrap();
            prop_assert_eq!(tokens.len(), text.len());
            prop_assert!(!tokens.contains(&0));
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
        let read = Tokenizer::read(&path).unwrap();
        assert_eq!(read.encode("b \u{e9}a").unwrap(), tokenizer.encode("b \u{e9}a").unwrap());
        assert_eq!((read.len(), read.id(END)), (5, Some(0)));
        assert!(read.encode("c").unwrap_err().to_string().contains("'c'"));
        std::fs::write(&path, "{").unwrap();
        let message = Tokenizer::read(&path).unwrap_err().to_string();
        assert!(message.contains("tokenizer.json: not a tokenizer"), "{message}");
    }
}
