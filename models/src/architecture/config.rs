//! Family and sizes of a transformer, and what follows from them before anything is allocated.

use serde::{Deserialize, Serialize};

use super::{Family, RopeScaling};
use crate::data::Head;
use crate::error::{Error, Result};

/// Family and sizes of a transformer, under the names of Hugging Face's `config.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Which biases and norms it has.
    #[serde(rename = "model_type")]
    pub family: Family,
    /// Number of tokens.
    pub vocab_size: usize,
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Number of layers.
    pub num_hidden_layers: usize,
    /// Query heads; they divide `hidden_size` where there is no `head_dim`.
    pub num_attention_heads: usize,
    /// Key and value heads; each serves `num_attention_heads / num_key_value_heads` query heads.
    pub num_key_value_heads: usize,
    /// Width of a head, where it is not `hidden_size / num_attention_heads`.
    #[serde(default)]
    pub head_dim: Option<usize>,
    /// Width of the gated layer.
    pub intermediate_size: usize,
    /// Base of the rotary wavelengths.
    #[serde(default = "rope_theta")]
    pub rope_theta: f64,
    /// Scaling of the rotary wavelengths.
    #[serde(default)]
    pub rope_scaling: RopeScaling,
    /// Added to the mean square before the root.
    #[serde(default = "rms_norm_eps")]
    pub rms_norm_eps: f64,
    /// Whether the vocabulary head is the embedding table.
    #[serde(default)]
    pub tie_word_embeddings: bool,
}

impl Config {
    /// Most parameters of a model.
    pub const MOST_PARAMETERS: u128 = 1 << 40;

