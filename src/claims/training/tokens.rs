//! What a trained token-level reward model says of the token that lost an answer.

use oreal_algos::{Column, Role};
use oreal_models::Ending;
use oreal_toy_envs::Verdict;

use super::roc::Reading;
use crate::error::Result;
use crate::rollout::{Trajectory, sequences};
use crate::run::Run;
use crate::streams::EVALUATION;

/// A completion, and what the reward model says of it.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Which of the held-out problems it answers.
    pub problem: usize,
    pub right: bool,
    /// Place of the token after which it could no longer be right; none where there is no such token, or none is known.
    pub decisive: Option<usize>,
    /// Score of the prefix before each token.
    pub before: Vec<f64>,
    /// Score of the prefix that ends with each token. The one after the end token is of no prefix that is ever trained on.
    pub after: Vec<f64>,
}

/// A number that is read off a token.
pub type Read = fn(&Answer, usize) -> f64;

/// The weight of a wrong answer's token in the released formula: `clip(1 - 2σ(c), 0, 1)` with `c` the mean of the scores
/// before it and before all earlier ones.
pub fn weight(answer: &Answer, place: usize) -> f64 {
    let mean = answer.before[..=place].iter().sum::<f64>() / (place + 1) as f64;
    // 1 - 2σ(x) = tanh(-x/2)
    (-mean / 2.0).tanh().max(0.0)
}

/// How far the score falls across the token.
pub fn fall(answer: &Answer, place: usize) -> f64 {
    answer.before[place] - answer.after[place]
}

/// How low the score is once the token is there.
pub fn after(answer: &Answer, place: usize) -> f64 {
    -answer.after[place]
}

/// How high the score is while the token is not there yet.
pub fn before(answer: &Answer, place: usize) -> f64 {
    answer.before[place]
}

/// Which token of a wrong answer is said to have lost it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marks {
    Own,
    /// That of a wrong answer to another problem.
    OfAnother,
}

/// At least so many completions, equally many of each held-out problem.
pub fn answers(run: &mut Run<'_>, marks: Marks, completions: usize) -> Result<Vec<Answer>> {
    let problems = run.rollout.env.held_out(completions);
    let each = completions.div_ceil(problems.len().max(1));
    let (groups, _) = run.rollout.groups(run.roles.policy()?, EVALUATION, problems, each)?;
    let scores = run.roles.read(Role::RewardModel, &[Column::Score, Column::ScoreAfter], &sequences(&groups))?;
    let columns = [Column::Score, Column::ScoreAfter].map(|column| &scores[&column]);
    let (mut answers, mut first) = (Vec::new(), 0);
    for (problem, group) in groups.iter().enumerate() {
        for Trajectory { completion, text, verdict } in &group.trajectories {
            let tokens = first..first + completion.tokens.len();
            first = tokens.end;
            let [before, after] = columns.map(|scores| scores[tokens.clone()].to_vec());
            let stopped = completion.ending == Ending::Stopped;
            let decisive = run.rollout.env.decisive(&group.problem, text).filter(|_| stopped);
            answers.push(Answer { problem, right: *verdict == Verdict::Right, decisive, before, after });
        }
    }
    if marks == Marks::OfAnother {
        mark_as_another(&mut answers);
    }
    Ok(answers)
}

fn mark_as_another(answers: &mut [Answer]) {
    let mut marked: Vec<&mut Answer> = answers.iter_mut().filter(|answer| answer.decisive.is_some()).collect();
    let mut places: Vec<Option<usize>> = marked.iter().map(|answer| answer.decisive).collect();
    places.rotate_left(marked.len() / 2);
    marked.iter_mut().zip(places).for_each(|(answer, place)| answer.decisive = place);
}

/// Each token but the end of each wrong answer, with tokens at the same place of their answers as one stratum: what is told
/// by the place alone does not count. Answers that the end token lost are left out.
pub fn readings(answers: &[Answer], read: Read) -> Vec<Reading> {
    let of = |answer: &Answer| {
        let characters = answer.before.len().saturating_sub(1);
        let decisive = answer.decisive.filter(|&place| place < characters);
        let reading = |place| Some(Reading { stratum: place, marked: place == decisive?, value: read(answer, place) });
        (0..characters).filter_map(reading).collect::<Vec<_>>()
    };
    answers.iter().flat_map(of).collect()
}

