use oreal_algos::Level;
use oreal_models::{InProcess, Optimiser, Table};
use oreal_toy_envs::{Addition, Bandit, Prompt, Split, World, enumerate};

use super::*;
use crate::lab::{Lab, Question};
use crate::renderer::Characters;

fn trajectory(tokens: &[Token], verdict: Verdict, ending: oreal_models::Ending) -> Trajectory {
    let sampled_logp = Some(tokens.iter().map(|&token| -f64::from(token)).collect());
    let completion = Completion { tokens: tokens.to_vec(), sampled_logp, ending, version: 0 };
    Trajectory { completion, text: String::new(), verdict }
}

fn group(prompt: Token, trajectories: Vec<Trajectory>) -> Group {
    let problem = Problem { id: 0, prompt: Prompt::Text(String::new()), answer: String::new() };
    Group { problem, prompt: vec![prompt], trajectories, failures: Vec::new() }
}

fn groups() -> Vec<Group> {
    use oreal_models::Ending::{Stopped, Truncated};
    let [right, wrong, ungraded] = [Verdict::Right, Verdict::Wrong, Verdict::Ungraded];
    let first =
        [trajectory(&[1, 2], right, Stopped), trajectory(&[3], ungraded, Stopped), trajectory(&[1, 2], right, Stopped)];
    vec![
        group(7, first.into()),
        group(8, vec![trajectory(&[9], ungraded, Stopped)]),
        group(9, vec![trajectory(&[1, 2], wrong, Stopped), trajectory(&[4, 5, 6], wrong, Truncated)]),
    ]
}

#[test]
fn experience_says_what_happened() {
    let groups = graded(groups());
    let x = experience(&groups, 3).unwrap();
    assert_eq!((x.layout().lengths(), x.step()), (vec![vec![2, 2], vec![2, 3]], 3));
    assert_eq!(x.column(Column::REWARD), Some(&[1.0, 1.0, 0.0, 0.0][..]));
    assert_eq!(x.column(Column::DUPLICATE), Some(&[0.0, 1.0, 0.0, 0.0][..]), "the same tokens in one group");
    assert_eq!(x.column(Column::TRUNCATED), Some(&[0.0, 0.0, 0.0, 1.0][..]), "by how it ended, not by its verdict");
    let sampled = [-1.0, -2.0, -1.0, -2.0, -1.0, -2.0, -4.0, -5.0, -6.0];
    assert_eq!(x.column(Column::SAMPLED_LOGP), Some(&sampled[..]));
}

#[test]
fn sequences_lie_as_in_experience() {
    let groups = graded(groups());
    let sequences = sequences(&groups);
    let prompts: Vec<Token> = sequences.iter().map(|sequence| sequence.prompt[0]).collect();
    assert_eq!(prompts, [7, 7, 9, 9]);
    let tokens: usize = sequences.iter().map(|sequence| sequence.completion.len()).sum();
    assert_eq!(tokens, experience(&groups, 0).unwrap().layout().count(Level::Token));
}

/// What a sampler that is not of this project may do to each completion in turn.
struct Odd(fn(usize, Completion) -> std::result::Result<Completion, Failure>);

impl Sampler for Odd {
    fn moved(&mut self, _: &dyn Model, _: u64) -> oreal_models::Result<()> {
        Ok(())
    }

