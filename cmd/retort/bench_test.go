package main

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestBench(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tiny.gguf")
	if status, _, stderr := retort(t, t.Context(), "synth", "--shape", "qwen3-0.6b", "--layers", "1", "--type", "Q4_0", file); status != exitDone {
		t.Fatal(stderr)
	}
	flags := []string{"bench", file, "--quick", "--prefill", "20", "--depth", "0", "--samples", "2", "--tokens", "2", "--repeat", "1"}
	status, stdout, stderr := retort(t, t.Context(), flags...)
	for _, want := range []string{"limits", "1 thread", "prefill 20", "decode at 0", "2 samples of 256", "load to first token", "memory computed"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("status %d, no %q in\n%s%s", status, want, stdout, stderr)
		}
	}
	status, stdout, stderr = retort(t, t.Context(), append(flags, "--json", "--only", "prefill", "--threads", "1")...)
	r := events[benchResult](t, stdout, "bench")
	if status != exitDone || len(r) != 1 || r[0].Result == nil || len(r[0].Works) != 1 || r[0].Works[0].Name != "prefill 20" || r[0].Threads != 1 || r[0].Model != file {
		t.Errorf("status %d: %s%s", status, stdout, stderr)
	}
	for want, wrong := range map[string][]string{
		"prefill: got 0":           {"--prefill", "0"},
		"--repeat: got -2":         {"--repeat=-2"},
		"must be one of":           {"--only", "x"},
		"--threads: got -1, want ": {"--threads=-1"},
	} {
		if status, _, stderr := retort(t, t.Context(), append([]string{"bench", file}, wrong...)...); status != exitUsage || !strings.Contains(stderr, want) {
			t.Errorf("%v: status %d: %s", wrong, status, stderr)
		}
	}
	if status, _, stderr := retort(t, t.Context(), "bench", file, "--only", "prefill", "--prefill", "1000000", "--repeat", "1"); status != exitFailed || !strings.Contains(stderr, "nothing was measured: prefill 1000000") {
		t.Errorf("status %d: %s", status, stderr)
	}
}
