//! What a checkpoint's folder says of its tokenizer, template and ends.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::Chat;
use super::files::{self, Files};
use crate::Token;
use crate::error::{Error, Result};
use crate::file;
use crate::template::ChatTemplate;
use crate::tokenizer::Tokenizer;

/// Tokens with a role that a template may ask for.
const ROLES: [&str; 7] = ["bos_token", "eos_token", "pad_token", "unk_token", "sep_token", "cls_token", "mask_token"];

/// Makes a template for a tokenizer.
type Make<'a> = &'a dyn Fn(&Tokenizer) -> Result<ChatTemplate>;

pub(super) fn read(folder: &Path, instead: Option<Make<'_>>) -> Result<Chat> {
    let mut files = Files::read(folder)?;
    let path = folder.join(files::TOKENIZER);
    let bytes = files.get(files::TOKENIZER).ok_or_else(|| {
        let problem = "there is none: a `tokenizer.model` or `vocab.json` alone is not read; load the folder with \
                       transformers' AutoTokenizer and write it with save_pretrained";
        Error::file(&path, problem)
    })?;
    let tokenizer = Tokenizer::from_bytes(bytes, &path)?;
    let config = Document::of(folder, files::TOKENIZER_CONFIG, &files)?;
    let generation = Document::of(folder, files::GENERATION_CONFIG, &files)?;
    let model = Document::read(&folder.join("config.json"))?;
    let special =
        special(&[Document::of(folder, files::SPECIAL_TOKENS, &files)?, Some(config.clone().unwrap_or_default())])?;
    let template = match instead {
        Some(make) => {
            let template = make(&tokenizer)?;
            files.set_template(&template);
            template
        }
        None => template(folder, &files, config.as_ref())?,
    };
    let mut stop = Vec::new();
    for document in [&generation, &model].into_iter().flatten() {
        if stop.is_empty() {
            stop = document.tokens("eos_token_id", &tokenizer)?;
        }
    }
    let chat = Chat::build(tokenizer, template, special, stop, files)?;
    match model.as_ref().map(|model| model.size("vocab_size")).transpose()?.flatten() {
        Some(rows) => chat.for_embedding(rows),
        None => Ok(chat),
    }
}

/// The chat template: `chat_template.jinja`, or what `tokenizer_config.json` has, the one called `default` of several.
fn template(folder: &Path, files: &Files, config: Option<&Document>) -> Result<ChatTemplate> {
    let path = folder.join(files::CHAT_TEMPLATE);
    if let Some(bytes) = files.get(files::CHAT_TEMPLATE) {
        let source = std::str::from_utf8(bytes).map_err(|problem| Error::file(&path, problem))?;
        return ChatTemplate::new(source).map_err(|problem| Error::file(&path, problem));
    }
    const KEY: &str = "chat_template";
    let none =
        || Error::file(folder, "the checkpoint has no chat template: choose one by name, such as chatml or plain");
    let config = config.ok_or_else(none)?;
    let source = match config.values.get(KEY) {
        None | Some(Value::Null) => return Err(none()),
        Some(Value::String(source)) => source,
        Some(Value::Array(list)) => {
            let named = |entry: &&Value| entry.get("name").and_then(Value::as_str) == Some("default");
            let entry = list.iter().find(named).and_then(|entry| entry.get("template")).and_then(Value::as_str);
            entry.ok_or_else(|| config.wrong(KEY, "a list without a template called \"default\""))?
        }
        Some(_) => return Err(config.wrong(KEY, "needs a template, or a list of templates with names")),
    };
    ChatTemplate::new(source).map_err(|problem| config.wrong(KEY, problem))
}

/// Names of special tokens by role; later documents come first.
fn special(documents: &[Option<Document>]) -> Result<BTreeMap<String, String>> {
    let mut names = BTreeMap::new();
    for document in documents.iter().flatten() {
        for role in ROLES {
            names.extend(document.name(role)?.map(|name| (role.to_string(), name)));
        }
    }
    Ok(names)
}

/// A configuration file: an object of JSON.
#[derive(Clone, Debug, Default)]
struct Document {
    path: PathBuf,
    values: Map<String, Value>,
}

impl Document {
    fn of(folder: &Path, name: &str, files: &Files) -> Result<Option<Self>> {
        files.get(name).map(|bytes| Self::parse(&folder.join(name), bytes)).transpose()
    }

    fn read(path: &Path) -> Result<Option<Self>> {
        match path.try_exists().map_err(|problem| Error::file(path, problem))? {
            true => Self::parse(path, &file::read(path, file::MOST_CONFIGURATION)?).map(Some),
            false => Ok(None),
        }
    }

    fn parse(path: &Path, bytes: &[u8]) -> Result<Self> {
        let values = serde_json::from_slice(bytes).map_err(|problem| Error::file(path, problem))?;
        Ok(Self { path: path.to_owned(), values })
    }

    fn wrong(&self, key: &str, problem: impl ToString) -> Error {
        Error::key(&self.path, key, problem)
    }

    /// The name of a token: a text, or an object with the text as its `content`.
    fn name(&self, key: &str) -> Result<Option<String>> {
        match self.values.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(name)) => Ok(Some(name.clone())),
            Some(Value::Object(token)) if token.get("content").is_some_and(Value::is_string) => {
                Ok(token.get("content").and_then(Value::as_str).map(String::from))
            }
            Some(other) => Err(self.wrong(key, format!("{}, where the name of a token is needed", short(other)))),
        }
    }

    /// One token or a list of them.
    fn tokens(&self, key: &str, tokenizer: &Tokenizer) -> Result<Vec<Token>> {
        let one = |value: &Value| {
            let id = value.as_u64().and_then(|id| Token::try_from(id).ok());
            let id = id.ok_or_else(|| self.wrong(key, format!("{}, where ids of tokens are needed", short(value))))?;
            let unknown = || self.wrong(key, format!("the tokenizer has no token {id}"));
            tokenizer.name(id).ok_or_else(unknown).map(|_| id)
        };
        match self.values.get(key) {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::Array(list)) => list.iter().map(one).collect(),
            Some(value) => Ok(vec![one(value)?]),
        }
    }

    fn size(&self, key: &str) -> Result<Option<usize>> {
        let number =
            |value: &Value| value.as_u64().and_then(|size| usize::try_from(size).ok()).filter(|&size| size > 0);
        match self.values.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => match number(value) {
                Some(size) => Ok(Some(size)),
                None => Err(self.wrong(key, format!("{}, where a positive number is needed", short(value)))),
            },
        }
    }
}

/// The beginning of a value, for messages.
fn short(value: &Value) -> String {
    value.to_string().chars().take(80).collect()
}
