#!/usr/bin/env bash
# Takes the pictures of the page in docs/img from real data: a small lab, whose reinforcement is shown, an evaluation of the embedded
# model, and the embedded model itself. It needs Go, node, npm and chromium; the lab takes a quarter of an hour on two cores.
#
#   bash bench/page_shots.sh         makes everything anew
#   bash bench/page_shots.sh RUNS    shows a folder that an earlier call has left
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export CGO_ENABLED=0
root=$PWD
scratch=$(mktemp -d)
runs=${1:-$scratch/runs}
mkdir -p "$runs"
runs=$(cd "$runs" && pwd)
server=
trap 'if [[ -n $server ]]; then kill "$server"; fi' EXIT

go build -o "$scratch/retort" ./cmd/retort
go build -o "$scratch/palette" ./internal/server/pagetest/palette
if [[ ! -d $runs/lab ]]; then
	"$scratch/retort" lab --quick --dir "$runs/lab" --set base_start.examples=24000 --set reinforce.steps=80
fi
if [[ ! -d $runs/evaluations/countdown-3 ]]; then
	"$scratch/retort" eval --task countdown-3 --samples 8 --run "$runs/evaluations/countdown-3"
fi
cp internal/server/pagetest/*.mjs internal/server/pagetest/*.json "$scratch"
(cd "$scratch" && npm ci --ignore-scripts --no-audit --no-fund)

"$scratch/retort" serve --listen 127.0.0.1:8397 --runs "$runs" --chats "$scratch/chats" &
server=$!
until curl -sf http://127.0.0.1:8397/health >/dev/null; do sleep 0.2; done
(cd "$scratch" && node shots.mjs http://127.0.0.1:8397 "$root/docs/img" lab/seed-1/reinforced evaluations/countdown-3)
"$scratch/palette" docs/img/page-*.png
ls -l docs/img/page-*.png
echo "the runs are in $runs"
