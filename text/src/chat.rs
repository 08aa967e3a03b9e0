//! A tokenizer, a chat template and what ends a turn: conversations to tokens.

mod files;
mod folder;
mod protect;
mod turn;

use std::collections::BTreeMap;
use std::path::Path;

use crate::Token;
use crate::error::{Error, Result};
use crate::message::{Extra, Message, Role};
use crate::presets::Preset;
use crate::template::{ChatTemplate, Variables};
use crate::tokenizer::Tokenizer;

use files::Files;

/// Conversations to tokens, for one checkpoint.
///
/// **What is said never becomes a control token.** `<|im_end|>` in a question is text: it is encoded as the letters it
/// has, and the turn goes on. To this end each place in a message where a control token's name stands is replaced,
/// before the template is rendered, by a character that Unicode leaves to private use; afterwards the name is put back
/// as a [`Part::Plain`](crate::Part::Plain), and the tokens of the whole are those of [`Tokenizer::encode_parts`]. So a
/// template may trim, split or repeat what is said. The same holds for the beginning of a name at the end of a message
/// and for the end of a name at its beginning, which the template could complete. Conversations without such text get
/// the tokens of transformers' `apply_chat_template`.
///
/// Two limits: marks that a template writes as ordinary text (`[INST]` of Llama 2) are no control tokens, and a
/// template that deletes text from the middle of a message joins what stood on both sides.
#[derive(Clone, Debug)]
pub struct Chat {
    tokenizer: Tokenizer,
    template: ChatTemplate,
    /// Names of special tokens by their role, such as `bos_token`.
    special: BTreeMap<String, String>,
    extra: Extra,
    /// What ends an assistant's turn in the template, or else a text.
    end: Token,
    stop: Vec<Token>,
    /// Rows of the model's embedding.
    rows: Option<usize>,
    files: Files,
}

/// Names of the special tokens of a tokenizer that comes without files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Special {
    /// Ends a text.
    pub eos: String,
    /// Fills up batches.
    pub pad: Option<String>,
    /// Begins a text.
    pub bos: Option<String>,
}

impl Chat {
    /// Reads a checkpoint's folder: `tokenizer.json`, and where they are there `tokenizer_config.json`,
    /// `chat_template.jinja`, `generation_config.json`, `special_tokens_map.json` and `config.json`.
    pub fn read(folder: &Path) -> Result<Self> {
        folder::read(folder, None)
    }

    /// Reads a checkpoint's folder, with another chat template than it has.
    pub fn read_with_template(folder: &Path, template: &ChatTemplate) -> Result<Self> {
        folder::read(folder, Some(&|_| Ok(template.clone())))
    }

    /// Reads a checkpoint's folder, with a preset for its chat template. If the tokenizer puts a token before every
    /// text, so does the template.
    pub fn read_with_preset(folder: &Path, preset: Preset) -> Result<Self> {
        folder::read(folder, Some(&|tokenizer| preset_for(preset, tokenizer)))
    }

    /// A chat of a tokenizer that comes without files, such as one just trained. [`Chat::save`] writes them.
    pub fn new(tokenizer: Tokenizer, preset: Preset, special: &Special) -> Result<Self> {
        let template = preset_for(preset, &tokenizer)?;
        let files = Files::generated(&tokenizer, &template, special)?;
        let names = [("eos_token", Some(&special.eos)), ("pad_token", special.pad.as_ref())];
        let names = names.into_iter().chain([("bos_token", special.bos.as_ref())]);
        let names = names.filter_map(|(role, name)| Some((role.to_string(), name?.clone()))).collect();
        Self::build(tokenizer, template, names, Vec::new(), files)
    }

    /// `stop` are the tokens that end texts; if there are none, the `eos_token` is the one.
    fn build(
        mut tokenizer: Tokenizer,
        template: ChatTemplate,
        special: BTreeMap<String, String>,
        mut stop: Vec<Token>,
        files: Files,
    ) -> Result<Self> {
        let named = |role: &str| match special.get(role) {
            None => Ok(None),
            Some(name) => {
                let missing = || Error::NoToken { what: role.to_string(), name: name.clone() };
                tokenizer.id(name).ok_or_else(missing).map(Some)
            }
        };
        let eos = named("eos_token")?;
        if stop.is_empty() {
            stop.extend(eos);
        }
        let turn = turn::end(&tokenizer, &template, &special);
        stop.extend(turn.filter(|end| !stop.contains(end)));
        let none = || Error::NoToken { what: "the end of a turn".into(), name: "eos_token".into() };
        let end = turn.or(eos).or(stop.first().copied()).ok_or_else(none)?;
        tokenizer.make_control(&stop)?;
        Ok(Self { tokenizer, template, special, extra: Extra::new(), end, stop, rows: None, files })
    }

