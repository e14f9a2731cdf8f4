package kernel

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
)

// A Pool runs chunks of work on a fixed number of goroutines.
//
// Between Begin and End its workers wait by spinning, so that a fork and join costs less than the work of one small
// kernel call; outside they are parked and cost nothing. A worker that finds no work for about 400 µs parks even there:
// waking it would take 100 µs, and now and then milliseconds.
// A spinning worker yields to other goroutines every microsecond or so.
//
// Chunks are claimed one by one from one counter, so a worker that the operating system has put aside delays no more
// than the chunk it holds, and one that never wakes up delays nothing.
type Pool struct {
	threads int

	// Of the run in progress. Written before unclaimed is raised from zero, read by those who have claimed a chunk.
	fn      func(worker, chunk int)
	total   int64
	failure atomic.Pointer[PoolPanic] // the first

	mu      sync.Mutex // held by Run and Close
	workers sync.WaitGroup
	closed  atomic.Bool
	active  atomic.Int64  // Begin less End
	wake    chan struct{} // one token for each worker taken from sleeping
	callers chan struct{} // one token when waiting was taken from the caller

	_         [64]byte
	unclaimed atomic.Int64 // chunks nobody has taken; below zero after vain attempts
	_         [56]byte
	finished  atomic.Int64 // chunks whose fn has returned, panicked, or been called off
	_         [56]byte
	sleeping  atomic.Int64 // workers parked, or about to, whom nobody has promised a token
	waiting   atomic.Bool  // the caller is parked, or about to, and nobody has promised it a token
	_         [48]byte
}

const (
	spinsPerYield = 1 << 11 // about 1 µs of looking at one cached word
	yieldsPerPark = 400
)

// PoolPanic is what [Pool.Run] panics with when fn has panicked, on whichever goroutine that was.
type PoolPanic struct {
	Value any    // what fn panicked with
	Stack []byte // of the goroutine that panicked
}

// Error gives the value and the stack where fn panicked: the stack of Run's caller does not show it.
func (p *PoolPanic) Error() string {
	return fmt.Sprintf("kernel: Pool: panic in a chunk: %v\n\n%s", p.Value, p.Stack)
}

// NewPool returns a pool of threads workers, the goroutine that calls Run being one of them. Below 1 means one for
// each processor that Go may use. The others wait, parked, until Close.
func NewPool(threads int) *Pool {
	if threads < 1 {
		threads = runtime.GOMAXPROCS(0)
	}
	p := &Pool{threads: threads, wake: make(chan struct{}, threads), callers: make(chan struct{}, 1)}
	p.workers.Add(threads - 1)
	for worker := 1; worker < threads; worker++ {
		go p.serve(worker)
	}
	return p
}

// Threads is the number of workers, the caller of Run included.
func (p *Pool) Threads() int { return p.threads }

// Begin announces that Runs will follow shortly: workers wake up and spin. Begin and End nest, and may be called from
// several goroutines.
func (p *Pool) Begin() {
	p.active.Add(1)
	p.wakeWorkers(p.threads - 1)
}

// End takes back one Begin. After the last, workers park.
func (p *Pool) End() {
	if p.active.Add(-1) < 0 {
		panic("kernel: Pool: End without Begin")
	}
}

// Run calls fn(worker, chunk) once for each chunk from 0 to chunks-1, in ascending order of their start, and returns
// when all have returned. worker is below Threads, and no two calls with the same worker overlap: scratch may be indexed
// by it. What fn has written is visible to the caller afterwards.
//
// Run allocates nothing; a func literal that captures variables is allocated by whoever writes it. Outside Begin and
// End it works too, but waking a worker takes tens of microseconds. Runs of several goroutines take turns; fn must not
// call Run of its own pool. If fn panics, chunks not yet begun are left out and Run panics with a *[PoolPanic]. After
// Close the caller does all chunks itself.
func (p *Pool) Run(chunks int, fn func(worker, chunk int)) {
	if chunks <= 0 {
		return
	}
	p.mu.Lock()
	defer p.finish()
	p.fn, p.total = fn, int64(chunks)
	p.finished.Store(0)
	p.unclaimed.Store(int64(chunks))
	if p.sleeping.Load() > 0 {
		p.wakeWorkers(min(chunks, p.threads) - 1)
	}
	p.claim(0)
}

