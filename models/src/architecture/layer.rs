//! The weights of a layer, in the one order in which they are stored, read and written.

use super::Config;
use super::parameter::{Init, Parameter};

/// Weights of the attention half of a layer; `W` is what stands for a weight.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AttentionWeights<W> {
    /// Of the normalisation before the projections, `[hidden]`.
    pub norm: W,
    /// Projection to queries, `[heads * head_dim, hidden]`.
    pub q: W,
    /// Projection to keys, `[kv_heads * head_dim, hidden]`.
    pub k: W,
    /// Projection to values, `[kv_heads * head_dim, hidden]`.
    pub v: W,
    /// Biases of queries, keys and values, where the family has them.
    pub biases: Option<[W; 3]>,
    /// Of the normalisations of each query and each key, `[head_dim]`, where the family has them.
    pub head_norms: Option<[W; 2]>,
    /// Projection of what the heads put out, `[hidden, heads * head_dim]`.
    pub o: W,
}

impl<W> AttentionWeights<W> {
    /// The same weights, each replaced.
    pub fn map<V>(self, mut of: impl FnMut(W) -> V) -> AttentionWeights<V> {
        AttentionWeights {
            norm: of(self.norm),
            q: of(self.q),
            k: of(self.k),
            v: of(self.v),
            biases: self.biases.map(|biases| biases.map(&mut of)),
            head_norms: self.head_norms.map(|norms| norms.map(&mut of)),
            o: of(self.o),
        }
    }

    /// References to them.
    pub fn each_ref(&self) -> AttentionWeights<&W> {
        let Self { norm, q, k, v, biases, head_norms, o } = self;
        let (biases, head_norms) =
            (biases.as_ref().map(<[W; 3]>::each_ref), head_norms.as_ref().map(<[W; 2]>::each_ref));
        AttentionWeights { norm, q, k, v, biases, head_norms, o }
    }

    /// All of them.
    pub fn into_vec(self) -> Vec<W> {
        let mut all = vec![self.norm, self.q, self.k, self.v, self.o];
        all.extend(self.biases.into_iter().flatten());
        all.extend(self.head_norms.into_iter().flatten());
        all
    }
}

/// Weights of a layer; `W` is what stands for a weight.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LayerWeights<W> {
    /// The attention half.
    pub attention: AttentionWeights<W>,
    /// The feed-forward half: norm, gate, up and down.
    pub feed_forward: [W; 4],
}

impl Config {
    /// Number of weights in a layer.
    pub fn weights_per_layer(&self) -> usize {
        9 + if self.family.has_biases() { 3 } else { 0 } + if self.family.has_head_norms() { 2 } else { 0 }
    }

    /// Number of weights before the head.
    pub(crate) fn trunk_len(&self) -> usize {
        2 + self.num_hidden_layers * self.weights_per_layer()
    }

    /// Sorts the weights of a layer, which come in the order of [`Config::parameters`], by what they are for. `None`
    /// when there are fewer than [`Config::weights_per_layer`].
    pub(crate) fn sorted<W>(&self, weights: impl IntoIterator<Item = W>) -> Option<LayerWeights<W>> {
        let mut weights = weights.into_iter();
        let mut next = || weights.next();
        let norm = next()?;
        let mut projection = || -> Option<(W, Option<W>)> {
            Some((next()?, if self.family.has_biases() { Some(next()?) } else { None }))
        };
        let ((q, q_bias), (k, k_bias), (v, v_bias)) = (projection()?, projection()?, projection()?);
        let biases = q_bias.zip(k_bias).zip(v_bias).map(|((q, k), v)| [q, k, v]);
        let head_norms = if self.family.has_head_norms() { Some([next()?, next()?]) } else { None };
        let attention = AttentionWeights { norm, q, k, v, biases, head_norms, o: next()? };
        Some(LayerWeights { attention, feed_forward: [next()?, next()?, next()?, next()?] })
    }

