//! What a file says of a problem set.

use clap::ValueEnum;
use oreal_math::Decimals;
use oreal_toy_envs::IllegalSetting;
use serde::{Deserialize, Serialize};

use crate::judge::JudgeSettings;
use crate::rule::{DecimalsName, RuleName};

/// The settings of [`super::Problems`]. Files are named from the folder that the program is started in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProblemSettings {
    /// The problems to train on: JSONL or parquet.
    pub file: String,
    /// The problems that are never trained on.
    pub held_out: HeldOut,
    /// Where the file comes from, which says its fields.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// Field of the question, where it is another than the source says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub question: Option<String>,
    /// Field of the gold answer, where it is another than the source says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gold: Option<String>,
    /// What the decimals of gold answers mean, where it is something else than the source says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decimals: Option<DecimalsName>,
    /// Field of the pass rate, from 0 to 1; read only where `balance` needs it.
    pub pass_rate: String,
    /// How often each problem is trained on in an epoch.
    pub balance: Balance,
    /// Where a completion has its answer.
    pub rule: RuleName,
    /// The system message; without a text there is none.
    pub system: String,
    /// What follows each question, on a line of its own. Where it is not given, what `rule` needs to be said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instruction: Option<String>,
    /// Longest completion worth sampling, in tokens, end token included.
    pub max_tokens: usize,
    /// A model that judges what the rules leave open; see [`crate::judge`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub judge: Option<JudgeSettings>,
}

/// The problems that are never trained on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "must be a share such as 0.1, a file, or a table of file, source, question, gold and decimals"
)]
pub enum HeldOut {
    /// About this share of the file, chosen by a hash of the question: it does not depend on the order of the file, nor on
    /// which other problems are in it.
    Share(f64),
    /// Another file with the same fields.
    File(String),
    /// Another file with fields of its own.
    Set(HeldOutFile),
}

/// A file of held-out problems with fields of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeldOutFile {
    /// JSONL or parquet.
    pub file: String,
    /// Where it comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// Field of the question, where it is another than the source says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub question: Option<String>,
    /// Field of the gold answer, where it is another than the source says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gold: Option<String>,
    /// What the decimals of gold answers mean, where it is something else than the source says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decimals: Option<DecimalsName>,
}

/// Where a file comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[value(rename_all = "lower")]
pub enum Source {
    /// MATH and MATH-500 (Hendrycks et al. 2021, Lightman et al. 2023).
    Math,
    /// GSM8K (Cobbe et al. 2021).
    Gsm8k,
    /// AIME.
    Aime,
    /// AMC, whose answers are numbers.
    Amc,
    /// Minerva's questions from courses (Lewkowycz et al. 2022).
    Minerva,
    /// OlympiadBench (He et al. 2024).
    OlympiadBench,
    /// Gaokao 2023 in English.
    Gaokao,
    /// The prompts that OREAL released (Lyu et al. 2025).
    Oreal,
}

/// How often each problem is trained on in an epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Balance {
    /// Once.
    #[default]
    Off,
    /// By its pass rate, as OREAL's released code does: 6 times below 0.2, 4 times below 0.6, twice below 0.8, else not at
    /// all.
    Released,
}

/// The fields that a problem is made of, and what they mean.
#[derive(Clone, Debug)]
pub(super) struct Fields {
    pub(super) question: String,
    pub(super) gold: String,
    /// How the gold answer is taken from its field.
    pub(super) taken: Taken,
    /// A field that is not null where the gold answer has a tolerance.
    pub(super) tolerance: Option<&'static str>,
    pub(super) decimals: Decimals,
}

/// How a gold answer is taken from its field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// All of it.
    Whole,
    /// What follows the last `####`.
    AfterHashes,
    /// The last box.
    LastBox,
}

impl ProblemSettings {
    /// Refuses values without sense, each by itself.
    pub(super) fn validate(&self) -> Result<(), IllegalSetting> {
        if let HeldOut::Share(share) = self.held_out
            && !(share > 0.0 && share < 1.0)
        {
            return Err(IllegalSetting::new("held_out", "more than 0 and less than 1", share));
        }
        if self.max_tokens == 0 {
            return Err(IllegalSetting::new("max_tokens", "at least 1", 0));
        }
        Ok(())
    }

