"""Compares `retort tokenize` with Hugging Face's tokenizers, id by id.

    pip install tokenizers==0.23.3 gguf==0.19.0
    go build -o retort ./cmd/retort
    python3 tokenizer/testdata/compare.py --retort ./retort SOURCE

SOURCE is a tokenizer.json, a folder with encoder.json and vocab.bpe (Llama 3), or a .gguf of GPT-2; from the last two
a tokenizer.json is made first. The texts are made here: source files and documents found below Python's own folders,
invented text in many scripts, and random strings that aim at what tokenizers get wrong.
"""

import argparse
import glob
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import threading

os.environ.setdefault("RAYON_NUM_THREADS", "1")
import tokenizers

CL100K = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
          r"|\s*[\r\n]+|\s+(?!\S)|\s+")


def level(use_regex):
    return {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": use_regex}


def added(i, content, special=True, normalized=False):
    return {"id": i, "content": content, "single_word": False, "lstrip": False, "rstrip": False,
            "normalized": normalized, "special": special}


def whole(vocab, merges, tokens, pre, post, ignore_merges):
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": tokens, "normalizer": None,
            "pre_tokenizer": pre, "post_processor": post, "decoder": level(True),
            "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
                      "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False,
                      "ignore_merges": ignore_merges, "vocab": vocab, "merges": merges}}


