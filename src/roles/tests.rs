use oreal_algos::Layout;
use oreal_models::{Optimiser, Table};

use super::*;

const PROMPT: [u32; 1] = [1];
const COMPLETION: [u32; 2] = [2, 0];

fn batch() -> [Sequence<'static>; 1] {
    [Sequence { prompt: &PROMPT, completion: &COMPLETION }]
}

/// A policy whose scalars are 0.1, 0.2 and 0.3 after no, one and two tokens; a fork to a scalar head would zero them.
fn table() -> Box<dyn Model> {
    let mut table = Table::new(3, &Optimiser::EXACT).unwrap();
    for length in 0..=2 {
        table.set_scalar(&PROMPT, &COMPLETION[..length], 0.1 * (length + 1) as f64);
    }
    Box::new(table)
}

/// Each role a copy of the policy.
fn forked(reads: &BTreeSet<Column>) -> Roles {
    let make = |role, policy: &dyn Model| Ok(policy.fork(head(role), &Optimiser::EXACT)?);
    Roles::new(table(), reads, 1.0, &make).unwrap().reference_is_policy()
}

fn roles() -> Roles {
    let mut roles = forked(&BTreeSet::from([Column::REF_LOGP]));
    roles.models.insert(Role::CRITIC, table());
    roles.models.insert(Role::REWARD_MODEL, table());
    roles
}

#[test]
fn columns_come_from_the_signal_they_are() {
    let mut x = Experience::new(Layout::new(&[vec![2]]).unwrap());
    roles().fill(&mut x, &Column::ALL, &batch()).unwrap();
    for (column, expected) in [
        (Column::SCORE, [0.1, 0.2]),
        (Column::SCORE_AFTER, [0.2, 0.30000000000000004]),
        (Column::OLD_VALUE, [0.1, 0.2]),
        (Column::REF_LOGP, [-(3f64.ln()); 2]),
        (Column::ENTROPY, [3f64.ln(); 2]),
    ] {
        let found = x.column(column).unwrap();
        let off = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(off < 1e-12, "{}: {found:?}", column.name());
    }
    assert_eq!(x.column(Column::REWARD), None, "no model knows the reward");
}

#[test]
fn the_reference_is_read_with_the_policy_until_the_policy_moves() {
    let reads = BTreeSet::from([Column::OLD_LOGP, Column::REF_LOGP]);
    let mut roles = forked(&reads);
    // A reference that would be seen, were it asked.
    roles.models.insert(Role::REFERENCE, Box::new(Table::new(7, &Optimiser::EXACT).unwrap()));
    let logps = |roles: &Roles| {
        let mut x = Experience::new(Layout::new(&[vec![2]]).unwrap());
        roles.fill(&mut x, &[Column::OLD_LOGP, Column::REF_LOGP], &batch()).unwrap();
        [Column::OLD_LOGP, Column::REF_LOGP].map(|column| x.column(column).unwrap()[0])
    };
    assert_eq!(logps(&roles), [-(3f64.ln()); 2]);
    roles.step(&[(Role::POLICY, 0.0)]).unwrap();
    assert_eq!(logps(&roles), [-(3f64.ln()), -(7f64.ln())]);
}

#[test]
fn cotangents_return_to_the_role_the_signal_came_from_and_to_learners_only() {
    let mut roles = roles();
    let signals = [Column::LOGP, Column::SCORE, Column::VALUE];
    let learns = |role| role != Role::CRITIC;
    let (seen, passes) = roles.forward(&signals, &learns, &batch()).unwrap();
    assert_eq!(seen.len(), 3);
    let cotangents = [(Column::LOGP, [1.0, 0.0]), (Column::SCORE, [0.0, 2.0]), (Column::VALUE, [5.0, 5.0])];
    passes.backward(&cotangents.map(|(column, values)| (column, values.to_vec())).into()).unwrap();
    let norms = roles.step(&[Role::POLICY, Role::REWARD_MODEL, Role::CRITIC].map(|role| (role, 1.0))).unwrap();
    // The gradient of a log-probability of 1/3 is (2/3, -1/3, -1/3).
    let norms: Vec<f64> = norms.into_iter().flatten().collect();
    assert!((norms[0] - (6f64.sqrt() / 3.0)).abs() < 1e-12);
    assert!((norms[1] - 2.0).abs() < 1e-12);
    assert_eq!(norms[2], 0.0, "a role that does not learn is read only");
    let reference = roles.read(Role::REFERENCE, &[Column::REF_LOGP], &batch()).unwrap();
    assert!((reference[&Column::REF_LOGP][0] + 3f64.ln()).abs() < 1e-12, "the reference stays where it was");
    assert!(roles.read(Role::POLICY, &[Column::LOGP], &batch()).unwrap()[&Column::LOGP][0] < -3f64.ln());
}

#[test]
fn a_gradient_that_overflows_moves_no_role_and_is_forgotten() {
    let mut roles = roles();
    let signals = [Column::LOGP, Column::VALUE];
    let send = |roles: &mut Roles, of_critic: f64| {
        let (_, passes) = roles.forward(&signals, &|_| true, &batch()).unwrap();
        let cotangents = [(Column::LOGP, vec![1.0; 2]), (Column::VALUE, vec![of_critic; 2])];
        passes.backward(&cotangents.into()).unwrap();
    };
    let learners = [(Role::POLICY, 1.0), (Role::CRITIC, 1.0)];
    let before = roles.read(Role::POLICY, &[Column::LOGP], &batch()).unwrap();
    // Each entry is finite, but their squares are not.
    send(&mut roles, 1e200);
    let message = roles.step(&learners).unwrap_err().to_string();
    assert!(message.contains("critic") && message.contains("not finite"), "{message}");
    assert_eq!(roles.read(Role::POLICY, &[Column::LOGP], &batch()).unwrap(), before, "the policy has not moved");
    send(&mut roles, 0.0);
    let norms: Vec<f64> = roles.step(&learners).unwrap().into_iter().flatten().collect();
    // Of two tokens of log-probability -ln 3 each; twice that if the first gradient were still there.
    let expected = (4.0_f64 / 3.0).sqrt();
    assert!((norms[0] - expected).abs() < 1e-12 && norms[1] == 0.0, "{norms:?}");
}

#[test]
fn a_forward_pass_that_is_dropped_leaves_no_trace() {
    let mut roles = roles();
    drop(roles.forward(&[Column::LOGP], &|_| true, &batch()).unwrap());
    assert_eq!(roles.step(&[(Role::POLICY, 1.0)]).unwrap(), [Some(0.0)]);
}

#[test]
fn to_look_at_the_policy_does_not_part_it_from_the_reference() {
    let mut roles = forked(&BTreeSet::from([Column::REF_LOGP]));
    assert!(roles.policy().is_ok() && roles.reference_is_policy);
    roles.get_mut(Role::POLICY).unwrap();
    assert!(!roles.reference_is_policy, "whoever can change the policy may have");
}
