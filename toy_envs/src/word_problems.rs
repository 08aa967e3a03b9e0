//! Word problems with worked steps: text to pretrain, fine-tune and train a small language model on.
//!
//! ```text
//! Mia has 7 shells. Then Omar gives Mia 5 more. Then Mia loses 4 shells. How many shells does Mia have now?
//! ```
//! ```text
//! Mia starts with 7 shells.
//! 7 + 5 = 12
//! 12 - 4 = 8
//! The answer is \boxed{8}.
//! ```
//!
//! They are no [`Env`](crate::Env): written to a file, they are a problem set like any other.

use std::collections::HashSet;

use rand::seq::IndexedRandom;
use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use crate::settings::{IllegalSetting, within};

/// Stories of up to `steps` steps about numbers up to `largest`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WordProblems {
    steps: u32,
    largest: u32,
    mistakes: f64,
}

/// A problem, with the names of the fields of MATH.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WordProblem {
    /// The question.
    pub problem: String,
    /// A line for each step; the last has the answer in a box. It may be wrong: see [`WordProblems::with_mistakes`].
    pub solution: String,
    /// The right answer, as a numeral.
    pub answer: String,
    /// Number of steps.
    pub level: u32,
    /// The operation of the last step.
    pub subject: String,
}

impl WordProblems {
    /// From 1 to 8 steps, and numbers up to `largest`, from 10 to 1000.
    ///
    /// # Errors
    /// [`IllegalSetting`] with the key.
    pub fn new(steps: u32, largest: u32) -> Result<Self, IllegalSetting> {
        Ok(Self {
            steps: within("steps", 1..=8, steps.into())?,
            largest: within("largest", 10..=1000, largest.into())?,
            mistakes: 0.0,
        })
    }

    /// With a share of solutions whose last step is a little wrong, and the box with it: those of an imperfect teacher.
    ///
    /// # Errors
    /// [`IllegalSetting`] for a share that is not from 0 to 1.
    pub fn with_mistakes(self, mistakes: f64) -> Result<Self, IllegalSetting> {
        match (0.0..=1.0).contains(&mistakes) {
            true => Ok(Self { mistakes, ..self }),
            false => Err(IllegalSetting::new("mistakes", "from 0 to 1", mistakes)),
        }
    }

    /// A problem; no number in it, nor the answer, exceeds the largest.
    pub fn draw(&self, rng: &mut dyn Rng) -> WordProblem {
        let mut story = Story::start(self.largest, rng);
        let steps = rng.random_range(1..=self.steps);
        let mut subject = Operation::Add;
        for _ in 0..steps {
            subject = story.go_on(self.largest, rng);
        }
        let slip = (rng.random::<f64>() < self.mistakes).then(|| rng.random_range(1..=3));
        story.tell(steps, subject, slip)
    }

    /// Different problems, at most `count`: fewer where so many different ones are not found.
    pub fn distinct(&self, count: usize, rng: &mut dyn Rng) -> Vec<WordProblem> {
        let (mut seen, mut all, mut repeated) = (HashSet::new(), Vec::new(), 0);
        while all.len() < count && repeated < 1000 {
            let problem = self.draw(rng);
            if seen.insert(problem.problem.clone()) {
                all.push(problem);
                repeated = 0;
            } else {
                repeated += 1;
            }
        }
        all
    }
}

impl Default for WordProblems {
    fn default() -> Self {
        Self { steps: 3, largest: 99, mistakes: 0.0 }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    Add,
    Subtract,
    Multiply,
    Divide,
}

impl Operation {
    fn name(self) -> &'static str {
        match self {
            Self::Add => "addition",
            Self::Subtract => "subtraction",
            Self::Multiply => "multiplication",
            Self::Divide => "division",
        }
    }

    fn sign(self) -> char {
        match self {
            Self::Add => '+',
            Self::Subtract => '-',
            Self::Multiply => '*',
            Self::Divide => '/',
        }
    }
}

/// A story so far.
struct Story {
    name: &'static str,
    things: &'static str,
    now: u32,
    sentences: Vec<String>,
    lines: Vec<String>,
}

