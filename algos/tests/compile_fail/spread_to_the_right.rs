// A value per token made one per trajectory without saying how.

use oreal_algos::{Batch, Trajectory, minimise};

fn main() {
    minimise(|x| x.logp().spread::<Trajectory>().mean::<Batch>());
}
