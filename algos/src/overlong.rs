//! A penalty on the reward of completions that come close to the token limit.

use serde::{Deserialize, Serialize};

use crate::coefficient::Coefficient;
use crate::expr::Expr;
use crate::rank::{Frozen, Token, Trajectory};
use crate::settings::{IllegalSetting, POSITIVE};
use crate::terms::Data;

/// What is taken off the reward of long completions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Overlong {
    /// Nothing.
    #[default]
    Off,
    /// Soft overlong punishment (DAPO, arXiv 2503.14476, eq. 13): nothing up to `length - cache` tokens, 1 at `length` tokens and
    /// above, linear between. The end token counts.
    Soft {
        /// `L_max`: the token limit of a completion. Greater than 0.
        length: Coefficient,
        /// `L_cache`: over how many tokens before it the penalty grows. Greater than 0.
        cache: Coefficient,
    },
}

impl Overlong {
    /// The reward less the penalty.
    pub fn reward<'g>(self, x: Data<'g>) -> Expr<'g, Trajectory, Frozen> {
        let Overlong::Soft { length, cache } = self else { return x.reward() };
        let (length, cache) = (x.setting("L_max", length), x.setting("L_cache", cache));
        let left = (length - cache - x.count::<Token, Trajectory>()) / cache;
        (x.reward() + left.clip(-1.0, 0.0)).named("reward")
    }

    pub(crate) fn check(self, key: &str) -> Result<(), IllegalSetting> {
        let Overlong::Soft { length, cache } = self else { return Ok(()) };
        length.check(&format!("{key}.soft.length"), POSITIVE)?;
        cache.check(&format!("{key}.soft.cache"), POSITIVE)
    }
}
