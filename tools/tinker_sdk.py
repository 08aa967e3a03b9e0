"""The public Tinker SDK against `oreal serve`, with the loops of the cookbook's recipes sl_loop.py and rl_loop.py.

Started by tools/tinker_sdk.sh. The checkpoint is called "tiny" and may have any vocabulary of at least 8 tokens.
"""

import sys
from importlib.metadata import version

import numpy as np
import tinker
from tinker import types
from tinker.types.tensor_data import TensorData

PROMPT = [1, 2, 3]
TARGET = 5
MOST = 4


def checked(what: str, holds: bool) -> None:
    print(f"{'ok    ' if holds else 'FAILED'} {what}", flush=True)
    if not holds:
        sys.exit(1)


def floats(numbers) -> TensorData:
    return TensorData.from_numpy(np.asarray(numbers, dtype=np.float32))


def tokens(numbers) -> TensorData:
    return TensorData.from_numpy(np.asarray(numbers, dtype=np.int64))


def supervised(sequence: list[int], weights: list[float]) -> types.Datum:
    """Inputs are all tokens but the last, targets all but the first."""
    inputs = {"target_tokens": tokens(sequence[1:]), "weights": floats(weights)}
    return types.Datum(model_input=types.ModelInput.from_ints(sequence[:-1]), loss_fn_inputs=inputs)


def logps(result) -> list[list[float]]:
    return [output["logprobs"].tolist() for output in result.loss_fn_outputs]


def fine_tune(client) -> None:
    """As sl_loop.py: forward_backward and optim_step are sent before either result is waited for."""
    batch = [supervised([1, 2, 3, 4], [0.0, 1.0, 1.0]), supervised([2, 4], [1.0])]
    before = logps(client.forward(batch, "cross_entropy").result())
    losses = []
    for _ in range(8):
        adam = types.AdamParams(learning_rate=1e-2, beta1=0.9, beta2=0.95, eps=1e-8)
        forward_backward = client.forward_backward(batch, loss_fn="cross_entropy")
        step = client.optim_step(adam)
        result = forward_backward.result()
        checked("a step tells the norm of the gradient", step.result().metrics["grad_norm:last"] > 0)
        weighted = sum(
            logp * weight
            for row, datum in zip(logps(result), batch)
            for logp, weight in zip(row, datum.loss_fn_inputs["weights"].tolist())
        )
        checked("the loss is -sum(weights * logp)", abs(result.metrics["loss:sum"] + weighted) < 1e-4)
        if not losses:
            checked("forward and forward_backward read the same", np.allclose(before[0], logps(result)[0], atol=1e-6))
        losses.append(result.metrics["loss:sum"])
    checked(f"supervised steps lower the loss: {losses[0]:.3f} to {losses[-1]:.3f}", losses[-1] < losses[0])


def signed(client) -> None:
    """A negative weight lowers what a positive one raises."""
    datum = supervised([1, 2, 3], [0.0, -1.0])
    before = logps(client.forward([datum], "cross_entropy").result())[0][1]
    client.forward_backward([datum], "cross_entropy").result()
    client.optim_step(types.AdamParams(learning_rate=1e-3)).result()
    after = logps(client.forward([datum], "cross_entropy").result())[0][1]
    checked(f"a negative weight lowers the log-probability: {before:.4f} to {after:.4f}", after < before)


def custom(client) -> None:
    """A loss of the client's own, which the SDK turns into weights."""
    datum = supervised([1, 2, 3, 4], [0.0, 1.0, 1.0])
    try:
        import torch  # noqa: F401
    except ImportError:
        print("--     forward_backward_custom: needs torch, which is not installed here")
        return
    result = client.forward_backward_custom([datum], lambda data, rows: (-(rows[0][1:]).sum(), {"own": 1.0})).result()
    checked("forward_backward_custom", result.metrics["own"] == 1.0)
    client.optim_step(types.AdamParams(learning_rate=0.0)).result()


def rollouts(sampler, seed: int):
    params = types.SamplingParams(max_tokens=MOST, seed=seed, temperature=1.0)
    return sampler.sample(prompt=types.ModelInput.from_ints(PROMPT), num_samples=16, sampling_params=params).result()


