//! From problems to judged completions, and from these to experience.

mod continuations;

use std::time::Instant;

use oreal_algos::{Column, Experience, Layout, ShapeError};
use oreal_models::{Completion, Failure, Key, Model, Request, Sampler, Sampling, Sequence, Signal, Token, Want};
use oreal_toy_envs::{Answer, Ending, Env, Problem, Verdict};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::{Error, Result};
use crate::renderer::Renderer;

/// A judged completion.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trajectory {
    /// What was drawn. Its log-probabilities are there: where the sampler gave none, the policy was asked.
    pub completion: Completion,
    /// The completion's text, its end token left out. Tokens are never made from it again.
    pub text: String,
    /// The judge's verdict on it.
    pub verdict: Verdict,
}

/// The completions of one problem.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// The problem.
    pub problem: Problem,
    /// Its prompt in tokens.
    pub prompt: Vec<Token>,
    /// Its completions, in the order they were asked for, without those that failed.
    pub trajectories: Vec<Trajectory>,
    /// Completions that the sampler failed to draw. They are counted, and never trained on. A file has their sentences.
    #[serde(serialize_with = "sentences", deserialize_with = "not_drawn")]
    pub failures: Vec<Failure>,
}

/// What a group is drawn with.
pub struct Rollout<'a> {
    /// The task.
    pub env: &'a dyn Env,
    /// Between its text and tokens.
    pub renderer: &'a dyn Renderer,
    /// How completions are drawn.
    pub sampling: Sampling,
    /// Of every random number.
    pub seed: u64,
}

/// Seconds that drawing and judging took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Took {
    /// Drawing.
    pub sample: f64,
    /// Judging.
    pub judge: f64,
}

