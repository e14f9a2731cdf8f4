package kernel

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func newTestPool(t testing.TB, threads int) *Pool {
	p := NewPool(threads)
	t.Cleanup(p.Close)
	return p
}

// TestPoolRun: each chunk runs once, no worker runs two at a time, and what chunks wrote without locks is seen after.
func TestPoolRun(t *testing.T) {
	for _, procs := range []int{1, 2, 4} {
		for _, threads := range []int{1, 2, 3, 9} {
			t.Run(fmt.Sprintf("procs=%d,threads=%d", procs, threads), func(t *testing.T) {
				defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
				testPoolRun(t, newTestPool(t, threads))
			})
		}
	}
}

func testPoolRun(t *testing.T, p *Pool) {
	busy := make([]atomic.Bool, p.Threads())
	counts := make([]int, 100)
	count := func(worker, chunk int) {
		if busy[worker].Swap(true) {
			t.Errorf("worker %d runs two chunks at once", worker)
		}
		counts[chunk]++
		busy[worker].Store(false)
	}
	for round := range 300 {
		// Now inside Begin and End, now outside, and nested.
		switch round % 50 {
		case 10, 20:
			p.Begin()
		case 30, 40:
			p.End()
		}
		chunks := round % (len(counts) + 1)
		p.Run(chunks, count)
		for chunk, n := range counts {
			if want := chunk < chunks; (n == 1) != want || n > 1 {
				t.Fatalf("round %d of %d chunks: chunk %d ran %d times", round, chunks, chunk, n)
			}
		}
		clear(counts)
	}
}

func TestPoolThreads(t *testing.T) {
	if got := newTestPool(t, 3).Threads(); got != 3 {
		t.Errorf("Threads: got %d, want 3", got)
	}
	if got, want := newTestPool(t, 0).Threads(), runtime.GOMAXPROCS(0); got != want {
		t.Errorf("Threads of NewPool(0): got %d, want %d", got, want)
	}
}

// TestPoolBothWork: chunks that wait for each other end only if a worker is woken for each, whatever it was doing.
func TestPoolBothWork(t *testing.T) {
	p := newTestPool(t, 3)
	r := newRand(2)
	var met sync.WaitGroup
	meet := func(int, int) {
		met.Done()
		met.Wait()
	}
	for round := range 1000 {
		if round == 500 {
			p.Begin()
			defer p.End()
		}
		met.Add(3)
		p.Run(3, meet)
		burn(r.IntN(4000))
	}
}

// TestPoolConcurrentRuns: Runs of several goroutines take turns.
func TestPoolConcurrentRuns(t *testing.T) {
	p := newTestPool(t, 2)
	sums := make([]int, p.Threads())
	var callers sync.WaitGroup
	for range 4 {
		callers.Go(func() {
			for range 200 {
				p.Begin()
				p.Run(5, func(worker, _ int) { sums[worker]++ })
				p.End()
			}
		})
	}
	callers.Wait()
	if got := sums[0] + sums[1]; got != 4*200*5 {
		t.Errorf("got %d chunks, want %d", got, 4*200*5)
	}
}

// TestPoolPanic: the first panic reaches the caller of Run, from any worker, and the pool works on.
func TestPoolPanic(t *testing.T) {
	reason := errors.New("reason")
	for _, threads := range []int{1, 2, 4} {
		p := newTestPool(t, threads)
		for _, failing := range []int{0, 1, 50, 99} {
			var begun atomic.Int64
			failure := panicOf(func() {
				p.Run(100, func(_, chunk int) {
					begun.Add(1)
					if chunk == failing {
						panic(reason)
					}
				})
			})
			pp, ok := failure.(*PoolPanic)
			if !ok || pp.Value != reason {
				t.Fatalf("threads=%d, chunk %d: got %v, want a PoolPanic of the reason", threads, failing, failure)
			}
			if text := pp.Error(); !strings.Contains(text, "reason") || !strings.Contains(text, "TestPoolPanic") {
				t.Errorf("the message shows neither reason nor stack: %s", text)
			}
			if begun.Load() <= int64(failing) {
				t.Errorf("chunk %d failed, but only %d had begun", failing, begun.Load())
			}
			if threads == 1 && begun.Load() != int64(failing)+1 {
				t.Errorf("%d chunks ran, want none after chunk %d", begun.Load(), failing)
			}
			testPoolRun(t, p)
		}
		all := panicOf(func() { p.Run(100, func(_, chunk int) { panic(chunk) }) })
		if pp, ok := all.(*PoolPanic); !ok {
			t.Errorf("every chunk panics: got %v", all)
		} else if _, ok := pp.Value.(int); !ok {
			t.Errorf("every chunk panics: got %v", pp.Value)
		}
		testPoolRun(t, p)
	}
}