// finish waits for the chunks that others hold and ends the run, also while fn's panic or exit unwinds the caller.
func (p *Pool) finish() {
	p.join()
	p.fn = nil
	failure := p.failure.Swap(nil)
	p.mu.Unlock()
	if failure != nil {
		panic(failure)
	}
}

// Close ends the workers and waits for them. It may be called twice.
func (p *Pool) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed.Store(true)
	p.wakeWorkers(p.threads - 1)
	p.workers.Wait()
}

// claim runs chunks until none is left.
func (p *Pool) claim(worker int) {
	var finished, total int64
	returned := false
	defer func() {
		if !returned {
			finished += 1 + p.fail(worker, recover())
		}
		// After this addition the caller may begin the next run: nothing of this one is read any more.
		if finished > 0 && p.finished.Add(finished) == total && p.waiting.CompareAndSwap(true, false) {
			p.callers <- struct{}{}
		}
	}()
	for p.unclaimed.Load() > 0 {
		left := p.unclaimed.Add(-1)
		if left < 0 {
			break
		}
		total = p.total
		p.fn(worker, int(total-1-left))
		finished++
	}
	returned = true
}

// fail keeps the first panic of a run and calls off the chunks that nobody has claimed; it returns their number.
// value nil means that fn ended its goroutine, which the caller's goroutine will do by itself.
func (p *Pool) fail(worker int, value any) int64 {
	if value == nil && worker > 0 {
		value = "kernel: Pool: fn ended its goroutine"
	}
	if value != nil {
		p.failure.CompareAndSwap(nil, &PoolPanic{Value: value, Stack: debug.Stack()})
	}
	return max(0, p.unclaimed.Swap(0))
}

// join waits until every chunk of the run is finished.
func (p *Pool) join() {
	for {
		for range yieldsPerPark {
			for range spinsPerYield {
				if p.finished.Load() == p.total {
					return
				}
			}
			runtime.Gosched()
		}
		p.waiting.Store(true)
		if p.finished.Load() == p.total && p.waiting.CompareAndSwap(true, false) {
			return
		}
		// The token may come from a worker that was late in an earlier run: look again after it.
		<-p.callers
	}
}

// serve is the life of one worker.
func (p *Pool) serve(worker int) {
	defer func() {
		if p.closed.Load() {
			p.workers.Done()
			return
		}
		// fn has ended this goroutine (runtime.Goexit, as a failing test does).
		go p.serve(worker)
	}()
	for !p.closed.Load() {
		p.claim(worker)
		if !p.spin() {
			p.sleep()
		}
	}
}

// spin waits for work for a while and reports whether there is any.
func (p *Pool) spin() bool {
	for range yieldsPerPark {
		if p.active.Load() <= 0 {
			return false
		}
		for range spinsPerYield {
			if p.unclaimed.Load() > 0 {
				return true
			}
		}
		runtime.Gosched()
	}
	return false
}

// sleep parks a worker until it is woken.
func (p *Pool) sleep() {
	p.sleeping.Add(1)
	// Work published before the line above was seen by its publisher as nobody's to wake: look once more.
	if p.unclaimed.Load() > 0 || p.closed.Load() {
		for s := p.sleeping.Load(); s > 0; s = p.sleeping.Load() {
			if p.sleeping.CompareAndSwap(s, s-1) {
				return
			}
		}
	}
	<-p.wake
}

// wakeWorkers wakes at most n sleeping workers.
func (p *Pool) wakeWorkers(n int) {
	for n > 0 {
		s := p.sleeping.Load()
		if s <= 0 {
			return
		}
		if p.sleeping.CompareAndSwap(s, s-1) {
			p.wake <- struct{}{}
			n--
		}
	}
}