impl Rollout<'_> {
    /// `count` completions of each problem, drawn by `sampler` from `policy`. Each is keyed by (seed, step, position of its
    /// problem, position in its group).
    pub fn groups(
        &self,
        policy: &dyn Model,
        sampler: &mut dyn Sampler,
        step: u64,
        problems: Vec<Problem>,
        count: usize,
    ) -> Result<(Vec<Group>, Took)> {
        let start = Instant::now();
        let prompts =
            problems.iter().map(|problem| self.renderer.prompt(&problem.prompt)).collect::<Result<Vec<_>>>()?;
        let key =
            |prompt: usize, sample: usize| Key { seed: self.seed, step, prompt: prompt as u64, sample: sample as u64 };
        let requests = |(i, prompt)| {
            let prompt: &Vec<Token> = prompt;
            (0..count).map(move |sample| Request { prompt, key: key(i, sample) })
        };
        let requests: Vec<Request<'_>> = prompts.iter().enumerate().flat_map(requests).collect();
        let drawn = self.draw(policy, sampler, &requests)?;
        drop(requests);
        let sample = start.elapsed().as_secs_f64();

        let mut drawn = drawn.into_iter();
        let mut groups = Vec::with_capacity(problems.len());
        for (problem, prompt) in problems.into_iter().zip(prompts) {
            let (mut trajectories, mut failures) = (Vec::with_capacity(count), Vec::new());
            for outcome in drawn.by_ref().take(count) {
                match outcome {
                    Ok(completion) => {
                        let text = self.renderer.text(&completion.tokens)?;
                        trajectories.push(Trajectory { completion, text, verdict: Verdict::Ungraded });
                    }
                    Err(failure) => failures.push(failure),
                }
            }
            groups.push(Group { problem, prompt, trajectories, failures });
        }
        self.judge(&mut groups)?;
        Ok((groups, Took { sample, judge: start.elapsed().as_secs_f64() - sample }))
    }

    /// One outcome per request. What a sampler says is checked here, where it enters.
    fn draw(
        &self,
        policy: &dyn Model,
        sampler: &mut dyn Sampler,
        requests: &[Request<'_>],
    ) -> Result<Vec<std::result::Result<Completion, Failure>>> {
        let drawn = sampler.sample(policy, requests, &self.sampling).map_err(Error::model("sampler"))?;
        if drawn.len() != requests.len() {
            let problem = format!("{} completions for {} requests", drawn.len(), requests.len());
            return Err(Error::part("sampler", problem));
        }
        let vocabulary = self.renderer.vocabulary();
        let checked = |outcome: std::result::Result<Completion, Failure>| {
            outcome.and_then(|completion| completion.check(&self.sampling, vocabulary).map(|()| completion))
        };
        let mut drawn: Vec<_> = drawn.into_iter().map(checked).collect();
        self.read_missing(policy, requests, &mut drawn)?;
        Ok(drawn)
    }

    /// Log-probabilities that the sampler did not give, from the policy: full softmax at the sampler's temperature.
    fn read_missing(
        &self,
        policy: &dyn Model,
        requests: &[Request<'_>],
        drawn: &mut [std::result::Result<Completion, Failure>],
    ) -> Result<()> {
        let mut without: Vec<(&Request<'_>, &mut Completion)> = Vec::new();
        for (request, outcome) in requests.iter().zip(drawn) {
            if let Ok(completion) = outcome
                && completion.sampled_logp.is_none()
            {
                without.push((request, completion));
            }
        }
        if without.is_empty() {
            return Ok(());
        }
        let sequence = |(request, completion): &(&Request<'_>, &mut Completion)| {
            (request.prompt.to_vec(), completion.tokens.clone())
        };
        let tokens: Vec<(Vec<Token>, Vec<Token>)> = without.iter().map(sequence).collect();
        let batch: Vec<Sequence<'_>> =
            tokens.iter().map(|(prompt, completion)| Sequence { prompt, completion }).collect();
        let want = Want { signals: vec![Signal::Logp], temperature: self.sampling.temperature };
        let signals = policy.read(&batch, &want).map_err(Error::model("policy"))?;
        let mut logps = signals.0.into_values().next().unwrap_or_default().into_iter();
        for (_, completion) in without {
            completion.sampled_logp = Some(logps.by_ref().take(completion.tokens.len()).collect());
        }
        Ok(())
    }

    /// All completions at once, so that a slow judge can work on many.
    fn judge(&self, groups: &mut [Group]) -> Result<()> {
        let answers = groups.iter().flat_map(|Group { problem, trajectories, .. }| {
            let answer = |t| {
                let Trajectory { completion, text, .. }: &Trajectory = t;
                Answer { problem, completion: text, ending: ending(completion) }
            };
            trajectories.iter().map(answer)
        });
        let answers: Vec<Answer<'_>> = answers.collect();
        let (verdicts, asked) = (self.env.judge(&answers), answers.len());
        if verdicts.len() != asked {
            let problem = format!("the judge gave {} verdicts on {asked} completions", verdicts.len());
            return Err(Error::part(self.env.name(), problem));
        }
        let trajectories = groups.iter_mut().flat_map(|group| &mut group.trajectories);
        trajectories.zip(verdicts).for_each(|(trajectory, verdict)| trajectory.verdict = verdict);
        Ok(())
    }
}

fn sentences<S: Serializer>(failures: &[Failure], serializer: S) -> std::result::Result<S::Ok, S::Error> {
    serializer.collect_seq(failures.iter().map(Failure::to_string))
}

fn not_drawn<'de, D: Deserializer<'de>>(sentences: D) -> std::result::Result<Vec<Failure>, D::Error> {
    let sentences: Vec<String> = Vec::deserialize(sentences)?;
    Ok(sentences.into_iter().map(|problem| Failure::NotDrawn { problem }).collect())
}

/// How a completion ended, for the judge.
fn ending(completion: &Completion) -> Ending {
    match completion.ending {
        oreal_models::Ending::Stopped => Ending::Stopped,
        oreal_models::Ending::Truncated => Ending::Truncated,
    }
}

/// What is known of a batch without asking any model: layout, rewards, how completions ended, and log-probabilities of the
/// sampler. Completions that could not be graded are no evidence: [`graded`] takes them out before.
pub fn experience(groups: &[Group], step: u64) -> std::result::Result<Experience, ShapeError> {
    let length = |t: &Trajectory| t.completion.tokens.len();
    let lengths: Vec<Vec<usize>> = groups.iter().map(|g| g.trajectories.iter().map(length).collect()).collect();
    let all = || groups.iter().flat_map(|group| &group.trajectories);
    let truncated = |t: &Trajectory| f64::from(t.completion.ending == oreal_models::Ending::Truncated);
    let logps = all().flat_map(|t| t.completion.sampled_logp.iter().flatten().copied());
    Experience::new(Layout::new(&lengths)?)
        .at_step(step)
        .with(Column::REWARD, all().map(|t| t.verdict.reward()).collect())?
        .with(Column::TRUNCATED, all().map(truncated).collect())?
        .with(Column::DUPLICATE, groups.iter().flat_map(duplicates).collect())?
        .with(Column::SAMPLED_LOGP, logps.collect())
}

/// The groups without completions that could not be graded, and without groups that have no other.
pub fn graded(mut groups: Vec<Group>) -> Vec<Group> {
    for group in &mut groups {
        group.trajectories.retain(|t| t.verdict != Verdict::Ungraded);
    }
    groups.retain(|group| !group.trajectories.is_empty());
    groups
}

/// The batch as models read it, in the order of [`experience`].
pub fn sequences(groups: &[Group]) -> Vec<Sequence<'_>> {
    let of = |group| {
        let Group { prompt, trajectories, .. }: &Group = group;
        trajectories.iter().map(move |t| Sequence { prompt, completion: &t.completion.tokens })
    };
    groups.iter().flat_map(of).collect()
}

fn duplicates(group: &Group) -> Vec<f64> {
    let tokens = |i: usize| &group.trajectories[i].completion.tokens;
    let seen = |i: usize| (0..i).any(|earlier| tokens(earlier) == tokens(i));
    (0..group.trajectories.len()).map(|i| f64::from(seen(i))).collect()
}

#[cfg(test)]
mod tests;
