// A loss per trajectory: the last mean is forgotten.

use oreal_algos::{Trajectory, minimise};

fn main() {
    minimise(|x| -x.logp().mean::<Trajectory>());
}
