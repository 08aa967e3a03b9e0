"""Compares `oreal grade` with Math-Verify on files of problems with known answers.

    pip install math-verify
    cargo build --release
    python benches/grading.py FOLDER > tables.md
    python benches/grading.py FOLDER --only self,rewritten --long details.md

FOLDER has files named in FILES. What is measured, and how, is said in docs/grading.md, which holds what this script
printed. The long tables, with every pair that somebody should look at, go to the file of --long.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import json
import multiprocessing
import os
import platform
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from grading_pairs import PERTURBATIONS, REWRITINGS, in_other_looks

ROOT = Path(__file__).resolve().parent.parent
PARTS = ["solutions", "self", "pairs", "rewritten", "perturbed", "speed"]
SECONDS = 5
"""After so long Math-Verify gives up, its own default."""


# Files: the gold answers, and the solutions that state them


@dataclass(frozen=True)
class Problem:
    file: str
    gold: str
    solution: str = ""


def boxed(text: str) -> str | None:
    """What the last box holds."""
    start = text.rfind("\\boxed{")
    depth = 0
    for at in range(start + 6, len(text)) if start >= 0 else ():
        depth += {"{": 1, "}": -1}.get(text[at], 0)
        if depth == 0:
            return text[start + 7 : at]
    return None


def number(value: float) -> str:
    return str(int(value)) if value == int(value) else str(value)


GSM8K = lambda row: (row["answer"].split("####")[-1].strip(), row["answer"])
FILES: dict[str, Callable[[dict], tuple[str, str]]] = {
    "math500": lambda row: (row["answer"], row["solution"]),
    "gsm8k_test": GSM8K,
    "gsm8k_train": GSM8K,
    "aime24": lambda row: (row["answer"], row["solution"]),
    "amc23": lambda row: (number(row["answer"]), ""),
    "minerva_math": lambda row: (boxed(row["solution"]), row["solution"]),
    "olympiadbench": lambda row: (", ".join(row["final_answer"]), ""),
    "gaokao2023en": lambda row: (row["answer"], ""),
}


def problems(folder: Path) -> list[Problem]:
    found = []
    for name, fields in FILES.items():
        path = folder / f"{name}.jsonl"
        if path.exists():
            rows = [json.loads(line) for line in path.read_text().splitlines()]
            found += [Problem(name, gold, solution) for gold, solution in map(fields, rows) if gold]
    return found or sys.exit(f"{folder} has none of {', '.join(FILES)}")


# The two graders. A pair is a gold answer and an answer, or a response that states one.

Pair = tuple[str, str]


def oreal(options: argparse.Namespace, pairs: Iterable[Pair], rule: str | None = None) -> tuple[list[dict], float]:
    """One verdict a pair, and the seconds of CPU all took on one thread, with its start and the file."""
    field = "response" if rule else "answer"
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
        file.writelines(json.dumps({"gold": gold, field: answer}) + "\n" for gold, answer in pairs)
        file.flush()
        command = [options.executable, "grade", file.name, "--threads", "1"] + (["--rule", rule] if rule else [])
        start = of_children()
        out = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True).stdout
        return [json.loads(line) for line in out.splitlines()], of_children() - start


def of_children() -> float:
    """Seconds of CPU that processes which have ended took."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@cache
def parsed(text: str) -> list:
    from math_verify import parse

    return parse(text, parsing_timeout=SECONDS)


def formula(text: str) -> str:
    """As Math-Verify wants an answer that stands alone."""
    return text if "$" in text or "\\boxed" in text else f"${text}$"


def math_verify(pair: Pair) -> str:
    """Its verdict: `right`, `wrong`, `unread` where it finds nothing in the gold answer or the answer, or `timeout`."""
    from math_verify import verify
    from math_verify.errors import TimeoutException

    gold, answer = parsed(formula(pair[0])), parsed(formula(pair[1]))
    if not gold or not answer:
        return "unread"
    try:
        return "right" if verify(gold, answer, timeout_seconds=SECONDS, raise_on_error=True) else "wrong"
    except TimeoutException:
        return "timeout"
    except Exception:
        return "wrong"


