//! Text to tokens and back.

mod characters;
mod parts;
mod train;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use tokenizers::{AddedToken, Model};

use crate::Token;
use crate::error::{Error, Result};
use crate::file;

pub use characters::{END, END_TOKEN};
pub use parts::Part;

/// A Hugging Face tokenizer: whatever a `tokenizer.json` describes.
///
/// A *control token* is an added token that its tokenizer calls special, such as `<|im_end|>`. Text is encoded either
/// with control tokens parsed ([`Tokenizer::parse`]: the text of templates) or without ([`Tokenizer::encode`]: the text of
/// users and models, in which `<|im_end|>` is nine or so ordinary tokens).
#[derive(Clone, Debug)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    /// Names and ids of the added tokens, without control tokens.
    plain: tokenizers::AddedVocabulary,
    /// Names and ids of the control tokens, by id.
    control: Vec<(Token, String)>,
    /// The token of a text that the vocabulary has nothing for, where it is a control token.
    unknown: Option<Token>,
    /// Highest id plus 1.
    len: usize,
    /// The characters that can be encoded, when each character is a token.
    alphabet: Option<String>,
}

/// A character that no vocabulary has.
const STRANGE: &str = "\u{10ffff}";

/// A text of several kinds of characters.
const SAMPLE: &str = "What is 2 + 2?\n\u{e9}";

/// The library panics on files that describe what it cannot do, such as pieces of length 0: that is an error here. It
/// keeps nothing half done, because it computes from a tokenizer that does not change.
fn caught<T>(work: impl FnOnce() -> T) -> Result<T> {
    let problem = |_| Error::tokenizer("its file describes steps that cannot be carried out");
    catch_unwind(AssertUnwindSafe(work)).map_err(problem)
}

impl Tokenizer {
    /// Reads a `tokenizer.json`.
    pub fn read(path: &Path) -> Result<Self> {
        Self::from_bytes(&file::read(path, file::MOST_TOKENIZER)?, path)
    }

    /// Parses the bytes of a `tokenizer.json`; `path` is for errors.
    pub(crate) fn from_bytes(bytes: &[u8], path: &Path) -> Result<Self> {
        let told = |problem: Error| Error::file(path, problem);
        let inner = caught(|| tokenizers::Tokenizer::from_bytes(bytes)).map_err(told)?;
        let mut inner = inner.map_err(|problem| Error::file(path, format!("not a tokenizer: {problem}")))?;
        // A file may ask for truncated or padded texts; prompts are neither.
        inner.with_padding(None);
        inner.with_truncation(None).map_err(|problem| Error::file(path, problem))?;
        let tokenizer = caught(|| Self::new(inner)).and_then(|result| result).map_err(told)?;
        // What cannot be carried out shows with the first text.
        match tokenizer.alphabet {
            Some(_) => Ok(()),
            None => tokenizer.encode(SAMPLE).map(drop).map_err(told),
        }?;
        Ok(tokenizer)
    }

    fn new(inner: tokenizers::Tokenizer) -> Result<Self> {
        let mut plain = inner.get_added_vocabulary().clone();
        plain.set_encode_special_tokens(true);
        let added = inner.get_added_vocabulary().get_added_tokens_decoder();
        let mut control: Vec<(Token, String)> = added
            .iter()
            .map(|(&id, token)| (id, token.content.clone()))
            .filter(|(_, name)| plain.is_special_token(name))
            .collect();
        control.sort();
        let len = inner.get_vocab(true).into_values().max().map_or(0, |id| id as usize + 1);
        let alphabet = characters::alphabet(&inner, len);
        let strange = inner.get_model().tokenize(STRANGE).ok().and_then(|tokens| Some(tokens.first()?.id));
        let unknown = strange.filter(|id| control.binary_search_by_key(id, |(id, _)| *id).is_ok());
        Ok(Self { inner, plain, control, unknown, len, alphabet })
    }

    /// Writes a `tokenizer.json`, whole or not at all.
    pub fn save(&self, path: &Path) -> Result<()> {
        file::write(path, self.json()?.as_bytes())
    }

