#!/usr/bin/env python3
"""Compares `retort template --jsonl` with Python's jinja2 on random conversations.

  python3 conversations.py RETORT_BINARY [--count N] [--seed S] TEMPLATE.jinja ...
"""
import argparse
import copy
import json
import random
import subprocess
import sys
import tempfile

import snippets

TEXTS = ["Hi", "", "a\nb", " <think>\nhm\n</think>\n\nYes. ", "</think>x</think>y", "Köln 😀 \u2028", "{{ x }} {% y %}", "<b> & 'q' \"z\"", "\n\n", "<tool_response>a</tool_response>", "x" * 300, "\\n \t"]
VALUES = ["s", 1, 2.5, 1e22, -0.0, True, None, "Köln <&>", [1, "a", {"k": None}], {"z": 1, "a": [2]}, 12345678901234567890, [], {}]


def message(r):
    role = r.choice(["system", "user", "user", "assistant", "assistant", "tool", "ipython", "developer"])
    m = {"role": role, "content": r.choice(TEXTS + [None] if r.random() < 0.2 else TEXTS)}
    if r.random() < 0.1:
        m["content"] = [{"type": "text", "text": r.choice(TEXTS)}]
    if r.random() < 0.03:
        del m[r.choice(list(m))]
    if role == "assistant" and r.random() < 0.4:
        calls = []
        for _ in range(r.choice([1, 1, 2])):
            arguments = {r.choice("xyzab"): r.choice(VALUES) for _ in range(r.randint(0, 3))}
            f = {"name": r.choice(["f", "get_weather"]), "arguments": json.dumps(arguments) if r.random() < 0.4 else arguments}
            calls.append({"type": "function", "id": "123456789", "function": f} if r.random() < 0.8 else f)
        m["tool_calls"] = calls
    if r.random() < 0.15:
        m["reasoning_content"] = r.choice(TEXTS + [None])
    if r.random() < 0.1:
        m["prefix"] = r.choice([True, False])
    return m


def conversation(r):
    c = {"messages": [message(r) for _ in range(r.randint(0 if r.random() < 0.05 else 1, 6))]}
    if r.random() < 0.6:
        c["messages"] = [{"role": "user", "content": r.choice(TEXTS)}] + c["messages"]
    if r.random() < 0.8:
        c["add_generation_prompt"] = r.choice([True, False])
    if r.random() < 0.4:
        c["tools"] = r.choice([None, [], [{"type": "function", "function": {"name": "f", "description": r.choice(TEXTS), "parameters": {"type": "object", "properties": {"q": r.choice(VALUES)}}}}]])
    for name, values in {"enable_thinking": [True, False], "thinking": [True, False], "builtin_tools": [["code_interpreter", "brave_search", "f"], []], "tools_in_user_message": [True, False], "date_string": ["1 Jan 2025"], "custom_tools": [[{"name": "c"}]], "documents": [[{"text": "d"}]]}.items():
        if r.random() < 0.15:
            c[name] = r.choice(values)
    return c


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    parser.add_argument("templates", nargs="+")
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    r = random.Random(options.seed)
    env = snippets.environment()
    total = raised = differ = 0
    for path in options.templates:
        template = env.from_string(open(path, encoding="utf-8", newline="").read())
        cases = [{"input": conversation(r), "bos_token": r.choice(["<s>", ""]), "eos_token": "</s>"} for _ in range(options.count)]
        with tempfile.TemporaryFile("w+", encoding="utf-8") as lines:
            lines.writelines(json.dumps(c, ensure_ascii=r.random() < 0.5) + "\n" for c in cases)
            lines.seek(0)
            out = subprocess.run([options.binary, "template", "--file", path, "--jsonl", "--now", "2024-07-26T15:04:05"], stdin=lines, stdout=subprocess.PIPE, check=True).stdout
        results = [json.loads(line) for line in out.decode().split("\n") if line]
        assert len(results) == len(cases), (len(results), len(cases))
        for c, result in zip(cases, results):
            total += 1
            try:
                want = {"output": template.render(**copy.deepcopy(c["input"]), bos_token=c["bos_token"], eos_token=c["eos_token"])}
            except Exception as error:
                want = {"error": type(error).__name__ + ": " + str(error)}
                raised += 1
            if want.get("output") != result.get("output") or ("error" in want) and want["error"].split(":")[0] not in result.get("error", ""):
                differ += 1
                if differ <= 5:
                    print(path, json.dumps(c), want, result, sep="\n", file=sys.stderr)
    print(f"{total} conversations, Python raises on {raised}, {differ} differ")
    return differ > 0


if __name__ == "__main__":
    sys.exit(main())
