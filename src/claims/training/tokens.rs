//! What a trained token-level reward model says of the token that lost an answer.

use oreal_algos::{Column, Role};
use oreal_models::Ending;

use super::roc::Reading;
use crate::error::Result;
use crate::rollout::{Trajectory, sequences};
use crate::run::Run;
use crate::streams::EVALUATION;

/// A wrong answer that stopped by itself.
#[derive(Clone, Debug)]
pub struct Lost {
    /// Place of the token after which it could no longer be right.
    pub decisive: usize,
    /// The reward model's score of the prefix before each token.
    pub before: Vec<f64>,
    /// Its score of the prefix that ends with each token. The one after the end token is of no prefix that is ever trained on.
    pub after: Vec<f64>,
}

/// A number that is read off a token.
pub type Read = fn(&Lost, usize) -> f64;

/// The weight of a wrong answer's token in the released formula: `clip(1 - 2σ(c), 0, 1)` with `c` the mean of the scores
/// before it and before all earlier ones.
pub fn weight(lost: &Lost, place: usize) -> f64 {
    let mean = lost.before[..=place].iter().sum::<f64>() / (place + 1) as f64;
    // 1 - 2σ(x) = tanh(-x/2)
    (-mean / 2.0).tanh().max(0.0)
}

/// How far the score falls across the token.
pub fn fall(lost: &Lost, place: usize) -> f64 {
    lost.before[place] - lost.after[place]
}

/// How low the score is once the token is there.
pub fn after(lost: &Lost, place: usize) -> f64 {
    -lost.after[place]
}

/// How high the score is while the token is not there yet.
pub fn before(lost: &Lost, place: usize) -> f64 {
    lost.before[place]
}

/// Which token of a wrong answer is said to have lost it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marks {
    Own,
    /// That of a wrong answer to another problem.
    OfAnother,
}

/// The wrong answers among at least so many completions, equally many of each held-out problem.
pub fn lost(run: &mut Run<'_>, marks: Marks, completions: usize) -> Result<Vec<Lost>> {
    let problems = run.rollout.env.held_out(completions);
    let each = completions.div_ceil(problems.len().max(1));
    let (groups, _) = run.rollout.groups(run.roles.policy()?, EVALUATION, problems, each)?;
    let scores = run.roles.read(Role::RewardModel, &[Column::Score, Column::ScoreAfter], &sequences(&groups))?;
    let (before, after) = (&scores[&Column::Score], &scores[&Column::ScoreAfter]);
    let (mut lost, mut first) = (Vec::new(), 0);
    for group in &groups {
        for Trajectory { completion, text, .. } in &group.trajectories {
            let tokens = first..first + completion.tokens.len();
            first = tokens.end;
            let stopped = completion.ending == Ending::Stopped;
            let decisive = run.rollout.env.decisive(&group.problem, text).filter(|_| stopped);
            lost.extend(decisive.map(|decisive| {
                let [before, after] = [before, after].map(|scores| scores[tokens.clone()].to_vec());
                Lost { decisive, before, after }
            }));
        }
    }
    if marks == Marks::OfAnother {
        mark_as_another(&mut lost);
    }
    Ok(lost)
}

fn mark_as_another(lost: &mut [Lost]) {
    let mut places: Vec<usize> = lost.iter().map(|lost| lost.decisive).collect();
    places.rotate_left(lost.len() / 2);
    lost.iter_mut().zip(places).for_each(|(lost, place)| lost.decisive = place);
}

/// Each token but the end, with tokens at the same place of their answers as one stratum: what is told by the place alone
/// does not count. Answers that the end token lost have no mark and are left out.
pub fn readings(lost: &[Lost], read: Read) -> Vec<Reading> {
    let characters = |lost: &Lost| lost.before.len().saturating_sub(1);
    let marked = lost.iter().filter(|lost| lost.decisive < characters(lost));
    let of = |lost: &Lost| {
        let reading = |place| Reading { stratum: place, marked: place == lost.decisive, value: read(lost, place) };
        (0..characters(lost)).map(reading).collect::<Vec<_>>()
    };
    marked.flat_map(of).collect()
}

