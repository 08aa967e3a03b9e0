//! Every group that can be drawn, with its probability.
//!
//! The completions of a group are independent draws from one distribution, so their order carries no information. A
//! group is therefore enumerated as a multiset, and its probability is multinomial. (That an algorithm ignores the
//! order is one of the [`super::invariances`].)

/// A group of completions without their order.
#[derive(Clone, Debug, PartialEq)]
pub struct Multiset {
    /// Total probability of all orders in which the completions can be drawn.
    pub probability: f64,
    /// Indices of the completions, ascending; a repeated completion is listed repeatedly.
    pub completions: Vec<usize>,
}

/// Every multiset of `rollouts` completions, where `probabilities[i]` is the probability of drawing completion `i`.
pub fn enumerate(probabilities: &[f64], rollouts: usize) -> Vec<Multiset> {
    let mut multisets = vec![Multiset { probability: 1.0, completions: Vec::new() }];
    for (completion, &p) in probabilities.iter().enumerate() {
        let last = completion + 1 == probabilities.len();
        multisets = multisets.iter().flat_map(|drawn| extended(drawn, completion, p, rollouts, last)).collect();
    }
    multisets
}

/// Number of multisets of `rollouts` out of `completions`.
pub fn count(completions: usize, rollouts: usize) -> f64 {
    (1..completions).fold(1.0, |count, i| count * (rollouts + i) as f64 / i as f64)
}

/// A multiset with a completion added 0 times, once, .. up to the free places; the last completion fills all of them.
fn extended(drawn: &Multiset, completion: usize, p: f64, rollouts: usize, last: bool) -> Vec<Multiset> {
    let free = rollouts - drawn.completions.len();
    let mut multisets = Vec::new();
    // p^times times the number of ways to choose the draws that give this completion among the free ones.
    let mut factor = 1.0;
    for times in 0..=free {
        if times > 0 {
            factor *= p * (free - times + 1) as f64 / times as f64;
        }
        if !last || times == free {
            let completions = drawn.completions.iter().copied().chain(std::iter::repeat_n(completion, times)).collect();
            multisets.push(Multiset { probability: drawn.probability * factor, completions });
        }
    }
    multisets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_are_those_of_ordered_draws() {
        let p = [0.5, 0.2, 0.3];
        let multisets = enumerate(&p, 4);
        assert_eq!(multisets.len() as f64, count(3, 4));
        assert!((multisets.iter().map(|drawn| drawn.probability).sum::<f64>() - 1.0).abs() < 1e-15);
        let mut ordered = std::collections::BTreeMap::new();
        for draw in 0..81_usize {
            let mut completions: Vec<usize> = (0..4).map(|i| draw / 3_usize.pow(i) % 3).collect();
            let probability: f64 = completions.iter().map(|&i| p[i]).product();
            completions.sort();
            *ordered.entry(completions).or_insert(0.0) += probability;
        }
        assert_eq!(multisets.len(), ordered.len());
        for drawn in multisets {
            assert!((drawn.probability - ordered[&drawn.completions]).abs() < 1e-15, "{drawn:?}");
        }
    }
}
