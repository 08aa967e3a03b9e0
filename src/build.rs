//! Tells the crate how it is optimised, so that a run of an unoptimised program can say so.

fn main() {
    let level = std::env::var("OPT_LEVEL").unwrap_or_default();
    println!("cargo::rustc-env=OREAL_OPT_LEVEL={level}");
    println!("cargo::rerun-if-changed=src/build.rs");
}
