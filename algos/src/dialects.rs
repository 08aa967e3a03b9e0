//! What well-known frameworks call GRPO, as settings of [`Grpo`]. docs/differences.md has them side by side.

use crate::coefficient::Coefficient;
use crate::estimators::{Average, DualClip, RatioGuard, Scale, Whitening};
use crate::grpo::Grpo;

/// A framework's GRPO.
#[derive(Clone, Debug, PartialEq)]
pub struct Dialect {
    /// As a preset: `grpo/NAME`.
    pub name: &'static str,
    /// The framework, with its version where the preset is that of one, and the setting that is meant.
    pub framework: &'static str,
    /// Its settings here.
    pub algorithm: Grpo,
    /// What its coefficients are to those of `algorithm`.
    pub factor: Factor,
}

/// A factor that is the same for all tokens, and so no difference of algorithms but of learning rates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Factor {
    /// 1.
    One,
    /// The number of trajectories of the batch: a sum where this project has a mean.
    Trajectories,
}

impl Factor {
    /// Its value on a batch of so many trajectories.
    pub fn of(self, trajectories: usize) -> f64 {
        match self {
            Factor::One => 1.0,
            Factor::Trajectories => trajectories as f64,
        }
    }
}

/// Every dialect. Where a framework has no default for a setting, such as the number of updates per step, it is the default here.
pub fn dialects() -> Vec<Dialect> {
    let token = Grpo { beta: Coefficient::ZERO, average: Average::Token, ..Grpo::default() };
    let by_trajectory = Grpo { average: Average::Trajectory, ..token.clone() };
    let once = |grpo: &Grpo| Grpo { minibatches: 1, ..grpo.clone() };
    let centred = Grpo { scale: Scale::One, ..token.clone() };
    let sixteen = Average::Constant(Coefficient::Constant(16.0));
    vec![
        Dialect::new("trl_1_16", "TRL 1.16 (`loss_type=\"dapo\"`, the default)", once(&token)),
        Dialect::new("trl_1_16_grpo", "TRL 1.16, `loss_type=\"grpo\"`", once(&by_trajectory)),
        Dialect::new(
            "trl_1_16_dr_grpo",
            "TRL 1.16, `loss_type=\"dr_grpo\"`, `scale_rewards=\"none\"`, `max_completion_length=16`",
            Grpo { average: sixteen, ..once(&centred) },
        ),
        Dialect::new("verl", "verl 0.9.1", verl(&token)),
        Dialect::new("slime", "slime", Grpo { scale: deviation(1.0, 1e-6), ..by_trajectory }),
        Dialect::new("prime_rl", "prime-rl (its first update: it masks where others clip)", centred.clone()),
        Dialect::new("open_instruct", "open-instruct, centred advantages", centred.clone()),
        Dialect::new("grpo_zero", "GRPO-Zero", Grpo { scale: deviation(0.0, 1e-4), ..token.clone() }),
        Dialect::new("areal", "AReaL's GSM8K example", Grpo { whitening: Whitening::Batch, ..token }),
        Dialect {
            factor: Factor::Trajectories,
            ..Dialect::new("tinker", "tinker (a sum over the batch)", Grpo { average: Average::SUM, ..centred })
        },
    ]
}

impl Dialect {
    fn new(name: &'static str, framework: &'static str, algorithm: Grpo) -> Dialect {
        Dialect { name, framework, algorithm, factor: Factor::One }
    }
}

/// Dual clip and a bound on log-ratios are on by default.
fn verl(token: &Grpo) -> Grpo {
    Grpo {
        scale: deviation(1.0, 1e-6),
        dual_clip: DualClip::At(Coefficient::Constant(3.0)),
        ratio_guard: RatioGuard::Bound(Coefficient::Constant(20.0)),
        minibatches: 4,
        ..token.clone()
    }
}

fn deviation(degrees_of_freedom: f64, epsilon: f64) -> Scale {
    Scale::Deviation { degrees_of_freedom, epsilon: Coefficient::Constant(epsilon) }
}
