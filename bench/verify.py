"""Retort's verifier and Math-Verify on the same cases, one after the other: right verdicts, false ones, time per check.

    python bench/verify.py --retort PATH CASES.jsonl [--tier core] [--limit N]

CASES.jsonl has lines with gold, pred, expected, kind and tier. Cases of the kinds hostile and choice are left out, which
Math-Verify has no mode for. A bare answer in LaTeX is put between dollars for Math-Verify, which reads none without them.
It prints one JSON object for each verifier. A check of Math-Verify is parse, parse, verify, with its own time limit.
"""

import argparse
import json
import logging
import subprocess
import tempfile
import time


def report(name, version, verdicts, expected, micros):
    micros = sorted(micros)
    n = len(expected)
    right = sum(v is not None and v == e for v, e in zip(verdicts, expected))
    print(json.dumps({
        "by": name, "version": version, "n": n, "accuracy": round(right / n, 4),
        "false_positives": sum(v is True and not e for v, e in zip(verdicts, expected)),
        "false_negatives": sum(v is False and e for v, e in zip(verdicts, expected)),
        "unknown": sum(v is None for v in verdicts),
        "median_us": round(micros[n // 2], 1), "mean_us": round(sum(micros) / n, 1), "p99_us": round(micros[n * 99 // 100], 1),
    }), flush=True)


def by_retort(path, rows):
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
        file.flush()
        for _ in range(2):  # the first run warms the file cache
            out = subprocess.run([path, "grade", file.name, "--json"], check=True, capture_output=True, text=True).stdout
    events = [json.loads(line) for line in out.splitlines()]
    events = [e.get("data", e) for e in events]
    events = [e for e in events if "verdict" in e]
    outcome = {"right": True, "wrong": False, "unknown": None}
    return [outcome[e["verdict"]] for e in events], [e["micros"] for e in events]


def by_math_verify(rows, seconds):
    from math_verify import parse, verify

    logging.disable(logging.CRITICAL)

    def dressed(text):
        marks = ("$", "\\boxed", "\\[", "\\(")
        return text if any(m in text for m in marks) or not any(c in text for c in "\\^_{") else "$" + text + "$"

    verdicts, micros = [], []
    parse("$1$")  # loads the grammar
    for row in rows:
        start = time.perf_counter()
        try:
            gold = parse(dressed(row["gold"]), parsing_timeout=seconds)
            answer = parse(dressed(row["pred"]), parsing_timeout=seconds)
            verdict = bool(verify(gold, answer, timeout_seconds=seconds))
        except Exception:  # its own faults are verdicts that it cannot give
            verdict = None
        micros.append((time.perf_counter() - start) * 1e6)
        verdicts.append(verdict)
    return verdicts, micros


def main():
    options = argparse.ArgumentParser()
    options.add_argument("cases")
    options.add_argument("--retort", required=True)
    options.add_argument("--tier", default="core")
    options.add_argument("--limit", type=int, default=0)
    options.add_argument("--seconds", type=int, default=2)
    o = options.parse_args()
    with open(o.cases, encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    rows = [r for r in rows if r.get("tier") == o.tier and r.get("kind") not in ("hostile", "choice")]
    rows = rows[: o.limit or len(rows)]
    expected = [r["expected"] for r in rows]
    version = subprocess.run([o.retort, "version"], capture_output=True, text=True).stdout.split("\n")[0]
    verdicts, micros = by_retort(o.retort, rows)
    report("retort", version, verdicts, expected, micros)
    from importlib.metadata import version as installed

    verdicts, micros = by_math_verify(rows, o.seconds)
    report("math-verify", installed("math-verify"), verdicts, expected, micros)


main()
