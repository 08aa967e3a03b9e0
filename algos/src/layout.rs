//! How tokens lie in trajectories, trajectories in groups, and groups in the batch.

use std::ops::Range;

use crate::rank::Level;
use crate::shape::ShapeError;

/// The ragged shape of a batch. Units follow each other without padding: trajectory `i` owns a range of tokens, group
/// `g` a range of trajectories. A part of a batch remembers the sizes of the whole, so that no mean depends on how a
/// batch was split.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Token offsets of trajectories, with the total at the end.
    tokens: Vec<usize>,
    /// Trajectory offsets of groups, with the total at the end.
    groups: Vec<usize>,
    /// Trajectories and tokens of each group, the whole of it.
    group_sizes: Vec<(usize, usize)>,
    /// Groups, trajectories and tokens of the whole batch.
    batch_size: (usize, usize, usize),
}

impl Layout {
    /// From the completion lengths of each group. There may be no groups; a group without completions and a completion
    /// without tokens are errors.
    pub fn new(groups: &[Vec<usize>]) -> Result<Layout, ShapeError> {
        for (group, lengths) in groups.iter().enumerate() {
            if lengths.is_empty() {
                return Err(ShapeError::EmptyGroup { group });
            }
            if let Some(completion) = lengths.iter().position(|&length| length == 0) {
                return Err(ShapeError::EmptyCompletion { group, completion });
            }
        }
        let total = groups.iter().flatten().try_fold(0usize, |total, &length| total.checked_add(length));
        total.ok_or(ShapeError::TooManyTokens)?;
        Ok(Layout::of(groups))
    }

    /// From lengths that are known to be of at least one token.
    fn of(groups: &[Vec<usize>]) -> Layout {
        let group_sizes: Vec<_> = groups.iter().map(|g| (g.len(), g.iter().sum())).collect();
        let tokens = offsets(groups.iter().flatten().copied());
        let offsets_of_groups = offsets(groups.iter().map(Vec::len));
        let batch_size = (groups.len(), tokens.len() - 1, *tokens.last().unwrap_or(&0));
        Layout { tokens, groups: offsets_of_groups, group_sizes, batch_size }
    }

    /// A batch of its own, made of the trajectories marked in `kept` (missing marks count as not kept). Groups left without
    /// trajectories are dropped.
    pub(crate) fn keep(&self, kept: &[bool]) -> Layout {
        let kept = |i: &usize| kept.get(*i).copied().unwrap_or(false);
        let length = |i: usize| self.size(Level::Token, Level::Trajectory, i);
        let groups = self.spans(Level::Trajectory, Level::Group).into_iter();
        let groups = groups.map(|group| group.filter(kept).map(length).collect::<Vec<_>>());
        Layout::of(&groups.filter(|lengths| !lengths.is_empty()).collect::<Vec<_>>())
    }

    /// How many units of this level lie here.
    pub fn count(&self, level: Level) -> usize {
        match level {
            Level::Token => self.tokens[self.tokens.len() - 1],
            Level::Trajectory => self.tokens.len() - 1,
            Level::Group => self.groups.len() - 1,
            Level::Batch => 1,
        }
    }

    /// The `fine` units of each `coarse` unit, in order.
    pub fn spans(&self, fine: Level, coarse: Level) -> Vec<Range<usize>> {
        let within = |bounds: &[usize], at: &dyn Fn(usize) -> usize| -> Vec<Range<usize>> {
            bounds.windows(2).map(|w| at(w[0])..at(w[1])).collect()
        };
        match (fine, coarse) {
            (Level::Token, Level::Trajectory) => within(&self.tokens, &|t| t),
            (Level::Token, Level::Group) => within(&self.groups, &|i| self.tokens[i]),
            (Level::Trajectory, Level::Group) => within(&self.groups, &|i| i),
            (_, Level::Batch) => std::iter::once(0..self.count(fine)).collect(),
            _ => (0..self.count(fine)).map(|i| i..i + 1).collect(),
        }
    }

    /// How many `fine` units a `coarse` unit has in the whole batch this layout is a part of.
    pub fn size(&self, fine: Level, coarse: Level, unit: usize) -> usize {
        match (fine, coarse) {
            (Level::Token, Level::Trajectory) => self.tokens[unit + 1] - self.tokens[unit],
            (Level::Token, Level::Group) => self.group_sizes[unit].1,
            (Level::Trajectory, Level::Group) => self.group_sizes[unit].0,
            (Level::Token, Level::Batch) => self.batch_size.2,
            (Level::Trajectory, Level::Batch) => self.batch_size.1,
            (Level::Group, Level::Batch) => self.batch_size.0,
            _ => 1,
        }
    }

