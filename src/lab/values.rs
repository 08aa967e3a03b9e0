//! What further rollouts would give, exactly: the pass rate of a prefix, and the reward of the most likely completion.

use oreal_algos::{Column, Continuation, Experience, Level, Source};
use oreal_models::{State, Token};

use super::answer_table::AnswerIndex;
use super::{Lab, next_token};
use crate::error::Result;

impl Lab {
    /// Probability that a completion of a question is right, given its first tokens: the limit of a mean over many completions
    /// of the prefix. 0 for a prefix that cannot be drawn.
    pub fn value(&self, question: usize, prefix: &[Token]) -> f64 {
        let answers = self.questions[question].answers.iter().zip(self.probabilities(question));
        let (mut right, mut all) = (0.0, 0.0);
        for (answer, probability) in answers.filter(|(answer, _)| answer.tokens.starts_with(prefix)) {
            right += probability * answer.verdict.reward();
            all += probability;
        }
        if all > 0.0 { right / all } else { 0.0 }
    }

    /// Reward of the completion of a question whose tokens are each the most likely one.
    pub fn greedy_reward(&self, question: usize) -> f64 {
        let question = &self.questions[question];
        let longest = question.answers.iter().map(|answer| answer.tokens.len()).max().unwrap_or(0);
        let mut state = State { prompt: question.prompt.clone(), prefix: Vec::new() };
        for _ in 0..longest {
            let probabilities = next_token(self.sampler(), &state);
            let mut best = 0;
            for (token, p) in probabilities.iter().enumerate() {
                best = if *p > probabilities[best] { token } else { best };
            }
            state.prefix.push(best as Token);
            if let Some(answer) = question.answers.iter().find(|answer| answer.tokens == state.prefix) {
                return answer.verdict.reward();
            }
        }
        0.0
    }
}

/// Puts those of the columns that come from further rollouts in place, for every completion of a lab.
pub(super) fn fill(lab: &Lab, x: &mut Experience, columns: &[Column], indices: &[AnswerIndex]) -> Result<()> {
    for &column in columns {
        let Source::Continued(how) = column.source() else { continue };
        let mut values = Vec::new();
        for AnswerIndex { question, answer } in indices {
            let tokens = &lab.questions[*question].answers[*answer].tokens;
            let lengths = if column.level() == Level::Token { 0..tokens.len() } else { 0..1 };
            values.extend(lengths.map(|length| match how {
                Continuation::Drawn => lab.value(*question, &tokens[..length]),
                Continuation::Greedy => lab.greedy_reward(*question),
            }));
        }
        x.set(column, values)?;
    }
    Ok(())
}
