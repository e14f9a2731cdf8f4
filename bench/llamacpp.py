"""llama.cpp over its C interface, as the shared libraries of the npm package @node-llama-cpp/linux-x64 3.22.1 have it: the
offsets below are those of this build."""

import ctypes
import os


class ModelParams(ctypes.Structure):
    _fields_ = [("bytes", ctypes.c_char * 0x50)]


class ContextParams(ctypes.Structure):
    _fields_ = [("bytes", ctypes.c_char * 0xA0)]


class Batch(ctypes.Structure):
    _fields_ = [("n", ctypes.c_int32), ("token", ctypes.POINTER(ctypes.c_int32)), ("embd", ctypes.c_void_p),
                ("pos", ctypes.POINTER(ctypes.c_int32)), ("n_seq", ctypes.POINTER(ctypes.c_int32)),
                ("seq", ctypes.POINTER(ctypes.POINTER(ctypes.c_int32))), ("logits", ctypes.POINTER(ctypes.c_int8))]


class Model:
    """A GGUF file, with keys and values in F32 for texts of up to longest tokens, on one thread."""

    def __init__(self, libraries, cpu, path, longest):
        ctypes.CDLL(os.path.join(libraries, "libggml-base.so"), mode=ctypes.RTLD_GLOBAL)
        ggml = ctypes.CDLL(os.path.join(libraries, "libggml.v0.5.0.so"), mode=ctypes.RTLD_GLOBAL)
        lib = self.lib = ctypes.CDLL(os.path.join(libraries, "libllama.v0.5.0.so"), mode=ctypes.RTLD_GLOBAL)
        self.quiet = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)(
            lambda level, text, _: print(text.decode(), end="", flush=True) if level == 4 else None)
        lib.llama_log_set(self.quiet, None)
        lib.llama_backend_init()
        ggml.ggml_backend_load.restype = ctypes.c_void_p
        if not ggml.ggml_backend_load(os.path.join(libraries, cpu).encode()):
            raise SystemExit(f"{cpu} does not load")
        lib.llama_model_default_params.restype = ModelParams
        lib.llama_context_default_params.restype = ContextParams
        lib.llama_model_load_from_file.restype = ctypes.c_void_p
        lib.llama_model_load_from_file.argtypes = [ctypes.c_char_p, ModelParams]
        lib.llama_model_free.argtypes = [ctypes.c_void_p]
        lib.llama_init_from_model.restype = ctypes.c_void_p
        lib.llama_init_from_model.argtypes = [ctypes.c_void_p, ContextParams]
        lib.llama_free.argtypes = [ctypes.c_void_p]
        lib.llama_batch_init.restype = Batch
        lib.llama_decode.argtypes = [ctypes.c_void_p, Batch]
        lib.llama_get_memory.restype = ctypes.c_void_p
        lib.llama_get_memory.argtypes = [ctypes.c_void_p]
        lib.llama_memory_clear.argtypes = [ctypes.c_void_p, ctypes.c_bool]
        lib.llama_get_logits_ith.restype = ctypes.POINTER(ctypes.c_float)
        lib.llama_get_logits_ith.argtypes = [ctypes.c_void_p, ctypes.c_int32]
        self.model = lib.llama_model_load_from_file(path.encode(), lib.llama_model_default_params())
        if not self.model:
            raise SystemExit("llama.cpp does not load " + path)
        params = lib.llama_context_default_params()
        for offset, value in {0: 512, 4: 512, 8: 512, 0x1C: 1, 0x20: 1, 0x34: 0, 0x68: 0, 0x6C: 0}.items():  # F32 keys and values
            ctypes.c_int32.from_buffer(params, offset).value = value
        self.context = lib.llama_init_from_model(self.model, params)
        self.batch = lib.llama_batch_init(longest, 0, 1)

    def decode(self, ids):
        """Runs a text from its beginning; logits(i) is then valid for each place in it."""
        batch = self.batch
        self.lib.llama_memory_clear(self.lib.llama_get_memory(self.context), True)
        batch.n = len(ids)
        for i, id in enumerate(ids):
            batch.token[i], batch.pos[i], batch.n_seq[i], batch.logits[i] = id, i, 1, 1
            batch.seq[i][0] = 0
        if self.lib.llama_decode(self.context, batch):
            raise SystemExit("llama.cpp does not decode")

    def logits(self, i):
        """A pointer to the logits behind the token at place i."""
        return self.lib.llama_get_logits_ith(self.context, i)

    def close(self):
        self.lib.llama_free(self.context)
        self.lib.llama_model_free(self.model)
