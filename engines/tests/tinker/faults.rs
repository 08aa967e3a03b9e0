//! A network that loses, doubles and garbles: every step is made once, or the model says that it does not know.

use std::sync::atomic::{AtomicUsize, Ordering};

use oreal_engines::testing::proxy::{Mischief, proxy};
use oreal_engines::tinker::Remote;
use oreal_models::{Model, Signal};

use super::{adamw, assert_close, backward, connect, read, served, settings, step, table};

const STEPS: usize = 12;

fn expected() -> Vec<f64> {
    let mut here = table();
    for _ in 0..STEPS {
        backward(&mut here, Signal::Logp);
        step(&mut here, 0.05);
    }
    read(&here, Signal::Logp)
}

#[test]
fn with_numbers_every_step_is_made_once_whatever_happens_on_the_way() {
    for seed in 0..4 {
        let serving = served();
        let proxy = proxy(&serving.url(), |_, body| body, Mischief::at_random(seed, 0.3));
        let service = connect(&proxy.url());
        service.knows_numbers(true);
        let mut model = Remote::new(service.clone(), settings(), &adamw()).unwrap();
        for _ in 0..STEPS {
            backward(&mut model, Signal::Logp);
            step(&mut model, 0.05);
        }
        assert_close(&read(&model, Signal::Logp), &expected(), 1e-4);
        assert!(service.retried() > 10, "{}: nothing happened on the way", service.retried());
    }
}

#[test]
fn without_numbers_a_step_whose_fate_is_unknown_is_not_sent_again() {
    for mischief in Mischief::ALL {
        let serving = served();
        let stepped = std::sync::Arc::new(AtomicUsize::new(0));
        let seen = stepped.clone();
        let plan = move |_: usize, path: &str| {
            let second = path.ends_with("/optim_step") && seen.fetch_add(1, Ordering::SeqCst) == 1;
            if second { mischief } else { Mischief::None }
        };
        let proxy = proxy(&serving.url(), |_, body| body, plan);
        let mut model = Remote::new(connect(&proxy.url()), settings(), &adamw()).unwrap();
        let mut try_step = || {
            backward(&mut model, Signal::Logp);
            let norm = model.gradient_norm().unwrap();
            model.step(0.05, norm)
        };
        try_step().unwrap();
        let second = try_step();
        match mischief {
            Mischief::None | Mischief::Delay | Mischief::Twice => second.unwrap(),
            _ => {
                let said = second.unwrap_err().to_string();
                assert!(said.contains("it is not known whether the server has done it"), "{mischief:?}: {said}");
                let after = model.read(&super::batch(), &super::want(Signal::Logp)).unwrap_err().to_string();
                assert!(after.contains("not known since an earlier error"), "{mischief:?}: {after}");
                assert_eq!(stepped.load(Ordering::SeqCst), 2, "{mischief:?}: sent again");
            }
        }
    }
}

#[test]
fn a_server_that_is_gone_is_told_by_its_address() {
    let serving = served();
    let url = serving.url();
    let model = Remote::new(connect(&url), settings(), &adamw()).unwrap();
    serving.stop();
    let said = model.read(&super::batch(), &super::want(Signal::Logp)).unwrap_err().to_string();
    assert!(said.contains(&url), "{said}");
}
