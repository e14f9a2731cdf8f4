package kernel

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"sync/atomic"
	"testing"
	"time"
)

// BenchmarkPoolMeeting times one fork and join whose two chunks wait for each other: what it costs that another worker
// takes part, which an empty chunk does not show, because the caller is faster than a signal between two cores.
//
// An operation is 16 joins; the tenth and the middle percentile of its share for one are given besides.
func BenchmarkPoolMeeting(b *testing.B) {
	const joinsPerTime = 16
	p := newTestPool(b, 2)
	var arrived atomic.Int64
	meet := func(int, int) {
		for arrived.Add(1); arrived.Load() < 2; {
		}
	}
	p.Begin()
	defer p.End()
	var times []time.Duration
	for b.Loop() {
		start := time.Now()
		for range joinsPerTime {
			arrived.Store(0)
			p.Run(2, meet)
		}
		times = append(times, time.Since(start)/joinsPerTime)
	}
	// Beside other processes the mean tells how long the kernel of the operating system left a worker waiting.
	slices.Sort(times)
	b.ReportMetric(float64(times[len(times)/10]), "ns/join(p10)")
	b.ReportMetric(float64(times[len(times)/2]), "ns/join(p50)")
}

// BenchmarkPool times one fork and join: of nothing, and of 16 chunks of about 5 µs, as a small layer has. It does so on
// the machine as it is, and beside one and more other processes that never yield.
func BenchmarkPool(b *testing.B) {
	for _, neighbours := range []int{0, 1, 2} {
		for _, threads := range []int{1, 2} {
			name := fmt.Sprintf("neighbours=%d/threads=%d", neighbours, threads)
			b.Run(name+"/empty", func(b *testing.B) { benchmarkPool(b, neighbours, threads, threads, 0) })
			b.Run(name+"/16x5us", func(b *testing.B) { benchmarkPool(b, neighbours, threads, 16, 5_000) })
		}
	}
}

func benchmarkPool(b *testing.B, neighbours, threads, chunks, work int) {
	stop := startNeighbours(b, neighbours)
	defer stop()
	p := newTestPool(b, threads)
	run := func(int, int) { burn(work) }
	p.Begin()
	defer p.End()
	for b.Loop() {
		p.Run(chunks, run)
	}
}

// startNeighbours starts processes that compute until they are stopped, or for 10 seconds.
func startNeighbours(b *testing.B, n int) (stop func()) {
	var children []*exec.Cmd
	for range n {
		child := exec.Command(os.Args[0], "-test.run=^TestBusyNeighbour$", "-", "busy")
		if err := child.Start(); err != nil {
			b.Fatal(err)
		}
		children = append(children, child)
	}
	if n > 0 {
		time.Sleep(50 * time.Millisecond)
	}
	return func() {
		for _, child := range children {
			child.Process.Kill()
			child.Wait()
		}
	}
}

// TestBusyNeighbour is the neighbour itself, if the arguments say so.
func TestBusyNeighbour(t *testing.T) {
	if flag.Arg(1) != "busy" {
		t.Skip("runs only as a child of BenchmarkPool")
	}
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		burn(1_000_000)
	}
}
