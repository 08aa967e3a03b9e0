#!/usr/bin/env python3
"""Compares oreal's matmuls with PyTorch's (MKL or oneDNN), by turns on this machine.

    pip install torch
    cargo build --release --locked --workspace --benches
    python models/benches/products.py [--rounds 9] [--threads 2] [--shapes C]

The three matmuls of a linear layer: forward (x Wt), the gradient of its input (d W) and that of its weights (dt x, added up). Ours
pack the weights each time, as a training step does. Every time is divided by PyTorch's of the same round, so that what else the
machine does acts on both; the table has the median of these ratios, and PyTorch's median rate. Both sides must agree to 1e-4.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
KINDS = ["forward", "input_gradient", "weight_gradient"]
# (rows, inputs, outputs): the layers of the sizes of benches/pytorch.py and of Qwen2.5-0.5B; tall, wide and small ones.
SHAPES = {
    "A": [(6144, 64, 192), (6144, 64, 256), (6144, 128, 64)],
    "B": [(4096, 128, 384), (4096, 128, 768), (4096, 384, 128)],
    "C": [(1024, 512, 1536), (1024, 512, 512), (1024, 512, 2816), (1024, 1408, 512), (1024, 512, 4096)],
    "0.5B": [(1024, 896, 1152), (1024, 896, 9728), (1024, 4864, 896)],
    "other": [(64, 512, 512), (256, 2048, 2048), (2048, 1024, 1024), (8192, 256, 256)],
}


def ours(process: subprocess.Popen, line: str) -> list[float]:
    process.stdin.write(line + "\n")
    process.stdin.flush()
    return [float(x) for x in process.stdout.readline().split()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--shapes", default=",".join(SHAPES), help="which, separated by commas")
    parser.add_argument("--program", help="our side, where it is built already")
    options = parser.parse_args()
    import torch

    torch.set_num_threads(options.threads)
    found = sorted((ROOT / "target/release/deps").glob("products-*[!.d]"), key=lambda path: path.stat().st_mtime)
    program = options.program or (str(found[-1]) if found else parser.error("build our side first: see --help"))
    environment = os.environ | {"RAYON_NUM_THREADS": str(options.threads)}
    process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)

    def numbers(rows: int, columns: int, prime: int) -> torch.Tensor:
        return ((torch.arange(rows * columns) * prime % 1009) / 1009 - 0.5).view(rows, columns)

    ratios: list[float] = []
    print(f"torch {torch.__version__}, {options.threads} threads; GFLOP/s of PyTorch, and oreal's rate over it\n")
    print("| size | rows x inputs x outputs | " + " | ".join(kind.replace("_", " ") for kind in KINDS) + " |")
    print("|---|---|" + "---:|" * len(KINDS))
    for size in options.shapes.split(","):
        for rows, inputs, outputs in SHAPES[size]:
            x, weights = numbers(rows, inputs, 7919), numbers(outputs, inputs, 104729)
            out, d_x = torch.empty(rows, outputs), torch.empty(rows, inputs)
            torch.mm(x, weights.t(), out=out)
            expected = [out.clone(), weights + out.t() @ x]
            expected.append(out @ expected[1])
            found = ours(process, f"check {rows} {inputs} {outputs} 0")
            for found, expected in zip(found, expected):
                wanted = (expected.double().flatten() * (1 + torch.arange(expected.numel()) % 7)).sum().item()
                scale = expected.double().abs().sum().item()
                assert abs(found - wanted) < 1e-4 * scale, f"{rows} x {inputs} x {outputs}: {found} is not {wanted}"
            run = {
                "forward": lambda: torch.mm(x, weights.t(), out=out),
                "input_gradient": lambda: torch.mm(out, weights, out=d_x),
                "weight_gradient": lambda: weights.addmm_(out.t(), x, alpha=1e-9),
            }
            times = max(1, int(2e9 / (2 * rows * inputs * outputs)))
            cells = []
            for kind in KINDS:
                rate, ratio = [], []
                for _ in range(options.rounds):
                    run[kind]()
                    start = time.perf_counter()
                    for _ in range(times):
                        run[kind]()
                    theirs = (time.perf_counter() - start) / times
                    mine = ours(process, f"{kind} {rows} {inputs} {outputs} {times}")
                    rate.append(2e-9 * rows * inputs * outputs / theirs)
                    ratio.append(theirs / statistics.mean(mine))
                ratios.append(statistics.median(ratio))
                cells.append(f"{statistics.median(rate):.0f}, {ratios[-1]:.2f}")
            print(f"| {size} | {rows} x {inputs} x {outputs} | " + " | ".join(cells) + " |", flush=True)
    print(f"\nmedian {statistics.median(ratios):.2f}, least {min(ratios):.2f}")


if __name__ == "__main__":
    main()