    /// Refuses sizes that no transformer can have, and sizes beyond any that exist.
    ///
    /// # Errors
    /// [`Error::Setting`] with the key.
    pub fn validate(&self) -> Result<()> {
        let wrong = |key, problem: String| Err(Error::setting("model", key, problem));
        for (key, size, most) in [
            ("vocab_size", self.vocab_size, 1 << 24),
            ("hidden_size", self.hidden_size, 1 << 17),
            ("num_hidden_layers", self.num_hidden_layers, 10_000),
            ("num_attention_heads", self.num_attention_heads, 1 << 17),
            ("num_key_value_heads", self.num_key_value_heads, 1 << 17),
            ("intermediate_size", self.intermediate_size, 1 << 20),
        ] {
            if !(1..=most).contains(&size) {
                return wrong(key, format!("{size} is not in [1, {most}]"));
            }
        }
        let (hidden, heads, kv) = (self.hidden_size, self.num_attention_heads, self.num_key_value_heads);
        if let Some(width) = self.head_dim
            && !(1..=1 << 13).contains(&width)
        {
            return wrong("head_dim", format!("{width} is not in [1, {}]", 1 << 13));
        }
        if self.head_dim.is_none() && !hidden.is_multiple_of(heads) {
            return wrong("num_attention_heads", format!("{heads} does not divide hidden_size {hidden}"));
        }
        if !self.head_dim().is_multiple_of(2) {
            let odd = self.head_dim();
            let problem = format!("{heads} heads of width {odd}: rotary positions need an even width");
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
        if let Some(problem) = self.rope_scaling.problem() {
            return wrong("rope_scaling", problem);
        }
        let count = self.parameter_count(Head::Vocabulary);
        if count.is_none_or(|count| count > Self::MOST_PARAMETERS) {
            let most = Self::MOST_PARAMETERS;
            return wrong("num_hidden_layers", format!("these sizes make more than {most} parameters"));
        }
        Ok(())
    }

    /// Number of parameters of a model of these sizes, valid or not; `None` when it does not fit into 128 bits.
    pub fn parameter_count(&self, head: Head) -> Option<u128> {
        let [vocabulary, hidden, layers, wide] =
            [self.vocab_size, self.hidden_size, self.num_hidden_layers, self.intermediate_size].map(|n| n as u128);
        let heads = self.num_attention_heads as u128;
        let dim = self.head_dim.map_or_else(|| hidden.checked_div(heads), |width| Some(width as u128))?;
        let (query, kv) = (dim.checked_mul(heads)?, dim.checked_mul(self.num_key_value_heads as u128)?);
        let product = |sizes: &[u128]| sizes.iter().try_fold(1u128, |product, size| product.checked_mul(*size));
        let layer = [
            product(&[2, query, hidden])?,
            product(&[2, kv, hidden])?,
            product(&[3, wide, hidden])?,
            product(&[2, hidden])?,
            if self.family.has_biases() { product(&[2, kv])?.checked_add(query)? } else { 0 },
            if self.family.has_head_norms() { product(&[2, dim])? } else { 0 },
        ];
        let head = match head {
            Head::Vocabulary if self.tie_word_embeddings => 0,
            Head::Vocabulary => product(&[vocabulary, hidden])?,
            Head::Scalar => hidden,
        };
        let layer = layer.into_iter().try_fold(0u128, u128::checked_add)?;
        let all = [product(&[vocabulary, hidden])?, product(&[layers, layer])?, hidden, head];
        all.into_iter().try_fold(0u128, u128::checked_add)
    }

    /// Bytes that a model in `f32` takes: weights, and for one that is trained also gradient and two moments.
    pub fn bytes(&self, head: Head, is_trained: bool) -> Option<u128> {
        self.parameter_count(head)?.checked_mul(if is_trained { 16 } else { 4 })
    }

    /// Width of a head.
    pub fn head_dim(&self) -> usize {
        self.head_dim.unwrap_or(self.hidden_size / self.num_attention_heads)
    }

    /// Width of the queries of all heads.
    pub fn query_width(&self) -> usize {
        self.num_attention_heads * self.head_dim()
    }

    /// Width of the keys, and of the values, of all heads.
    pub fn kv_width(&self) -> usize {
        self.num_key_value_heads * self.head_dim()
    }

    /// The angle per position of each pair of dimensions of a head, in radians; `head_dim / 2` of them.
    pub fn rotary_frequencies(&self) -> Vec<f64> {
        self.rope_scaling.frequencies(self.head_dim(), self.rope_theta)
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
        family: Family::Qwen2,
        vocab_size: 16,
        hidden_size: 64,
        num_hidden_layers: 2,
        num_attention_heads: 4,
        num_key_value_heads: 2,
        head_dim: None,
        intermediate_size: 128,
        rope_theta: 1e4,
        rope_scaling: RopeScaling::Default,
        rms_norm_eps: 1e-6,
        tie_word_embeddings: false,
    };

    #[test]
    fn wrong_sizes_are_named() {
        assert!(SMALL.validate().is_ok());
        let cases = [
            (Config { vocab_size: 0, ..SMALL }, "model.vocab_size: 0"),
            (Config { num_hidden_layers: 100_000_000, ..SMALL }, "model.num_hidden_layers: 100000000"),
            (Config { hidden_size: 4_096_000, ..SMALL }, "model.hidden_size: 4096000"),
            (Config { num_attention_heads: usize::MAX, ..SMALL }, "model.num_attention_heads"),
            (Config { hidden_size: 1 << 17, num_hidden_layers: 10_000, ..SMALL }, "more than 1099511627776 parameters"),
            (Config { num_attention_heads: 3, ..SMALL }, "3 does not divide hidden_size 64"),
            (Config { num_attention_heads: 64, ..SMALL }, "64 heads of width 1"),
            (Config { num_key_value_heads: 3, ..SMALL }, "3 does not divide num_attention_heads 4"),
            (Config { head_dim: Some(0), ..SMALL }, "model.head_dim: 0"),
            (Config { head_dim: Some(usize::MAX), ..SMALL }, "model.head_dim"),
            (Config { head_dim: Some(7), ..SMALL }, "4 heads of width 7"),
            (Config { rope_theta: -1.0, ..SMALL }, "model.rope_theta"),
            (Config { rope_scaling: RopeScaling::Linear { factor: 0.0 }, ..SMALL }, "model.rope_scaling: factor 0"),
            (Config { rms_norm_eps: f64::NAN, ..SMALL }, "model.rms_norm_eps"),
        ];
        for (wrong, message) in cases {
            let found = wrong.validate().unwrap_err().to_string();
            assert!(found.contains(message), "{found}");
        }
    }

    #[test]
    fn parameters_are_counted_before_they_exist() {
        for family in Family::ALL {
            for (tied, head) in [(false, Head::Vocabulary), (true, Head::Vocabulary), (true, Head::Scalar)] {
                for head_dim in [None, Some(24)] {
                    let config = Config { family, head_dim, tie_word_embeddings: tied, ..SMALL };
                    let counted: usize = config.parameters(head).iter().map(|parameter| parameter.count()).sum();
                    assert_eq!(
                        config.parameter_count(head),
                        Some(counted as u128),
                        "{family:?}, tied {tied}, {head:?}"
                    );
                    assert_eq!(config.bytes(head, true), Some(16 * counted as u128));
                }
            }
        }
        let huge = Config { hidden_size: usize::MAX, num_hidden_layers: usize::MAX, ..SMALL };
        assert_eq!(huge.parameter_count(Head::Vocabulary), None);
        assert_eq!(Config { num_attention_heads: 0, ..SMALL }.parameter_count(Head::Vocabulary), None);
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
        assert_eq!(all.len(), 2 * 12 + 3);
        assert_eq!(all[1 + 12], "model.layers.1.input_layernorm.weight");
        assert_eq!(all.last().unwrap(), "lm_head.weight");
        let tied = Config { tie_word_embeddings: true, ..SMALL };
        assert_eq!(names(&tied, Head::Vocabulary).last().unwrap(), "model.norm.weight");
        assert_eq!(names(&tied, Head::Scalar).last().unwrap(), "score.weight");
    }
}
