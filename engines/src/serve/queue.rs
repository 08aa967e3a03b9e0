//! What is to be done, in order.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::job::{Job, Task};

/// Most completions that are drawn at once.
const TOGETHER: usize = 256;

/// Filled by requests, emptied by the worker.
#[derive(Debug, Default)]
pub(super) struct Queue {
    inside: Mutex<Inside>,
    filled: Condvar,
}

#[derive(Debug, Default)]
struct Inside {
    tasks: VecDeque<Task>,
    closed: bool,
}

impl Queue {
    pub(super) fn put(&self, tasks: impl IntoIterator<Item = Task>) {
        self.inside().tasks.extend(tasks);
        self.filled.notify_one();
    }

    /// No more is done.
    pub(super) fn close(&self) {
        let mut inside = self.inside();
        inside.closed = true;
        inside.tasks.clear();
        self.filled.notify_all();
    }

    /// The next task; `None` when the queue is closed. Further tasks that draw from the same weights in the same way come with
    /// it: what is drawn does not depend on what else is.
    pub(super) fn take(&self) -> Option<Vec<Task>> {
        let waited = self.filled.wait_while(self.inside(), |inside| inside.tasks.is_empty() && !inside.closed);
        let mut inside = waited.unwrap_or_else(PoisonError::into_inner);
        let first = inside.tasks.pop_front()?;
        let mut taken = vec![first];
        if let Job::Draw(draw) = &taken[0].job {
            let draw = draw.clone();
            let alike = |task: &Task| matches!(&task.job, Job::Draw(other) if other.weights == draw.weights && other.how == draw.how);
            // Not beyond a task that may change the weights.
            let settled = inside.tasks.iter().position(|task| !matches!(task.job, Job::Draw(_)));
            let mut i = 0;
            while i < settled.unwrap_or(usize::MAX).min(inside.tasks.len()) && taken.len() < TOGETHER {
                match alike(&inside.tasks[i]) {
                    true => taken.extend(inside.tasks.remove(i)),
                    false => i += 1,
                }
            }
        }
        Some(taken)
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use oreal_models::Sampling;

    use super::*;
    use crate::serve::job::{Draw, Weights};

    fn draw(name: &str, weights: Weights, temperature: f64) -> Task {
        let how = Sampling { temperature, ..Sampling::default() };
        let draw = Draw { weights, prompt: vec![1], keys: Vec::new(), how, prompt_logps: false };
        Task { result: name.to_owned(), job: Job::Draw(draw) }
    }

    fn names(queue: &Queue) -> Vec<String> {
        queue.take().into_iter().flatten().map(|task| task.result).collect()
    }

    #[test]
    fn only_what_draws_in_the_same_way_from_the_same_weights_is_taken_together() {
        let queue = Queue::default();
        let saved = || Weights::Saved("a".to_owned());
        queue.put([draw("a", Weights::Base, 1.0), draw("b", saved(), 1.0), draw("c", Weights::Base, 0.5)]);
        queue.put([draw("d", Weights::Base, 1.0)]);
        queue.put([Task { result: "e".to_owned(), job: Job::Unload { model: "m".to_owned() } }]);
        queue.put([draw("f", Weights::Base, 1.0)]);
        assert_eq!(names(&queue), ["a", "d"], "f comes after another call");
        for alone in ["b", "c", "e", "f"] {
            assert_eq!(names(&queue), [alone]);
        }
        queue.put([draw("g", Weights::Base, 1.0)]);
        queue.close();
        assert!(queue.take().is_none());
    }
}
