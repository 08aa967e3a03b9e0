//! Claims that are checked by training on one small task: means over several seeds with intervals.

use oreal_algos::{
    Algorithm, Average, Data, Expr, Frozen, Grpo, Objective, Oreal, Passes, Positives, Reinforce, Role, Select,
    Selection, Token, TokenWeights,
};

use super::claim::Check::Trained;
use super::claim::{Claim, Control, Topic};
use super::evidence::{Evidence, Verdict};
use super::seeds::{above, differences, over};
use crate::error::{Error, Result};
use crate::train::train;

mod released;
mod roc;
mod task;
mod tokens;

use roc::area;
use task::{FEWER, FULL, Size, experiment, start, trained};
use tokens::{Marks, Read};

pub fn claims() -> Vec<Claim> {
    let mut claims = vec![
        Claim {
            name: "ablation-ladder",
            topic: Topic::Empirical,
            source: "OREAL, table of the ablation",
            statement: "Each rung of the ablation ends above the previous one: REINFORCE, + reward shaping, + \
                        behaviour cloning, + token-level reward model.",
            measures: "pass rate on held-out problems after training minus that of the previous rung: mean and 95% \
                       interval over 16 seeds",
            derivation: "No theorem orders the rungs, and the paper has one run of each. Here each rung differs from \
                         the previous one only in the named change. REINFORCE has the mean reward of the batch as its \
                         baseline. Shaping uses the leave-one-out advantage on rewards of ±1 and averages right and \
                         wrong answers separately, wrong ones with weight 0.5. Cloning removes the advantage from \
                         right answers. The last rung weights tokens by a reward model, which is trained for 10 steps \
                         before the policy and in every step after. All rungs train on all answers, with equally many \
                         per step, from the same initial policy, for 200 updates of the policy, without a KL \
                         divergence. AdamW without gradient clipping makes the step size independent of the scale of \
                         the loss, and the learning rate is the same constant. On twelve other seeds the last row was \
                         at the edge of its interval, with the reward model behind; on these seeds no step of the \
                         ladder is significant in either direction.",
            recorded: Verdict::Undecided,
            check: Trained(|watch| ladder(Size { seeds: 100..116, ..FULL }, rungs, watch)),
            control: Control {
                wrong: "the credit of the reward-shaping rung has the wrong sign",
                check: Trained(|watch| ladder(FEWER, broken_rungs, watch)),
            },
        },
        Claim {
            name: "decisive-token",
            topic: Topic::Empirical,
            source: "OREAL, eq. 10-11 and the released code",
            statement: "The trained token-level reward model identifies the token that makes an answer wrong, both in \
                        the weights of the formula and in its scores.",
            measures: "area under the ROC curve (0.5 is chance): mean and 95% interval over 20 seeds, for three \
                       readings of the decisive token against other tokens at the same position in wrong answers; last \
                       row: whole answers",
            derivation: "In running sums, the decisive token is known: after it, a wrong answer that is otherwise \
                         computed correctly stays wrong. The reward model is trained only on outcomes, through the \
                         mean of its scores before each token. So the weight of the decisive token depends on prefixes \
                         that are still correct. These have higher scores than others (see what holds instead), so the weight \
                         of a wrong answer is on the tokens after the decisive one. The fall of the score across a \
                         token identifies the decisive one (third row), but the formula does not use it. All effects \
                         are small: beside a policy that is trained in 200 of its 210 steps, the model hardly \
                         distinguishes right answers from wrong ones (last row). Tokens are compared only at the same \
                         position, so a reading that depends on the position alone gives 0.5. The end token is left \
                         out, since no score after it is trained. The preset and the ratio of learning rates are the \
                         released ones.",
            recorded: Verdict::DoesNotHold,
            check: Trained(|watch| decisive(Size { seeds: 0..20, prompts: 32, ..FULL }, Marks::Own, watch)),
            control: Control {
                wrong: "each wrong answer is marked at the decisive token of an answer to another problem",
                check: Trained(|watch| decisive(Size { seeds: 0..4, prompts: 32, ..FULL }, Marks::OfAnother, watch)),
            },
        },
        Claim {
            name: "initial-policy-ceiling",
            topic: Topic::Empirical,
            source: "OREAL, table of the ablation",
            statement: "The same number of training steps does not make up for a weaker initial policy: the trained \
                        weaker policy ends below the untrained stronger one.",
            measures: "differences of pass rates on held-out problems between two initial policies: mean and 95% \
                       interval over 5 seeds",
            derivation: "Outcome rewards reweight what the policy already samples; an answer that it never samples has \
                         no gradient. The weaker policy has imitated the same teacher, with the same error rate, for a \
                         quarter of the steps (150 of 600). Both are then trained with the same shipped algorithm for \
                         200 steps. For each algorithm, the first row compares the two trained policies, the second \
                         the trained weaker policy with the untrained stronger one. This shows what this number of \
                         steps reaches, not the limit of training.",
            recorded: Verdict::Holds,
            check: Trained(|watch| ceiling(FULL, [150, 600], watch)),
            control: Control {
                wrong: "the two initial policies are swapped",
                check: Trained(|watch| ceiling(FEWER, [600, 150], watch)),
            },
        },
    ];
    claims.extend(released::claims());
    claims
}

type Watch<'a> = &'a mut dyn FnMut(f64);

