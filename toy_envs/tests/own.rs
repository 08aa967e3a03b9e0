//! An environment from another crate: only what the trait asks for, a conversation as prompt, a judge that may fail.

use oreal_toy_envs::{Answer, Env, Message, Problem, Prompt, Speaker, Split, Verdict, World, enumerate};
use rand::rngs::ChaCha8Rng;
use rand::{Rng, SeedableRng};

/// Repeat a letter. The judge is a service that answers only the first two requests.
#[derive(Debug)]
struct Echo;

impl Env for Echo {
    fn name(&self) -> &str {
        "echo"
    }
    fn max_tokens(&self) -> usize {
        2
    }
    fn count(&self, _: Split) -> u64 {
        2
    }
    fn problem(&self, _: Split, index: u64, _: &mut dyn Rng) -> Problem {
        let letter = ["a", "b"][(index % 2) as usize];
        let prompt = vec![Message { role: Speaker::User, content: format!("Repeat {letter}.") }];
        Problem { id: index, prompt: prompt.into(), answer: letter.into() }
    }
    fn judge(&self, answers: &[Answer<'_>]) -> Vec<Verdict> {
        let right = |answer: &Answer<'_>| answer.completion == answer.problem.answer;
        let verdict = |answer| if right(answer) { Verdict::Right } else { Verdict::Wrong };
        answers.iter().take(2).map(verdict).collect()
    }
}

impl World for Echo {
    fn alphabet(&self) -> String {
        "ab".into()
    }
}

#[test]
fn a_teacher_and_a_world_are_optional() {
    assert!(Echo.teacher().is_none() && Echo.world().is_none());
    assert_eq!(World::decisive(&Echo, &Echo.problem(Split::Train, 0, &mut ChaCha8Rng::seed_from_u64(0)), "b"), None);
}

#[test]
fn problems_are_listed_in_the_order_of_their_indices() {
    let problems: Vec<Problem> = enumerate::problems(&Echo, Split::HeldOut).collect();
    assert_eq!(problems.iter().map(|problem| problem.id).collect::<Vec<_>>(), [0, 1]);
    let Prompt::Chat(messages) = &problems[1].prompt else { panic!("not a conversation: {}", problems[1].prompt) };
    assert_eq!(messages[0].content, "Repeat b.");
}

#[test]
fn verdicts_that_are_left_out_are_ungraded() {
    let problem = Echo.problem(Split::Train, 0, &mut ChaCha8Rng::seed_from_u64(0));
    let verdicts: Vec<_> = enumerate::judged(&Echo, &problem).map(|(text, _, verdict)| (text, verdict)).collect();
    let expected = [
        ("", Verdict::Wrong),
        ("a", Verdict::Right),
        ("b", Verdict::Ungraded),
        ("aa", Verdict::Ungraded),
        ("ab", Verdict::Ungraded),
        ("ba", Verdict::Ungraded),
        ("bb", Verdict::Ungraded),
    ];
    assert_eq!(verdicts, expected.map(|(text, verdict)| (text.to_owned(), verdict)));
}
