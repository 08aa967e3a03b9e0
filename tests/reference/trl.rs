//! What TRL 1.16 computes of the same batch: its own `GRPOTrainer._compute_loss`, behind a model that returns the columns.

use ::oreal::algos::{Algorithm, Average, Cispo, Column, DualClip, Grpo, Gspo, Sapo};

use crate::family::{CISPO, GSPO, SAPO};
use crate::grpo::GRPO;
use crate::{ALL, Golden};

// pip install trl==1.16
//
// import collections, torch
// from types import SimpleNamespace as N
// from trl import GRPOTrainer
//
// centred = np.array([reward[i] - peers(i).mean() for i in range(7)])
// scaled = np.array([c / (peers(i).std(ddof=1) + 1e-4) for i, c in enumerate(centred)])
// def pad(x): return torch.stack([torch.nn.functional.pad(torch.tensor(x[of(i)]), (0, 5 - length[i])) for i in range(7)])
// mask = torch.tensor([[t < n for t in range(5)] for n in length])
// def trl(advantages=scaled, importance_sampling_level="token", beta=0., epsilon_low=.2, epsilon_high=.2, delta=None, **loss):
//     l = pad(logp).requires_grad_()
//     self = N(importance_sampling_level=importance_sampling_level, beta=beta, epsilon_low=epsilon_low, epsilon_high=epsilon_high,
//         top_entropy_quantile=1., off_policy_mask_threshold=None, use_vllm=False, aux_loss_enabled=False,
//         _entropy_bonus_enabled=False, max_completion_length=16, model=N(training=False), **loss,
//         args=N(use_bias_correction_kl=False, delta=delta, sapo_temperature_pos=1., sapo_temperature_neg=1.05),
//         accelerator=N(num_processes=1, gather=lambda x: x, reduce=lambda x, reduction: x),
//         _metrics=collections.defaultdict(lambda: collections.defaultdict(list)),
//         _get_per_token_logps_and_entropies=lambda *a, **k: (l, torch.zeros_like(l), None))
//     inputs = dict(prompt_ids=torch.zeros(7, 1), prompt_mask=torch.ones(7, 1), completion_ids=torch.zeros(7, 5),
//         completion_mask=mask, advantages=torch.tensor(advantages), old_per_token_logps=pad(old),
//         ref_per_token_logps=pad(ref), num_items_in_batch=mask.sum())
//     loss = GRPOTrainer._compute_loss(self, None, inputs)
//     loss.backward()
//     print("%.12g" % loss.item(), *[" ".join("%.12g" % v for v in l.grad[i, :length[i]]) for i in range(7)], sep="\n")

// trl(loss_type="grpo", beta=.04)
// trl(loss_type="dapo", epsilon_high=.28)
// trl(loss_type="dr_grpo", advantages=centred)
// trl(loss_type="grpo", importance_sampling_level="sequence", epsilon_low=3e-4, epsilon_high=4e-4)
// trl(loss_type="cispo", epsilon_high=5.)
//
// print, to the last digit, what the snippets from the papers print.
#[test]
fn trl_has_the_losses_of_the_papers() {
    let presets = [("deepseek", Grpo::default()), ("dapo", Grpo::dapo()), ("dr_grpo", Grpo::dr_grpo())];
    for ((preset, grpo), (_, golden)) in presets.into_iter().zip(GRPO) {
        golden.check(&grpo, &ALL, &format!("trl, grpo/{preset}"));
    }
    GSPO.check(&Gspo::default(), &ALL, "trl, gspo");
    CISPO.check(&Cispo::default(), &ALL, "trl, cispo");
}

// trl(loss_type="sapo")
//
// is the loss of the paper with a temperature of 1.05 in f32: apart by less than 1e-7.
#[test]
fn trl_has_the_gate_of_sapo_in_single_precision() {
    let single = f64::from(1.05_f32);
    let sapo = Sapo { tau_negative: single.into(), ..Sapo::default() };
    let x = crate::experience();
    let x = x.clone().with(Column::ADVANTAGE, ::oreal::algos::credit_of(&sapo).evaluate(&x)).unwrap();
    let value = sapo.objective().evaluate(&x).value;
    assert!((value + 0.0312780202018).abs() < 1e-9, "{value}");
    assert!((value - SAPO.value).abs() < 1e-7, "{value}");
}

// trl(loss_type="dapo", delta=1.21)
#[rustfmt::skip]
const DELTA: Golden = Golden { value: -0.0315503310087, cotangents: &[(Column::LOGP, &[
    &[-0.0434090749487, -0.0434090749487, 0.0],
    &[0.0],
    &[0.0, 0.0],
    &[0.0, -0.0237576405632, 0.0, -0.0372593971938],
    &[-0.0290176477113],
    &[0.0, 0.0355403446232, 0.0, 0.0, 0.0355403446232],
    &[-0.0412919893816, -0.0412919893816],
])] };

#[test]
fn a_dual_clip_is_the_delta_of_trl() {
    let bounded = Grpo { dual_clip: DualClip::At(1.21.into()), beta: 0.0.into(), ..Grpo::default() };
    DELTA.check(&Grpo { average: Average::Token, ..bounded }, &ALL, "trl, delta");
}
