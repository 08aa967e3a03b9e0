use oreal_algos::{Algorithm, Rft};
use oreal_models::{Backbone, Completion, Head, Key, Optimiser, Sampler, Sampling, Signals, Step, Table, Token, Want};

use super::*;

#[test]
fn parts_are_as_large_as_they_may_be_and_cut_no_unit() {
    let layout = Layout::new(&[vec![1; 2], vec![1; 3], vec![1; 2]]);
    let parts = |layout, coupling, most| parts(layout, coupling, &|part| part.len() <= most);
    assert_eq!(parts(&layout, Level::Token, 3), [0..3, 3..6, 6..7]);
    assert_eq!(parts(&layout, Level::Trajectory, 100), std::iter::once(0..7).collect::<Vec<_>>());
    assert_eq!(parts(&layout, Level::Group, 5), [0..5, 5..7]);
    assert_eq!(parts(&layout, Level::Group, 1), [0..2, 2..5, 5..7], "a group larger than a part is one");
    assert!(parts(&Layout::new(&[]), Level::Token, 3).is_empty());
}

/// A table on a device with little memory, of which a sequence takes ten bytes.
struct Small {
    table: Table,
    free: usize,
    /// Sequences of each pass back.
    passes: Vec<usize>,
}

impl Sampler for Small {
    fn sample(&mut self, prompts: &[&[Token]], keys: &[Key], how: &Sampling) -> oreal_models::Result<Vec<Completion>> {
        self.table.sample(prompts, keys, how)
    }
}

impl Backbone for Small {
    fn read(&self, batch: &[Sequence<'_>], want: &Want) -> oreal_models::Result<Signals> {
        self.table.read(batch, want)
    }

    fn backward(
        &mut self,
        batch: &[Sequence<'_>],
        want: &Want,
        loss: &mut dyn FnMut(&Signals) -> Signals,
    ) -> oreal_models::Result<()> {
        self.passes.push(batch.len());
        self.table.backward(batch, want, loss)
    }

    fn step(&mut self, rate: f64) -> oreal_models::Result<Step> {
        self.table.step(rate)
    }
}

impl Model for Small {
    fn fork(&self, head: Head, optimiser: &Optimiser) -> oreal_models::Result<Box<dyn Model>> {
        self.table.fork(head, optimiser)
    }

    fn parameters(&self) -> usize {
        self.table.parameters()
    }

    fn free(&self) -> oreal_models::Result<Option<usize>> {
        Ok(Some(self.free))
    }

    fn needs(&self, batch: &[Sequence<'_>]) -> usize {
        10 * batch.len()
    }

    fn save(&self, path: &std::path::Path) -> oreal_models::Result<()> {
        self.table.save(path)
    }
}

#[test]
fn a_batch_is_cut_to_the_memory_there_is_and_the_gradient_is_the_same() {
    let (prompt, completions) = ([1], [[2, 0], [1, 2], [0, 2], [2, 2], [0, 0]]);
    let sequences = completions.each_ref().map(|completion| Sequence { prompt: &prompt, completion });
    let batch = Experience::new(Layout::new(&[vec![2; 5]]));
    let objective = Rft::default().objective();
    let small = |free| Box::new(Small { table: Table::new(3, &Optimiser::EXACT), free, passes: Vec::new() });
    let run = |free| {
        let mut roles = Roles::of([(Role::Policy, small(free))].into(), 1.0);
        let update = Update::new(&*objective, &[], 4);
        update.accumulate(&mut roles, &|_| true, &batch, &sequences, 0).unwrap();
        (roles.get_mut(Role::Policy).unwrap().passes.clone(), roles.step(Role::Policy, 0.0).unwrap())
    };
    let (ample, expected) = run(1000);
    assert_eq!(ample, [4, 1], "no more than was asked for");
    for (free, passes) in [(40, vec![3, 2]), (30, vec![2, 2, 1]), (1, vec![1; 5])] {
        let (found, norm) = run(free);
        assert_eq!(found, passes, "{free} bytes");
        assert!(expected > 0.0 && (norm - expected).abs() < 1e-12);
    }
    let both = Roles::of([Role::Policy, Role::Critic].map(|role| (role, small(50))).into(), 1.0);
    let fits = |learns: &dyn Fn(Role) -> bool| {
        let fits = both.fits(&[Column::Logp, Column::Value], learns).unwrap();
        (1..=5).take_while(|&count| fits(&sequences[..count])).count()
    };
    assert_eq!(fits(&|_| true), 2, "both hold their pass at the same time");
    assert_eq!(fits(&|role| role == Role::Critic), 4);
}
