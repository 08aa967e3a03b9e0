use std::path::Path;
use std::sync::{Arc, Mutex};

use oreal_algos::{Algorithm, Rft, minimise};
use oreal_models::{Completion, Head, ModelState, Optimiser, Pass, Request, Result, Sampling, Signals, Table, Want};

use super::*;

#[test]
fn parts_are_as_large_as_they_may_be_and_cut_no_unit() {
    let layout = Layout::new(&[vec![1; 2], vec![1; 3], vec![1; 2]]).unwrap();
    let parts = |layout, coupling, most| parts(layout, coupling, &|part| part.len() <= most);
    assert_eq!(parts(&layout, Level::Token, 3), [0..3, 3..6, 6..7]);
    assert_eq!(parts(&layout, Level::Trajectory, 100), std::iter::once(0..7).collect::<Vec<_>>());
    assert_eq!(parts(&layout, Level::Group, 5), [0..5, 5..7]);
    assert_eq!(parts(&layout, Level::Group, 1), [0..2, 2..5, 5..7], "a group larger than a part is one");
    assert!(parts(&Layout::new(&[]).unwrap(), Level::Token, 3).is_empty());
}

/// A table on a device with little memory, of which a sequence takes ten bytes.
struct Small {
    table: Table,
    free: usize,
    /// Sequences of each forward pass with gradient.
    passes: Arc<Mutex<Vec<usize>>>,
}

impl Model for Small {
    fn read(&self, batch: &[Sequence<'_>], want: &Want) -> Result<Signals> {
        self.table.read(batch, want)
    }

    fn forward(&mut self, batch: &[Sequence<'_>], want: &Want) -> Result<(Signals, Box<dyn Pass + '_>)> {
        self.passes.lock().unwrap().push(batch.len());
        self.table.forward(batch, want)
    }

    fn gradient_norm(&self) -> Result<Option<f64>> {
        self.table.gradient_norm()
    }

    fn discard(&mut self) {
        self.table.discard();
    }

    fn step(&mut self, rate: f64, gradient_norm: Option<f64>) -> Result<()> {
        self.table.step(rate, gradient_norm)
    }

    fn draw(&self, requests: &[Request<'_>], how: &Sampling) -> Result<Vec<Completion>> {
        self.table.draw(requests, how)
    }

    fn fork(&self, head: Head, optimiser: &Optimiser) -> Result<Box<dyn Model>> {
        self.table.fork(head, optimiser)
    }

    fn parameters(&self) -> usize {
        self.table.parameters()
    }

    fn free(&self) -> Result<Option<usize>> {
        Ok(Some(self.free))
    }

    fn needs(&self, batch: &[Sequence<'_>]) -> usize {
        10 * batch.len()
    }

    fn save(&self, path: &Path) -> Result<()> {
        self.table.save(path)
    }

    fn state(&self) -> Result<ModelState> {
        self.table.state()
    }

    fn restore(&mut self, state: &ModelState) -> Result<()> {
        self.table.restore(state)
    }
}

const PROMPT: [u32; 1] = [1];
const COMPLETIONS: [[u32; 2]; 5] = [[2, 0], [1, 2], [0, 2], [2, 2], [0, 0]];

fn sequences() -> Vec<Sequence<'static>> {
    COMPLETIONS.iter().map(|completion| Sequence { prompt: &PROMPT, completion }).collect()
}

fn batch() -> Experience {
    Experience::new(Layout::new(&[vec![2; 5]]).unwrap()).with(Column::ADVANTAGE, vec![1.0; 10]).unwrap()
}

fn small(free: usize) -> Box<Small> {
    Box::new(Small { table: Table::new(3, &Optimiser::EXACT).unwrap(), free, passes: Arc::default() })
}

#[test]
fn a_batch_is_cut_to_the_memory_there_is_and_the_gradient_is_the_same() {
    let sequences = sequences();
    let objective = Rft::default().objective();
    let run = |free| {
        let mut roles = Roles::of([(Role::POLICY, small(free))].into(), 1.0);
        let update = Update::new(&*objective, &[], 4);
        update.accumulate(&mut roles, &|_| true, &batch(), &sequences).unwrap();
        let passes = roles.get(Role::POLICY).unwrap().passes.lock().unwrap().clone();
        (passes, roles.step(&[(Role::POLICY, 0.0)]).unwrap()[0].unwrap())
    };
    let (ample, expected) = run(1000);
    assert_eq!(ample, [4, 1], "no more than was asked for");
    for (free, passes) in [(40, vec![3, 2]), (30, vec![2, 2, 1]), (1, vec![1; 5])] {
        let (found, norm) = run(free);
        assert_eq!(found, passes, "{free} bytes");
        assert!(expected > 0.0 && (norm - expected).abs() < 1e-12);
    }
    let both = Roles::of([Role::POLICY, Role::CRITIC].map(|role| (role, small(50))).into(), 1.0);
    let fits = |learns: &dyn Fn(Role) -> bool| {
        let fits = both.fits(&[Column::LOGP, Column::VALUE], learns).unwrap();
        (1..=5).take_while(|&count| fits(&sequences[..count])).count()
    };
    assert_eq!(fits(&|_| true), 2, "both hold their forward pass at the same time");
    assert_eq!(fits(&|role| role == Role::CRITIC), 4);
}

/// The loss of the last trajectory only is not finite: its advantage is infinite.
#[test]
fn a_loss_that_is_not_finite_leaves_no_gradient() {
    let objective = minimise(|x| -(x.advantage() * x.logp()).mean());
    let mut advantage = vec![1.0; 10];
    advantage[9] = f64::INFINITY;
    let broken = batch().at_step(7).with(Column::ADVANTAGE, advantage).unwrap();
    for traversal in [Traversal::Streaming, Traversal::TwoPass] {
        let mut roles = Roles::of([(Role::POLICY, small(1000))].into(), 1.0);
        let update = Update { traversal, ..Update::new(&*objective, &[], 2) };
        let error = update.accumulate(&mut roles, &|_| true, &broken, &sequences()).unwrap_err().to_string();
        assert!(error.contains("step 7") && error.contains("changed no weights"), "{error}");
        assert_eq!(roles.step(&[(Role::POLICY, 1.0)]).unwrap(), [Some(0.0)], "{traversal:?}: a gradient is left");
    }
}
