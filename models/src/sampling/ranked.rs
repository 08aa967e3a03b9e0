//! Drawing from tokens that are few enough to be weighed in `f64` and sorted.

use super::{Draw, not_finite};
use crate::data::{Sampling, Token};
use crate::error::Result;
use crate::real::Real;

/// As [`super::draw`].
pub(super) fn draw<E: Real>(logits: &[E], how: &Sampling, uniform: f64) -> Result<Draw> {
    Ok(pick(&support(logits, how)?, uniform))
}

/// The token at which the running sum exceeds the share `uniform` of all. There is at least one token.
pub(super) fn pick(kept: &[(usize, f64)], uniform: f64) -> Draw {
    let total: f64 = kept.iter().map(|(_, weight)| weight).sum();
    let target = uniform * total;
    let mut below = 0.0;
    let hit = kept.iter().find(|(_, weight)| {
        below += weight;
        target < below
    });
    let (token, weight) = *hit.unwrap_or(&kept[kept.len() - 1]);
    Draw { token: token as Token, logp: (weight / total).ln() }
}

/// How many of the ranked weights it takes to hold at least this much.
pub(super) fn prefix(ranked: &[(usize, f64)], mass: f64) -> usize {
    let mut held = 0.0;
    let full = ranked.iter().position(|(_, weight)| {
        held += weight;
        held >= mass
    });
    full.map_or(ranked.len(), |last| last + 1)
}

/// Tokens that can be drawn with their weights (not normalised): all in index order, or the kept ones in order of rank.
fn support<E: Real>(logits: &[E], how: &Sampling) -> Result<Vec<(usize, f64)>> {
    let max = logits.iter().map(|z| z.wide()).fold(f64::NEG_INFINITY, f64::max);
    if !max.is_finite() || logits.iter().any(|z| z.wide().is_nan()) {
        return Err(not_finite());
    }
    if how.temperature == 0.0 {
        let first = logits.iter().position(|z| z.wide() == max);
        return Ok(first.into_iter().map(|token| (token, 1.0)).collect());
    }
    let weight = |z: &E| ((z.wide() - max) / how.temperature).exp();
    let weights = logits.iter().map(weight).enumerate();
    let mut kept: Vec<(usize, f64)> = weights.filter(|(_, weight)| *weight > 0.0).collect();
    if how.top_k > 0 || how.top_p < 1.0 {
        kept.sort_by(|a, b| b.1.total_cmp(&a.1));
        if how.top_k > 0 {
            kept.truncate(how.top_k);
        }
        let total: f64 = kept.iter().map(|(_, weight)| weight).sum();
        kept.truncate(prefix(&kept, how.top_p * total));
    }
    Ok(kept)
}
