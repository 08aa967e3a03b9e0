//! What a loss is to the rest of a program: columns in, a value and cotangents out.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::ops::Range;

use crate::column::{Column, Columns};
use crate::experience::Experience;
use crate::export::FormulaGraph;
use crate::parts::Part;
use crate::rank::Level;
use crate::shape::ShapeError;

/// A loss on a batch, and its derivative with respect to every signal.
#[derive(Clone, Debug, PartialEq)]
pub struct Loss {
    /// The number to minimise.
    pub value: f64,
    /// `dL/dsignal`, one number per token, for each signal the loss reads.
    pub cotangents: Columns,
    /// Mean of every named value that is logged, and the value of every setting that follows a schedule.
    pub metrics: BTreeMap<String, f64>,
    /// The first part of the formula that is infinite or NaN anywhere.
    pub not_finite: Option<String>,
}

/// The cotangents of a part of a batch (a range of trajectories) from the signals of that part.
pub type PartCotangents<'a> = Box<dyn Fn(Range<usize>, &Columns) -> Result<Columns, ShapeError> + Send + Sync + 'a>;

/// A scalar to minimise. Written in the language with [`crate::minimise`], or by hand over slices.
pub trait Objective: Debug + Send + Sync {
    /// The columns it reads; the signals among them are those it has a derivative for.
    fn reads(&self) -> Vec<Column>;

    /// The smallest unit that must be differentiated together: no cotangent depends on a signal of another unit.
    fn coupling(&self) -> Level;

    /// The smallest unit that minibatches must not cut, a trajectory or a group: a group where the objective computes
    /// statistics of groups. These are then over all trajectories of a group that the selection kept. (Credit is computed
    /// before selection, on whole groups.)
    fn minibatch_unit(&self) -> Level {
        self.coupling().clamp(Level::Trajectory, Level::Group)
    }

    /// Value, cotangents and metrics on a whole batch with every column it reads set.
    fn evaluate(&self, x: &Experience) -> Loss;

    /// The same cotangents, part by part, from a batch with its data set but not its signals. Parts must hold whole units of
    /// [`Objective::coupling`]; every mean is still over the whole batch.
    fn by_parts<'a>(&'a self, data: &'a Experience) -> PartCotangents<'a> {
        Box::new(move |part, signals| {
            let range = data.layout().range(Level::Token, &part);
            let mut x = data.clone();
            for (&column, values) in signals {
                if values.len() != range.len() {
                    return Err(ShapeError::Column { column, expected: range.len(), found: values.len() });
                }
                let mut whole = vec![0.0; data.layout().count(Level::Token)];
                whole[range.clone()].copy_from_slice(values);
                x.set(column, whole)?;
            }
            let cotangents = self.evaluate(&x).cotangents.into_iter();
            Ok(cotangents.map(|(column, values)| (column, values[range.clone()].to_vec())).collect())
        })
    }

    /// The loss at `x` with everything that carries no gradient held at its value at `held`: the function whose derivative at
    /// `held` the cotangents are.
    fn value_holding(&self, x: &Experience, _held: &Experience) -> f64 {
        self.evaluate(x).value
    }

    /// The printed formula, where there is one.
    fn formula(&self) -> String {
        "written by hand\n".to_owned()
    }

    /// The printed formula in MathML, as blocks of `<math>`, where there is one.
    fn mathml(&self) -> Option<String> {
        None
    }

    /// The parts of the formula that explain a token's cotangents, with their values on a batch that has every column set; none
    /// without a formula.
    fn parts(&self, _x: &Experience) -> Vec<Part> {
        Vec::new()
    }

    /// The graph of the formula, where there is one.
    fn graph(&self) -> Option<FormulaGraph> {
        None
    }
}