def all_math_verify(options: argparse.Namespace, pairs: list[Pair]) -> list[str]:
    with multiprocessing.Pool(options.processes) as pool:
        return pool.map(math_verify, pairs, chunksize=64)


# Output


class Long:
    """The file of long tables."""

    def __init__(self, path: Path):
        self.file = path.open("w")

    def table(self, title: str, heading: list[str], rows: Iterable[Iterable[object]]) -> None:
        rows = list(rows)
        if rows:
            self.file.write(f"\n## {title} ({len(rows)})\n\n{table(heading, rows)}\n")
            self.file.flush()


def table(heading: list[str], rows: Iterable[Iterable[object]]) -> str:
    escape = lambda cell: str(cell).replace("|", "\\|").replace("\n", " ")[:300]
    line = lambda cells: "| " + " | ".join(map(escape, cells)) + " |"
    right = lambda name: "---" if name in TEXT else "---:"
    return "\n".join([line(heading), "|" + "|".join(map(right, heading)) + "|", *map(line, rows)])


TEXT = {"file", "kind", "gold", "answer", "verdict", "step", "Math-Verify's", "reason", "to 50 digits"}
PAIR = ["kind", "gold", "answer", "verdict", "step", "Math-Verify's", "reason"]


def code(text: str) -> str:
    return f"`{text}`" if text else ""


def pair_row(kind: str, pair: Pair, ours: dict, theirs: str) -> list[str]:
    return [kind, code(pair[0]), code(pair[1]), ours["verdict"], ours["step"], theirs, ours["reason"]]


def share(part: int, whole: int) -> str:
    return f"{part} ({100 * part / max(whole, 1):.1f} %)"


# The parts


def measure_solutions(options: argparse.Namespace, given: list[Problem], long: Long) -> None:
    """Solutions graded against the answers they state."""
    rows = []
    for file in FILES:
        stated = [(p.gold, p.solution) for p in given if p.file == file and states(p)]
        if stated:
            ours, _ = oreal(options, stated, "hashes" if file.startswith("gsm8k") else "any")
            theirs = all_math_verify(options, stated)
            right = sum(verdict["verdict"] == "right" for verdict in ours)
            rows.append([file, len(stated), right, theirs.count("right")])
            misses = [(p, o, t) for p, o, t in zip(stated, ours, theirs) if o["verdict"] != "right"]
            read = lambda p, o: pair_row(file, (p[0], o["answer"]), o, "")
            long.table(f"Solutions of {file} that are not right", PAIR, (read(p, o) for p, o, _ in misses))
    print(table(["file", "solutions", "right: oreal", "right: Math-Verify"], rows), end="\n\n")


def states(problem: Problem) -> bool:
    return "####" in problem.solution if problem.file.startswith("gsm8k") else "\\boxed" in problem.solution


def measure_self(options: argparse.Namespace, given: list[Problem], long: Long) -> None:
    """Every gold answer against itself in other looks."""
    rows, total = [], Counter()
    for file in [name for name in FILES if any(p.file == name for p in given)]:
        golds = sorted({p.gold for p in given if p.file == file})
        pairs = [(gold, answer) for gold in golds for answer in in_other_looks(gold)]
        ours, _ = oreal(options, pairs)
        theirs = all_math_verify(options, pairs)
        unread = {gold: o["not_understood"] for (gold, _), o in zip(pairs, ours) if o.get("not_understood")}
        counts = Counter(golds=len(golds), understood=len(golds) - len(unread), looks=len(pairs))
        counts |= Counter(ours=sum(o["verdict"] == "right" for o in ours), theirs=theirs.count("right"))
        total += counts
        rows.append(self_row(file, counts))
        wrong = [(p, o, t) for p, o, t in zip(pairs, ours, theirs) if o["verdict"] != "right"]
        long.table(f"Looks of {file} that are not right", PAIR, (pair_row("", p, o, t) for p, o, t in wrong))
        long.table(
            f"Gold answers of {file} that are text", ["gold", "reason"], ((code(g), why) for g, why in unread.items())
        )
    rows.append(self_row("all", total))
    heading = ["file", "different golds", "understood", "in other looks", "right: oreal", "right: Math-Verify"]
    print(table(heading, rows), end="\n\n")


