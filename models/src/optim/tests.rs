use super::*;

#[test]
fn schedule_warms_up_then_falls() {
    let schedule = Schedule { peak: 2.0, warmup: 4, total: 24, floor: 0.1 };
    let rates: Vec<f64> = (0..30).map(|step| schedule.rate(step)).collect();
    assert_eq!(rates[..5], [0.5, 1.0, 1.5, 2.0, 2.0]);
    assert!(rates[4..25].windows(2).all(|pair| pair[1] < pair[0]));
    assert!((rates[14] - 1.1).abs() < 1e-12, "half way is the middle of peak and floor");
    assert!(rates[24..].iter().all(|rate| (rate - 0.2).abs() < 1e-12));
    let flat = Schedule { peak: 3.0, warmup: 0, total: 0, floor: 1.0 };
    assert_eq!([flat.rate(0), flat.rate(7)], [3.0, 3.0]);
}

/// Adam as Algorithm 2 of arXiv:1711.05101 writes it, one number, in order.
#[test]
fn adam_is_the_paper() {
    let (rate, beta1, beta2, epsilon, lambda) = (0.1, 0.9, 0.999, 1e-8, 0.01);
    let (mut theta, mut m, mut v) = (1.5f64, 0.0f64, 0.0f64);
    let mut values = [1.5];
    let mut moments = Moments::default();
    for (t, gradient) in [0.3, -0.2, 0.9, 0.0, -5.0].into_iter().enumerate() {
        let t = t as i32 + 1;
        let clipped = if f64::abs(gradient) > 1.0 { gradient / f64::abs(gradient) } else { gradient };
        m = beta1 * m + (1.0 - beta1) * clipped;
        v = beta2 * v + (1.0 - beta2) * clipped * clipped;
        let m_hat = m / (1.0 - f64::powi(beta1, t));
        let v_hat = v / (1.0 - f64::powi(beta2, t));
        theta -= rate * (m_hat / (v_hat.sqrt() + epsilon) + lambda * theta);
        let update = OptimiserStep::new(Optimiser::default(), rate, f64::abs(gradient), t as u64);
        update.apply(Dimensions::Matrix, &mut values, &[gradient], moments.of(1));
        assert!((values[0] - theta).abs() < 1e-13, "step {t}: {} is not {theta}", values[0]);
    }
}

#[test]
fn only_what_should_decay_decays() {
    let mut values = [2.0, 2.0];
    let update = OptimiserStep::new(Optimiser::default(), 0.5, 0.0, 1);
    let [matrix, bias] = &mut values;
    update.apply(Dimensions::Matrix, std::slice::from_mut(matrix), &[0.0], Moments::default().of(1));
    update.apply(Dimensions::Vector, std::slice::from_mut(bias), &[0.0], Moments::default().of(1));
    assert_eq!(values, [2.0 * (1.0 - 0.5 * 0.01), 2.0]);
}

#[test]
fn sgd_descends() {
    let mut values = [1.0, -1.0];
    OptimiserStep::new(Optimiser::EXACT, 0.5, 9.0, 1).apply(
        Dimensions::Matrix,
        &mut values,
        &[2.0, 4.0],
        Moments::default().of(2),
    );
    assert_eq!(values, [0.0, -3.0]);
}

