//! What concerns the whole process: its memory, and what a program asks for once, at its start.

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

/// Numbers whose bytes are fewer than this are left on small pages.
const LARGE: usize = 1 << 22;

/// Asks the system for large pages under numbers that were allocated but not yet touched: a page fault then comes every 2 MiB instead
/// of every 4 KiB. Elsewhere than on Linux, and for few numbers, it does nothing.
fn on_large_pages<E>(numbers: &mut [E]) {
    #[cfg(target_os = "linux")]
    if size_of_val(numbers) >= LARGE {
        /// Advice of `madvise(2)`.
        const HUGEPAGE: i32 = 14;
        /// The largest page that `madvise` may want its address aligned to.
        const PAGE: usize = 1 << 16;
        unsafe extern "C" {
            fn madvise(address: *mut std::ffi::c_void, length: usize, advice: i32) -> i32;
        }
        let bytes = numbers.as_mut_ptr_range();
        let (first, end) = (bytes.start.addr().next_multiple_of(PAGE), bytes.end.addr() / PAGE * PAGE);
        // SAFETY: the advice changes no contents, and the range lies within memory that is borrowed mutably. A system that does
        // not know the advice answers with an error, which changes nothing.
        unsafe { madvise(bytes.start.with_addr(first).cast(), end - first, HUGEPAGE) };
    }
    #[cfg(not(target_os = "linux"))]
    let _ = numbers;
}

/// So many zeros, on large pages where there are many.
pub(crate) fn zeros<E: Clone + Default>(count: usize) -> Vec<E> {
    let mut numbers = vec![E::default(); count];
    on_large_pages(&mut numbers);
    numbers
}

/// Environment variable that cuBLAS reads before its first matmul: 1 rounds the factors of `f32` matmuls to TF32 (10
/// bits of fraction) for the tensor cores. dfdx has no setting for it.
pub(crate) const TF32: &str = "NVIDIA_TF32_OVERRIDE";

/// Lets GPUs multiply in TF32, unless `NVIDIA_TF32_OVERRIDE` is set already. Call it before any thread is started:
/// later, on other systems than Linux, and without CUDA it does nothing.
pub fn allow_tf32() {
    let threads = || std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count);
    if cfg!(feature = "dfdx-cuda") && std::env::var_os(TF32).is_none() && threads() == 1 {
        // SAFETY: this is the only thread of the process, so none reads the environment meanwhile.
        unsafe { std::env::set_var(TF32, "1") };
    }
}

/// Bytes of memory of this machine; `None` where that cannot be found out, as elsewhere than on Linux.
pub fn memory() -> Option<u64> {
    let all = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = all.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}