    /// The part made of these trajectories; sizes stay those of the whole. Like slices, it panics on a range that does not lie
    /// in the layout.
    pub fn part(&self, trajectories: Range<usize>) -> Layout {
        let groups = self.range(Level::Group, &trajectories);
        let first = self.tokens[trajectories.start];
        let cut = |i: &usize| (*i).clamp(trajectories.start, trajectories.end) - trajectories.start;
        Layout {
            tokens: self.tokens[trajectories.start..=trajectories.end].iter().map(|t| t - first).collect(),
            groups: self.groups[groups.start..=groups.end].iter().map(cut).collect(),
            group_sizes: self.group_sizes[groups].to_vec(),
            batch_size: self.batch_size,
        }
    }

    /// The units of `level` that these trajectories touch.
    pub fn range(&self, level: Level, trajectories: &Range<usize>) -> Range<usize> {
        match level {
            Level::Token => self.tokens[trajectories.start]..self.tokens[trajectories.end],
            Level::Trajectory => trajectories.clone(),
            Level::Group => {
                let start = self.groups.partition_point(|&g| g <= trajectories.start) - 1;
                start..self.groups.partition_point(|&g| g < trajectories.end).max(start)
            }
            Level::Batch => 0..1,
        }
    }

    /// The completion lengths of each group.
    pub fn lengths(&self) -> Vec<Vec<usize>> {
        let length = |i: usize| self.size(Level::Token, Level::Trajectory, i);
        self.spans(Level::Trajectory, Level::Group).into_iter().map(|group| group.map(length).collect()).collect()
    }
}

fn offsets(lengths: impl Iterator<Item = usize>) -> Vec<usize> {
    let mut offsets = vec![0];
    for length in lengths {
        offsets.push(offsets[offsets.len() - 1] + length);
    }
    offsets
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout() -> Layout {
        Layout::new(&[vec![2, 3], vec![1], vec![4, 1, 2]]).expect("a layout")
    }

    #[test]
    fn spans_are_ranges_of_the_finer_units() {
        let x = layout();
        assert_eq!(x.spans(Level::Token, Level::Trajectory), [0..2, 2..5, 5..6, 6..10, 10..11, 11..13]);
        assert_eq!(x.spans(Level::Token, Level::Group), [0..5, 5..6, 6..13]);
        assert_eq!(x.spans(Level::Trajectory, Level::Group), [0..2, 2..3, 3..6]);
        assert_eq!(x.spans(Level::Group, Level::Batch), std::iter::once(0..3).collect::<Vec<_>>());
        assert_eq!(x.size(Level::Token, Level::Group, 2), 7);
    }

    #[test]
    fn a_part_keeps_the_sizes_of_the_whole() {
        let part = layout().part(1..4);
        assert_eq!(part.lengths(), [vec![3], vec![1], vec![4]]);
        assert_eq!(part.size(Level::Trajectory, Level::Group, 0), 2);
        assert_eq!(part.size(Level::Token, Level::Group, 2), 7);
        assert_eq!(part.size(Level::Token, Level::Batch, 0), 13);
    }

    #[test]
    fn an_empty_batch_has_no_units() {
        let x = Layout::new(&[]).expect("a layout");
        assert_eq!((x.count(Level::Token), x.count(Level::Trajectory), x.count(Level::Group)), (0, 0, 0));
        assert_eq!(layout().keep(&[]), x);
    }

    #[test]
    fn empty_units_are_errors() {
        let problem = |groups: &[Vec<usize>]| Layout::new(groups).unwrap_err().to_string();
        assert_eq!(problem(&[vec![1], vec![]]), "group 1 has no completions");
        assert_eq!(problem(&[vec![1], vec![2, 0]]), "completion 1 of group 1 has no tokens, not even its end");
        assert_eq!(problem(&[vec![usize::MAX, 1]]), "more tokens than can be counted");
    }

    #[test]
    fn groups_of_which_nothing_is_kept_are_dropped() {
        let kept = layout().keep(&[false, true, false, true, false, true]);
        assert_eq!(kept.lengths(), [vec![3], vec![4, 2]]);
        assert_eq!(kept.size(Level::Token, Level::Batch, 0), 9);
    }
}
