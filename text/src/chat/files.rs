//! The files of a tokenizer, kept as they are.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde_json::json;

use super::Special;
use crate::error::{Error, Result};
use crate::file;
use crate::template::ChatTemplate;
use crate::tokenizer::Tokenizer;

pub(super) const TOKENIZER: &str = "tokenizer.json";
pub(super) const TOKENIZER_CONFIG: &str = "tokenizer_config.json";
pub(super) const CHAT_TEMPLATE: &str = "chat_template.jinja";
pub(super) const GENERATION_CONFIG: &str = "generation_config.json";
pub(super) const SPECIAL_TOKENS: &str = "special_tokens_map.json";

/// What is copied with a tokenizer.
const KEPT: [&str; 9] = [
    TOKENIZER,
    TOKENIZER_CONFIG,
    CHAT_TEMPLATE,
    GENERATION_CONFIG,
    SPECIAL_TOKENS,
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "tokenizer.model",
];

/// The bytes of files by their names.
#[derive(Clone, Debug, Default)]
pub(super) struct Files(BTreeMap<String, Arc<[u8]>>);

impl Files {
    /// Those of a folder.
    pub(super) fn read(folder: &Path) -> Result<Self> {
        let mut files = Self::default();
        for name in KEPT {
            let path = folder.join(name);
            if path.try_exists().map_err(|problem| Error::file(&path, problem))? {
                let most = match name {
                    TOKENIZER | "vocab.json" | "merges.txt" | "tokenizer.model" => file::MOST_TOKENIZER,
                    _ => file::MOST_CONFIGURATION,
                };
                files.0.insert(name.into(), file::read(&path, most)?.into());
            }
        }
        Ok(files)
    }

    /// Those with which transformers loads a tokenizer that had none.
    pub(super) fn generated(tokenizer: &Tokenizer, template: &ChatTemplate, special: &Special) -> Result<Self> {
        let mut names = serde_json::Map::new();
        let given = [("eos_token", Some(&special.eos)), ("pad_token", special.pad.as_ref())];
        for (role, name) in given.into_iter().chain([("bos_token", special.bos.as_ref())]) {
            names.extend(name.map(|name| (role.to_string(), json!(name))));
        }
        let mut config = names.clone();
        config.insert("tokenizer_class".into(), json!("PreTrainedTokenizerFast"));
        config.insert("clean_up_tokenization_spaces".into(), json!(false));
        config.insert("model_max_length".into(), json!(1_000_000));
        let mut generation = serde_json::Map::new();
        for role in ["bos", "eos", "pad"] {
            let name = names.get(&format!("{role}_token")).and_then(|name| name.as_str());
            generation
                .extend(name.and_then(|name| tokenizer.id(name)).map(|id| (format!("{role}_token_id"), json!(id))));
        }
        let mut files = Self::default();
        files.0.insert(TOKENIZER.into(), tokenizer.json()?.into_bytes().into());
        for (name, value) in [(TOKENIZER_CONFIG, config), (GENERATION_CONFIG, generation), (SPECIAL_TOKENS, names)] {
            let text = serde_json::to_string_pretty(&value).map_err(Error::tokenizer)?;
            files.0.insert(name.into(), text.into_bytes().into());
        }
        files.set_template(template);
        Ok(files)
    }

    pub(super) fn get(&self, name: &str) -> Option<&[u8]> {
        self.0.get(name).map(|bytes| &**bytes)
    }

    /// Puts a template in the file that comes before what a `tokenizer_config.json` says.
    pub(super) fn set_template(&mut self, template: &ChatTemplate) {
        self.0.insert(CHAT_TEMPLATE.into(), template.source().as_bytes().into());
    }

    pub(super) fn save(&self, folder: &Path) -> Result<()> {
        file::write_all(self.0.iter().map(|(name, bytes)| (folder.join(name), &**bytes)))
    }
}
