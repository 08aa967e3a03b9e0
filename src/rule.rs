//! What grading is told, by the names that settings and options say.

use clap::ValueEnum;
use oreal_math::{Decimals, Rule};
use serde::{Deserialize, Serialize};

/// Where a response has its answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleName {
    /// The last box; else what follows the usual phrases; else the last formula or number
    #[default]
    Any,
    /// The last box only
    Boxed,
    /// What follows the last `####`, as in GSM8K
    Hashes,
    /// A letter of a multiple choice
    Choice,
}

/// What the decimals of gold answers mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DecimalsName {
    /// They may be exact or rounded
    #[default]
    Unknown,
    /// They are rounded: whatever rounds to one is right
    Rounded,
}

impl RuleName {
    /// What is usually said after a question, so that the answer is found.
    pub(crate) fn instruction(self) -> &'static str {
        match self {
            RuleName::Any | RuleName::Boxed => {
                "Please reason step by step, and put your final answer within \\boxed{}."
            }
            RuleName::Hashes => "Please reason step by step, and put your final answer after #### on the last line.",
            RuleName::Choice => "Please reason step by step, and put the letter of your choice within \\boxed{}.",
        }
    }
}

impl From<RuleName> for Rule {
    fn from(name: RuleName) -> Rule {
        match name {
            RuleName::Any => Rule::Any,
            RuleName::Boxed => Rule::Boxed,
            RuleName::Hashes => Rule::Hashes,
            RuleName::Choice => Rule::Choice,
        }
    }
}

impl From<DecimalsName> for Decimals {
    fn from(name: DecimalsName) -> Decimals {
        match name {
            DecimalsName::Unknown => Decimals::Unknown,
            DecimalsName::Rounded => Decimals::Rounded,
        }
    }
}
