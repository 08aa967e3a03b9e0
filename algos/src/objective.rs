//! What a loss is to the rest of the world: values in, cotangents out.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::ops::Range;

use crate::experience::{Column, Columns, Experience};
use crate::rank::Level;

/// A loss on a batch, and its derivative with respect to every signal.
#[derive(Clone, Debug, PartialEq)]
pub struct Loss {
    pub value: f64,
    /// `dL/dsignal`, one number per token, for each signal the loss reads.
    pub cotangents: Columns,
    /// Mean of every named node.
    pub metrics: BTreeMap<String, f64>,
    /// The first part of the formula that is not a finite number somewhere.
    pub broken: Option<String>,
}

/// The cotangents of a part of a batch (a range of trajectories) from the signals of that part.
pub type Split<'a> = Box<dyn Fn(Range<usize>, &Columns) -> Columns + 'a>;

/// A scalar to minimise. Written in the language with [`crate::minimise`], or by hand over slices.
pub trait Objective: Debug {
    /// The columns it reads; the signals among them are those it has a derivative for.
    fn reads(&self) -> Vec<Column>;

    /// The smallest unit that must be differentiated together: no cotangent depends on a signal of another unit.
    fn coupling(&self) -> Level;

    /// Value, cotangents and metrics on a whole batch with every column it reads in place.
    fn evaluate(&self, x: &Experience) -> Loss;

    /// The same cotangents, part by part, from a batch whose data is in place but whose signals are not known yet. Parts
    /// must hold whole units of [`Objective::coupling`]; every mean is still over the whole batch.
    fn split<'a>(&'a self, data: &'a Experience) -> Split<'a> {
        Box::new(move |part, signals| {
            let range = data.layout().range(Level::Token, &part);
            let mut x = data.clone();
            for (&column, values) in signals {
                let mut whole = vec![0.0; data.layout().count(Level::Token)];
                whole[range.clone()].iter_mut().zip(values).for_each(|(slot, value)| *slot = *value);
                x.set(column, whole);
            }
            let cotangents = self.evaluate(&x).cotangents.into_iter();
            cotangents.map(|(column, values)| (column, values[range.clone()].to_vec())).collect()
        })
    }

    /// The loss at `x` with everything that carries no gradient held at its value at `held`: the function whose
    /// derivative at `held` the cotangents are.
    fn value_holding(&self, x: &Experience, _held: &Experience) -> f64 {
        self.evaluate(x).value
    }

    /// The printed formula, where there is one.
    fn formula(&self) -> String {
        "written by hand\n".to_owned()
    }
}
