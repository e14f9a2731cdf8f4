"""Makes reward_golden.json: rewards of random replies, by Python's re, count and cos.

The rules are those that open-r1 states, written anew. Run: python3 reward_golden.py > reward_golden.json
"""

import json
import math
import random
import re

random.seed(5)
PIECES = ["<think>", "</think>", "<answer>", "</answer>", "\n", "\n", "a", "B", " ", "b c", "a b", "ä "]
WHOLE = "<think>\nwe add a and b\n</think>\n<answer>\n7\n</answer>"
RULE = re.compile(r"^<think>\n.*?\n</think>\n<answer>\n.*?\n</answer>$", re.DOTALL | re.MULTILINE)
TAGS = ["<think>\n", "\n</think>\n", "\n<answer>\n", "\n</answer>"]


def reply():
    if random.random() < 0.4:
        return "".join(random.choice(PIECES) for _ in range(random.randint(0, 30)))
    text = WHOLE
    for _ in range(random.randint(0, 3)):
        at = random.randint(0, len(text))
        if random.random() < 0.5:
            text = text[:at] + random.choice(PIECES) + text[at:]
        else:
            text = text[:at] + text[at + 1 :]
    return text


def repetition(text, n):
    words = text.lower().split()
    if len(words) < n:
        return 0.0
    runs = [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]
    return -(1 - len(set(runs)) / len(runs))


def cosine(right, n):
    low, high = (0.5, 1.0) if right else (-0.5, -1.0)
    return low + 0.5 * (high - low) * (1 + math.cos(math.pi * n / 1000))


texts = [WHOLE, WHOLE + "\nmore", WHOLE + "more"] + [reply() for _ in range(250)]
print(
    json.dumps(
        {
            "texts": [
                {
                    "text": t,
                    "format": 1 if RULE.match(t) else 0,
                    "tags": sum(0.25 for tag in TAGS if t.count(tag) == 1),
                    "repetition": [repetition(t, n) for n in (1, 2, 3)],
                }
                for t in texts
            ],
            "cosine": [{"right": r, "tokens": n, "reward": cosine(r, n)} for r in (False, True) for n in (1, 250, 333, 999, 1000)],
        },
        indent=0,
        ensure_ascii=False,
    )
)
