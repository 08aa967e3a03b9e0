//! Sizes of a transformer.

use serde::{Deserialize, Serialize};

use crate::data::Head;
use crate::error::{Error, Result};

/// Sizes of a Qwen2 transformer, under the names of Hugging Face's `config.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Number of tokens.
    pub vocab_size: usize,
    /// Numbers per position.
    pub hidden_size: usize,
    pub num_hidden_layers: usize,
    pub num_attention_heads: usize,
    /// Each serves `num_attention_heads / num_key_value_heads` heads.
    pub num_key_value_heads: usize,
    /// Width of the gated layer.
    pub intermediate_size: usize,
    /// Base of the rotary wavelengths.
    #[serde(default = "rope_theta")]
    pub rope_theta: f64,
    /// Added to the mean square before the root.
    #[serde(default = "rms_norm_eps")]
    pub rms_norm_eps: f64,
    /// Whether the vocabulary head is the embedding table.
    #[serde(default)]
    pub tie_word_embeddings: bool,
}

/// One weight: its Hugging Face name, its shape (`[out, in]`, or `[n]`) and how it starts.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Parameter {
    pub(super) name: String,
    pub(super) shape: Vec<usize>,
    pub(super) start: Start,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Start {
    Zeros,
    Ones,
    /// Of this standard deviation.
    Normal(f64),
}

/// Number of weights in a layer, in the order of [`Config::parameters`].
pub(super) const PER_LAYER: usize = 12;

impl Config {
    /// Refuses sizes that no transformer can have.
    pub fn validate(&self) -> Result<()> {
        let wrong = |key, problem: String| Err(Error::setting("model", key, problem));
        for (key, size) in [
            ("vocab_size", self.vocab_size),
            ("hidden_size", self.hidden_size),
            ("num_hidden_layers", self.num_hidden_layers),
            ("num_attention_heads", self.num_attention_heads),
            ("num_key_value_heads", self.num_key_value_heads),
            ("intermediate_size", self.intermediate_size),
        ] {
            if size == 0 {
                return wrong(key, "0; it must be at least 1".into());
            }
        }
        let (hidden, heads, kv) = (self.hidden_size, self.num_attention_heads, self.num_key_value_heads);
        if !hidden.is_multiple_of(heads) {
            return wrong("num_attention_heads", format!("{heads} does not divide hidden_size {hidden}"));
        }
        if !self.head_dim().is_multiple_of(2) {
            let odd = self.head_dim();
            let problem = format!("{heads} heads of {odd} each: rotary positions need an even size of a head");
            return wrong("num_attention_heads", problem);
        }
        if !heads.is_multiple_of(kv) {
            return wrong("num_key_value_heads", format!("{kv} does not divide num_attention_heads {heads}"));
        }
        for (key, x) in [("rope_theta", self.rope_theta), ("rms_norm_eps", self.rms_norm_eps)] {
            if !(x.is_finite() && x > 0.0) {
                return wrong(key, format!("{x} is not a positive number"));
            }
        }
        Ok(())
    }

    /// Numbers per head and position.
    pub fn head_dim(&self) -> usize {
        self.hidden_size / self.num_attention_heads
    }

    pub(super) fn kv_width(&self) -> usize {
        self.num_key_value_heads * self.head_dim()
    }

    /// Every weight, in order: embedding, layers, last norm, and the head where it has weights of its own.
    ///
    /// Projections start at variance `1 / inputs`, those that add to the residual stream smaller by the number of them
    /// (GPT-2); vocabulary heads start small, so that a fresh policy is near uniform.
    pub(super) fn parameters(&self, head: Head) -> Vec<Parameter> {
        let hidden = self.hidden_size;
        let of = |name: &str, shape: &[usize], start| Parameter { name: name.into(), shape: shape.to_vec(), start };
        let mut all = vec![of("model.embed_tokens.weight", &[self.vocab_size, hidden], Start::Normal(0.02))];
        all.extend((0..self.num_hidden_layers).flat_map(|layer| self.layer(layer)));
        all.push(of("model.norm.weight", &[hidden], Start::Ones));
        match head {
            Head::Vocabulary if self.tie_word_embeddings => {}
            Head::Vocabulary => all.push(of("lm_head.weight", &[self.vocab_size, hidden], Start::Normal(0.02))),
            Head::Scalar => all.push(of("score.weight", &[1, hidden], Start::Zeros)),
        }
        all
    }

