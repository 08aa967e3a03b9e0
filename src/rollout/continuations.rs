//! Columns that come from further rollouts: the mean reward of completions that go on from a prefix.

use std::collections::BTreeMap;

use oreal_algos::{Column, Continuation, Level, Source};
use oreal_models::{Completion, Failure, Key, Model, Request, Sampler, Sampling, Token};
use oreal_toy_envs::{Answer, Verdict};

use super::{Group, Rollout, ending};
use crate::error::{Error, Result};
use crate::streams::Purpose;

/// Where completions go on from: the group, and how many of the tokens of which trajectory.
type Prefix<'a> = (usize, &'a [Token]);

impl Rollout<'_> {
    /// The values of a column whose source is [`Source::Continued`], for groups as in [`super::experience`]. Equal prefixes of a
    /// group have one value. Where no completion of a prefix could be graded, it is the mean reward of the group.
    ///
    /// # Errors
    /// Those of the sampler, of the judge, and of texts that cannot be decoded.
    pub fn continued(
        &self,
        policy: &dyn Model,
        sampler: &mut dyn Sampler,
        step: u64,
        groups: &[Group],
        (column, count): (Column, usize),
    ) -> Result<Vec<f64>> {
        let Source::Continued(how) = column.source() else { return Ok(Vec::new()) };
        let (sampling, count) = match how {
            Continuation::Drawn => (self.sampling.clone(), count),
            Continuation::Greedy => (Sampling { temperature: 0.0, ..self.sampling.clone() }, 1),
        };
        let prefixes = prefixes(groups, column.level());
        let mut values: BTreeMap<Prefix<'_>, f64> = prefixes.iter().map(|prefix| (*prefix, f64::NAN)).collect();
        let mut by_length: BTreeMap<usize, Vec<Prefix<'_>>> = BTreeMap::new();
        values.keys().for_each(|prefix| by_length.entry(prefix.1.len()).or_default().push(*prefix));
        let mut number = 0;
        for (length, prefixes) in by_length {
            // The token limit is that of the whole completion.
            let sampling =
                Sampling { max_tokens: self.sampling.max_tokens.saturating_sub(length).max(1), ..sampling.clone() };
            let seed = Purpose::Continuations.seed(self.seed);
            let of_length = Rollout { sampling, seed, ..*self };
            let means = of_length.means(policy, sampler, (step, number), groups, &prefixes, count)?;
            number += (prefixes.len() * count) as u64;
            values.extend(prefixes.into_iter().zip(means));
        }
        Ok(prefixes.iter().map(|prefix| values[prefix]).collect())
    }

    /// The mean reward of `count` completions of each prefix; all prefixes are equally long. `number` is that of the first.
    fn means(
        &self,
        policy: &dyn Model,
        sampler: &mut dyn Sampler,
        (step, number): (u64, u64),
        groups: &[Group],
        prefixes: &[Prefix<'_>],
        count: usize,
    ) -> Result<Vec<f64>> {
        let contexts: Vec<Vec<Token>> =
            prefixes.iter().map(|(group, prefix)| [&groups[*group].prompt, *prefix].concat()).collect();
        let key = |i: usize, sample: usize| Key {
            seed: self.seed,
            step,
            prompt: prefixes[i].0 as u64,
            sample: number + (i * count + sample) as u64,
        };
        let requests: Vec<Request<'_>> = (0..prefixes.len() * count)
            .map(|n| Request { prompt: &contexts[n / count], key: key(n / count, n % count) })
            .collect();
        let drawn = self.draw(policy, sampler, &requests)?;
        let verdicts = self.verdicts(groups, prefixes, &drawn, count)?;
        let mean = |(verdicts, (group, _)): (&[Verdict], &Prefix<'_>)| {
            mean(verdicts).or_else(|| mean(&of_group(&groups[*group]))).unwrap_or(0.0)
        };
        Ok(verdicts.chunks(count).zip(prefixes).map(mean).collect())
    }

    /// A verdict on each prefix with what was drawn after it; what failed to be drawn is ungraded.
    fn verdicts(
        &self,
        groups: &[Group],
        prefixes: &[Prefix<'_>],
        drawn: &[std::result::Result<Completion, Failure>],
        count: usize,
    ) -> Result<Vec<Verdict>> {
        let (mut texts, mut places) = (Vec::new(), Vec::new());
        for (i, outcome) in drawn.iter().enumerate() {
            if let Ok(completion) = outcome {
                let (group, prefix) = prefixes[i / count];
                texts.push(self.renderer.text(&[prefix, &completion.tokens].concat())?);
                places.push((i, &groups[group].problem, ending(completion)));
            }
        }
        let answers: Vec<Answer<'_>> = places
            .iter()
            .zip(&texts)
            .map(|(&(_, problem, ending), text)| Answer { problem, completion: text, ending })
            .collect();
        let judged = self.env.judge(&answers);
        if judged.len() != answers.len() {
            let problem = format!("the judge gave {} verdicts on {} completions", judged.len(), answers.len());
            return Err(Error::part(self.env.name(), problem));
        }
        let mut verdicts = vec![Verdict::Ungraded; drawn.len()];
        places.iter().zip(judged).for_each(|((i, ..), verdict)| verdicts[*i] = verdict);
        Ok(verdicts)
    }
}

/// The prefix of each unit of a column.
fn prefixes(groups: &[Group], level: Level) -> Vec<Prefix<'_>> {
    let mut prefixes = Vec::new();
    for (number, group) in groups.iter().enumerate() {
        for trajectory in &group.trajectories {
            let tokens = &trajectory.completion.tokens;
            let lengths = if level == Level::Token { 0..tokens.len() } else { 0..1 };
            prefixes.extend(lengths.map(|length| (number, &tokens[..length])));
        }
    }
    prefixes
}

fn of_group(group: &Group) -> Vec<Verdict> {
    group.trajectories.iter().map(|trajectory| trajectory.verdict).collect()
}

/// The mean reward of those that were graded.
fn mean(verdicts: &[Verdict]) -> Option<f64> {
    let graded: Vec<f64> =
        verdicts.iter().filter(|verdict| **verdict != Verdict::Ungraded).map(|verdict| verdict.reward()).collect();
    (!graded.is_empty()).then(|| graded.iter().sum::<f64>() / graded.len() as f64)
}
