"""Compares oreal with PyTorch and TRL, side by side on this machine: same weights, batch and loss, 2 threads both.

    pip install torch trl safetensors
    python benches/pytorch.py
    python benches/pytorch.py --only step,sample --sizes A,B --rounds 3
    tools/cuda.sh run python benches/pytorch.py --device cuda:0 --sizes A,B,0.5B,1.5B

What is compared, and how, is said in docs/speed.md and docs/cuda.md, which hold what this script printed. Both sides take turns, and
nothing else should run. Before anything is timed, both must give the same numbers.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import importlib.metadata
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

THREADS = 2
MEMORY_STEPS = 3
WARM_UP = 2
PROMPTS, ROLLOUTS = 64, 16
PARTS = ["step", "bf16", "sample", "oreal", "memory", "rates"]
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

    def __init__(self, options: argparse.Namespace):
        command = [options.executable, options.device]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

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


def build(device: str) -> Path:
    command = ["cargo", "bench", "--bench", "side", "--no-run", "--message-format=json"]
    command += ["--features", "dfdx-cuda"] if device != "cpu" else []
    out = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout
    messages = [json.loads(line) for line in out.splitlines()]
    built = [m for m in messages if m["reason"] == "compiler-artifact" and m["target"]["name"] == "side"]
    return Path(built[-1]["executable"])


# PyTorch's side: Qwen2 by hand, as one would write it for speed


class Layer(nn.Module):
    def __init__(self, config: dict, weights: dict[str, Tensor]):
        super().__init__()
        self.heads, self.kv_heads = config["num_attention_heads"], config["num_key_value_heads"]
        self.epsilon = config["rms_norm_eps"]
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
        qkv = F.linear(read, self.qkv, self.qkv_bias).view(batch, time, self.heads + 2 * self.kv_heads, -1)
        qk, v = qkv.transpose(1, 2).split((self.heads + self.kv_heads, self.kv_heads), 1)
        q, k = rotate(qk, rotary).split((self.heads, self.kv_heads), 1)
        mixed = attend(q, k, v).transpose(1, 2).reshape(batch, time, hidden)
        x = x + F.linear(mixed, self.o)
        read = F.rms_norm(x, (hidden,), self.norm2, self.epsilon)
        gate, up = F.linear(read, self.gate_up).chunk(2, -1)
        return x + F.linear(F.silu(gate) * up, self.down)


class Qwen2(nn.Module):
    def __init__(self, folder: Path):
        super().__init__()
        self.config = json.loads((folder / "config.json").read_text())
        weights = load_file(folder / "model.safetensors", device=str(torch.get_default_device()))
        self.embedding = nn.Parameter(weights["model.embed_tokens.weight"])
        of = lambda i: {name.removeprefix(f"model.layers.{i}."): weight for name, weight in weights.items()}
        self.layers = nn.ModuleList(Layer(self.config, of(i)) for i in range(self.config["num_hidden_layers"]))
        self.norm = nn.Parameter(weights["model.norm.weight"])
        tied = self.config["tie_word_embeddings"]
        self.head = self.embedding if tied else nn.Parameter(weights["lm_head.weight"])
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

    def step(self, products: str = "f32") -> dict:
        """With bf16, products have factors in bf16, while weights, gradient and moments are in f32."""
        start = time.perf_counter()
        with torch.autocast(torch.get_default_device().type, torch.bfloat16, enabled=products == "bf16"):
            loss = self.loss()
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        return {"ms": since(start), "loss": loss.item(), "norm": norm.item()}

    def loss(self) -> Tensor:
        grouped = self.model.layers[0].heads != self.model.layers[0].kv_heads
        attend = lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=grouped)
        logits = self.model(self.inputs, self.rotary[:, : self.inputs.shape[1]], lambda _: attend)
        logp = logits.float().log_softmax(-1).gather(-1, self.completions.unsqueeze(-1)).squeeze(-1)
        return -(self.weights * logp).mean()

    def matrices(self) -> int:
        """Weights that every token is multiplied by: all matrices, the embedding only where it is the head."""
        model = self.model
        embedding = 0 if model.head is model.embedding else model.embedding.numel()
        return sum(p.numel() for p in model.parameters() if p.dim() > 1) - embedding

    def flops(self) -> float:
        """Of a training step's products: 6 for a weight and token, and causal attention's 6 * hidden * (length + 1) for a
        layer and token; a third of both forward, two thirds backward."""
        config, length = self.model.config, self.inputs.shape[1]
        attention = 6 * config["num_hidden_layers"] * config["hidden_size"] * (length + 1)
        return self.inputs.numel() * (6 * self.matrices() + attention)

    def bytes_read(self) -> float:
        """Of sampling: every weight once for each token drawn, whatever the number of completions."""
        return 4 * self.matrices() * self.drawn

    @torch.inference_mode()
    def sample(self, temperature: float) -> dict:
        start = time.perf_counter()
        config = self.model.config
        shape = (config["num_hidden_layers"], 2, len(self.prompts), config["num_key_value_heads"], self.drawn)
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
        # Heads that share keys stand below each other, so that these need not be repeated.
        shared = q.view(*k.shape[:2], -1, q.shape[-1])
        scores = shared * q.shape[-1] ** -0.5 @ cache[0, :, :, : t + 1].transpose(-1, -2)
        return (scores.softmax(-1) @ cache[1, :, :, : t + 1]).view(q.shape)

    return attend


def peak_memory() -> float:
    """The most memory this process has held so far, in MB. (ru_maxrss would count a parent's before exec.)"""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) * 1024 / 1e6


def remember(folder: Path) -> None:
    """In a process of its own: its memory before there is a model, and after training steps."""
    before = peak_memory()
    theirs = PyTorch(folder)
    for _ in range(MEMORY_STEPS):
        theirs.step()
    print(json.dumps({"before": before, "mb": peak_memory()}))


def since(start: float) -> float:
    """Milliseconds, once the device has done what it was asked for."""
    if torch.get_default_device().type == "cuda":
        torch.cuda.synchronize()
    return 1e3 * (time.perf_counter() - start)


# That both compute the same


def close(what: str, ours: float, theirs: float, tolerance: float) -> None:
    if not math.isclose(ours, theirs, rel_tol=tolerance):
        sys.exit(f"{what}: ours is {ours}, PyTorch's {theirs}; they may differ by {tolerance} of it")


def check_checkpoint(model: nn.Module, start: dict) -> None:
    """That transformers reads our checkpoint: its log-probabilities of our completions are ours."""
    theirs = []
    for prompt, completion in start["sequences"]:
        with torch.inference_mode():
            logp = model(torch.tensor([prompt + completion])).logits[0].log_softmax(-1)
        theirs += [logp[len(prompt) + t - 1, token].item() for t, token in enumerate(completion)]
    worst = max(abs(a - b) for a, b in zip(start["logp"], theirs, strict=True))
    if worst > 1e-4:
        sys.exit(f"log-probabilities of our policy differ by {worst} when transformers reads it")
    note(f"transformers reads our policy: {len(theirs)} log-probabilities differ by at most {worst:.1e}")


def check_sample(size: str, ours: Ours, theirs: PyTorch) -> None:
    pairs = zip(ours.ask("sample", size=size, temperature=0.0)["tokens"], theirs.sample(0.0)["tokens"], strict=True)
    agreed = [next((t for t, (a, b) in enumerate(zip(x, y, strict=True)) if a != b), theirs.drawn) for x, y in pairs]
    share = sum(agreed) / (theirs.drawn * len(agreed))
    if min(agreed) < 1 or share < 0.99:
        sys.exit(f"most likely tokens at {size}: completions agree for {agreed} tokens, of {theirs.drawn}")
    note(f"{size}: {share:.1%} of the most likely tokens come before the first that differs in its completion")


def check_step(size: str, ours: Ours, theirs: PyTorch) -> None:
    steps = [(ours.ask("step", size=size), theirs.step()) for _ in range(6)]
    # TF32 keeps 10 bits of a factor's fraction.
    rough = 1 if torch.get_default_device().type == "cpu" else 100
    close(f"loss at {size}", steps[0][0]["loss"], steps[0][1]["loss"], 1e-5 * rough)
    close(f"gradient norm at {size}", steps[0][0]["norm"], steps[0][1]["norm"], 1e-4 * rough)
    close(f"loss at {size} after 5 steps", steps[5][0]["loss"], steps[5][1]["loss"], 1e-4 * rough)
    losses = [f"{step['loss']:.7f}" for step in (*steps[0], *steps[5])]
    note(f"{size}: loss {losses[0]}, PyTorch's {losses[1]}; after 5 steps {losses[2]}, {losses[3]}")


# TRL's side


def trl_trainer(folder: Path, start: dict, lengths: list[float], turn: Callable[[float], None]):
    """One update by each batch of completions, without a reference model; `turn` gets the milliseconds of each step."""
    import datasets
    import transformers
    import trl

    warnings.simplefilter("ignore", FutureWarning)
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()

    class Clock(transformers.TrainerCallback):
        def on_step_begin(self, *_, **__) -> None:
            self.start = time.perf_counter()

        def on_step_end(self, *_, **__) -> None:
            turn(since(self.start))

    def graded(completions: list[str], answer: list[str], completion_ids: list[list[int]], **_) -> list[float]:
        lengths.append(statistics.mean(map(len, completion_ids)))
        return [float(completion == right) for completion, right in zip(completions, answer, strict=True)]

    model = transformers.Qwen2ForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
    check_checkpoint(model, start)
    settings = trl.GRPOConfig(
        output_dir=str(folder / "trl"),
        max_steps=start["turns"],
        num_generations=ROLLOUTS,
        per_device_train_batch_size=PROMPTS * ROLLOUTS,
        max_completion_length=start["max_tokens"],
        learning_rate=5e-4,
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
        shuffle_dataset=False,
        logging_strategy="no",
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
    )
    trainer = trl.GRPOTrainer(
        model=model,
        args=settings,
        train_dataset=datasets.Dataset.from_list([{"prompt": p, "answer": a} for p, a in start["problems"]]),
        processing_class=tokenizer(folder / "tokenizer.json", start["end"]),
        reward_funcs=graded,
        callbacks=[Clock()],
    )
    trainer.remove_callback(transformers.PrinterCallback)
    return trainer


def tokenizer(file: Path, end: str):
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast(tokenizer_file=str(file), eos_token=end, pad_token=end)


# Measurements


@dataclass
class Pair:
    """What was measured on both sides, round by round."""

    ours: list[float]
    theirs: list[float]

    def row(self, what: str) -> str:
        ratios = [a / b for a, b in zip(self.ours, self.theirs, strict=True)]
        spread = f"{statistics.median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f})"
        return f"| {what} | {statistics.median(self.ours):.1f} | {statistics.median(self.theirs):.1f} | {spread} |"


@dataclass
class Table:
    """Rows by what they are of, under the titles of their columns."""

    times: list[str] = field(default_factory=list)
    memory: list[str] = field(default_factory=list)
    rates: list[str] = field(default_factory=list)

    def print(self) -> None:
        titles = [
            (self.times, ["median of turns, ms", "oreal", "other", "oreal / other (least–greatest)"]),
            (self.memory, ["peak memory, MB", "oreal", "PyTorch", "oreal / PyTorch", "PyTorch without a model"]),
            (self.rates, ["achieved", "oreal", "PyTorch", "this machine"]),
        ]
        for rows, columns in titles:
            if rows:
                print("", f"| {' | '.join(columns)} |", "|---" + "|---:" * (len(columns) - 1) + "|", *rows, sep="\n")


class Watch:
    """What the machine does besides this."""

    def __init__(self):
        self.start = self.seconds()
        self.paused = [0.0, 0.0, 0.0]

    @staticmethod
    def seconds() -> tuple[float, float, float]:
        """Time on the clock, of all processes on the cores, and of this one with its children."""
        user, nice, system, _idle, _waiting, *rest = map(int, Path("/proc/stat").read_text().split()[1:9])
        busy = (user + nice + system + sum(rest)) / os.sysconf("SC_CLK_TCK")
        return time.monotonic(), busy, sum(os.times()[:4])

    def pause(self) -> None:
        """Lets the threads of one side go to sleep before the other runs, and others finish, for 10 seconds at most."""
        for _ in range(100):
            before = self.seconds()
            time.sleep(0.1)
            passed = [now - then for now, then in zip(self.seconds(), before, strict=True)]
            self.paused = [a + b for a, b in zip(self.paused, passed, strict=True)]
            if passed[1] <= 0.02:
                return

    def others(self) -> float:
        """Share of the cores that other processes had, pauses left out."""
        times = zip(self.seconds(), self.start, self.paused, strict=True)
        clock, busy, own = (now - start - paused for now, start, paused in times)
        return max(0.0, busy - own) / (clock * os.cpu_count())

    def heading(self) -> str:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        processor = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
        versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("torch", "trl", "transformers"))
        if torch.get_default_device().type == "cuda":
            processor = f"{torch.cuda.get_device_name()} beside {processor}"
        return (
            f"{datetime.date.today()}, {processor}, {os.cpu_count()} cores, {THREADS} threads each;\n{versions}, "
            f"Python {platform.python_version()}. Other processes took {self.others():.1%} of the cores."
        )