def llama3(folder):
    vocab = json.loads((folder / "encoder.json").read_text())
    merges = (folder / "vocab.bpe").read_text(encoding="utf-8").split("\n")
    merges = [m.split(" ") for m in merges if m and not m.startswith("#version")]
    names = ["<|begin_of_text|>", "<|end_of_text|>", "<|reserved_special_token_0|>", "<|reserved_special_token_1|>",
             "<|finetune_right_pad_id|>", "<|step_id|>", "<|start_header_id|>", "<|end_header_id|>", "<|eom_id|>",
             "<|eot_id|>", "<|python_tag|>"]
    names += ["<|reserved_special_token_%d|>" % i for i in range(2, 247)]
    tokens = [added(128000 + i, name) for i, name in enumerate(names)]
    pre = {"type": "Sequence", "pretokenizers": [
        {"type": "Split", "pattern": {"Regex": CL100K}, "behavior": "Isolated", "invert": False}, level(False)]}
    begin = {"SpecialToken": {"id": "<|begin_of_text|>", "type_id": 0}}
    template = {"type": "TemplateProcessing", "single": [begin, {"Sequence": {"id": "A", "type_id": 0}}],
                "pair": [begin, {"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
                "special_tokens": {"<|begin_of_text|>": {"id": "<|begin_of_text|>", "ids": [128000],
                                                         "tokens": ["<|begin_of_text|>"]}}}
    return whole(vocab, merges, tokens, pre, {"type": "Sequence", "processors": [level(True), template]}, True)


def gpt2(path):
    import gguf
    fields = gguf.GGUFReader(path).fields
    names = fields["tokenizer.ggml.tokens"].contents()
    merges = fields["tokenizer.ggml.merges"].contents()
    return whole({name: i for i, name in enumerate(names)}, merges,
                 [added(len(names) - 1, "<|endoftext|>", normalized=True)], level(True), level(True), False)


def documents(size, rng):
    """Texts of 1 to 200,000 characters from files, about size characters."""
    paths = []
    for top in {sys.prefix, sys.base_prefix, os.path.dirname(os.__file__)}:
        for ending in ("py", "txt", "md", "rst", "json", "h", "cpp", "html", "js", "po"):
            paths += glob.glob(top + "/**/*." + ending, recursive=True)
    paths.sort()
    rng.shuffle(paths)
    total = 0
    for path in paths:
        try:
            text = pathlib.Path(path).read_text(encoding="utf-8")[:400000]
        except (UnicodeDecodeError, OSError):
            continue
        while text and total < size:
            n = rng.choice([10, 100, 1000, 10000, 200000])
            yield text[:n]
            total += len(text[:n])
            text = text[n:]
        if total >= size:
            return


SCRIPTS = [(0x41, 0x5A), (0x61, 0x7A), (0xC0, 0x17F), (0x370, 0x3FF), (0x400, 0x4FF), (0x530, 0x58F), (0x590, 0x5F4),
           (0x600, 0x6FF), (0x900, 0x97F), (0x980, 0x9FF), (0xB80, 0xBFF), (0xE00, 0xE5B), (0xF00, 0xFFF), (0x1000, 0x109F),
           (0x10A0, 0x10FF), (0x1100, 0x11FF), (0x1200, 0x137F), (0x1780, 0x17FF), (0x1E00, 0x1EFF), (0x1F00, 0x1FFF),
           (0x2000, 0x206F), (0x20A0, 0x20CF), (0x2100, 0x214F), (0x2200, 0x22FF), (0x2460, 0x24FF), (0x3040, 0x30FF),
           (0x3130, 0x318F), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3), (0xF900, 0xFAFF), (0xFF00, 0xFFEF), (0x1D400, 0x1D7FF),
           (0x1F300, 0x1F64F), (0x1F900, 0x1F9FF), (0x20000, 0x2A6DF), (0x11900, 0x1195F), (0x10D40, 0x10D8F)]


def invented(size, rng):
    """Words of one script after the other, with numbers and punctuation, about size characters."""
    total = 0
    while total < size:
        parts = []
        low, high = rng.choice(SCRIPTS)
        for _ in range(rng.randint(1, 400)):
            parts.append("".join(chr(rng.randint(low, high)) for _ in range(rng.randint(1, 12))))
            parts.append(rng.choice([" ", " ", " ", "", ", ", ". ", "\n", "\n\n", "  ", " 2024", "\t", "-", "。", "、"]))
        text = "".join(parts)
        total += len(text)
        yield text


def strange(n, rng, specials):
    """Short strings of pieces that meet at the seams of the regex, the normaliser and the added tokens."""
    pieces = [" ", "  ", "   ", "\t", "\n", "\r", "\r\n", "\n\n", "\u00a0", "\u3000", "\u2028", "\u0085", "\u200b", "\u200d",
              "'s", "'S", "'\u017f", "'T", "'re", "'RE", "'rE", "'ve", "'m", "'ll", "'lL", "'d", "'", "''", "\u2019s", "\u017f",
              "0", "1", "12", "123", "1234", "9", "\u0663", "\u00bd", "\u2167", "\u3007", "a", "A", "hello", "World", "\u00e9", "e\u0301",
              "\u0323", "\u0301", "\u0327", "\u0345", "\u1100", "\u1161", "\u11a8", "\uac00", "\ud55c", "\u212b", "\u1e9b\u0323",
              "\u0958", "\u0f43", "\u2adc", "\u0344", "\U0001d15e", "\U00011938", "\U00011935\U00011930", "\U00016ff0",
              "\u6771\u4eac", "\u3053\u3093", "\u0928\u092e\u0938\u094d\u0924\u0947", "\U0001f600", "\U0001f469\u200d\U0001f4bb",
              "\u2764\ufe0f", "!", "!!!", "...", "(", ")", "<", "<|", "|>", "=", "==", "->", "//", "_", "-", "\x00", "\x01", "\x1f",
              "\x7f", "\u0080", "\ufffd", "\ufeff", "\ue000", "\U0010ffff", "\U000e0001", "\U000e0100", "i\u0307", "\u1c89", "\U00010d40"]
    fragments = [s[:k] for s in specials for k in range(1, len(s))] or ["<"]
    for _ in range(n):
        parts = []
        for _ in range(rng.randint(1, 14)):
            kind = rng.random()
            if kind < 0.7:
                parts.append(rng.choice(pieces))
            elif kind < 0.76:
                parts.append(rng.choice(specials))
            elif kind < 0.8:
                parts.append(rng.choice(fragments))
            elif kind < 0.9:
                parts.append(chr(rng.randint(0, 0x2fff)))
            elif kind < 0.93:
                parts.append(rng.choice(pieces) * rng.randint(1, 80))
            else:
                c = rng.randint(0, 0x10ffff)
                parts.append(chr(c) if not 0xd800 <= c <= 0xdfff else " ")
        yield "".join(parts)


def every_point():
    """Every code point, alone and between neighbours of each class."""
    points = [chr(c) for c in range(0x110000) if not 0xd800 <= c <= 0xdfff]
    for i in range(0, len(points), 64):
        yield "".join("a%s1%s %s. %s\n" % (x, x, x, x) for x in points[i:i + 64])


class Peer:
    def __init__(self, retort, vocab, *flags):
        self.process = subprocess.Popen([retort, "tokenize", "--vocab", vocab, "--jsonl", *flags], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)

    def ask(self, key, answer, batch):
        data = "".join(json.dumps({key: x}) + "\n" for x in batch).encode()

        def write():
            self.process.stdin.write(data)
            self.process.stdin.flush()
        writer = threading.Thread(target=write)
        writer.start()
        out = [json.loads(self.process.stdout.readline())[answer] for _ in batch]
        writer.join()
        return out


def batches(texts, size=500):
    batch = []
    for text in texts:
        batch.append(text)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--retort", required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--megabytes", type=float, default=22)
    parser.add_argument("--strings", type=int, default=100000)
    parser.add_argument("--vocab", help="what retort reads, if it is another file than Hugging Face's")
    parser.add_argument("--build", help="only write the tokenizer.json there")
    parser.add_argument("source", type=pathlib.Path)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        path = options.source
        if path.is_dir() or path.suffix == ".gguf":
            made = llama3(path) if path.is_dir() else gpt2(path)
            path = pathlib.Path(options.build or folder + "/tokenizer.json")
            path.write_text(json.dumps(made, ensure_ascii=False), encoding="utf-8")
        if options.build:
            return
        compare(options, rng, str(path))


