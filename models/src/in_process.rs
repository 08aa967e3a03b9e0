//! The sampler that draws from the policy itself, wherever it is.

use crate::contract::{Model, Sampler};
use crate::data::{Completion, Failure, Request, Sampling};
use crate::error::Result;

/// Draws with [`Model::draw_each`]: always the current weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InProcess {
    version: u64,
}

impl Sampler for InProcess {
    fn moved(&mut self, _policy: &dyn Model, version: u64) -> Result<()> {
        self.version = version;
        Ok(())
    }

    fn sample(
        &mut self,
        policy: &dyn Model,
        requests: &[Request<'_>],
        how: &Sampling,
    ) -> Result<Vec<std::result::Result<Completion, Failure>>> {
        let drawn = policy.draw_each(requests, how)?.into_iter();
        Ok(drawn.map(|drawn| drawn.map(|completion| Completion { version: self.version, ..completion })).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Key;
    use crate::optim::Optimiser;
    use crate::table::Table;

    #[test]
    fn completions_are_the_policys_and_say_their_version() {
        let policy = Table::new(3, &Optimiser::EXACT).unwrap();
        let key = |sample| Key { seed: 1, step: 2, prompt: 0, sample };
        let requests = [0, 1].map(|sample| Request { prompt: &[1], key: key(sample) });
        let (mut sampler, how) = (InProcess::default(), Sampling::default());
        for version in [0, 5, 6] {
            sampler.moved(&policy, version).unwrap();
            let drawn = sampler.sample(&policy, &requests, &how).unwrap();
            let expected = policy.draw(&requests, &how).unwrap();
            assert_eq!(drawn.len(), 2);
            for (drawn, expected) in drawn.into_iter().zip(expected) {
                assert_eq!(drawn.unwrap(), Completion { version, ..expected });
            }
        }
    }
}
