#!/usr/bin/env bash
# The speed of Retort beside PyTorch on this machine: an SFT update of the lab's student and a GRPO step of its base
# (BenchmarkSFTStep and BenchmarkGRPOStep in train; bench/sft_speed.py and bench/grpo_twin.py). The two take turns,
# so that what else the machine does falls on both alike, and PyTorch shows eager and torch.compile.
#
#   PYTHON=/path/to/python bash bench/compare.sh            any python with torch (and a C++ compiler, to compile)
#   PYTHON=... bash bench/compare.sh sft                    or grpo; "sft grpo" is the default
#   THREADS="2" ROUNDS=5 STEPS=10 bash bench/compare.sh     defaults: THREADS="2 1", ROUNDS=3, STEPS=20 (sft) or 3 (grpo)
#   MODES=eager LINES_FILE=lines.jsonl bash bench/compare.sh    no torch.compile; keep every line
#
# It needs Go and bash 4. It prints lines of JSON as they come, then medians over the rounds and how many times as
# fast as the better of PyTorch's modes Retort is. A quiet machine is the reader's affair: the load is printed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
python=${PYTHON:-python3} rounds=${ROUNDS:-3} modes=${MODES:-eager,compile}
declare -A twin=([sft]=bench/sft_speed.py [grpo]=bench/grpo_twin.py)
declare -A benchmark=([sft]=BenchmarkSFTStep [grpo]=BenchmarkGRPOStep)
declare -A default_steps=([sft]=20 [grpo]=3)
(($#)) || set -- sft grpo
for what in "$@"; do
	if [[ -z ${twin[$what]:-} ]]; then
		echo "compare: what: got $what, want sft or grpo" >&2
		exit 2
	fi
done

work=$(mktemp -d)
twin_pid=
trap 'if [[ -n $twin_pid ]]; then kill "$twin_pid" 2>/dev/null || true; fi; rm -rf "$work"' EXIT
lines=${LINES_FILE:-$work/lines.jsonl}
: >"$lines"
go test -c -o "$work/train.test" ./train

# retort WHAT THREADS STEPS: one round of the Go benchmark as a line of JSON.
retort() {
	"$work/train.test" -test.run '^$' -test.bench "^${benchmark[$1]}\$/^threads=$2\$" -test.benchtime "$3x" |
		awk -v what="$1" -v threads="$2" '/^Benchmark/ {
			for (i = 3; i < NF; i += 2) v[$(i + 1)] = $i
			printf "{\"what\": \"%s\", \"by\": \"retort\", \"tokens\": %.0f, \"seconds\": %s, \"cpu_seconds\": %s, \"threads\": %d}\n", \
				what, v["tok/step"], v["s/step"], ("cpu-s/step" in v) ? v["cpu-s/step"] : "null", threads
			found = 1
		} END { exit !found }'
}

for threads in ${THREADS:-2 1}; do
	for what in "$@"; do
		steps=${STEPS:-${default_steps[$what]}}
		# The twin stays alive between its turns, compiled and warm, and waits for a line.
		mkfifo "$work/go" "$work/said"
		PYTHONDONTWRITEBYTECODE=1 "$python" "${twin[$what]}" --threads "$threads" --steps "$steps" --modes "$modes" --rounds \
			<"$work/go" >"$work/said" &
		twin_pid=$!
		exec 3>"$work/go" 4<"$work/said"
		read -r _ <&4 || { echo "compare: ${twin[$what]}: ended before its first round" >&2; exit 1; }
		echo "# $what, $threads threads, load $(uptime | sed 's/.*average[s]*: *//')"
		for ((round = 0; round < rounds; round++)); do
			retort "$what" "$threads" "$steps" | tee -a "$lines"
			echo >&3
			for _ in ${modes//,/ }; do
				read -r line <&4 || { echo "compare: ${twin[$what]}: ended in round $((round + 1)) of $rounds" >&2; exit 1; }
				echo "$line" | tee -a "$lines"
			done
		done
		exec 3>&- 4<&-
		wait "$twin_pid"
		twin_pid=
		rm "$work/go" "$work/said"
	done
done
echo "# load $(uptime | sed 's/.*average[s]*: *//')"
"$python" bench/compare.py "$lines"
