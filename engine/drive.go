package engine

import (
	"context"
	"runtime"
	"slices"
	"time"
)

// submit hands a job, and an order to be carried out just before it, to the driving goroutine.
func (e *Engine) submit(j *Job, order func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if order != nil {
		e.orders = append(e.orders, order)
	}
	e.inbox = append(e.inbox, j)
	j.detach = context.AfterFunc(j.ctx, func() { e.interrupt(j) })
	e.start()
}

// order lets the driving goroutine do something before the next step, if there is one to come.
func (e *Engine) order(f func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.stopped != nil || len(e.inbox) > 0 {
		e.orders = append(e.orders, f)
	}
}

// start makes sure that somebody drives. e.mu is held.
func (e *Engine) start() {
	if e.stopped == nil && !e.fenced && len(e.inbox) > 0 {
		e.stopped = make(chan struct{})
		go e.drive()
	}
}

// interrupt makes haste with the end of a cancelled job: in the inbox it ends at once, a batch that is mostly its own is abandoned, and from
// one that is mostly that of others it is let go before they are done.
func (e *Engine) interrupt(j *Job) {
	if e.discard(j) {
		return
	}
	s := e.scheduler
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !slices.Contains(s.jobs, j): // it is over
	case s.ahead.Load() == j:
		s.abandon.Store(true)
	default:
		j.letGo()
	}
}

// discard ends a job that is in the inbox, and reports whether it is.
func (e *Engine) discard(j *Job) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	i := slices.Index(e.inbox, j)
	if i < 0 {
		return false
	}
	e.inbox = slices.Delete(e.inbox, i, i+1)
	j.close(j.ctx.Err())
	return true
}

// drive steps the scheduler until there is nothing to do.
func (e *Engine) drive() {
	s := e.scheduler
	s.mu.Lock()
	last := time.Now()
	rested := last
	for e.collect() {
		if err := s.step(); err != nil {
			for _, j := range s.jobs {
				j.err = err
			}
		}
		now := time.Now()
		s.stats.Elapsed += now.Sub(last)
		last = now
		e.mu.Lock()
		e.stats = s.stats
		e.mu.Unlock()
		told := s.finishJobs(now.Sub(s.began))
		if now.Sub(rested) > restEvery {
			s.rest()
			rested = now
		}
		if told {
			runtime.Gosched() // it is the readers' turn, while none of them is in a step's way
		}
	}
	s.rest()
	s.mu.Unlock() // not deferred: a panic of the model's comes without it
}

// collect carries out orders, takes in new jobs and lets go of cancelled ones. It is false if then there is nothing to do, and nobody drives any more.
func (e *Engine) collect() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.scheduler
	for _, order := range e.orders {
		order()
	}
	e.orders = e.orders[:0]
	if !e.fenced {
		for _, j := range e.inbox {
			s.add(j)
		}
		e.inbox = e.inbox[:0]
	}
	for i := 0; i < len(s.jobs); {
		j := s.jobs[i]
		err := j.ctx.Err()
		if err == nil {
			i++
			continue
		}
		s.remove(j)
		j.close(err)
	}
	e.load = s.load()
	if s.busy() {
		return true
	}
	close(e.stopped)
	e.stopped = nil
	return false
}

// finishJobs shows what has come until now, ends the jobs that are done or have failed, and reports whether there was anything to tell.
func (s *scheduler) finishJobs(now time.Duration) bool {
	told := false
	for i := 0; i < len(s.jobs); {
		j := s.jobs[i]
		if j.err != nil {
			s.remove(j)
		}
		if j.err == nil && (j.running > 0 || len(j.waiting) > 0) {
			told = j.tell(now, len(s.jobs)) || told
			i++
			continue
		}
		if j.err == nil {
			s.jobs = slices.Delete(s.jobs, i, i+1)
		}
		j.close(nil)
		told = true
	}
	return told
}
