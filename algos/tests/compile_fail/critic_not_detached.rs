// Gradient through the advantage: the critic is not detached.

use oreal_algos::estimators::{clipped, ratio};
use oreal_algos::{Batch, minimise};

fn main() {
    minimise(|x| {
        let advantage = x.advantage() - x.value();
        -clipped(ratio(x), advantage, 0.2, 0.2).mean::<Batch>()
    });
}
