//! Every group that can be drawn, with its probability.
//!
//! Completions of a group are drawn independently from one law, so the order they come in says nothing: a group is how often
//! each completion came, and its probability multinomial. (That an algorithm does not look at the order is one of the
//! [`super::invariances`].)

/// A group: the completions in it, in their own order, and how probable it is to draw them in any order.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    pub probability: f64,
    pub completions: Vec<usize>,
}

/// Every group of `rollouts` completions with these probabilities.
pub fn groups(probabilities: &[f64], rollouts: usize) -> Vec<Group> {
    let mut groups = vec![Group { probability: 1.0, completions: Vec::new() }];
    for (completion, &p) in probabilities.iter().enumerate() {
        let last = completion + 1 == probabilities.len();
        groups = groups.iter().flat_map(|group| more(group, completion, p, rollouts, last)).collect();
    }
    groups
}

/// How many groups there are.
pub fn count(completions: usize, rollouts: usize) -> f64 {
    (1..completions).fold(1.0, |count, i| count * (rollouts + i) as f64 / i as f64)
}

/// The group with a completion added as often as there is room for; the last one takes all of it.
fn more(group: &Group, completion: usize, p: f64, rollouts: usize, last: bool) -> Vec<Group> {
    let room = rollouts - group.completions.len();
    let mut added = Vec::new();
    // Ways to place the new ones among those still to come, times their probability.
    let mut factor = 1.0;
    for times in 0..=room {
        if times > 0 {
            factor *= p * (room - times + 1) as f64 / times as f64;
        }
        if !last || times == room {
            let completions = group.completions.iter().copied().chain(std::iter::repeat_n(completion, times)).collect();
            added.push(Group { probability: group.probability * factor, completions });
        }
    }
    added
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_are_those_of_ordered_draws() {
        let p = [0.5, 0.2, 0.3];
        let groups = groups(&p, 4);
        assert_eq!(groups.len() as f64, count(3, 4));
        assert!((groups.iter().map(|group| group.probability).sum::<f64>() - 1.0).abs() < 1e-15);
        let mut ordered = std::collections::BTreeMap::new();
        for draw in 0..81_usize {
            let mut completions: Vec<usize> = (0..4).map(|i| draw / 3_usize.pow(i) % 3).collect();
            let probability: f64 = completions.iter().map(|&i| p[i]).product();
            completions.sort();
            *ordered.entry(completions).or_insert(0.0) += probability;
        }
        assert_eq!(groups.len(), ordered.len());
        for group in groups {
            assert!((group.probability - ordered[&group.completions]).abs() < 1e-15, "{group:?}");
        }
    }
}
