"""Makes decode.json and encode.json: what the Python package gguf makes of every block format.

    pip install gguf && python3 reference.py

The inputs are not stored: both sides make them from SplitMix64 (see words). Of the results
a SHA-256 is kept, and the first block for a reader.
"""
import hashlib
import json
import pathlib

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType as Type, quants

FOLDER = pathlib.Path(__file__).parent
DECODED = ["F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "IQ4_NL", "IQ4_XS", "MXFP4"]
ENCODED = ["BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1"]
BLOCKS = 4096


def words(seed, count):
    """The first count outputs of SplitMix64 (Steele, Lea, Flood 2014) from the seed."""
    with np.errstate(over="ignore"):
        z = np.uint64(seed) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def random_bytes(seed, count):
    return np.frombuffer(words(seed, -(-count // 8)).astype("<u8").tobytes()[:count], dtype=np.uint8)


def numbers(seed, count):
    """Numbers of several scales: a sum of four signed 16-bit fields, times 2^-16 to 2^-1 by the place."""
    w = words(seed, count)
    total = sum(((w >> np.uint64(16 * i)) & np.uint64(0xFFFF)).astype(np.int64) - 32768 for i in range(4))
    places = np.arange(count) // 256
    return (total.astype(np.float64) * 2.0 ** (-16 - places % 16)).astype(np.float32)


def bits(values):
    """Every NaN is the same NaN: which one, the machines do not agree on."""
    out = np.ascontiguousarray(values, dtype="<f4").reshape(-1).view("<u4").copy()
    out[np.isnan(values.reshape(-1))] = 0x7FC00000
    return out


def main():
    np.seterr(all="ignore")
    decoded, encoded = {}, {}
    for seed, name in enumerate(DECODED):
        elements, size = GGML_QUANT_SIZES[Type[name]]
        blocks = 65536 if elements == 1 else BLOCKS
        data = random_bytes(seed, blocks * size)
        out = bits(quants.dequantize(data.reshape(1, -1), Type[name]))
        decoded[name] = {"seed": seed, "blocks": blocks, "sha256": hashlib.sha256(out.tobytes()).hexdigest(),
                         "first": [f"{x:08x}" for x in out[:max(elements, 8)]]}
    for seed, name in enumerate(ENCODED):
        elements, size = GGML_QUANT_SIZES[Type[name]]
        values = numbers(100 + seed, 65536)
        out = quants.quantize(values.reshape(1, -1), Type[name]).view(np.uint8).reshape(-1)
        encoded[name] = {"seed": 100 + seed, "elements": 65536, "sha256": hashlib.sha256(out.tobytes()).hexdigest(), "first": out[:size].tobytes().hex()}
    (FOLDER / "decode.json").write_text(json.dumps(decoded, indent=1) + "\n")
    (FOLDER / "encode.json").write_text(json.dumps(encoded, indent=1) + "\n")


if __name__ == "__main__":
    main()
