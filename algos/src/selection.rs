//! Which trajectories an algorithm learns from, declared as data so that every outcome can be enumerated.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use crate::column::Column;
use crate::experience::Experience;
use crate::rank::Level;
use crate::settings::{IllegalSetting, at_least_one};
use crate::shape::ShapeError;

/// Which trajectories of a batch to learn from. What is kept of one group does not depend on another.
///
/// An answer is right if its reward is above 0.5 and wrong if it is not; one whose reward is NaN is neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Selection {
    /// Every trajectory.
    All,
    /// Every trajectory of the groups that have both right and wrong answers.
    Mixed,
    /// One right and one wrong answer of each group that has both, each drawn uniformly.
    Pair,
    /// At most so many right answers of each group, drawn uniformly without replacement.
    Right {
        /// How many at most; at least 1.
        per_prompt: usize,
        /// Whether the same completion may be kept more than once.
        repeats: Repeats,
    },
}

/// Whether the same completion may be learnt from more than once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Repeats {
    /// Every time it was drawn. Best-of-n is unbiased only so.
    Keep,
    /// Once per group.
    Drop,
}

/// One possible result of a selection for a group, with its probability.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// How probable it is, greater than 0.
    pub probability: f64,
    /// One mark per trajectory of the group.
    pub kept: Vec<bool>,
}

impl Selection {
    /// Refuses settings that make no sense.
    pub(crate) fn check(self, key: &str) -> Result<(), IllegalSetting> {
        match self {
            Selection::Right { per_prompt, .. } => {
                at_least_one("right.per_prompt", per_prompt).map_err(|problem| problem.within(key))
            }
            Selection::All | Selection::Mixed | Selection::Pair => Ok(()),
        }
    }

    /// One random choice for a whole batch: a mark per trajectory.
    pub fn draw(self, x: &Experience, rng: &mut dyn Rng) -> Vec<bool> {
        let mut kept = vec![false; x.layout().count(Level::Trajectory)];
        for group in x.layout().spans(Level::Trajectory, Level::Group) {
            for (candidates, count) in self.choices(x, group) {
                for i in draw(candidates, count, rng) {
                    kept[i] = true;
                }
            }
        }
        kept
    }

    /// Every choice for one group (a range of trajectories), with its probability. Probabilities sum to one.
    pub fn outcomes(self, x: &Experience, group: Range<usize>) -> Vec<Outcome> {
        let first = group.start;
        let mut outcomes = vec![Outcome { probability: 1.0, kept: vec![false; group.len()] }];
        for (candidates, count) in self.choices(x, group) {
            let subsets = subsets(&candidates, count);
            let probability = 1.0 / subsets.len() as f64;
            let extend = |outcome: &Outcome, subset: &Vec<usize>| {
                let mut kept = outcome.kept.clone();
                subset.iter().for_each(|i| kept[i - first] = true);
                Outcome { probability: outcome.probability * probability, kept }
            };
            outcomes = outcomes.iter().flat_map(|o| subsets.iter().map(move |s| extend(o, s))).collect();
        }
        outcomes
    }

    /// Whether anything is kept of one group (a range of trajectories).
    pub fn keeps_any(self, x: &Experience, group: Range<usize>) -> bool {
        self.choices(x, group).iter().any(|(_, count)| *count > 0)
    }

    /// From which trajectories of a group how many are drawn, uniformly without replacement.
    fn choices(self, x: &Experience, group: Range<usize>) -> Vec<(Vec<usize>, usize)> {
        let value = |column: Column, i: usize| x.column(column).map_or(f64::NAN, |values| values[i]);
        let right: Vec<usize> = group.clone().filter(|&i| value(Column::REWARD, i) > 0.5).collect();
        let wrong: Vec<usize> = group.clone().filter(|&i| value(Column::REWARD, i) <= 0.5).collect();
        let mixed = !right.is_empty() && !wrong.is_empty();
        match self {
            Selection::All => vec![(group.clone().collect(), group.len())],
            Selection::Mixed if mixed => vec![(group.clone().collect(), group.len())],
            Selection::Pair if mixed => vec![(right, 1), (wrong, 1)],
            Selection::Mixed | Selection::Pair => Vec::new(),
            Selection::Right { per_prompt, repeats } => {
                let fresh = |&i: &usize| repeats == Repeats::Keep || value(Column::DUPLICATE, i) != 1.0;
                let candidates: Vec<usize> = right.into_iter().filter(fresh).collect();
                let count = per_prompt.min(candidates.len());
                vec![(candidates, count)]
            }
        }
    }
}

/// How an algorithm selects: by a declared rule, or by a function of its own.
#[derive(Clone)]
pub enum Select {
    /// By a rule, whose outcomes can be enumerated.
    Declared(Selection),
    /// By a function, which cannot be enumerated.
    Free(Arc<FreeSelection>),
}

/// A function that gives a mark per trajectory: whether it is kept.
pub type FreeSelection = dyn Fn(&Experience, &mut dyn Rng) -> Vec<bool> + Send + Sync;

