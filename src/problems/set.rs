//! A problem set: which questions of the files are used, in which split, and under which id.

use std::collections::{HashMap, HashSet};

use oreal_math::{Gold, Verdict};
use oreal_toy_envs::{IllegalSetting, Message, Prompt, Speaker, Split};

use super::left_out::{Cause, LeftOut, notices};
use super::read::{Question, Weight, questions};
use super::settings::{Balance, Fields, HeldOut, ProblemSettings};
use crate::epoch::mix;

/// The problems of both splits.
#[derive(Debug)]
pub(super) struct Set {
    tasks: Vec<Task>,
    by_id: HashMap<u64, usize>,
    /// Indices of tasks; one is there as often as it is trained on in an epoch.
    train: Vec<usize>,
    held_out: Vec<usize>,
    left_out: Vec<LeftOut>,
}

/// A problem that is used.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) id: u64,
    /// As the file has it.
    pub(super) question: String,
    pub(super) prompt: Prompt,
    /// The gold answer as it was written.
    pub(super) answer: String,
    pub(super) gold: Gold,
}

impl Set {
    /// Reads the files and decides.
    pub(super) fn new(settings: &ProblemSettings) -> Result<Set, IllegalSetting> {
        let mut left_out = Vec::new();
        let (train, held_out) = splits(settings, &mut left_out)?;
        let (train, too_easy): (Vec<_>, Vec<_>) = train.into_iter().partition(|question| question.copies > 0);
        left_out.extend(too_easy.into_iter().map(|question| out(question, Cause::PassRate)));
        for (key, questions) in [("file", &train), ("held_out", &held_out)] {
            if questions.is_empty() {
                return Err(none_left(key, settings, &left_out));
            }
        }
        let mut set =
            Set { tasks: Vec::new(), by_id: HashMap::new(), train: Vec::new(), held_out: Vec::new(), left_out };
        for question in train {
            let (copies, index) = (question.copies, set.add(question, settings));
            set.train.extend(std::iter::repeat_n(index, copies));
        }
        for question in held_out {
            let index = set.add(question, settings);
            set.held_out.push(index);
        }
        Ok(set)
    }

    /// How many problems a split has, copies counted.
    pub(super) fn count(&self, split: Split) -> u64 {
        self.indices(split).len() as u64
    }

    /// The problem at an index modulo the count.
    pub(super) fn at(&self, split: Split, index: u64) -> Option<&Task> {
        let indices = self.indices(split);
        let place = index.checked_rem(indices.len() as u64)?;
        self.tasks.get(*indices.get(place as usize)?)
    }

    pub(super) fn with_id(&self, id: u64) -> Option<&Task> {
        self.tasks.get(*self.by_id.get(&id)?)
    }

    pub(super) fn left_out(&self) -> &[LeftOut] {
        &self.left_out
    }

    /// What was read, and what of it is not used.
    pub(super) fn notices(&self) -> Vec<String> {
        let (train, held_out) = (self.tasks.len() - self.held_out.len(), self.held_out.len());
        let copies = match self.train.len() {
            all if all == train => String::new(),
            all => format!(" ({all} with copies)"),
        };
        let counts = format!("{train} problems to train on{copies}, {held_out} held out");
        std::iter::once(counts).chain(notices(&self.left_out)).collect()
    }

    fn indices(&self, split: Split) -> &[usize] {
        match split {
            Split::Train => &self.train,
            Split::HeldOut => &self.held_out,
        }
    }

    /// A task of a question, and its index. Should two prompts have one hash, the later one gets the next free id.
    fn add(&mut self, question: Question, settings: &ProblemSettings) -> usize {
        let prompt = prompt(&question.text, settings);
        let mut id = hash(IDS, &prompt.to_string());
        while self.by_id.contains_key(&id) {
            id = id.wrapping_add(1);
        }
        let index = self.tasks.len();
        self.by_id.insert(id, index);
        let Question { text, answer, gold, .. } = question;
        self.tasks.push(Task { id, question: text, prompt, answer, gold });
        index
    }
}