    /// The weights of one layer, in order.
    pub(super) fn layer(&self, layer: usize) -> Vec<Parameter> {
        let (hidden, wide) = (self.hidden_size, self.intermediate_size);
        let (query, kv, dim) = (self.query_width(), self.kv_width(), self.head_dim());
        let fan_in = |n: usize| Init::Normal((n as f64).sqrt().recip());
        let residual = |n: usize| Init::Normal(((n * 2 * self.num_hidden_layers) as f64).sqrt().recip());
        let mut all = vec![("input_layernorm.weight", vec![hidden], Init::Ones)];
        for (weight, bias, width) in [
            ("self_attn.q_proj.weight", "self_attn.q_proj.bias", query),
            ("self_attn.k_proj.weight", "self_attn.k_proj.bias", kv),
            ("self_attn.v_proj.weight", "self_attn.v_proj.bias", kv),
        ] {
            all.push((weight, vec![width, hidden], fan_in(hidden)));
            if self.family.has_biases() {
                all.push((bias, vec![width], Init::Zeros));
            }
        }
        if self.family.has_head_norms() {
            let names = ["self_attn.q_norm.weight", "self_attn.k_norm.weight"];
            all.extend(names.map(|name| (name, vec![dim], Init::Ones)));
        }
        all.extend([
            ("self_attn.o_proj.weight", vec![hidden, query], residual(query)),
            ("post_attention_layernorm.weight", vec![hidden], Init::Ones),
            ("mlp.gate_proj.weight", vec![wide, hidden], fan_in(hidden)),
            ("mlp.up_proj.weight", vec![wide, hidden], fan_in(hidden)),
            ("mlp.down_proj.weight", vec![hidden, wide], residual(wide)),
        ]);
        let named = |(name, shape, init)| Parameter { name: format!("model.layers.{layer}.{name}"), shape, init };
        all.into_iter().map(named).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::architecture::{Family, RopeScaling};
    use crate::data::Head;

    #[test]
    fn weights_of_every_family_are_sorted_by_name() {
        for family in Family::ALL {
            let config = Config {
                family,
                vocab_size: 5,
                hidden_size: 8,
                num_hidden_layers: 2,
                num_attention_heads: 2,
                num_key_value_heads: 1,
                head_dim: Some(6),
                intermediate_size: 9,
                rope_theta: 1e4,
                rope_scaling: RopeScaling::Default,
                rms_norm_eps: 1e-6,
                tie_word_embeddings: true,
            };
            let count = config.weights_per_layer();
            let names: Vec<String> = config.parameters(Head::Vocabulary).into_iter().map(|p| p.name).collect();
            assert_eq!(names.len(), 2 + 2 * count, "{family:?}");
            let layer = config.sorted(names[1 + count..].iter().map(|name| &name["model.layers.1.".len()..])).unwrap();
            let AttentionWeights { norm, q, k, v, biases, head_norms, o } = layer.attention;
            assert_eq!(
                [norm, q, k, v, o],
                [
                    "input_layernorm.weight",
                    "self_attn.q_proj.weight",
                    "self_attn.k_proj.weight",
                    "self_attn.v_proj.weight",
                    "self_attn.o_proj.weight"
                ]
            );
            let some = ["self_attn.q_proj.bias", "self_attn.k_proj.bias", "self_attn.v_proj.bias"];
            assert_eq!(biases, (family == Family::Qwen2).then_some(some), "{family:?}");
            let some = ["self_attn.q_norm.weight", "self_attn.k_norm.weight"];
            assert_eq!(head_norms, (family == Family::Qwen3).then_some(some), "{family:?}");
            assert_eq!(
                layer.feed_forward,
                [
                    "post_attention_layernorm.weight",
                    "mlp.gate_proj.weight",
                    "mlp.up_proj.weight",
                    "mlp.down_proj.weight"
                ]
            );
            assert_eq!(config.sorted(&names[..count - 1]), None);
        }
    }
}
