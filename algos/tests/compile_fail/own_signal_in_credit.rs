// Credit that depends on a signal of one's own.

use oreal_algos::{Algorithm, Data, Expr, Frozen, Head, Live, Objective, Output, Role, Term, Token, minimise};

const STYLE: Term<Token, Live> = Term::signal("style", "s", Role::new("style_model", Head::Scalar), Output::Scalar);

#[derive(Debug)]
struct Mine;

impl Algorithm for Mine {
    fn name(&self) -> &str {
        "mine"
    }

    fn credit<'g>(&self, x: Data<'g>) -> Expr<'g, Token, Frozen> {
        x.term(STYLE)
    }

    fn objective(&self) -> Box<dyn Objective> {
        minimise(|x| -(x.advantage() * x.logp()).mean())
    }
}

fn main() {
    Mine.objective();
}
