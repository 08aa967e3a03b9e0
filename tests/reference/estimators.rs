//! Advantages and divergences that algorithms share.

use ::oreal::algos::estimators::Kl;
use ::oreal::algos::{Batch, Column, Experience, Layout, Rloo, minimise};

use crate::{check_advantages, close};

#[test]
fn rloo_takes_off_the_mean_of_the_others() {
    // print(*[reward[i] - (peers(i).sum() - reward[i]) / (len(peers(i)) - 1) for i in range(7)])
    check_advantages(&Rloo::default(), &[1.0, -1.0, -1.0, 0.5, 0.5, -1.0, 1.0], "rloo");
}

#[test]
fn divergence_estimators_have_three_values_and_three_gradients() {
    // k1 = lambda l, q: l - q
    // k2 = lambda l, q: (l - q) ** 2 / 2
    // k3 = lambda l, q: np.exp(q - l) - 1 - (q - l)
    // for k in [k1, k2, k3]: print([(k(l, q), grad(k)(l, q)) for l, q in [(-.5, -1.3), (-2., -.4), (-.7, -.7)]])
    let points = [(-0.5, -1.3), (-2.0, -0.4), (-0.7, -0.7)];
    let golden = [
        [(0.8, 1.0), (-1.6, 1.0), (0.0, 1.0)],
        [(0.32, 0.8), (1.28, -1.6), (0.0, 0.0)],
        [(0.249328964117, 0.550671035883), (2.3530324244, -3.9530324244), (0.0, 0.0)],
    ];
    for ((kl, name), golden) in [(Kl::K1, "k1"), (Kl::K2, "k2"), (Kl::K3, "k3")].into_iter().zip(golden) {
        let objective = minimise(|x| kl.estimate(x.logp(), x.ref_logp()).mean::<Batch>());
        for ((logp, reference), (value, slope)) in points.into_iter().zip(golden) {
            let x = Experience::new(Layout::new(&[vec![1]]).unwrap());
            let x = x.with(Column::LOGP, vec![logp]).unwrap().with(Column::REF_LOGP, vec![reference]).unwrap();
            let loss = objective.evaluate(&x);
            close(&[loss.value, loss.cotangents[&Column::LOGP][0]], &[value, slope], name);
        }
    }
}