def compare(options, rng, path):
    reference = tokenizers.Tokenizer.from_file(path)
    specials = [t.content for t in reference.get_added_tokens_decoder().values()][:40]
    size = int(options.megabytes * 1e6)
    peer = Peer(options.retort, options.vocab or path)
    wrong, lists = 0, []
    for name, texts in (("documents", documents(size * 3 // 4, rng)), ("invented", invented(size // 4, rng)),
                        ("strange", strange(options.strings, rng, specials)), ("every code point", every_point())):
        count = number = ids = bad = 0
        for batch in batches(texts):
            want = [e.ids for e in reference.encode_batch(batch, add_special_tokens=False)]
            for text, a, b in zip(batch, want, peer.ask("text", "ids", batch)):
                count += len(text.encode())
                number += 1
                ids += len(a)
                if a != b:
                    bad += 1
                    if wrong + bad <= 5:
                        at = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
                        print("DIFFERS %s: want %s got %s\n   text %r" % (name, a[at:at + 5], b[at:at + 5], text[:200]))
            if name == "strange":
                lists += want[:20]
        wrong += bad
        print("%s: %d texts, %d bytes, %d ids, %d differ" % (name, number, count, ids, bad), flush=True)
    top = reference.get_vocab_size()
    lists += [[rng.randrange(top + 10) for _ in range(rng.randint(0, 12))] for _ in range(20000)]
    for skip in (False, True):
        peer = Peer(options.retort, options.vocab or path, "--decode", *(["--skip-special"] if skip else []))
        bad = number = 0
        for batch in batches(lists):
            for ids, b in zip(batch, peer.ask("ids", "text", batch)):
                number += 1
                a = reference.decode(ids, skip_special_tokens=skip)
                if a != b:
                    bad += 1
                    if wrong + bad <= 5:
                        print("DIFFERS decode: want %r got %r, ids %s" % (a[:100], b[:100], ids[:20]))
        wrong += bad
        print("decode, skip special %s: %d lists, %d differ" % (skip, number, bad), flush=True)
    sys.exit(wrong > 0)


main()
