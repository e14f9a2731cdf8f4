# Makes golden_*.safetensors: random models in float64 by Hugging Face transformers (and PEFT), their
# logits, log-probabilities and gradients. (golden_qwen2_{tied,untied}: transformers 5.23.0 or later.)
# Run in this folder with: python3 golden.py [name...]   (torch, transformers and peft: versions in the metadata)
import json, sys, torch, transformers
from safetensors.torch import save_file

INVERSE_TEMPERATURE = 0.8
PACKED = [13, 1, 22, 7]  # the lengths of the packed sequences
LONG = [45, 1, 22, 7]  # the first goes beyond the original context of SCALED
SCALED = dict(max_position_embeddings=128, rope_scaling=dict(rope_type="llama3", factor=4.0, low_freq_factor=1.0,
              high_freq_factor=4.0, original_max_position_embeddings=32), rope_theta=100.0)
FIRST = dict(vocab_size=50, hidden_size=24, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
             head_dim=6, intermediate_size=38, max_position_embeddings=64, rms_norm_eps=1e-6, rope_theta=10000.0)
SMALL = dict(vocab_size=40, hidden_size=16, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
             head_dim=8, intermediate_size=22, max_position_embeddings=64, rms_norm_eps=1e-5, rope_theta=10000.0)
WIDE_HEADS = dict(SMALL, head_dim=10)  # heads times their size is not the width
EVERY = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]

# name: (seed, architecture, tied, shape, lengths, adapter)
CASES = {
    "qwen2_tied": (11, "Qwen2", True, FIRST, PACKED, None),
    "qwen2_untied": (12, "Qwen2", False, FIRST, PACKED, None),
    "qwen2_scaled": (13, "Qwen2", True, dict(SMALL, **SCALED), LONG, None),
    "llama_tied": (14, "Llama", True, dict(SMALL, **SCALED), LONG, None),
    "llama_untied": (15, "Llama", False, dict(SMALL, attention_bias=True), PACKED, None),
    "qwen3_tied": (16, "Qwen3", True, dict(WIDE_HEADS, **SCALED), LONG, None),
    "qwen3_untied": (17, "Qwen3", False, dict(WIDE_HEADS, attention_bias=True), PACKED, None),
    "llama_lora": (18, "Llama", False, dict(SMALL, **SCALED), LONG, dict(r=3, lora_alpha=6, target_modules=EVERY)),
    "qwen3_lora": (19, "Qwen3", True, WIDE_HEADS, PACKED,
                   dict(r=2, lora_alpha=3, target_modules=["q_proj", "v_proj", "down_proj"], use_rslora=True)),
    "qwen3_patterns": (21, "Qwen3", False, WIDE_HEADS, PACKED,
                       dict(r=3, lora_alpha=6, target_modules=EVERY, rank_pattern={"q_proj": 1, "layers.1.mlp.down_proj": 5},
                            alpha_pattern={"v_proj": 9, "self_attn.o_proj": 2, "down_proj": 4})),
    "qwen2_lora": (20, "Qwen2", True, SMALL, PACKED, dict(r=4, lora_alpha=4, target_modules=["k_proj", "up_proj", "o_proj"])),
}

def adapt(m, options):
    import peft
    config = peft.LoraConfig(task_type="CAUSAL_LM", **options)
    m = peft.get_peft_model(m, config).double()
    with torch.no_grad():
        for name, p in m.named_parameters():
            if "lora_" in name:  # B is zero at first, which would hide A's gradient
                p.copy_((0.3 * torch.randn_like(p)).float().double())
    described = config.to_dict()
    described["target_modules"] = sorted(described["target_modules"])
    text = json.dumps(described, default=lambda x: sorted(x) if isinstance(x, set) else getattr(x, "value", str(x)))
    return m, dict(adapter=text, peft=peft.__version__)

def make(name, seed, architecture, tied, shape, lengths, adapter):
    torch.manual_seed(seed)
    shape = dict(shape, tie_word_embeddings=tied)
    c = getattr(transformers, architecture + "Config")(**shape, attn_implementation="eager")
    m = getattr(transformers, architecture + "ForCausalLM")(c).double()
    with torch.no_grad():
        for p in m.parameters():  # float32 values, biases and norms off their neutral values
            p.copy_((p + 0.2 * torch.randn_like(p)).float().double())
    meta = {}
    if adapter:
        m, meta = adapt(m, adapter)
    out, loss = {}, 0.0
    tokens, weights, logps, logits = [], [], [], []
    for n in lengths:
        ids = torch.randint(0, shape["vocab_size"], (n,))
        z = m(input_ids=ids[None]).logits[0]
        logp = torch.log_softmax(z * INVERSE_TEMPERATURE, -1)
        w = torch.randn(max(n - 1, 0), dtype=torch.float64).float().double()
        if n > 1:
            lp = logp[:-1].gather(1, ids[1:, None])[:, 0]
            loss = loss + (w * lp).sum()
            logps.append(lp.detach())
            weights.append(w)
        tokens.append(ids)
        logits.append(z.detach())
    loss.backward()
    for full, p in m.named_parameters():
        short = full.removeprefix("base_model.model.").replace(".base_layer", "").replace(".default", "")
        kind = "adapter.base_model.model." if ".lora_" in full else "weight."
        out[kind + short] = p.detach().float()
        if p.grad is not None:
            out["gradient." + short] = p.grad.float()
    out["tokens"] = torch.cat(tokens).float()
    out["dlogp"] = torch.cat(weights).float()
    out["logp"] = torch.cat(logps).float()
    out["logits"] = torch.cat(logits).float()
    config = dict(shape, architectures=[architecture + "ForCausalLM"], model_type=architecture.lower(), hidden_act="silu")
    meta.update(config=json.dumps(config), lengths=json.dumps(lengths), inverse_temperature=str(INVERSE_TEMPERATURE),
                torch=torch.__version__.split("+")[0], transformers=transformers.__version__)
    save_file(out, "golden_%s.safetensors" % name, metadata=meta)
    print(name, getattr(c, "rope_parameters", None), sum(v.numel() * 4 for v in out.values()), "bytes")

for name in sys.argv[1:] or CASES:
    make(name, *CASES[name])
