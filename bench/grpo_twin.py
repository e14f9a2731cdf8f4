# The speed of PyTorch at one GRPO step of `retort lab`: 32 prompts of 14 tokens, 8 answers of 62 tokens to each,
# the model of 0.8 million weights, Dr. GRPO, AdamW with clipping, float32. The twin of BenchmarkGRPOStep in train;
# compare.sh runs both.
#
#   python3 bench/grpo_twin.py --threads 2        lines of JSON, one for eager and one for torch.compile
#   python3 bench/grpo_twin.py --check
#
# A prompt is evaluated once and its keys and values are copied to its 8 answers; all 256 answers are decoded
# together from a static cache, of which only the filled part is read. All lengths are equal, so that nothing is
# padded and no sequence ends early: PyTorch's best case. What Retort computes besides (the log-probability of each
# token at sampling, the entropies) is left out here: the old log-probabilities are the trainer's own.
import torch
from twin_model import SHAPES, Decoder, arguments, check_against_transformers, log_probabilities, measure, optimizer

SHAPE, PROMPTS, SAMPLES, PROMPT, NEW = "0.8M", 32, 8, 14, 62
ANSWERS, MICROBATCH = PROMPTS * SAMPLES, 32

a = arguments("GRPO steps in PyTorch")
c = SHAPES[SHAPE]
prompts = torch.randint(c.V, (PROMPTS, PROMPT))
rewards = (torch.arange(ANSWERS) % 2).float().view(PROMPTS, SAMPLES)  # no group without an advantage


def draw(logits):
    """One token of each row of logits [B,V], by its probability at temperature 1."""
    # By the cumulative distribution: one random number for a row, where torch.multinomial draws one for every entry.
    reached = torch.softmax(logits, -1).cumsum(-1)
    goal = torch.rand(len(logits), 1) * reached[:, -1:]
    return torch.searchsorted(reached, goal, right=True).squeeze(1).clamp(max=c.V - 1)


class Learner:
    def __init__(self, compiled):
        self.model = Decoder(c)
        wrap = torch.compile if compiled else lambda f: f
        self.decode, self.loss = wrap(self.decode_and_draw), wrap(self.policy_loss)
        self.adam = optimizer(self.model, 3e-6)
        shape = (ANSWERS, c.G, PROMPT + NEW - 1, c.K)
        self.keys = [torch.zeros(shape) for _ in range(c.L)]
        self.values = [torch.zeros(shape) for _ in range(c.L)]

    def decode_and_draw(self, ids, keys, values, position):
        return draw(self.model.decode(ids, keys, values, position))

    @torch.inference_mode()
    def rollout(self):
        """Prompts and sampled answers, [ANSWERS,PROMPT+NEW]."""
        filled = []
        logits = self.model(prompts, PROMPT - 1, filled)[:, 0]
        for i, (k, v) in enumerate(filled):
            self.keys[i].unflatten(0, (PROMPTS, SAMPLES))[:, :, :, :PROMPT] = k[:, None]
            self.values[i].unflatten(0, (PROMPTS, SAMPLES))[:, :, :, :PROMPT] = v[:, None]
        token = draw(logits.repeat_interleave(SAMPLES, 0))
        ids = torch.empty(ANSWERS, PROMPT + NEW, dtype=torch.long)
        ids[:, :PROMPT] = prompts.repeat_interleave(SAMPLES, 0)
        ids[:, PROMPT] = token
        for position in range(PROMPT, PROMPT + NEW - 1):
            token = self.decode(token, self.keys, self.values, position)
            ids[:, position + 1] = token
        return ids

    def policy_loss(self, ids, advantages):
        logp = log_probabilities(self.model(ids[:, :-1], PROMPT - 1), ids[:, PROMPT:])
        ratio = torch.exp(logp - logp.detach())
        gain = torch.minimum(ratio * advantages, ratio.clamp(0.8, 1.2) * advantages)
        return -gain.sum() / (ANSWERS * NEW)

    def step(self):
        ids = self.rollout().clone()  # outside of inference mode, where autograd may keep it
        advantages = (rewards - rewards.mean(1, keepdim=True)).flatten()[:, None]
        self.adam.zero_grad()
        size = a.microbatch or MICROBATCH
        for part, advantage in zip(ids.split(size), advantages.split(size)):
            self.loss(part, advantage).backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.adam.step()


@torch.no_grad()
def check():
    """The cached path against the whole sequence, and what is drawn against the probabilities."""
    learner = Learner(False)
    ids = learner.rollout()
    whole = learner.model(ids[:, :-1])
    last = PROMPT + NEW - 2
    cached = learner.model.decode(ids[:, last], learner.keys, learner.values, last)
    print("largest difference of logits from transformers", check_against_transformers(learner.model))
    print("largest difference of cached logits from whole sequences", (cached - whole[:, -1]).abs().max().item())
    logits = torch.randn(c.V) * 2
    counts = torch.bincount(draw(logits.expand(100000, -1)), minlength=c.V) / 100000
    print("largest difference of drawn frequencies from probabilities", (counts - logits.softmax(-1)).abs().max().item())
    before = [p.clone() for p in learner.model.parameters()]
    with torch.enable_grad():
        learner.step()
    moved = sum((p != q).any().item() for p, q in zip(learner.model.parameters(), before))
    print(f"weights moved by a step: {moved} of {len(before)} tensors")


if a.check:
    check()
else:
    measure(a, "grpo", SHAPE, ANSWERS * NEW, {m: Learner(m == "compile").step for m in a.modes.split(",")})