#[cfg(test)]
mod tests {
    use oreal_algos::{Algorithm, Experience, Layout, Oreal};

    use super::super::task::{FEWER, Size, experiment, start};
    use super::*;
    use crate::train::train;

    #[test]
    fn readings_are_those_of_the_tokens() {
        let lost = Lost { decisive: 1, before: vec![0.0, -2.0, 5.0], after: vec![-2.0, 5.0, 9.0] };
        let read = |read: Read| readings(std::slice::from_ref(&lost), read);
        let values = |of: Read| read(of).iter().map(|reading| reading.value).collect::<Vec<_>>();
        assert_eq!(values(weight), [0.0, 0.5_f64.tanh()]);
        assert_eq!(values(fall), [2.0, -7.0]);
        assert_eq!(values(before), [0.0, -2.0]);
        assert_eq!(values(after), [2.0, -5.0]);
        let marks: Vec<_> = read(fall).iter().map(|reading| (reading.stratum, reading.marked)).collect();
        assert_eq!(marks, [(0, false), (1, true)], "the end token is left out");
        assert!(readings(&[Lost { decisive: 2, ..lost.clone() }], fall).is_empty(), "lost by the end token");
    }

    /// In the released formula a wrong answer of n tokens with advantage -1 has the cotangents `eta·weight/n`.
    #[test]
    fn weight_is_that_of_the_released_formula() {
        let lost = Lost { decisive: 0, before: vec![0.5, -2.0, -1.0, 7.0], after: vec![0.0; 4] };
        let mut x = Experience::new(Layout::new(&[vec![4]])).with(Column::Reward, vec![0.0]);
        x.set(Column::Score, lost.before.clone());
        for column in [Column::Logp, Column::RefLogp, Column::Advantage] {
            x.set(column, vec![-1.0; 4]);
        }
        let cotangents = &Oreal::default().objective().evaluate(&x).cotangents[&Column::Logp];
        for (place, cotangent) in cotangents.iter().enumerate() {
            assert!((weight(&lost, place) - 4.0 / 0.5 * cotangent).abs() < 1e-12, "{place}: {cotangents:?}");
        }
    }

    #[test]
    fn marks_of_another_are_as_many_at_each_place() {
        let at = |decisive| Lost { decisive, before: Vec::new(), after: Vec::new() };
        let mut lost = [0, 0, 1, 3].map(at);
        mark_as_another(&mut lost);
        assert_eq!(lost.map(|lost| lost.decisive), [1, 3, 0, 0]);
        mark_as_another(&mut []);
    }

    /// The score after a token is the one before the next, and both are of the answer they are listed under.
    #[test]
    fn scores_lie_beside_their_tokens() {
        let size = Size { warm_up: 60, steps: 3, completions: 300, ..FEWER };
        let experiment = experiment(&size, 0, Box::new(Oreal { frozen_steps: 0, ..Oreal::default() }));
        let start = start(&size, 0).unwrap();
        let mut run = experiment.prepare(&start);
        train(&mut run, &mut |_| Ok(())).unwrap();
        let lost = lost(&mut run, Marks::Own, size.completions).unwrap();
        assert!(lost.len() > 100, "most are wrong: {}", lost.len());
        for lost in &lost {
            let last = lost.before.len() - 1;
            assert!(lost.decisive <= last && lost.after.len() == lost.before.len());
            for place in 0..last {
                assert!((lost.after[place] - lost.before[place + 1]).abs() < 1e-5, "{lost:?}");
            }
        }
        let spread = lost.iter().flat_map(|lost| &lost.before).fold(0.0_f64, |most, score| most.max(score.abs()));
        assert!(spread > 1e-3, "a reward model that says nothing shows nothing: {spread}");
    }
}