/// The reward model's word on each answer, the mean of its scores before the tokens; right answers are marked, and answers to
/// the same problem are one stratum.
pub fn outcomes(answers: &[Answer]) -> Vec<Reading> {
    let mean = |scores: &[f64]| scores.iter().sum::<f64>() / scores.len() as f64;
    let of = |answer: &Answer| Reading { stratum: answer.problem, marked: answer.right, value: mean(&answer.before) };
    answers.iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use oreal_algos::{Algorithm, Experience, Layout, Oreal};

    use super::super::task::{FEWER, Size, experiment, start};
    use super::*;
    use crate::train::train;

    fn answer(decisive: usize, before: &[f64], after: &[f64]) -> Answer {
        let (before, after) = (before.to_vec(), after.to_vec());
        Answer { problem: 7, right: false, decisive: Some(decisive), before, after }
    }

    #[test]
    fn readings_are_those_of_the_tokens() {
        let lost = answer(1, &[0.0, -2.0, 5.0], &[-2.0, 5.0, 9.0]);
        let read = |read: Read| readings(std::slice::from_ref(&lost), read);
        let values = |of: Read| read(of).iter().map(|reading| reading.value).collect::<Vec<_>>();
        assert_eq!(values(weight), [0.0, 0.5_f64.tanh()]);
        assert_eq!(values(fall), [2.0, -7.0]);
        assert_eq!(values(before), [0.0, -2.0]);
        assert_eq!(values(after), [2.0, -5.0]);
        let marks: Vec<_> = read(fall).iter().map(|reading| (reading.stratum, reading.marked)).collect();
        assert_eq!(marks, [(0, false), (1, true)], "the end token is left out");
        let without = |decisive| readings(&[Answer { decisive, ..lost.clone() }], fall);
        assert!(without(Some(2)).is_empty(), "lost by the end token");
        assert!(without(None).is_empty(), "not lost");
        assert_eq!(outcomes(std::slice::from_ref(&lost)), [Reading { stratum: 7, marked: false, value: 1.0 }]);
    }

    /// In the released formula a wrong answer of n tokens with advantage -1 has the cotangents `eta·weight/n`.
    #[test]
    fn weight_is_that_of_the_released_formula() {
        let lost = answer(0, &[0.5, -2.0, -1.0, 7.0], &[0.0; 4]);
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
        let mut answers = [0, 0, 1, 2, 3].map(|decisive| answer(decisive, &[], &[]));
        answers[2].decisive = None;
        mark_as_another(&mut answers);
        assert_eq!(answers.map(|answer| answer.decisive), [Some(2), Some(3), None, Some(0), Some(0)]);
        mark_as_another(&mut []);
    }

    /// The score after a token is the one before the next, and both are of the answer they are listed under.
    #[test]
    fn scores_lie_beside_their_tokens() {
        let size = Size { warm_up: 60, steps: 3, completions: 300, ..FEWER };
        let experiment = experiment(&size, 0, Box::new(Oreal { frozen_steps: 0, ..Oreal::default() }));
        let start = start(&size, 0).unwrap();
        let mut run = experiment.prepare(&start).unwrap();
        train(&mut run, &mut |_| Ok(())).unwrap();
        let answers = answers(&mut run, Marks::Own, size.completions).unwrap();
        assert!(answers.iter().filter(|answer| answer.decisive.is_some()).count() > 100, "most are wrong");
        for answer in &answers {
            let last = answer.before.len() - 1;
            assert!(answer.decisive.is_none_or(|place| place <= last && !answer.right), "{answer:?}");
            for place in 0..last {
                assert!((answer.after[place] - answer.before[place + 1]).abs() < 1e-5, "{answer:?}");
            }
        }
        let furthest =
            answers.iter().flat_map(|answer| &answer.before).fold(0.0_f64, |most, score| most.max(score.abs()));
        assert!(furthest > 1e-3, "a reward model that says nothing shows nothing: {furthest}");
    }
}
