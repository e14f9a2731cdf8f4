//go:build unix

package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// A run is killed while it asks, goes on, and is the run that was never killed; what was written down is asked once.
func TestDistillFromEndpointIsKilled(t *testing.T) {
	k := newKnowing(t)
	root := t.TempDir()
	whole, cut := filepath.Join(root, "whole"), filepath.Join(root, "cut")
	if status, _, stderr := retort(t, t.Context(), taughtAt(k.URL, whole)...); status != exitDone {
		t.Fatalf("status %d: %s", status, stderr)
	}
	k.forget(5 * time.Millisecond)
	arguments := append(taughtAt(k.URL, cut), "--set", "teacher.concurrency=2")
	kills := 0
	for _, enough := range []int{4, 9, 15, 20} {
		k.bound(enough + 1) // however late it is killed, it is killed midway
		c := exec.CommandContext(t.Context(), os.Args[0], arguments...)
		c.Env = append(os.Environ(), asProgram+"=retort")
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- c.Wait() }()
		for running := true; running; {
			select {
			case err := <-ended:
				t.Fatalf("ended before it was killed: %v", err)
			case <-time.After(time.Millisecond):
				if _, different := k.requests(); different >= enough {
					if err := c.Process.Kill(); err != nil {
						t.Fatal(err)
					}
					running = false
					<-ended
					kills++
				}
			}
		}
		arguments = []string{"distill", "--resume", cut}
	}
	k.bound(0)
	if status, _, stderr := retort(t, t.Context(), arguments...); status != exitDone {
		t.Fatalf("resume: status %d: %s", status, stderr)
	}
	// Each kill costs at most the two requests under way.
	if all, different := k.requests(); different != 24 || all > 24+2*kills {
		t.Errorf("%d requests for %d traces, killed %d times", all, different, kills)
	}
	for _, name := range []string{"set.jsonl", "traces/traces-00000006.jsonl", "model/model.safetensors", "metrics.jsonl"} {
		a, errA := os.ReadFile(filepath.Join(whole, name))
		b, errB := os.ReadFile(filepath.Join(cut, name))
		if errA != nil || errB != nil || len(a) == 0 || !bytes.Equal(a, b) {
			t.Errorf("%s differs (%v, %v)", name, errA, errB)
		}
	}
}
