//! What must not change a loss: how a batch is cut, ordered, or repeated; and that cotangents are derivatives.

use oreal::algos::{
    Algorithm, BuiltIn, Column, Columns, Data, Experience, Expr, Frozen, Level, Loss, Objective, Role, Token, credit_of,
};
use oreal::lab::{invariances, random_batch};

#[test]
fn every_algorithm_has_every_invariance() {
    for (name, preset, algorithm) in BuiltIn::all() {
        for invariance in invariances(&*algorithm) {
            assert!(invariance.holds(), "{name}/{preset}: {}, but is off by {:e}", invariance.name, invariance.off);
        }
    }
}

#[test]
fn a_cotangent_is_not_zero_everywhere() {
    for (name, preset, algorithm) in BuiltIn::all() {
        let cotangents = algorithm.objective().evaluate(&random_batch(3)).cotangents;
        assert!(cotangents.keys().any(|column| column.role() == Some(Role::POLICY)), "{name}/{preset} learns nothing");
        for (column, values) in cotangents {
            assert!(values.iter().any(|g| *g != 0.0), "{name}/{preset}: {} has no gradient", column.name());
        }
    }
}

#[test]
fn credit_sees_its_own_group_only_unless_it_centres_on_the_batch() {
    for (name, preset, algorithm) in BuiltIn::all().into_iter().filter(|(name, ..)| !OF_THE_BATCH.contains(name)) {
        let credit = credit_of(&*algorithm);
        let x = random_batch(7);
        let first = x.layout().spans(Level::Trajectory, Level::Group)[0].clone();
        let kept: Vec<bool> = (0..x.layout().count(Level::Trajectory)).map(|i| first.contains(&i)).collect();
        let (whole, part) = (credit.evaluate(&x), credit.evaluate(&x.keep(&kept)));
        assert_eq!(whole[..part.len()], part[..], "{name}/{preset}");
    }
}

/// Algorithms whose credit depends on the whole batch.
const OF_THE_BATCH: [&str; 4] = ["gpg", "ppo", "reinforce", "reinforce_plus_plus"];

/// The mistakes that the invariances are there for.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mistake {
    None,
    /// Each trajectory counts by its place.
    Place,
    /// A sum where a mean should be.
    Sum,
    /// Divided by what is in a part.
    Parts,
    /// Half the derivative.
    Slope,
}

/// The mean of `logπ²` over all tokens, or what a mistake makes of it.
#[derive(Clone, Copy, Debug)]
struct ByHand(Mistake);

impl Algorithm for ByHand {
    fn name(&self) -> &str {
        "by_hand"
    }

    fn credit<'g>(&self, x: Data<'g>) -> Expr<'g, Token, Frozen> {
        x.number(1.0)
    }

    fn objective(&self) -> Box<dyn Objective> {
        Box::new(*self)
    }
}

impl Objective for ByHand {
    fn reads(&self) -> Vec<Column> {
        vec![Column::LOGP]
    }

    fn coupling(&self) -> Level {
        Level::Token
    }

    fn evaluate(&self, x: &Experience) -> Loss {
        let logp = x.column(Column::LOGP).unwrap();
        let count = if self.0 == Mistake::Sum { 1.0 } else { x.layout().size(Level::Token, Level::Batch, 0) as f64 };
        let weight = |t: usize| if self.0 == Mistake::Place { t as f64 } else { 1.0 };
        let slope = if self.0 == Mistake::Slope { 1.0 } else { 2.0 };
        let value = logp.iter().enumerate().map(|(t, l)| weight(t) * l * l).sum::<f64>() / count;
        let cotangent = logp.iter().enumerate().map(|(t, l)| slope * weight(t) * l / count).collect();
        let cotangents = Columns::from([(Column::LOGP, cotangent)]);
        Loss { value, cotangents, metrics: Default::default(), not_finite: None }
    }

    fn by_parts<'a>(&'a self, data: &'a Experience) -> oreal::algos::PartCotangents<'a> {
        let whole = data.layout().count(Level::Token) as f64;
        let mistaken = self.0 == Mistake::Parts;
        let alone = *self;
        Box::new(move |part, signals| {
            let mut x = Experience::new(data.layout().part(part));
            signals.iter().for_each(|(&column, values)| x.set(column, values.clone()).unwrap());
            let mut cotangents = alone.evaluate(&x).cotangents;
            if mistaken {
                let here = x.layout().count(Level::Token) as f64;
                cotangents.values_mut().flatten().for_each(|g| *g *= whole / here);
            }
            Ok(cotangents)
        })
    }
}

#[test]
fn each_mistake_is_caught_by_the_invariance_it_breaks() {
    let broken = |mistake| -> Vec<&str> {
        let all = invariances(&ByHand(mistake)).into_iter();
        all.filter(|invariance| !invariance.holds()).map(|invariance| invariance.name).collect()
    };
    assert!(broken(Mistake::None).is_empty(), "{:?}", broken(Mistake::None));
    for (mistake, part) in [
        (Mistake::Place, "order of groups"),
        (Mistake::Sum, "everything twice"),
        (Mistake::Parts, "parts of a batch"),
        (Mistake::Slope, "derivative"),
    ] {
        assert!(broken(mistake).iter().any(|name| name.contains(part)), "{mistake:?}: {:?}", broken(mistake));
    }
    assert_eq!(broken(Mistake::Slope).len(), 1);
}
