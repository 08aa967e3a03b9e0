"""What verl computes of the batch of tests/reference.rs: tests/golden/verl.json, which tests/reference/verl.rs compares with.

    pip install torch numpy
    pip download verl==0.9.1 --no-deps && python -m zipfile -e verl-0.9.1-py3-none-any.whl verl-0.9.1
    python tests/golden/with_verl.py verl-0.9.1 > tests/golden/verl.json

Only `verl.trainer.ppo.core_algos` runs, with the helpers that it calls, in float64. What it imports besides (tensordict, omegaconf,
classes of settings) is replaced by empty classes, and by settings with verl's defaults.
"""

import datetime
import importlib
import json
import sys
import types
from pathlib import Path

import numpy as np
import torch

VERL = Path(sys.argv[1])


class ActorConfig:
    """The defaults of verl's `ActorConfig`, as far as the losses read them."""

    def __init__(self, **settings):
        self.clip_ratio = self.clip_ratio_low = self.clip_ratio_high = 0.2
        self.clip_ratio_c, self.tau_pos, self.tau_neg = 3.0, 1.0, 1.05
        self.global_batch_info = {}
        vars(self).update(settings)

    def get(self, key, default):
        return getattr(self, key, default)


def module(name, **contents):
    found = types.ModuleType(name)
    found.__path__ = [str(VERL / name.replace(".", "/"))]
    vars(found).update(contents)
    sys.modules[name] = found


module("tensordict", TensorDict=object)
module("omegaconf", DictConfig=object)
module("transformers", PreTrainedTokenizer=object)
for package in ["verl", "verl.trainer", "verl.trainer.ppo", "verl.utils", "verl.workers"]:
    module(package)
module("verl.utils.device", get_device_name=lambda: "cpu", get_torch_device=lambda: torch.cpu, is_npu_available=False)
module("verl.utils.import_utils", deprecated=lambda _: lambda function: function)
module("verl.trainer.config", AlgoConfig=type("AlgoConfig", (), {}))
module("verl.workers.config", ActorConfig=ActorConfig)
groupwise = importlib.import_module("verl.utils.groupwise")
vars(sys.modules["verl.utils"]).update({name: vars(groupwise)[name] for name in groupwise.__all__})
core = importlib.import_module("verl.trainer.ppo.core_algos")

# The batch of tests/reference.rs.
group = np.array([0, 0, 1, 1, 1, 2, 2])
length = [3, 1, 2, 4, 1, 5, 2]
reward = [1.0, 0, 0, 1, 1, 0, 1]
greedy = [1.0, 1, 0, 0, 0, 1, 1]
logp = [-2.27, -1.75, -1.94, -2.27, -.72, -1.63, -2.27, -2.19, -1.48, -.51, -1.09, -2.49, -.35, -.87, -2.38, -1.18, -.6, -.86]
old = [-2.37, -1.85, -2.17, -1.97, -1.17, -1.93, -2.5, -1.89, -1.78, -.66, -.99, -2.09, -.25, -.57, -2.08, -1.08, -.65, -.91]
ref = [-2.5, -2.04, -1.79, -1.78, -1., -1.95, -1.86, -2.1, -2.01, -.15, -.95, -2.75, -.12, -1.07, -2.11, -.69, -.09, -1.13]

mask = torch.tensor([[float(t < n) for t in range(max(length))] for n in length], dtype=torch.float64)


def pad(flat):
    rows = torch.zeros_like(mask)
    rows[mask.bool()] = torch.tensor(flat, dtype=torch.float64)
    return rows


def flat(rows):
    return rows[mask.bool()].tolist()


last = pad([float(t + 1 == n) for n in length for t in range(n)])
scores = torch.tensor(reward, dtype=torch.float64).unsqueeze(-1) * last
# As `apply_kl_penalty` of ray_trainer.py, with kl_penalty "kl" and a coefficient of 0.001.
penalised = scores - 1e-3 * core.kl_penalty(pad(old), pad(ref), "kl") * mask
algorithm = types.SimpleNamespace(gamma=1.0)

