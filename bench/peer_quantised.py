"""The distributions of quantised files in Retort and in llama.cpp, and those of the same weights in float32.

  RETORT_LOGITS=FOLDER RETORT_TRAINED_MODEL=... go test ./model -run QuantisedTrained
  RETORT_LOGITS=FOLDER RETORT_QUANTISED_MODEL=FILE.gguf go test ./model -run QuantisedFile
  python3 bench/peer_quantised.py --libraries LIBRARIES FOLDER

The tests leave texts and logits in FOLDER, of the quantised file as it is and widened to float32. This runs llama.cpp on the same files and texts and prints,
for each file, the mean divergences in nats. llama.cpp is as near as its own rounding allows if it is as far from ours as both are from the
widened weights.
"""

import argparse
import glob
import json
import os

import numpy

import llamacpp


def log_softmax(x):
    x = x.astype(numpy.float64)
    x -= x.max(axis=-1, keepdims=True)
    return x - numpy.log(numpy.exp(x).sum(axis=-1, keepdims=True))


def kl(p, q):
    """KL(p||q) of each row."""
    p, q = log_softmax(p), log_softmax(q)
    return (numpy.exp(p) * (p - q)).sum(axis=-1)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--libraries", required=True, help="llama.cpp's shared libraries")
    parser.add_argument("--cpu", default="libggml-cpu-haswell.so", help="the library with llama.cpp's kernels")
    parser.add_argument("folder")
    args = parser.parse_args()
    print("| file | positions | ours from widened | llama.cpp from widened | ours from llama.cpp | same first choice |")
    print("| --- | --: | --: | --: | --: | --: |")
    for name in sorted(glob.glob(os.path.join(args.folder, "*.json"))):
        with open(name) as file:
            index = json.load(file)
        texts, vocabulary = index["texts"], index["vocabulary"]
        shape = (sum(map(len, texts)), vocabulary)
        widened, ours = (numpy.memmap(name[: -len(".json")] + ending, dtype="<f4", mode="r", shape=shape) for ending in (".widened", ".quantised"))
        peer = llamacpp.Model(args.libraries, args.cpu, index["file"], max(map(len, texts)))
        sums, row = numpy.zeros(4), 0
        for ids in texts:
            peer.decode(ids)
            for i in range(len(ids)):
                theirs = numpy.ctypeslib.as_array(peer.logits(i), (vocabulary,))
                w, o = widened[row], ours[row]
                sums += kl(w, o), kl(w, theirs), kl(theirs, o), float(o.argmax() == theirs.argmax())
                row += 1
        peer.close()
        mean = sums / row
        print(f"| {os.path.basename(index['file'])} | {row} | {mean[0]:.3g} | {mean[1]:.3g} | {mean[2]:.3g} | {100 * mean[3]:.1f} % |", flush=True)


if __name__ == "__main__":
    main()
