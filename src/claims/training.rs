//! What is known by training only: from several seeds, with intervals, on one small task.

use oreal_algos::{
    Algorithm, Average, Data, Expr, Frozen, Grpo, Objective, Oreal, Passes, Positives, Reinforce, Role, Select,
    Selection, Token, TokenWeights,
};

use super::claim::Check::Trained;
use super::claim::{Claim, Control, Topic};
use super::evidence::{Evidence, Verdict};
use super::seeds::{above, differences, over};
use crate::error::Result;
use crate::train::train;

mod roc;
mod task;
mod tokens;

use roc::area;
use task::{FEWER, FULL, Size, experiment, start, trained};
use tokens::{Marks, Read};

pub fn claims() -> Vec<Claim> {
    vec![
        Claim {
            name: "ablation-ladder",
            topic: Topic::Empirical,
            source: "OREAL, table of the ablation",
            statement: "Each rung ends above the one before: REINFORCE, + reward shaping, + behaviour cloning, + token-level reward model.",
            measures: "pass rate on held-out problems after training, less that of the rung before: mean and 95% interval over 16 seeds",
            derivation: "No theorem orders the rungs, and the paper has one run of each. Here a rung differs from the one before \
                         by what it is named after. REINFORCE has the mean reward of the batch as its baseline; shaping makes the advantage \
                         leave-one-out on ±1 and averages right and wrong answers apart, wrong ones at half weight; cloning takes \
                         the advantage off right answers; the last rung weighs tokens by a reward model, which is trained for 10 \
                         steps before and in all steps after. All learn from all answers, as many at every step, from the same \
                         start, for 200 updates of the policy, and have no divergence from the start. Step sizes are matched by \
                         the optimiser: without clipping a step of AdamW does not depend on the scale of the loss, and the rate \
                         is the same constant. Twelve other seeds had left the last row at the edge of its interval, with the \
                         reward model behind; on these no step of the ladder shows, either way.",
            recorded: Verdict::Undecided,
            check: Trained(|watch| ladder(Size { seeds: 100..116, ..FULL }, rungs, watch)),
            control: Control {
                wrong: "the credit of reward shaping has the wrong sign",
                check: Trained(|watch| ladder(FEWER, broken_rungs, watch)),
            },
        },
        Claim {
            name: "decisive-token",
            topic: Topic::Empirical,
            source: "OREAL, eq. 10-11 and the released code",
            statement: "The trained token-level reward model singles out the token that loses a wrong answer, in the weights of the formula as in its scores.",
            measures: "area under the ROC curve, mean and 95% interval over 20 seeds, chance being 0.5: three readings of the decisive token \
                       against those of other tokens at the same place of wrong answers; last, whole answers",
            derivation: "In running sums the token is known after which a wrong answer, continued faithfully, stays wrong. The \
                         reward model is trained on outcomes only, through the mean of its scores before each token. The weight \
                         of the decisive token is thus made of prefixes that are not lost yet: these score higher than others \
                         (what holds instead), so the weight of a wrong answer lies on the tokens after. What tells the token is \
                         the fall of the score across it, which the formula does not read (third row). All of it is faint: beside \
                         a policy that learns for 200 of its 210 steps the model hardly learns to tell right answers from wrong \
                         ones (last row). Tokens are compared at the same place only, so that a reading that knows no more than \
                         the place is at 0.5; the end token, after which no score is trained, is left out. Preset and ratio of \
                         rates are the released ones.",
            recorded: Verdict::DoesNotHold,
            check: Trained(|watch| decisive(Size { seeds: 0..20, prompts: 32, ..FULL }, Marks::Own, watch)),
            control: Control {
                wrong: "each wrong answer is said to be lost where one to another problem is",
                check: Trained(|watch| decisive(Size { seeds: 0..4, prompts: 32, ..FULL }, Marks::OfAnother, watch)),
            },
        },
        Claim {
            name: "initial-policy-ceiling",
            topic: Topic::Empirical,
            source: "OREAL, table of the ablation",
            statement: "Equally many steps of training do not make up for a start with less skill: it ends below where one with more skill begins.",
            measures: "differences of pass rates on held-out problems between two starts: mean and 95% interval over 5 seeds",
            derivation: "Outcome rewards weigh what the policy already draws; what it never draws has no gradient. The weaker \
                         start has imitated the same teacher, who errs as often, for a quarter as long (150 steps of 600). Both \
                         are then trained by the same algorithm, as it is shipped, for 200 steps. The first row of each algorithm \
                         compares their ends, the second the weaker one's end with the stronger one's start. It says how far so \
                         many steps reach, not where training without end would.",
            recorded: Verdict::Holds,
            check: Trained(|watch| ceiling(FULL, [150, 600], watch)),
            control: Control {
                wrong: "the two starts are swapped",
                check: Trained(|watch| ceiling(FEWER, [600, 150], watch)),
            },
        },
    ]
}

