//! Scores where only log-probabilities are served: the difference of those of two tokens.

use oreal_models::{Model, Optimiser, Sequence, Signal, Signals, Table, Token, Want};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

use super::claim::Check::Exact;
use super::claim::{Claim, Control, Topic};
use super::evidence::{Evidence, Measurement, Verdict};
use super::worlds::tree;
use crate::error::{Error, Result};
use crate::lab::Question;

pub fn claims() -> Vec<Claim> {
    vec![Claim {
        name: "score-of-two-tokens",
        topic: Topic::TokenRewards,
        source: "ours: critics and reward models on servers that know log-probabilities only",
        statement: "A score that is the difference of two tokens' log-probabilities learns as a scalar head does.",
        measures: "change of the difference by a step of gradient descent with random cotangents, against that of a scalar by a \
                   step of twice the rate",
        derivation: "log p(yes) - log p(no) is the difference of the two logits: the normaliser of the softmax cancels. So its \
                     gradient is 1 on the logit of `yes` and -1 on that of `no`, whatever the probabilities are, and a \
                     cotangent c travels as c on log p(yes) and -c on log p(no). In a transformer a logit is \
                     w·h, so the difference is (w_yes - w_no)·h: a scalar head with that weight. Both logits move by \
                     the rate times c, in opposite directions, which changes their difference twice.",
        recorded: Verdict::Holds,
        check: Exact(|| changes(&[(YES, 1.0), (NO, -1.0)])),
        control: Control {
            wrong: "the cotangent on log p(yes) alone, whose gradient depends on the probabilities",
            check: Exact(|| changes(&[(YES, 1.0)])),
        },
    }]
}

const YES: Token = 1;
const NO: Token = 2;
const RATE: f64 = 0.3;

/// What the difference changes by, where cotangents go to these tokens with these factors.
fn changes(carriers: &[(Token, f64)]) -> Result<Evidence> {
    let mut rows = Vec::new();
    for seed in 0..4 {
        let question = tree(seed, 2)?.questions()[0].clone();
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let cotangents: Vec<f64> = tokens(&question).map(|_| rng.random_range(-2.0..2.0)).collect();
        let mut head = Table::new(3, &Optimiser::EXACT)?;
        learn(&mut head, Signal::Scalar, &whole(&question), &cotangents, 2.0 * RATE)?;
        let mut policy = random(&question, &mut rng)?;
        let before = differences(&policy, &question)?;
        for &(token, factor) in carriers {
            let ends = followed_by(&question, token);
            let cotangents: Vec<f64> = cotangents.iter().map(|cotangent| factor * cotangent).collect();
            add(&mut policy, Signal::Logp, &ends, &on_last(&ends, &cotangents))?;
        }
        let norm = policy.gradient_norm().map_err(failed)?;
        policy.step(RATE, norm).map_err(failed)?;
        let expected = read(&head, Signal::Scalar, &whole(&question))?;
        let found = differences(&policy, &question)?.into_iter().zip(before).map(|(after, before)| after - before);
        for (i, (expected, found)) in expected.into_iter().zip(found).enumerate() {
            rows.push(Measurement::number(format!("tree {seed}, token {i}"), expected, found));
        }
    }
    Ok(Evidence::new(rows))
}

/// A prompt and what follows it.
type Row = (Vec<Token>, Vec<Token>);

fn whole(question: &Question) -> Vec<Row> {
    question.answers.iter().map(|answer| (question.prompt.clone(), answer.tokens.clone())).collect()
}

/// The prefix before each token of each completion.
fn tokens(question: &Question) -> impl Iterator<Item = &[Token]> {
    question.answers.iter().flat_map(|answer| (0..answer.tokens.len()).map(|length| &answer.tokens[..length]))
}

/// For each token of each completion, what is before it, and this token.
fn followed_by(question: &Question, token: Token) -> Vec<Row> {
    tokens(question).map(|prefix| (question.prompt.clone(), [prefix, &[token]].concat())).collect()
}

/// Cotangents of the last token of each row.
fn on_last(rows: &[Row], cotangents: &[f64]) -> Vec<f64> {
    let row = |((_, completion), cotangent): (&Row, &f64)| {
        let mut all = vec![0.0; completion.len()];
        all[completion.len() - 1] = *cotangent;
        all
    };
    rows.iter().zip(cotangents).flat_map(row).collect()
}

fn random(question: &Question, rng: &mut ChaCha8Rng) -> Result<Table> {
    let mut policy = Table::new(3, &Optimiser::EXACT)?;
    for prefix in tokens(question) {
        policy.set_logits(&question.prompt, prefix, &[(); 3].map(|()| rng.random_range(-2.0..2.0)));
    }
    Ok(policy)
}

fn differences(policy: &Table, question: &Question) -> Result<Vec<f64>> {
    let [yes, no] = [YES, NO].map(|token| {
        let rows = followed_by(question, token);
        let logps = read(policy, Signal::Logp, &rows)?;
        let ends = rows.iter().scan(0, |end, (_, completion)| {
            *end += completion.len();
            Some(*end - 1)
        });
        Ok::<Vec<f64>, Error>(ends.map(|end| logps[end]).collect())
    });
    Ok(yes?.into_iter().zip(no?).map(|(yes, no)| yes - no).collect())
}

fn sequences(rows: &[Row]) -> Vec<Sequence<'_>> {
    rows.iter().map(|(prompt, completion)| Sequence { prompt, completion }).collect()
}

fn want(signal: Signal) -> Want {
    Want { signals: vec![signal], temperature: 1.0 }
}

fn read(table: &Table, signal: Signal, rows: &[Row]) -> Result<Vec<f64>> {
    let mut signals = table.read(&sequences(rows), &want(signal)).map_err(failed)?;
    Ok(signals.0.remove(&signal).unwrap_or_default())
}

fn add(table: &mut Table, signal: Signal, rows: &[Row], cotangents: &[f64]) -> Result<()> {
    let (_, pass) = table.forward(&sequences(rows), &want(signal)).map_err(failed)?;
    pass.backward(&Signals([(signal, cotangents.to_vec())].into())).map_err(failed)
}

fn learn(table: &mut Table, signal: Signal, rows: &[Row], cotangents: &[f64], rate: f64) -> Result<()> {
    add(table, signal, rows, cotangents)?;
    let norm = table.gradient_norm().map_err(failed)?;
    table.step(rate, norm).map_err(failed)
}

fn failed(source: oreal_models::Error) -> Error {
    Error::model("table")(source)
}
