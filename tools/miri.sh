#!/usr/bin/env bash
# Runs the tests of models/src/transformer/ops/raw.rs, the module that makes slices of dfdx's tensors, under Miri (Stacked
# Borrows). Needs: rustup toolchain install nightly --component miri,rust-src
#
# The module is compiled in a crate of its own, with a copy of dfdx whose build script does not look for a nightly compiler: it
# would turn on features that today's compilers refuse.
set -euo pipefail

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
work=$repo/target/miri
toolchain=${MIRI_TOOLCHAIN:-nightly}
rm -rf "$work/dfdx" "$work/crate"
mkdir -p "$work/crate/src"

cd "$repo"
manifest=$(cargo metadata --format-version 1 --locked | grep -o '"manifest_path":"[^"]*/dfdx-[^"]*/Cargo.toml"' | head -1 | cut -d'"' -f4)
cp -R "$(dirname "$manifest")" "$work/dfdx"
sed -i 's/^    maybe_enable_nightly();//; s/^fn maybe_enable_nightly/#[allow(dead_code)]\nfn maybe_enable_nightly/' "$work/dfdx/build.rs"

cat > "$work/crate/Cargo.toml" <<END
[package]
name = "raw"
version = "0.0.0"
edition = "2024"
[dependencies]
dfdx = { version = "0.13.0", default-features = false, features = ["std", "cpu"] }
[patch.crates-io]
dfdx = { path = "$work/dfdx" }
[workspace]
END
cat > "$work/crate/src/lib.rs" <<END
#![allow(dead_code)]
use dfdx::prelude::{NoneTape, Tensor};
pub type Matrix<E, D, T = NoneTape> = Tensor<(usize, usize), E, D, T>;
#[path = "$repo/models/src/transformer/ops/raw.rs"]
mod raw;
END
cp "$repo/Cargo.lock" "$work/crate/Cargo.lock"
cd "$work/crate"
# dfdx's tensor ids and device need no isolation from the host; the addresses that the module exposes are meant.
MIRIFLAGS="-Zmiri-permissive-provenance" cargo "+$toolchain" miri test --lib "$@"