    /// With further variables for the template, in every conversation.
    pub fn with_extra(mut self, extra: Extra) -> Self {
        self.extra = extra;
        self
    }

    /// With this day as today's for the template, instead of none.
    pub fn on(mut self, year: i16, month: i8, day: i8) -> Result<Self> {
        self.template = self.template.on(year, month, day)?;
        Ok(self)
    }

    /// For a model whose embedding has this number of rows.
    ///
    /// More rows than tokens are padding: see [`Chat::vocabulary`]. With fewer rows, the tokens beyond must be added
    /// tokens that end nothing; text that holds one of them is refused.
    pub fn for_embedding(mut self, rows: usize) -> Result<Self> {
        if let Some(token) = self.tokenizer.first_in_use(rows, &self.stop) {
            let name = self.tokenizer.name(token).unwrap_or_default();
            return Err(Error::Embedding { tokens: self.tokenizer.len(), rows, token, name });
        }
        self.rows = Some(rows);
        Ok(self)
    }

    /// Tokens of a conversation; with `add_generation_prompt`, the assistant's turn is begun, and what a model draws
    /// continues it.
    pub fn prompt(&self, messages: &[Message], add_generation_prompt: bool) -> Result<Vec<Token>> {
        let parts = self.parts(messages, add_generation_prompt)?;
        self.checked(parts.encode(&self.tokenizer)?)
    }

    /// Text of a conversation as the template renders it, for people.
    pub fn render(&self, messages: &[Message], add_generation_prompt: bool) -> Result<String> {
        Ok(self.parts(messages, add_generation_prompt)?.text())
    }

    /// Text of tokens, without control tokens.
    pub fn decode(&self, tokens: &[Token]) -> Result<String> {
        self.tokenizer.decode(tokens)
    }

    /// The tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// The chat template.
    pub fn template(&self) -> &ChatTemplate {
        &self.template
    }

    /// The tokens that end a completion: those of `eos_token_id` in `generation_config.json`, else in `config.json`, else
    /// the tokenizer's `eos_token`; and the token that ends an assistant's turn in the template.
    pub fn stop(&self) -> &[Token] {
        &self.stop
    }

    /// The token that ends an answer: the first control token that the template writes after what an assistant says, or
    /// the `eos_token` where it writes none.
    pub fn end(&self) -> Token {
        self.end
    }

    /// Number of tokens that both the tokenizer and the model have. Rows of an embedding at or beyond it are no tokens:
    /// never to be drawn.
    pub fn vocabulary(&self) -> usize {
        self.rows.map_or(self.tokenizer.len(), |rows| rows.min(self.tokenizer.len()))
    }

    /// Writes the tokenizer's files, the chat template and the generation configuration to a folder, all or none. Files
    /// that were read are written unchanged, byte for byte.
    pub fn save(&self, folder: &Path) -> Result<()> {
        self.files.save(folder)
    }

    fn parts(&self, messages: &[Message], add_generation_prompt: bool) -> Result<protect::Parts> {
        let extra = Some(&self.extra);
        let variables = Variables { add_generation_prompt, special: Some(&self.special), extra };
        protect::render(&self.tokenizer, &self.template, messages, &variables)
    }

    fn checked(&self, tokens: Vec<Token>) -> Result<Vec<Token>> {
        let rows = self.rows.unwrap_or(usize::MAX);
        match tokens.iter().find(|&&token| token as usize >= rows) {
            None => Ok(tokens),
            Some(&token) => Err(Error::Beyond { token, name: self.tokenizer.name(token).unwrap_or_default(), rows }),
        }
    }
}

fn preset_for(preset: Preset, tokenizer: &Tokenizer) -> Result<ChatTemplate> {
    for name in preset.needs() {
        let what = || format!("chat template {:?}", preset.name());
        tokenizer.id(name).ok_or_else(|| Error::NoToken { what: what(), name: name.to_string() })?;
    }
    let opening = tokenizer.opening().and_then(|token| tokenizer.name(token));
    ChatTemplate::new(&preset.source(opening.as_deref()))
}

/// A short question, for conversations that only show what the template does.
fn question() -> Message {
    Message::new(Role::User, "?")
}