impl Select {
    /// One random choice for a whole batch: a mark per trajectory. A function that gives another number of marks is an error.
    pub fn draw(&self, x: &Experience, rng: &mut dyn Rng) -> Result<Vec<bool>, ShapeError> {
        let select = match self {
            Select::Declared(selection) => return Ok(selection.draw(x, rng)),
            Select::Free(select) => select,
        };
        let (marks, expected) = (select(x, rng), x.layout().count(Level::Trajectory));
        match marks.len() {
            found if found == expected => Ok(marks),
            found => Err(ShapeError::Marks { expected, found }),
        }
    }
}

impl From<Selection> for Select {
    fn from(selection: Selection) -> Select {
        Select::Declared(selection)
    }
}

impl fmt::Debug for Select {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Select::Declared(selection) => selection.fmt(f),
            Select::Free(_) => f.write_str("a function"),
        }
    }
}

fn draw(mut candidates: Vec<usize>, count: usize, rng: &mut dyn Rng) -> Vec<usize> {
    if count == candidates.len() {
        return candidates;
    }
    for i in 0..count {
        let j = rng.random_range(i..candidates.len());
        candidates.swap(i, j);
    }
    candidates.truncate(count);
    candidates
}

fn subsets(candidates: &[usize], count: usize) -> Vec<Vec<usize>> {
    match candidates.split_first() {
        _ if count == 0 => vec![Vec::new()],
        _ if count > candidates.len() => Vec::new(),
        None => Vec::new(),
        Some((&first, rest)) => {
            let with = subsets(rest, count - 1).into_iter().map(|mut subset| {
                subset.insert(0, first);
                subset
            });
            with.chain(subsets(rest, count)).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::ChaCha8Rng;

    use super::*;
    use crate::layout::Layout;

    const RULES: [Selection; 5] = [
        Selection::All,
        Selection::Mixed,
        Selection::Pair,
        Selection::Right { per_prompt: 2, repeats: Repeats::Keep },
        Selection::Right { per_prompt: 2, repeats: Repeats::Drop },
    ];

    fn experience(rewards: [f64; 5]) -> Experience {
        let x = Experience::new(Layout::new(&[vec![1; 5]]).unwrap()).with(Column::REWARD, rewards.to_vec()).unwrap();
        x.with(Column::DUPLICATE, vec![0.0, 1.0, 0.0, 0.0, 0.0]).unwrap()
    }

    #[test]
    fn an_answer_whose_reward_is_nan_is_neither_right_nor_wrong() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for rewards in [[1.0, 1.0, 1.0, 1.0, f64::NAN], [0.0, 0.0, 0.0, 0.0, f64::NAN]] {
            let x = experience(rewards);
            assert_eq!(Selection::Pair.draw(&x, &mut rng), [false; 5], "{rewards:?}");
            assert_eq!(Selection::Mixed.draw(&x, &mut rng), [false; 5], "{rewards:?}");
            let right = Selection::Right { per_prompt: 5, repeats: Repeats::Keep };
            assert!(!right.draw(&x, &mut rng)[4], "{rewards:?}");
        }
    }

    #[test]
    fn a_function_gives_a_mark_for_each_trajectory() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for found in [0, 4, 5, 6] {
            let select = Select::Free(Arc::new(move |_: &Experience, _: &mut dyn Rng| vec![true; found]));
            let expected = if found == 5 { Ok(vec![true; 5]) } else { Err(ShapeError::Marks { expected: 5, found }) };
            assert_eq!(select.draw(&experience([1.0; 5]), &mut rng), expected);
        }
    }

    #[test]
    fn draws_follow_the_enumerated_probabilities() {
        for rule in RULES {
            for rewards in [[1.0, 1.0, 1.0, 0.0, 0.0], [1.0; 5], [0.0; 5]] {
                let x = experience(rewards);
                let outcomes = rule.outcomes(&x, 0..5);
                assert_eq!(rule.keeps_any(&x, 0..5), outcomes.iter().any(|o| o.kept.contains(&true)), "{rule:?}");
                assert!((outcomes.iter().map(|o| o.probability).sum::<f64>() - 1.0).abs() < 1e-12, "{rule:?}");
                let mut rng = ChaCha8Rng::seed_from_u64(1);
                let draws: Vec<_> = (0..6000).map(|_| rule.draw(&x, &mut rng)).collect();
                for outcome in &outcomes {
                    let share = draws.iter().filter(|kept| **kept == outcome.kept).count() as f64 / 6000.0;
                    assert!((share - outcome.probability).abs() < 0.03, "{rule:?} {outcome:?} drawn {share}");
                }
            }
        }
    }

    #[test]
    fn repeats_are_dropped_only_when_asked() {
        let x = experience([1.0, 1.0, 0.0, 0.0, 0.0]);
        let count = |repeats| Selection::Right { per_prompt: 9, repeats }.outcomes(&x, 0..5)[0].kept.clone();
        assert_eq!(count(Repeats::Keep), [true, true, false, false, false]);
        assert_eq!(count(Repeats::Drop), [true, false, false, false, false]);
    }
}
