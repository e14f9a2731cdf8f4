#!/usr/bin/env bash
# Retort's verifier beside Math-Verify on one file of cases, in one run (bench/verify.py).
#
#   PYTHON=/path/to/python bash bench/verify.sh CASES.jsonl     any python with math-verify and an ANTLR runtime
#   PYTHON=... bash bench/verify.sh CASES.jsonl --limit 100
#
# It needs Go and bash 4. A quiet machine is the reader's affair: the load is printed.
set -euo pipefail
if (($# == 0)); then
	echo "verify: got no file of cases: bash bench/verify.sh CASES.jsonl" >&2
	exit 2
fi
cases=$(realpath "$1")
shift
cd "$(dirname "${BASH_SOURCE[0]}")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
go build -o "$work/retort" ./cmd/retort
echo "# load $(uptime | sed 's/.*average[s]*: *//')"
PYTHONDONTWRITEBYTECODE=1 "${PYTHON:-python3}" bench/verify.py --retort "$work/retort" "$cases" "$@"
echo "# load $(uptime | sed 's/.*average[s]*: *//')"
