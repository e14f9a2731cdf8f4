"""Makes reference.gguf with the Python package gguf, and compares a file of ours with it.

    pip install gguf && python3 reference_gguf.py            # make
    pip install gguf && python3 reference_gguf.py OURS.gguf  # read, print the sum of what was found
"""
import pathlib
import sys

import numpy as np
from gguf import GGMLQuantizationType, GGUFReader, GGUFValueType as V, GGUFWriter, quants

SCALARS = [("u8", 200, V.UINT8), ("i8", -100, V.INT8), ("u16", 60000, V.UINT16), ("i16", -30000, V.INT16), ("u32", 4000000000, V.UINT32),
           ("i32", -2000000000, V.INT32), ("u64", 1 << 63, V.UINT64), ("i64", -(1 << 63), V.INT64), ("f32", 0.25, V.FLOAT32),
           ("f64", 0.1, V.FLOAT64), ("yes", True, V.BOOL), ("text", "grün \"ünd\"\n", V.STRING)]
LISTS = [("u8s", [0, 255], V.UINT8), ("i8s", [-128, 127], V.INT8), ("u16s", [1, 2, 3], V.UINT16), ("i16s", [-1], V.INT16), ("u32s", [7], V.UINT32),
         ("i32s", [-1, 0, 1], V.INT32), ("u64s", [1 << 40], V.UINT64), ("i64s", [-(1 << 40)], V.INT64), ("f32s", [1.0, -2.5], V.FLOAT32),
         ("f64s", [0.1], V.FLOAT64), ("bools", [True, False, True], V.BOOL), ("texts", ["a", "", "Ġthe"], V.STRING)]
NUMBERS = (np.arange(512, dtype=np.float32) - 100) / 8


def make(path):
    w = GGUFWriter(path, "qwen2")
    for key, value, kind in SCALARS:
        w.add_key_value(key, value, kind)
    for key, value, kind in LISTS:
        w.add_key_value(key, value, V.ARRAY, kind)
    w.add_key_value("lists", [[1, 2], [3]], V.ARRAY, V.ARRAY)
    w.add_tensor("norm", np.array([1, 2, 3, 4, 5], dtype=np.float32))
    w.add_tensor("half", NUMBERS[:6].reshape(2, 3).astype(np.float16))
    w.add_tensor("ids", np.array([1, -2], dtype=np.int32))
    for kind in ["Q8_0", "Q4_0", "Q5_1", "BF16"]:
        data = quants.quantize(NUMBERS.reshape(2, 4, 64), GGMLQuantizationType[kind])
        w.add_tensor("blocks." + kind, data, raw_dtype=GGMLQuantizationType[kind])
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def read(path):
    r = GGUFReader(path)
    for field in r.fields.values():
        print(field.name, [t.name for t in field.types], str(field.contents())[:60])
    for t in r.tensors:
        values = quants.dequantize(t.data, t.tensor_type) if t.tensor_type.name not in ("I8", "I16", "I32", "I64") else t.data
        print(t.name, t.tensor_type.name, list(reversed(t.shape.tolist())), values.reshape(-1)[:4], float(values.astype(np.float64).sum()))


if __name__ == "__main__":
    read(sys.argv[1]) if len(sys.argv) > 1 else make(str(pathlib.Path(__file__).parent / "reference.gguf"))
