//! GRPO (arXiv 2402.03300), DAPO and Dr. GRPO.

use ::oreal::algos::{Algorithm, Column, Experience, Grpo, Layout, Scale, credit_of, dialects};

use crate::{ALL, Golden, check_advantages};

// GRPO (2402.03300 eq. 3 and 4), DAPO (2503.14476 eq. 8) and Dr. GRPO (2503.20783), off-policy: ratios leave the
// clip range on both sides with advantages of both signs.
//
// centred = np.array([reward[i] - peers(i).mean() for i in range(7)])
// scaled = np.array([c / (peers(i).std(ddof=1) + 1e-4) for i, c in enumerate(centred)])
// by_trajectory = lambda x: np.mean(np.array([np.mean(x[of(i)]) for i in range(7)]))
// by_number = lambda x: np.sum(x) / 7 / 16
// def grpo(logp_, A, high, beta, average):
//     ratio, d = np.exp(logp_ - old), ref - logp_
//     surrogate = np.minimum(ratio * A[owner], np.clip(ratio, .8, high) * A[owner])
//     return -average(surrogate - beta * (np.exp(d) - d - 1))
// for settings in [(scaled, 1.2, .04, by_trajectory), (scaled, 1.28, 0, np.mean), (centred, 1.2, 0, by_number)]:
//     print(*settings[0], grpo(logp, *settings)); show(grad(grpo)(logp, *settings))
#[rustfmt::skip]
pub(crate) const GRPO: [([f64; 7], Golden); 3] = [
    (
        [0.707006795327, -0.707006795327, -1.15450057301, 0.577250286507, 0.577250286507, -0.707006795327,
         0.707006795327],
        Golden { value: 0.0246696597758, cotangents: &[(Column::LOGP, &[
            &[-0.0368164139608, -0.036728280561, -0.000308255700435],
            &[-0.0036132355426],
            &[0.130027569083, 0.112097628954],
            &[-0.000724025407304, -0.0154073036245, 0.000587707186174, -0.0245715116454],
            &[-0.0754755158226],
            &[0.00026165533051, 0.017982348652, 0.000207164853625, -0.000354245086552, 0.017555244412],
            &[-0.054990532619, -0.0524136420458],
        ])] },
    ),
    (
        [0.707006795327, -0.707006795327, -1.15450057301, 0.577250286507, 0.577250286507, -0.707006795327,
         0.707006795327],
        Golden { value: -0.00634470899277, cotangents: &[(Column::LOGP, &[
            &[-0.0434090749487, -0.0434090749487, -0.0494354866455],
            &[0.0],
            &[0.100589850934, 0.0865784870464],
            &[-0.0403626231294, -0.0237576405632, 0.0, -0.0372593971938],
            &[-0.0290176477113],
            &[0.0, 0.0355403446232, 0.0, 0.0, 0.0355403446232],
            &[-0.0412919893816, -0.0412919893816],
        ])] },
    ),
    (
        [0.5, -0.5, -0.666666666667, 0.333333333333, 0.333333333333, -0.5, 0.5],
        Golden { value: -0.000374885965955, cotangents: &[(Column::LOGP, &[
            &[-0.00493379874141, -0.00493379874141, 0.0],
            &[0.0],
            &[0.0093351915803, 0.00803487385462],
            &[0.0, -0.00220481613298, 0.0, -0.00345784000812],
            &[-0.00269296850606],
            &[0.0, 0.00403945275909, 0.0, 0.0, 0.00403945275909],
            &[-0.00469317453739, -0.00469317453739],
        ])] },
    ),
];

#[test]
fn grpo_and_what_is_called_so_are_their_papers() {
    let presets = [("deepseek", Grpo::default()), ("dapo", Grpo::dapo()), ("dr_grpo", Grpo::dr_grpo())];
    for ((preset, grpo), golden) in presets.into_iter().zip(GRPO) {
        check_advantages(&grpo, &golden.0, &format!("grpo/{preset}"));
        golden.1.check(&grpo, &ALL, &format!("grpo/{preset}"));
    }
}

/// What one token of the only right answer among four weighs at the first update, in systems that all call it GRPO.
const DIALECTS: [(&str, f64); 10] = [
    ("trl_1_16", 0.0469),
    ("trl_1_16_grpo", 0.0937),
    ("trl_1_16_dr_grpo", 0.0117),
    ("verl", 0.0469),
    ("slime", 0.0937),
    ("prime_rl", 0.0234),
    ("open_instruct", 0.0234),
    ("grpo_zero", 0.0541),
    ("areal", 0.0827),
    ("tinker", 0.75),
];

#[test]
fn dialects_have_the_coefficients_of_their_frameworks() {
    let page = include_str!("../../docs/differences.md");
    let x = Experience::new(Layout::new(&[vec![4, 8, 8, 12]]).unwrap()).with(Column::REWARD, vec![1., 0., 0., 0.]);
    let logps = [Column::LOGP, Column::OLD_LOGP].into_iter();
    let x = logps.fold(x.unwrap(), |x, column| x.with(column, vec![-1.0; 32]).unwrap());
    assert_eq!(dialects().len(), DIALECTS.len());
    for (dialect, (name, expected)) in dialects().into_iter().zip(DIALECTS) {
        let x = x.clone().with(Column::ADVANTAGE, credit_of(&dialect.algorithm).evaluate(&x)).unwrap();
        let cotangents = &dialect.algorithm.objective().evaluate(&x).cotangents[&Column::LOGP];
        for coefficient in &cotangents[..4] {
            let found = -coefficient * dialect.factor.of(4);
            assert!(dialect.name == name && (found - expected).abs() < 5e-5, "{name}: {found}, not {expected}");
        }
        let deviation = match dialect.algorithm.scale {
            Scale::One => "no".to_owned(),
            Scale::Deviation { degrees_of_freedom, epsilon } => format!("of n - {degrees_of_freedom}, {epsilon}"),
        };
        let row = format!("| `{name}` | {} | {deviation} | ", dialect.framework);
        let rest = page.split(&row).nth(1).unwrap_or_else(|| panic!("no row in docs/differences.md begins {row}"));
        let line = rest.lines().next().unwrap_or_default().trim_end_matches(['|', ' ']);
        let coefficient = line.rsplit('|').next().unwrap_or_default().trim();
        assert_eq!(coefficient, format!("{expected:.4}"), "{name}: its coefficient in docs/differences.md");
    }
}
