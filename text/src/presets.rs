//! Chat templates and system prompts that have a name.

use std::str::FromStr;

use crate::error::{Error, Result};

/// A chat template by name, for models that come without one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    /// ChatML, the form of Qwen: `<|im_start|>user`, a line end, the question, `<|im_end|>`.
    Chatml,
    /// The question, then a line end.
    Plain,
    /// A base model is told of a conversation between User and Assistant, to think within `<think>` and to answer
    /// within `<answer>`; the assistant's turn begins with `<think>` (after arXiv 2501.12948, table 1).
    R1Zero,
    /// ChatML with [`SystemPrompt::QwenMath`] where the conversation has no system message.
    QwenMath,
}

const CHATML: &str = r"{%- for message in messages %}
    {{- '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\n' }}
{%- endif %}
";

const PLAIN: &str = r"{%- for message in messages %}
    {%- if message.role == 'assistant' %}
        {{- message.content + (eos_token or '\n') }}
    {%- else %}
        {{- message.content + '\n' }}
    {%- endif %}
{%- endfor %}
";

const R1_ZERO: &str = r"{{- 'A conversation between User and Assistant. The user asks a question, and the Assistant solves it. The Assistant first thinks about the reasoning process in the mind and then provides the user with the answer. The reasoning process is enclosed within <think> </think> and the answer within <answer> </answer>, i.e., <think> reasoning process here </think> <answer> answer here </answer>.' }}
{%- for message in messages %}
    {%- if message.role == 'assistant' %}
        {{- '\nAssistant: <think>' + message.content + (eos_token or '') }}
    {%- elif message.role == 'user' %}
        {{- '\nUser: ' + message.content }}
    {%- else %}
        {{- ' ' + message.content }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '\nAssistant: <think>' }}
{%- endif %}
";

impl Preset {
    /// Every preset.
    pub const ALL: [Self; 4] = [Self::Chatml, Self::Plain, Self::R1Zero, Self::QwenMath];

    /// The name in configurations.
    pub fn name(self) -> &'static str {
        match self {
            Self::Chatml => "chatml",
            Self::Plain => "plain",
            Self::R1Zero => "r1_zero",
            Self::QwenMath => "qwen_math",
        }
    }

    /// The template. `opening` is the name of a token to put before everything, if any.
    pub fn source(self, opening: Option<&str>) -> String {
        let opening = opening.map(|name| format!("{{{{- {} }}}}\n", quoted(name))).unwrap_or_default();
        match self {
            Self::Chatml => opening + CHATML,
            Self::Plain => opening + PLAIN,
            Self::R1Zero => opening + R1_ZERO,
            Self::QwenMath => format!("{opening}{}{CHATML}", default_system(SystemPrompt::QWEN_MATH)),
        }
    }

    /// The control tokens that the template writes.
    pub(crate) fn needs(self) -> &'static [&'static str] {
        match self {
            Self::Chatml | Self::QwenMath => &["<|im_start|>", "<|im_end|>"],
            Self::Plain | Self::R1Zero => &[],
        }
    }
}

fn default_system(prompt: &str) -> String {
    let message = quoted(&format!("<|im_start|>system\n{prompt}<|im_end|>\n"));
    format!("{{%- if not messages or messages[0].role != 'system' %}}\n    {{{{- {message} }}}}\n{{%- endif %}}\n")
}

/// The text as a string of Jinja.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'").replace('\n', "\\n"))
}

impl FromStr for Preset {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|preset| preset.name() == name);
        found.ok_or_else(|| unknown("chat template", name, Self::ALL.map(Self::name).to_vec()))
    }
}

/// A system prompt by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SystemPrompt {
    /// No system message: the chat template may put one of its own. The released OREAL checkpoints do: their prompt is
    /// the default of their templates, so this is the choice that renders as they were trained.
    None,
    /// To reason step by step and to box the answer, as Qwen2.5-Math has it.
    QwenMath,
    /// To work as a mathematician in the five stages that OREAL's prompt has: understand, analyse, plan, prove, verify.
    /// In words of this project: not the released prompt.
    Mathematician,
}

impl SystemPrompt {
    /// Every system prompt.
    pub const ALL: [Self; 3] = [Self::None, Self::QwenMath, Self::Mathematician];

    const QWEN_MATH: &str = r"Please reason step by step, and put your final answer within \boxed{}.";

    const MATHEMATICIAN: &str = "You solve mathematical problems as an experienced mathematician does, in five stages.
1. Understand: say what is asked, what is given, and which conditions restrict the answer.
2. Analyse: name the concepts that apply, similar problems you know, and special cases.
3. Plan: compare possible ways, choose one, and divide it into small steps.
4. Prove: carry out each step and give its reason.
5. Verify: check the result against every condition, and the special cases again.
Write the solution out clearly, in the language of the question. End with the answer in \\boxed{}, without units.";

    /// The name in configurations.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::QwenMath => "qwen_math",
            Self::Mathematician => "mathematician",
        }
    }

    /// The text, if there is one.
    pub fn text(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::QwenMath => Some(Self::QWEN_MATH),
            Self::Mathematician => Some(Self::MATHEMATICIAN),
        }
    }
}

impl FromStr for SystemPrompt {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|prompt| prompt.name() == name);
        found.ok_or_else(|| unknown("system prompt", name, Self::ALL.map(Self::name).to_vec()))
    }
}

fn unknown(what: &'static str, name: &str, known: Vec<&str>) -> Error {
    Error::Unknown { what, name: name.to_string(), known: known.join(", ") }
}
