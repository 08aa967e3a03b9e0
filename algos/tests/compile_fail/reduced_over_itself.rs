// A mean of a quantity over the units it already belongs to.

use oreal_algos::{Batch, Trajectory, minimise};

fn main() {
    minimise(|x| -x.logp().mean::<Trajectory>().mean::<Trajectory>().mean::<Batch>());
}
