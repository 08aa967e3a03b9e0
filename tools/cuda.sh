#!/usr/bin/env bash
# Builds, tests and runs oreal with the feature dfdx-cuda; see `tools/cuda.sh --help`.
set -euo pipefail

usage() {
    cat <<'END'
Builds, tests and runs oreal with the feature dfdx-cuda, on a machine with or without an NVIDIA GPU.

    tools/cuda.sh check            compile and link every library, program, test and bench; start `oreal`, list the tests
    tools/cuda.sh run COMMAND...   run a command with the environment that the feature needs:
                                       tools/cuda.sh run cargo test -p oreal-models --features dfdx-cuda
                                       tools/cuda.sh run cargo run --release --features dfdx-cuda -- train ...
    tools/cuda.sh env              print that environment, for eval "$(tools/cuda.sh env)"

CUDA's toolkit is taken from CUDA_PATH or CUDA_ROOT, from where `nvcc` is, or from /usr/local/cuda or /opt/cuda. Where
there is none, pip downloads NVIDIA's wheels of CUDA 13.0: 0.6 GB, 1.1 GB unpacked, under NVIDIA's licence.

Without a GPU everything compiles and starts, then finds no device: stand-ins answer for `nvidia-smi` and libcuda.

    CUDA_COMPUTE_CAP   what to compile for, as in 90 for sm_90: else what nvidia-smi says, or 90 without a GPU
    CARGO_TARGET_DIR   where cargo builds: else target/cuda/build

Whatever this script makes is in target/cuda. Programs built here need `run` or `env` to find CUDA's libraries.
END
}

say() { echo "cuda.sh: $*" >&2; }
die() { say "$@"; exit 1; }

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
work=$repo/target/cuda
downloaded=$work/toolkit/nvidia/cu13
links=$work/links
stand_ins=$work/stand-ins
# What CUDA 13.0 Update 2 is made of, as far as dfdx compiles with it and links to it.
wheels='nvidia-cublas==13.1.0.3
nvidia-cuda-cccl==13.0.85
nvidia-cuda-crt==13.0.88
nvidia-cuda-nvcc==13.0.88
nvidia-cuda-nvrtc==13.0.88
nvidia-cuda-runtime==13.0.96
nvidia-nvvm==13.0.88'

is_toolkit() { [ -f "$1/include/cuda.h" ] && [ -x "$1/bin/nvcc" ]; }

# The toolkit that this machine has, if any. What `env` set is no such toolkit: its wheels may be outdated.
installed() {
    local root=${CUDA_PATH:-${CUDA_ROOT:-}} nvcc
    if [ -n "$root" ] && [ "$root" != "$downloaded" ]; then
        is_toolkit "$root" || die "CUDA_PATH or CUDA_ROOT is $root, which lacks include/cuda.h or bin/nvcc:" \
            "correct or unset it"
        echo "$root"
        return
    fi
    nvcc=$(readlink -f "$(command -v nvcc)" || true)
    for root in ${nvcc:+"${nvcc%/bin/nvcc}"} /usr/local/cuda /opt/cuda; do
        if [ "$root" != "$downloaded" ] && is_toolkit "$root"; then
            echo "$root"
            return
        fi
    done
}

download() {
    if [ "$(cat "$work/toolkit/wheels" 2>/dev/null)" = "$wheels" ]; then return; fi
    python3 -m pip --version >/dev/null 2>&1 ||
        die "no CUDA toolkit here, and no python3 with pip to download one: install one of them (and set CUDA_ROOT)"
    say "no CUDA toolkit here (nvcc with include/cuda.h beside it): downloading one to $work/toolkit"
    # In two steps, so that nothing unfinished is ever taken for the toolkit.
    rm -rf "$work/toolkit" "$work/toolkit.part"
    # shellcheck disable=SC2086 # one argument a wheel
    python3 -m pip install --target "$work/toolkit.part" --no-deps --only-binary=:all: --no-compile $wheels >&2 ||
        die "pip could not install CUDA's wheels (see above): mend that, or install a toolkit and set CUDA_ROOT to it"
    echo "$wheels" >"$work/toolkit.part/wheels"
    mv "$work/toolkit.part" "$work/toolkit"
}

