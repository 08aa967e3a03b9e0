//! Between the text of a task and the tokens of a model.

mod conversation;

use std::fmt::Debug;
use std::path::Path;
use std::sync::Arc;

use oreal_text::{END_TOKEN, Token, Tokenizer};
use oreal_toy_envs::{Env, Prompt};

use crate::config::{ModelSettings, TextSettings};
use crate::error::{Error, Result};
use crate::hub::{self, Part};
use crate::model::sizes_of;
pub use conversation::Conversation;

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

/// The renderer that the settings say: that of a tokenizer, a checkpoint's, or a token for each character of a world's alphabet.
///
/// # Errors
/// Files that cannot be read; an environment that is no world where there is no tokenizer.
pub(crate) fn of(model: &ModelSettings, text: &TextSettings, env: Option<&dyn Env>) -> Result<Arc<dyn Renderer>> {
    let rows = model.checkpoint().map(|path| Ok::<_, Error>(sizes_of(path)?.vocab_size)).transpose()?;
    let folder = Some(text.tokenizer.as_str()).filter(|name| !name.is_empty()).or(model.checkpoint());
    if let Some(folder) = folder {
        let folder = hub::folder(folder, Part::Description)?;
        return Ok(Arc::new(Conversation::read(&folder, text, rows)?));
    }
    let missing = || {
        let name = env.map_or("text.tokenizer", Env::name);
        let problem = "there is no alphabet to make tokens of: name a tokenizer (text.tokenizer), or a checkpoint \
                       (model.kind = \"checkpoint\"); or from Rust, give the experiment a renderer (Experiment::renderer)";
        Error::part(name, problem)
    };
    let world = env.and_then(Env::world).ok_or_else(missing)?;
    Ok(Arc::new(Characters::new(&world.alphabet())?))
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
