"""Log-probabilities of a model that Retort wrote, in Retort and in another program.

  python3 bench/peer_logits.py --retort ./retort --model MODEL --with transformers
  python3 bench/peer_logits.py --retort ./retort --model MODEL.gguf --with llama.cpp --libraries FOLDER

Random ids are scored by `retort score` and by the peer in float32 (with --peer-model, in another file: the same values in another format); it prints the largest and the mean difference in
nats as one line of JSON. FOLDER holds the shared libraries of llama.cpp as the npm package @node-llama-cpp/linux-x64
3.22.1 ships them: the offsets below are those of this build.
"""

import argparse
import ctypes
import json
import math
import os
import random
import subprocess


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


class ModelParams(ctypes.Structure):
    _fields_ = [("bytes", ctypes.c_char * 0x50)]


class ContextParams(ctypes.Structure):
    _fields_ = [("bytes", ctypes.c_char * 0xA0)]


class Batch(ctypes.Structure):
    _fields_ = [("n", ctypes.c_int32), ("token", ctypes.POINTER(ctypes.c_int32)), ("embd", ctypes.c_void_p),
                ("pos", ctypes.POINTER(ctypes.c_int32)), ("n_seq", ctypes.POINTER(ctypes.c_int32)),
                ("seq", ctypes.POINTER(ctypes.POINTER(ctypes.c_int32))), ("logits", ctypes.POINTER(ctypes.c_int8))]


def by_llama_cpp(args, texts):
    vocabulary = json.loads(subprocess.run([args.retort, "--json", "inspect", args.model], capture_output=True, text=True, check=True).stdout)["config"]["vocab_size"]
    ctypes.CDLL(os.path.join(args.libraries, "libggml-base.so"), mode=ctypes.RTLD_GLOBAL)
    ggml = ctypes.CDLL(os.path.join(args.libraries, "libggml.v0.5.0.so"), mode=ctypes.RTLD_GLOBAL)
    lib = ctypes.CDLL(os.path.join(args.libraries, "libllama.v0.5.0.so"), mode=ctypes.RTLD_GLOBAL)
    quiet = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)(
        lambda level, text, _: print(text.decode(), end="", flush=True) if level >= 4 else None)
    lib.llama_log_set(quiet, None)
    lib.llama_backend_init()
    ggml.ggml_backend_load.restype = ctypes.c_void_p
    if not ggml.ggml_backend_load(os.path.join(args.libraries, args.cpu).encode()):
        raise SystemExit(f"{args.cpu} does not load")
    lib.llama_model_default_params.restype = ModelParams
    lib.llama_context_default_params.restype = ContextParams
    lib.llama_model_load_from_file.restype = ctypes.c_void_p
    lib.llama_model_load_from_file.argtypes = [ctypes.c_char_p, ModelParams]
    lib.llama_init_from_model.restype = ctypes.c_void_p
    lib.llama_init_from_model.argtypes = [ctypes.c_void_p, ContextParams]
    lib.llama_batch_init.restype = Batch
    lib.llama_decode.argtypes = [ctypes.c_void_p, Batch]
    lib.llama_get_memory.restype = ctypes.c_void_p
    lib.llama_get_memory.argtypes = [ctypes.c_void_p]
    lib.llama_memory_clear.argtypes = [ctypes.c_void_p, ctypes.c_bool]
    lib.llama_get_logits_ith.restype = ctypes.POINTER(ctypes.c_float)
    lib.llama_get_logits_ith.argtypes = [ctypes.c_void_p, ctypes.c_int32]
    model = lib.llama_model_load_from_file(args.peer_model.encode(), lib.llama_model_default_params())
    if not model:
        raise SystemExit("llama.cpp does not load " + args.peer_model)
    params = lib.llama_context_default_params()
    longest = max(map(len, texts))
    for offset, value in {0: 512, 4: 512, 8: 512, 0x1C: 1, 0x20: 1, 0x34: 0, 0x68: 0, 0x6C: 0}.items():  # F32 keys and values
        ctypes.c_int32.from_buffer(params, offset).value = value
    context = lib.llama_init_from_model(model, params)
    batch = lib.llama_batch_init(longest, 0, 1)
    scores = []
    for ids in texts:
        lib.llama_memory_clear(lib.llama_get_memory(context), True)
        batch.n = len(ids)
        for i, id in enumerate(ids):
            batch.token[i], batch.pos[i], batch.n_seq[i], batch.logits[i] = id, i, 1, 1
            batch.seq[i][0] = 0
        if lib.llama_decode(context, batch):
            raise SystemExit("llama.cpp does not decode")
        row = []
        for i, id in enumerate(ids[1:]):
            logits = lib.llama_get_logits_ith(context, i)[:vocabulary]
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
