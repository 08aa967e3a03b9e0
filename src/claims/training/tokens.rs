//! Readings of a trained token-level reward model at the decisive token: the one after which an answer cannot be right.

use oreal_algos::{Column, Role};
use oreal_models::{Ending, InProcess};
use oreal_toy_envs::{Split, Verdict};

use super::roc::Reading;
use crate::error::Result;
use crate::rollout::{Trajectory, sequences};
use crate::run::{Run, problems};
use crate::streams::{EVALUATION, Purpose};

/// A completion with the reward model's scores.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Index of its problem among the held-out ones.
    pub problem: usize,
    /// Whether it is right.
    pub right: bool,
    /// Position of the decisive token; `None` if there is none or it is not known.
    pub decisive: Option<usize>,
    /// Score of the prefix before each token.
    pub before: Vec<f64>,
    /// Score of the prefix that ends with each token. The score after the end token is never trained.
    pub after: Vec<f64>,
}

/// A reading at the token of a position.
pub type Read = fn(&Answer, usize) -> f64;

/// The weight of a wrong answer's token in the released formula: `clip(1 - 2σ(c), 0, 1)` with `c` the mean of the
/// scores before it and before all earlier ones.
pub fn weight(answer: &Answer, position: usize) -> f64 {
    let mean = answer.before[..=position].iter().sum::<f64>() / (position + 1) as f64;
    // 1 - 2σ(x) = tanh(-x/2)
    (-mean / 2.0).tanh().max(0.0)
}

/// Score before the token minus score after it.
pub fn fall(answer: &Answer, position: usize) -> f64 {
    answer.before[position] - answer.after[position]
}

/// Negative score after the token.
pub fn after(answer: &Answer, position: usize) -> f64 {
    -answer.after[position]
}

/// Score before the token.
pub fn before(answer: &Answer, position: usize) -> f64 {
    answer.before[position]
}

/// Which token of a wrong answer is marked as decisive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marks {
    /// Its own decisive token.
    Own,
    /// The position of the decisive token of another wrong answer.
    OfAnother,
}

/// Samples at least `completions` completions, the same number for each held-out problem.
pub fn answers(run: &mut Run, marks: Marks, completions: usize) -> Result<Vec<Answer>> {
    let count = run.env.count(Split::HeldOut).min(completions as u64) as usize;
    let problems = problems(&*run.env, Split::HeldOut, 0, Purpose::Evaluation, 0, count);
    let each = completions.div_ceil(count.max(1));
    let (groups, _) =
        run.rollout().groups(run.roles.policy()?, &mut InProcess::default(), EVALUATION, problems, each)?;
    let scores = run.roles.read(Role::REWARD_MODEL, &[Column::SCORE, Column::SCORE_AFTER], &sequences(&groups))?;
    let columns = [Column::SCORE, Column::SCORE_AFTER].map(|column| &scores[&column]);
    let (mut answers, mut first) = (Vec::new(), 0);
    for (problem, group) in groups.iter().enumerate() {
        for Trajectory { completion, text, verdict } in &group.trajectories {
            let tokens = first..first + completion.tokens.len();
            first = tokens.end;
            let [before, after] = columns.map(|scores| scores[tokens.clone()].to_vec());
            let stopped = completion.ending == Ending::Stopped;
            let decisive = run.env.world().and_then(|world| world.decisive(&group.problem, text)).filter(|_| stopped);
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
    let mut positions: Vec<Option<usize>> = marked.iter().map(|answer| answer.decisive).collect();
    positions.rotate_left(marked.len() / 2);
    marked.iter_mut().zip(positions).for_each(|(answer, position)| answer.decisive = position);
}

/// Readings of every token but the end token of wrong answers. Tokens at the same position are one stratum, so the
/// position alone gives no information. Answers whose decisive token is the end token are left out.
pub fn readings(answers: &[Answer], read: Read) -> Vec<Reading> {
    let of = |answer: &Answer| {
        let characters = answer.before.len().saturating_sub(1);
        let decisive = answer.decisive.filter(|&position| position < characters);
        let reading = |position| {
            Some(Reading { stratum: position, marked: position == decisive?, value: read(answer, position) })
        };
        (0..characters).filter_map(reading).collect::<Vec<_>>()
    };
    answers.iter().flat_map(of).collect()
}

/// The mean score before the tokens of each answer. Right answers are marked; answers to the same problem are one
/// stratum.
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
        assert!(without(Some(2)).is_empty(), "decided by the end token");
        assert!(without(None).is_empty(), "no decisive token");
        assert_eq!(outcomes(std::slice::from_ref(&lost)), [Reading { stratum: 7, marked: false, value: 1.0 }]);
    }

    /// In the released formula a wrong answer of n tokens with advantage -1 has the cotangents `eta·weight/n`.
    #[test]
    fn weight_is_that_of_the_released_formula() {
        let lost = answer(0, &[0.5, -2.0, -1.0, 7.0], &[0.0; 4]);
        let layout = Layout::new(&[vec![4]]).unwrap();
        let mut x = Experience::new(layout).with(Column::REWARD, vec![0.0]).unwrap();
        x.set(Column::SCORE, lost.before.clone()).unwrap();
        for column in [Column::LOGP, Column::REF_LOGP, Column::ADVANTAGE] {
            x.set(column, vec![-1.0; 4]).unwrap();
        }
        let cotangents = &Oreal::default().objective().evaluate(&x).cotangents[&Column::LOGP];
        for (position, cotangent) in cotangents.iter().enumerate() {
            assert!((weight(&lost, position) - 4.0 / 0.5 * cotangent).abs() < 1e-12, "{position}: {cotangents:?}");
        }
    }

    #[test]
    fn marks_of_another_keep_the_number_at_each_position() {
        let mut answers = [0, 0, 1, 2, 3].map(|decisive| answer(decisive, &[], &[]));
        answers[2].decisive = None;
        mark_as_another(&mut answers);
        assert_eq!(answers.map(|answer| answer.decisive), [Some(2), Some(3), None, Some(0), Some(0)]);
        mark_as_another(&mut []);
    }

    /// The score after a token is the score before the next one, and scores belong to the answer they are listed under.
    #[test]
    fn scores_belong_to_their_tokens() {
        let size = Size { warm_up: 60, steps: 3, completions: 300, ..FEWER };
        let experiment = experiment(&size, 0, Box::new(Oreal { frozen_steps: 0, ..Oreal::default() }));
        let start = start(&size, 0).unwrap();
        let mut run = experiment.prepare(&start).unwrap();
        train(&mut run, &mut |_| Ok(())).unwrap();
        let answers = answers(&mut run, Marks::Own, size.completions).unwrap();
        assert!(answers.iter().filter(|answer| answer.decisive.is_some()).count() > 100, "most are wrong");
        for answer in &answers {
            let last = answer.before.len() - 1;
            assert!(answer.decisive.is_none_or(|position| position <= last && !answer.right), "{answer:?}");
            for position in 0..last {
                assert!((answer.after[position] - answer.before[position + 1]).abs() < 1e-5, "{answer:?}");
            }
        }
        let furthest =
            answers.iter().flat_map(|answer| &answer.before).fold(0.0_f64, |most, score| most.max(score.abs()));
        assert!(furthest > 1e-3, "the reward model was not trained: {furthest}");
    }
}
