//! PPO (arXiv 1707.06347) with a critic, and generalised advantage estimation (1506.02438).

use ::oreal::algos::estimators::Kl;
use ::oreal::algos::{Column, Ppo, Whitening, credit_of};

use crate::{ALL, Golden, close, experience};

// PPO (1707.06347 eq. 7 and 9) with a clipped critic, an entropy bonus, k1 in the reward and k2 in the loss:
//
// def gae(reward, v, discount, decay):                 # 1506.02438 eq. 16: the sum itself
//     delta = reward + discount * np.append(v[1:], 0) - v
//     return np.array([sum((discount * decay) ** (l - t) * delta[l] for l in range(t, len(v))) for t in range(len(v))])
// last = np.append(owner[1:] != owner[:-1], True)
// token_reward = reward[owner] * last - .05 * (old - ref)
// advantage = np.concatenate([gae(token_reward[of(i)], old_value[of(i)], .9, .8) for i in range(7)])
// white = (advantage - advantage.mean()) / (advantage.std() + 1e-8)
// target = advantage + old_value
// def ppo(logp_, value_, entropy_):
//     ratio, near = np.exp(logp_ - old), old_value + np.clip(value_ - old_value, -.2, .2)
//     surrogate = np.minimum(ratio * white, np.clip(ratio, .8, 1.2) * white)
//     critic = .5 * np.maximum((value_ - target) ** 2, (near - target) ** 2)
//     return np.mean(-surrogate + .5 * critic - .01 * entropy_ + .03 * (logp_ - ref) ** 2 / 2)
// show(white); print(ppo(logp, value, entropy))
// for i in range(3): show(grad(ppo, i)(logp, value, entropy))
#[rustfmt::skip]
const PPO: Golden = Golden {
    value: 0.17216102489,
    cotangents: &[
        (Column::LOGP, &[
            &[0.0191286853441, -0.010228770814, -0.00025],
            &[-0.000816666666667],
            &[0.0943980350889, 0.0953135733609],
            &[0.0376492658558, -0.0600002606703, 0.0322568264635, -0.0569551971006],
            &[-0.111151456912],
            &[0.000433333333333, -0.033878045045, -0.00554478456814, -0.00045, 0.0896036275603],
            &[-0.00399023639741, -0.0313298993559],
        ]),
        (Column::VALUE, &[
            &[-0.00365526666667, -0.00467166666667, -0.02275],
            &[0.0119583333333],
            &[0.0202783333333, 0.0],
            &[0.0, -0.0259062, 0.0, -0.0204305555556],
            &[-0.0425555555556],
            &[0.0141215251911, -0.0128327582222, 0.00140897777778, 0.00955722222222, 0.0391805555556],
            &[0.00288666666667, -0.01775],
        ]),
        (Column::ENTROPY, &[
            &[-0.000555555555556, -0.000555555555556, -0.000555555555556],
            &[-0.000555555555556],
            &[-0.000555555555556, -0.000555555555556],
            &[-0.000555555555556, -0.000555555555556, -0.000555555555556, -0.000555555555556],
            &[-0.000555555555556],
            &[-0.000555555555556, -0.000555555555556, -0.000555555555556, -0.000555555555556, -0.000555555555556],
            &[-0.000555555555556, -0.000555555555556],
        ]),
    ],
};
#[rustfmt::skip]
const WHITE: [&[f64]; 7] = [
    &[-0.305306926445, 0.174468827851, 1.26399470314],
    &[-0.576658165368],
    &[-1.07807912687, -1.26386871791],
    &[-0.548217686287, 1.45420922703, -0.418356996431, 0.873096617835],
    &[2.2065027204],
    &[-0.707027124653, 0.666312863276, 0.142823325983, -0.683062800495, -1.7987378325],
    &[0.0537675346999, 0.544139556751],
];

fn ppo() -> Ppo {
    Ppo {
        entropy_weight: 0.01.into(),
        discount: 0.9.into(),
        lambda: 0.8.into(),
        reward_beta: 0.05.into(),
        loss_beta: 0.03.into(),
        kl: Kl::K2,
        ..Ppo::default()
    }
}

#[test]
fn ppo_whitens_advantages_of_a_reward_less_its_divergence() {
    close(&credit_of(&ppo()).evaluate(&experience()), &WHITE.concat(), "whitened advantages");
}

#[test]
fn ppo_is_its_paper_with_a_clipped_critic() {
    PPO.check(&ppo(), &ALL, "ppo");
}

// GAE without divergence, behind the snippet above:
//
// show(np.concatenate([gae(reward[i] * last[of(i)], old_value[of(i)], .9, .8) for i in range(7)]))
// show(np.concatenate([gae(reward[i] * last[of(i)], old_value[of(i)], 1, .95) for i in range(7)]))
#[rustfmt::skip]
const GAE: [&[f64]; 7] = [
    &[-0.21492, 0.064, 0.7],
    &[-0.39],
    &[-0.6878, -0.79],
    &[-0.39150752, 0.838184, -0.2928, 0.46],
    &[1.28],
    &[-0.4217754368, 0.36697856, 0.065248, -0.4566, -1.13],
    &[-0.024, 0.3],
];
#[rustfmt::skip]
const GAE_UNDISCOUNTED: [&[f64]; 7] = [
    &[0.05225, 0.255, 0.7],
    &[-0.39],
    &[-0.7905, -0.79],
    &[-0.0180325, 1.03365, -0.133, 0.46],
    &[1.28],
    &[-0.4792758125, 0.23234125, -0.113325, -0.6035, -1.13],
    &[0.115, 0.3],
];

#[test]
fn gae_is_a_discounted_sum_to_the_end_of_each_trajectory() {
    let gae = |discount: f64, lambda: f64| {
        let (discount, lambda) = (discount.into(), lambda.into());
        let ppo = Ppo { discount, lambda, whitening: Whitening::None, reward_beta: 0.0.into(), ..Ppo::default() };
        credit_of(&ppo).evaluate(&experience())
    };
    close(&gae(0.9, 0.8), &GAE.concat(), "discount 0.9, lambda 0.8");
    close(&gae(1.0, 0.95), &GAE_UNDISCOUNTED.concat(), "discount 1, lambda 0.95");
}
