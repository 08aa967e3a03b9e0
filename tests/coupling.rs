//! An objective's coupling is the smallest unit that must be differentiated together: no cotangent depends on a signal of
//! another unit, some cotangent does depend on another signal of its own, and a batch may be cut along it.

use std::ops::Range;

use oreal::algos::{
    Algorithm, Batch, BuiltIn, Column, Columns, Experience, Expr, Group, Layout, Level, Live, Loss, Objective, Oreal,
    Terms, Token, TokenWeights, Trajectory, minimise,
};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

const SEEDS: Range<u64> = 0..24;

#[test]
fn no_cotangent_depends_on_a_signal_of_another_unit() {
    for (name, objective) in objectives() {
        SEEDS.for_each(|seed| assert_sound(&*objective, seed, &name));
    }
}

#[test]
fn some_cotangent_depends_on_another_signal_of_its_unit() {
    for (name, objective) in objectives() {
        let Some(finer) = finer(objective.coupling()) else { continue };
        let told = SEEDS.into_iter().any(|seed| reaches_across(&*objective, finer, seed));
        assert!(told, "{name} declares {}, but {finer} would do", objective.coupling());
    }
}

#[test]
fn hand_made_objectives_couple_what_their_mathematics_says() {
    for (name, level, objective) in hand_made() {
        assert_eq!(objective.coupling(), level, "{name}");
    }
}

#[test]
fn no_random_formula_is_declared_finer_than_it_is() {
    let mut seen = [Level::Token, Level::Trajectory, Level::Group, Level::Batch].map(|level| (level, 0));
    for seed in 0..400 {
        let objective = random_formula(seed);
        assert_sound(&*objective, seed, &format!("random formula {seed}\n{}", objective.formula()));
        seen.iter_mut().filter(|(level, _)| *level == objective.coupling()).for_each(|(_, count)| *count += 1);
    }
    assert!(seen.iter().all(|(_, count)| *count >= 10), "too few formulas of some level: {seen:?}");
}

#[test]
fn a_batch_cut_along_the_coupling_has_the_cotangents_of_the_whole() {
    for (name, objective) in objectives() {
        SEEDS.for_each(|seed| assert_splits(&*objective, seed, &name));
    }
    for seed in 0..400 {
        let objective = random_formula(seed);
        assert_splits(&*objective, seed, &format!("random formula {seed}\n{}", objective.formula()));
    }
}

#[test]
fn an_objective_that_is_not_a_formula_is_cut_the_same_way() {
    for (name, objective) in objectives() {
        let name = format!("{name}, by the default method");
        SEEDS.for_each(|seed| assert_splits(&ByHand(&*objective), seed, &name));
    }
}

/// Such a loss is linear, so no cotangent depends on any signal; but half a group has half of what falls to its mean.
#[test]
fn a_quantity_that_is_spread_again_keeps_its_unit_together() {
    let of = |level, loss: Formula| (level, minimise(loss));
    let losses = [
        of(Level::Group, |x| (x.reward() * x.logp().mean::<Group>()).mean()),
        of(Level::Batch, |x| (x.advantage() * (x.logp() - x.logp().mean::<Batch>())).mean()),
    ];
    for (level, objective) in losses {
        assert_eq!(objective.coupling(), level, "{}", objective.formula());
        SEEDS.for_each(|seed| assert_splits(&*objective, seed, &objective.formula()));
    }
}

/// An objective that says no more than it must.
#[derive(Debug)]
struct ByHand<'a>(&'a dyn Objective);

impl Objective for ByHand<'_> {
    fn reads(&self) -> Vec<Column> {
        self.0.reads()
    }

    fn coupling(&self) -> Level {
        self.0.coupling()
    }

    fn evaluate(&self, x: &Experience) -> Loss {
        self.0.evaluate(x)
    }
}

/// Every algorithm with every preset, a setting that no preset has, and formulas of no algorithm.
fn objectives() -> Vec<(String, Box<dyn Objective>)> {
    let top_share = Oreal { token_weights: TokenWeights::TopShare(0.5.into()), ..Oreal::default() };
    let presets = BuiltIn::all().into_iter();
    let presets = presets.map(|(name, preset, algorithm)| (format!("{name}/{preset}"), algorithm.objective()));
    let setting = ("oreal with top share".to_owned(), top_share.objective());
    let formulas = hand_made().into_iter().map(|(name, _, objective)| (name.to_owned(), objective));
    presets.chain([setting]).chain(formulas).collect()
}