def self_row(name: str, c: Counter) -> list[object]:
    return [name, c["golds"], share(c["understood"], c["golds"]), c["looks"], c["ours"], share(c["theirs"], c["looks"])]


def measure_pairs(options: argparse.Namespace, given: list[Problem], long: Long) -> None:
    """All ordered pairs of different gold answers of one file: those that a grader takes for equal."""
    golds = {file: sorted({p.gold for p in given if p.file == file}) for file in PAIRED}
    rows = [pairs_row(options, file, some, long) for file, some in golds.items() if some]
    heading = "file, different golds, pairs, oreal: right, cannot tell, asked of Math-Verify, right, timeouts"
    print(table(heading.split(", "), rows), end="\n\n")


PAIRED = ["math500", "gaokao2023en", "minerva_math", "olympiadbench"]


def pairs_row(options: argparse.Namespace, file: str, golds: list[str], long: Long) -> list[object]:
    pairs = [(a, b) for a in golds for b in golds if a != b]
    ours = dict(zip(pairs, oreal(options, pairs)[0]))
    of = lambda verdict: [pair for pair in pairs if ours[pair]["verdict"] == verdict]
    asked = pairs if len(pairs) <= options.pairs else random.Random(0).sample(pairs, options.pairs)
    asked = list(dict.fromkeys([*asked, *of("right")]))
    theirs = dict(zip(asked, all_math_verify(options, asked)))
    accepted = [pair for pair in asked if "right" in (ours[pair]["verdict"], theirs[pair])]
    accepted.sort(key=lambda pair: (ours[pair]["verdict"] == theirs[pair], ours[pair]["verdict"], sorted(pair)))
    row = lambda pair: pair_row("", pair, ours[pair], theirs.get(pair, ""))
    heading = [*PAIR, "to 50 digits"]
    long.table(f"Pairs of {file} that a grader accepts", heading, ([*row(p), digits(p)] for p in accepted))
    long.table(f"Pairs of {file} that oreal cannot tell", PAIR, map(row, of("cannot_tell")))
    counts = Counter(theirs.values())
    sizes = [len(golds), len(pairs), len(of("right")), len(of("cannot_tell"))]
    return [file, *sizes, len(asked), counts["right"], counts["timeout"]]


def digits(pair: Pair) -> str:
    """Whether both are the same number, where Math-Verify's parser reads them as numbers."""
    try:
        a, b = (parsed(formula(text))[0] for text in pair)
        return "equal" if abs((a - b).evalf(60)) < 10**-50 else "different"
    except Exception:
        return ""


def measure_made(
    options: argparse.Namespace,
    given: list[Problem],
    long: Long,
    makers: dict[str, Callable[[str], Iterator[str]]],
    truth: str,
) -> None:
    """Answers made from gold answers, of which it is known whether they are right."""
    golds = sorted({p.gold for p in given})
    rows, total = [], Counter()
    for kind, make in makers.items():
        pairs = [(gold, answer) for gold in golds for answer in make(gold)]
        if len(pairs) > options.made:
            pairs = random.Random(0).sample(pairs, options.made)
        ours, _ = oreal(options, pairs)
        theirs = all_math_verify(options, pairs)
        counts = Counter(pairs=len(pairs))
        counts.update(f"ours {o['verdict']}" for o in ours)
        counts.update(f"theirs {t}" for t in theirs)
        total += counts
        rows.append(made_row(kind, counts))
        ours_off = [(p, o, t) for p, o, t in zip(pairs, ours, theirs) if is_off(o["verdict"], truth)]
        theirs_off = [
            (p, o, t) for p, o, t in zip(pairs, ours, theirs) if not is_off(o["verdict"], truth) and is_off(t, truth)
        ]
        long.table(f"{kind}: oreal is not {truth}", PAIR, (pair_row(kind, *row) for row in ours_off))
        long.table(f"{kind}: Math-Verify is not {truth}", PAIR, (pair_row(kind, *row) for row in theirs_off[:50]))
    rows.append(made_row("all", total))
    sides = ["oreal: right", "wrong", "cannot tell", "Math-Verify: right", "wrong or unread", "timeouts"]
    print(table(["kind", "answers", *sides], rows), end="\n\n")