func panicOf(f func()) (value any) {
	defer func() { value = recover() }()
	f()
	return nil
}

// TestPoolGoexit: a chunk that ends its goroutine, as a failing test does, does not hang the pool.
func TestPoolGoexit(t *testing.T) {
	p := newTestPool(t, 2)
	for _, leaver := range []int{0, 1} {
		ended := make(chan any)
		go func() {
			defer func() { ended <- recover() }()
			var met sync.WaitGroup
			met.Add(2)
			p.Run(2, func(worker, _ int) {
				met.Done()
				met.Wait()
				if worker == leaver {
					runtime.Goexit()
				}
			})
			t.Errorf("worker %d: Run returned", leaver)
		}()
		failure := <-ended
		if isPanic := failure != nil; isPanic != (leaver == 1) {
			t.Errorf("worker %d: got %v", leaver, failure)
		}
		testPoolRun(t, p)
	}
}

func TestPoolClose(t *testing.T) {
	p := NewPool(3)
	p.Begin()
	p.Close()
	p.Close()
	testPoolRun(t, p)
	p.End()
	if text := caught(p.End); text != "kernel: Pool: End without Begin" {
		t.Errorf("second End: got panic %q", text)
	}
}

// TestPoolParks: workers sleep outside Begin and End, and inside after a while without work; a Run wakes them.
func TestPoolParks(t *testing.T) {
	p := newTestPool(t, 3)
	awaitParked(t, p, "new")
	p.Run(9, func(int, int) {})
	awaitParked(t, p, "after a Run")
	p.Begin()
	p.Run(9, func(int, int) {})
	awaitParked(t, p, "begun, but without work")
	var met sync.WaitGroup
	met.Add(3)
	p.Run(3, func(int, int) {
		met.Done()
		met.Wait()
	})
	p.End()
	awaitParked(t, p, "after End")
}

func awaitParked(t *testing.T, p *Pool, when string) {
	t.Helper()
	for looks := 0; p.sleeping.Load() != int64(p.threads-1); looks++ { // not by the clock: the machine may stand still
		time.Sleep(time.Millisecond)
		if looks > 10_000 {
			t.Fatalf("%s: %d of %d workers sleep", when, p.sleeping.Load(), p.threads-1)
		}
	}
}

func TestPoolRunDoesNotAllocate(t *testing.T) {
	p := newTestPool(t, 2)
	sums := make([]int, 2)
	add := func(worker, chunk int) { sums[worker] += chunk }
	p.Begin()
	defer p.End()
	if n := testing.AllocsPerRun(1000, func() { p.Run(4, add) }); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

// TestPoolStress crosses every pair of states: workers falling asleep, callers waiting, Begin and End at random.
func TestPoolStress(t *testing.T) {
	r := newRand(1)
	p := newTestPool(t, 4)
	var total atomic.Int64
	want := int64(0)
	for deadline := time.Now().Add(300 * time.Millisecond); time.Now().Before(deadline); {
		begun := r.IntN(2) == 0
		if begun {
			p.Begin()
		}
		for range r.IntN(5) {
			chunks, work := r.IntN(8), r.IntN(3)*r.IntN(20_000)
			p.Run(chunks, func(int, int) {
				burn(work)
				total.Add(1)
			})
			want += int64(chunks)
			if total.Load() != want {
				t.Fatalf("after Run: %d chunks done, want %d", total.Load(), want)
			}
			burn(r.IntN(2) * r.IntN(200_000))
		}
		if begun {
			p.End()
		}
	}
}

// burned takes the result of burn, which would otherwise be thrown away unseen.
var burned atomic.Uint64

// burn computes for about n nanoseconds on a quiet machine.
func burn(n int) {
	x := uint64(n) | 1
	for range n {
		x = x*6364136223846793005 + 1442695040888963407
	}
	burned.Add(x)
}
