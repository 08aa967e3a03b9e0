#!/usr/bin/env python3
"""Makes the checkpoints of this folder, and what transformers computes with them in f32.

    pip install torch transformers safetensors
    python models/tests/golden/make.py

Random weights, so nothing is downloaded. The same versions give the same files.
"""

import json
import shutil
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, LlamaConfig, MistralConfig, Qwen2Config, Qwen3Config

HERE = Path(__file__).parent
SIZES = dict(
    vocab_size=64,
    hidden_size=32,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    intermediate_size=48,
    max_position_embeddings=256,
    bos_token_id=None,
    eos_token_id=None,
)
LLAMA3 = dict(
    rope_type="llama3",
    rope_theta=10000.0,
    factor=8.0,
    low_freq_factor=1.0,
    high_freq_factor=4.0,
    original_max_position_embeddings=32,
)
F32, F16, BF16 = torch.float32, torch.float16, torch.bfloat16

# Name, configuration, type of the weights, size of a file.
CHECKPOINTS = [
    ("qwen2_tied", Qwen2Config(**SIZES, tie_word_embeddings=True), BF16, "1GB"),
    ("qwen2_untied", Qwen2Config(**SIZES, tie_word_embeddings=False), F32, "1GB"),
    ("qwen3_wide_heads", Qwen3Config(**SIZES, head_dim=16, tie_word_embeddings=True), BF16, "1GB"),
    ("llama3_scaling", LlamaConfig(**SIZES, rope_parameters=LLAMA3), F16, "1GB"),
    (
        "llama_linear_scaling",
        LlamaConfig(**SIZES, rope_parameters=dict(rope_type="linear", rope_theta=10000.0, factor=2.0)),
        BF16,
        "20KB",
    ),
    ("llama_tied", LlamaConfig(**{**SIZES, "num_key_value_heads": 4}, tie_word_embeddings=True), F16, "1GB"),
    ("mistral", MistralConfig(**SIZES, head_dim=12, sliding_window=None), BF16, "1GB"),
]

# Prompts and completions, of different lengths, the last one past the original context of LLAMA3.
SEQUENCES = [
    ([5], [7]),
    ([1, 2, 3], [4, 0, 63, 9, 9]),
    ([60, 3, 17, 17, 2, 8, 41], [11, 30, 2]),
    ([(7 * i * i + 3) % 64 for i in range(20)], [(11 * i + 5) % 64 for i in range(70)]),
]


def disturb(model, generator):
    """Nothing starts at zero or one, so that every weight shows; projections are large enough to make attention uneven."""
    for name, weight in model.named_parameters():
        noise = torch.randn(weight.shape, generator=generator)
        if "norm" in name:
            weight.data = 1 + 0.3 * noise
        elif name.endswith("bias"):
            weight.data = 0.5 * noise
        else:
            weight.data = noise * (3.0 / weight.shape[-1]) ** 0.5


@torch.no_grad()
def expected(model, prompt, completion):
    logits = model(torch.tensor([prompt + completion])).logits[0]
    logps = torch.log_softmax(logits[len(prompt) - 1 : -1].double(), -1)
    greedy = []
    for _ in range(12):
        greedy.append(int(model(torch.tensor([prompt + greedy])).logits[0, -1].argmax()))
    chosen = [round(float(row[token]), 9) for row, token in zip(logps, completion)]
    return dict(prompt=prompt, completion=completion, logps=chosen, greedy=greedy)


def main():
    for seed, (name, config, dtype, size) in enumerate(CHECKPOINTS):
        folder = HERE / name
        shutil.rmtree(folder, ignore_errors=True)
        model = AutoModelForCausalLM.from_config(config)
        disturb(model, torch.Generator().manual_seed(seed))
        model.tie_weights()
        model.to(dtype).save_pretrained(folder, max_shard_size=size)
        (folder / "generation_config.json").unlink(missing_ok=True)
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=F32).eval()
        golden = dict(sequences=[expected(model, *sequence) for sequence in SEQUENCES])
        (folder / "golden.json").write_text(json.dumps(golden) + "\n")
        print(name, sum(file.stat().st_size for file in folder.iterdir()), "bytes")


if __name__ == "__main__":
    main()
