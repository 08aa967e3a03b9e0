//! What an algorithm learns from: a layout, columns of numbers on it, and the training step it belongs to.

use std::ops::Range;

use crate::column::{Column, Columns};
use crate::layout::Layout;
use crate::rank::Level;
use crate::shape::ShapeError;

/// A batch of trajectories in their groups.
#[derive(Clone, Debug, PartialEq)]
pub struct Experience {
    layout: Layout,
    columns: Columns,
    step: u64,
}

impl Experience {
    /// Without columns yet, at step 0.
    pub fn new(layout: Layout) -> Experience {
        Experience { layout, columns: Columns::new(), step: 0 }
    }

    /// The same at another training step (counted from 0), which decides the value of scheduled settings.
    pub fn at_step(mut self, step: u64) -> Experience {
        self.step = step;
        self
    }

    /// The training step it belongs to, counted from 0.
    pub fn step(&self) -> u64 {
        self.step
    }

    /// Its shape.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Sets a column: exactly one value per unit of its level ([`Layout::count`]). On an error nothing is changed.
    pub fn set(&mut self, column: Column, values: Vec<f64>) -> Result<(), ShapeError> {
        let (expected, found) = (self.layout.count(column.level()), values.len());
        if expected != found {
            return Err(ShapeError::Column { column, expected, found });
        }
        self.columns.insert(column, values);
        Ok(())
    }

    /// With a column set, as [`Experience::set`] does.
    pub fn with(mut self, column: Column, values: Vec<f64>) -> Result<Experience, ShapeError> {
        self.set(column, values)?;
        Ok(self)
    }

    /// The values of a column; `None` where it is not set.
    pub fn column(&self, column: Column) -> Option<&[f64]> {
        self.columns.get(&column).map(Vec::as_slice)
    }

    /// Every column that is set.
    pub fn columns(&self) -> &Columns {
        &self.columns
    }

    /// The part made of these trajectories; means over coarser units still divide by the whole. Like slices, it panics on a
    /// range that does not lie in the layout.
    pub fn part(&self, trajectories: Range<usize>) -> Experience {
        let cut = |(&column, values): (&Column, &Vec<f64>)| {
            (column, values[self.layout.range(column.level(), &trajectories)].to_vec())
        };
        let columns = self.columns.iter().map(cut).collect();
        Experience { columns, layout: self.layout.part(trajectories), step: self.step }
    }

    /// A batch of its own, made of the trajectories marked in `kept` (missing marks count as not kept). Groups left without
    /// trajectories are dropped.
    pub fn keep(&self, kept: &[bool]) -> Experience {
        let gather = |(&column, values): (&Column, &Vec<f64>)| {
            let units = self.layout.spans(Level::Trajectory, column.level().max(Level::Trajectory)).into_iter();
            let units =
                units.filter(|unit| column.level() == Level::Batch || unit.clone().any(|i| kept.get(i) == Some(&true)));
            let values = units.flat_map(|unit| values[self.layout.range(column.level(), &unit)].iter().copied());
            (column, values.collect())
        };
        let columns = self.columns.iter().map(gather).collect();
        Experience { columns, layout: self.layout.keep(kept), step: self.step }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::column::Term;
    use crate::rank::{Batch, Frozen, Group};

    const HARD: Term<Group, Frozen> = Term::data("hard", "hard");
    const TOTAL: Term<Batch, Frozen> = Term::data("total", "total");

    fn experience() -> Result<Experience, ShapeError> {
        Experience::new(Layout::new(&[vec![2, 1], vec![1, 3]])?)
            .at_step(7)
            .with(Column::LOGP, vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0])?
            .with(Column::REWARD, vec![10.0, 11.0, 12.0, 13.0])?
            .with(HARD.column(), vec![20.0, 21.0])?
            .with(TOTAL.column(), vec![30.0])
    }

    fn values(x: &Experience) -> [&[f64]; 4] {
        [Column::LOGP, Column::REWARD, HARD.column(), TOTAL.column()].map(|column| x.column(column).unwrap())
    }

    #[test]
    fn a_column_has_exactly_one_value_per_unit() {
        let mut x = experience().unwrap();
        let before = x.clone();
        for found in [0, 3, 5] {
            let problem = x.set(Column::REWARD, vec![0.0; found]).unwrap_err();
            assert_eq!(
                problem.to_string(),
                format!("column `reward` has {found} values, but there are 4 trajectories")
            );
        }
        assert_eq!(x, before, "nothing is changed on an error");
    }

    #[test]
    fn what_is_kept_is_gathered_at_every_level() {
        let x = experience().unwrap().keep(&[false, false, true, false]);
        assert_eq!(values(&x), [&[3.0][..], &[12.0], &[21.0], &[30.0]]);
        assert_eq!((x.step(), x.layout().lengths()), (7, vec![vec![1]]));
        let x = experience().unwrap().keep(&[true, false, false, true]);
        assert_eq!(values(&x), [&[0.0, 1.0, 4.0, 5.0, 6.0][..], &[10.0, 13.0], &[20.0, 21.0], &[30.0]]);
    }

    #[test]
    fn a_part_has_what_belongs_to_its_trajectories() {
        let x = experience().unwrap().part(2..4);
        assert_eq!(values(&x), [&[3.0, 4.0, 5.0, 6.0][..], &[12.0, 13.0], &[21.0], &[30.0]]);
        assert_eq!(x.step(), 7);
    }
}
