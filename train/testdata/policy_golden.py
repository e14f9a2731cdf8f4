"""Makes policy_golden.json: losses and gradients of the policy losses, by torch autograd in float64.

Each loss is written here from its paper alone, over padded tensors with a mask, and differentiated
by torch; package train's Go code has neither. Run: python3 policy_golden.py > policy_golden.json
"""

import json

import torch

torch.set_default_dtype(torch.float64)
torch.manual_seed(7)

GROUP, LENGTHS, MAX_TOKENS = 3, [4, 2, 5, 3, 1, 6], 8
REWARDS = torch.tensor([1.0, 0.0, 0.25, 0.0, 2.0, 1.0])
N = len(LENGTHS)
WIDTH = max(LENGTHS)
MASK = torch.tensor([[1.0 if t < n else 0.0 for t in range(WIDTH)] for n in LENGTHS])


def rounded(x):
    """Numbers that float32 holds exactly, so that both sides read the same inputs."""
    return x.float().double()


OLD = rounded(-2 * torch.rand(N, WIDTH) - 0.05)
NEW = rounded(OLD + 0.5 * torch.randn(N, WIDTH)).clamp(max=-0.01).float().double()
REFERENCE = rounded(OLD + 0.3 * torch.randn(N, WIDTH))


def per_group(f):
    return torch.cat([f(REWARDS[i : i + GROUP]) for i in range(0, N, GROUP)])


def standard(x):
    return (x - x.mean()) / x.std(unbiased=False)


def clip_loss(ratio, advantage, low, high):
    return -torch.minimum(ratio * advantage, ratio.clamp(1 - low, 1 + high) * advantage)


def per_sequence(x):
    return ((x * MASK).sum(1) / MASK.sum(1)).mean()


def per_token(x):
    return (x * MASK).sum() / MASK.sum()


def whitened(a):
    """Over all tokens of the batch."""
    a = a * MASK
    mean = a.sum() / MASK.sum()
    std = ((((a - mean) ** 2) * MASK).sum() / MASK.sum()).sqrt()
    return (a - mean) / std


def wide(a):
    return a[:, None].expand(N, WIDTH)


def k3(logp):
    d = REFERENCE - logp
    return d.exp() - 1 - d


def grpo(logp):
    a = wide(per_group(standard))
    return per_sequence(clip_loss((logp - OLD).exp(), a, 0.2, 0.2) + 0.04 * k3(logp))


def dr_grpo(logp):
    a = wide(per_group(lambda r: r - r.mean()))
    return (clip_loss((logp - OLD).exp(), a, 0.2, 0.2) * MASK).sum() / (N * MAX_TOKENS)


def dapo(logp):
    return per_token(clip_loss((logp - OLD).exp(), wide(per_group(standard)), 0.2, 0.28))


def gspo(logp):
    s = (((logp - OLD) * MASK).sum(1) / MASK.sum(1)).exp()
    return clip_loss(s, per_group(standard), 3e-4, 4e-4).mean()


def cispo(logp):
    weight = (logp - OLD).exp().clamp(max=5.0).detach()
    return per_token(-weight * wide(per_group(standard)) * logp)


def rloo(logp):
    returns = REWARDS - 0.05 * ((OLD - REFERENCE) * MASK).sum(1)
    a = []
    for i in range(N):
        first = i // GROUP * GROUP
        others = [returns[j] for j in range(first, first + GROUP) if j != i]
        a.append(returns[i] - sum(others) / len(others))
    return -(torch.stack(a) * (logp * MASK).sum(1)).mean()


def reinforce_pp(logp):
    kl = (OLD - REFERENCE) * MASK
    to_go = kl.flip(1).cumsum(1).flip(1)
    return per_token(clip_loss((logp - OLD).exp(), whitened(wide(REWARDS) - 0.001 * to_go), 0.2, 0.2))


def reinforce_pp_baseline(logp):
    a = whitened(wide(per_group(lambda r: r - r.mean())))
    k2 = (logp - REFERENCE) ** 2 / 2
    return per_token(clip_loss((logp - OLD).exp(), a, 0.2, 0.2) + 1e-4 * k2)


def ragged(x):
    return [x[i, :n].tolist() for i, n in enumerate(LENGTHS)]


results = {}
for f in [grpo, dr_grpo, dapo, gspo, cispo, rloo, reinforce_pp, reinforce_pp_baseline]:
    logp = NEW.clone().requires_grad_()
    loss = f(logp)
    loss.backward()
    results[f.__name__] = {"loss": loss.item(), "gradient": ragged(logp.grad)}

print(
    json.dumps(
        {
            "group": GROUP,
            "max_tokens": MAX_TOKENS,
            "rewards": REWARDS.tolist(),
            "logprob": ragged(NEW),
            "old": ragged(OLD),
            "reference": ragged(REFERENCE),
            "variants": results,
        },
        indent=1,
    )
)
