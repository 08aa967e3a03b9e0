"""Renders a folder of chat templates (*.jinja) with transformers and with this crate, and prints where they differ.

    cargo build -p oreal-text --example render
    python compare.py ../../../target/debug/examples/render FOLDER_OF_TEMPLATES
"""

import json
import pathlib
import subprocess
import sys

from transformers.utils.chat_template_utils import render_jinja_template

from conversations import CONTROL, CONVERSATIONS

SPECIAL = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"}
EXTRA = [{}, {"enable_thinking": False}]


def theirs(asked):
    try:
        texts, _ = render_jinja_template(
            conversations=[asked["messages"]],
            chat_template=asked["template"],
            add_generation_prompt=asked["add_generation_prompt"],
            **asked["special"],
            **asked["extra"],
        )
        return texts[0]
    except Exception as problem:
        return problem


def main(program, folder):
    asked, names = [], []
    for path in sorted(pathlib.Path(folder).glob("*.jinja")):
        for name, messages in {**CONVERSATIONS, **CONTROL}.items():
            for add in [False, True]:
                for extra in EXTRA:
                    names.append((path.name, name, add, extra))
                    asked.append(dict(template=path.read_text(), special=SPECIAL, extra=extra, messages=messages, add_generation_prompt=add))
    lines = "\n".join(map(json.dumps, asked))
    answers = subprocess.run([program], input=lines, capture_output=True, text=True, check=True).stdout
    answers = [json.loads(line) for line in answers.split("\n") if line]
    equal = refused = 0
    different = {}
    for name, question, answer in zip(names, asked, answers, strict=True):
        expected = theirs(question)
        if isinstance(expected, Exception):
            same = "error" in answer
            refused += same
        else:
            same = answer.get("text") == expected
            equal += same
        if not same:
            different.setdefault(name[0], (name[1:], expected, answer))
    print(f"{equal} texts equal, {refused} conversations refused by both")
    for name, (case, expected, answer) in different.items():
        print(f"--- {name} {case}\n    transformers: {expected!r}\n    this crate:   {answer!r}")


if __name__ == "__main__":
    main(*sys.argv[1:])
