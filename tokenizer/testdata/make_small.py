"""Writes small.json: tokenizers of some hundred tokens, each with what Hugging Face's tokenizers make of many texts.

    pip install tokenizers==0.23.3
    python3 tokenizer/testdata/make_small.py

The tokenizers have the shapes of the real ones (GPT-2, Qwen2, Llama 3), and one has added tokens with every rule.
"""

import json
import pathlib
import random

import tokenizers
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

here = pathlib.Path(__file__).parent
HEAD = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"
TAIL = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
LOOSE = (HEAD + r"\p{N}" + TAIL).replace("(?i:'s|'t|'re|'ve|'m|'ll|'d)", "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])")
BOOK = ["the theory of the thing that they've said isn't there: 1234 and 12 of 2024, we'll see him there in the end.",
        "The quick brown fox can't jump  over   the lazy dog!!! He's there; I'M HERE, YOU'RE THERE.\n\n\tfor x in range(10):\r\n",
        "日本語の東京は日本の首都です。東京東京", "é è ü ñ Ångström naïve café", "привет мир, как дела", "한국어 한국", "😀😀 👩‍💻"] * 3


def split(pattern):
    return pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), "isolated", invert=False),
                                    pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def make(pre, normalizer=None, ignore_merges=False, added=(), post=None):
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre
    if normalizer:
        t.normalizer = normalizer
    t.decoder = decoders.ByteLevel()
    t.train_from_iterator(BOOK, trainers.BpeTrainer(vocab_size=420, show_progress=False, min_frequency=1,
                                                    initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    spec = json.loads(t.to_str())
    spec["model"]["ignore_merges"] = ignore_merges
    if ignore_merges:  # a token that no merge makes
        spec["model"]["vocab"]["zqzq"] = len(spec["model"]["vocab"])
    t = Tokenizer.from_str(json.dumps(spec))
    t.add_tokens(list(added))
    if post:
        t.post_processor = post(t)
    return t


def token(text, **rules):
    return AddedToken(text, **{"special": True, "normalized": False, **rules})


def template(t):
    i = t.token_to_id("<|begin|>")
    return processors.Sequence([processors.ByteLevel(), processors.TemplateProcessing(
        single="<|begin|> $A <|end|>", pair="<|begin|> $A $B", special_tokens=[("<|begin|>", i), ("<|end|>", i + 1)])])


MARKS = [token("<|begin|>"), token("<|end|>")]
RULES = MARKS + [token("<l>", lstrip=True), token("<r>", rstrip=True), token("<lr>", lstrip=True, rstrip=True),
                 token("<w>", single_word=True), token("word", single_word=True, special=False), token("<|end|>x"),
                 token("é", normalized=True, special=False), token("e\u0323", normalized=True, special=False),
                 token("<n>", normalized=True, lstrip=True), token("ab", special=False), token("abc d", special=False),
                 token("Ġthe", special=False), token(" ", special=False, single_word=True), token("!", special=False)]
MADE = {
    "gpt2": make(pre_tokenizers.ByteLevel(add_prefix_space=False), added=MARKS),
    "prefix": make(pre_tokenizers.ByteLevel(add_prefix_space=True), added=MARKS),
    "qwen2": make(split(HEAD + r"\p{N}" + TAIL), normalizers.NFC(), added=MARKS),
    "llama3": make(split(HEAD + r"\p{N}{1,3}" + TAIL), ignore_merges=True, added=MARKS, post=template),
    "loose": make(split(LOOSE), added=MARKS),
    "rules": make(split(HEAD + r"\p{N}" + TAIL), normalizers.NFC(), added=RULES),
}
PIECES = [" ", "  ", "\t", "\n", "\r\n", "\u00a0", "\u3000", "\u0085", "'s", "'S", "'\u017f", "'re", "'LL", "'", "1", "12", "1234", "\u00bd",
          "\U00010d40", "the", "there", " the", "zqzq", "WORD", "word", "word", "_", "é", "e\u0301", "e\u0323\u0301", "e\u0301\u0323", "\u0345", "\u1100\u1161",
          "\u11a8", "\uac00\u11a8", "\u212b", "\u0958", "\U00011935\U00011930", "\U0001d15e", "\u0300" * 40 + "\u0323", "東京", "日本", "😀", "👩‍💻",
          "\U000e0100", "!", "!!!", "=", "<", "<|", "<|begin|>", "<|end|>", "<|end|>x", "<l>", "<r>", "<lr>", "<w>", "<n>", "ab", "abc d", "Ġthe",
          "\x00", "\ufffd", "\U0010ffff", "\u1c89", "x" * 70, "the" * 30, "привет", "한국"]


def cases(t, seed, n):
    rng = random.Random(seed)
    texts = [""] + PIECES + ["".join(rng.choice(PIECES) for _ in range(rng.randint(2, 9))) for _ in range(n)]
    for text in texts:
        t.encode_special_tokens = False
        ids = t.encode(text, add_special_tokens=False).ids
        case = {"text": text, "ids": ids}
        t.encode_special_tokens = True
        as_text = t.encode(text, add_special_tokens=False).ids
        t.encode_special_tokens = False
        if as_text != ids:
            case["ids_as_text"] = as_text
        cut = ids[rng.randint(0, len(ids)):]
        case["cut"] = [t.decode(cut, skip_special_tokens=False), t.decode(cut, skip_special_tokens=True)]
        case["cut_at"] = len(ids) - len(cut)
        yield case


lines = []
for i, (name, t) in enumerate(MADE.items()):
    body = json.loads(t.to_str())
    around = t.encode("a", add_special_tokens=True).ids
    plain = t.encode("a", add_special_tokens=False).ids
    at = around.index(plain[0])
    listed = ",\n".join(json.dumps(c) for c in cases(t, i, 200 if name == "rules" else 50))
    lines.append('{"name": "%s", "before": %s, "after": %s, "tokenizer": %s, "cases": [\n%s\n]}' % (
        name, around[:at], around[at + len(plain):], json.dumps(body), listed))
(here / "small.json").write_text('{"tokenizers": "%s", "made": [\n%s\n]}\n' % (tokenizers.__version__, ",\n".join(lines)))
