"""Writes golden.json: what Hugging Face's tokenizers make of texts.json with the tokenizer of lab.json.

    go test ./tokenizer -run TestLabFile -update     # writes lab.json
    pip install tokenizers==0.23.3
    python3 tokenizer/testdata/make_golden.py        # writes golden.json
"""

import json
import pathlib

import tokenizers

here = pathlib.Path(__file__).parent
tokenizer = tokenizers.Tokenizer.from_file(str(here / "lab.json"))
cases = []
for text in json.loads((here / "texts.json").read_text()):
    tokenizer.encode_special_tokens = False
    ids = tokenizer.encode(text).ids
    tokenizer.encode_special_tokens = True
    as_text = tokenizer.encode(text).ids
    assert tokenizer.decode(ids, skip_special_tokens=False) == text, text
    cases.append({"text": text, "ids": ids, "ids_as_text": as_text})
lines = ",\n".join(json.dumps(case) for case in cases)
golden = '{"tokenizers": "%s", "size": %d, "cases": [\n%s\n]}\n' % (
    tokenizers.__version__, tokenizer.get_vocab_size(), lines)
(here / "golden.json").write_text(golden)
