package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/retort-ml/retort/engine"
	"github.com/retort-ml/retort/internal/compute"
	"github.com/retort-ml/retort/model"
)

// A copy is kept, read by run, and pruned once its file has gone.
func TestPack(t *testing.T) {
	cache := t.TempDir()
	t.Setenv(cacheVariable, cache)
	t.Setenv("HF_HUB_CACHE", filepath.Join(t.TempDir(), "none"))
	file := smallGGUF(t)
	ask := []string{"run", "--json", "--seed", "3", "--max-tokens", "5", file, "the"}
	_, plain, _ := retort(t, t.Context(), ask...)
	if list, err := os.ReadDir(cache); err != nil || len(list) != 0 {
		t.Errorf("%v, %v: a copy of a small model was kept unasked", list, err)
	}
	for _, wantKept := range []bool{false, true} {
		status, out, stderr := retort(t, t.Context(), "pack", "--json", file)
		if e := events[packEvent](t, out, "packed"); status != exitDone || len(e) != 1 || e[0].Kept != wantKept || filepath.Dir(e[0].Path) != filepath.Join(cache, cacheFolder) {
			t.Fatalf("status %d: %s%s", status, out, stderr)
		}
	}
	content := func(text string) string {
		list := events[reply](t, text, "reply")
		if len(list) != 1 {
			t.Fatalf("no reply: %s", text)
		}
		return list[0].Content
	}
	if _, out, stderr := retort(t, t.Context(), ask...); content(out) != content(plain) || strings.Contains(stderr, "copy") {
		t.Errorf("with a copy %s, without %s; %s", out, plain, stderr)
	}
	copies, err := filepath.Glob(filepath.Join(cache, cacheFolder, "*.packed"))
	if err != nil || len(copies) != 1 {
		t.Fatalf("%v, %v", copies, err)
	}
	good, err := os.ReadFile(copies[0])
	if err != nil {
		t.Fatal(err)
	}
	// A damaged one is made anew by run, with a line that says so; with --packed off it is not looked at.
	bad := bytes.Clone(good)
	bad[len(bad)-1000]++
	if err := os.WriteFile(copies[0], bad, 0o600); err != nil {
		t.Fatal(err)
	}
	said := append([]string{"run"}, ask[2:]...)
	if _, _, stderr := retort(t, t.Context(), append(said, "--packed", "off")...); strings.Contains(stderr, "packed") {
		t.Errorf("switched off it says %q", stderr)
	}
	if status, _, stderr := retort(t, t.Context(), said...); status != exitDone || !strings.Contains(stderr, "damaged: its panels are not those that were written; it is made anew") {
		t.Errorf("status %d: %s", status, stderr)
	}
	if again, err := os.ReadFile(copies[0]); err != nil || !bytes.Equal(again, good) {
		t.Errorf("made anew it is another file: %v", err)
	}
	if _, out, stderr := retort(t, t.Context(), "models", "prune", "--yes"); !strings.Contains(out, "0 files removed") {
		t.Errorf("a good copy was pruned: %s%s", out, stderr)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if _, out, stderr := retort(t, t.Context(), "models", "prune", "--yes"); !strings.Contains(out, "1 files removed") || !strings.Contains(stderr, "is not there any more") {
		t.Errorf("not pruned: %s%s", out, stderr)
	}
	if _, err := os.Stat(copies[0]); err == nil {
		t.Error("the copy is still there")
	}
}

func TestPackRefused(t *testing.T) {
	t.Setenv(cacheVariable, switchedOff)
	file := smallGGUF(t)
	if status, _, stderr := retort(t, t.Context(), "pack", file); status != exitUsage || !strings.Contains(stderr, "RETORT_CACHE=off keeps no packed copies") {
		t.Errorf("status %d: %s", status, stderr)
	}
	t.Setenv(cacheVariable, t.TempDir())
	plain := filepath.Join(t.TempDir(), "plain.gguf")
	if status, _, stderr := retort(t, t.Context(), "convert", file, plain, "--type", "F32"); status != exitDone {
		t.Fatal(stderr)
	}
	if status, _, stderr := retort(t, t.Context(), "pack", plain); status != exitFailed || !strings.Contains(stderr, "it needs no copy") {
		t.Errorf("status %d: %s", status, stderr)
	}
	// A folder that cannot be made stops no answer.
	blocked := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(blocked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	out := newOutput(streams{nil, &said, &said}, false)
	inferenceFlags{}.keepPacked(context.Background(), out, &model.Packed{Path: filepath.Join(blocked, "x", "c.packed"), Bytes: leastPacked})()
	if strings.Contains(said.String(), "keeping") && !strings.Contains(said.String(), "no packed copy was kept") {
		t.Errorf("said %q", said.String())
	}
	said.Reset()
	inferenceFlags{}.keepPacked(context.Background(), out, &model.Packed{Path: filepath.Join(t.TempDir(), "c.packed"), Bytes: 1 << 60})()
	if said.Len() > 0 {
		t.Errorf("a copy that is larger than the disk: %q", said.String())
	}
}

// What does not fit is refused before it is loaded, with what to try.
func TestMemoryRefused(t *testing.T) {
	files, err := model.OpenFiles(smallGGUF(t))
	if err != nil {
		t.Fatal(err)
	}
	defer files.Close()
	cpu := compute.NewCPU(1)
	defer cpu.Close()
	f := inferenceFlags{}
	need, err := f.checkMemory(files, cpu, engine.Options{MaxBatch: 1}, kvFlags{}, 0)
	if err != nil || need.Total() == 0 {
		t.Fatal(err)
	}
	if _, err := f.checkMemory(files, cpu, engine.Options{MaxBatch: 1}, kvFlags{}, need.Total()); err != nil {
		t.Errorf("refused though it fits: %v", err)
	}
	_, err = f.checkMemory(files, cpu, engine.Options{MaxBatch: 1}, kvFlags{}, need.Total()-need.KV)
	if err == nil || !strings.Contains(err.Error(), "more than the") || !strings.Contains(err.Error(), "try: a smaller format, such as Q4_K_M") || strings.Contains(err.Error(), "--kv f16") {
		t.Errorf("got %v", err)
	}
	if _, err = (inferenceFlags{Compute: "f32"}).checkMemory(files, cpu, engine.Options{MaxBatch: 1}, kvFlags{}, need.Weights); err == nil || !strings.Contains(err.Error(), "--kv f16, --compute file, a smaller format") {
		t.Errorf("got %v", err)
	}
	if got := f.smaller(need, need.Total(), model.KVF16); !strings.HasPrefix(got, "a smaller") {
		t.Errorf("advice %q for a context of %d", got, files.Config.MaxPositions)
	}
}

// Large needs are told, small ones only to people.
func TestTellMemory(t *testing.T) {
	var said bytes.Buffer
	for want, c := range map[string]struct {
		isTerminal bool
		weights    int64
	}{
		"": {false, largeModel - 1},
		"needs 1 GiB = weights 1 GiB + keys and values 0 B + other 0 B":     {false, largeModel},
		"needs 128 MiB = weights 128 MiB + keys and values 0 B + other 0 B": {true, 128 << 20},
	} {
		said.Reset()
		out := newOutput(streams{nil, &said, &said}, false)
		out.terminal = c.isTerminal
		need := engine.Memory{}
		need.Weights = c.weights
		tellMemory(out, "needs", need)
		if !strings.HasPrefix(said.String(), want) || want == "" && said.Len() > 0 {
			t.Errorf("%+v: said %q, want %q", c, said.String(), want)
		}
	}
}
