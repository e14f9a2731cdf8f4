"""Makes quantize.json: what llama.cpp's quantiser makes of small models, for every mix: the SHA-256 of the
file, or of lines "NAME FORMAT" of its tensors where the file is larger than a test's time allows.

    pip install gguf
    go test ./model -run TestQuantizeIsLlamaCpp -quantize-inputs DIR
    python3 quantize.py libllama.so DIR

The libraries are those of llama.cpp's release v0.5.0. Beside every model lies an importance matrix in
the older form; a "+" behind a mix says that it was used.
"""
import ctypes
import hashlib
import json
import pathlib
import struct
import sys

sys.path.pop(0)  # a script of this folder has the package's name
import gguf

FOLDER = pathlib.Path(__file__).parent
TYPES = {"F32": 0, "F16": 1, "Q4_0": 2, "Q4_1": 3, "Q8_0": 7, "Q5_0": 8, "Q5_1": 9, "Q2_K": 10, "Q3_K_S": 11, "Q3_K_M": 12, "Q3_K_L": 13, "Q4_K_S": 14,
         "Q4_K_M": 15, "Q5_K_S": 16, "Q5_K_M": 17, "Q6_K": 18, "Q2_K_S": 21, "IQ4_NL": 25, "IQ4_XS": 30, "BF16": 32}


class Entry(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("data", ctypes.POINTER(ctypes.c_float)), ("size", ctypes.c_size_t)]


class Params(ctypes.Structure):
    """llama_model_quantize_params of llama.h."""
    _fields_ = [("threads", ctypes.c_int32), ("ftype", ctypes.c_int), ("output_type", ctypes.c_int), ("embedding_type", ctypes.c_int),
                ("allow_requantize", ctypes.c_bool), ("quantize_output", ctypes.c_bool), ("only_copy", ctypes.c_bool), ("pure", ctypes.c_bool),
                ("keep_split", ctypes.c_bool), ("dry_run", ctypes.c_bool), ("imatrix", ctypes.POINTER(Entry)), ("overrides", ctypes.c_void_p),
                ("types", ctypes.c_void_p), ("prune", ctypes.c_void_p)]


def importance(path):
    """Entries of the older form, ended by an empty one."""
    data, place = path.read_bytes(), 4
    entries = []
    for _ in range(struct.unpack_from("<i", data)[0]):
        length, = struct.unpack_from("<i", data, place)
        name = data[place + 4:place + 4 + length]
        calls, count = struct.unpack_from("<ii", data, place + 4 + length)
        place += 12 + length
        values = (ctypes.c_float * count)(*(v / calls for v in struct.unpack_from(f"<{count}f", data, place)))
        place += 4 * count
        entries.append(Entry(name, values, count))
    return (Entry * (len(entries) + 1))(*entries)


def digest(file, whole):
    if whole:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    lines = "".join(f"{t.name} {t.tensor_type.name}\n" for t in gguf.GGUFReader(file).tensors)
    return hashlib.sha256(lines.encode()).hexdigest()


def main():
    llama, inputs = ctypes.CDLL(sys.argv[1]), pathlib.Path(sys.argv[2])
    llama.llama_model_quantize_default_params.restype = Params
    quiet = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)(lambda *_: None)
    llama.llama_log_set(quiet, None)
    result = {}
    for file in sorted(inputs.glob("*.gguf")):
        if file.name == "out.gguf":
            continue
        made = result[file.stem] = {"input": digest(file, True)}
        matrix = importance(file.with_suffix(".dat"))
        for name, number in TYPES.items():
            for mark, entries in (("", None), ("+", matrix)):
                params = llama.llama_model_quantize_default_params()
                assert params.quantize_output and params.ftype == 7 and not params.imatrix, "the structure is another one"
                params.threads, params.ftype, params.imatrix = 2, number, entries
                out = inputs / "out.gguf"
                failed = llama.llama_model_quantize(str(file).encode(), str(out).encode(), ctypes.byref(params))
                made[name + mark] = "refused" if failed else digest(out, file.stem.startswith("whole"))
    (FOLDER / "quantize.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
