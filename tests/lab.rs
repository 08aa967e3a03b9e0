//! The laboratory computes what the training loop does, on average.

use std::collections::BTreeMap;

use oreal::algos::{
    Algorithm, BuiltIn, Column, Experience, Level, Objective, Repeats, Role, Select, Selection, credit_of,
};
use oreal::envs::{Bandit, Countdown, Split, World, enumerate};
use oreal::lab::{Lab, Question, Sharing, report, worlds};
use oreal::models::{Completion, Ending, Optimiser, Sequence, Table};
use oreal::renderer::{Characters, Renderer};
use oreal::roles::Roles;
use oreal::rollout::{Group, Trajectory, experience, sequences};
use oreal::text::END_TOKEN;
use oreal::update::Update;

fn assert_close(a: &[f64], b: &[f64], what: &str) {
    assert_eq!(a.len(), b.len(), "{what}");
    let off = a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(off < 1e-12, "{what}: off by {off}\n{a:?}\n{b:?}");
}

/// A world with every role saying something.
fn lab(rollouts: usize) -> Lab {
    let lab = worlds::ragged(3, rollouts).unwrap();
    let mut scores = Table::new(2, &Optimiser::EXACT).unwrap();
    for (length, score) in [(0, 0.4), (1, -0.3), (2, 0.8), (3, 0.1)] {
        scores.set_scalar(&lab.questions()[0].prompt, &[1, 1, 1][..length], score);
    }
    let reference = worlds::ragged(4, 1).unwrap().table(Role::POLICY).clone();
    lab.with(Role::REFERENCE, reference).with(Role::CRITIC, scores.clone()).with(Role::REWARD_MODEL, scores)
}

/// One ordered group as the training loop would have drawn it.
fn drawn(lab: &Lab, answers: &[usize]) -> Group {
    let question = &lab.questions()[0];
    let trajectory = |&i: &usize| {
        let tokens = question.answers[i].tokens.clone();
        let logp = |t: usize| {
            let policy = lab.table(Role::POLICY);
            let p = |length| policy.probability(&question.prompt, &tokens[..length]);
            (p(t + 1) / p(t)).ln()
        };
        let sampled_logp = Some((0..tokens.len()).map(logp).collect());
        let verdict = question.answers[i].verdict;
        let completion = Completion { tokens, sampled_logp, ending: Ending::Stopped, version: 0 };
        Trajectory { completion, text: String::new(), verdict }
    };
    let problem = enumerate::problems(&Bandit::default(), Split::Train).next().unwrap();
    let trajectories = answers.iter().map(trajectory).collect();
    Group { problem, prompt: question.prompt.clone(), trajectories, failures: Vec::new() }
}

