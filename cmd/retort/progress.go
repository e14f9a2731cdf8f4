package main

import (
	"fmt"
	"time"
)

// progress tells how far a loop is: one redrawn line on a terminal, a plain line
// every few seconds otherwise, and nothing of its own with --json.
type progress struct {
	out   *output
	title string
	total int
	now   func() time.Time

	began    time.Time
	last     time.Time     // of the last call
	lastDone int           // at the last call
	perStep  time.Duration // running mean, over about ten steps
	shown    time.Time
}

const (
	redrawEvery = 100 * time.Millisecond
	printEvery  = 5 * time.Second
)

// newProgress begins a loop of total steps, of which done are done already.
func newProgress(out *output, title string, done, total int) *progress {
	return newProgressAt(out, title, done, total, time.Now)
}

func newProgressAt(out *output, title string, done, total int, now func() time.Time) *progress {
	began := now()
	return &progress{out: out, title: title, total: total, now: now, began: began, last: began, lastDone: done}
}

// step shows that done steps are done; detail is the loop's own news.
func (p *progress) step(done int, detail string) {
	now := p.now()
	if steps := done - p.lastDone; steps > 0 {
		each := now.Sub(p.last) / time.Duration(steps)
		if p.perStep == 0 {
			p.perStep = each
		}
		weight := min(float64(steps)*0.1, 1)
		p.perStep += time.Duration(weight * float64(each-p.perStep))
		p.last, p.lastDone = now, done
	}
	every := printEvery
	if p.out.terminal {
		every = redrawEvery
	}
	if p.out.json || done < p.total && !p.shown.IsZero() && now.Sub(p.shown) < every {
		return
	}
	p.shown = now
	line := p.line(done, detail)
	if p.out.terminal {
		p.out.redraw(line)
	} else {
		p.out.note("%s", line)
	}
	if done >= p.total {
		p.out.endLive()
	}
}

func (p *progress) line(done int, detail string) string {
	line := fmt.Sprintf("%s %d/%d", p.title, done, p.total)
	if p.perStep > 0 {
		line += "  " + rate(p.perStep)
	}
	switch {
	case done >= p.total:
		line += "  took " + roughly(p.now().Sub(p.began))
	case p.perStep > 0:
		line += "  " + roughly(p.perStep*time.Duration(p.total-done)) + " left"
	}
	if detail != "" {
		line += "  " + detail
	}
	return line
}

// rate is steps per second, or seconds per step where that is the larger number.
func rate(perStep time.Duration) string {
	if perStep <= time.Second {
		return fmt.Sprintf("%.1f steps/s", float64(time.Second)/float64(perStep))
	}
	return fmt.Sprintf("%.1f s/step", perStep.Seconds())
}

// roughly writes a duration with two figures that a person reads.
func roughly(d time.Duration) string {
	switch d = d.Round(time.Second); {
	case d < time.Minute:
		return fmt.Sprintf("%d s", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%d min %02d s", d/time.Minute, d%time.Minute/time.Second)
	}
	return fmt.Sprintf("%d h %02d min", d/time.Hour, d%time.Hour/time.Minute)
}
