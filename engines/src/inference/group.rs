//! Groups of completions, which are complete or absent.

use oreal_models::{Completion, Failure, Request};
use serde::{Deserialize, Serialize};

/// What becomes of a group of which some completions failed. A group are the completions of one prompt that are asked for
/// together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Groups {
    /// It is left out whole: a mean over what is left would be one over those that were easy to draw.
    #[default]
    Complete,
    /// The others stay.
    Partial,
}

impl Groups {
    /// Leaves out what is to be left out. `drawn` has one outcome for each request.
    pub(super) fn apply(self, requests: &[Request<'_>], drawn: &mut [Result<Completion, Failure>]) {
        if self == Groups::Partial {
            return;
        }
        let mut rest = drawn;
        for group in requests.chunk_by(together) {
            let (outcomes, after) = rest.split_at_mut(group.len().min(rest.len()));
            rest = after;
            let failed = outcomes.iter().filter(|outcome| outcome.is_err()).count();
            if failed > 0 {
                let problem = format!("left out: {failed} of {} completions of its group failed", group.len());
                let left_out = |outcome: &mut Result<Completion, Failure>| {
                    *outcome = Err(Failure::NotDrawn { problem: problem.clone() });
                };
                outcomes.iter_mut().filter(|outcome| outcome.is_ok()).for_each(left_out);
            }
        }
    }
}

fn together(a: &Request<'_>, b: &Request<'_>) -> bool {
    (a.key.seed, a.key.step, a.key.prompt) == (b.key.seed, b.key.step, b.key.prompt) && a.prompt == b.prompt
}
