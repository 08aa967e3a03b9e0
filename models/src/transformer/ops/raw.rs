//! The unsafe corner: tensors as slices.

use dfdx::prelude::{Cpu, HasShape};
use dfdx::shapes::Unit;

use super::Matrix;

/// The numbers of a matrix in row-major order, without a copy.
pub(super) fn slice<E: Unit, T>(x: &Matrix<E, Cpu, T>) -> &[E] {
    let length = contiguous(x);
    // SAFETY: dfdx keeps the numbers of a CPU tensor in one `Vec<E>`, and its `Index` answers with a reference into that
    // vector after a bounds check. `contiguous` saw that the elements (0, 0) to (rows - 1, columns - 1) lie `length - 1`
    // apart in row-major order, so the `length` numbers from the first one on are initialised elements of the vector.
    // The vector cannot change or be freed while `x` is borrowed.
    unsafe { std::slice::from_raw_parts(&raw const x[[0, 0]], length) }
}

/// As [`slice`]; a tensor that shares its numbers gets its own copy first.
pub(super) fn slice_mut<E: Unit>(x: &mut Matrix<E, Cpu>) -> &mut [E] {
    let length = contiguous(x);
    // SAFETY: as in `slice`; in addition `IndexMut` makes the vector unshared before it answers, and `x` is borrowed
    // mutably, so nothing else reads or writes the numbers.
    unsafe { std::slice::from_raw_parts_mut(&raw mut x[[0, 0]], length) }
}

/// Number of elements; panics unless they lie in row-major order without gaps.
fn contiguous<E: Unit, T>(x: &Matrix<E, Cpu, T>) -> usize {
    let (rows, columns) = *x.shape();
    let first = &raw const x[[0, 0]];
    let at = |row: usize, column: usize| (&raw const x[[row, column]]).addr() - first.addr();
    let size = size_of::<E>();
    assert!(
        (columns == 1 || at(0, 1) == size)
            && (rows == 1 || at(1, 0) == columns * size)
            && at(rows - 1, columns - 1) == (rows * columns - 1) * size,
        "a tensor of {rows} x {columns} that is a permuted or broadcast view"
    );
    rows * columns
}