type Watch<'a> = &'a mut dyn FnMut(f64);

type Arm = (&'static str, Box<dyn Algorithm>);

/// The rungs from the lowest. Every rung learns from all answers, and none is held to the start.
fn rungs() -> Vec<Arm> {
    let shaped = Oreal {
        token_weights: TokenWeights::Uniform,
        selection: Selection::All,
        beta: 0.0,
        frozen_steps: 0,
        ..Oreal::default()
    };
    let cloning = Oreal { positives: Positives::Plain, ..shaped.clone() };
    let Oreal { token_weights, frozen_steps, .. } = Oreal::default();
    let token_level = Oreal { token_weights, frozen_steps, ..cloning.clone() };
    vec![
        ("REINFORCE", Box::new(Reinforce { average: Average::Token, ..Reinforce::default() })),
        ("reward shaping", Box::new(shaped)),
        ("behaviour cloning", Box::new(cloning)),
        ("token-level reward model", Box::new(token_level)),
    ]
}

/// The second rung's credit with the wrong sign.
fn broken_rungs() -> Vec<Arm> {
    let mut rungs = rungs();
    let (name, shaped) = rungs.remove(1);
    rungs.insert(1, (name, Box::new(Reversed(shaped))));
    rungs
}

/// An algorithm that takes right for wrong.
#[derive(Debug)]
struct Reversed(Box<dyn Algorithm>);

impl Algorithm for Reversed {
    fn name(&self) -> &str {
        "reversed"
    }

    fn credit<'g>(&self, x: Data<'g>) -> Expr<'g, Token, Frozen> {
        -self.0.credit(x)
    }

    fn select(&self) -> Select {
        self.0.select()
    }

    fn objective(&self) -> Box<dyn Objective> {
        self.0.objective()
    }

    fn passes(&self) -> Passes {
        self.0.passes()
    }

    fn frozen_steps(&self, role: Role) -> usize {
        self.0.frozen_steps(role)
    }
}

/// Every rung from the same start.
fn ladder(size: Size, rungs: fn() -> Vec<Arm>, watch: Watch<'_>) -> Result<Evidence> {
    let names: Vec<_> = rungs().into_iter().map(|(name, _)| name).collect();
    let found = over(size.seeds.clone(), names.len(), watch, |seed, done| {
        let start = start(&size, seed)?;
        let end = |(_, algorithm)| trained(&size, seed, &start, algorithm, done);
        rungs().into_iter().map(end).collect::<Result<Vec<_>>>()
    })?;
    let step = |i: usize| above(format!("{} over {}", names[i], names[i - 1]), 0.0, &differences(&found, i, i - 1));
    Ok(Evidence::new((1..names.len()).map(step)))
}

/// Policies of two warm-ups, trained alike.
fn ceiling(size: Size, [weaker, stronger]: [usize; 2], watch: Watch<'_>) -> Result<Evidence> {
    let arms: fn() -> [Arm; 2] = || [("OREAL", Box::new(Oreal::outcome())), ("GRPO", Box::new(Grpo::default()))];
    let from = |warm_up: usize, seed: u64, done: &dyn Fn()| {
        let size = Size { warm_up, ..size.clone() };
        let start = start(&size, seed)?;
        let [oreal, grpo] = arms().map(|(_, algorithm)| trained(&size, seed, &start, algorithm, done));
        Ok([start.pass_rate.rate, oreal?, grpo?])
    };
    let found = over(size.seeds.clone(), 4, watch, |seed, done| {
        Ok([from(weaker, seed, done)?, from(stronger, seed, done)?].concat())
    })?;
    // A seed's numbers: start and ends of the weaker, start and ends of the stronger.
    let row = |at: String, stronger, weaker| above(at, 0.0, &differences(&found, stronger, weaker));
    let rows = arms().into_iter().zip(1..).flat_map(|((name, _), end)| {
        [
            row(format!("{name}: end from the stronger start, less end from the weaker"), 3 + end, end),
            row(format!("{name}: the stronger start itself, less end from the weaker"), 3, end),
        ]
    });
    Ok(Evidence::new(rows))
}