    /// The `tokenizer.json`.
    pub(crate) fn json(&self) -> Result<String> {
        self.inner.to_string(true).map_err(Error::tokenizer)
    }

    /// Tokens of an ordinary text. The names of control tokens in it are text; none is added around it.
    pub fn encode(&self, text: &str) -> Result<Vec<Token>> {
        self.encode_parts(&[Part::Plain(text)])
    }

    /// Tokens of a text in which the names of control tokens stand for these. None is added around it.
    pub fn parse(&self, text: &str) -> Result<Vec<Token>> {
        self.encode_parts(&[Part::Template(text)])
    }

    /// Text of the tokens; control tokens are left out.
    ///
    /// Bytes that are no UTF-8, as of a completion cut within a character, become U+FFFD. So do ids that are no token,
    /// which a model may draw whose vocabulary is padded: no such completion passes for another text.
    pub fn decode(&self, tokens: &[Token]) -> Result<String> {
        self.text(tokens, true)
    }

    /// Text of the tokens with the names of control tokens. For people: it does not lead back to the tokens.
    pub fn decode_all(&self, tokens: &[Token]) -> Result<String> {
        self.text(tokens, false)
    }

    fn text(&self, tokens: &[Token], skip_control: bool) -> Result<String> {
        let known = |tokens: &[Token]| caught(|| self.inner.decode(tokens, skip_control))?.map_err(Error::tokenizer);
        let runs: Vec<&[Token]> = tokens.split(|&token| self.inner.id_to_token(token).is_none()).collect();
        let texts = runs.into_iter().map(|run| if run.is_empty() { Ok(String::new()) } else { known(run) });
        Ok(texts.collect::<Result<Vec<_>>>()?.join("\u{fffd}"))
    }

    /// The token of this name.
    pub fn id(&self, name: &str) -> Option<Token> {
        self.inner.token_to_id(name)
    }

    /// The name of a token: a piece of text as the vocabulary writes it, such as `Ġthe`.
    pub fn name(&self, token: Token) -> Option<String> {
        self.inner.id_to_token(token)
    }

    /// Ids and names of the control tokens, by id.
    pub fn control(&self) -> &[(Token, String)] {
        &self.control
    }

    /// Whether a token is a control token.
    pub fn is_control(&self, token: Token) -> bool {
        self.control.binary_search_by_key(&token, |(id, _)| *id).is_ok()
    }

    /// Whether a token was added to the vocabulary, as control tokens are.
    pub fn is_added(&self, token: Token) -> bool {
        self.added(token).is_some()
    }

    fn added(&self, token: Token) -> Option<&AddedToken> {
        self.inner.get_added_vocabulary().get_added_tokens_decoder().get(&token)
    }

    /// Makes those of the tokens that are added ones control tokens: what ends a completion is no text, whatever the
    /// tokenizer's file says.
    pub(crate) fn make_control(&mut self, tokens: &[Token]) -> Result<()> {
        let added = tokens.iter().filter(|&&token| !self.is_control(token)).filter_map(|&token| self.added(token));
        let special: Vec<AddedToken> = added.cloned().map(|token| token.special(true)).collect();
        if !special.is_empty() {
            self.inner.add_special_tokens(&special);
            *self = Self::new(self.inner.clone())?;
        }
        Ok(())
    }

    /// The first token from `rows` on that is not merely an added one, or that is among `used`.
    pub(crate) fn first_in_use(&self, rows: usize, used: &[Token]) -> Option<Token> {
        if rows >= self.len {
            return None;
        }
        let beyond = self.inner.get_vocab(true).into_values().filter(|&token| token as usize >= rows);
        beyond.filter(|token| !self.is_added(*token) || used.contains(token)).min()
    }

    /// The token that this tokenizer itself puts before a text, if it does so.
    pub fn opening(&self) -> Option<Token> {
        let encoding = caught(|| self.inner.encode("", true)).ok()?.ok()?;
        encoding.get_ids().first().copied().filter(|&id| self.is_control(id))
    }

    /// The highest id plus 1: a model needs at least this vocabulary. There may be ids below it that are no token.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no token.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}
