#!/usr/bin/env python3
"""Checks that transformers loads what this crate writes: every checkpoint of this folder, read and written again by
`examples/resave.rs` in both precisions and in several files, must give the log-probabilities of golden.json.

    cargo build -p oreal-models --example resave
    python models/tests/golden/check.py target/debug/examples/resave
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from safetensors import safe_open
from transformers import AutoModelForCausalLM

HERE = Path(__file__).parent


@torch.no_grad()
def difference(folder, golden):
    model, said = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
    wrong = {key: names for key, names in said.items() if names}
    assert not wrong, f"{folder}: {wrong}"
    worst = 0.0
    for sequence in golden["sequences"]:
        prompt, completion = sequence["prompt"], sequence["completion"]
        logits = model.eval()(torch.tensor([prompt + completion])).logits[0]
        logps = torch.log_softmax(logits[len(prompt) - 1 : -1].double(), -1)
        pairs = zip(logps, completion, sequence["logps"])
        worst = max([worst] + [abs(float(row[token]) - expected) for row, token, expected in pairs])
    return worst


def main():
    resave = sys.argv[1]
    for folder in sorted(HERE.iterdir()):
        if not (folder / "golden.json").exists():
            continue
        golden = json.loads((folder / "golden.json").read_text())
        stored = json.loads((folder / "config.json").read_text())["dtype"]
        for precision in ["full", "bf16"]:
            for size in [10**9, 20_000]:
                with tempfile.TemporaryDirectory() as new:
                    arguments = [resave, str(folder), new, precision, str(size)]
                    subprocess.run(arguments, check=True, stdout=subprocess.DEVNULL)
                    files = sorted(Path(new).glob("*.safetensors"))
                    for file in files:
                        with safe_open(file, "pt") as opened:
                            assert opened.metadata() == {"format": "pt"}
                    off = difference(new, golden)
                exact = precision == "full" or stored == "bfloat16"
                assert off < (1e-6 if exact else 0.5), f"{folder.name} {precision} {size}: {off}"
                print(f"{folder.name:20} {precision:4} {len(files)} files: off by {off:.1e}")


if __name__ == "__main__":
    main()