/// What the reward model of the released formula says of the token that lost an answer, and of answers as a whole.
fn decisive(size: Size, marks: Marks, watch: Watch<'_>) -> Result<Evidence> {
    let reads: [(&str, Read); 4] = [
        ("its weight in the released formula, of scores before it", tokens::weight),
        ("depth of the score after it", tokens::after),
        ("fall of the score across it", tokens::fall),
        ("height of the score before it", tokens::before),
    ];
    let found = over(size.seeds.clone(), 1, watch, |seed, done| {
        let experiment = experiment(&size, seed, Box::new(Oreal::default()));
        let start = start(&size, seed)?;
        let mut run = experiment.prepare(&start)?;
        train(&mut run, &mut |_| Ok(()))?;
        let answers = tokens::answers(&mut run, marks, size.completions)?;
        done();
        let outcomes = area(&tokens::outcomes(&answers));
        Ok((reads.map(|(_, read)| area(&tokens::readings(&answers, read))), outcomes))
    })?;
    let row = |i: usize| above(reads[i].0, 0.5, &found.iter().map(|(areas, _)| areas[i]).collect::<Vec<_>>());
    let outcomes: Vec<f64> = found.iter().map(|(_, outcomes)| *outcomes).collect();
    let whole = above("mean score of right answers against wrong ones to the same problem", 0.5, &outcomes);
    Ok(Evidence::new((0..3).map(row).chain([whole])).exactly([row(3)]))
}

#[cfg(test)]
mod tests {
    use oreal_algos::{Column, Experience, Layout, credit_of};

    use super::*;

    const TINY: Size = Size { seeds: 0..2, warm_up: 3, steps: 2, prompts: 2, completions: 100 };

    /// What the claims do, with the number of rows that come of it.
    type Small = fn(Watch<'_>) -> Result<Evidence>;
    const CHECKS: [(Small, usize); 6] = [
        (|watch| ladder(TINY, rungs, watch), 3),
        (|watch| ladder(TINY, broken_rungs, watch), 3),
        (|watch| decisive(TINY, Marks::Own, watch), 5),
        (|watch| decisive(TINY, Marks::OfAnother, watch), 5),
        (|watch| ceiling(TINY, [1, 3], watch), 4),
        (|watch| ceiling(TINY, [3, 1], watch), 4),
    ];

    #[test]
    fn every_check_runs_to_its_end_and_says_the_same_again() {
        for (i, (check, rows)) in CHECKS.into_iter().enumerate() {
            let mut shares = Vec::new();
            let found = check(&mut |share| shares.push(share)).unwrap();
            assert_eq!(found.stated.len() + found.exactly.len(), rows, "check {i}");
            for row in found.stated.iter().chain(&found.exactly) {
                assert!(row.interval.is_some_and(|[low, high]| low <= row.measured && row.measured <= high), "{row:?}");
            }
            assert!(shares.is_sorted() && shares.last() == Some(&1.0), "check {i}: {shares:?}");
            assert_eq!(check(&mut |_| {}).unwrap(), found, "check {i}");
        }
    }

    #[test]
    fn swapped_starts_have_the_opposite_lead() {
        let leads = |starts| ceiling(TINY, starts, &mut |_| {}).unwrap().stated;
        for (lead, swapped) in leads([10, 90]).iter().zip(leads([90, 10])).step_by(2) {
            assert!(lead.measured > 0.0 && swapped.measured == -lead.measured, "{lead:?}, swapped {swapped:?}");
        }
    }

    #[test]
    fn rungs_have_in_common_what_they_are_said_to() {
        let reads = |algorithm: &dyn Algorithm| algorithm.objective().reads();
        for (name, algorithm) in rungs() {
            assert!(matches!(algorithm.select(), Select::Declared(Selection::All)), "{name}");
            assert!(!reads(&*algorithm).contains(&Column::RefLogp), "{name}");
            assert_eq!(reads(&*algorithm).contains(&Column::Score), name == "token-level reward model");
        }
    }

    #[test]
    fn a_reversed_algorithm_takes_right_for_wrong() {
        let x = Experience::new(Layout::new(&[vec![1, 1]])).with(Column::Reward, vec![1.0, 0.0]);
        let [plain, reversed] = [rungs(), broken_rungs()].map(|rungs| credit_of(&*rungs[1].1).evaluate(&x));
        assert_eq!((plain, reversed), (vec![2.0, -2.0], vec![-2.0, 2.0]));
    }
}
