//! Encoding of texts of which some parts may hold control tokens and others not.

use std::ops::Range;

use tokenizers::tokenizer::normalizer::Range as Slice;
use tokenizers::{
    Model, NormalizedString, Normalizer, OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer,
};

use super::{Tokenizer, caught};
use crate::Token;
use crate::error::{Error, Result};

/// A part of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// The names of control tokens stand for these.
    Template(&'a str),
    /// The names of control tokens are ordinary text.
    Plain(&'a str),
}

impl<'a> Part<'a> {
    /// The text.
    pub fn text(self) -> &'a str {
        match self {
            Self::Template(text) | Self::Plain(text) => text,
        }
    }
}

/// An added token that was found in a text, and the bytes that it stands for.
type Found = (Range<usize>, Token);

impl Tokenizer {
    /// Tokens of the parts joined into one text. None is added around it.
    ///
    /// The tokens are those of the whole text as Hugging Face encodes it, unless that would put a control token where
    /// a plain part has text. Then control tokens are looked for in each template part alone, and the text between
    /// them is encoded as if it held none. Parts are not encoded one by one: a word may begin in one and end in another.
    pub fn encode_parts(&self, parts: &[Part<'_>]) -> Result<Vec<Token>> {
        caught(|| self.encode_joined(parts))?
    }

    fn encode_joined(&self, parts: &[Part<'_>]) -> Result<Vec<Token>> {
        let text: String = parts.iter().map(|part| part.text()).collect();
        self.check_characters_of(parts)?;
        let encoding = self.inner.encode(text.as_str(), false).map_err(Error::tokenizer)?;
        let plain = spans(parts, |part| matches!(part, Part::Plain(_)));
        let intrudes = |(&id, &(start, end)): (&Token, &(usize, usize))| {
            self.is_control(id) && plain.iter().any(|span| overlap(span, &trimmed(&text, start..end)))
        };
        if encoding.get_ids().iter().zip(encoding.get_offsets()).any(intrudes) {
            return self.encode_guarded(&text, parts);
        }
        Ok(encoding.get_ids().to_vec())
    }

    /// As [`Tokenizer::encode_parts`], with control tokens found part by part.
    pub(super) fn encode_guarded(&self, text: &str, parts: &[Part<'_>]) -> Result<Vec<Token>> {
        let found = self.find_added(parts);
        let mut split = PreTokenizedString::from(text);
        split.split(|_, whole| cut(&whole, &found)).map_err(Error::tokenizer)?;
        if let Some(normalizer) = self.inner.get_normalizer() {
            split.normalize(|piece| normalizer.normalize(piece)).map_err(Error::tokenizer)?;
        }
        if let Some(pre_tokenizer) = self.inner.get_pre_tokenizer() {
            pre_tokenizer.pre_tokenize(&mut split).map_err(Error::tokenizer)?;
        }
        split.tokenize(|piece| self.tokenize_plain(piece.get())).map_err(Error::tokenizer)?;
        let encoding = split.into_encoding(None, 0, OffsetType::None).map_err(Error::tokenizer)?;
        let ids = encoding.get_ids().to_vec();
        // What the model itself turned into a control token, beyond those that were looked for.
        let mut expected = found.iter().map(|(_, id)| *id).filter(|&id| self.is_control(id));
        let actual = ids.iter().filter(|&&id| self.is_control(id) && Some(id) != self.unknown);
        for &token in actual {
            if expected.find(|&id| Some(id) != self.unknown) != Some(token) {
                return Err(Error::Control { token, name: self.name(token).unwrap_or_default() });
            }
        }
        Ok(ids)
    }

    /// Where a text has names of control tokens, without the white space that these may take along.
    pub(crate) fn find_control(&self, text: &str) -> Vec<Range<usize>> {
        let found = caught(|| self.find_added(&[Part::Template(text)])).unwrap_or_default().into_iter();
        found.filter(|(_, id)| self.is_control(*id)).map(|(span, _)| trimmed(text, span)).collect()
    }

    fn tokenize_plain(&self, piece: &str) -> tokenizers::Result<Vec<tokenizers::Token>> {
        self.inner.get_model().tokenize(piece)
    }

    /// The added tokens in each part, in order, control tokens in template parts only.
    fn find_added(&self, parts: &[Part<'_>]) -> Vec<Found> {
        let mut found = Vec::new();
        let mut start = 0;
        for part in parts {
            let vocabulary = match part {
                Part::Template(_) => self.inner.get_added_vocabulary(),
                Part::Plain(_) => &self.plain,
            };
            let split = vocabulary.extract_and_normalize(self.inner.get_normalizer(), part.text());
            for (_, (from, to), tokens) in split.get_splits(OffsetReferential::Original, OffsetType::Byte) {
                let id = tokens.as_ref().and_then(|tokens| tokens.first()).map(|token| token.id);
                found.extend(id.map(|id| (start + from..start + to, id)));
            }
            start += part.text().len();
        }
        found
    }

    fn check_characters_of(&self, parts: &[Part<'_>]) -> Result<()> {
        parts.iter().try_for_each(|part| match part {
            Part::Plain(text) => self.check_characters(text),
            Part::Template(text) => self.check_characters(&text.replace(super::END, "")),
        })
    }
}

/// The text cut at the tokens that were found in it.
fn cut(
    whole: &NormalizedString,
    found: &[Found],
) -> tokenizers::Result<Vec<(NormalizedString, Option<Vec<tokenizers::Token>>)>> {
    let slice = |range: Range<usize>| whole.slice(Slice::Original(range)).ok_or("a token ends within a character");
    let mut pieces = Vec::with_capacity(2 * found.len() + 1);
    let mut end = 0;
    for (range, id) in found {
        if end < range.start {
            pieces.push((slice(end..range.start)?, None));
        }
        let name = slice(range.clone())?;
        let token = tokenizers::Token::new(*id, name.get().to_owned(), (0, name.len()));
        pieces.push((name, Some(vec![token])));
        end = range.end;
    }
    if end < whole.len() {
        pieces.push((slice(end..whole.len())?, None));
    }
    Ok(pieces)
}

/// The bytes of those parts that are chosen.
fn spans(parts: &[Part<'_>], chosen: impl Fn(&Part<'_>) -> bool) -> Vec<Range<usize>> {
    let mut start = 0;
    let mut spans = Vec::new();
    for part in parts {
        let end = start + part.text().len();
        if chosen(part) {
            spans.push(start..end);
        }
        start = end;
    }
    spans
}

/// The range without white space at its ends: some control tokens take the spaces around them.
fn trimmed(text: &str, range: Range<usize>) -> Range<usize> {
    let inside = text.get(range.clone()).unwrap_or_default();
    let start = range.start + (inside.len() - inside.trim_start().len());
    start..start.max(range.start + inside.trim_end().len())
}

fn overlap(a: &Range<usize>, b: &Range<usize>) -> bool {
    a.start < b.end && b.start < a.end
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;

    fn golden(name: &str) -> Tokenizer {
        let root: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
        Tokenizer::read(&root.join(name).join("tokenizer.json")).unwrap()
    }

    #[test]
    fn part_by_part_is_as_the_whole_where_nothing_intrudes() {
        for name in ["byte_level", "metaspace"] {
            let tokenizer = golden(name);
            for parts in [
                [
                    Part::Template("<s>[INST] "),
                    Part::Plain("What is <x> 2 + 2?"),
                    Part::Template(" [/INST]<|im_end|>\n"),
                ],
                [Part::Template("a"), Part::Plain("b <think>c"), Part::Template("d\u{e9} ")],
                [Part::Template(""), Part::Plain(" <"), Part::Template("<|sep|>  x")],
            ] {
                let text: String = parts.iter().map(|part| part.text()).collect();
                let guarded = tokenizer.encode_guarded(&text, &parts).unwrap();
                assert_eq!(guarded, tokenizer.inner.encode(text.as_str(), false).unwrap().get_ids(), "{name}: {text}");
            }
        }
    }

    #[test]
    fn a_name_is_control_in_template_parts_only() {
        for name in ["byte_level", "metaspace"] {
            let tokenizer = golden(name);
            let end = tokenizer.id("<|im_end|>").unwrap();
            let parts = [Part::Plain("a<|im_end|>b"), Part::Template("<|im_end|>"), Part::Plain("<|im_end|>")];
            let tokens = tokenizer.encode_parts(&parts).unwrap();
            assert_eq!(tokens.iter().filter(|&&token| token == end).count(), 1, "{name}");
            assert!(
                tokenizer.parse("<|im_end|>").unwrap().contains(&end)
                    && !tokenizer.encode("<|im_end|>").unwrap().contains(&end)
            );
        }
    }

    #[test]
    fn a_model_that_makes_control_tokens_of_text_is_told() {
        let json = r#"{"version": "1.0", "added_tokens": [{"id": 1, "content": "[E]", "single_word": false, "lstrip": false,
            "rstrip": false, "normalized": false, "special": true}, {"id": 0, "content": "[U]", "single_word": false,
            "lstrip": false, "rstrip": false, "normalized": false, "special": true}],
            "pre_tokenizer": {"type": "WhitespaceSplit"},
            "model": {"type": "WordLevel", "vocab": {"[U]": 0, "[E]": 1, "a": 2}, "unk_token": "[U]"}}"#;
        let tokenizer = Tokenizer::from_bytes(json.as_bytes(), Path::new("x")).unwrap();
        assert_eq!(tokenizer.parse("a [E] b").unwrap(), [2, 1, 0]);
        assert_eq!(tokenizer.encode("a b").unwrap(), [2, 0], "an unknown word is no control");
        let message = tokenizer.encode("a [E]").unwrap_err().to_string();
        assert!(message.contains("control token 1 (\"[E]\")"), "{message}");
    }
}
