//! A prompt with every completion there is.

use oreal_models::{Table, Token, Tokenizer};
use oreal_toy_envs::{Ending, Env, Problem, Verdict, enumerate};

use crate::error::{Error, Result};

/// One prompt, and every completion that a policy may give it.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    pub prompt: Vec<Token>,
    pub answers: Vec<Answer>,
}

/// A completion and the judge's word on it.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// Includes the end token where the completion ended by itself.
    pub tokens: Vec<Token>,
    pub verdict: Verdict,
}

impl Question {
    /// From completions that are right (`true`) or wrong.
    pub fn new(prompt: &[Token], completions: impl IntoIterator<Item = (Vec<Token>, bool)>) -> Question {
        let verdict = |right| if right { Verdict::Right } else { Verdict::Wrong };
        let answer = |(tokens, right)| Answer { tokens, verdict: verdict(right) };
        Question { prompt: prompt.to_vec(), answers: completions.into_iter().map(answer).collect() }
    }

    /// A problem of an environment, with the judge's word on every completion that `policy` gives some probability.
    pub fn of(env: &dyn Env, problem: &Problem, tokenizer: &Tokenizer, policy: &Table) -> Result<Question> {
        let count = enumerate::count(env.alphabet().chars().count(), env.max_tokens());
        if count.is_none_or(|count| count > MOST) {
            let problem = format!("{} has too many completions to go through: more than {MOST}", env.name());
            return Err(Error::setting("lab", problem));
        }
        let model = Error::model("tokenizer");
        let prompt = tokenizer.encode(&problem.prompt).map_err(&model)?;
        let mut answers = Vec::new();
        for (text, ending, verdict) in enumerate::judged(env, problem) {
            let mut tokens = tokenizer.encode(&text).map_err(&model)?;
            if ending == Ending::Stopped {
                tokens.push(tokenizer.end());
            }
            if policy.probability(&prompt, &tokens) > 0.0 {
                answers.push(Answer { tokens, verdict });
            }
        }
        Ok(Question { prompt, answers })
    }

    /// Probability of each completion under a policy.
    pub fn probabilities(&self, policy: &Table) -> Vec<f64> {
        self.answers.iter().map(|answer| policy.probability(&self.prompt, &answer.tokens)).collect()
    }

    /// Probability of a right answer under a policy.
    pub fn pass_rate(&self, policy: &Table) -> f64 {
        self.answers.iter().zip(self.probabilities(policy)).map(|(answer, p)| answer.verdict.reward() * p).sum()
    }

    /// Refuses what cannot be drawn or judged. `place` is named in the error.
    pub(super) fn validate(&self, place: &str, vocabulary: usize) -> Result<()> {
        let wrong = |problem: String| Err(Error::setting(format!("lab, {place}"), problem));
        let tokens = || self.answers.iter().flat_map(|answer| &answer.tokens).chain(&self.prompt);
        if self.answers.is_empty() || self.answers.iter().any(|answer| answer.tokens.is_empty()) {
            return wrong("every question needs a completion, and every completion a token".into());
        }
        if let Some(token) = tokens().find(|&&token| token as usize >= vocabulary) {
            return wrong(format!("token {token} is not in the policy's vocabulary of {vocabulary}"));
        }
        if self.answers.iter().any(|answer| answer.verdict == Verdict::Ungraded) {
            return wrong("a completion that could not be graded is no evidence: leave it out".into());
        }
        let twice = |i: usize| self.answers[..i].iter().any(|other| other.tokens == self.answers[i].tokens);
        match (1..self.answers.len()).find(|&i| twice(i)) {
            Some(i) => wrong(format!("completion {:?} is listed twice", self.answers[i].tokens)),
            None => Ok(()),
        }
    }
}

/// Completions of a question that are gone through.
const MOST: u128 = 1_000_000;
