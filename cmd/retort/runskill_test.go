//go:build unix

package main

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/retort-ml/retort/runstore"
)

// An export that is killed leaves the file that was there before, or the new one whole.
func TestExportKilled(t *testing.T) {
	root := t.TempDir()
	r, err := runstore.Create(filepath.Join(root, "long"), runstore.Manifest{Kind: "sft", Config: []byte(`{}`), Metrics: []runstore.Metric{{Name: "loss", Unit: "nat", Formula: "mean"}}})
	if err != nil {
		t.Fatal(err)
	}
	for step := 1; step <= 1500; step++ {
		if err := errors.Join(r.AppendMetrics(step, []runstore.Value{{Name: "loss", Number: 1 / float64(step)}}), r.AppendSample(map[string]any{"text": fmt.Sprint(step)})); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(r.Finish(runstore.StatusDone), r.Close()); err != nil {
		t.Fatal(err)
	}
	for _, form := range []string{"parquet", "jsonl", "html"} {
		path := filepath.Join(t.TempDir(), "long."+form)
		arguments := []string{"runs", "--root", root, "export", "long", "-o", path}
		began := time.Now()
		export := func(within time.Duration) bool {
			c := exec.CommandContext(t.Context(), os.Args[0], arguments...)
			c.Env = append(os.Environ(), asProgram+"=retort")
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			if within > 0 {
				defer time.AfterFunc(within, func() { _ = c.Process.Kill() }).Stop() // it may be over
			}
			return c.Wait() == nil
		}
		if !export(0) {
			t.Fatalf("%s: not exported", form)
		}
		took := time.Since(began)
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		killed := 0
		for range 6 {
			if err := os.WriteFile(path, []byte("before"), 0o600); err != nil {
				t.Fatal(err)
			}
			done := export(took/2 + time.Duration(rand.Int64N(int64(took))))
			if !done {
				killed++
			}
			text, err := os.ReadFile(path)
			if isNew := bytes.Equal(text, whole); err != nil || !isNew && (done || string(text) != "before") {
				t.Errorf("%s: %d bytes that are neither the old nor the new file (killed: %v), %v", form, len(text), !done, err)
			}
		}
		t.Logf("%s: %d of 6 exports of %d bytes were killed", form, killed, len(whole))
	}
}