/// Different questions to train on, and different ones that are held out.
fn splits(
    settings: &ProblemSettings,
    left_out: &mut Vec<LeftOut>,
) -> Result<(Vec<Question>, Vec<Question>), IllegalSetting> {
    let once = Weight { balance: Balance::Off, pass_rate: "" };
    let weight = Weight { balance: settings.balance, pass_rate: &settings.pass_rate };
    let mut read = |key: &str, file: &str, fields: Result<Fields, IllegalSetting>, weight| {
        let wrong = |problem: String| IllegalSetting { key: key.to_owned(), problem };
        if file.is_empty() {
            return Err(wrong("missing: name a file of problems, JSONL or parquet".to_owned()));
        }
        let questions = questions(file, &fields?, weight, left_out).map_err(|problem| wrong(problem.to_string()))?;
        Ok(distinct(questions, left_out))
    };
    let train = read("file", &settings.file, settings.fields(), &weight)?;
    let held_out = match &settings.held_out {
        HeldOut::Share(share) => {
            // 2^64 times the share; as `as` rounds towards the ends of the range, any share is safe.
            let below = (share * 2_f64.powi(64)) as u64;
            let (held_out, train) = train.into_iter().partition(|question| hash(SPLIT, &question.words()) < below);
            return Ok((train, held_out));
        }
        HeldOut::File(file) => read("held_out", file, settings.fields(), &once)?,
        HeldOut::Set(set) => read("held_out", &set.file, set.fields(), &once)?,
    };
    let words: HashSet<String> = held_out.iter().map(Question::words).collect();
    let (both, train): (Vec<_>, Vec<_>) = train.into_iter().partition(|question| words.contains(&question.words()));
    left_out.extend(both.into_iter().map(|question| out(question, Cause::HeldOut)));
    Ok((train, held_out))
}

/// The first of each question. Where gold answers differ, none of them is right for sure, and all are left out.
fn distinct(questions: Vec<Question>, left_out: &mut Vec<LeftOut>) -> Vec<Question> {
    let mut first: HashMap<String, usize> = HashMap::new();
    let mut groups: Vec<Vec<Question>> = Vec::new();
    for question in questions {
        let group = *first.entry(question.words()).or_insert(groups.len());
        match groups.get_mut(group) {
            Some(group) => group.push(question),
            None => groups.push(vec![question]),
        }
    }
    let mut kept = Vec::with_capacity(groups.len());
    for mut group in groups {
        if group.first().is_some_and(|first| group.iter().all(|other| same_answer(first, other))) {
            let repeated = group.split_off(1);
            kept.append(&mut group);
            left_out.extend(repeated.into_iter().map(|question| out(question, Cause::Repeated)));
        } else {
            left_out.extend(group.into_iter().map(|question| out(question, Cause::Contradicted)));
        }
    }
    kept
}

fn same_answer(a: &Question, b: &Question) -> bool {
    a.answer == b.answer || a.gold.grade(&b.answer).verdict == Verdict::Right
}

fn out(question: Question, cause: Cause) -> LeftOut {
    LeftOut { place: question.place, cause, detail: String::new() }
}

fn none_left(key: &str, settings: &ProblemSettings, left_out: &[LeftOut]) -> IllegalSetting {
    let reasons: String = notices(left_out).iter().map(|notice| format!("; {notice}")).collect();
    let what = match (key, &settings.held_out) {
        ("held_out", HeldOut::Share(share)) => format!("a share of {share} holds no problem of {}", settings.file),
        ("held_out", _) => "no problems are held out".to_owned(),
        _ => format!("{} has no problems to train on", settings.file),
    };
    IllegalSetting { key: key.to_owned(), problem: format!("{what}{reasons}") }
}

pub(super) fn prompt(question: &str, settings: &ProblemSettings) -> Prompt {
    conversation(question, &settings.system, settings.instruction())
}

/// A question as it is put to a model: perhaps a system message, then the question with the instruction on a line of its own.
pub(crate) fn conversation(question: &str, system: &str, instruction: &str) -> Prompt {
    let asked = match instruction {
        "" => question.to_owned(),
        instruction => format!("{question}\n{instruction}"),
    };
    let system = (!system.is_empty()).then(|| Message { role: Speaker::System, content: system.to_owned() });
    system.into_iter().chain([Message { role: Speaker::User, content: asked }]).collect::<Vec<_>>().into()
}

/// Keys of the hashes: what each decides.
const IDS: u64 = 1;
const SPLIT: u64 = 2;

fn hash(key: u64, text: &str) -> u64 {
    text.bytes().fold(mix(key), |state, byte| mix(state ^ u64::from(byte)))
}
