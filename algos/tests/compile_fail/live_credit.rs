// Credit that depends on the policy under training.

use oreal_algos::{Algorithm, Data, Expr, Frozen, Objective, Token, minimise};

#[derive(Debug)]
struct Mine;

impl Algorithm for Mine {
    fn name(&self) -> &str {
        "mine"
    }

    fn credit<'g>(&self, x: Data<'g>) -> Expr<'g, Token, Frozen> {
        x.logp() - x.old_logp()
    }

    fn objective(&self) -> Box<dyn Objective> {
        minimise(|x| -(x.advantage() * x.logp()).mean())
    }
}

fn main() {
    Mine.objective();
}
