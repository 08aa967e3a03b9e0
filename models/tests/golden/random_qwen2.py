#!/usr/bin/env python3
"""Makes a checkpoint of the sizes of Qwen2.5-0.5B with random weights in bf16 (1 GB), to measure with.

    python models/tests/golden/random_qwen2.py FOLDER
"""

import sys

import torch
from transformers import AutoModelForCausalLM, Qwen2Config

config = Qwen2Config(
    vocab_size=151936,
    hidden_size=896,
    num_hidden_layers=24,
    num_attention_heads=14,
    num_key_value_heads=2,
    intermediate_size=4864,
    max_position_embeddings=32768,
    rope_parameters=dict(rope_type="default", rope_theta=1000000.0),
    tie_word_embeddings=True,
    dtype=torch.bfloat16,
)
torch.manual_seed(0)
AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16).save_pretrained(sys.argv[1])
