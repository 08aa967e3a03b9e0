//! GSPO, CISPO, SAPO, REINFORCE++, GPG, DPO and IPO, off-policy: ratios leave the clip range on both sides. reference/trl.rs has
//! what TRL computes of the same batch.

use ::oreal::algos::{Algorithm, Cispo, Column, Dpo, Gpg, Gspo, LogRatio, ReinforcePlusPlus, Sapo, credit_of};

use crate::{ALL, Golden, KEPT, close, experience};

// centred = np.array([reward[i] - peers(i).mean() for i in range(7)])
// scaled = np.array([c / (peers(i).std(ddof=1) + 1e-4) for i, c in enumerate(centred)])
// A = scaled[owner]
// def clipped(r, A, low, high): return np.minimum(r * A, np.clip(r, 1 - low, 1 + high) * A)

// GSPO (2507.18071 eq. 5 to 7).
//
// def sequence(l): return np.array([np.exp(np.mean((l - old)[of(i)])) for i in range(7)])
// def gspo(l): return -np.mean(clipped(sequence(l), scaled, 3e-4, 4e-4))
// print(gspo(logp)); show(grad(gspo)(logp))
#[rustfmt::skip]
pub(crate) const GSPO: Golden =
    Golden { value: 0.0827142524241, cotangents: &[(Column::LOGP, &[
        &[0.0, 0.0, 0.0],
        &[0.0],
        &[0.119984887279, 0.119984887279],
        &[0.0, 0.0, 0.0, 0.0],
        &[-0.0746168084005],
        &[0.0, 0.0, 0.0, 0.0, 0.0],
        &[0.0, 0.0],
    ])] };

// CISPO (2506.13585 eq. 4 and 5). The weight is a constant of the gradient.
//
// w = np.clip(np.exp(logp - old), 0, 5)
// def cispo(l): return -np.mean(w * A * l)
// print(cispo(logp)); show(grad(cispo)(logp))
#[rustfmt::skip]
pub(crate) const CISPO: Golden =
    Golden { value: 0.0949434129493, cotangents: &[(Column::LOGP, &[
        &[-0.0434090749487, -0.0434090749487, -0.0494354866455],
        &[0.029097973118],
        &[0.100589850934, 0.0865784870464],
        &[-0.0403626231294, -0.0237576405632, -0.0432892435232, -0.0372593971938],
        &[-0.0290176477113],
        &[0.0263289348662, 0.0355403446232, 0.029097973118, 0.029097973118, 0.0355403446232],
        &[-0.0412919893816, -0.0412919893816],
    ])] };

// SAPO (2511.20347 eq. 5 and 6).
//
// tau = np.where(A > 0, 1., 1.05)
// by_trajectory = lambda x: np.mean(np.array([np.mean(x[of(i)]) for i in range(7)]))
// def sapo(l): return -by_trajectory(4 / tau / (1 + np.exp(-tau * (np.exp(l - old) - 1))) * A)
// print(sapo(logp)); show(grad(sapo)(logp))
#[rustfmt::skip]
pub(crate) const SAPO: Golden =
    Golden { value: -0.0312780520617, cotangents: &[(Column::LOGP, &[
        &[-0.0371050798194, -0.0371050798194, -0.0416726786722],
        &[0.0734549152409],
        &[0.118467070972, 0.107642653277],
        &[-0.0255183887857, -0.0150191256393, -0.0269943055804, -0.023796320944],
        &[-0.0744481321385],
        &[0.0131429203257, 0.0182323450341, 0.0146909830482, 0.0146909830482, 0.0182323450341],
        &[-0.0530548263535, -0.0530548263535],
    ])] };

// REINFORCE++ and REINFORCE++ w/ baseline (2501.03262).
//
// def whiten(x): return (x - x.mean()) / (x.std() + 1e-8)
// def to_the_end(x): return np.array([x[t:][owner[t:] == owner[t]].sum() for t in range(18)])
// last = np.append(owner[1:] != owner[:-1], True)
// a = whiten(to_the_end(reward[owner] * last - 1e-3 * (old - ref)))
// b = whiten(centred[owner])
// def reinforce_pp(l): return -np.mean(clipped(np.exp(l - old), a, .2, .2))
// def baseline(l): return -np.mean(clipped(np.exp(l - old), b, .2, .2) - 1e-3 * (l - ref) ** 2 / 2)
// show(a); show(b)
// for loss in [reinforce_pp, baseline]: print(loss(logp)); show(grad(loss)(logp))
#[rustfmt::skip]
const RETURNS: [f64; 18] = [
    0.894072907395, 0.894334473745, 0.894716763026,
    -1.11771437224,
    -1.11779485419, -1.11813690249,
    0.895380739145, 0.894093027884, 0.894515558141, 0.894978329376,
    0.894032666418,
    -1.11944473424, -1.118116782, -1.11837834835, -1.11737232393, -1.11731196247,
    0.894636281072, 0.893509533718,
];
#[rustfmt::skip]
const CENTRED: [f64; 18] = [
    1.05515888744, 1.05515888744, 1.05515888744,
    -1.01678947335,
    -1.36211420015, -1.36211420015,
    0.709834160644, 0.709834160644, 0.709834160644, 0.709834160644,
    0.709834160644,
    -1.01678947335, -1.01678947335, -1.01678947335, -1.01678947335, -1.01678947335,
    1.05515888744, 1.05515888744,
];
#[rustfmt::skip]
const REINFORCE_PP: Golden =
    Golden { value: -0.040310164613, cotangents: &[(Column::LOGP, &[
        &[-0.054894631994, -0.0549106917453, 0.0],
        &[0.0],
        &[0.0973917383724, 0.0838514969948],
        &[0.0, -0.0367978003356, 0.0, -0.0577675816427],
        &[-0.044941900529],
        &[0.0, 0.056206327894, 0.0, 0.0, 0.0561658706255],
        &[-0.0522502924478, -0.0521844859519],
    ])] };