advantages = {
    "grpo": core.compute_grpo_outcome_advantage(scores, mask, group)[0],
    "grpo_vectorized": core.compute_grpo_vectorized_outcome_advantage(scores, mask, group)[0],
    "dr_grpo": core.compute_grpo_outcome_advantage(scores, mask, group, norm_adv_by_std_in_grpo=False)[0],
    "rloo": core.compute_rloo_outcome_advantage(scores, mask, group)[0],
    "rloo_vectorized": core.compute_rloo_vectorized_outcome_advantage(scores, mask, group)[0],
    "reinforce_plus_plus": core.compute_reinforce_plus_plus_outcome_advantage(penalised, mask, config=algorithm)[0],
    "reinforce_plus_plus_baseline": core.compute_reinforce_plus_plus_baseline_outcome_advantage(scores, mask, group)[0],
    "remax": core.compute_remax_outcome_advantage(scores, torch.tensor(greedy, dtype=torch.float64), mask)[0],
    "gpg": core.compute_gpg_outcome_advantage(scores, mask, group)[0],
}


def loss(name, advantage, mode, **settings):
    policy = pad(logp).requires_grad_()
    function = core.get_policy_loss_fn(name)
    config = ActorConfig(**settings)
    value, _ = function(pad(old), policy, advantages[advantage], mask, loss_agg_mode=mode, config=config)
    value.backward()
    return {"value": value.item(), "gradient": flat(policy.grad)}


def divergence(kind):
    policy = pad(logp).requires_grad_()
    value = core.agg_loss(core.kl_penalty(policy, pad(ref), kind), mask, "token-mean")
    value.backward()
    return {"value": value.item(), "gradient": flat(policy.grad)}


by_number = {"global_batch_info": {"loss_scale_factor": 16}}
losses = {
    "grpo": loss("vanilla", "grpo", "token-mean"),
    "grpo_by_trajectory": loss("vanilla", "grpo", "seq-mean-token-mean"),
    "dual_clip": loss("vanilla", "grpo", "token-mean", clip_ratio_c=1.21),
    "clip_higher": loss("vanilla", "grpo", "token-mean", clip_ratio_high=0.28),
    "dr_grpo": loss("vanilla", "dr_grpo", "seq-mean-token-sum-norm", **by_number),
    "rloo": loss("vanilla", "rloo", "token-mean"),
    "reinforce_plus_plus": loss("vanilla", "reinforce_plus_plus", "token-mean"),
    "remax": loss("vanilla", "remax", "token-mean"),
    "gpg": loss("gpg", "gpg", "token-mean"),
    "gspo": loss("gspo", "grpo", "seq-mean-token-mean", clip_ratio_low=3e-4, clip_ratio_high=4e-4),
    "cispo": loss("cispo", "grpo", "token-mean", clip_ratio_low=1.0, clip_ratio_high=4.0),
    "cispo_default": loss("cispo", "grpo", "token-mean"),
    "sapo": loss("sapo", "grpo", "seq-mean-token-mean"),
    **{kind: divergence(kind) for kind in ["k1", "k2", "k3"]},
}
made = {
    "verl": (VERL / "verl/version/version").read_text().strip(),
    "torch": torch.__version__,
    "made": datetime.date.today().isoformat(),
    "advantages": {name: flat(rows) for name, rows in advantages.items()},
    "losses": losses,
}


def lines(value, depth):
    """JSON with a line for each number list."""
    if not isinstance(value, dict):
        return json.dumps(value)
    inner = ",\n".join(f"{' ' * depth}{json.dumps(key)}: {lines(part, depth + 1)}" for key, part in value.items())
    return f"{{\n{inner}\n{' ' * (depth - 1)}}}"


print(lines(made, 1))