const NAMES: [&str; 16] = [
    "Mia", "Omar", "Lena", "Tom", "Ana", "Ravi", "Zoe", "Ben", "Ida", "Sam", "Nora", "Leo", "Eva", "Max", "Lily",
    "Jonas",
];

const THINGS: [&str; 12] =
    ["shells", "apples", "coins", "cards", "books", "stamps", "pens", "stones", "eggs", "beads", "nuts", "balls"];

impl Story {
    fn start(largest: u32, rng: &mut dyn Rng) -> Self {
        let (name, things) = (any(&NAMES, rng), any(&THINGS, rng));
        let now = rng.random_range(2..=largest / 2);
        let (sentence, line) = (format!("{name} has {now} {things}."), format!("{name} starts with {now} {things}."));
        Self { name, things, now, sentences: vec![sentence], lines: vec![line] }
    }

    /// One event. Which are possible depends on how many things there are; adding or taking one always is.
    fn go_on(&mut self, largest: u32, rng: &mut dyn Rng) -> Operation {
        let now = self.now;
        let factors: Vec<u32> = (2..=5).filter(|factor| now > 0 && now * factor <= largest).collect();
        let shares: Vec<u32> = (2..=9).filter(|share| now > *share && now.is_multiple_of(*share)).collect();
        let mut possible = Vec::new();
        possible.extend((now < largest).then_some(Operation::Add));
        possible.extend((now > 1).then_some(Operation::Subtract));
        possible.extend((!factors.is_empty()).then_some(Operation::Multiply));
        possible.extend((!shares.is_empty()).then_some(Operation::Divide));
        let operation = any(&possible, rng);
        let (number, result) = match operation {
            Operation::Add => {
                let more = rng.random_range(1..=(largest - now).min(largest / 2));
                (more, now + more)
            }
            Operation::Subtract => {
                let fewer = rng.random_range(1..now);
                (fewer, now - fewer)
            }
            Operation::Multiply => {
                let factor = any(&factors, rng);
                (factor, now * factor)
            }
            Operation::Divide => {
                let share = any(&shares, rng);
                (share, now / share)
            }
        };
        let event = self.event(operation, number, rng);
        self.sentences.push(event);
        self.lines.push(format!("{now} {} {number} = {result}", operation.sign()));
        self.now = result;
        operation
    }

    fn event(&self, operation: Operation, n: u32, rng: &mut dyn Rng) -> String {
        let Self { name, things, .. } = self;
        let others: Vec<&str> = NAMES.into_iter().filter(|other| other != name).collect();
        let other = any(&others, rng);
        let kind = rng.random_range(0..3);
        match (operation, kind) {
            (Operation::Add, 0) => format!("Then {other} gives {name} {n} more."),
            (Operation::Add, 1) => format!("Then {name} finds {n} {things}."),
            (Operation::Add, _) => format!("Then {name} buys {n} more {things}."),
            (Operation::Subtract, 0) => format!("Then {name} gives {n} {things} to {other}."),
            (Operation::Subtract, 1) => format!("Then {name} loses {n} {things}."),
            (Operation::Subtract, _) => format!("Then {name} sells {n} of the {things}."),
            (Operation::Multiply, 0) => format!("Then {name} gets {n} times as many {things}."),
            (Operation::Multiply, 1) => format!("Soon there are {n} times as many {things}."),
            (Operation::Multiply, _) => format!("Then the number of {things} grows to {n} times as many."),
            (Operation::Divide, 0) => format!("Then {name} puts them into {n} equal piles and keeps one pile."),
            (Operation::Divide, 1) => {
                format!("Then {name} shares them equally among {n} friends, and takes one share.")
            }
            (Operation::Divide, _) => format!("Then only one of every {n} {things} is left."),
        }
    }

