//! A prompt with every possible completion.

use oreal_models::{Table, Token};
use oreal_toy_envs::{Ending, Problem, Verdict, World, enumerate};

use crate::error::{Error, Result};
use crate::renderer::{Characters, Renderer};

/// One prompt and every completion that a policy can generate.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// Tokens of the prompt.
    pub prompt: Vec<Token>,
    /// The completions, each listed once.
    pub answers: Vec<Answer>,
}

/// A completion and the environment's verdict on it.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// Tokens of the completion, with the end token if the policy stopped by itself.
    pub tokens: Vec<Token>,
    /// Right, or the reason why it is not.
    pub verdict: Verdict,
}

impl Question {
    /// A question from its completions, each with whether it is right.
    pub fn new(prompt: &[Token], completions: impl IntoIterator<Item = (Vec<Token>, bool)>) -> Question {
        let verdict = |right| if right { Verdict::Right } else { Verdict::Wrong };
        let answer = |(tokens, right)| Answer { tokens, verdict: verdict(right) };
        Question { prompt: prompt.to_vec(), answers: completions.into_iter().map(answer).collect() }
    }

    /// A problem of an environment, with the verdict on every completion whose probability under `policy` is above 0.
    ///
    /// # Errors
    /// If the environment has too many completions to enumerate, or a text cannot be rendered as tokens.
    pub fn of(env: &dyn World, problem: &Problem, renderer: &Characters, policy: &Table) -> Result<Question> {
        let count = enumerate::count(env.alphabet().chars().count(), env.max_tokens());
        if count.is_none_or(|count| count > MAX_COMPLETIONS) {
            let problem = format!("{} has too many completions to enumerate: more than {MAX_COMPLETIONS}", env.name());
            return Err(Error::setting("lab", problem));
        }
        let prompt = renderer.prompt(&problem.prompt)?;
        let mut answers = Vec::new();
        for (text, ending, verdict) in enumerate::judged(env, problem) {
            let mut tokens = renderer.completion(&text)?;
            if ending == Ending::Truncated {
                tokens.pop();
            }
            if policy.probability(&prompt, &tokens) > 0.0 {
                answers.push(Answer { tokens, verdict });
            }
        }
        Ok(Question { prompt, answers })
    }

    /// Probability of each completion under a policy, in the order of `answers`.
    pub fn probabilities(&self, policy: &Table) -> Vec<f64> {
        self.answers.iter().map(|answer| policy.probability(&self.prompt, &answer.tokens)).collect()
    }

    /// Expected reward under a policy: the probability of a right completion.
    pub fn pass_rate(&self, policy: &Table) -> f64 {
        self.answers.iter().zip(self.probabilities(policy)).map(|(answer, p)| answer.verdict.reward() * p).sum()
    }

    /// An error, which names `location`, unless the question has completions, and each of them is unique, graded, not
    /// empty and made of tokens of the vocabulary.
    pub(super) fn validate(&self, location: &str, vocabulary: usize) -> Result<()> {
        let wrong = |problem: String| Err(Error::setting(format!("lab, {location}"), problem));
        let tokens = || self.answers.iter().flat_map(|answer| &answer.tokens).chain(&self.prompt);
        if self.answers.is_empty() || self.answers.iter().any(|answer| answer.tokens.is_empty()) {
            return wrong("every question needs a completion, and every completion a token".into());
        }
        if let Some(token) = tokens().find(|&&token| token as usize >= vocabulary) {
            return wrong(format!("token {token} is not in the policy's vocabulary of {vocabulary}"));
        }
        if self.answers.iter().any(|answer| answer.verdict == Verdict::Ungraded) {
            return wrong("a completion is ungraded: leave it out".into());
        }
        let twice = |i: usize| self.answers[..i].iter().any(|other| other.tokens == self.answers[i].tokens);
        match (1..self.answers.len()).find(|&i| twice(i)) {
            Some(i) => wrong(format!("completion {:?} is listed twice", self.answers[i].tokens)),
            None => Ok(()),
        }
    }
}

/// Most completions of a question that are enumerated.
const MAX_COMPLETIONS: u128 = 1_000_000;
