# A PyTorch twin of one `retort sft` run: the same model, examples, order and
# optimiser. It prints the largest difference between the two loss curves and the
# speed of both.
#
#   retort sft --run runs/start --set data.path=gsm8k_train.jsonl --set data.text_key=problem --set steps=1 \
#       --set batch_size=16
#   retort sft --run runs/fifty --set data.path=gsm8k_train.jsonl --set data.text_key=problem --set steps=50 \
#       --set batch_size=16 --set model.path=runs/start
#   python3 bench/sft_twin.py runs/fifty
#
#   python3 bench/sft_twin.py runs/fifty one
#
# The last form runs the twin in eager mode alone, on one thread, and prints tokens per second of
# processor time, which other work on the machine hardly changes; compare it with the user time of
#   time retort sft --threads 1 ...
#
# It needs torch and transformers. Texts are bytes (tokenizer "bytes"), in the
# file's order, and are learned as a whole, with the end token after them.
import json, math, sys, time
import torch, transformers

run, one_thread = sys.argv[1], sys.argv[2:] == ["one"]
clock = time.process_time if one_thread else time.perf_counter
if one_thread:
    torch.set_num_threads(1)
config = json.load(open(f"{run}/run.json"))["config"]
end = next(t["id"] for t in json.load(open(f"{run}/tokenizer.json"))["added_tokens"] if t["content"] == "<|end|>")
o, steps, size = config["optimizer"], config["steps"], config["batch_size"]
assert config["tokenizer"].endswith("tokenizer.json") or config["tokenizer"] == "bytes"
assert not config["shuffle"] and not config["data"]["no_end"] and o["warmup_steps"] == 0 and o["schedule"] == "cosine"

texts = [json.loads(line)[config["data"]["text_key"]] for line in open(config["data"]["path"])]
examples = [list(text.encode()) + [end] for text in texts]
longest = config["data"]["drop_longer"]
examples = [e for e in examples if longest == 0 or len(e) <= longest]

def batch(step):
    rows = [examples[(step * size + i) % len(examples)] for i in range(size)]
    width = max(map(len, rows))
    ids = torch.tensor([r + [0] * (width - len(r)) for r in rows])
    mask = torch.tensor([[1] * len(r) + [0] * (width - len(r)) for r in rows])
    return ids, mask

def learn(forward, model):
    adam = torch.optim.AdamW(model.parameters(), lr=o["learning_rate"], betas=(o["beta1"], o["beta2"]),
                             eps=o["epsilon"], weight_decay=o["weight_decay"])
    losses, seconds, tokens = [], [], []
    for step in range(steps):
        ids, mask = batch(step)
        began = clock()
        logits = forward(ids, mask)[:, :-1]
        logp = torch.log_softmax(logits, -1).gather(2, ids[:, 1:, None])[..., 0]
        loss = -(logp * mask[:, 1:]).sum() / mask[:, 1:].sum()
        adam.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), o["clip_norm"])
        progress = step / (steps - 1)
        rate = o["learning_rate"] * (o["final_ratio"] + (1 - o["final_ratio"]) * 0.5 * (1 + math.cos(math.pi * progress)))
        for group in adam.param_groups:
            group["lr"] = rate
        adam.step()
        seconds.append(clock() - began)
        tokens.append(int(mask.sum()) - size)
        losses.append(loss.item())
    half = steps // 2  # the first half warms up: compilation for each new width is not the twin's fault
    return losses, sum(tokens[half:]) / sum(seconds[half:])

def load():
    return transformers.Qwen2ForCausalLM.from_pretrained(config["model"]["path"] + "/model", dtype=torch.float32).train()

model = load()
losses, eager = learn(lambda ids, mask: model(ids, attention_mask=mask).logits, model)
ours = [json.loads(line)["loss"] for line in open(f"{run}/metrics.jsonl")]
assert len(ours) == steps
worst = max(range(steps), key=lambda s: abs(ours[s] - losses[s]))
print(f"loss: step 1 {ours[0]:.6f} and {losses[0]:.6f}, step {steps} {ours[-1]:.6f} and {losses[-1]:.6f}")
print(f"largest difference {abs(ours[worst] - losses[worst]):.2e} at step {worst + 1}")
if one_thread:
    total = sum(int(batch(s)[1].sum()) - size for s in range(steps))
    print(f"torch {torch.__version__} eager, one thread: {eager:.0f} tokens per second of processor time; the run has {total} tokens")
    sys.exit()

model = load()
compiled = torch.compile(lambda ids, mask: model(ids, attention_mask=mask).logits, dynamic=True)
_, fast = learn(compiled, model)

rows = [json.loads(line) for line in open(f"{run}/timing.jsonl")]
half = steps // 2
tokens = sum(int(batch(s)[1].sum()) - size for s in range(half, steps))
speed = tokens / sum(sum(r["seconds"].values()) for r in rows[half:])
print(f"tokens/s over the last {steps - half} steps: retort {speed:.0f}, torch {torch.__version__} eager {eager:.0f}, compiled {fast:.0f}, {torch.get_num_threads()} threads")
