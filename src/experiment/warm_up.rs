//! The policy that training starts from: imitation of an imperfect teacher.

use std::sync::Arc;
use std::time::Instant;

use oreal_algos::{Algorithm, Column, Experience, Layout, Rft, Role};
use oreal_models::{InProcess, Model, Sequence};
use oreal_toy_envs::{Problem, Split};

use super::{Experiment, Progress, WarmedUp};
use crate::error::{Error, Result};
use crate::evaluate::{PassRate, evaluate};
use crate::model;
use crate::renderer::Renderer;
use crate::roles::Roles;
use crate::run;
use crate::streams::{Purpose, stream};
use crate::update::{Update, lengths};

impl Experiment {
    /// The policy that training starts from. It depends on everything but the algorithm, so that several experiments
    /// can share it.
    pub fn warm_up(&self, watch: &mut dyn FnMut(Progress<'_>)) -> Result<WarmedUp> {
        self.check()?;
        let clock = Instant::now();
        let renderer = self.new_renderer()?;
        let policy = model::policy(&self.settings, renderer.vocabulary())?;
        let policy = self.imitate(policy, &*renderer, watch)?;
        let rollout = run::rollout(&self.settings, &*self.env, &*renderer);
        let pass_rate = evaluate(&rollout, &*policy, &mut InProcess::default(), &self.settings.evaluation)?;
        Ok(self.started(renderer, policy, pass_rate, clock.elapsed().as_secs_f64()))
    }

    /// As a warm-up ends, but with the policy as it was before: for a run whose weights come from a checkpoint.
    pub(super) fn without_warm_up(&self) -> Result<WarmedUp> {
        let renderer = self.new_renderer()?;
        let policy = model::policy(&self.settings, renderer.vocabulary())?;
        Ok(self.started(renderer, policy, PassRate::new(&[], 0), 0.0))
    }

    fn started(
        &self,
        renderer: Arc<dyn Renderer>,
        policy: Box<dyn Model>,
        pass_rate: PassRate,
        seconds: f64,
    ) -> WarmedUp {
        let checkpoint = self.settings.model.checkpoint().filter(|_| self.settings.warm_up.steps == 0);
        WarmedUp { renderer, policy, checkpoint: checkpoint.map(str::to_owned), pass_rate, seconds }
    }

    /// Cloning of the environment's demonstrations, wrong ones included.
    fn imitate(
        &self,
        policy: Box<dyn Model>,
        renderer: &dyn Renderer,
        watch: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Box<dyn Model>> {
        let how = &self.settings.warm_up;
        let objective = Rft::default().objective();
        let update = Update::new(&*objective, &[], how.batch);
        let schedule = self.settings.rates.schedule(how.rate, how.steps);
        let mut roles = Roles::of([(Role::POLICY, policy)].into(), 1.0);
        for step in 0..how.steps {
            self.go_on_with_warm_up()?;
            let demonstrations = self.demonstrations(step, renderer)?;
            let sequences: Vec<Sequence<'_>> =
                demonstrations.iter().map(|(prompt, completion)| Sequence { prompt, completion }).collect();
            let layout = Layout::new(&[lengths(&sequences)])?;
            let mut batch = Experience::new(layout).at_step(step as u64);
            let ones = vec![1.0; batch.layout().count(Column::ADVANTAGE.level())];
            batch.set(Column::ADVANTAGE, ones)?;
            update.accumulate(&mut roles, &|_| true, &batch, &sequences)?;
            roles.step(&[(Role::POLICY, schedule.rate(step as u64))])?;
            watch(Progress::WarmUp { done: step + 1, total: how.steps });
        }
        roles.into_policy()
    }

    /// An error where the run is asked to stop.
    fn go_on_with_warm_up(&self) -> Result<()> {
        if !self.stop.asked() {
            return Ok(());
        }
        let after = "during the warm-up, which begins anew when the run goes on".to_owned();
        Err(Error::Stopped { after, folder: self.folder.clone() })
    }

    /// Prompts and completions of a step of the warm-up: the next problems of the epoch, each demonstrated.
    fn demonstrations(
        &self,
        step: usize,
        renderer: &dyn Renderer,
    ) -> Result<Vec<(Vec<oreal_models::Token>, Vec<oreal_models::Token>)>> {
        let (how, seed) = (&self.settings.warm_up, self.settings.seed);
        let problems =
            run::problems(&*self.env, Split::Train, seed, Purpose::WarmUpProblems, step * how.batch, how.batch);
        let mut rng = stream(seed, Purpose::Demonstrations, step);
        let teacher = self.env.teacher().ok_or_else(|| Error::part(self.env.name(), "has no teacher"))?;
        let mut demonstrate = |problem: &Problem| {
            let text = teacher.demonstration(problem, how.error_rate, &mut rng);
            Ok((renderer.prompt(&problem.prompt)?, renderer.completion(&text)?))
        };
        problems.iter().map(&mut demonstrate).collect()
    }
}