    /// With a slip, the last step's result is too large by that.
    fn tell(mut self, level: u32, subject: Operation, slip: Option<u32>) -> WordProblem {
        let Self { name, things, now, .. } = self;
        let said = now + slip.unwrap_or(0);
        if let (Some(_), Some(last)) = (slip, self.lines.last_mut()) {
            last.truncate(last.rfind(' ').map_or(0, |space| space + 1));
            last.push_str(&said.to_string());
        }
        self.sentences.push(format!("How many {things} does {name} have now?"));
        self.lines.push(format!("The answer is \\boxed{{{said}}}."));
        WordProblem {
            problem: self.sentences.join(" "),
            solution: self.lines.join("\n"),
            answer: now.to_string(),
            level,
            subject: subject.name().into(),
        }
    }
}

/// One of them; the lists of this file are never empty.
fn any<T: Copy>(from: &[T], rng: &mut dyn Rng) -> T {
    *from.choose(rng).expect("a list that is not empty")
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::ChaCha8Rng;

    use super::*;

    /// Follows the lines of a solution: each is a true equation that starts from the result before it.
    fn follow(problem: &WordProblem) -> i64 {
        let mut lines = problem.solution.lines();
        let words: Vec<&str> = lines.next().unwrap().split(' ').collect();
        let mut now: i64 = words[3].parse().unwrap();
        for line in lines.by_ref().take(problem.level as usize) {
            let [left, sign, right, "=", result] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
            let [left, right, result] = [left, right, result].map(|text| text.parse::<i64>().unwrap());
            assert_eq!(left, now, "{}", problem.solution);
            now = match sign {
                "+" => left + right,
                "-" => left - right,
                "*" => left * right,
                _ => left / right,
            };
            assert!(now == result && (sign != "/" || left % right == 0), "{line}");
            assert!((1..=99).contains(&now), "{line}");
        }
        assert_eq!(lines.next().unwrap(), format!("The answer is \\boxed{{{now}}}."));
        now
    }

    #[test]
    fn solutions_are_right_and_told_in_the_question() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let all = WordProblems::default().distinct(3000, &mut rng);
        assert_eq!(all.len(), 3000);
        for problem in &all {
            assert_eq!(follow(problem).to_string(), problem.answer);
            let numbers = problem.problem.split(|c: char| !c.is_ascii_digit()).filter(|word| !word.is_empty());
            assert_eq!(numbers.count() as u32, problem.level + 1, "{}", problem.problem);
        }
        for (level, subject) in [(1, "addition"), (2, "subtraction"), (3, "multiplication"), (1, "division")] {
            assert!(all.iter().any(|p| p.level == level && p.subject == subject), "{level} {subject}");
        }
    }

    #[test]
    fn mistakes_are_as_many_as_asked_and_in_the_last_step() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let all = WordProblems::default().with_mistakes(0.4).unwrap().distinct(2000, &mut rng);
        let boxed = |problem: &WordProblem| format!("\\boxed{{{}}}.", problem.answer);
        let wrong: Vec<_> = all.iter().filter(|problem| !problem.solution.ends_with(&boxed(problem))).collect();
        assert!((700..900).contains(&wrong.len()), "{} of 2000 are wrong", wrong.len());
        for problem in wrong {
            let lines: Vec<&str> = problem.solution.lines().collect();
            let said: u32 = lines[lines.len() - 2].rsplit(' ').next().unwrap().parse().unwrap();
            assert_eq!(lines[lines.len() - 1], format!("The answer is \\boxed{{{said}}}."));
            assert!((1..=3).contains(&(said - problem.answer.parse::<u32>().unwrap())), "{}", problem.solution);
        }
        assert!(WordProblems::default().with_mistakes(1.5).unwrap_err().to_string().contains("mistakes must be"));
    }

    #[test]
    fn settings_act_and_are_checked() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let long = WordProblems::new(6, 1000).unwrap().distinct(200, &mut rng);
        assert!(long.iter().any(|p| p.level == 6));
        assert!(long.iter().any(|p| p.answer.len() == 3));
        assert!(WordProblems::new(0, 99).unwrap_err().to_string().contains("steps must be from 1 to 8"));
        assert!(WordProblems::new(1, 9).unwrap_err().to_string().contains("largest"));
    }
}
