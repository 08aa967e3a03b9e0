//! The unsafe corner: matrices on the CPU as slices.
//!
//! dfdx shows a tensor's numbers one at a time, and a pointer to one number may not be used to reach the others. So a
//! matrix is made here, of a vector whose address is exposed before dfdx takes it; a slice is made from that exposed
//! address. `tools/miri.sh` runs the tests below under Miri, with Stacked Borrows.

use dfdx::prelude::{Cpu, HasShape, TensorFromVec};
use dfdx::shapes::Unit;

use super::Matrix;

/// A matrix of these numbers, row-major, as many as the shape says. [`slice`] and [`slice_mut`] take matrices made here
/// only.
pub(super) fn matrix<E: Unit>(device: &Cpu, mut numbers: Vec<E>, shape: (usize, usize)) -> Matrix<E, Cpu> {
    numbers.as_mut_ptr().expose_provenance();
    device.tensor_from_vec(numbers, shape)
}

/// The numbers of a matrix in row-major order, without a copy.
pub(super) fn slice<E: Unit, T>(x: &Matrix<E, Cpu, T>) -> &[E] {
    let length = contiguous(x);
    let first = (&raw const x[[0, 0]]).addr();
    // SAFETY: dfdx keeps the numbers of a CPU tensor in one `Vec<E>`, and its `Index` answers with a reference into
    // that vector after a bounds check. `contiguous` saw that the elements (0, 0) to (rows - 1, columns - 1) lie
    // `length - 1` apart in row-major order, so `length` initialised elements of the vector start at `first`. `matrix`
    // exposed the provenance of the whole vector. The vector cannot change or be freed while `x` is borrowed.
    unsafe { std::slice::from_raw_parts(std::ptr::with_exposed_provenance(first), length) }
}

/// As [`slice`]; a matrix that shares its numbers gets its own copy first.
pub(super) fn slice_mut<E: Unit>(x: &mut Matrix<E, Cpu>) -> &mut [E] {
    let length = contiguous(x);
    let shared = (&raw const x[[0, 0]]).addr();
    let mut first = (&raw mut x[[0, 0]]).addr();
    if first != shared {
        // `IndexMut` has made a copy, of which nobody exposed the address.
        let mut numbers = vec![E::default(); length];
        x.copy_into(&mut numbers);
        *x = matrix(x.device(), numbers, *x.shape());
        first = (&raw mut x[[0, 0]]).addr();
    }
    // SAFETY: as in `slice`; in addition `IndexMut` answered twice with the same address, so the vector is not shared,
    // and `x` is borrowed mutably, so nothing else reads or writes the numbers.
    unsafe { std::slice::from_raw_parts_mut(std::ptr::with_exposed_provenance_mut(first), length) }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn counting(shape: (usize, usize)) -> Matrix<f32, Cpu> {
        let numbers = (0..shape.0 * shape.1).map(|i| i as f32).collect();
        matrix(&Cpu::default(), numbers, shape)
    }

    #[test]
    fn slices_hold_every_number_in_order() {
        for shape in [(1, 1), (1, 5), (5, 1), (3, 4)] {
            let mut x = counting(shape);
            let expected: Vec<f32> = (0..shape.0 * shape.1).map(|i| i as f32).collect();
            assert_eq!(slice(&x), expected);
            let (first, again) = (slice(&x), slice(&x));
            assert_eq!(first, again);
            slice_mut(&mut x).iter_mut().for_each(|x| *x += 1.0);
            assert_eq!(x[[shape.0 - 1, shape.1 - 1]], expected.len() as f32);
            assert_eq!(slice(&x)[0], 1.0);
        }
    }

    #[test]
    fn changes_reach_one_of_two_that_share_their_numbers() {
        let mut x = counting((2, 3));
        let y = x.clone();
        slice_mut(&mut x)[4] = 9.0;
        assert_eq!((slice(&x)[4], slice(&y)[4]), (9.0, 4.0));
        let before = slice(&x).as_ptr().addr();
        drop(y);
        slice_mut(&mut x)[0] = 7.0;
        assert_eq!((slice(&x).as_ptr().addr(), x.as_vec()), (before, vec![7.0, 1.0, 2.0, 3.0, 9.0, 5.0]));
    }

    #[test]
    fn a_copy_that_dfdx_made_is_replaced() {
        let mut x = counting((2, 2));
        let y = x.clone();
        slice_mut(&mut x).fill(1.0);
        slice_mut(&mut x)[1] = 2.0;
        assert_eq!((x.as_vec(), y.as_vec()), (vec![1.0, 2.0, 1.0, 1.0], vec![0.0, 1.0, 2.0, 3.0]));
    }
}