type Arm = (&'static str, Box<dyn Algorithm>);

/// The rungs, lowest first. Every rung trains on all answers, and none has a KL divergence from the initial policy.
fn rungs() -> Vec<Arm> {
    let shaped = Oreal {
        token_weights: TokenWeights::Uniform,
        selection: Selection::All,
        beta: 0.0.into(),
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

/// The rungs with the sign of the second one's credit reversed.
fn broken_rungs() -> Vec<Arm> {
    let mut rungs = rungs();
    let (name, shaped) = rungs.remove(1);
    rungs.insert(1, (name, Box::new(Reversed(shaped))));
    rungs
}

/// An algorithm with the sign of its credit reversed.
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

/// Trains every rung from the same initial policy.
fn ladder(size: Size, rungs: fn() -> Vec<Arm>, watch: Watch<'_>) -> Result<Evidence> {
    let (names, found) = ends(&size, rungs, watch)?;
    let step = |i: usize| above(format!("{} over {}", names[i], names[i - 1]), 0.0, &differences(&found, i, i - 1));
    Ok(Evidence::new((1..names.len()).map(step)))
}

/// Trains each arm from the same initial policy: their names, and their pass rates at each seed.
fn ends(size: &Size, arms: fn() -> Vec<Arm>, watch: Watch<'_>) -> Result<(Vec<&'static str>, Vec<Vec<f64>>)> {
    let names: Vec<_> = arms().into_iter().map(|(name, _)| name).collect();
    let found = over(size.seeds.clone(), names.len(), watch, |seed, done| {
        let start = start(size, seed)?;
        let end = |(_, algorithm)| trained(size, seed, &start, algorithm, done);
        arms().into_iter().map(end).collect::<Result<Vec<_>>>()
    })?;
    Ok((names, found))
}

/// Trains two initial policies, from two lengths of warm-up, with the same algorithms.
fn ceiling(size: Size, [weaker, stronger]: [usize; 2], watch: Watch<'_>) -> Result<Evidence> {
    let arms: fn() -> [Arm; 2] = || [("OREAL", Box::new(Oreal::outcome())), ("GRPO", Box::new(Grpo::default()))];
    let from = |warm_up: usize, seed: u64, done: &dyn Fn()| {
        let size = Size { warm_up, ..size.clone() };
        let start = start(&size, seed)?;
        let [oreal, grpo] = arms().map(|(_, algorithm)| trained(&size, seed, &start, algorithm, done));
        Ok::<_, Error>([start.pass_rate.rate, oreal?, grpo?])
    };
    let found = over(size.seeds.clone(), 4, watch, |seed, done| {
        Ok([from(weaker, seed, done)?, from(stronger, seed, done)?].concat())
    })?;
    // Of each seed: pass rates of the weaker policy before and after each algorithm, then those of the stronger one.
    let row = |at: String, stronger, weaker| above(at, 0.0, &differences(&found, stronger, weaker));
    let rows = arms().into_iter().zip(1..).flat_map(|((name, _), end)| {
        [
            row(format!("{name}: stronger policy after training - weaker after"), 3 + end, end),
            row(format!("{name}: stronger policy before training - weaker after"), 3, end),
        ]
    });
    Ok(Evidence::new(rows))
}

/// How well readings of the trained reward model identify the decisive token of wrong answers, and right answers.
fn decisive(size: Size, marks: Marks, watch: Watch<'_>) -> Result<Evidence> {
    let reads: [(&str, Read); 4] = [
        ("weight in the released formula", tokens::weight),
        ("negative score after the token", tokens::after),
        ("fall of the score across the token", tokens::fall),
        ("score before the token", tokens::before),
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
    let whole = above("mean score, right against wrong answers", 0.5, &outcomes);
    Ok(Evidence::new((0..3).map(row).chain([whole])).exactly([row(3)]))
}

#[cfg(test)]
mod tests {
    use oreal_algos::{Column, Experience, Layout, credit_of};

    use super::*;

    const TINY: Size = Size { seeds: 0..2, warm_up: 3, steps: 2, prompts: 2, completions: 100 };

    /// The check of each claim and control, with its number of measurements.
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
    fn every_check_completes_and_is_reproducible() {
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
    fn swapping_the_initial_policies_negates_the_differences() {
        let differences = |warm_ups| ceiling(TINY, warm_ups, &mut |_| {}).unwrap().stated;
        for (one, swapped) in differences([10, 90]).iter().zip(differences([90, 10])).step_by(2) {
            assert!(one.measured > 0.0 && swapped.measured == -one.measured, "{one:?}, swapped {swapped:?}");
        }
    }

    #[test]
    fn rungs_share_selection_and_have_no_kl() {
        let reads = |algorithm: &dyn Algorithm| algorithm.objective().reads();
        for (name, algorithm) in rungs() {
            assert!(matches!(algorithm.select(), Select::Declared(Selection::All)), "{name}");
            assert!(!reads(&*algorithm).contains(&Column::REF_LOGP), "{name}");
            assert_eq!(reads(&*algorithm).contains(&Column::SCORE), name == "token-level reward model");
        }
    }

    #[test]
    fn a_reversed_algorithm_negates_its_credit() {
        let layout = Layout::new(&[vec![1, 1]]).unwrap();
        let x = Experience::new(layout).with(Column::REWARD, vec![1.0, 0.0]).unwrap();
        let [plain, reversed] = [rungs(), broken_rungs()].map(|rungs| credit_of(&*rungs[1].1).evaluate(&x));
        assert_eq!((plain, reversed), (vec![2.0, -2.0], vec![-2.0, 2.0]));
    }
}
