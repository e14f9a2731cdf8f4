package main

import (
	"context"
	"encoding/json"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/retort-ml/retort/tokenizer"
)

// events reads the JSON lines of a command.
func events[T any](t *testing.T, out, kind string) []T {
	t.Helper()
	var found []T
	for line := range strings.Lines(out) {
		var head struct{ Event string }
		if err := json.Unmarshal([]byte(line), &head); err != nil {
			t.Fatalf("%v: %q", err, line)
		}
		if head.Event != kind {
			continue
		}
		var e T
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		found = append(found, e)
	}
	return found
}

func TestGenerate(t *testing.T) {
	top := saveSmall(t, ".")
	if err := tokenizer.Lab().Save(filepath.Join(top, "tokenizer.json")); err != nil {
		t.Fatal(err)
	}
	generate := func(arguments ...string) []sampleEvent {
		t.Helper()
		status, out, stderr := retort(t, t.Context(), append([]string{"generate", "--json", "--model", top, "--max-tokens", "5"}, arguments...)...)
		if status != exitDone {
			t.Fatalf("status %d: %s", status, stderr)
		}
		return events[sampleEvent](t, out, "sample")
	}
	two := generate("-n", "2", "--seed", "7", "--threads", "2", "Use 3", "to make")
	if len(two) != 4 || two[3].Prompt != 1 || two[3].Sample != 1 || len(two[0].Tokens) == 0 || len(two[0].LogProbs) != len(two[0].Tokens) {
		t.Fatalf("got %+v", two)
	}
	if reflect.DeepEqual(two[0].Tokens, two[1].Tokens) {
		t.Errorf("two samples are the same: %v", two[0].Tokens)
	}
	if one := generate("--seed", "7", "--threads", "1", "Use 3"); !reflect.DeepEqual(one[0], two[0]) {
		t.Errorf("alone: got %+v, want %+v", one[0], two[0])
	}
	if other := generate("--seed", "8", "Use 3"); reflect.DeepEqual(other[0].Tokens, two[0].Tokens) {
		t.Errorf("another seed gave the same tokens")
	}
	greedy := generate("--temperature", "0", "--seed", "1", "Use 3")
	if again := generate("--temperature", "0", "--seed", "2", "Use 3"); !reflect.DeepEqual(greedy, again) {
		t.Errorf("greedy depends on the seed: %+v, %+v", greedy, again)
	}
}

func TestGenerateStops(t *testing.T) {
	top := saveSmall(t, ".")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if status, _, stderr := retort(t, ctx, "generate", "--model", top, "--tokenizer", "lab", "Use 3"); status != exitStopped || stderr != "retort: stopped\n" {
		t.Errorf("status %d, %q", status, stderr)
	}
	if status, _, stderr := retort(t, t.Context(), "generate", "--model", top, "-n", "0", "x"); status != exitUsage {
		t.Errorf("status %d, %q", status, stderr)
	}
}
