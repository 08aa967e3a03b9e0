#!/usr/bin/env bash
# A small language model's whole life: what a full run does, at a size where it can be watched. About four minutes on two cores, after
# a release build.
#
#     examples/whole_life/run.sh
#
# Everything is left in runs/whole_life, which must not be there yet. Needs the Rust toolchain only.
set -euo pipefail
cd "$(dirname "$0")/../.."
cargo build --release
oreal=target/release/oreal
home=runs/whole_life
here=examples/whole_life
model() { echo "$1"/*-1/policy; }
evaluate() {
    "$oreal" eval --model "$1" --data "$home/data/test.jsonl" --source math --instruction "" --rule boxed \
        -n 4 --temperature 1 --max-tokens 64 --by level --out "$home/eval-$2"
}

echo "== word problems with worked steps, half of them a little wrong, and a tokenizer for them"
"$oreal" word-problems --out "$home/data" --count 12000 --held-out 300 --steps 2 --largest 20 --mistakes 0.5
"$oreal" tokenizer --texts "$home/data/train.jsonl" --fields problem,solution --size 512 --out "$home/tokenizer"

echo "== pretraining from random weights"
"$oreal" sft "$here/pretrain.toml" --out "$home/pretrained"

echo "== fine-tuning: the chat template, a boxed answer"
"$oreal" sft "$here/sft.toml" --out "$home/tuned"
evaluate "$(model "$home/tuned")" tuned

for algorithm in oreal grpo rft; do
    echo "== reinforcement learning: $algorithm"
    "$oreal" train "$here/rl.toml" --set "algorithm.name=$algorithm" --out "$home/$algorithm"
    evaluate "$(model "$home/$algorithm")" "$algorithm"
    "$oreal" eval --compare "$home/eval-tuned" "$home/eval-$algorithm"
done
