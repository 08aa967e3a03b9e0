//! The tiles of AMX (Intel 64 and IA-32 Architectures Software Developer's Manual, volume 1, chapter 18), by inline
//! assembly: Rust has no stable intrinsics for them.

use std::marker::PhantomData;

use super::{Bf16, SIDE, STEP, TILE};

/// Whether the processor and the kernel have AMX for bf16, and let this process use it. The kernel is asked once.
pub(super) fn available() -> bool {
    #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
    {
        static AVAILABLE: std::sync::LazyLock<bool> =
            std::sync::LazyLock::new(|| crate::transformer::ops::product::transpose::available() && x86::permitted());
        *AVAILABLE
    }
    #[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
    false
}

/// 16 outputs of whole steps, as tiles are loaded from them.
#[derive(Clone, Copy)]
pub(super) struct Outputs<'a> {
    first: *const u8,
    /// Bytes from one output to the next.
    apart: usize,
    /// Bytes from one step to the next.
    along: usize,
    steps: usize,
    numbers: PhantomData<&'a [u8]>,
}

impl<'a> Outputs<'a> {
    /// A tile after another.
    pub(super) fn tiles(tiles: &'a [u16]) -> Self {
        let (apart, along) = (size_of::<[u16; STEP]>(), size_of::<[u16; TILE]>());
        assert!(tiles.len().is_multiple_of(TILE));
        Self { first: tiles.as_ptr().cast(), apart, along, steps: tiles.len() / TILE, numbers: PhantomData }
    }

    /// The first 16 rows of a matrix of rows of `inputs` numbers.
    pub(super) fn rows(matrix: &'a [Bf16], inputs: usize) -> Self {
        assert!(inputs.is_multiple_of(STEP) && matrix.len() >= SIDE * inputs);
        let (apart, along) = (size_of::<Bf16>() * inputs, size_of::<[Bf16; STEP]>());
        Self { first: matrix.as_ptr().cast(), apart, along, steps: inputs / STEP, numbers: PhantomData }
    }
}