fn hand_made() -> Vec<(&'static str, Level, Box<dyn Objective>)> {
    let of = |name, level, loss: Formula| (name, level, minimise(loss));
    vec![
        of("a mean over right answers", Level::Token, |x| x.logp().exp().mean_where(x.right().spread())),
        of("a mean over trajectories, then groups", Level::Token, |x| {
            x.logp().exp().sum::<Trajectory>().mean::<Group>().mean()
        }),
        of("a live factor inside a scan", Level::Token, |x| {
            (x.entropy() * x.logp()).discounted(0.9).running_mean().mean()
        }),
        of("a scan under a live factor", Level::Trajectory, |x| (x.entropy() * x.value().discounted(0.9)).mean()),
        of("the next token under a live factor", Level::Trajectory, |x| (x.entropy() * x.logp().next()).mean()),
        of("a detached factor of a whole trajectory", Level::Trajectory, |x| {
            (x.logp() * x.score().running_mean().sigmoid().detach()).mean()
        }),
        of("a switch of a whole trajectory", Level::Trajectory, |x| {
            (x.logp() * x.score().mean::<Trajectory>().above(0.0)).mean()
        }),
        of("gspo", Level::Trajectory, |x| {
            let ratio = (x.logp() - x.old_logp()).mean::<Trajectory>().exp();
            -(ratio * x.reward()).min(ratio.clip(0.8, 1.2) * x.reward()).mean::<Batch>()
        }),
        of("a quotient of two sums", Level::Trajectory, |x| {
            (x.logp().sum::<Trajectory>() / (x.entropy().square().sum::<Trajectory>() + 1.0)).mean()
        }),
        of("a reward over a sum", Level::Trajectory, |x| {
            (x.reward() / (x.entropy().square().sum::<Trajectory>() + 1.0)).mean()
        }),
        of("dpo", Level::Group, |x| {
            let margin = ((x.logp() - x.ref_logp()) * (2.0 * x.right() - 1.0)).sum::<Group>();
            (-0.3 * margin).softplus().mean()
        }),
        of("a sum over a group under a token's factor", Level::Group, |x| {
            (x.entropy() * x.logp().sum::<Group>()).mean()
        }),
        of("a square of sums of squares", Level::Group, |x| {
            x.logp().sum::<Trajectory>().square().sum::<Group>().square().mean()
        }),
        of("a signal centred on its batch", Level::Batch, |x| (x.value() - x.value().mean::<Batch>()).square().mean()),
        of("a detached mean of the batch", Level::Batch, |x| {
            (x.logp() * (x.score() - x.score().mean::<Batch>()).detach()).mean()
        }),
    ]
}

type Formula = for<'g> fn(Terms<'g>) -> Expr<'g, Batch, Live>;

fn random_formula(seed: u64) -> Box<dyn Objective> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    minimise(|x| grow(x, 4, &mut rng).mean())
}

/// A random expression of bounded values.
fn grow<'g>(x: Terms<'g>, depth: usize, rng: &mut ChaCha8Rng) -> Expr<'g, Token, Live> {
    if depth == 0 {
        return [x.logp(), x.entropy(), x.value(), x.score()][rng.random_range(0..4)];
    }
    let kind = rng.random_range(0..16);
    let a = grow(x, depth - 1, rng);
    let mut other = || grow(x, depth - 1, rng);
    match kind {
        0 => a + other(),
        1 => a - other(),
        2 => a * other().sigmoid(),
        3 => a / (other().square() + 1.0),
        4 => a.min(other()),
        5 => a * other().sigmoid().detach(),
        6 => a * other().above(0.0),
        7 => a.softplus(),
        8 => a * x.advantage(),
        9 => a.running_mean(),
        10 => a.discounted(0.7),
        11 => a.next(),
        12 => a.mean::<Trajectory>().spread(),
        13 => a.mean::<Group>().sigmoid().spread(),
        14 => a.mean::<Batch>().spread(),
        _ => 2.0 - a,
    }
}

