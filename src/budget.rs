//! How much a run may spend, so that runs of different algorithms can be compared at equal cost.

use serde::{Deserialize, Serialize};

/// When training ends, besides after `train.steps`: with the first step after which so much is spent. A step is never cut, so a
/// run may spend up to a step more.
///
/// With a budget, learning rates follow the share of it that is spent: their schedule ends where the budget does, however many
/// steps that takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Budget {
    /// After `train.steps` only.
    #[default]
    Off,
    /// Optimiser steps.
    Updates(u64),
    /// Completions that were drawn, those without a verdict among them.
    Rollouts(u64),
    /// Tokens of completions that were learnt from, counted once for each update that they are in.
    Tokens(u64),
    /// Wall time of the training steps. Such runs cannot be repeated byte for byte.
    Seconds(f64),
}

/// What a run has spent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Spent {
    /// Optimiser steps.
    pub updates: u64,
    /// Completions that were drawn.
    pub rollouts: u64,
    /// Tokens that were learnt from, once for each update.
    pub tokens: u64,
    /// Wall time of the steps in seconds. It is counted only where the budget is in seconds, so that equal runs have equal
    /// states.
    pub seconds: f64,
}

impl Budget {
    /// The share that is spent, at most 1; `None` without a budget.
    pub fn share(self, spent: &Spent) -> Option<f64> {
        let (spent, budget) = match self {
            Budget::Off => return None,
            Budget::Updates(budget) => (spent.updates as f64, budget as f64),
            Budget::Rollouts(budget) => (spent.rollouts as f64, budget as f64),
            Budget::Tokens(budget) => (spent.tokens as f64, budget as f64),
            Budget::Seconds(budget) => (spent.seconds, budget),
        };
        Some((spent / budget).min(1.0))
    }

    /// Whether all of it is spent; never without a budget.
    pub fn is_spent(self, spent: &Spent) -> bool {
        self.share(spent).is_some_and(|share| share >= 1.0)
    }

    /// Whether it is a budget that a run can have: more than nothing.
    pub(crate) fn is_valid(self) -> bool {
        match self {
            Budget::Off => true,
            Budget::Updates(budget) | Budget::Rollouts(budget) | Budget::Tokens(budget) => budget > 0,
            Budget::Seconds(budget) => budget > 0.0 && budget.is_finite(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_spent_when_its_own_count_is_reached() {
        let spent = Spent { updates: 5, rollouts: 100, tokens: 700, seconds: 1.5 };
        for (budget, share) in [
            (Budget::Updates(10), 0.5),
            (Budget::Rollouts(100), 1.0),
            (Budget::Tokens(350), 1.0),
            (Budget::Seconds(6.0), 0.25),
        ] {
            assert_eq!(budget.share(&spent), Some(share), "{budget:?}");
            assert_eq!(budget.is_spent(&spent), share == 1.0, "{budget:?}");
        }
        assert!(!Budget::Off.is_spent(&spent) && Budget::Off.share(&spent).is_none());
        assert!(!Budget::Updates(0).is_valid() && !Budget::Seconds(f64::NAN).is_valid());
    }
}
