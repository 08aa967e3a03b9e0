//! OREAL (arXiv 2502.06781): its released code and its paper.

use ::oreal::algos::{Algorithm, Column, Experience, Layout, Oreal, Shaping, TokenWeights, credit_of};

use crate::{Golden, KEPT, check_advantages, close};

// What the released code (InternLM/OREAL, train_oreal.py) does with threshold weights:
//
// r = 2 * reward - 1
// A = [r[i] - ((2 * peers(i) - 1).sum() - r[i]) / (len(peers(i)) - 1) for i in range(7)]
// kept = [0, 1, 2, 3, 5, 6]                            # a right and a wrong answer of each group
// tokens = lambda sign: sum(length[i] for i in kept if r[i] == sign)
// def rescale(c): return np.clip((c - .5) / .5, 0, 1)
// def released(logp_, score_):                         # logp and score without underscore carry no gradient
//     loss = 0
//     for i in kept:
//         l, m = logp_[of(i)], np.mean(score_[of(i)])
//         c = 1 / (1 + np.exp(-np.cumsum(score[of(i)]) / np.arange(1, length[i] + 1)))
//         if r[i] > 0:
//             loss = loss + A[i] * np.sum(rescale(c) * -l) / tokens(1)
//         else:
//             loss = loss - .5 * np.sum(np.exp(l - logp[of(i)]) * A[i] * rescale(1 - c)) / tokens(-1)
//         d = ref[of(i)] - l
//         loss = loss + .01 * np.sum(np.exp(d) - d - 1) / (tokens(1) + tokens(-1))
//         loss = loss + (np.log(1 + np.exp(m)) - m * (r[i] > 0)) / len(kept)
//     return loss
// print(*A, released(logp, score)); show(grad(released, 0)(logp, score)); show(grad(released, 1)(logp, score))
#[rustfmt::skip]
const RELEASED: Golden = Golden {
    value: 1.25936199022,
    cotangents: &[
        (Column::LOGP, &[
            &[-0.0372971476068, 0.000148080254366, -9.51966133696e-05],
            &[0.0481871343094],
            &[0.0365577331791, 0.0135470645895],
            &[-0.0583720647406, -0.0422719479992, -0.0260990436679, -0.000254899655624],
            &[0.0],
            &[0.052872051194, 0.0356891687707, 0.00302276642971, -0.000182332029843, -0.000371950717621],
            &[-0.0761251965657, -0.00541520990468],
        ]),
        (Column::SCORE, &[
            &[-0.034231800424, -0.034231800424, -0.034231800424],
            &[0.050960609982],
            &[0.0372046747374, 0.0372046747374],
            &[-0.020937499132, -0.020937499132, -0.020937499132, -0.020937499132],
            &[0.0],
            &[0.0174660528324, 0.0174660528324, 0.0174660528324, 0.0174660528324, 0.0174660528324],
            &[-0.0406252169596, -0.0406252169596],
        ]),
    ],
};

#[test]
fn oreal_is_the_released_code() {
    check_advantages(&Oreal::default(), &[2.0, -2.0, -2.0, 1.0, 1.0, -2.0, 2.0], "oreal/released");
    RELEASED.check(&Oreal::default(), &KEPT, "oreal/released");
}

// The same with the alternative weights of the released code, on lengths whose half is a whole number:
//
// length, A, r = [4, 6, 6, 4], [2, -2, 2, -2], [1, -1, 1, -1]     # one right and one wrong answer of two prompts
// first = [0, 4, 10, 16]
// logp = np.array([-1.1, -.4, -2.3, -.7, -.2, -1.6, -.9, -.3, -1.2, -.8, -.5, -1.9, -.6, -1.4, -.1, -2.2, -1.3, -.3,
//                  -.9, -1.7])
// ref = logp + .1 * np.arange(-9, 11)
// score = np.array([.8, -.5, .3, 1.2, -.7, .9, -1.1, .4, .2, -.6, .5, -.2, 1.4, -.9, .1, -.3, -1.2, .6, .7, -.4])
// def rescale(c):                                      # the best half, from 0 to 1
//     best = np.argsort(-c)[:len(c) // 2]
//     weight = np.zeros(len(c))
//     weight[best] = (c[best] - c[best].min()) / (c[best].max() - c[best].min())
//     return weight
// def top(logp_):
//     loss = 0
//     for i in range(4):
//         own = slice(first[i], first[i] + length[i])
//         l, d = logp_[own], ref[own] - logp_[own]
//         c = 1 / (1 + np.exp(-np.cumsum(score[own]) / np.arange(1, length[i] + 1)))
//         if r[i] > 0: loss = loss + A[i] * np.sum(rescale(c) * -l) / 10
//         else: loss = loss - .5 * np.sum(np.exp(l - logp[own]) * A[i] * rescale(1 - c)) / 10
//         loss = loss + .01 * np.sum(np.exp(d) - d - 1) / 20
//     return loss
// print(top(logp), *grad(top)(logp))
const TOP_SHARE: f64 = 0.652534972413;
#[rustfmt::skip]
const TOP_SHARE_LOGP: [f64; 20] = [
    -0.19970328483, 0.000275335517941, 0.000251707348104, 0.000225594181953, 0.10019673467, 0.000164839976982,
    0.0284358453301, 9.0634623461e-05, 4.7581290982e-05, 0.0, -0.164811212915, -0.00011070137908, -0.200174929404,
    -0.000245912348821, -0.00032436063535, -0.000411059400195, 0.0994931236463, -0.000612770464246,
    -0.000729801555578, -0.00085914091423,
];