#[test]
fn settings_parse_or_say_why() {
    let read = |text: &str| serde_json::from_str::<Optimiser>(text);
    assert_eq!(read(r#"{"rule":"adamw"}"#).unwrap(), Optimiser::default());
    assert_eq!(read(r#"{"rule":"sgd","clip":"off"}"#).unwrap(), Optimiser::EXACT);
    for optimiser in [Optimiser::default(), Optimiser::EXACT] {
        let text = serde_json::to_string(&optimiser).unwrap();
        assert_eq!(read(&text).unwrap(), optimiser);
    }
    for (wrong, named) in [
        (r#"{"rule":"sgd","beta1":0.9}"#, "beta1"),
        (r#"{"rule":"adamw","beta":0.9}"#, "beta"),
        (r#"{"rule":"adamw","clip":-1}"#, "positive"),
        (r#"{"rule":"adamw","clip":"none"}"#, "off"),
        (r#"{"rule":"adam"}"#, "adamw"),
    ] {
        let message = read(wrong).unwrap_err().to_string();
        assert!(message.contains(named), "{wrong}: {message}");
    }
}

/// Vectors are decayed with `decay = "all"` only, matrices always.
#[test]
fn decay_acts_on_what_the_setting_says() {
    let decayed = |decay: &str, dimensions| {
        let rule = serde_json::from_str(&format!(r#"{{"rule":"adamw","decay":"{decay}"}}"#)).unwrap();
        let mut value = [2.0];
        OptimiserStep::new(rule, 0.5, 0.0, 1).apply(dimensions, &mut value, &[0.0], Moments::default().of(1));
        value[0]
    };
    let shrunk = 2.0 * (1.0 - 0.5 * 0.01);
    assert_eq!(["matrices", "all"].map(|decay| decayed(decay, Dimensions::Matrix)), [shrunk, shrunk]);
    assert_eq!(["matrices", "all"].map(|decay| decayed(decay, Dimensions::Vector)), [2.0, shrunk]);
}

/// `torch.nn.utils.clip_grad_norm_([x], 1.0)` with `x.grad = [3, 4]`: `grad * min(1, 1 / (5 + 1e-6))`.
#[test]
fn the_clip_epsilon_is_added_to_the_norm() {
    let moved = |clip_epsilon| {
        let mut values = [0.0, 0.0];
        let rule = Optimiser::Sgd { clip: Clip::Norm(1.0), clip_epsilon };
        OptimiserStep::new(rule, 1.0, 5.0, 1).apply(
            Dimensions::Matrix,
            &mut values,
            &[3.0, 4.0],
            Moments::default().of(2),
        );
        values
    };
    assert_eq!(moved(0.0), [-0.6000000000000001, -0.8]);
    assert_eq!(moved(1e-6), [3.0, 4.0].map(|g: f64| -(1.0 / (5.0 + 1e-6)) * g));
}

#[test]
fn wrong_hyperparameters_are_named() {
    let adamw = |key: &str, value: f64| {
        let mut all = serde_json::to_value(Optimiser::default()).unwrap();
        all[key] = value.into();
        serde_json::from_value::<Optimiser>(all).unwrap()
    };
    let Optimiser::AdamW { beta1, beta2, epsilon, decay, clip, clip_epsilon, .. } = Optimiser::default() else {
        panic!("AdamW is the default");
    };
    let nan = Optimiser::AdamW { beta1, beta2, epsilon, weight_decay: f64::NAN, decay, clip, clip_epsilon };
    let sgd = |clip, clip_epsilon| Optimiser::Sgd { clip, clip_epsilon };
    let cases = [
        (adamw("beta1", 1.0), "optimiser.beta1"),
        (adamw("beta1", 2.0), "optimiser.beta1"),
        (adamw("beta2", -0.1), "optimiser.beta2"),
        (adamw("epsilon", 0.0), "optimiser.epsilon"),
        (adamw("epsilon", 1e-60), "optimiser.epsilon"),
        (adamw("weight_decay", 1e9), "optimiser.weight_decay"),
        (nan, "optimiser.weight_decay"),
        (adamw("clip_epsilon", -1e-6), "optimiser.clip_epsilon"),
        (sgd(Clip::Norm(0.0), 0.0), "optimiser.clip:"),
        (sgd(Clip::Norm(f64::NAN), 0.0), "optimiser.clip:"),
        (sgd(Clip::Norm(f64::INFINITY), 0.0), "optimiser.clip:"),
        (sgd(Clip::Off, f64::INFINITY), "optimiser.clip_epsilon"),
    ];
    for (wrong, named) in cases {
        let message = wrong.validate().unwrap_err().to_string();
        assert!(message.starts_with(named), "{message}");
        // Every model refuses it when it is made.
        assert_eq!(crate::Table::new(2, &wrong).unwrap_err().to_string(), message);
    }
    assert!(Optimiser::default().validate().is_ok() && Optimiser::EXACT.validate().is_ok());
    for (rate, norm) in [(f64::INFINITY, 1.0), (-1.0, 1.0), (0.1, f64::NAN), (0.1, -1.0)] {
        assert!(check_step(rate, Some(norm)).is_err(), "rate {rate}, norm {norm}");
    }
    assert!(check_step(0.0, None).is_err(), "no norm");
    assert_eq!(check_step(0.0, Some(2.0)).unwrap(), 2.0);
    let schedule = Schedule { peak: 1.0, warmup: 0, total: 1, floor: 1.5 };
    assert!(schedule.validate().unwrap_err().to_string().starts_with("schedule.floor"));
    for peak in [-1.0, f64::NAN, 1e300] {
        let message = Schedule { peak, floor: 0.5, ..schedule }.validate().unwrap_err().to_string();
        assert!(message.starts_with("schedule.peak"), "{message}");
    }
}

#[test]
fn infinite_gradients_are_named() {
    let message = finite(|| "model.norm.weight".into(), squares(&[1.0, f32::INFINITY])).unwrap_err().to_string();
    assert!(message.contains("model.norm.weight"), "{message}");
}
