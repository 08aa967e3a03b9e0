// The means in the wrong order.

use oreal_algos::{Batch, Group, Trajectory, minimise};

fn main() {
    minimise(|x| -x.logp().mean::<Group>().mean::<Trajectory>().mean::<Batch>());
}