#[test]
fn oreal_with_top_share_is_the_released_code() {
    let logp = vec![
        -1.1, -0.4, -2.3, -0.7, -0.2, -1.6, -0.9, -0.3, -1.2, -0.8, -0.5, -1.9, -0.6, -1.4, -0.1, -2.2, -1.3, -0.3,
        -0.9, -1.7,
    ];
    let score = vec![
        0.8, -0.5, 0.3, 1.2, -0.7, 0.9, -1.1, 0.4, 0.2, -0.6, 0.5, -0.2, 1.4, -0.9, 0.1, -0.3, -1.2, 0.6, 0.7, -0.4,
    ];
    let reference = logp.iter().enumerate().map(|(t, l)| l + 0.1 * (t as f64 - 9.0)).collect();
    let oreal = Oreal { token_weights: TokenWeights::TopShare(0.5.into()), ..Oreal::default() };
    let x = Experience::new(Layout::new(&[vec![4, 6], vec![6, 4]]).unwrap())
        .with(Column::REWARD, vec![1., 0., 1., 0.])
        .unwrap()
        .with(Column::LOGP, logp)
        .unwrap()
        .with(Column::SCORE, score)
        .unwrap()
        .with(Column::REF_LOGP, reference)
        .unwrap();
    let x = x.clone().with(Column::ADVANTAGE, credit_of(&oreal).evaluate(&x)).unwrap();
    let loss = oreal.objective().evaluate(&x);
    close(&[loss.value - loss.metrics["reward_model_loss"]], &[TOP_SHARE], "value of the policy's loss");
    close(&loss.cotangents[&Column::LOGP], &TOP_SHARE_LOGP, "d loss / d logp");
}

#[test]
fn oreal_with_grpo_shaping_divides_signed_rewards_by_their_unbiased_deviation() {
    // # behind the first snippet
    // print(*[(r[i] - r[group == group[i]].mean()) / (r[group == group[i]].std(ddof=1) + 1e-8) for i in range(7)])
    let golden = [
        0.707106776187,
        -0.707106776187,
        -1.15470052838,
        0.57735026419,
        0.57735026419,
        -0.707106776187,
        0.707106776187,
    ];
    check_advantages(&Oreal { shaping: Shaping::Grpo, ..Oreal::default() }, &golden, "oreal with grpo shaping");
}

// Equations 9 to 12 of the paper, with what it leaves open settled as `Oreal::paper` says:
//
// kept = [0, 1, 2, 3, 5, 6]
// A = [(1 - peers(i).mean()) * (1 if reward[i] else -1) for i in range(7)]
// def paper(logp_, after_):                            # eq. 9-12 with eta 1, F(1-p) = 1-p, the divergence as k2
//     loss = 0
//     for i in kept:
//         l, ratio, m = logp_[of(i)], logp_[of(i)] - old[of(i)], np.mean(after_[of(i)])
//         sigma = 1 / (1 + np.exp(-after[of(i)]))
//         if reward[i]: loss = loss - np.sum(np.maximum(2 * sigma - 1, 0) * l) / 3
//         else: loss = loss + np.sum(-A[i] * np.maximum(1 - 2 * sigma, 0) * ratio) / 3
//         loss = loss + .01 * np.sum(ratio ** 2 / 2) / 6
//         loss = loss + (np.log(1 + np.exp(m)) - m * reward[i]) / 6
//     return loss
// print(*A, paper(logp, after)); show(grad(paper, 0)(logp, after)); show(grad(paper, 1)(logp, after))
#[rustfmt::skip]
const PAPER: Golden = Golden {
    value: 1.6145788648,
    cotangents: &[
        (Column::LOGP, &[
            &[-0.0861554079783, 0.000166666666667, 0.000383333333333],
            &[-0.0005],
            &[0.0216106895409, 0.0005],
            &[0.000383333333333, -0.155846766159, 0.0005, 0.00025],
            &[0.0],
            &[0.0675818993327, -0.000166666666667, -0.0005, -0.0005, -0.000166666666667],
            &[-0.0232119634388, -0.201372592372],
        ]),
        (Column::SCORE_AFTER, &[
            &[-0.0338803562459, -0.0338803562459, -0.0338803562459],
            &[0.126279939834],
            &[0.0521648214806, 0.0521648214806],
            &[-0.0224188035161, -0.0224188035161, -0.0224188035161, -0.0224188035161],
            &[0.0],
            &[0.0204970091369, 0.0204970091369, 0.0204970091369, 0.0204970091369, 0.0204970091369],
            &[-0.0263732588553, -0.0263732588553],
        ]),
    ],
};

#[test]
fn oreal_paper_is_the_paper() {
    let advantages = [0.5, -0.5, -0.333333333333, 0.333333333333, 0.333333333333, -0.5, 0.5];
    check_advantages(&Oreal::paper(), &advantages, "oreal/paper");
    PAPER.check(&Oreal::paper(), &KEPT, "oreal/paper");
}
