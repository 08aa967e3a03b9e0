//! From problems to judged completions, and from these to experience.

use std::time::Instant;

use oreal_algos::{Column, Experience, Layout};
use oreal_models::{Completion, Key, Sampler, Sampling, Sequence, Token, Tokenizer};
use oreal_toy_envs::{Ending, Env, Problem, Verdict};

use crate::error::{Error, Result};

/// A judged completion.
#[derive(Clone, Debug, PartialEq)]
pub struct Trajectory {
    pub completion: Completion,
    /// The completion's text, its end token left out. Tokens are never made from it again.
    pub text: String,
    pub verdict: Verdict,
}

/// The completions of one problem.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    pub problem: Problem,
    pub prompt: Vec<Token>,
    pub trajectories: Vec<Trajectory>,
}

/// What a group is drawn with.
pub struct Rollout<'a> {
    pub env: &'a dyn Env,
    pub tokenizer: &'a Tokenizer,
    pub sampling: Sampling,
    pub seed: u64,
}

/// Seconds that drawing and judging took.
#[derive(Clone, Copy, Debug, Default)]
pub struct Took {
    pub sample: f64,
    pub judge: f64,
}

impl Rollout<'_> {
    /// `count` completions of each problem. Each is keyed by (seed, step, place of its problem, place in its group).
    pub fn groups(
        &self,
        policy: &mut dyn Sampler,
        step: u64,
        problems: Vec<Problem>,
        count: usize,
    ) -> Result<(Vec<Group>, Took)> {
        let start = Instant::now();
        let encode = |problem: &Problem| self.tokenizer.encode(&problem.prompt).map_err(Error::model("tokenizer"));
        let prompts = problems.iter().map(encode).collect::<Result<Vec<_>>>()?;
        let repeated: Vec<&[Token]> = prompts.iter().flat_map(|p| std::iter::repeat_n(p.as_slice(), count)).collect();
        let key = |i: usize| Key { seed: self.seed, step, prompt: (i / count) as u64, sample: (i % count) as u64 };
        let keys: Vec<Key> = (0..repeated.len()).map(key).collect();
        let completions = policy.sample(&repeated, &keys, &self.sampling).map_err(Error::model("policy"))?;
        let sample = start.elapsed().as_secs_f64();

        let mut completions = completions.into_iter();
        let mut groups = Vec::with_capacity(problems.len());
        for (problem, prompt) in problems.into_iter().zip(prompts) {
            let judged = completions.by_ref().take(count).map(|completion| self.judge(&problem, completion));
            let trajectories = judged.collect::<Result<_>>()?;
            groups.push(Group { problem, prompt, trajectories });
        }
        Ok((groups, Took { sample, judge: start.elapsed().as_secs_f64() - sample }))
    }

    fn judge(&self, problem: &Problem, completion: Completion) -> Result<Trajectory> {
        let text = self.tokenizer.decode(&completion.tokens).map_err(Error::model("tokenizer"))?;
        let ending = match completion.ending {
            oreal_models::Ending::Stopped => Ending::Stopped,
            oreal_models::Ending::Truncated => Ending::Truncated,
        };
        let verdict = self.env.judge(problem, &text, ending);
        Ok(Trajectory { completion, text, verdict })
    }
}

/// What is known of a batch without asking any model: layout, rewards, and what the sampler said. A completion that could
/// not be graded is no evidence and is taken out by [`graded`] before.
pub fn experience(groups: &[Group]) -> Experience {
    let length = |t: &Trajectory| t.completion.tokens.len();
    let lengths: Vec<Vec<usize>> = groups.iter().map(|g| g.trajectories.iter().map(length).collect()).collect();
    let all = || groups.iter().flat_map(|group| &group.trajectories);
    let truncated = |t: &Trajectory| f64::from(t.verdict == Verdict::Truncated);
    Experience::new(Layout::new(&lengths))
        .with(Column::Reward, all().map(|t| t.verdict.reward()).collect())
        .with(Column::Truncated, all().map(truncated).collect())
        .with(Column::Duplicate, groups.iter().flat_map(duplicates).collect())
        .with(Column::SampledLogp, all().flat_map(|t| t.completion.sampled_logp.iter().copied()).collect())
}

/// The groups without completions that could not be graded.
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
mod tests {
    use oreal_algos::Level;

    use super::*;

    fn trajectory(tokens: &[Token], verdict: Verdict) -> Trajectory {
        let sampled_logp = tokens.iter().map(|&token| -f64::from(token)).collect();
        let completion = Completion { tokens: tokens.to_vec(), sampled_logp, ending: oreal_models::Ending::Stopped };
        Trajectory { completion, text: String::new(), verdict }
    }

    fn group(prompt: Token, trajectories: Vec<Trajectory>) -> Group {
        let problem = Problem { id: 0, prompt: String::new(), answer: String::new() };
        Group { problem, prompt: vec![prompt], trajectories }
    }

    fn groups() -> Vec<Group> {
        let [right, wrong, truncated] = [Verdict::Right, Verdict::Wrong, Verdict::Truncated];
        vec![
            group(7, vec![trajectory(&[1, 2], right), trajectory(&[3], Verdict::Ungraded), trajectory(&[1, 2], right)]),
            group(8, vec![trajectory(&[9], Verdict::Ungraded)]),
            group(9, vec![trajectory(&[1, 2], wrong), trajectory(&[4, 5, 6], truncated)]),
        ]
    }

    #[test]
    fn experience_says_what_happened() {
        let groups = graded(groups());
        let x = experience(&groups);
        assert_eq!(x.layout().lengths(), [vec![2, 2], vec![2, 3]]);
        assert_eq!(x.column(Column::Reward), Some(&[1.0, 1.0, 0.0, 0.0][..]));
        assert_eq!(x.column(Column::Duplicate), Some(&[0.0, 1.0, 0.0, 0.0][..]), "the same tokens in one group");
        assert_eq!(x.column(Column::Truncated), Some(&[0.0, 0.0, 0.0, 1.0][..]));
        let sampled = [-1.0, -2.0, -1.0, -2.0, -1.0, -2.0, -4.0, -5.0, -6.0];
        assert_eq!(x.column(Column::SampledLogp), Some(&sampled[..]));
    }

    #[test]
    fn sequences_lie_as_in_experience() {
        let groups = graded(groups());
        let sequences = sequences(&groups);
        let prompts: Vec<Token> = sequences.iter().map(|sequence| sequence.prompt[0]).collect();
        assert_eq!(prompts, [7, 7, 9, 9]);
        let tokens: usize = sequences.iter().map(|sequence| sequence.completion.len()).sum();
        assert_eq!(tokens, experience(&groups).layout().count(Level::Token));
    }
}