def is_off(verdict: str, truth: str) -> bool:
    return (verdict == "right") != (truth == "right")


def made_row(kind: str, c: Counter) -> list[object]:
    ours = [c["ours right"], c["ours wrong"] + c["ours unparsable"], c["ours cannot_tell"]]
    return [kind, c["pairs"], *ours, c["theirs right"], c["theirs wrong"] + c["theirs unread"], c["theirs timeout"]]


def measure_speed(options: argparse.Namespace, given: list[Problem], _: Long) -> None:
    """Answers per second of CPU on one thread, of answers that are written otherwise than the gold answer."""
    rows, repeats = [], 20
    for file in [name for name in FILES if any(p.file == name for p in given)]:
        golds = [p.gold for p in given if p.file == file][:500]
        pairs = [(gold, others[i % len(others)]) for i, gold in enumerate(golds) if (others := written_otherwise(gold))]
        _, seconds = oreal(options, pairs * repeats)
        start = time.process_time()
        verdicts = Counter(map(anew, pairs))
        theirs = time.process_time() - start
        ours, theirs = len(pairs) * repeats / seconds, len(pairs) / theirs
        rows.append([file, len(pairs), f"{ours:.0f}", f"{theirs:.0f}", f"{ours / theirs:.0f}", verdicts["timeout"]])
    print(table(["file", "answers", "oreal", "Math-Verify", "oreal / Math-Verify", "timeouts"], rows), end="\n\n")


def anew(pair: Pair) -> str:
    parsed.cache_clear()
    return math_verify(pair)


def written_otherwise(gold: str) -> list[str]:
    return [answer for make in REWRITINGS.values() for answer in make(gold)] or in_other_looks(gold)[1:]


# The program


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", type=lambda text: text.split(","), default=PARTS, help=",".join(PARTS))
    parser.add_argument("--files", type=lambda text: text.split(","), default=list(FILES), help=",".join(FILES))
    parser.add_argument("--long", type=Path, default=Path("grading_details.md"), help="file of the long tables")
    parser.add_argument("--executable", default=ROOT / "target/release/oreal", help="our program")
    parser.add_argument("--pairs", type=int, default=100_000, help="most pairs of a file that Math-Verify is asked for")
    parser.add_argument(
        "--made", type=int, default=1_000, help="most answers of a kind that are made from gold answers"
    )
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help="of Math-Verify, but for its speed")
    return parser.parse_args()


def heading() -> str:
    version = importlib.metadata.version
    packages = ", ".join(f"{name} {version(name)}" for name in ("math-verify", "latex2sympy2_extended", "sympy"))
    return f"{datetime.date.today()}, {os.cpu_count()} cores; {packages}, Python {platform.python_version()}.\n"


def main() -> None:
    options = arguments()
    given = [problem for problem in problems(options.folder) if problem.file in options.files]
    long = Long(options.long)
    parts: dict[str, Callable[[], None]] = {
        "solutions": lambda: measure_solutions(options, given, long),
        "self": lambda: measure_self(options, given, long),
        "pairs": lambda: measure_pairs(options, given, long),
        "rewritten": lambda: measure_made(options, given, long, REWRITINGS, "right"),
        "perturbed": lambda: measure_made(options, given, long, PERTURBATIONS, "wrong"),
        "speed": lambda: measure_speed(options, given, long),
    }
    print(heading())
    for part in options.only:
        print(f"### {part}\n", flush=True)
        parts[part]()
        sys.stdout.flush()


if __name__ == "__main__":
    main()
