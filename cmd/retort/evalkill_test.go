//go:build unix

package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/retort-ml/retort/eval"
	"github.com/retort-ml/retort/runstore"
)

// waitForDone waits until an evaluation has so many samples.
func waitForDone(t *testing.T, lines *bufio.Scanner, done int) {
	t.Helper()
	for lines.Scan() {
		var event struct {
			Event string `json:"event"`
			eval.Progress
		}
		if err := json.Unmarshal(lines.Bytes(), &event); err == nil && event.Event == "progress" && event.Done >= done {
			return
		}
	}
	t.Fatalf("the program ended before it had %d samples", done)
}

// Killed twice and interrupted once, a run ends with the same samples and the same summary as one that was left alone.
func TestEvalKilledAndResumed(t *testing.T) {
	needTiny(t)
	folder := t.TempDir()
	plan := []string{"--task", "countdown-3", "--limit", "30", "--samples", "4", "--seed", "5"}
	whole := evalRun(t, append(plan, "--run", filepath.Join(folder, "whole"))...)
	dir := filepath.Join(folder, "killed")
	arguments := append([]string{"eval", "--json", "--batch", "3", "--run", dir}, plan...)
	for i, signal := range []os.Signal{syscall.SIGKILL, os.Interrupt, syscall.SIGKILL} {
		c, lines := program(t, "retort", arguments...)
		waitForDone(t, lines, 20*(i+1))
		if err := c.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		for lines.Scan() { // to its end, so that the program is not blocked
		}
		_ = c.Wait()
		record, err := eval.ReadRecord(dir)
		if err != nil {
			t.Fatal(err)
		}
		if n := record.Count(); n < 20*(i+1) || n >= 120 {
			t.Fatalf("%d samples after %v: the test did not stop it midway", n, signal)
		}
		if want := runstore.StatusStopped; signal == os.Interrupt && record.Status != want {
			t.Errorf("status %s after Ctrl-C, want %s", record.Status, want)
		}
		arguments = []string{"eval", "--json", "--batch", fmt.Sprint(2 + i), "--resume", dir}
	}
	resumed := evalRun(t, "--resume", dir)
	if sortedLines(t, dir) != sortedLines(t, filepath.Join(folder, "whole")) {
		t.Error("the samples differ")
	}
	if plainSummary(t, resumed) != plainSummary(t, whole) {
		t.Errorf("the summaries differ:\n%s\n%s", plainSummary(t, resumed), plainSummary(t, whole))
	}
}
