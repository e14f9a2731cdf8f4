#!/usr/bin/env bash
# How far each quantised format is from the same weights in float32, on a small trained model, and how far llama.cpp is on the same files.
#
#   bash bench/quantised_kl.sh SET FOLDER [LIBRARIES]
#
# SET is the texts of a run of the lab, such as runs/lab/seed-1/traces/set.jsonl. The model is trained into FOLDER/trained, unless it is there. LIBRARIES are
# the shared libraries of llama.cpp that bench/llamacpp.py names. For a large file with random weights instead:
#
#   RETORT_QUANTISED_MODEL=FILE.gguf RETORT_QUANTISED_KV=1 go test ./model -v -timeout 1h -run QuantisedFile
set -eu
set_file=$(realpath "$1")
mkdir -p "$2/logits"
folder=$(realpath "$2")
libraries=${3:+$(realpath "$3")}
cd "$(dirname "$0")/.."
go build -o "$folder/retort" ./cmd/retort
if [ ! -d "$folder/trained/model" ]; then
	# Rows of 256 and 768: whole super-blocks of the K formats.
	"$folder/retort" sft --run "$folder/trained" --set data.path="$set_file" --set data.no_end=true --set tokenizer=lab \
		--set model.width=256 --set model.layers=4 --set model.heads=4 --set model.kv_heads=2 --set model.head_size=64 --set model.ffn=768 --set model.max_positions=512 \
		--set epochs=1 --set steps=300 --set batch_size=16 --set shuffle=true --set optimizer.learning_rate=1.5e-3 --set optimizer.warmup_steps=20
fi
RETORT_LOGITS=$folder/logits RETORT_TRAINED_MODEL=$folder/trained/model go test ./model -count=1 -v -run QuantisedTrained
if [ -n "$libraries" ]; then
	"${PYTHON:-python3}" bench/peer_quantised.py --libraries "$libraries" "$folder/logits"
fi
