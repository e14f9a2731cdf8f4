"""Log-probabilities of a model that Retort wrote, in Retort and in another program.

  python3 bench/peer_logits.py --retort ./retort --model MODEL --with transformers
  python3 bench/peer_logits.py --retort ./retort --model MODEL.gguf --with llama.cpp --libraries FOLDER

Random ids are scored by `retort score` and by the peer in float32 (with --peer-model, in another file: the same values in another format); it prints the largest and the mean difference in
nats as one line of JSON. FOLDER holds the shared libraries of llama.cpp as the npm package @node-llama-cpp/linux-x64
3.22.1 ships them.
"""

import argparse
import json
import math
import os
import random
import subprocess

import llamacpp


def by_retort(args, texts):
    lines = "".join(json.dumps({"ids": ids}) + "\n" for ids in texts)
    done = subprocess.run([args.retort, "score", args.model, "--jsonl", "--threads", "1"], input=lines, capture_output=True, text=True, check=True)
    return [json.loads(line)["logprobs"][1:] for line in done.stdout.splitlines()]


def by_transformers(args, texts):
    import torch
    from transformers import AutoModelForCausalLM

    torch.set_num_threads(1)
    model = AutoModelForCausalLM.from_pretrained(args.peer_model, dtype=torch.float32, attn_implementation="eager").eval()
    scores = []
    with torch.no_grad():
        for ids in texts:
            logp = model(torch.tensor([ids])).logits[0, :-1].double().log_softmax(-1)
            scores.append(logp.gather(1, torch.tensor(ids[1:])[:, None])[:, 0].tolist())
    return scores


def by_llama_cpp(args, texts):
    vocabulary = json.loads(subprocess.run([args.retort, "--json", "inspect", args.model], capture_output=True, text=True, check=True).stdout)["config"]["vocab_size"]
    model = llamacpp.Model(args.libraries, args.cpu, args.peer_model, max(map(len, texts)))
    scores = []
    for ids in texts:
        model.decode(ids)
        row = []
        for i, id in enumerate(ids[1:]):
            logits = model.logits(i)[:vocabulary]
            most = max(logits)
            row.append(logits[id] - most - math.log(sum(math.exp(x - most) for x in logits)))
        scores.append(row)
    return scores


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--retort", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--with", dest="peer", choices=["transformers", "llama.cpp"], required=True)
    parser.add_argument("--peer-model", help="the file that the peer reads; default: that of --model")
    parser.add_argument("--libraries")
    parser.add_argument("--cpu", default="libggml-cpu-haswell.so", help="the library with llama.cpp's kernels")
    parser.add_argument("--vocabulary", type=int, default=1000, help="ids below this")
    parser.add_argument("--texts", type=int, default=2)
    parser.add_argument("--length", type=int, default=48)
    args = parser.parse_args()
    args.peer_model = args.peer_model or args.model
    source = random.Random(1)
    texts = [[source.randrange(args.vocabulary) for _ in range(args.length)] for _ in range(args.texts)]
    ours = by_retort(args, texts)
    theirs = by_transformers(args, texts) if args.peer == "transformers" else by_llama_cpp(args, texts)
    gaps = [abs(a - b) for x, y in zip(ours, theirs) for a, b in zip(x, y)]
    print(json.dumps({"model": os.path.basename(args.model), "peer_model": os.path.basename(args.peer_model), "with": args.peer, "tokens": len(gaps), "largest": max(gaps), "mean": sum(gaps) / len(gaps),
                      "nats": sum(-b for x in theirs for b in x) / len(gaps)}))


if __name__ == "__main__":
    main()
