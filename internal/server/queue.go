package server

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"time"
)

// queue gives out the slots: first come, first served within a caller, and the callers take turns.
type queue struct {
	slots, most, mostOf int

	mu      sync.Mutex
	running int
	waiting int
	callers []string // those with waiting tickets, in the order of their turns
	lines   map[string][]*ticket
	service time.Duration // of late, of one request; 0 before the first
}

// ticket is the right to a slot, now or later.
type ticket struct {
	queue  *queue
	caller string
	ready  chan struct{} // closed when the slot is there
	began  time.Time
	given  bool // the slot was given back, or the ticket taken out
}

func newQueue(slots, most, mostOf int) *queue {
	return &queue{slots: slots, most: most, mostOf: mostOf, lines: map[string][]*ticket{}}
}

// full is why a caller may not even wait, nil if it may.
func (q *queue) full(caller string) *fault {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.refuse(caller)
}

// refuse is full with q.mu held.
func (q *queue) refuse(caller string) *fault {
	wait := min(max(time.Second, q.service*time.Duration(q.waiting+1)/time.Duration(q.slots)), time.Minute)
	switch {
	case q.running < q.slots:
		return nil
	case q.waiting >= q.most:
		return &fault{status: http.StatusServiceUnavailable, kind: kindBusy, code: "queue_full", message: "too many requests wait already", retryAfter: wait}
	case len(q.lines[caller]) >= q.mostOf:
		return &fault{status: http.StatusTooManyRequests, kind: "rate_limit_error", code: "rate_limit_exceeded", message: "too many requests of this key wait already", retryAfter: wait}
	}
	return nil
}

// enter takes a ticket, which must be left, or says why there is none.
func (q *queue) enter(caller string) (*ticket, *fault) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if f := q.refuse(caller); f != nil {
		return nil, f
	}
	t := &ticket{queue: q, caller: caller, ready: make(chan struct{})}
	if q.running < q.slots {
		q.give(t)
		return t, nil
	}
	if len(q.lines[caller]) == 0 {
		q.callers = append(q.callers, caller)
	}
	q.lines[caller] = append(q.lines[caller], t)
	q.waiting++
	return t, nil
}

// give lets a ticket run. q.mu is held.
func (q *queue) give(t *ticket) {
	q.running++
	t.began = time.Now()
	close(t.ready)
}

// place is how many tickets come before t, 0 for one that runs.
func (t *ticket) place() int {
	q := t.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	own := slices.Index(q.lines[t.caller], t)
	if own < 0 {
		return 0
	}
	turn := slices.Index(q.callers, t.caller)
	before := own
	for i, caller := range q.callers {
		switch {
		case i < turn:
			before += min(len(q.lines[caller]), own+1)
		case i > turn:
			before += min(len(q.lines[caller]), own)
		}
	}
	return before + 1
}

// wait returns when the slot is there, and calls tick now and then before.
func (t *ticket) wait(ctx context.Context, every time.Duration, tick func(place int) error) error {
	select {
	case <-t.ready:
		return nil
	default:
	}
	if err := tick(t.place()); err != nil {
		return err
	}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-t.ready:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
			if err := tick(t.place()); err != nil {
				return err
			}
		}
	}
}

// leave gives the slot to the next one, or takes the ticket out of its line. It may be called twice.
func (t *ticket) leave() {
	q := t.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	if t.given {
		return
	}
	t.given = true
	select {
	case <-t.ready:
	default:
		q.remove(t)
		return
	}
	q.running--
	took := time.Since(t.began)
	if q.service == 0 {
		q.service = took
	}
	q.service += (took - q.service) / 8
	if q.waiting > 0 && q.running < q.slots {
		caller := q.callers[0]
		next := q.lines[caller][0]
		q.remove(next)
		if len(q.lines[caller]) > 0 { // its turn is over
			q.callers = append(q.callers[1:], caller)
		}
		q.give(next)
	}
}

// remove takes a waiting ticket out. q.mu is held.
func (q *queue) remove(t *ticket) {
	line := q.lines[t.caller]
	at := slices.Index(line, t)
	if at < 0 {
		return
	}
	q.waiting--
	if line = slices.Delete(line, at, at+1); len(line) > 0 {
		q.lines[t.caller] = line
		return
	}
	delete(q.lines, t.caller)
	q.callers = slices.DeleteFunc(q.callers, func(c string) bool { return c == t.caller })
}

// counts returns how many requests run and wait.
func (q *queue) counts() (running, waiting int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.running, q.waiting
}