# The driver's library, where the loader will find it.
libcuda() {
    local folder IFS=:
    for folder in ${LD_LIBRARY_PATH:-}; do
        if [ "$folder" != "$stand_ins" ] && [ -e "$folder/libcuda.so.1" ]; then
            echo "$folder/libcuda.so.1"
            return
        fi
    done
    PATH=$PATH:/sbin:/usr/sbin ldconfig -p 2>/dev/null |
        awk '$1 == "libcuda.so.1" && /x86-64|AArch64/ && !found { print $NF; found = 1 }' || true
}

# A libcuda with every function that cudarc declares. Each says that there is no device.
make_libcuda() {
    local manifest source=$stand_ins/libcuda.c made=$stand_ins/libcuda.so.1
    if [ "$made" -nt "$repo/Cargo.lock" ] && [ "$made" -nt "${BASH_SOURCE[0]}" ]; then return; fi
    manifest=$(cargo metadata --manifest-path "$repo/Cargo.toml" --locked --format-version 1 --features dfdx-cuda |
        grep -o '"manifest_path":"[^"]*/cudarc[^/"]*/Cargo.toml"' | cut -d '"' -f 4)
    cat >"$source" <<'END'
/* CUDA_ERROR_NO_DEVICE */
#define NONE(name) int name(void) { return 100; }
#define TEXT(name, text) int name(int error, const char **out) { (void)error; *out = text; return 0; }
TEXT(cuGetErrorName, "CUDA_ERROR_NO_DEVICE")
TEXT(cuGetErrorString, "no CUDA-capable device is detected")
END
    grep -rhoE 'pub fn cu[A-Z][A-Za-z0-9_]*' "${manifest%/*}/src/driver/sys"* | sort -u |
        sed -E '/cuGetError(Name|String)$/d; s/pub fn (.*)/NONE(\1)/' >>"$source"
    cc -shared -fPIC -Wl,-soname,libcuda.so.1 -o "$made" "$source" ||
        die "cc could not compile $source: is there a C compiler?"
}

# It answers the one question of dfdx's build script.
make_nvidia_smi() {
    cat >"$stand_ins/nvidia-smi" <<'END'
#!/bin/sh
[ "$*" = "--query-gpu=compute_cap --format=csv" ] || { echo "no GPU: a stand-in from tools/cuda.sh" >&2; exit 9; }
printf 'compute_cap\n%s\n' "${CUDA_COMPUTE_CAP:-90}"
END
    chmod +x "$stand_ins/nvidia-smi"
}

# Programs hold nvcc's PTX, which an older driver does not read.
compare_versions() {
    local toolkit driver
    toolkit=$("$1/bin/nvcc" --version | sed -n 's/.*release \([0-9.]*\),.*/\1/p')
    driver=$(nvidia-smi | sed -n 's/.*CUDA Version: *\([0-9.]*\).*/\1/p' || true)
    if [ -n "$driver" ] && ! printf '%s\n' "$toolkit" "$driver" | sort -VC; then
        say "warning: the driver is for CUDA $driver, older than the $toolkit of $1: programs compile, but may not" \
            "run. Update the driver, or set CUDA_ROOT to a toolkit that is no newer"
    fi
}

# The linker wants names without a version, which the wheels and the driver may lack.
link() { [ "$(readlink "$links/lib$1.so")" = "$2" ] || ln -sfn "$2" "$links/lib$1.so"; }

