//! Between the text of a task and the tokens of a model.

use std::fmt::Debug;
use std::path::Path;

use oreal_text::{END_TOKEN, Token, Tokenizer};
use oreal_toy_envs::Prompt;

use crate::error::{Error, Result};

/// Turns prompts into tokens, and tokens into text.
pub trait Renderer: Debug + Send + Sync {
    /// The tokens that a completion follows.
    fn prompt(&self, prompt: &Prompt) -> Result<Vec<Token>>;

    /// The tokens of a completion that is text and then ends, the token that ends it included.
    fn completion(&self, text: &str) -> Result<Vec<Token>>;

    /// The text of a completion, without the token that ends it. Any tokens a model can draw must have one.
    fn text(&self, completion: &[Token]) -> Result<String>;

    /// The tokens that end a completion.
    fn stop(&self) -> Vec<Token>;

    /// Number of tokens; those of a model at or beyond it are never drawn.
    fn vocabulary(&self) -> usize;

    /// Writes what is needed to render again into a folder.
    fn save(&self, folder: &Path) -> Result<()>;
}

/// A token for each character of an alphabet, and one that ends completions. For prompts that are text.
#[derive(Clone, Debug)]
pub struct Characters(Tokenizer);

impl Characters {
    /// Of this alphabet; a character that comes twice is one token.
    pub fn new(alphabet: &str) -> Result<Characters> {
        Tokenizer::characters(alphabet).map(Characters).map_err(|problem| Error::part("tokenizer", problem))
    }

    /// The tokenizer that it is made of.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.0
    }

    fn encode(&self, text: &str) -> Result<Vec<Token>> {
        self.0.encode(text).map_err(|problem| Error::part("tokenizer", problem))
    }
}

impl Renderer for Characters {
    fn prompt(&self, prompt: &Prompt) -> Result<Vec<Token>> {
        match prompt {
            Prompt::Text(text) => self.encode(text),
            Prompt::Chat(_) => {
                Err(Error::part("renderer", "characters have no chat template: give the experiment another renderer"))
            }
        }
    }

    fn completion(&self, text: &str) -> Result<Vec<Token>> {
        let mut tokens = self.encode(text)?;
        tokens.push(END_TOKEN);
        Ok(tokens)
    }

    fn text(&self, completion: &[Token]) -> Result<String> {
        self.0.decode(completion).map_err(|problem| Error::part("tokenizer", problem))
    }

    fn stop(&self) -> Vec<Token> {
        vec![END_TOKEN]
    }

    fn vocabulary(&self) -> usize {
        self.0.len()
    }

    fn save(&self, folder: &Path) -> Result<()> {
        self.0.save(&folder.join("tokenizer.json")).map_err(|problem| Error::part("tokenizer", problem))
    }
}
