package engine

import (
	"context"
	"time"
)

// Delivery says how a job's reader is told what has come.
type Delivery struct {
	// Gather is how long news may be held back, so that its reader is not woken for each token: what comes within it is told together, and to all jobs of the
	// engine with the same Gather at the same moment, between two steps. While more than 6 jobs run it is longer in proportion, up to two and a half times with
	// 15, so that telling takes the same share of the time. The first news and the end of a job are told at once, and so is what there is before a step with
	// prompts that is expected to take longer than Gather; for the end of other steps news have to wait. 0 holds nothing back.
	Gather time.Duration
	// Wake receives a value after news, unless it has one already. Its capacity is at least 1, and jobs that one goroutine reads by Poll may share it;
	// Next must not be used then. nil: the job has one of its own.
	Wake chan struct{}
}

// The numbers of jobs between which Delivery.Gather grows.
const (
	fewJobs  = 6
	manyJobs = 15
)

// SubmitTo is Submit for a reader with wishes.
func (e *Engine) SubmitTo(ctx context.Context, req Request, d Delivery) (*Job, error) {
	j, err := e.newJob(ctx, []Request{req})
	if err != nil {
		return nil, err
	}
	j.watch(d)
	e.submit(j, nil)
	return j, nil
}

// watch lets Next and Poll read the job.
func (j *Job) watch(d Delivery) {
	j.views = make([]Update, len(j.seqs))
	j.read = make([]int, len(j.seqs))
	j.told = make([]bool, len(j.seqs))
	j.gather, j.wake = d.Gather, d.Wake
	if j.wake == nil {
		j.wake = make(chan struct{}, 1)
	}
}

// window numbers the spans of time in which the news of a job among so many are told once, from 1. It is 0 if nothing is held back.
func (j *Job) window(now time.Duration, jobs int) int64 {
	if j.gather <= 0 {
		return 0
	}
	return 1 + int64(now/(j.gather*time.Duration(min(max(jobs, fewJobs), manyJobs))/fewJobs))
}

// tell shows a reader what there is, unless news were told in this window already. It reports whether there were any.
func (j *Job) tell(now time.Duration, jobs int) bool {
	w := j.window(now, jobs)
	if w != 0 && w == j.lastWindow || !j.publish() {
		return false
	}
	j.lastWindow = w
	return true
}

// tellBefore shows what is held back, before a step of so many rows that evaluates prompts and may take longer than that.
func (s *scheduler) tellBefore(rows int) {
	took := time.Duration(-1) // not known
	if s.stall.perSecond > 0 {
		took = time.Duration(float64(rows) / s.stall.perSecond * float64(time.Second))
	}
	for _, j := range s.jobs {
		if j.gather > 0 && (took < 0 || took > j.gather) {
			j.publish()
		}
	}
}

// restEvery is how long workers spin from one step to the next before they park for once. The processor that is free then runs what else there is, and looks
// whether the network has something: Go looks only when a processor has nothing to run, or every 10 ms.
const restEvery = 5 * time.Millisecond

// work keeps the workers from parking until rest.
func (s *scheduler) work() {
	if !s.working {
		s.working = true
		s.sampler.pool.Begin()
	}
}

// rest lets the workers park until the next batch.
func (s *scheduler) rest() {
	if s.working {
		s.working = false
		s.sampler.pool.End()
	}
}
