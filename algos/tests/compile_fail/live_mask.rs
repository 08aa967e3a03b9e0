// A mean over tokens that the model under training chooses.

use oreal_algos::{Batch, minimise};

fn main() {
    minimise(|x| x.logp().mean_where::<Batch>(x.score().sigmoid()));
}
