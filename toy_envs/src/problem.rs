//! Problems: a prompt with a known answer.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Which problems: those to train on, or those kept for evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Split {
    /// Problems to train on.
    Train,
    /// Problems that are never trained on.
    HeldOut,
}

impl Split {
    /// Both splits.
    pub const ALL: [Split; 2] = [Split::Train, Split::HeldOut];
}

/// A prompt with its known answer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Problem {
    /// Two problems of an environment have the same id exactly when they have the same prompt. Ids do not change as long as
    /// the settings of the environment do not.
    pub id: u64,
    /// What the model is asked.
    pub prompt: Prompt,
    /// A right completion. The judge may accept others.
    pub answer: String,
}

/// What a model is asked, before it is made into tokens.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Prompt {
    /// Plain text, which the model continues.
    Text(String),
    /// A conversation, which the model answers. A chat template makes it into text.
    Chat(Vec<Message>),
}

/// One message of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Message {
    /// Who speaks.
    pub role: Speaker,
    /// What is said.
    pub content: String,
}

/// Who speaks in a conversation. The names are those of chat templates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Speaker {
    /// Instructions that hold for the whole conversation.
    System,
    /// Who asks.
    User,
    /// The model.
    Assistant,
}

impl Prompt {
    /// The text of a plain prompt; `None` for a conversation.
    pub fn text(&self) -> Option<&str> {
        match self {
            Prompt::Text(text) => Some(text),
            Prompt::Chat(_) => None,
        }
    }
}

impl Speaker {
    /// As in chat templates: `system`, `user` or `assistant`.
    pub fn name(self) -> &'static str {
        match self {
            Speaker::System => "system",
            Speaker::User => "user",
            Speaker::Assistant => "assistant",
        }
    }
}

/// For messages and records: plain text as it is, a conversation with one `role: content` a line. Models read a conversation
/// through their chat template instead.
impl fmt::Display for Prompt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Prompt::Text(text) => f.write_str(text),
            Prompt::Chat(messages) => {
                let lines: Vec<String> = messages.iter().map(|m| format!("{}: {}", m.role.name(), m.content)).collect();
                f.write_str(&lines.join("\n"))
            }
        }
    }
}

impl From<&str> for Prompt {
    fn from(text: &str) -> Self {
        Prompt::Text(text.into())
    }
}

impl From<String> for Prompt {
    fn from(text: String) -> Self {
        Prompt::Text(text)
    }
}

impl From<Vec<Message>> for Prompt {
    fn from(messages: Vec<Message>) -> Self {
        Prompt::Chat(messages)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chat() -> Prompt {
        let message = |role, content: &str| Message { role, content: content.into() };
        let messages = vec![
            message(Speaker::System, "Answer with a number."),
            message(Speaker::User, "What is 2+2?"),
            message(Speaker::Assistant, "4"),
            message(Speaker::User, "And 2*3?"),
        ];
        messages.into()
    }

    #[test]
    fn a_prompt_is_a_text_or_a_conversation() {
        assert_eq!(Prompt::from("34+57=").text(), Some("34+57="));
        assert_eq!(Prompt::from("34+57="), Prompt::from(String::from("34+57=")));
        assert_eq!(chat().text(), None);
    }

    #[test]
    fn prompts_are_printed_for_records() {
        assert_eq!(Prompt::from("34+57=").to_string(), "34+57=");
        let lines = "system: Answer with a number.\nuser: What is 2+2?\nassistant: 4\nuser: And 2*3?";
        assert_eq!(chat().to_string(), lines);
    }
}