# Exports what cargo, nvcc, the linker and the loader need.
prepare() {
    local root driver folder lib
    [ "$(uname -s)" = Linux ] || die "this builds on Linux alone, not on $(uname -s)"
    command -v cargo >/dev/null || die "cargo is not on PATH: install Rust, or add its bin folder to PATH"
    mkdir -p "$links" "$stand_ins"

    root=$(installed)
    if [ -z "$root" ]; then
        download
        root=$downloaded
    fi
    export CUDA_PATH=$root CUDA_ROOT=$root
    # Not where nvcc is found anyway: its folder may be /usr/bin, which must not go before the user's own.
    [ "$(command -v nvcc)" -ef "$root/bin/nvcc" ] || PATH=$root/bin:$PATH

    gpu=
    if [ "$(command -v nvidia-smi)" != "$stand_ins/nvidia-smi" ]; then
        gpu=$(nvidia-smi --query-gpu=compute_cap --format=csv 2>/dev/null |
            sed -n '2s/^\([0-9]*\)[.]\([0-9]*\)$/\1\2/p' || true)
    fi
    # Told to dfdx in any case, so that it compiles anew for another GPU; it wants digits alone.
    CUDA_COMPUTE_CAP=${CUDA_COMPUTE_CAP:-${gpu:-90}}
    export CUDA_COMPUTE_CAP=${CUDA_COMPUTE_CAP//[!0-9]/}
    driver=$(libcuda)
    if [ -n "$gpu" ]; then
        [ -n "$driver" ] || die "nvidia-smi sees a GPU, but the loader finds no libcuda.so.1:" \
            "add the folder of the driver's libraries to LD_LIBRARY_PATH"
        compare_versions "$root"
    else
        say "no GPU that nvidia-smi knows of: compiling for sm_$CUDA_COMPUTE_CAP"
        make_nvidia_smi
        PATH=$stand_ins:$PATH
    fi

    for folder in "$root"/{lib64,lib,lib/"$(uname -m)"-linux-gnu,targets/"$(uname -m)"-linux/lib}; do
        if compgen -G "$folder/libnvrtc.so*" >/dev/null; then
            for lib in cublas cublasLt nvrtc; do link "$lib" "$folder/lib$lib.so"*; done
            LD_LIBRARY_PATH=${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$folder
            break
        fi
    done
    if [ -z "$driver" ]; then
        make_libcuda
        # Last, so that it never hides a driver.
        LD_LIBRARY_PATH=${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$stand_ins
    fi
    link cuda "${driver:-$stand_ins/libcuda.so.1}"
    export PATH LD_LIBRARY_PATH LIBRARY_PATH=$links${LIBRARY_PATH:+:$LIBRARY_PATH}
    export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$work/build}
}

case ${1:-} in
check)
    prepare
    say "toolkit: $CUDA_ROOT; GPU: ${gpu:+sm_}${gpu:-none}; building in $CARGO_TARGET_DIR"
    cd "$repo"
    cargo build --locked --workspace --all-targets --features dfdx-cuda
    # A library that the loader does not find would show here.
    cargo test --quiet --locked --workspace --tests --features dfdx-cuda -- --list >/dev/null
    "$CARGO_TARGET_DIR/debug/oreal" --version
    say "done: everything compiles, links and starts${gpu:+. Next: tools/cuda.sh run cargo test --features dfdx-cuda}"
    ;;
env)
    prepare
    for name in PATH CUDA_PATH CUDA_ROOT CUDA_COMPUTE_CAP LIBRARY_PATH LD_LIBRARY_PATH CARGO_TARGET_DIR; do
        [ -z "${!name:-}" ] || printf 'export %s=%q\n' "$name" "${!name}"
    done
    ;;
run)
    shift
    [ $# -gt 0 ] || die "run: a command is missing, as in: tools/cuda.sh run cargo test --features dfdx-cuda"
    prepare
    exec "$@"
    ;;
'' | -h | --help) usage ;;
*) die "unknown command \"$1\": one of check, run, env, --help" ;;
esac