def in_turn(options: argparse.Namespace, ours: Callable[[], dict], theirs: Callable[[], dict]) -> Pair:
    times = []
    for _ in range(WARM_UP + options.rounds):
        for side in (ours, theirs):
            options.watch.pause()
            times.append(side()["ms"])
    times = times[2 * WARM_UP :]
    return Pair(times[0::2], times[1::2])


def measure_size(options: argparse.Namespace, size: str, table: Table) -> None:
    """Training steps and sampling, with what they make of the machine."""
    with tempfile.TemporaryDirectory() as folder, Ours(options) as ours:
        ours.ask("save", size=size, folder=folder)
        theirs = PyTorch(Path(folder))
        check_sample(size, ours, theirs)
        check_step(size, ours, theirs)
        if "step" in options.only:
            pair = in_turn(options, lambda: ours.ask("step", size=size), theirs.step)
            table.times.append(pair.row(f"training step, {size}"))
            if "rates" in options.only:
                table.rates.append(rate_row(f"training step, {size}", "GFLOP/s", pair, theirs.flops(), dense_rate()))
        if "bf16" in options.only:
            rounded = lambda: ours.ask("step", size=size, products="bf16")
            pair = in_turn(options, rounded, lambda: theirs.step("bf16"))
            table.times.append(pair.row(f"training step in bf16, {size}"))
            pair = in_turn(options, rounded, lambda: ours.ask("step", size=size))
            table.times.append(pair.row(f"training step in bf16, {size}, against oreal's in f32"))
        if "sample" in options.only:
            ask = lambda: ours.ask("sample", size=size, temperature=1.0)
            pair = in_turn(options, ask, lambda: theirs.sample(1.0))
            table.times.append(pair.row(f"sampling, {size}"))
            if "rates" in options.only and size == "C":
                table.rates.append(rate_row("sampling, C", "GB/s", pair, theirs.bytes_read(), bandwidth()))
        if "memory" in options.only:
            table.memory.append(memory_row(options, size, folder))


