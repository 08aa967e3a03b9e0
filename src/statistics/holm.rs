//! Correction for many comparisons.

/// The p-values of so many comparisons, corrected by the step-down method of Holm (1979), in the given order: the `i`-th
/// smallest of `m`, counted from 0, times `m - i`, at least the one before it and at most 1. A corrected p-value of at most
/// 0.05 in any of them comes about with probability at most 0.05 where nothing differs, however the comparisons depend on each
/// other.
pub fn holm(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&a, &b| p[a].total_cmp(&p[b]));
    let (mut corrected, mut highest) = (vec![0.0; p.len()], 0.0_f64);
    for (rank, &place) in order.iter().enumerate() {
        highest = highest.max(((p.len() - rank) as f64 * p[place]).min(1.0));
        corrected[place] = highest;
    }
    corrected
}
