# The model of `retort lab` in PyTorch, written for speed, and the clocks of the twins that use it
# (sft_speed.py, grpo_twin.py). It needs torch; --check also needs transformers.
#
# It is the Qwen2 of transformers with query, key and value in one product and gate and up in another,
# and nothing else between the library's fused operations: on a model this small the general code of
# transformers would spend most of its time in Python.
#
# Letters: B sequences, T tokens, S cached positions, L layers, D width, H query heads, G key/value
# heads, K head size, F feed-forward width, V vocabulary.
import argparse, json, statistics, sys, time
from types import SimpleNamespace
import torch
import torch.nn.functional as F
from torch import nn

SHAPES = {
    "0.8M": SimpleNamespace(V=480, D=128, L=4, H=4, G=2, K=32, F=352),
    "0.35M": SimpleNamespace(V=480, D=96, L=3, H=3, G=1, K=32, F=256),
}
POSITIONS, THETA, EPSILON = 256, 10000.0, 1e-6


class Layer(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.c = c
        self.norm1 = nn.Parameter(torch.ones(c.D))
        self.norm2 = nn.Parameter(torch.ones(c.D))
        self.qkv = nn.Linear(c.D, (c.H + 2 * c.G) * c.K)
        self.out = nn.Linear(c.H * c.K, c.D, bias=False)
        self.gate_up = nn.Linear(c.D, 2 * c.F, bias=False)
        self.down = nn.Linear(c.F, c.D, bias=False)

    def project(self, x, cos, sin):
        """x [B,T,D]; q [B,H,T,K], k and v [B,G,T,K], q and k rotated."""
        c = self.c
        qkv = self.qkv(F.rms_norm(x, (c.D,), self.norm1, EPSILON)).unflatten(-1, (c.H + 2 * c.G, c.K))
        a, b = qkv[..., : c.H + c.G, :].chunk(2, -1)
        qk = torch.cat((a * cos - b * sin, b * cos + a * sin), -1).transpose(1, 2)
        return qk[:, : c.H], qk[:, c.H :], qkv[..., c.H + c.G :, :].transpose(1, 2)

    def finish(self, x, attended):
        """attended [B,T,H*K]."""
        x = x + self.out(attended)
        gate, up = self.gate_up(F.rms_norm(x, (self.c.D,), self.norm2, EPSILON)).chunk(2, -1)
        return x + self.down(F.silu(gate) * up)


class Decoder(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.c = c
        self.embed = nn.Parameter(torch.empty(c.V, c.D))
        self.norm = nn.Parameter(torch.ones(c.D))
        self.layers = nn.ModuleList(Layer(c) for _ in range(c.L))
        for p in self.parameters():
            if p.dim() == 2:
                nn.init.normal_(p, std=0.06)
        angle = torch.arange(POSITIONS)[:, None] * THETA ** (-torch.arange(0, c.K, 2) / c.K)
        self.register_buffer("cos", angle.cos()[:, None], persistent=False)  # [POSITIONS,1,K/2]
        self.register_buffer("sin", angle.sin()[:, None], persistent=False)

    def logits(self, x):
        return F.linear(F.rms_norm(x, (self.c.D,), self.norm, EPSILON), self.embed)

    def forward(self, ids, first=0, caches=None):
        """Logits [B,T-first,V] of whole sequences ids [B,T] after positions first and later. With
        caches, a list per layer, k and v [B,G,T,K] are appended to it."""
        c, T = self.c, ids.shape[1]
        x = F.embedding(ids, self.embed)
        for layer in self.layers:
            q, k, v = layer.project(x, self.cos[:T], self.sin[:T])
            if caches is not None:
                caches.append((k, v))
            o = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
            x = layer.finish(x, o.transpose(1, 2).flatten(2))
        return self.logits(x[:, first:])

    def decode(self, ids, keys, values, position):
        """Logits [B,V] after one more token ids [B] of each sequence, all at the same position. keys and
        values are lists per layer of [B,G,S,K], which are written at position and read up to it."""
        c = self.c
        x = F.embedding(ids[:, None], self.embed)
        here = slice(position, position + 1)  # an index would be compiled anew at every position
        cos, sin = self.cos[here], self.sin[here]
        for layer, ks, vs in zip(self.layers, keys, values):
            q, k, v = layer.project(x, cos, sin)
            ks[:, :, here] = k
            vs[:, :, here] = v
            # The queries of one key head stand as if they were its tokens: no key is repeated.
            q = q.unflatten(1, (c.G, c.H // c.G)).squeeze(3)
            o = F.scaled_dot_product_attention(q, ks[:, :, : position + 1], vs[:, :, : position + 1])
            x = layer.finish(x, o.reshape(-1, 1, c.H * c.K))
        return self.logits(x)[:, 0]


def log_probabilities(logits, targets):
    """Of targets [B,T] under logits [B,T,V]."""
    return -F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none").view_as(targets)


def optimizer(model, rate):
    return torch.optim.AdamW(model.parameters(), lr=rate, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.0, fused=True)


def check_against_transformers(model):
    """The largest difference of logits from transformers' Qwen2 with the same weights."""
    import transformers

    c = model.c
    reference = transformers.Qwen2ForCausalLM(transformers.Qwen2Config(
        vocab_size=c.V, hidden_size=c.D, num_hidden_layers=c.L, num_attention_heads=c.H, num_key_value_heads=c.G,
        intermediate_size=c.F, max_position_embeddings=POSITIONS, rope_theta=THETA, rms_norm_eps=EPSILON,
        tie_word_embeddings=True)).eval()
    weights = {"model.embed_tokens.weight": model.embed, "model.norm.weight": model.norm, "lm_head.weight": model.embed}
    for i, layer in enumerate(model.layers):
        at = f"model.layers.{i}."
        weights[at + "input_layernorm.weight"], weights[at + "post_attention_layernorm.weight"] = layer.norm1, layer.norm2
        for kind in ("weight", "bias"):
            parts = getattr(layer.qkv, kind).split((c.H * c.K, c.G * c.K, c.G * c.K))
            for name, part in zip("qkv", parts):
                weights[at + f"self_attn.{name}_proj.{kind}"] = part
        weights[at + "self_attn.o_proj.weight"], weights[at + "mlp.down_proj.weight"] = layer.out.weight, layer.down.weight
        gate, up = layer.gate_up.weight.chunk(2)
        weights[at + "mlp.gate_proj.weight"], weights[at + "mlp.up_proj.weight"] = gate, up
    reference.load_state_dict({name: w.detach() for name, w in weights.items()})
    ids = torch.randint(c.V, (3, 41))
    with torch.no_grad():
        return (reference(ids).logits - model(ids)).abs().max().item()


def arguments(description):
    p = argparse.ArgumentParser(description=description)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--steps", type=int, default=5, help="timed steps of a round")
    p.add_argument("--modes", default="eager,compile")
    p.add_argument("--microbatch", type=int, default=0, help="sequences of one forward and backward; 0: the best known")
    p.add_argument("--check", action="store_true", help="compare with transformers and with itself, and time nothing")
    p.add_argument("--rounds", action="store_true", help="time one round for each line of standard input")
    a = p.parse_args()
    torch.set_num_threads(a.threads)
    torch.manual_seed(1)
    return a


def measure(a, what, shape, tokens, steps):
    """Times a.steps calls of each of steps {mode: function}, and prints a line of JSON for each mode. All are warm
    before the first line is printed, and before the first line of input is read."""
    for step in steps.values():
        step(), step()
    if a.rounds:
        print(json.dumps({"ready": what}), flush=True)
    for _ in sys.stdin if a.rounds else [None]:
        for mode, step in steps.items():
            seconds, cpu = [], []
            for _ in range(a.steps):
                wall, process = time.perf_counter(), time.process_time()
                step()
                seconds.append(time.perf_counter() - wall)
                cpu.append(time.process_time() - process)
            print(json.dumps({
                "what": what, "by": "torch " + mode, "shape": shape, "tokens": tokens, "seconds": statistics.median(seconds),
                "cpu_seconds": statistics.median(cpu), "threads": a.threads, "torch": torch.__version__}), flush=True)
