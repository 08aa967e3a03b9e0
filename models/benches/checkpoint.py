#!/usr/bin/env python3
"""Compares oreal with transformers at the sizes of Qwen2.5-0.5B, by turns on this machine, 2 threads each.

    pip install torch transformers
    python models/benches/checkpoint.py FOLDER [--rounds 3] [--only frozen,f32]

FOLDER is made by models/tests/golden/random_qwen2.py. Every model is measured in a process of its own, and every
measurement of a round is divided by the one it competes with in the same round. Nothing else should run.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

THREADS = 2
ROOT = Path(__file__).resolve().parent.parent.parent
WHAT = [
    "load and one token, s",
    "read 8 x 128, s",
    "greedy 64, s",
    "draw 16 x 64, s",
    "draw 16 x 64 with top-p 0.9, s",
    "peak, MB",
]
# Ours, and the precision of transformers that it competes with.
RIVALS = {"f32": "float32", "frozen": "bfloat16", "bf16": "bfloat16"}


def transformers(folder: str, dtype: str) -> None:
    """Measures transformers in this process."""
    import resource
    import time

    import torch
    from transformers import AutoModelForCausalLM

    torch.set_num_threads(THREADS)

    def say(what: str, value: float) -> None:
        print(f"{dtype} | {what} | {value:.3e}", flush=True)

    def prompt(i: int, length: int) -> list[int]:
        return [(i * 7919 + t * t * 31 + 5) % 151936 for t in range(length)]

    def draw(count: int, tokens: int, **how) -> None:
        texts = torch.tensor([prompt(0, 16)] * count)
        how |= {"min_new_tokens": tokens, "max_new_tokens": tokens, "pad_token_id": 0}
        model.generate(texts, attention_mask=torch.ones_like(texts), **how)

    def timed(what: str, run) -> None:
        start = time.perf_counter()
        run()
        say(what, time.perf_counter() - start)

    @torch.inference_mode()
    def read() -> None:
        texts = torch.tensor([prompt(i, 129) for i in range(8)])
        for row in texts.split(4):  # so that the logits stay below a gigabyte
            logits = model(row[:, :-1]).logits
            picked = logits.gather(-1, row[:, 1:, None]).squeeze(-1).float()
            picked - logits.float().logsumexp(-1)

    def load():
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, dtype))
        texts = torch.tensor([prompt(0, 16)])
        model.generate(texts, attention_mask=torch.ones_like(texts), do_sample=False, max_new_tokens=1, pad_token_id=0)
        return model

    start = time.perf_counter()
    model = load()
    say("load and one token, s", time.perf_counter() - start)
    timed("read 8 x 128, s", read)
    timed("greedy 64, s", lambda: draw(1, 64, do_sample=False))
    sample = {"do_sample": True, "top_k": 0}
    timed("draw 16 x 64, s", lambda: draw(16, 64, **sample))
    timed("draw 16 x 64 with top-p 0.9, s", lambda: draw(16, 64, top_p=0.9, **sample))
    say("peak, MB", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3)


def build() -> str:
    command = ["cargo", "bench", "-p", "oreal-models", "--bench", "checkpoint", "--no-run", "--message-format=json"]
    out = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout
    messages = [json.loads(line) for line in out.splitlines()]
    built = [m for m in messages if m["reason"] == "compiler-artifact" and m["target"]["name"] == "checkpoint"]
    return built[-1]["executable"]


def figures(command: list[str]) -> dict[str, dict[str, float]]:
    environment = os.environ | {"RAYON_NUM_THREADS": str(THREADS), "OMP_NUM_THREADS": str(THREADS)}
    run = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    if run.returncode:
        sys.exit(f"{' '.join(command)} ended with {run.returncode}")
    found: dict[str, dict[str, float]] = {}
    for model, what, value in (line.split(" | ") for line in run.stdout.splitlines()):
        found.setdefault(model, {})[what] = float(value)
    return found


def spread(values: list[float], digits: int) -> str:
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f}–{max(values):.{digits}f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="frozen,bf16,f32", help="which of frozen, bf16, f32")
    parser.add_argument("--executable", help="of benches/checkpoint.rs, to save building it")
    parser.add_argument("--dtype", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.dtype:
        return transformers(options.folder, options.dtype)
    executable = options.executable or build()
    ours = options.only.split(",")
    rounds: list[dict[str, dict[str, float]]] = []
    for _ in range(options.rounds):
        turn: dict[str, dict[str, float]] = {}
        for name in ours:
            turn |= figures([executable, options.folder, name])
        for dtype in sorted({RIVALS[name] for name in ours}):
            turn |= figures([sys.executable, __file__, options.folder, "--dtype", dtype])
        rounds.append(turn)
    print(f"This machine reads {spread([turn['memory']['read, GB/s'] for turn in rounds], 1)} GB/s.\n")
    for name in ours:
        rival = RIVALS[name]
        print(f"| median (least–greatest) | oreal, {name} | transformers, {rival} | transformers / oreal |")
        print("|---|---:|---:|---:|")
        for what in WHAT:
            mine, theirs = ([turn[of][what] for turn in rounds] for of in (name, rival))
            digits = 0 if what.endswith("MB") else 2
            ratio = spread([b / a for a, b in zip(mine, theirs)], 2)
            print(f"| {what} | {spread(mine, digits)} | {spread(theirs, digits)} | {ratio} |")
        rate = [turn[name]["greedy 64, GB/s"] / turn["memory"]["read, GB/s"] for turn in rounds]
        print(f"\nGreedy decoding reads weights at {spread([100 * r for r in rate], 0)} % of what this machine reads.\n")


if __name__ == "__main__":
    main()
