//go:build unix

package kernel

import (
	"math"
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

// idleShare is the part of one core that this process takes while the test sleeps, the least of some tries: in one of them garbage may be collected.
func idleShare(t *testing.T) float64 {
	const pause = 100 * time.Millisecond
	least := math.Inf(1)
	for try := 0; try < 20 && least > 0.02; try++ {
		before := processorTime(t)
		start := time.Now()
		time.Sleep(pause)
		least = min(least, float64(processorTime(t)-before)/float64(time.Since(start)))
	}
	return least
}

func processorTime(t *testing.T) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		t.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
