r"""What transformers makes of a folder that `examples/whole_life/run.sh` exported, beside what `oreal eval` drew from it.

    pip install torch transformers
    policy=runs/whole_life/grpo/math-grpo-1/policy
    target/release/oreal eval --model $policy --data runs/whole_life/data/test.jsonl --source math --instruction "" \
        --rule boxed --greedy --max-tokens 64 --out runs/whole_life/greedy
    python examples/whole_life/load.py $policy runs/whole_life/greedy

Greedy completions of the first held-out problems must be equal, token for token up to rounding.
"""

import json
import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

folder, evaluation = sys.argv[1:3]
tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
problems = [json.loads(line)["problem"] for line in open("runs/whole_life/data/test.jsonl")]
drawn = {line["row"]: line["text"] for line in map(json.loads, open(f"{evaluation}/completions.jsonl"))}
same = 0
count = 50
for row, problem in enumerate(problems[:count], start=1):
    messages = [{"role": "user", "content": problem}]
    prompt = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    tokens = model.generate(**prompt, max_new_tokens=64, do_sample=False)[0, prompt["input_ids"].shape[1] :]
    text = tokenizer.decode(tokens, skip_special_tokens=True)
    same += text == drawn[row]
print(f"{same} of {count} greedy completions are equal; the last one:\n{text}")
sys.exit(same < count)