    fn layer(&self, layer: usize) -> [Parameter; PER_LAYER] {
        let (hidden, kv, wide) = (self.hidden_size, self.kv_width(), self.intermediate_size);
        let fan_in = |n: usize| Start::Normal((n as f64).sqrt().recip());
        let residual = |n: usize| Start::Normal(((n * 2 * self.num_hidden_layers) as f64).sqrt().recip());
        [
            ("input_layernorm.weight", vec![hidden], Start::Ones),
            ("self_attn.q_proj.weight", vec![hidden, hidden], fan_in(hidden)),
            ("self_attn.q_proj.bias", vec![hidden], Start::Zeros),
            ("self_attn.k_proj.weight", vec![kv, hidden], fan_in(hidden)),
            ("self_attn.k_proj.bias", vec![kv], Start::Zeros),
            ("self_attn.v_proj.weight", vec![kv, hidden], fan_in(hidden)),
            ("self_attn.v_proj.bias", vec![kv], Start::Zeros),
            ("self_attn.o_proj.weight", vec![hidden, hidden], residual(hidden)),
            ("post_attention_layernorm.weight", vec![hidden], Start::Ones),
            ("mlp.gate_proj.weight", vec![wide, hidden], fan_in(hidden)),
            ("mlp.up_proj.weight", vec![wide, hidden], fan_in(hidden)),
            ("mlp.down_proj.weight", vec![hidden, wide], residual(wide)),
        ]
        .map(|(name, shape, start)| Parameter { name: format!("model.layers.{layer}.{name}"), shape, start })
    }
}

impl Parameter {
    /// As a matrix; one-dimensional parameters are a single row.
    pub(super) fn matrix(&self) -> (usize, usize) {
        match self.shape[..] {
            [rows, columns] => (rows, columns),
            _ => (1, self.shape.iter().product()),
        }
    }
}

fn rope_theta() -> f64 {
    10_000.0
}

fn rms_norm_eps() -> f64 {
    1e-6
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: Config = Config {
        vocab_size: 16,
        hidden_size: 64,
        num_hidden_layers: 2,
        num_attention_heads: 4,
        num_key_value_heads: 2,
        intermediate_size: 128,
        rope_theta: 1e4,
        rms_norm_eps: 1e-6,
        tie_word_embeddings: false,
    };

    #[test]
    fn wrong_sizes_are_named() {
        assert!(SMALL.validate().is_ok());
        let cases = [
            (Config { vocab_size: 0, ..SMALL }, "model.vocab_size: 0"),
            (Config { num_attention_heads: 3, ..SMALL }, "3 does not divide hidden_size 64"),
            (Config { num_attention_heads: 64, ..SMALL }, "64 heads of 1 each"),
            (Config { num_key_value_heads: 3, ..SMALL }, "3 does not divide num_attention_heads 4"),
            (Config { rope_theta: -1.0, ..SMALL }, "model.rope_theta"),
            (Config { rms_norm_eps: f64::NAN, ..SMALL }, "model.rms_norm_eps"),
        ];
        for (wrong, message) in cases {
            let found = wrong.validate().unwrap_err().to_string();
            assert!(found.contains(message), "{found}");
        }
    }

    #[test]
    fn unknown_keys_are_errors() {
        let text = serde_json::to_string(&SMALL).unwrap();
        assert_eq!(serde_json::from_str::<Config>(&text).unwrap(), SMALL);
        let more = text.replace('{', r#"{"layers":3,"#);
        assert!(serde_json::from_str::<Config>(&more).unwrap_err().to_string().contains("layers"));
    }

    #[test]
    fn names_are_those_of_hugging_face() {
        let names =
            |config: &Config, head| -> Vec<String> { config.parameters(head).into_iter().map(|p| p.name).collect() };
        let all = names(&SMALL, Head::Vocabulary);
        assert_eq!(all.len(), 2 * PER_LAYER + 3);
        assert_eq!(all[1 + PER_LAYER], "model.layers.1.input_layernorm.weight");
        assert_eq!(all.last().unwrap(), "lm_head.weight");
        let tied = Config { tie_word_embeddings: true, ..SMALL };
        assert_eq!(names(&tied, Head::Vocabulary).last().unwrap(), "model.norm.weight");
        assert_eq!(names(&tied, Head::Scalar).last().unwrap(), "score.weight");
    }
}
