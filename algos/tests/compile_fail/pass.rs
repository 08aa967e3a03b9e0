// What the other files get wrong, done right.

use oreal_algos::estimators::{clipped, ratio};
use oreal_algos::{Algorithm, Batch, Data, Expr, Frozen, Group, Objective, Token, Trajectory, minimise};

#[derive(Debug)]
struct Mine;

impl Algorithm for Mine {
    fn name(&self) -> &str {
        "mine"
    }

    fn credit<'g>(&self, x: Data<'g>) -> Expr<'g, Token, Frozen> {
        (x.reward() - x.reward().mean::<Group>()).spread()
    }

    fn objective(&self) -> Box<dyn Objective> {
        minimise(|x| {
            let baselined = x.advantage() - x.value().detach();
            let weight = x.score().sigmoid().detach().per_trajectory("half", |w| w.iter().map(|w| w / 2.0).collect());
            let surrogate = clipped(ratio(x), baselined * weight, 0.2, 0.2);
            -surrogate.mean::<Trajectory>().mean::<Group>().mean::<Batch>()
        })
    }
}

fn main() {
    Mine.objective();
}
