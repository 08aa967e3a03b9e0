#!/usr/bin/env bash
# The public Tinker SDK against `oreal serve`; see `tools/tinker_sdk.sh --help`.
set -euo pipefail

usage() {
    cat <<'END'
Runs the public Tinker SDK, installed from PyPI, against `oreal serve` with a tiny checkpoint.

    tools/tinker_sdk.sh            installs the SDK in target/tinker_sdk, makes a checkpoint, serves it, runs tools/tinker_sdk.py
    tools/tinker_sdk.sh CHECKPOINT serves this folder instead

    OREAL        the program [default: target/debug/oreal]
    SDK          its version [default: 0.38.0]
    PYTHON       the Python that makes the environment [default: python3]
END
}

case ${1:-} in -h | --help) usage && exit ;; esac
repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
oreal=${OREAL:-$repo/target/debug/oreal}
work=$repo/target/tinker_sdk
sdk=${SDK:-0.38.0}
python=$work/$sdk/bin/python
mkdir -p "$work"

if ! "$python" -c 'import tinker' 2>/dev/null; then
    "${PYTHON:-python3}" -m venv "$work/$sdk"
    "$work/$sdk/bin/pip" install --quiet "tinker==$sdk"
fi

checkpoint=${1:-}
if [[ -z $checkpoint ]]; then
    out=$(mktemp -d "$work/run.XXXXXX")
    "$oreal" train "$repo/tools/tinker_sdk.toml" --quiet --out "$out"
    checkpoint=$(dirname "$(find "$out" -name config.json -path '*policy*' | head -n 1)")
fi

export TINKER_API_KEY=tml-of-this-test
log=$(mktemp "$work/serve.XXXXXX")
"$oreal" serve "$checkpoint" --name tiny --port 0 --key-variable TINKER_API_KEY >"$log" &
server=$!
trap 'kill $server 2>/dev/null || true' EXIT
for _ in $(seq 300); do
    url=$(sed -n 's/.* at \(http[^;]*\);.*/\1/p' "$log")
    [[ -n $url ]] && break
    kill -0 $server || exit 1
    sleep 0.1
done
TINKER_BASE_URL=$url TINKER_TELEMETRY=0 "$python" "$repo/tools/tinker_sdk.py"