    /// What follows each question.
    pub(crate) fn instruction(&self) -> &str {
        self.instruction.as_deref().unwrap_or_else(|| self.rule.instruction())
    }

    /// The fields of the problems to train on.
    pub(super) fn fields(&self) -> Result<Fields, IllegalSetting> {
        fields("source", self.source, self.question.as_ref(), self.gold.as_ref(), self.decimals)
    }
}

impl HeldOutFile {
    /// Its fields.
    pub(super) fn fields(&self) -> Result<Fields, IllegalSetting> {
        fields("held_out", self.source, self.question.as_ref(), self.gold.as_ref(), self.decimals)
    }
}

impl Balance {
    /// How often a problem with a pass rate is trained on in an epoch.
    pub(super) fn copies(self, pass_rate: f64) -> usize {
        match self {
            Balance::Off => 1,
            Balance::Released if pass_rate < 0.2 => 6,
            Balance::Released if pass_rate < 0.6 => 4,
            Balance::Released if pass_rate < 0.8 => 2,
            Balance::Released => 0,
        }
    }
}

impl Default for ProblemSettings {
    fn default() -> Self {
        ProblemSettings {
            file: String::new(),
            held_out: HeldOut::Share(0.1),
            source: None,
            question: None,
            gold: None,
            decimals: None,
            pass_rate: "pass_rate".to_owned(),
            balance: Balance::Off,
            rule: RuleName::Any,
            system: String::new(),
            instruction: None,
            max_tokens: 1024,
            judge: None,
        }
    }
}

/// Those of a source, with others put over them. `key` is blamed where there are too few.
fn fields(
    key: &str,
    source: Option<Source>,
    question: Option<&String>,
    gold: Option<&String>,
    decimals: Option<DecimalsName>,
) -> Result<Fields, IllegalSetting> {
    let of_source = source.map(Source::fields);
    let missing = || {
        let problem = "say where the file comes from (source = math, gsm8k, aime, amc, minerva, olympiadbench, gaokao or oreal), \
                       or name its fields (question and gold)";
        IllegalSetting { key: key.to_owned(), problem: problem.to_owned() }
    };
    let (question_of, gold_of) = (of_source.map(|of| of.0.to_owned()), of_source.map(|of| of.1.to_owned()));
    Ok(Fields {
        question: question.cloned().or(question_of).ok_or_else(missing)?,
        taken: if gold.is_some() { Taken::Whole } else { of_source.map_or(Taken::Whole, |of| of.2) },
        gold: gold.cloned().or(gold_of).ok_or_else(missing)?,
        tolerance: (source == Some(Source::OlympiadBench)).then_some("error"),
        decimals: decimals.unwrap_or_else(|| source.map_or(DecimalsName::Unknown, Source::decimals)).into(),
    })
}

impl Source {
    /// Field of the question, field of the gold answer, and how it is taken from that. OlympiadBench's `final_answer` is a
    /// list of one text.
    fn fields(self) -> (&'static str, &'static str, Taken) {
        match self {
            Source::Math | Source::Aime | Source::Amc => ("problem", "answer", Taken::Whole),
            Source::Gsm8k => ("question", "answer", Taken::AfterHashes),
            Source::Minerva => ("problem", "solution", Taken::LastBox),
            Source::OlympiadBench => ("question", "final_answer", Taken::Whole),
            Source::Gaokao => ("question", "answer", Taken::Whole),
            Source::Oreal => ("question", "gold_answer", Taken::Whole),
        }
    }

    /// Field of the question.
    pub(crate) fn question(self) -> &'static str {
        self.fields().0
    }

    /// Field of a worked solution; `None` where a file has none.
    pub(crate) fn solution(self) -> Option<&'static str> {
        match self {
            Source::Math | Source::Aime | Source::Minerva | Source::OlympiadBench => Some("solution"),
            Source::Gsm8k => Some("answer"),
            Source::Amc | Source::Gaokao | Source::Oreal => None,
        }
    }

    /// What the decimals of its gold answers mean. Minerva's are results of physics and chemistry.
    fn decimals(self) -> DecimalsName {
        match self {
            Source::Minerva => DecimalsName::Rounded,
            Source::Math | Source::Gsm8k | Source::Aime | Source::Amc => DecimalsName::Unknown,
            Source::OlympiadBench | Source::Gaokao | Source::Oreal => DecimalsName::Unknown,
        }
    }
}