    fn sample(
        &mut self,
        policy: &dyn Model,
        requests: &[Request<'_>],
        how: &Sampling,
    ) -> oreal_models::Result<Vec<std::result::Result<Completion, Failure>>> {
        let drawn = policy.draw(requests, how)?;
        Ok(drawn.into_iter().enumerate().map(|(i, completion)| self.0(i, completion)).collect())
    }
}

fn draw(sampler: &mut dyn Sampler) -> Result<Vec<Group>> {
    let (env, renderer) = (Addition::default(), Characters::new("0123456789+=").unwrap());
    let sampling = Sampling { stop: renderer.stop(), max_tokens: 4, vocabulary: Some(13), ..Sampling::default() };
    let rollout = Rollout { env: &env, renderer: &renderer, sampling, seed: 5 };
    let problem = Problem { id: 1, prompt: Prompt::Text("1+2=".into()), answer: "3".into() };
    let policy = Table::new(13, &Optimiser::EXACT).unwrap();
    Ok(rollout.groups(&policy, sampler, 0, vec![problem.clone(), problem], 4)?.0)
}

#[test]
fn a_failure_is_one_completion_s_own() {
    let groups = draw(&mut Odd(|i, completion| match i {
        1 => Err(Failure::NotDrawn { problem: "lost".into() }),
        _ => Ok(completion),
    }));
    let groups = groups.unwrap();
    assert_eq!(groups.iter().map(|g| g.trajectories.len()).collect::<Vec<_>>(), [3, 4]);
    assert_eq!(groups[0].failures, [Failure::NotDrawn { problem: "lost".into() }]);
    let all = draw(&mut InProcess::default()).unwrap();
    assert_eq!(groups[0].trajectories[1], all[0].trajectories[2], "the others are what they are without it");
}

#[test]
fn what_a_sampler_says_is_checked_where_it_enters() {
    type Break = fn(usize, Completion) -> std::result::Result<Completion, Failure>;
    let breaks: [(&str, Break); 4] = [
        ("empty", |_, c| Ok(Completion { tokens: vec![], sampled_logp: Some(vec![]), ..c })),
        ("vocabulary", |_, c| Ok(Completion { tokens: vec![13], sampled_logp: Some(vec![-1.0]), ..c })),
        ("log-prob", |_, c| Ok(Completion { sampled_logp: Some(vec![-1.0; 9]), ..c })),
        ("log-prob", |_, c| Ok(Completion { sampled_logp: Some(vec![f64::NAN; c.tokens.len()]), ..c })),
    ];
    for (named, broken) in breaks {
        let groups = draw(&mut Odd(broken)).unwrap();
        assert!(groups.iter().all(|group| group.trajectories.is_empty() && group.failures.len() == 4), "{named}");
        let reason = groups[0].failures[0].to_string();
        assert!(reason.contains(named), "{named}: {reason}");
    }
}

#[test]
fn log_probabilities_that_are_absent_are_read() {
    let given = draw(&mut InProcess::default()).unwrap();
    let read = draw(&mut Odd(|_, completion| Ok(Completion { sampled_logp: None, ..completion }))).unwrap();
    let logps = |groups: &[Group]| -> Vec<f64> {
        let all = groups.iter().flat_map(|group| &group.trajectories);
        all.flat_map(|t| t.completion.sampled_logp.clone().unwrap()).collect()
    };
    let (given, read) = (logps(&given), logps(&read));
    assert!(given.len() == read.len() && given.iter().zip(&read).all(|(a, b)| (a - b).abs() < 1e-12));
}

#[test]
fn versions_are_those_of_the_policy() {
    let mut sampler = InProcess::default();
    sampler.moved(&Table::new(13, &Optimiser::EXACT).unwrap(), 7).unwrap();
    let groups = draw(&mut sampler).unwrap();
    assert!(groups.iter().flat_map(|group| &group.trajectories).all(|t| t.completion.version == 7));
}

/// A table with the bandit's own probabilities, the group drawn from it, and the same as a lab.
fn bandit_group(count: usize) -> (Bandit, Characters, Table, Vec<Group>, Lab) {
    let bandit = Bandit::new(vec![0.3], 1).unwrap();
    let problem = enumerate::problems(&bandit, Split::Train).next().unwrap();
    let renderer = Characters::new(&bandit.alphabet()).unwrap();
    let prompt = renderer.prompt(&problem.prompt).unwrap();
    let mut policy = Table::new(renderer.vocabulary(), &Optimiser::EXACT).unwrap();
    let mut logits = vec![-1e4; renderer.vocabulary()];
    for (arm, mass) in bandit.initial_policy(&problem) {
        let token = renderer.tokenizer().encode(&arm.to_string()).unwrap()[0];
        logits[token as usize] = mass.ln();
        let mut stop = vec![-1e4; renderer.vocabulary()];
        stop[oreal_text::END_TOKEN as usize] = 0.0;
        policy.set_logits(&prompt, &[token], &stop);
    }
    policy.set_logits(&prompt, &[], &logits);
    let lab = Lab::new(vec![Question::of(&bandit, &problem, &renderer, &policy).unwrap()], policy.clone(), 4).unwrap();
    let groups = rollout(&bandit, &renderer).groups(&policy, &mut InProcess::default(), 3, vec![problem], count);
    (bandit, renderer, policy, groups.unwrap().0, lab)
}

fn rollout<'a>(bandit: &'a Bandit, renderer: &'a Characters) -> Rollout<'a> {
    let vocabulary = Some(renderer.vocabulary());
    let sampling =
        Sampling { stop: renderer.stop(), max_tokens: bandit.max_tokens(), vocabulary, ..Sampling::default() };
    Rollout { env: bandit, renderer, sampling, seed: 1 }
}

#[test]
fn values_of_prefixes_are_the_mean_reward_of_what_follows() {
    let (bandit, renderer, policy, groups, lab) = bandit_group(6);
    let rollout = rollout(&bandit, &renderer);
    let values = |column, count, step| {
        rollout.continued(&policy, &mut InProcess::default(), step, &groups, (column, count)).unwrap()
    };
    let exact = |t: &Trajectory| -> Vec<f64> {
        let tokens = &t.completion.tokens;
        (0..tokens.len()).map(|length| lab.value(0, &tokens[..length])).collect()
    };
    let exact: Vec<f64> = groups[0].trajectories.iter().flat_map(exact).collect();
    let many = values(Column::PREFIX_VALUE, 4000, 0);
    assert_eq!(many.len(), exact.len());
    for (found, exact) in many.iter().zip(&exact) {
        assert!((found - exact).abs() < 0.03, "{found}, exactly {exact}");
    }
    assert!(exact.contains(&0.0) && exact.contains(&1.0), "an arm decides: {exact:?}");
    assert!((exact[0] - 0.3).abs() < 1e-12);
    let [a, b, c] = [(2, 0), (2, 0), (2, 1)].map(|(count, step)| values(Column::PREFIX_VALUE, count, step));
    assert_eq!(a, b, "keyed");
    assert!((1..40).any(|step| values(Column::PREFIX_VALUE, 2, step) != a), "by the step, too: {c:?}");
    assert_eq!(values(Column::GREEDY_REWARD, 9, 0), [lab.greedy_reward(0); 6]);
}

#[test]
fn continuations_do_not_depend_on_what_else_is_in_a_group() {
    let (bandit, renderer, policy, groups, _) = bandit_group(6);
    let rollout = rollout(&bandit, &renderer);
    let alone = |group: &Group| Group { trajectories: group.trajectories[..1].to_vec(), ..group.clone() };
    let values = |groups: &[Group]| {
        rollout.continued(&policy, &mut InProcess::default(), 0, groups, (Column::PREFIX_VALUE, 8)).unwrap()
    };
    let length = groups[0].trajectories[0].completion.tokens.len();
    assert_eq!(values(&[alone(&groups[0])])[..1], values(&groups)[..1], "the prompt's value, of {length} tokens");
}
