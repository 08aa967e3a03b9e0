// An expression kept for another formula.

use oreal_algos::minimise;

fn main() {
    let mut kept = None;
    minimise(|x| {
        kept = Some(x.logp());
        -x.logp().mean()
    });
}