def memory_row(options: argparse.Namespace, size: str, folder: str) -> str:
    with Ours(options) as ours:
        for _ in range(MEMORY_STEPS):
            ours.ask("step", size=size)
        mb = ours.ask("memory")["mb"]
    out = subprocess.run([sys.executable, __file__, "--worker", folder], stdout=subprocess.PIPE, check=True).stdout
    theirs = json.loads(out)
    cells = [f"training step, {size}", f"{mb:.0f}", f"{theirs['mb']:.0f}", f"{mb / theirs['mb']:.2f}"]
    return f"| {' | '.join(cells)} | {theirs['before']:.0f} |"


def rate_row(what: str, unit: str, pair: Pair, work: float, machine: float) -> str:
    """Work a second, and its share of what the machine can do."""
    rates = [work / (1e6 * statistics.median(times)) for times in (pair.ours, pair.theirs)]
    cells = [f"{rate:.1f} ({100 * rate / machine:.0f} %)" for rate in rates]
    return f"| {what}, {unit} | {cells[0]} | {cells[1]} | {machine:.1f} |"


def dense_rate() -> float:
    """GFLOP/s of the best of many products of 1024 x 1024 matrices."""
    a, b = torch.rand(2, 1024, 1024)
    return 2 * 1024**3 / best(lambda: a @ b, 60) / 1e9


