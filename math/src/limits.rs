//! How much work one comparison may take. Everything is bounded by counts, never by time, so that a verdict is the same on
//! every machine.

/// Longest answer that is read, in bytes; a longer one is compared as text only.
pub const ANSWER_BYTES: usize = 20_000;
/// Deepest nesting of an expression.
pub const DEPTH: usize = 100;
/// Most nodes of an expression.
pub const NODES: usize = 4_000;
/// Longest exact integer that is computed, in bits.
pub const BITS: u64 = 20_000;
/// Most terms of a normal form.
pub const TERMS: usize = 500;
/// Most products of terms in one normal form.
pub const PRODUCTS: usize = 50_000;
/// Most products of terms in all normal forms of one verdict.
pub const ALL_PRODUCTS: usize = 1_000_000;
/// Highest precision of a certified number, in bits.
pub const PRECISION: u32 = 4_096;
/// Largest numerator or denominator of an exponent in a normal form.
pub const EXPONENT: i64 = 1 << 31;
/// Most atoms in the arguments of one function of a normal form, at all depths.
pub const ATOMS: usize = 5_000;
/// Longest integer that is split into primes, in bits.
pub const FACTORED_BITS: u64 = 1_024;
/// Primes below this are found by division; so a factor below its square that is left over is prime.
pub const TRIAL: i64 = 10_000;
