//! What must not change a loss: how a batch is cut, ordered, or repeated.

mod common;

use oreal::algos::{BuiltIn, Columns, Experience, Layout, Level};

/// Lays the trajectories (by group, in the order given) out anew.
fn rearranged(x: &Experience, groups: &[Vec<usize>]) -> Experience {
    let length = |&i: &usize| x.layout().size(Level::Token, Level::Trajectory, i);
    let layout = Layout::new(&groups.iter().map(|group| group.iter().map(length).collect()).collect::<Vec<_>>());
    let mut moved = Experience::new(layout);
    for (&column, values) in x.columns() {
        let of = |i: &usize| values[x.layout().range(column.level(), &(*i..*i + 1))].to_vec();
        moved.set(column, groups.iter().flatten().flat_map(of).collect());
    }
    moved
}

fn groups(x: &Experience) -> Vec<Vec<usize>> {
    x.layout().spans(Level::Trajectory, Level::Group).into_iter().map(Iterator::collect).collect()
}

/// Cotangents of each trajectory of `x`, found in `y` where `order` says.
fn same(x: &Experience, a: &Columns, y: &Experience, b: &Columns, order: &[usize], scale: f64) -> f64 {
    let mut worst: f64 = 0.0;
    for (column, values) in a {
        for (place, &i) in order.iter().enumerate() {
            let left = &values[x.layout().range(Level::Token, &(i..i + 1))];
            let right = &b[column][y.layout().range(Level::Token, &(place..place + 1))];
            worst = left.iter().zip(right).map(|(l, r)| (l - scale * r).abs()).fold(worst, f64::max);
        }
    }
    worst
}

#[test]
fn order_of_groups_and_trajectories_does_not_matter() {
    for (name, preset, algorithm) in BuiltIn::all() {
        let objective = algorithm.objective();
        for seed in 0..10 {
            let x = common::experience(seed);
            let mut order = groups(&x);
            order.reverse();
            order.iter_mut().for_each(|group| group.rotate_left(1));
            let y = rearranged(&x, &order);
            let (a, b) = (objective.evaluate(&x), objective.evaluate(&y));
            assert!((a.value - b.value).abs() < 1e-12, "{name}/{preset}: {} became {}", a.value, b.value);
            let off = same(&x, &a.cotangents, &y, &b.cotangents, &order.concat(), 1.0);
            assert!(off < 1e-12, "{name}/{preset}: a cotangent moved by {off}");
        }
    }
}

#[test]
fn a_batch_of_every_prompt_twice_has_the_same_loss_and_half_the_cotangents() {
    for (name, preset, algorithm) in BuiltIn::all() {
        let objective = algorithm.objective();
        let x = common::experience(5);
        let once = groups(&x);
        let y = rearranged(&x, &[once.clone(), once.clone()].concat());
        let (a, b) = (objective.evaluate(&x), objective.evaluate(&y));
        assert!((a.value - b.value).abs() < 1e-12, "{name}/{preset}: {} became {}", a.value, b.value);
        let off = same(&x, &a.cotangents, &y, &b.cotangents, &once.concat(), 2.0);
        assert!(off < 1e-12, "{name}/{preset}: a cotangent is not halved, off by {off}");
    }
}

#[test]
fn credit_sees_its_own_group_only_unless_it_centres_on_the_batch() {
    for (name, preset, algorithm) in
        BuiltIn::all().into_iter().filter(|(name, ..)| !["reinforce", "ppo"].contains(name))
    {
        let credit = oreal::algos::credit_of(&*algorithm);
        let x = common::experience(7);
        let alone = rearranged(&x, &groups(&x)[..1]);
        let (whole, part) = (credit.evaluate(&x), credit.evaluate(&alone));
        assert_eq!(whole[..part.len()], part[..], "{name}/{preset}");
    }
}

#[test]
fn a_part_of_a_batch_gets_the_cotangents_of_the_whole() {
    for (name, preset, algorithm) in BuiltIn::all() {
        let objective = algorithm.objective();
        for (seed, most) in (0..10).flat_map(|seed| [1, 2, 5].map(|most| (seed, most))) {
            let x = common::experience(seed);
            let whole = objective.evaluate(&x).cotangents;
            let split = objective.split(&x);
            for part in oreal::update::parts(x.layout(), objective.coupling(), most) {
                let range = x.layout().range(Level::Token, &part);
                let cut = |(&column, values): (_, &Vec<f64>)| (column, values[range.clone()].to_vec());
                let signals: Columns = x.columns().iter().filter(|(c, _)| c.is_signal()).map(cut).collect();
                let expected: Columns = whole.iter().map(cut).collect();
                let found = split(part.clone(), &signals);
                for (column, values) in &expected {
                    let off = values.iter().zip(&found[column]).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
                    assert!(off < 1e-14, "{name}/{preset}: {} of {part:?} is off by {off}", column.name());
                }
            }
        }
    }
}
