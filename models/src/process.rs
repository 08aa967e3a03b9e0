//! What a program asks of its process, once, at its start.

/// Asks the C library to keep freed memory for the next training step instead of giving it back to the system.
///
/// A step allocates and frees the same activations over and over; without this, each time costs a page fault per
/// 4 KiB. Elsewhere than on Linux with glibc it does nothing.
pub fn keep_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        /// Parameters of `mallopt(3)`.
        const TRIM_THRESHOLD: i32 = -1;
        const TOP_PAD: i32 = -2;
        const MMAP_THRESHOLD: i32 = -3;
        unsafe extern "C" {
            fn mallopt(parameter: i32, value: i32) -> i32;
        }
        // SAFETY: `mallopt` takes two integers, may be called at any time, and refuses values it does not know.
        unsafe {
            mallopt(MMAP_THRESHOLD, 1 << 25);
            mallopt(TRIM_THRESHOLD, i32::MAX);
            mallopt(TOP_PAD, 1 << 26);
        }
    }
}

/// What cuBLAS reads before its first product: 1 rounds the factors of `f32` products to TF32, 10 bits of fraction, as
/// tensor cores take them. dfdx has no switch of its own.
pub(crate) const TF32: &str = "NVIDIA_TF32_OVERRIDE";

/// Lets GPUs multiply in TF32, unless the environment already says whether they may. It does nothing without CUDA, once
/// there are threads, or where they cannot be counted, as elsewhere than on Linux.
pub fn allow_tf32() {
    let threads = || std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count);
    if cfg!(feature = "dfdx-cuda") && std::env::var_os(TF32).is_none() && threads() == 1 {
        // SAFETY: this is the only thread of the process, so none reads the environment meanwhile.
        unsafe { std::env::set_var(TF32, "1") };
    }
}
