"""Loads a folder that this crate wrote (`examples/train.rs`) with transformers, and compares texts and tokens.

    python load.py ../../../target/debug/examples/render FOLDER
"""

import json
import subprocess
import sys

from transformers import AutoTokenizer

from conversations import CONVERSATIONS


def main(program, folder):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    print(type(tokenizer).__name__, len(tokenizer), tokenizer.eos_token, tokenizer.eos_token_id, tokenizer.pad_token)
    for name, messages in CONVERSATIONS.items():
        for add in [False, True]:
            asked = dict(folder=folder, messages=messages, add_generation_prompt=add)
            output = subprocess.run([program], input=json.dumps(asked), capture_output=True, text=True, check=True)
            answer = json.loads(output.stdout)
            assert answer["text"] == tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=add)
            tokens = tokenizer.apply_chat_template(messages, add_generation_prompt=add, return_dict=False)
            assert answer["tokens"] == tokens, (name, answer["tokens"], tokens)
            assert tokenizer.decode(tokens, clean_up_tokenization_spaces=False) == answer["text"], name
    print("texts and tokens equal")


if __name__ == "__main__":
    main(*sys.argv[1:])
