"""Compares oreal with PyTorch and TRL, side by side on this machine: same weights, same batch, same loss, 2 threads both.

    pip install torch trl safetensors
    python benches/pytorch.py
    python benches/pytorch.py --only step,sample --sizes A,B --rounds 3

What is compared, and how, is said in docs/speed.md, which holds a table this script printed. Both sides take turns, so that
whatever else the machine does meets both. Before anything is timed, both must give the same numbers.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

THREADS = 2
ROOT = Path(__file__).resolve().parent.parent
os.environ |= {"RAYON_NUM_THREADS": str(THREADS), "OMP_NUM_THREADS": str(THREADS)}

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

torch.set_num_threads(THREADS)


# Our side


class Ours:
    """The executable of benches/side.rs, which answers a line of JSON with another."""

    def __init__(self, executable: Path):
        self.process = subprocess.Popen([executable], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, do: str, **what) -> dict:
        print(json.dumps({"do": do, **what}), file=self.process.stdin, flush=True)
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"our side ended at {do} {what}")
        return json.loads(line)

    def __enter__(self) -> Ours:
        return self

    def __exit__(self, *_) -> None:
        self.process.stdin.close()
        self.process.wait()


def build() -> Path:
    command = ["cargo", "bench", "--bench", "side", "--no-run", "--message-format=json"]
    out = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout
    messages = [json.loads(line) for line in out.splitlines()]
    built = [m for m in messages if m["reason"] == "compiler-artifact" and m["target"]["name"] == "side"]
    return Path(built[-1]["executable"])


# PyTorch's side: Qwen2 by hand, as one would write it for speed


class Layer(nn.Module):
    def __init__(self, config: dict, weights: dict[str, Tensor]):
        super().__init__()
        self.heads, self.epsilon = config["num_attention_heads"], config["rms_norm_eps"]
        join = lambda part, names, kind: torch.cat([weights[f"{part}.{name}_proj.{kind}"] for name in names])
        self.norm1 = nn.Parameter(weights["input_layernorm.weight"])
        self.qkv = nn.Parameter(join("self_attn", "qkv", "weight"))
        self.qkv_bias = nn.Parameter(join("self_attn", "qkv", "bias"))
        self.o = nn.Parameter(weights["self_attn.o_proj.weight"])
        self.norm2 = nn.Parameter(weights["post_attention_layernorm.weight"])
        self.gate_up = nn.Parameter(join("mlp", ("gate", "up"), "weight"))
        self.down = nn.Parameter(weights["mlp.down_proj.weight"])

    def forward(self, x: Tensor, rotary: Tensor, attend: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Tensor:
        batch, time, hidden = x.shape
        read = F.rms_norm(x, (hidden,), self.norm1, self.epsilon)
        qkv = F.linear(read, self.qkv, self.qkv_bias).view(batch, time, 3 * self.heads, -1).transpose(1, 2)
        qk, v = qkv.split((2 * self.heads, self.heads), 1)
        q, k = rotate(qk, rotary).chunk(2, 1)
        mixed = attend(q, k, v).transpose(1, 2).reshape(batch, time, hidden)
        x = x + F.linear(mixed, self.o)
        read = F.rms_norm(x, (hidden,), self.norm2, self.epsilon)
        gate, up = F.linear(read, self.gate_up).chunk(2, -1)
        return x + F.linear(F.silu(gate) * up, self.down)


class Qwen2(nn.Module):
    def __init__(self, folder: Path):
        super().__init__()
        self.config = json.loads((folder / "config.json").read_text())
        weights = load_file(folder / "model.safetensors")
        self.embedding = nn.Parameter(weights["model.embed_tokens.weight"])
        of = lambda i: {name.removeprefix(f"model.layers.{i}."): weight for name, weight in weights.items()}
        self.layers = nn.ModuleList(Layer(self.config, of(i)) for i in range(self.config["num_hidden_layers"]))
        self.norm = nn.Parameter(weights["model.norm.weight"])
        self.head = nn.Parameter(weights["lm_head.weight"])
        self.head_dim = self.config["hidden_size"] // self.config["num_attention_heads"]

    def forward(self, tokens: Tensor, rotary: Tensor, attend: Callable[[int], Callable]) -> Tensor:
        x = F.embedding(tokens, self.embedding)
        for i, layer in enumerate(self.layers):
            x = layer(x, rotary, attend(i))
        return F.linear(F.rms_norm(x, x.shape[-1:], self.norm, self.config["rms_norm_eps"]), self.head)

    def rotary(self, length: int) -> Tensor:
        """Cosines by position, and sines with the sign they are added with: [2, length, head_dim]."""
        exponents = torch.arange(0, self.head_dim, 2) / self.head_dim
        angles = torch.outer(torch.arange(length), self.config["rope_theta"] ** -exponents)
        cosines, sines = angles.cos(), angles.sin()
        return torch.stack([torch.cat([cosines, cosines], -1), torch.cat([-sines, sines], -1)])


def rotate(x: Tensor, rotary: Tensor) -> Tensor:
    return torch.addcmul(x * rotary[0], x.roll(x.shape[-1] // 2, -1), rotary[1])


class PyTorch:
    """A model of PyTorch's, with optimiser, on the weights and the batch that our side saved."""

    def __init__(self, folder: Path):
        self.model = Qwen2(folder)
        batch = json.loads((folder / "batch.json").read_text())
        self.prompts = torch.tensor(batch["prompts"])
        self.completions = torch.tensor(batch["completions"])
        self.weights = torch.tensor(batch["weights"]).view_as(self.completions)
        self.drawn: int = batch["drawn"]
        self.inputs = torch.cat([self.prompts, self.completions[:, :-1]], 1)
        self.rotary = self.model.rotary(max(self.inputs.shape[1], self.drawn))
        matrices = [p for p in self.model.parameters() if p.dim() > 1]
        vectors = [p for p in self.model.parameters() if p.dim() == 1]
        groups = [{"params": matrices, "weight_decay": 0.01}, {"params": vectors, "weight_decay": 0.0}]
        self.optimiser = torch.optim.AdamW(groups, lr=1e-5, fused=True)

    def step(self) -> dict:
        start = time.perf_counter()
        attend = lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True)
        logits = self.model(self.inputs, self.rotary[:, : self.inputs.shape[1]], lambda _: attend)
        logp = logits.log_softmax(-1).gather(-1, self.completions.unsqueeze(-1)).squeeze(-1)
        loss = -(self.weights * logp).mean()
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        return {"ms": since(start), "loss": loss.item(), "norm": norm.item()}

    @torch.inference_mode()
    def sample(self, temperature: float) -> dict:
        start = time.perf_counter()
        config = self.model.config
        shape = (config["num_hidden_layers"], 2, len(self.prompts), config["num_attention_heads"], self.drawn)
        cache = torch.empty(*shape, self.model.head_dim)
        tokens = torch.empty(len(self.prompts), self.drawn + 1, dtype=torch.long)
        tokens[:, :1] = self.prompts
        for t in range(self.drawn):
            logits = self.model(tokens[:, t : t + 1], self.rotary[:, t : t + 1], lambda i: with_past(cache[i], t))[:, 0]
            if temperature == 0.0:
                tokens[:, t + 1] = logits.argmax(-1)
            else:
                tokens[:, t + 1] = torch.multinomial(logits.softmax(-1), 1)[:, 0]
        return {"ms": since(start), "tokens": tokens[:, 1:].tolist()}


