//! A matrix that several threads write, each its own columns.

use std::marker::PhantomData;

/// Consecutive columns of a matrix of rows.
pub(crate) struct Columns<'a, E> {
    first: *mut E,
    rows: usize,
    /// From the start of a row to that of the next.
    stride: usize,
    width: usize,
    matrix: PhantomData<&'a mut [E]>,
}

// SAFETY: it is a mutable borrow of the numbers in its columns, and of nothing else: see `row`.
unsafe impl<E: Send> Send for Columns<'_, E> {}

impl<'a, E> Columns<'a, E> {
    /// The first columns, `size.1`, of the first rows, `size.0`, of a matrix whose rows are `stride` apart.
    pub(crate) fn new(numbers: &'a mut [E], stride: usize, (rows, width): (usize, usize)) -> Self {
        let needed = if rows == 0 { 0 } else { (rows - 1) * stride + width };
        assert!(width <= stride && needed <= numbers.len(), "{rows} x {width} numbers in {}", numbers.len());
        Self { first: numbers.as_mut_ptr(), rows, stride, width, matrix: PhantomData }
    }

    /// All columns of a matrix.
    pub(crate) fn all(numbers: &'a mut [E], width: usize) -> Self {
        let rows = numbers.len() / width;
        Self::new(numbers, width, (rows, width))
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// The first columns, as many as asked for, and the others.
    pub(crate) fn split_at(self, width: usize) -> (Self, Self) {
        assert!(width <= self.width, "{width} of {} columns", self.width);
        // Where all columns are on the left, what is on the right has no numbers, and its address is not used.
        let right = Self { first: self.first.wrapping_add(width), width: self.width - width, ..self };
        (Self { width, ..self }, right)
    }

    /// So many columns each time, fewer at the end.
    pub(crate) fn split(self, width: usize) -> Vec<Self> {
        let (mut parts, mut rest) = (Vec::new(), self);
        while rest.width > width {
            let (part, more) = rest.split_at(width);
            parts.push(part);
            rest = more;
        }
        parts.push(rest);
        parts
    }

    /// A shorter borrow of some rows.
    pub(crate) fn some(&mut self, from: usize, rows: usize) -> Columns<'_, E> {
        assert!(from <= self.rows && rows <= self.rows - from, "rows {from} to {from} + {rows}");
        Columns { first: self.first.wrapping_add(from * self.stride), rows, ..*self }
    }

    /// One row of these columns.
    #[inline(always)]
    pub(crate) fn row(&mut self, row: usize) -> &mut [E] {
        assert!(row < self.rows);
        // SAFETY: `new` saw that `rows` rows of `width` numbers, `stride` apart, lie within a slice that is borrowed
        // mutably for `'a`; `split_at` only makes the columns fewer, and `some` the rows. Other `Columns` of the same
        // slice come from `split_at`, which gives away disjoint columns of no more than `stride`, so their rows do not
        // overlap; or from `some`, which borrows this one. The result borrows `self` mutably.
        unsafe { std::slice::from_raw_parts_mut(self.first.wrapping_add(row * self.stride), self.width) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_disjoint_and_whole() {
        let mut numbers = vec![0; 2 * 7 + 5];
        let all = Columns::new(&mut numbers, 7, (3, 5));
        let (mut left, right) = all.split_at(2);
        let (mut middle, mut none) = right.split_at(3);
        for row in 0..3 {
            left.row(row).fill(1);
            middle.row(row).fill(2);
            assert!(none.row(row).is_empty());
        }
        middle.some(2, 1).row(0)[1] = 3;
        assert_eq!(numbers, [1, 1, 2, 2, 2, 0, 0, 1, 1, 2, 2, 2, 0, 0, 1, 1, 2, 3, 2]);
    }

    #[test]
    #[should_panic(expected = "3 x 6 numbers in 19")]
    fn what_does_not_fit_is_refused() {
        Columns::new(&mut [0; 19], 7, (3, 6));
    }
}
