"""Makes the golden files of this folder: `python make.py`, with transformers, tokenizers and jinja2.

`texts.json`: what transformers renders for each template of `templates/` and each conversation. `tokens.json`: what
`apply_chat_template` gives with two small tokenizers that are trained here and kept in `byte_level/` and `metaspace/`.
Templates and texts are written for this project; the templates use what those of well-known families use.
"""

import json
import pathlib

import transformers
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers.utils.chat_template_utils import render_jinja_template

from conversations import CONTROL, CONVERSATIONS

HERE = pathlib.Path(__file__).parent
SPECIAL = {"bos_token": "<s>", "eos_token": "</s>"}
NAMES = ["<unk>", "<s>", "</s>", "<|im_start|>", "<|im_end|>", "<|sep|>"]
TEXTS = ["What is 2 + 2? Compute the sum of the numbers, then put it in \\boxed{4}.\n\nYou are terse."] * 4 + [
    "system user assistant model User Assistant [INST] [/INST] <<SYS>> Today: 26 Jul 2024 you help with mathematics "
] * 4


def byte_level():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    names = [AddedToken(name, rstrip=name == "<|sep|>", normalized=False, special=True) for name in NAMES]
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=names, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(TEXTS, trainer)
    tokenizer.add_tokens(["<think>", "</think>"])
    return tokenizer


def metaspace():
    tokenizer = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    names = NAMES + [f"<0x{byte:02X}>" for byte in range(256)]
    trainer = trainers.BpeTrainer(vocab_size=500, special_tokens=names, show_progress=False)
    tokenizer.train_from_iterator(TEXTS, trainer)
    # The bytes are ordinary tokens of the model, as in Llama 2.
    state = json.loads(tokenizer.to_str())
    state["added_tokens"] = [token for token in state["added_tokens"] if token["content"] in NAMES]
    return Tokenizer.from_str(json.dumps(state))


def write(path, value):
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n")


def rendered(source, messages, add, extra):
    try:
        return render_jinja_template([messages], chat_template=source, add_generation_prompt=add, **SPECIAL, **extra)[0][0]
    except Exception as problem:
        return {"error": str(problem)}


def main():
    texts, tokens = [], []
    sources = {path.stem: path.read_text() for path in sorted((HERE / "templates").glob("*.jinja"))}
    cases = [
        (template, name, add, extra)
        for template in sources
        for name in CONVERSATIONS
        for add in [False, True]
        for extra in [{}] + ([{"enable_thinking": False}] if template == "thinking" and add else [])
    ]
    for template, name, add, extra in cases:
        text = rendered(sources[template], CONVERSATIONS[name], add, extra)
        texts.append(dict(template=template, conversation=name, add_generation_prompt=add, extra=extra, text=text))
    for folder, tokenizer in [("byte_level", byte_level()), ("metaspace", metaspace())]:
        (HERE / folder).mkdir(exist_ok=True)
        tokenizer.save(str(HERE / folder / "tokenizer.json"))
        write(HERE / folder / "tokenizer_config.json", {"tokenizer_class": "PreTrainedTokenizerFast", **SPECIAL})
        fast = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, **SPECIAL)
        for template, name, add, extra in cases:
            if isinstance(rendered(sources[template], CONVERSATIONS[name], add, extra), str):
                fast.chat_template = sources[template]
                ids = fast.apply_chat_template(
                    CONVERSATIONS[name], tokenize=True, return_dict=False, add_generation_prompt=add, **extra
                )
                tokens.append(
                    dict(tokenizer=folder, template=template, conversation=name, add_generation_prompt=add, extra=extra, tokens=ids)
                )
    write(HERE / "conversations.json", {**CONVERSATIONS, **CONTROL})
    for name, rows in [("texts", texts), ("tokens", tokens)]:
        lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
        (HERE / f"{name}.json").write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main()
