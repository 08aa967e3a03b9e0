//! The sizes of transformer that speed is measured at, each with its batch.

use oreal::models::{
    Device, Family, Head, Key, Model, Optimiser, Products, Request, RopeScaling, Runtime, Sampling, Sequence, Signal,
    Token, TransformerConfig, Want,
};

/// A transformer, and the batch it is measured on: completions of equal length, every one behind a prompt of one token.
pub struct Size {
    pub name: &'static str,
    vocab: usize,
    hidden: usize,
    layers: usize,
    heads: usize,
    kv_heads: usize,
    wide: usize,
    /// Whether the head is the embedding.
    tied: bool,
    /// Completions.
    pub batch: usize,
    /// Tokens of a completion that is read or learnt from.
    pub length: usize,
    /// Tokens of a completion that is drawn.
    pub drawn: usize,
}

/// Three that a CPU trains, those of Qwen2.5, the smaller of them with few tokens, and what is long or has many tokens to choose from.
pub const SIZES: [Size; 8] = [
    Size { vocab: 32, hidden: 64, layers: 2, wide: 128, batch: 256, length: 24, drawn: 24, ..B }.named("A"),
    B,
    Size { vocab: 4096, hidden: 512, layers: 8, wide: 1408, batch: 4, length: 256, ..B }.with_heads(8, 8).named("C"),
    Size { hidden: 896, layers: 24, wide: 4864, ..QWEN }.with_heads(14, 2).named("0.5B"),
    Size { hidden: 1536, layers: 28, wide: 8960, ..QWEN }.with_heads(12, 2).named("1.5B"),
    Size { hidden: 896, layers: 24, wide: 4864, batch: 4, length: 256, drawn: 16, ..QWEN }
        .with_heads(14, 2)
        .named("0.5B-short"),
    Size { vocab: 64, hidden: 512, layers: 2, wide: 1408, batch: 2, length: 2048, drawn: 16, ..B }
        .with_heads(8, 8)
        .named("long"),
    Size { vocab: 151_936, hidden: 256, layers: 1, wide: 704, batch: 4, length: 128, drawn: 16, ..B }
        .with_heads(4, 4)
        .named("words"),
];

const B: Size = Size {
    name: "B",
    vocab: 64,
    hidden: 128,
    layers: 4,
    heads: 4,
    kv_heads: 4,
    wide: 384,
    tied: false,
    batch: 64,
    length: 64,
    drawn: 64,
};

const QWEN: Size = Size { vocab: 151_936, tied: true, batch: 8, length: 512, drawn: 128, ..B };

/// What a size is measured on.
pub struct Batch {
    pub prompts: Vec<[Token; 1]>,
    pub completions: Vec<Vec<Token>>,
}

impl Size {
    const fn named(self, name: &'static str) -> Size {
        Size { name, ..self }
    }

    const fn with_heads(self, heads: usize, kv_heads: usize) -> Size {
        Size { heads, kv_heads, ..self }
    }

    pub fn model(&self, device: Device, products: Products) -> Box<dyn Model> {
        let config = TransformerConfig {
            family: Family::Qwen2,
            vocab_size: self.vocab,
            hidden_size: self.hidden,
            num_hidden_layers: self.layers,
            num_attention_heads: self.heads,
            num_key_value_heads: self.kv_heads,
            head_dim: None,
            intermediate_size: self.wide,
            rope_theta: 10_000.0,
            rope_scaling: RopeScaling::Default,
            rms_norm_eps: 1e-6,
            tie_word_embeddings: self.tied,
        };
        let runtime = Runtime::new(None, device).and_then(|runtime| runtime.with_products(products));
        let model = runtime.and_then(|runtime| runtime.create(config, Head::Vocabulary, &Optimiser::default(), 0));
        model.unwrap_or_else(|problem| panic!("{}: {problem}", self.name))
    }

    pub fn data(&self) -> Batch {
        let token = |i: usize, t: usize| ((i * 31 + t * 17 + 1) % self.vocab) as Token;
        Batch {
            prompts: (0..self.batch).map(|i| [(i % self.vocab) as Token]).collect(),
            completions: (0..self.batch).map(|i| (0..self.length).map(|t| token(i, t)).collect()).collect(),
        }
    }

    pub fn sampling(&self) -> Sampling {
        Sampling { max_tokens: self.drawn, ..Sampling::default() }
    }
}

impl Batch {
    pub fn requests(&self) -> Vec<Request<'_>> {
        let key = |sample| Key { seed: 0, step: 0, prompt: 0, sample };
        self.prompts.iter().zip(0..).map(|(prompt, sample)| Request { prompt, key: key(sample) }).collect()
    }

    pub fn sequences(&self) -> Vec<Sequence<'_>> {
        let pairs = self.prompts.iter().zip(&self.completions);
        pairs.map(|(prompt, completion)| Sequence { prompt, completion }).collect()
    }
}

pub fn want() -> Want {
    Want { signals: vec![Signal::Logp], temperature: 1.0 }
}
