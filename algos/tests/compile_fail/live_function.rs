// A function without slope on a quantity that carries gradient.

use oreal_algos::minimise;

fn main() {
    minimise(|x| x.logp().per_trajectory("sorted", |w| w.to_vec()).mean());
}
