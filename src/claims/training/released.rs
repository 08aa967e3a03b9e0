//! Claims about the choices of the released OREAL code, by training.

use oreal_algos::{Oreal, Selection};

use super::task::{FEWER, FULL, Size};
use super::{Arm, Watch, ends};
use crate::claims::claim::Check::Trained;
use crate::claims::claim::{Claim, Control, Topic};
use crate::claims::evidence::{Evidence, Verdict};
use crate::claims::seeds::{above, differences};
use crate::error::Result;

pub fn claims() -> Vec<Claim> {
    vec![
        Claim {
            name: "soft-over-released",
            topic: Topic::Empirical,
            source: "OREAL, eq. 10-11, Algorithm 1 and the released code",
            statement: "OREAL ends higher without the threshold, on all answers; each of the two changes alone \
                        also ends above the released code.",
            measures: "pass rate on held-out problems after training minus that of the released code: mean and 95% \
                       interval over 12 seeds",
            derivation: "The claims `first-token-threshold` and `pairs-waste-rollouts` say what the two choices cost in \
                         signal-to-noise ratio; no theorem says what that costs in pass rate. Every run updates the policy \
                         200 times from the same initial policy; the steps that the released code waits are added to \
                         its run. Rates are the same constants, gradients are not clipped.",
            recorded: Verdict::Holds,
            check: Trained(|watch| against(Size { seeds: 200..212, ..FULL }, changes, watch)),
            control: Control {
                wrong: "the released code is compared with itself under the names of the changes",
                check: Trained(|watch| against(FEWER, nothing, watch)),
            },
        },
        Claim {
            name: "reward-model-over-none",
            topic: Topic::Empirical,
            source: "OREAL, table of the ablation",
            statement: "Token weights without a threshold end above uniform weights.",
            measures: "pass rate on held-out problems after training minus that of OREAL without token weights: mean and \
                       95% interval over 12 seeds",
            derivation: "The preset `soft` differs from `outcome` in its token weights alone. The difference is small: on \
                         running sums the reward model hardly distinguishes right answers from wrong ones \
                         (`decisive-token`, last row), so its weights stay near 0.5. It is not the reward \
                         model's alone, either: weights near 0.5 halve the two policy terms and not the KL divergence, \
                         which then counts twice as much beside them.",
            recorded: Verdict::Holds,
            check: Trained(|watch| against(Size { seeds: 200..212, ..FULL }, weights, watch)),
            control: Control {
                wrong: "the released code in place of the weights without a threshold",
                check: Trained(|watch| against(Size { seeds: 200..206, ..FULL }, threshold, watch)),
            },
        },
    ]
}

/// The released code first, then what is changed.
fn changes() -> Vec<Arm> {
    let all = Oreal { selection: Selection::All, ..Oreal::default() };
    let no_threshold = Oreal { token_weights: Oreal::soft().token_weights, ..Oreal::default() };
    vec![
        ("released", Box::new(Oreal::default())),
        ("no threshold", Box::new(no_threshold)),
        ("all answers", Box::new(all)),
        ("both, no frozen steps", Box::new(Oreal::soft())),
    ]
}

fn nothing() -> Vec<Arm> {
    changes().into_iter().map(|(name, _)| -> Arm { (name, Box::new(Oreal::default())) }).collect()
}

fn weights() -> Vec<Arm> {
    vec![("outcome", Box::new(Oreal::outcome())), ("soft", Box::new(Oreal::soft()))]
}

fn threshold() -> Vec<Arm> {
    vec![("outcome", Box::new(Oreal::outcome())), ("released", Box::new(Oreal::default()))]
}

/// Trains all from the same initial policy and compares each with the first.
fn against(size: Size, arms: fn() -> Vec<Arm>, watch: Watch<'_>) -> Result<Evidence> {
    let (names, found) = ends(&size, arms, watch)?;
    let row = |i: usize| above(format!("{} over {}", names[i], names[0]), 0.0, &differences(&found, i, 0));
    Ok(Evidence::new((1..names.len()).map(row)))
}
