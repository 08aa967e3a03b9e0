//! The unsafe corner: tensors as slices, and matrix products on slices.

use dfdx::prelude::{Cpu, HasShape};
use dfdx::shapes::Unit;

use super::Matrix;
use crate::real::Real;

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

/// A matrix in a slice, possibly read as its transpose.
#[derive(Clone, Copy)]
pub(super) struct View<'a, E> {
    numbers: &'a [E],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a, E> View<'a, E> {
    pub(super) fn new(numbers: &'a [E], (rows, columns): (usize, usize)) -> Self {
        assert_eq!(numbers.len(), rows * columns, "a matrix of {rows} x {columns}");
        Self { numbers, rows, columns, row_stride: columns, column_stride: 1 }
    }

    pub(super) fn transposed(self) -> Self {
        Self {
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            ..self
        }
    }
}

/// `out += a b`, with the sum over the inner dimension in an order that does not depend on the number of threads.
pub(super) fn add_product<E: Real>(out: &mut [E], a: View<'_, E>, b: View<'_, E>) {
    let (m, k, n) = (a.rows, a.columns, b.columns);
    assert_eq!(k, b.rows, "inner dimensions");
    assert_eq!(out.len(), m * n, "a product of {m} x {n}");
    // SAFETY: `View::new` checked that each operand holds rows x columns numbers, and its strides are those of the
    // row-major matrix or of its transpose, so every index gemm forms is in bounds; `out` was checked just now. `out` is
    // borrowed mutably, so it overlaps neither operand. `E` is `f32` or `f64`, which gemm implements.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.as_mut_ptr(),
            1,
            n as isize,
            true,
            a.numbers.as_ptr(),
            a.column_stride as isize,
            a.row_stride as isize,
            b.numbers.as_ptr(),
            b.column_stride as isize,
            b.row_stride as isize,
            E::ONE,
            E::ONE,
            false,
            false,
            false,
            gemm::Parallelism::Rayon(rayon::current_num_threads()),
        );
    }
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