/// As [`Unit::squares`](super::Unit).
pub(super) fn squares(squares: &mut [[f32; SIDE * SIDE]; 4], outputs: [Outputs<'_>; 2], rows: [&[u16]; 2]) {
    let [Outputs { apart, along, steps, .. }, other] = outputs;
    assert!((apart, along, steps) == (other.apart, other.along, other.steps) && steps > 0 && available());
    assert!(rows.iter().all(|rows| rows.len() == steps * TILE));
    #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
    // SAFETY: the processor has AMX, and this process may use it. `Outputs` saw that there are 16 outputs of `steps`
    // steps, `rows` that there are as many tiles.
    unsafe {
        x86::squares(squares, outputs.map(|outputs| outputs.first), [apart, along], rows.map(<[u16]>::as_ptr), steps);
    }
    #[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
    let _ = squares;
}

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod x86 {
    use std::arch::asm;
    use std::arch::x86_64::{__cpuid, __cpuid_count, _xgetbv};

    use super::SIDE;

    /// Every tile register with 16 rows of 64 bytes: the operand of `ldtilecfg`.
    #[repr(C, align(64))]
    struct Shapes {
        palette: u8,
        start_row: u8,
        reserved: [u8; 14],
        row_bytes: [u16; 16],
        rows: [u8; 16],
    }

    static SHAPES: Shapes = Shapes {
        palette: 1,
        start_row: 0,
        reserved: [0; 14],
        row_bytes: [64, 64, 64, 64, 64, 64, 64, 64, 0, 0, 0, 0, 0, 0, 0, 0],
        rows: [16, 16, 16, 16, 16, 16, 16, 16, 0, 0, 0, 0, 0, 0, 0, 0],
    };

    /// Whether the processor has AMX-TILE and AMX-BF16, the system keeps its state, and this process may use it.
    pub(super) fn permitted() -> bool {
        const TILE_STATE: u64 = 0b11 << 17;
        if __cpuid(0).eax < 7 {
            return false;
        }
        let (has_xgetbv, features) = (__cpuid(1).ecx >> 27 & 1 == 1, __cpuid_count(7, 0).edx);
        let has_tiles = features >> 24 & 1 == 1 && features >> 22 & 1 == 1;
        // SAFETY: bit 27 says that the system has enabled the instruction.
        has_tiles && has_xgetbv && unsafe { xcr0() } & TILE_STATE == TILE_STATE && ask() == 0
    }

    /// # Safety
    /// The processor has XGETBV, and the system has enabled it.
    #[target_feature(enable = "xsave")]
    unsafe fn xcr0() -> u64 {
        // SAFETY: the caller's promise.
        unsafe { _xgetbv(0) }
    }

    /// Asks Linux for permission to use the registers, for all threads of the process: `arch_prctl(2)`. 0 if granted.
    fn ask() -> i64 {
        const ARCH_PRCTL: i64 = 158;
        const ARCH_REQ_XCOMP_PERM: u64 = 0x1023;
        const XTILEDATA: u64 = 18;
        let answer;
        // SAFETY: the call takes two integers and touches no memory of the program. A kernel that does not know it
        // answers with an error. `syscall` overwrites `rcx` and `r11`.
        unsafe {
            asm!(
                "syscall",
                inlateout("rax") ARCH_PRCTL => answer,
                in("rdi") ARCH_REQ_XCOMP_PERM,
                in("rsi") XTILEDATA,
                out("rcx") _,
                out("r11") _,
                options(nostack),
            );
        }
        answer
    }

    /// Sums are in the registers 0 to 3; 4 and 5 hold outputs, 6 and 7 rows. Outputs are `apart` bytes from each other,
    /// and what is loaded of them in a step is `along` bytes from what was loaded before.
    ///
    /// # Safety
    /// `permitted` was true; there are `steps` tiles of 1024 bytes at each pointer of `rows`, and at least one; and at
    /// each of `outputs`, 16 times `steps` pieces of 64 bytes at these distances.
    pub(super) unsafe fn squares(
        squares: &mut [[f32; SIDE * SIDE]; 4],
        outputs: [*const u8; 2],
        [apart, along]: [usize; 2],
        rows: [*const u16; 2],
        steps: usize,
    ) {
        // SAFETY: the registers are set up, used and released within this one block, so nothing else sees them; the
        // compiler puts nothing into them, and is told that they change. `SHAPES` is a valid configuration. A load
        // reads 16 times 64 bytes, at the distances that the caller promises. A store writes 1024 bytes, the size of a
        // square. Nothing is pushed.
        unsafe {
            asm!(
                "ldtilecfg [{shapes}]",
                "tilezero tmm0",
                "tilezero tmm1",
                "tilezero tmm2",
                "tilezero tmm3",
                "2:",
                "tileloadd tmm4, [{output0} + {apart}]",
                "tileloadd tmm6, [{row0} + {stride}]",
                "tileloadd tmm5, [{output1} + {apart}]",
                "tdpbf16ps tmm0, tmm4, tmm6",
                "tileloadd tmm7, [{row1} + {stride}]",
                "tdpbf16ps tmm1, tmm5, tmm6",
                "tdpbf16ps tmm2, tmm4, tmm7",
                "tdpbf16ps tmm3, tmm5, tmm7",
                "add {output0}, {along}",
                "add {output1}, {along}",
                "add {row0}, 1024",
                "add {row1}, 1024",
                "dec {steps}",
                "jnz 2b",
                "tilestored [{squares} + {stride}], tmm0",
                "tilestored [{squares} + {stride} + 1024], tmm1",
                "tilestored [{squares} + {stride} + 2048], tmm2",
                "tilestored [{squares} + {stride} + 3072], tmm3",
                "tilerelease",
                shapes = in(reg) &raw const SHAPES,
                stride = in(reg) 64_usize,
                squares = in(reg) squares.as_mut_ptr(),
                apart = in(reg) apart,
                along = in(reg) along,
                output0 = inout(reg) outputs[0] => _,
                output1 = inout(reg) outputs[1] => _,
                row0 = inout(reg) rows[0] => _,
                row1 = inout(reg) rows[1] => _,
                steps = inout(reg) steps => _,
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                options(nostack),
            );
        }
    }
}