def bandwidth() -> float:
    """GB/s of the best of several products of a matrix of 1 GiB with a vector, which read it faster than a sum does."""
    matrix, vector = torch.ones(1 << 14, 1 << 14), torch.ones(1 << 14)
    return 4 * matrix.numel() / best(lambda: matrix @ vector, 12) / 1e9


def best(work: Callable[[], object], times: int) -> float:
    def once() -> float:
        start = time.perf_counter()
        work()
        return since(start) / 1e3

    return min(once() for _ in range(times))


def measure_oreal(options: argparse.Namespace, table: Table) -> None:
    """Whole steps: OREAL with reference and reward model, and GRPO with neither, between the steps of TRL's GRPO."""
    shape = [f"train.prompts={PROMPTS}", f"train.rollouts={ROLLOUTS}"]
    oreal = ["algorithm.name=oreal", "algorithm.frozen_steps=0", *shape]
    grpo = ["algorithm.name=grpo", "algorithm.beta=0.0", *shape]
    with contextlib.ExitStack() as stack:
        folder, other = (Path(stack.enter_context(tempfile.TemporaryDirectory())) for _ in range(2))
        sides = [stack.enter_context(Ours(options)) for _ in range(2)]
        start = sides[0].ask("train", set=oreal, folder=str(folder))
        sides[1].ask("train", set=grpo, folder=str(other))
        steps: list[list[dict]] = [[], []]
        times, lengths = [], []

        def turn(ms: float) -> None:
            times.append(ms)
            for side, done in zip(sides, steps, strict=True):
                options.watch.pause()
                done.append(side.ask("step"))
            options.watch.pause()

        trl_trainer(folder, start | {"turns": WARM_UP + options.rounds}, lengths, turn).train()
    check_lengths(steps, lengths)
    for name, done in zip(("OREAL against TRL's GRPO", "GRPO against TRL's"), steps, strict=True):
        pair = Pair([step["ms"] for step in done][WARM_UP:], times[WARM_UP:])
        table.times.append(pair.row(f"whole step, {name}"))


