# Makes golden_llama.gguf from golden_llama_tied.safetensors with the package gguf: names, rotary factors
# and order of rows as llama.cpp's converter has them for Llama.
# Run in this folder with: python3 gguf.py   (gguf 0.19.0)
import json, math, sys
sys.path.pop(0)  # this script has the package's name
import gguf, numpy
from safetensors import safe_open

names = {"input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm", "q_proj": "attn_q", "k_proj": "attn_k",
         "v_proj": "attn_v", "o_proj": "attn_output", "gate_proj": "ffn_gate", "up_proj": "ffn_up", "down_proj": "ffn_down"}

def rename(name):
    if name == "model.embed_tokens.weight":
        return "token_embd.weight"
    if name == "model.norm.weight":
        return "output_norm.weight"
    p = name.split(".")
    return "blk.%s.%s.%s" % (p[2], names[p[-2]], p[-1])

def permute(w, heads):  # [head, half, pair] becomes [head, pair, half]
    return w.reshape(heads, 2, w.shape[0] // heads // 2, *w.shape[1:]).swapaxes(1, 2).reshape(w.shape)

with safe_open("golden_llama_tied.safetensors", "numpy") as f:
    c = json.loads(f.metadata()["config"])
    tensors = {k.removeprefix("weight."): f.get_tensor(k) for k in f.keys() if k.startswith("weight.")}
w = gguf.GGUFWriter("golden_llama.gguf", "llama")
w.add_context_length(c["max_position_embeddings"])
w.add_embedding_length(c["hidden_size"])
w.add_block_count(c["num_hidden_layers"])
w.add_feed_forward_length(c["intermediate_size"])
w.add_head_count(c["num_attention_heads"])
w.add_head_count_kv(c["num_key_value_heads"])
w.add_key_length(c["head_dim"])
w.add_value_length(c["head_dim"])
w.add_rope_dimension_count(c["head_dim"])
w.add_rope_freq_base(c["rope_theta"])
w.add_layer_norm_rms_eps(c["rms_norm_eps"])
w.add_vocab_size(c["vocab_size"])
w.add_file_type(0)
s, dim = c["rope_scaling"], c["head_dim"]
factors = []
for i in range(0, dim, 2):
    wave = 2 * math.pi * c["rope_theta"] ** (i / dim)
    low, high = (s["original_max_position_embeddings"] / s[k] for k in ("low_freq_factor", "high_freq_factor"))
    smooth = (s["original_max_position_embeddings"] / wave - s["low_freq_factor"]) / (s["high_freq_factor"] - s["low_freq_factor"])
    factors.append(1.0 if wave < high else s["factor"] if wave > low else 1 / ((1 - smooth) / s["factor"] + smooth))
w.add_tensor("rope_freqs.weight", numpy.array(factors, dtype=numpy.float32))
for name, x in tensors.items():
    heads = {"q_proj": c["num_attention_heads"], "k_proj": c["num_key_value_heads"]}.get(name.split(".")[-2])
    w.add_tensor(rename(name), permute(x, heads) if heads else x)
w.write_header_to_file()
w.write_kv_data_to_file()
w.write_tensors_to_file()
w.close()