def with_past(cache: Tensor, t: int) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """Attention of the token at `t` to all up to it; its key and value are written to the layer's cache.

    With a single query, two plain products are faster than F.scaled_dot_product_attention.
    """

    def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        cache[0, :, :, t : t + 1] = k
        cache[1, :, :, t : t + 1] = v
        scores = q * q.shape[-1] ** -0.5 @ cache[0, :, :, : t + 1].transpose(-1, -2)
        return scores.softmax(-1) @ cache[1, :, :, : t + 1]

    return attend


def since(start: float) -> float:
    return 1e3 * (time.perf_counter() - start)


# That both compute the same


def close(what: str, ours: float, theirs: float, tolerance: float) -> None:
    if not math.isclose(ours, theirs, rel_tol=tolerance):
        sys.exit(f"{what}: ours is {ours}, PyTorch's {theirs}; they may differ by {tolerance} of it")


def check_sample(size: str, ours: Ours, theirs: PyTorch) -> None:
    pairs = zip(ours.ask("sample", size=size, temperature=0.0)["tokens"], theirs.sample(0.0)["tokens"], strict=True)
    agreed = [next((t for t, (a, b) in enumerate(zip(x, y, strict=True)) if a != b), theirs.drawn) for x, y in pairs]
    share = sum(agreed) / (theirs.drawn * len(agreed))
    if min(agreed) < 1 or share < 0.99:
        sys.exit(f"most likely tokens at {size}: completions agree for {agreed} tokens, of {theirs.drawn}")
    note(f"{size}: {100 * share:.1f}% of the most likely tokens agree before the first that differs in its completion")


