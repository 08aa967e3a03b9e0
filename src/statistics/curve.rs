//! How well a run did on the way.

/// The area under a learning curve by the trapezoid rule, divided by its width: a mean of the score over the whole way, in
/// the score's units. `points` are pairs of what was spent (steps, rollouts, ..), in increasing order, and the score there. A
/// curve without width has the mean of its scores; one without points has none.
pub fn area_under(points: &[(f64, f64)]) -> Option<f64> {
    let ((first, _), (last, _)) = (points.first()?, points.last()?);
    let area: f64 = points.windows(2).map(|pair| 0.5 * (pair[0].1 + pair[1].1) * (pair[1].0 - pair[0].0)).sum();
    let width = last - first;
    let mean = || points.iter().map(|(_, score)| score).sum::<f64>() / points.len() as f64;
    Some(if width > 0.0 { area / width } else { mean() })
}
