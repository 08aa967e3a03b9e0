//! The program of docs/your_algorithm.md: an algorithm of your own with the whole command line.
//!
//! `cargo run --release --example your_algorithm -- show hard_first`

use std::process::ExitCode;

use oreal::Catalogue;
use oreal::algos::{
    Algorithm, Batch, Coefficient, Data, Expr, Frozen, Group, IllegalSetting, Live, Objective, Terms, Token,
    Trajectory, estimators, minimise,
};
use serde::{Deserialize, Serialize};

/// Policy gradient that weighs hard questions more: `A = (1 + h·failure rate) · leave-one-out advantage`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct HardFirst {
    /// `h`, at least 0. At 0 all questions weigh the same.
    hardness: Coefficient,
}

impl Default for HardFirst {
    fn default() -> Self {
        HardFirst { hardness: 2.0.into() }
    }
}

impl HardFirst {
    fn loss<'g>(&self, x: Terms<'g>) -> Expr<'g, Batch, Live> {
        -(x.advantage() * x.logp()).sum::<Trajectory>().mean::<Batch>()
    }
}

impl Algorithm for HardFirst {
    fn name(&self) -> &str {
        "hard_first"
    }

    fn credit<'g>(&self, x: Data<'g>) -> Expr<'g, Token, Frozen> {
        let failure_rate = (1.0 - x.reward().mean::<Group>()).named("failure_rate");
        let weight = 1.0 + x.setting("h", self.hardness) * failure_rate;
        (weight * estimators::leave_one_out(x, x.reward())).spread()
    }

    fn objective(&self) -> Box<dyn Objective> {
        minimise(|x| self.loss(x))
    }

    fn expression<'g>(&self, x: Terms<'g>) -> Option<Expr<'g, Batch, Live>> {
        Some(self.loss(x))
    }

    fn validate(&self) -> Result<(), IllegalSetting> {
        self.hardness.check("hardness", 0.0..)
    }
}

pub fn catalogue() -> Catalogue {
    let about = "policy gradient that weighs hard questions more";
    Catalogue::built_in().algorithm("hard_first", about, [("default", HardFirst::default())])
}

fn main() -> ExitCode {
    catalogue().main()
}

#[cfg(test)]
mod tests {
    use oreal::algos::{Average, Rloo};
    use oreal::lab::{invariances, report, worlds};

    use super::*;

    #[test]
    fn formula() {
        insta::assert_snapshot!(oreal::show::formula(&HardFirst::default()), @"
        credit, on whole groups
          failure_rate = 1 - mean_group(R)
          A            = (1 + h·failure_rate)·(R - mean_group(R))·trajectories_per_group/max(trajectories_per_group - 1, 1)
          with h = 2

        objective, to minimise
          loss = -mean_batch(sum_trajectory(A·logπ))

        selects    All
        reads      logp, advantage, reward
        roles      policy
        coupling   token
        passes     1 x 1 minibatches
        ");
    }

    #[test]
    fn on_one_question_the_expected_gradient_is_that_of_the_pass_rate_times_a_factor() -> oreal::Result<()> {
        for p in [0.1, 0.5, 0.9] {
            let report = report(&HardFirst::default(), &worlds::arms(p, 4)?)?;
            assert!(report.direction.angle < 1e-5, "{report}");
        }
        Ok(())
    }

    #[test]
    fn across_questions_the_direction_differs_from_the_pass_rate() -> oreal::Result<()> {
        let questions = worlds::crossed([0.1, 0.8], 4)?;
        assert!(report(&HardFirst { hardness: Coefficient::ZERO }, &questions)?.direction.angle < 1e-5);
        assert!(report(&HardFirst::default(), &questions)?.direction.angle > 1.0);
        Ok(())
    }

    #[test]
    fn order_duplication_and_micro_batches_change_nothing() {
        for invariance in invariances(&HardFirst::default()) {
            assert!(invariance.holds(), "{}: off by {}", invariance.name, invariance.off);
        }
    }

    #[test]
    fn without_hardness_it_is_rloo() -> oreal::Result<()> {
        let (lab, without) = (worlds::ragged(0, 4)?, HardFirst { hardness: Coefficient::ZERO });
        let [mine, rloo] = [report(&without, &lab)?, report(&Rloo { average: Average::SUM }, &lab)?];
        assert_eq!((mine.direction.scale, mine.variance), (rloo.direction.scale, rloo.variance));
        Ok(())
    }

    #[test]
    fn a_negative_hardness_is_refused() {
        let problem = HardFirst { hardness: (-1.0).into() }.validate().unwrap_err();
        assert_eq!(problem.to_string(), "`hardness` must be a finite number, at least 0, not -1");
    }
}