fn finer(level: Level) -> Option<Level> {
    match level {
        Level::Token => None,
        Level::Trajectory => Some(Level::Token),
        Level::Group => Some(Level::Trajectory),
        Level::Batch => Some(Level::Group),
    }
}

/// Moves every signal outside one unit after another: inside, nothing happens to the bit.
fn assert_sound(objective: &dyn Objective, seed: u64, name: &str) {
    let x = oreal::lab::random_batch(seed);
    let before = objective.evaluate(&x).cotangents;
    for unit in x.layout().spans(Level::Token, objective.coupling()) {
        let after = objective.evaluate(&moved(&x, objective, seed, |token| !unit.contains(&token))).cotangents;
        for (column, values) in &before {
            let same = values[unit.clone()] == after[column][unit.clone()];
            let level = objective.coupling();
            assert!(same, "{name}, batch {seed}: {} of a {level} depends on another {level}", column.name());
        }
    }
}

/// Whether a signal has a say in the cotangents of another `finer` unit of the same unit.
fn reaches_across(objective: &dyn Objective, finer: Level, seed: u64) -> bool {
    let x = oreal::lab::random_batch(seed);
    let before = objective.evaluate(&x).cotangents;
    let units = x.layout().spans(Level::Token, objective.coupling());
    x.layout().spans(Level::Token, finer).into_iter().any(|part| {
        let unit = units.iter().find(|unit| unit.contains(&part.start)).expect("a finer unit lies in a coarser one");
        let beside = |token| unit.contains(&token) && !part.contains(&token);
        let after = objective.evaluate(&moved(&x, objective, seed, beside)).cotangents;
        before.iter().any(|(column, values)| off(&values[part.clone()], &after[column][part.clone()]) > 1e-6)
    })
}

/// With other signals at some tokens.
fn moved(x: &Experience, objective: &dyn Objective, seed: u64, at: impl Fn(usize) -> bool) -> Experience {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut moved = x.clone();
    for column in objective.reads().into_iter().filter(|column| column.is_signal()) {
        let values = x.column(column).expect("every column has a value").iter().enumerate();
        let change = |(token, value): (usize, &f64)| value + f64::from(at(token)) * rng.random_range(-1.0..1.0);
        moved.set(column, values.map(change).collect()).unwrap();
    }
    moved
}

/// Random parts give their share of the whole's cotangents.
fn assert_splits(objective: &dyn Objective, seed: u64, name: &str) {
    let x = oreal::lab::random_batch(seed);
    let whole = objective.evaluate(&x).cotangents;
    let mut data = Experience::new(x.layout().clone());
    x.columns()
        .iter()
        .filter(|(c, _)| !c.is_signal())
        .for_each(|(&column, values)| data.set(column, values.clone()).unwrap());
    let split = objective.by_parts(&data);
    for part in partition(x.layout(), objective.coupling(), seed) {
        let range = x.layout().range(Level::Token, &part);
        let cut = |(&column, values): (&Column, &Vec<f64>)| (column, values[range.clone()].to_vec());
        let signals: Columns = x.columns().iter().filter(|(column, _)| column.is_signal()).map(cut).collect();
        let found = split(part.clone(), &signals).unwrap();
        assert!(found.keys().eq(whole.keys()), "{name}, batch {seed}: signals of {part:?}");
        for (column, expected) in whole.iter().map(cut) {
            let off = off(&expected, &found[&column]);
            assert!(off < 1e-13, "{name}, batch {seed}: {} of {part:?} is off by {off}", column.name());
        }
    }
}

/// Ranges of trajectories made of whole units.
fn partition(layout: &Layout, coupling: Level, seed: u64) -> Vec<Range<usize>> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let units = layout.spans(Level::Trajectory, coupling.max(Level::Trajectory));
    let mut parts: Vec<Range<usize>> = Vec::new();
    for unit in units {
        match parts.last_mut() {
            Some(part) if rng.random_bool(0.5) => part.end = unit.end,
            _ => parts.push(unit),
        }
    }
    parts
}

fn off(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}
