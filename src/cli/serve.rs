//! `oreal serve`: a checkpoint behind the Tinker API and those of inference servers.

use std::env;
use std::net::IpAddr;
use std::path::Path;
use std::sync::{Arc, mpsc};

use clap::Args;
use oreal_engines::serve::{Base, ServeSettings, Serving, Text};
use oreal_models::{Device, Engine, Head, Model, Optimiser, Runtime, Token, TransformerConfig};
use oreal_text::{Chat, Tokenizer};

use crate::error::{Error, Result};
use crate::hub::{self, Part};
use crate::terminal::print;

#[derive(Debug, Args)]
pub(super) struct Serve {
    /// A checkpoint: a folder, or a name on the Hugging Face hub
    checkpoint: String,
    /// What clients call the model [default: the checkpoint as it is given]
    #[arg(long)]
    name: Option<String>,
    /// Where to listen; 127.0.0.1 is reached from this machine only, 0.0.0.0 from everywhere
    #[arg(long, value_name = "ADDRESS", default_value_t = ServeSettings::default().host)]
    host: IpAddr,
    /// 0 for any free one
    #[arg(long, default_value_t = ServeSettings::default().port)]
    port: u16,
    /// The environment variable with a key that clients must send
    #[arg(long, value_name = "NAME")]
    key_variable: Option<String>,
    /// Of completions that are asked for without one
    #[arg(long, default_value_t = ServeSettings::default().seed)]
    seed: u64,
    /// Longest sequence
    #[arg(long, value_name = "TOKENS", default_value_t = ServeSettings::default().longest)]
    longest: usize,
    /// Most models that learn at the same time, each with weights of its own
    #[arg(long, value_name = "MODELS", default_value_t = ServeSettings::default().models)]
    models: usize,
}

/// The tokenizer of a checkpoint.
struct Codec {
    tokenizer: Tokenizer,
    stops: Vec<Token>,
}

impl Serve {
    /// Serves until Ctrl-C.
    pub(super) fn run(self) -> Result<String> {
        let (stop, stopped) = mpsc::channel();
        let caught = ctrlc::set_handler(move || {
            let _ = stop.send(());
        });
        caught.map_err(|problem| Error::part("serve", format!("Ctrl-C cannot be caught: {problem}")))?;
        let serving = self.start()?;
        print(&format!("serving {} at {}; Ctrl-C stops it\n", self.served_name(), serving.url()))?;
        // An error is a handler that is gone, which ends it too.
        let _ = stopped.recv();
        serving.stop();
        Ok("stopped\n".to_owned())
    }

    fn start(&self) -> Result<Serving> {
        let settings = ServeSettings {
            host: self.host,
            port: self.port,
            key: self.key()?,
            seed: self.seed,
            longest: self.longest,
            models: self.models,
            ..ServeSettings::default()
        };
        Serving::start(settings, self.base()?).map_err(|problem| Error::part("serve", problem))
    }

    fn served_name(&self) -> &str {
        self.name.as_ref().unwrap_or(&self.checkpoint)
    }

    fn key(&self) -> Result<Option<String>> {
        let Some(variable) = &self.key_variable else { return Ok(None) };
        match env::var(variable) {
            Ok(key) if !key.trim().is_empty() => Ok(Some(key.trim().to_owned())),
            _ => Err(Error::setting(
                "--key-variable",
                format!("the variable {variable} holds no key: set it, or leave this out"),
            )),
        }
    }

    fn base(&self) -> Result<Base> {
        let folder = hub::folder(&self.checkpoint, Part::Whole)?;
        let config = TransformerConfig::read(&folder).map_err(Error::model("serve"))?;
        let text = Codec::read(&folder)?;
        let own = folder.clone();
        Ok(Base {
            name: self.served_name().to_owned(),
            tokenizer: text.is_some().then(|| folder.canonicalize().unwrap_or(folder).display().to_string()),
            vocabulary: config.vocab_size,
            text: text.map(|text| Arc::new(text) as Arc<dyn Text>),
            from_folder: Some(Arc::new(load)),
            ..Base::new(Arc::new(move || load(&own)))
        })
    }
}

/// On the CPU, as a model that learns.
fn load(folder: &Path) -> oreal_models::Result<Box<dyn Model>> {
    Runtime::new(Some(Engine::Fused), Device::Cpu)?.load(folder, Head::Vocabulary, &Optimiser::default())
}

impl Codec {
    /// `None` for a checkpoint without a tokenizer.
    fn read(folder: &Path) -> Result<Option<Codec>> {
        let file = folder.join("tokenizer.json");
        if !file.is_file() {
            return Ok(None);
        }
        let tokenizer = Tokenizer::read(&file).map_err(|problem| Error::part("serve", problem))?;
        // Without a chat template nothing says what ends an answer.
        let stops = Chat::read(folder).map(|chat| chat.stop().to_vec()).unwrap_or_default();
        Ok(Some(Codec { tokenizer, stops }))
    }
}

impl Text for Codec {
    /// Names of control tokens are control tokens: clients send whole prompts.
    fn encode(&self, text: &str) -> std::result::Result<Vec<Token>, String> {
        self.tokenizer.parse(text).map_err(|problem| problem.to_string())
    }

    fn decode(&self, tokens: &[Token]) -> String {
        self.tokenizer.decode_all(tokens).unwrap_or_default()
    }

    fn stops(&self) -> Vec<Token> {
        self.stops.clone()
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use oreal_models::{Family, RopeScaling};

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        serve: Serve,
    }

    fn tiny() -> TransformerConfig {
        TransformerConfig {
            family: Family::Qwen2,
            vocab_size: 7,
            hidden_size: 8,
            num_hidden_layers: 1,
            num_attention_heads: 2,
            num_key_value_heads: 1,
            head_dim: None,
            intermediate_size: 16,
            rope_theta: 10_000.0,
            rope_scaling: RopeScaling::Default,
            rms_norm_eps: 1e-6,
            tie_word_embeddings: true,
        }
    }

    fn serve(arguments: &[&str]) -> Serve {
        Line::try_parse_from([&["serve"], arguments].concat()).unwrap().serve
    }

    #[test]
    fn a_checkpoint_is_served_on_this_machine_only() {
        let folder = tempfile::tempdir().unwrap();
        let runtime = Runtime::new(Some(Engine::Fused), Device::Cpu).unwrap();
        let model = runtime.create(tiny(), Head::Vocabulary, &Optimiser::default(), 1).unwrap();
        model.save(folder.path()).unwrap();
        let path = folder.path().display().to_string();
        let serving = serve(&[&path, "--port", "0", "--name", "tiny"]).start().unwrap();
        let address = format!("{}/api/v1/get_server_capabilities", serving.url());
        let text = ureq::get(address).call().unwrap().body_mut().read_to_string().unwrap();
        let capabilities: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(capabilities["supported_models"][0]["model_name"], "tiny");
        assert!(serving.url().starts_with("http://127.0.0.1:"), "{}", serving.url());
    }

    #[test]
    fn what_cannot_be_served_is_told() {
        let of = |arguments: &[&str]| serve(arguments).start().unwrap_err().to_string();
        let key = of(&["nowhere", "--key-variable", "OREAL_NO_SUCH_KEY"]);
        assert!(key.contains("--key-variable") && key.contains("OREAL_NO_SUCH_KEY"), "{key}");
        let empty = tempfile::tempdir().unwrap();
        let message = of(&[&empty.path().display().to_string()]);
        assert!(message.contains("config.json"), "{message}");
    }
}