def reinforce(client, loss: str) -> None:
    """As rl_loop.py: group-centred rewards, targets padded with 0 over the prompt."""
    rewards = []
    for step in range(12):
        sampler = client.save_weights_and_get_sampling_client()
        sampler = sampler.result() if hasattr(sampler, "result") else sampler
        sequences = rollouts(sampler, step).sequences
        gains = [float(sequence.tokens.count(TARGET)) / MOST for sequence in sequences]
        rewards.append(float(np.mean(gains)))
        data, read = [], []
        for sequence, gain in zip(sequences, gains):
            pad = len(PROMPT) - 1
            inputs = {
                "target_tokens": tokens([0] * pad + list(sequence.tokens)),
                "logprobs": floats([0.0] * pad + list(sequence.logprobs)),
                "advantages": floats([0.0] * pad + [gain - rewards[-1]] * len(sequence.tokens)),
            }
            model_input = types.ModelInput.from_ints(PROMPT + list(sequence.tokens)[:-1])
            data.append(types.Datum(model_input=model_input, loss_fn_inputs=inputs))
            read.append(sequence.logprobs)
        if all(gain == gains[0] for gain in gains):
            continue
        forward_backward = client.forward_backward(data, loss_fn=loss)
        update = client.optim_step(types.AdamParams(learning_rate=2e-2, beta1=0.9, beta2=0.95, eps=1e-8))
        rows = logps(forward_backward.result())
        update.result()
        if step == 0:
            drawn = [row[len(PROMPT) - 1 :] for row in rows]
            far = max(abs(a - b) for x, y in zip(drawn, read) for a, b in zip(x, y))
            checked(f"{loss}: the sampler's log-probabilities are the trainer's, to {far:.1e}", far < 1e-4)
    first, last = np.mean(rewards[:2]), np.mean(rewards[-2:])
    checked(f"{loss}: twelve steps raise the reward: {first:.2f} to {last:.2f}", last > first + 0.1)


def saved(service, client) -> None:
    path = client.save_state("half").result().path
    sampler = service.create_sampling_client(model_path=client.save_weights_for_sampler("draw").result().path)
    sampler = sampler.result() if hasattr(sampler, "result") else sampler
    prompt = types.ModelInput.from_ints([1, 2, 3, 4])
    scores = sampler.compute_logprobs(prompt).result()
    datum = supervised([1, 2, 3, 4], [1.0, 1.0, 1.0])
    own = logps(client.forward([datum], "cross_entropy").result())[0]
    checked("compute_logprobs is what the trainer reads", scores[0] is None and np.allclose(scores[1:], own, atol=1e-5))
    again = rollouts(sampler, 3)
    checked("the same seed draws the same", [s.tokens for s in again.sequences] == [s.tokens for s in rollouts(sampler, 3).sequences])
    other = service.create_training_client_from_state_with_optimizer(path)
    other = other.result() if hasattr(other, "result") else other
    for one in (client, other):
        one.forward_backward([datum], "cross_entropy").result()
        one.optim_step(types.AdamParams(learning_rate=1e-2)).result()
    both = [logps(one.forward([datum], "cross_entropy").result())[0] for one in (client, other)]
    checked("a model from a saved state goes on as the first does", both[0] == both[1])


def refused(service, client) -> None:
    try:
        client.forward_backward([supervised([1, 10**6], [1.0])], "cross_entropy").result()
        checked("a token outside the vocabulary is refused", False)
    except Exception as problem:  # The SDK's own kinds of errors are not its contract.
        checked("a token outside the vocabulary is refused with a sentence", "outside the vocabulary" in str(problem))
    checked("and the model goes on", client.optim_step(types.AdamParams(learning_rate=0.0)).result() is not None)


def main() -> None:
    print(f"tinker {version('tinker')}")
    service = tinker.ServiceClient()
    names = [model.model_name for model in service.get_server_capabilities().supported_models]
    checked(f"the server says what it serves: {names}", names == ["tiny"])

    def trainer():
        client = service.create_lora_training_client(base_model="tiny", rank=8)
        return client.result() if hasattr(client, "result") else client

    client = trainer()
    fine_tune(client)
    signed(client)
    custom(client)
    for loss in ("importance_sampling", "ppo", "cispo"):
        reinforce(trainer(), loss)
    saved(service, client)
    refused(service, client)
    print("all of it holds")


if __name__ == "__main__":
    main()