#[rustfmt::skip]
const BASELINE: Golden =
    Golden { value: -0.0246533000677, cotangents: &[(Column::LOGP, &[
        &[-0.0647722731306, -0.0647689397973, -8.33333333333e-06],
        &[-2.72222222222e-05],
        &[0.118694461007, 0.102165658333],
        &[-2.27777777778e-05, -0.0292193377704, 2.94444444444e-05, -0.0458372019163],
        &[-0.0356902505084],
        &[1.44444444444e-05, 0.0510999534309, 1.11111111111e-05, -1.5e-05, 0.0510855089864],
        &[-0.0616537800252, -0.0616104466918],
    ])] };

// GPG (2504.02546 eq. 5 and 6): all three groups are mixed, so alpha is 1.
//
// def gpg(l): return -np.mean(centred[owner] * l)
// print(gpg(logp)); show(grad(gpg)(logp))
#[rustfmt::skip]
const GPG: Golden =
    Golden { value: -0.0062962962963, cotangents: &[(Column::LOGP, &[
        &[-0.0277777777778, -0.0277777777778, -0.0277777777778],
        &[0.0277777777778],
        &[0.037037037037, 0.037037037037],
        &[-0.0185185185185, -0.0185185185185, -0.0185185185185, -0.0185185185185],
        &[-0.0185185185185],
        &[0.0277777777778, 0.0277777777778, 0.0277777777778, 0.0277777777778, 0.0277777777778],
        &[-0.0277777777778, -0.0277777777778],
    ])] };

// DPO (2305.18290 eq. 7) and IPO (2310.12036 eq. 17) on the pairs of right and wrong answers; IPO also with means over tokens.
//
// pairs = [(0, 1), (3, 2), (6, 5)]
// def margin(l, of_tokens): return np.array([of_tokens((l - ref)[of(i)]) - of_tokens((l - ref)[of(j)]) for i, j in pairs])
// def dpo(l): return np.mean(np.log(1 + np.exp(-.1 * margin(l, np.sum))))
// def ipo(l): return np.mean((margin(l, np.sum) - 5) ** 2)
// def ipo_mean(l): return np.mean((margin(l, np.mean) - 5) ** 2)
// for loss in [dpo, ipo, ipo_mean]: print(loss(logp)); show(grad(loss)(logp))
#[rustfmt::skip]
#[allow(clippy::approx_constant, reason = "3.14 is twice a distance of 1.57 from a margin of 5")]
const PAIRS: [Golden; 3] = [
    Golden { value: 0.690183871284, cotangents: &[(Column::LOGP, &[
        &[-0.0159504413791, -0.0159504413791, -0.0159504413791],
        &[0.0159504413791],
        &[0.0174411085681, 0.0174411085681],
        &[-0.0174411085681, -0.0174411085681, -0.0174411085681, -0.0174411085681],
        &[0.0],
        &[0.0164250169354, 0.0164250169354, 0.0164250169354, 0.0164250169354, 0.0164250169354],
        &[-0.0164250169354, -0.0164250169354],
    ])] },
    Golden { value: 24.8295333333, cotangents: &[(Column::LOGP, &[
        &[-2.76, -2.76, -2.76],
        &[2.76],
        &[3.95333333333, 3.95333333333],
        &[-3.95333333333, -3.95333333333, -3.95333333333, -3.95333333333],
        &[0.0],
        &[3.14, 3.14, 3.14, 3.14, 3.14],
        &[-3.14, -3.14],
    ])] },
    Golden { value: 24.4514488981, cotangents: &[(Column::LOGP, &[
        &[-0.974814814815, -0.974814814815, -0.974814814815],
        &[2.92444444444],
        &[1.79416666667, 1.79416666667],
        &[-0.897083333333, -0.897083333333, -0.897083333333, -0.897083333333],
        &[0.0],
        &[0.668533333333, 0.668533333333, 0.668533333333, 0.668533333333, 0.668533333333],
        &[-1.67133333333, -1.67133333333],
    ])] },
];

#[test]
fn ratios_of_sequences_clipped_weights_and_gates_are_their_papers() {
    GSPO.check(&Gspo::default(), &ALL, "gspo");
    GSPO.check(&Gspo::token(), &ALL, "gspo/token");
    CISPO.check(&Cispo::default(), &ALL, "cispo");
    SAPO.check(&Sapo::default(), &ALL, "sapo");
    GPG.check(&Gpg::default(), &ALL, "gpg");
}

#[test]
fn reinforce_plus_plus_is_its_paper() {
    let (plain, baseline) = (ReinforcePlusPlus::default(), ReinforcePlusPlus::baseline());
    for (name, algorithm, credit, golden) in
        [("default", plain, RETURNS, REINFORCE_PP), ("baseline", baseline, CENTRED, BASELINE)]
    {
        close(
            &credit_of(&algorithm).evaluate(&experience()),
            &credit,
            &format!("reinforce_plus_plus/{name}: advantages"),
        );
        golden.check(&algorithm, &ALL, &format!("reinforce_plus_plus/{name}"));
    }
}

#[test]
fn pairs_are_those_of_dpo_and_ipo() {
    let mean = Dpo { log_ratio: LogRatio::Mean, ..Dpo::ipo() };
    let losses: [Box<dyn Algorithm>; 3] = [Box::new(Dpo::default()), Box::new(Dpo::ipo()), Box::new(mean)];
    for (number, (algorithm, golden)) in losses.iter().zip(PAIRS).enumerate() {
        golden.check(&**algorithm, &KEPT, &format!("pair loss {number}"));
    }
}
