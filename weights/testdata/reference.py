"""Writes reference.safetensors, or checks a file that Retort wrote.

    python reference.py write  reference.safetensors
    python reference.py check  written-by-retort.safetensors

Made with Python 3.11, numpy 2.4.6 and safetensors 0.8.0 (pip install numpy safetensors).
numpy has no bfloat16, so those tensors go through the bytes.
"""

import sys

import numpy
from safetensors import TensorSpec, safe_open, serialize_file

METADATA = {"format": "pt"}
EXPECTED = {
    "embed.weight": ("F32", [3, 2], [0.0, -1.5, 2.25, 1e-20, -3e30, 7.0]),
    "a.scale": ("F32", [], [0.125]),
    "norm.weight": ("BF16", [4], [1.0, -2.0, 0.5, 3.140625]),
    "empty": ("F16", [0, 5], []),
    "head <b>\u00e9": ("F16", [2, 1, 2], [1.0, -0.333251953125, 65504.0, 5.960464477539063e-08]),
}


def stored(dtype, values):
    single = numpy.array(values, dtype="<f4")
    if dtype == "F32":
        return single.tobytes()
    if dtype == "F16":
        return single.astype("<f2").tobytes()
    return (single.view("<u4") >> 16).astype("<u2").tobytes()  # exact for these values


def write(path):
    names = {"F32": "float32", "F16": "float16", "BF16": "bfloat16"}
    alive = {name: numpy.frombuffer(stored(dtype, values) or b"\0", dtype="u1") for name, (dtype, _, values) in EXPECTED.items()}
    specs = {
        name: TensorSpec(dtype=names[dtype], shape=shape, data_ptr=alive[name].ctypes.data, data_len=len(stored(dtype, values)))
        for name, (dtype, shape, values) in EXPECTED.items()
    }
    serialize_file(specs, path, METADATA)


def check(path):
    with safe_open(path, framework="numpy") as file:
        assert file.metadata() == METADATA, file.metadata()
        assert set(file.keys()) == set(EXPECTED), list(file.keys())
        for name, (dtype, shape, values) in EXPECTED.items():
            part = file.get_slice(name)
            assert (part.get_dtype(), part.get_shape()) == (dtype, shape), name
            if dtype != "BF16":
                got = file.get_tensor(name)
                assert got.tobytes() == stored(dtype, values), (name, got)
    with open(path, "rb") as file:
        whole = file.read()
    assert stored("BF16", EXPECTED["norm.weight"][2]) in whole
    print("ok")


{"write": write, "check": check}[sys.argv[1]](sys.argv[2])
