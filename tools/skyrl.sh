#!/usr/bin/env bash
# Trains through a real engine on the CPU: SkyRL's `tx` serves the Tinker API, `oreal` drives it.
#
#     tools/skyrl.sh FOLDER            installs what is missing into FOLDER, and runs everything below
#     tools/skyrl.sh FOLDER serve      only starts the server, on port $PORT, until it is stopped
#
# In FOLDER: a Python environment (6 GB), a tiny Llama that has imitated a teacher of addition, the server's files, and the runs.
# Needs Python 3.11 or later, a network, and the Rust toolchain. What it printed, and when, stands in docs/engines.md.
set -euo pipefail
cd "$(dirname "$0")/.."
home=$(realpath -m "${1:?a folder to install into}")
what=${2:-all}
port=${PORT:-8765}
oreal=${OREAL:-target/release/oreal}
mkdir -p "$home/bin"

if [ ! -x "$home/venv/bin/python" ]; then
    python3 -m venv "$home/venv"
    "$home/venv/bin/pip" install --quiet uv
    "$home/venv/bin/uv" pip install --python "$home/venv/bin/python" 'skyrl-tx[tinker,jax]==0.3.0'
fi
[ -x "$oreal" ] || cargo build --release --locked

# The server starts its engine with `uv run --extra A --extra B -m MODULE ..`; everything is installed, so Python can do it.
cat > "$home/bin/uv" <<'UV'
#!/usr/bin/env bash
shift
while [ "$1" = --extra ]; do shift 2; done
exec python "$@"
UV
chmod +x "$home/bin/uv"

if [ ! -d "$home/base" ]; then
    "$oreal" train examples/engines/base.toml --quiet --out "$home/base"
fi
base=$(echo "$home"/base/*/policy)

rm -f "$home/tinker.db"*
PATH="$home/bin:$home/venv/bin:$PATH" JAX_PLATFORMS=cpu TX_DATABASE_URL="sqlite:///$home/tinker.db" \
    python -m tx.tinker.api --base-model "$base" --checkpoints-base "$home/checkpoints" --host 127.0.0.1 --port "$port" \
    --backend-config '{"max_lora_adapters": 12, "max_lora_rank": 16}' > "$home/server.log" 2>&1 &
server=$!
trap 'kill $server 2> /dev/null' EXIT
until curl --silent --fail "http://127.0.0.1:$port/api/v1/healthz" > /dev/null; do
    kill -0 $server || { tail "$home/server.log"; exit 1; }
    sleep 1
done
if [ "$what" = serve ]; then
    echo "$base on http://127.0.0.1:$port"
    wait $server
fi

"$oreal" probe "http://127.0.0.1:$port" --base-model "$base" --lora 16 --against "$base"
learn() {
    "$oreal" train examples/engines/tinker.toml "$@" --set "model.base_model=$base" --set "model.url=http://127.0.0.1:$port" \
        --set evaluation.completions=600 --out "$home/runs"
}
# As published, OREAL leaves the policy as it is for a quarter of these steps.
learn --set algorithm.name=oreal --set algorithm.preset=soft
for algorithm in grpo ppo rft; do learn --set "algorithm.name=$algorithm"; done
