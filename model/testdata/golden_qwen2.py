# Makes golden_qwen2_{tied,untied}.safetensors: a random Qwen2 in float64 by Hugging Face
# transformers, its logits, log-probabilities and every gradient.
# Run in this folder with: python3 golden_qwen2.py   (torch 2.15.0, transformers: version in the metadata)
import json, torch, transformers
from safetensors.torch import save_file

LENGTHS = [13, 1, 22, 7]  # the packed sequences
INVERSE_TEMPERATURE = 0.8

def make(tied):
    torch.manual_seed(11 if tied else 12)
    shape = dict(vocab_size=50, hidden_size=24, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
                 head_dim=6, intermediate_size=38, max_position_embeddings=64, rms_norm_eps=1e-6,
                 rope_theta=10000.0, tie_word_embeddings=tied)
    c = transformers.Qwen2Config(**shape, attn_implementation="eager")
    m = transformers.Qwen2ForCausalLM(c).double()
    with torch.no_grad():
        for p in m.parameters():  # float32 values, biases and norms off their neutral values
            p.copy_((p + 0.2 * torch.randn_like(p)).float().double())
    out, loss = {}, 0.0
    tokens, weights, logps, logits = [], [], [], []
    for n in LENGTHS:
        ids = torch.randint(0, 50, (n,))
        z = m(ids[None]).logits[0]
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
    for name, p in m.named_parameters():
        out["weight." + name] = p.detach().float()
        out["gradient." + name] = p.grad.float()
    out["tokens"] = torch.cat(tokens).float()
    out["dlogp"] = torch.cat(weights).float()
    out["logp"] = torch.cat(logps).float()
    out["logits"] = torch.cat(logits).float()
    config = dict(shape, architectures=["Qwen2ForCausalLM"], model_type="qwen2", hidden_act="silu")
    meta = dict(config=json.dumps(config), lengths=json.dumps(LENGTHS), inverse_temperature=str(INVERSE_TEMPERATURE),
                torch=torch.__version__.split("+")[0], transformers=transformers.__version__)
    save_file(out, "golden_qwen2_%s.safetensors" % ("tied" if tied else "untied"), metadata=meta)
    print(tied, c.head_dim, getattr(c, "rope_parameters", None), m.model.layers[0].self_attn.q_proj.weight.shape)

make(True)
make(False)
