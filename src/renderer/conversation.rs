//! Conversations through a checkpoint's tokenizer and chat template.

use std::path::Path;

use oreal_models::Token;
use oreal_text::{Chat, Extra, Preset, Role, SystemPrompt};
use oreal_toy_envs::{Message, Prompt, Speaker};

use super::Renderer;
use crate::config::TextSettings;
use crate::error::{Error, Result};

/// A tokenizer with its chat template, and perhaps a system message.
///
/// A prompt that is a conversation goes through the template, which begins the model's turn; a plain text is continued as it is.
#[derive(Clone, Debug)]
pub struct Conversation {
    chat: Chat,
    /// What conversations without a system message begin with; empty for nothing.
    system: String,
}

impl Conversation {
    /// From a folder with a `tokenizer.json`; `rows` are those of the model's embedding, where there is a model already.
    ///
    /// # Errors
    /// Files that cannot be read, names that are unknown, a tokenizer with more tokens than the model.
    pub fn read(folder: &Path, text: &TextSettings, rows: Option<usize>) -> Result<Conversation> {
        let wrong = |key: &str, problem: String| Error::setting(format!("text.{key}"), problem);
        let chat = match text.template.as_str() {
            "" => Chat::read(folder),
            name => {
                let known = || Preset::ALL.map(Preset::name).join(", ");
                let preset = Preset::ALL.into_iter().find(|preset| preset.name() == name);
                let preset =
                    preset.ok_or_else(|| wrong("template", format!("{name:?} is unknown; there are {}", known())))?;
                Chat::read_with_preset(folder, preset)
            }
        };
        let chat = chat.map_err(failed)?.with_extra(arguments(text)?);
        let chat = match rows {
            Some(rows) => chat.for_embedding(rows).map_err(failed)?,
            None => chat,
        };
        let named = SystemPrompt::ALL.into_iter().find(|prompt| prompt.name() == text.system);
        let system = named.map_or_else(|| text.system.clone(), |prompt| prompt.text().unwrap_or_default().to_owned());
        Ok(Conversation { chat, system })
    }

    /// Of a tokenizer and a template.
    pub fn new(chat: Chat) -> Conversation {
        Conversation { chat, system: String::new() }
    }

    /// The tokenizer and the template.
    pub fn chat(&self) -> &Chat {
        &self.chat
    }
}

impl Renderer for Conversation {
    fn prompt(&self, prompt: &Prompt) -> Result<Vec<Token>> {
        match prompt {
            Prompt::Text(text) => {
                let tokens = self.chat.tokenizer().encode(text).map_err(failed)?;
                if tokens.is_empty() { Ok(vec![self.chat.end()]) } else { Ok(tokens) }
            }
            Prompt::Chat(messages) => {
                let begun = messages.iter().any(|message| message.role == Speaker::System);
                let system =
                    (!begun && !self.system.is_empty()).then(|| oreal_text::Message::new(Role::System, &*self.system));
                let messages: Vec<_> = system.into_iter().chain(messages.iter().map(message)).collect();
                self.chat.prompt(&messages, true).map_err(failed)
            }
        }
    }

    fn completion(&self, text: &str) -> Result<Vec<Token>> {
        self.chat.answer(text).map_err(failed)
    }

    fn text(&self, completion: &[Token]) -> Result<String> {
        self.chat.decode(completion).map_err(failed)
    }

    fn stop(&self) -> Vec<Token> {
        self.chat.stop().to_vec()
    }

    fn vocabulary(&self) -> usize {
        self.chat.vocabulary()
    }

    fn save(&self, folder: &Path) -> Result<()> {
        self.chat.save(folder).map_err(failed)
    }
}

fn message(message: &Message) -> oreal_text::Message {
    let role = match message.role {
        Speaker::System => Role::System,
        Speaker::User => Role::User,
        Speaker::Assistant => Role::Assistant,
    };
    oreal_text::Message::new(role, &*message.content)
}

/// The template's variables, as JSON.
fn arguments(text: &TextSettings) -> Result<Extra> {
    let wrong = |problem: serde_json::Error| Error::setting("text.arguments", problem);
    text.arguments.iter().map(|(name, value)| Ok((name.clone(), serde_json::to_value(value).map_err(wrong)?))).collect()
}

pub(super) fn failed(problem: oreal_text::Error) -> Error {
    Error::part("text", problem)
}