def check_lengths(steps: list[list[dict]], lengths: list[float]) -> None:
    """At the first step, all draw from the same policy for the same problems."""
    ours = [[step["length"] for step in done] for done in steps]
    if any(abs(first[0] - lengths[0]) > 0.1 for first in ours):
        sys.exit(f"mean completion lengths at the first step: ours {ours[0][0]}, {ours[1][0]}, TRL's {lengths[0]}")
    means = [f"{statistics.mean(of):.2f} (at first {of[0]:.3f})" for of in (*ours, lengths)]
    note("mean tokens of a completion: OREAL {}, GRPO {}, TRL {}".format(*means))
    kept = [statistics.mean(step["kept"] for step in done) for done in steps]
    note(f"of {PROMPTS * ROLLOUTS} completions, OREAL learns from {kept[0]:.0f}, GRPO from {kept[1]:.0f}, TRL from all")


def note(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def arguments() -> argparse.Namespace:
    listed = lambda text: text.split(",")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--executable", type=Path, help="our side, where it is not to be built by cargo")
    parser.add_argument("--device", default="cpu", help="cpu, or cuda:0 (default: %(default)s)")
    parser.add_argument("--only", type=listed, help=f"{','.join(PARTS)}; rates are of step and sample")
    parser.add_argument("--sizes", type=listed, default=["A", "B", "C"], help="A,B,C,0.5B-short,0.5B,1.5B,long,words")
    parser.add_argument("--rounds", type=int, default=7, help=f"timed turns, after {WARM_UP} to warm up (%(default)s)")
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    # Peak memory is the host's, and TRL is set to run there.
    possible = PARTS if options.device == "cpu" else ["step", "sample", "rates"]
    options.only = options.only or possible
    if unknown := set(options.only) - set(possible):
        parser.error(f"--only: {', '.join(unknown)} is none of {', '.join(possible)} on {options.device}")
    return options


def main() -> None:
    options = arguments()
    if options.worker:
        return remember(options.worker)
    torch.set_default_device(options.device)
    torch.set_float32_matmul_precision("high" if options.device != "cpu" else "highest")
    options.executable = options.executable or build(options.device)
    options.watch, table = Watch(), Table()
    for size in options.sizes if set(options.only) - {"oreal"} else []:
        measure_size(options, size, table)
    if "oreal" in options.only:
        measure_oreal(options, table)
    print(options.watch.heading())
    table.print()


if __name__ == "__main__":
    main()
