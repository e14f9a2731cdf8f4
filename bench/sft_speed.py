# The speed of PyTorch at one SFT update of `retort lab`'s student: 64 sequences of 62 tokens, the model of
# 0.35 million weights, AdamW with clipping, float32. The twin of BenchmarkSFTStep in train; compare.sh runs both.
#
#   python3 bench/sft_speed.py --threads 2        lines of JSON, one for eager and one for torch.compile
#   python3 bench/sft_speed.py --check
#
# All sequences have one length, so that nothing is padded: PyTorch's best case (Retort packs, and has no
# other). What Retort computes besides, the entropy of every distribution, is left out here.
import torch
from twin_model import SHAPES, Decoder, arguments, check_against_transformers, log_probabilities, measure, optimizer

SHAPE, SEQUENCES, TOKENS = "0.35M", 64, 62

a = arguments("SFT updates in PyTorch")
ids = torch.randint(SHAPES[SHAPE].V, (SEQUENCES, TOKENS))


def learner(compiled):
    model = Decoder(SHAPES[SHAPE])
    forward = torch.compile(model) if compiled else model
    adam = optimizer(model, 1e-4)
    size = a.microbatch or SEQUENCES

    def step():
        adam.zero_grad()
        for part in ids.split(size):
            loss = -log_probabilities(forward(part[:, :-1]), part[:, 1:]).sum() / (SEQUENCES * (TOKENS - 1))
            loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        adam.step()
        return loss.item()

    return step


if a.check:
    step = learner(False)
    print("largest difference of logits from transformers", check_against_transformers(Decoder(SHAPES[SHAPE])))
    print("loss of the last microbatch over 5 updates", [round(step(), 4) for _ in range(5)])
else:
    measure(a, "sft", SHAPE, SEQUENCES * TOKENS, {m: learner(m == "compile") for m in a.modes.split(",")})
