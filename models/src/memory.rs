//! What the allocator does with freed memory.

/// Asks the C library to keep freed memory for the next training step instead of giving it back to the system.
///
/// A step allocates and frees the same activations over and over; without this, each time costs a page fault per
/// 4 KiB. For programs, once at their start; elsewhere than on Linux with glibc it does nothing.
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
