// A loss that no model has a say in.

use oreal::algos::{Batch, minimise};

fn main() {
    minimise(|x| x.advantage().mean::<Batch>());
}