def check_step(size: str, ours: Ours, theirs: PyTorch) -> None:
    steps = [(ours.ask("step", size=size), theirs.step()) for _ in range(6)]
    close(f"loss at {size}", steps[0][0]["loss"], steps[0][1]["loss"], 1e-5)
    close(f"gradient norm at {size}", steps[0][0]["norm"], steps[0][1]["norm"], 1e-4)
    close(f"loss at {size} after 5 steps", steps[5][0]["loss"], steps[5][1]["loss"], 1e-4)
    losses = [f"{step['loss']:.7f}" for step in (*steps[0], *steps[5])]
    note(f"{size}: loss {losses[0]}, PyTorch's {losses[1]}; after 5 steps {losses[2]}, {losses[3]}")


# Measurements


@dataclass
class Pair:
    """Milliseconds of the rounds on both sides."""

    ours: list[float]
    theirs: list[float]

    def row(self, what: str, size: str) -> str:
        ratios = [a / b for a, b in zip(self.ours, self.theirs, strict=True)]
        spread = f"{statistics.median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f})"
        return f"| {what} | {size} | {statistics.median(self.ours):.1f} | {statistics.median(self.theirs):.1f} | {spread} |"


def in_turn(rounds: int, ours: Callable[[], dict], theirs: Callable[[], dict], warm_up: int = 2) -> Pair:
    """Both sides by turns; a pause lets the threads of the one go to sleep before the other runs."""
    times = []
    for _ in range(warm_up + rounds):
        for side in (ours, theirs):
            time.sleep(0.05)
            times.append(side()["ms"])
    times = times[2 * warm_up :]
    return Pair(times[0::2], times[1::2])


def measure_models(options: argparse.Namespace) -> Iterator[str]:
    """Training steps and sampling at each size."""
    for size in options.sizes:
        with tempfile.TemporaryDirectory() as folder, Ours(options.executable) as ours:
            ours.ask("save", size=size, folder=folder)
            theirs = PyTorch(Path(folder))
            check_sample(size, ours, theirs)
            check_step(size, ours, theirs)
            if "step" in options.only:
                pair = in_turn(options.rounds, lambda: ours.ask("step", size=size), theirs.step)
                yield pair.row("training step, ms", size)
            if "sample" in options.only:
                ask = lambda: ours.ask("sample", size=size, temperature=1.0)
                yield in_turn(options.rounds, ask, lambda: theirs.sample(1.0)).row("sampling, ms", size)


def note(text: str) -> None:
    print(text, file=sys.stderr)


def arguments() -> argparse.Namespace:
    listed = lambda text: text.split(",")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--executable", type=Path, help="our side, where it is not to be built by cargo")
    parser.add_argument("--only", type=listed, default=["step", "sample"], help="step,sample")
    parser.add_argument("--sizes", type=listed, default=["A", "B", "C"], help="A,B,C")
    parser.add_argument("--rounds", type=int, default=7, help="timed turns of each side (%(default)s)")
    options = parser.parse_args()
    options.executable = options.executable or build()
    return options


def main() -> None:
    options = arguments()
    print("| what | size | oreal | PyTorch | oreal / PyTorch |\n|---|---|---:|---:|---:|")
    for row in measure_models(options):
        print(row, flush=True)


if __name__ == "__main__":
    main()