/// How the logits of the policy move in one step at rate 1, by the loop's own stages.
fn step(lab: &Lab, algorithm: &dyn Algorithm, x: &Experience, kept: &[bool], all: &[Sequence<'_>]) -> Vec<f64> {
    let roles = [Role::POLICY, Role::REFERENCE, Role::CRITIC, Role::REWARD_MODEL];
    let tables = roles.map(|role| (role, Box::new(lab.table(role).clone())));
    let mut roles: Roles<Table> = Roles::of(BTreeMap::from(tables), 1.0);
    let objective = algorithm.objective();
    let learnt: Vec<Sequence<'_>> = all.iter().zip(kept).filter(|(_, kept)| **kept).map(|(s, _)| *s).collect();
    let mut batch = x.keep(kept);
    let data: Vec<Column> = objective.reads().into_iter().filter(|column| !column.is_signal()).collect();
    roles.fill(&mut batch, &data, &learnt).unwrap();
    Update::new(&*objective, &[], 2).accumulate(&mut roles, &|_| true, &batch, &learnt).unwrap();
    let before = logits(lab, lab.table(Role::POLICY));
    roles.step(&[(Role::POLICY, 1.0)]).unwrap();
    let after = logits(lab, roles.get(Role::POLICY).unwrap());
    after.iter().zip(before).map(|(after, before)| after - before).collect()
}

fn logits(lab: &Lab, table: &Table) -> Vec<f64> {
    let prompt = &lab.questions()[0].prompt;
    (0..3).flat_map(|length| table.row(prompt, &[1, 1][..length]).logits).collect()
}

#[test]
fn the_expected_gradient_is_the_mean_step_of_the_loop_over_ordered_groups() {
    for (name, preset, algorithm) in BuiltIn::all() {
        for rollouts in [2, 3] {
            let lab = lab(rollouts);
            let law = lab.probabilities(0);
            let credit = credit_of(&*algorithm);
            let Select::Declared(selection) = algorithm.select() else { panic!("{name} selects freely") };
            let (mut mean, mut squares) = (vec![0.0; 6], 0.0);
            for draw in 0..law.len().pow(rollouts as u32) {
                let answers: Vec<usize> = (0..rollouts).map(|i| draw / law.len().pow(i as u32) % law.len()).collect();
                let groups = [drawn(&lab, &answers)];
                let (mut x, all) = (experience(&groups, 0).unwrap(), sequences(&groups));
                let tables = [Role::POLICY, Role::REFERENCE, Role::CRITIC].map(|r| (r, Box::new(lab.table(r).clone())));
                Roles::of(BTreeMap::from(tables), 1.0).fill(&mut x, &credit.reads(), &all).unwrap();
                x.set(Column::GREEDY_REWARD, vec![lab.greedy_reward(0); rollouts]).unwrap();
                let value = |&i: &usize| {
                    let tokens = &lab.questions()[0].answers[i].tokens;
                    (0..tokens.len()).map(|t| lab.value(0, &tokens[..t])).collect::<Vec<_>>()
                };
                x.set(Column::PREFIX_VALUE, answers.iter().flat_map(value).collect()).unwrap();
                x.set(Column::ADVANTAGE, credit.evaluate(&x)).unwrap();
                for outcome in selection.outcomes(&x, 0..rollouts).into_iter().filter(|o| o.kept.contains(&true)) {
                    let probability = outcome.probability * answers.iter().map(|&i| law[i]).product::<f64>();
                    let step = step(&lab, &*algorithm, &x, &outcome.kept, &all);
                    squares += probability * step.iter().map(|s| s * s).sum::<f64>();
                    mean.iter_mut().zip(step).for_each(|(sum, s)| *sum += probability * s);
                }
            }
            let expected = lab.expected(&*algorithm).unwrap();
            let mut found = vec![0.0; 6];
            for (state, gradient) in expected.by_state(Role::POLICY) {
                let row = 2 * state.prefix.len();
                found[row..row + 2].copy_from_slice(gradient);
            }
            assert_close(&found, &mean, &format!("{name}/{preset}, {rollouts} rollouts"));
            assert!(mean.iter().any(|g| g.abs() > 1e-6), "{name}/{preset} learns nothing");
            let variance = squares - mean.iter().map(|g| g * g).sum::<f64>();
            let spread = expected.roles[&Role::POLICY].variance;
            assert!((spread - variance).abs() < 1e-12, "{name}/{preset}: variance {spread}, but {variance}");
        }
    }
}

#[test]
fn the_gradient_of_the_pass_rate_is_its_difference_quotient() {
    for lab in [worlds::tree(2, 1).unwrap(), worlds::ragged(5, 1).unwrap(), worlds::arms(0.3, 1).unwrap()] {
        let gradient = lab.pass_rate_gradient().unwrap();
        let mut expected = Vec::new();
        let (prompt, policy) = (lab.questions()[0].prompt.clone(), lab.table(Role::POLICY));
        for (state, row) in lab.expected(&oreal::algos::Rloo::default()).unwrap().by_state(Role::POLICY) {
            for v in 0..row.len() {
                let at = |change: f64| {
                    let mut moved = policy.clone();
                    let mut logits = policy.row(&prompt, &state.prefix).logits;
                    logits[v] += change;
                    moved.set_logits(&prompt, &state.prefix, &logits);
                    lab.questions()[0].pass_rate(&moved)
                };
                expected.push((at(1e-6) - at(-1e-6)) / 2e-6);
            }
        }
        let mut sorted = gradient.clone();
        sorted.sort_by(f64::total_cmp);
        expected.sort_by(f64::total_cmp);
        let off = sorted.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(off < 1e-9 && gradient.iter().any(|g| g.abs() > 1e-3), "off by {off}");
    }
}

#[test]
fn a_question_of_an_environment_has_every_completion_that_can_be_drawn() {
    let bandit = Bandit::new(vec![0.3], 1).unwrap();
    let problem = enumerate::problems(&bandit, Split::Train).next().unwrap();
    let renderer = Characters::new(&bandit.alphabet()).unwrap();
    let (prompt, tokenizer) = (renderer.prompt(&problem.prompt).unwrap(), renderer.tokenizer());
    let mut policy = Table::new(tokenizer.len(), &Optimiser::EXACT).unwrap();
    let mut logits = vec![-1e4; tokenizer.len()];
    for (arm, mass) in bandit.initial_policy(&problem) {
        let token = tokenizer.encode(&arm.to_string()).unwrap()[0];
        logits[token as usize] = mass.ln();
        let mut stop = vec![-1e4; tokenizer.len()];
        stop[END_TOKEN as usize] = 0.0;
        policy.set_logits(&prompt, &[token], &stop);
    }
    policy.set_logits(&prompt, &[], &logits);
    let question = Question::of(&bandit, &problem, &renderer, &policy).unwrap();
    assert_eq!(question.answers.len(), 6);
    let lab = Lab::new(vec![question], policy, 4).unwrap();
    assert!((lab.pass_rates()[0] - 0.3).abs() < 1e-14);
    let seen = report(&oreal::algos::Rloo::default(), &lab).unwrap();
    assert!((seen.direction.scale - 0.5).abs() < 1e-12, "answers of two tokens are averaged: {seen:?}");
    assert!(seen.direction.angle < 1e-5, "{seen:?}");
    let mixed = 1.0 - 0.3_f64.powi(4) - 0.7_f64.powi(4);
    assert!((seen.moves - mixed).abs() < 1e-12, "only mixed groups have advantages: {seen:?}");
    let countdown = Countdown::default();
    let problem = &enumerate::problems(&countdown, Split::HeldOut).next().unwrap();
    let renderer = Characters::new(&countdown.alphabet()).unwrap();
    let policy = Table::new(tokenizer.len(), &Optimiser::EXACT).unwrap();
    let refused = Question::of(&countdown, problem, &renderer, &policy).unwrap_err().to_string();
    assert!(refused.contains("countdown has too many completions"), "{refused}");
}

#[test]
fn shared_parameters_learn_from_every_prompt() {
    let apart = worlds::crossed([0.3, 0.6], 2).unwrap().sharing(Sharing::Nothing);
    let shared = apart.clone().sharing(Sharing::Prompts);
    let [apart, shared] = [apart, shared].map(|lab| lab.pass_rate_gradient().unwrap());
    let sum: Vec<f64> = (0..4).map(|i| apart[i] + apart[i + 4]).collect();
    assert_close(&shared, &sum, "shared gradient");
}

#[test]
fn expected_counts_cover_every_outcome() {
    let lab = worlds::arms(0.4, 3).unwrap();
    let all = lab.expected_counts(Selection::All).unwrap().swap_remove(0);
    let expected: Vec<f64> = lab.probabilities(0).iter().map(|p| 3.0 * p).collect();
    assert_close(&all, &expected, "all of three");
    let both = worlds::crossed([0.3, 0.6], 3).unwrap();
    for (question, counts) in both.expected_counts(Selection::Pair).unwrap().into_iter().enumerate() {
        let alone = Lab::new(vec![both.questions()[question].clone()], both.table(Role::POLICY).clone(), 3).unwrap();
        assert_close(
            &counts,
            &alone.expected_counts(Selection::Pair).unwrap()[0],
            "what is kept of one question ignores the other",
        );
    }
    let one = lab.expected_counts(Selection::Right { per_prompt: 1, repeats: Repeats::Keep }).unwrap().swap_remove(0);
    assert!((one.iter().sum::<f64>() - (1.0 - 0.6_f64.powi(3))).abs() < 1e-15);
}

#[test]
fn what_cannot_be_enumerated_is_refused_with_a_reason() {
    #[derive(Debug)]
    struct Free;
    impl Algorithm for Free {
        fn name(&self) -> &str {
            "free"
        }
        fn credit<'g>(
            &self,
            x: oreal::algos::Data<'g>,
        ) -> oreal::algos::Expr<'g, oreal::algos::Token, oreal::algos::Frozen> {
            x.number(1.0)
        }
        fn select(&self) -> Select {
            Select::Free(std::sync::Arc::new(|x, _| vec![true; x.layout().count(Level::Trajectory)]))
        }
        fn objective(&self) -> Box<dyn Objective> {
            oreal::algos::Rloo::default().objective()
        }
    }
    let refused = |result: oreal::Result<()>| result.unwrap_err().to_string();
    let lab = worlds::arms(0.5, 2).unwrap();
    assert!(refused(lab.expected(&Free).map(drop)).contains("the choices of free cannot be enumerated"));
    let many = lab.rollouts(5000).expected(&oreal::algos::Rloo::default()).map(drop);
    assert!(refused(many).contains("ask for fewer rollouts"));
    let policy = || Table::new(2, &Optimiser::EXACT).unwrap();
    let new = |questions| refused(Lab::new(questions, policy(), 2).map(drop));
    assert!(new(vec![]).contains("without a question"));
    assert!(
        new(vec![Question::new(&[0], [(vec![2], true)])]).contains("token 2 is not in the policy's vocabulary of 2")
    );
    assert!(new(vec![Question::new(&[0], [(vec![], true)])]).contains("every completion a token"));
    assert!(new(vec![Question::new(&[0], [(vec![1], true), (vec![1], false)])]).contains("listed twice"));
    let twice = Question::new(&[0], [(vec![1], true)]);
    assert!(new(vec![twice.clone(), twice]).contains("the same prompt"));
}
