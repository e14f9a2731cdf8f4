"""Makes decode.json, encode.json and weighted.json: what independent implementations make of every block format.

    pip install gguf && python3 reference.py libggml-base.so

decode.json comes from the Python package gguf, and is compared with ggml's C code; encode.json
comes from ggml's C code (ggml_quantize_chunk without an importance matrix, compiled with
-ffp-contract=off), and is compared with gguf where that can quantise; weighted.json is the same
with an importance matrix, on rows of two super-blocks. The inputs are not
stored: both sides make them from SplitMix64 (see words). Of the results a SHA-256 is kept,
and the first block for a reader.
"""
import ctypes
import hashlib
import json
import pathlib
import sys

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType as Type, quants

FOLDER = pathlib.Path(__file__).parent
DECODED = ["F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "IQ4_NL", "IQ4_XS", "MXFP4"]
BY_GGUF = ["F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "MXFP4"]
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
    """Numbers of several scales: a sum of four signed 16-bit fields, times 2^-16 to 2^-31 by the place; then special super-blocks."""
    w = words(seed, count)
    total = sum(((w >> np.uint64(16 * i)) & np.uint64(0xFFFF)).astype(np.int64) - 32768 for i in range(4))
    places = np.arange(count) // 256
    i = np.arange(256, dtype=np.float64)
    special = [0 * i, 0 * i + 1, 0 * i - 1, (i == 7) * 3.0, i, -i, i % 3 - 1, i % 2, i * 2.0 ** -24, i * 2.0 ** -60, (i - 128) * 2.0 ** 9, (i > 200) * (i - 230)]
    return np.concatenate([total.astype(np.float64) * 2.0 ** (-16 - places % 16), *special]).astype(np.float32)


def bits(values):
    """Every NaN is the same NaN: which one, the machines do not agree on."""
    out = np.ascontiguousarray(values, dtype="<f4").reshape(-1).view("<u4").copy()
    out[np.isnan(values.reshape(-1))] = 0x7FC00000
    return out


def importance(seed, count):
    """Weights from 0 to 1, of which some are 0."""
    weights = (words(seed, count) >> np.uint64(40)).astype(np.float64) * 2.0 ** -24
    return np.where(np.arange(count) % 37 == 5, 0, weights).astype(np.float32)


def encode_with_ggml(ggml, name, values, weights=None):
    ggml.ggml_quantize_chunk.restype = ctypes.c_size_t
    elements, size = GGML_QUANT_SIZES[Type[name]]
    row = 256 if weights is None else len(weights)
    out = np.zeros(len(values) // elements * size, dtype=np.uint8)
    written = ggml.ggml_quantize_chunk(ctypes.c_int(Type[name]), values.ctypes.data_as(ctypes.c_void_p), out.ctypes.data_as(ctypes.c_void_p),
                                       ctypes.c_int64(0), ctypes.c_int64(len(values) // row), ctypes.c_int64(row),
                                       None if weights is None else weights.ctypes.data_as(ctypes.c_void_p))
    assert written == len(out), name
    return out


def decode_with_ggml(ggml, name, data, count):
    out = np.zeros(count, dtype=np.float32)
    symbol = {"F16": "ggml_fp16_to_fp32_row", "BF16": "ggml_bf16_to_fp32_row"}.get(name, "dequantize_row_" + (name.lower() if name[-1] != "K" else name[:-1].lower() + "K"))
    getattr(ggml, symbol)(np.ascontiguousarray(data).ctypes.data_as(ctypes.c_void_p), out.ctypes.data_as(ctypes.c_void_p), ctypes.c_int64(count))
    return out


def main():
    ggml = ctypes.CDLL(sys.argv[1])
    np.seterr(all="ignore")
    decoded, encoded, weighted = {}, {}, {}
    for seed, name in enumerate(DECODED):
        elements, size = GGML_QUANT_SIZES[Type[name]]
        blocks = 65536 if elements == 1 else BLOCKS
        data = random_bytes(seed, blocks * size)
        out = bits(quants.dequantize(data.reshape(1, -1), Type[name]))
        assert np.array_equal(out, bits(decode_with_ggml(ggml, name, data, blocks * elements))), f"gguf and ggml read {name} otherwise"
        decoded[name] = {"seed": seed, "blocks": blocks, "sha256": hashlib.sha256(out.tobytes()).hexdigest(),
                         "first": " ".join(f"{x:08x}" for x in out[:max(elements, 8)])}

        values = numbers(100 + seed, 65536)
        out = encode_with_ggml(ggml, name, values)
        if name in BY_GGUF:
            other = quants.quantize(values.reshape(-1, 256), Type[name]).view(np.uint8).reshape(-1)
            different = np.nonzero((out != other).reshape(-1, size).any(axis=1))[0]
            if len(different):
                print(f"gguf and ggml write {len(different)} of {len(out) // size} blocks of {name} otherwise, the first {different[0]}")
        encoded[name] = {"seed": 100 + seed, "elements": len(values), "sha256": hashlib.sha256(out.tobytes()).hexdigest(),
                         "first": out[:size].tobytes().hex()}
        if elements > 1:
            out = encode_with_ggml(ggml, name, values, importance(200 + seed, 512))
            weighted[name] = {"seed": 100 + seed, "weights": 200 + seed, "row": 512, "elements": len(values),
                              "sha256": hashlib.sha256(out.tobytes()).hexdigest(), "first": out[:size].tobytes().hex()}
    (FOLDER / "decode.json").write_text(json.dumps(decoded, indent=1) + "\n")
    (FOLDER / "encode.json").write_text(json.dumps(encoded, indent=1) + "\n")
    (FOLDER / "weighted.json").write_text(json.dumps(weighted, indent=1) + "\n")


if __name__ == "__main__":
    main()
