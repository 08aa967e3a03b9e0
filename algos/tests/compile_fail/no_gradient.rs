// A loss that no model has a say in.

use oreal_algos::{Batch, minimise};

fn main() {
    minimise(|x| x.advantage().mean::<Batch>());
}
