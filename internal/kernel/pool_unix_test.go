//go:build unix

package kernel

import (
	"syscall"
	"testing"
	"time"
)

// TestPoolIdleCostsNothing measures the processor time of a process whose pool has nothing to do.
func TestPoolIdleCostsNothing(t *testing.T) {
	p := newTestPool(t, 4)
	p.Begin()
	p.Run(100, func(int, int) { burn(10_000) })
	awaitParked(t, p, "begun, but without work")
	begun := idleShare(t)
	p.End()
	if ended := idleShare(t); begun > 0.05 || ended > 0.05 {
		t.Errorf("an idle pool takes %.0f %% of a core between Begin and End and %.0f %% after, want 0", begun*100, ended*100)
	}
}

// idleShare is the part of one core that this process takes while the test sleeps.
func idleShare(t *testing.T) float64 {
	const pause = 100 * time.Millisecond
	before := processorTime(t)
	start := time.Now()
	time.Sleep(pause)
	return float64(processorTime(t)-before) / float64(time.Since(start))
}

func processorTime(t *testing.T) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		t.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
