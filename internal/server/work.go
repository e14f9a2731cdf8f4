package server

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/retort-ml/retort/chat"
	"github.com/retort-ml/retort/engine"
)

// running is a request under way.
type running struct {
	id, caller, model string
	began             time.Time
	cancel            context.CancelCauseFunc

	mu      sync.Mutex
	jobs    []*engine.Job
	samples []int // of each job
	close   bool  // its thoughts are to be closed as soon as it runs
	tokens  int
	place   int // in the queue, 0 once it runs
}

// closeThoughts ends the thoughts of one choice, or of all (-1).
func (r *running) closeThoughts(choice int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.close = r.close || choice == -1
	first := 0
	for i, j := range r.jobs {
		for sample := range r.samples[i] {
			if choice == -1 || choice == first+sample {
				j.CloseThought(sample)
			}
		}
		first += r.samples[i]
	}
}

// registry holds the requests under way by their ids.
type registry struct {
	mu  sync.Mutex
	all map[string]*running
}

func (g *registry) add(r *running) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.all[r.id] = r
}

func (g *registry) remove(r *running) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.all, r.id)
}

// of returns the requests of a caller, the oldest first.
func (g *registry) of(caller string) []*running {
	g.mu.Lock()
	defer g.mu.Unlock()
	var list []*running
	for _, r := range g.all {
		if r.caller == caller {
			list = append(list, r)
		}
	}
	slices.SortFunc(list, func(a, b *running) int { return a.began.Compare(b.began) })
	return list
}

// find returns a caller's request.
func (g *registry) find(caller, id string) (*running, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if r, ok := g.all[id]; ok && r.caller == caller {
		return r, nil
	}
	return nil, missing("there is no request %.60q under way", id)
}

// sink is where a reply is written.
type sink interface {
	// waiting tells the place in the queue now and then.
	waiting(place int) error
	// tick comes now and then while there is nothing to write.
	tick() error
	// piece takes what is new of one choice.
	piece(p *piece) error
	// flush comes when there is no further piece for the moment.
	flush() error
}

// piece is what is new of one choice.
type piece struct {
	news
	choice int
	ask    *ask
	seed   int64
	tokens []tokenNews
	finish engine.FinishReason // "" while it goes on
	ended  engine.ThoughtEnd
	code   string // with finish: no_answer, or ""
	called bool   // with finish: the choice has called a tool
	stop   string // with finish: the stop text that ended it
}

// tokenNews is one token of a piece.
type tokenNews struct {
	id           int32
	logProb      float32
	alternatives []engine.TokenLogProb
	inAnswer     bool
}

// The codes of replies that went otherwise than hoped for.
const codeNoAnswer = "no_answer"

// totals counts the tokens of a reply.
type totals struct{ prompt, cached, completion, reasoning int }

// work is a request with all that its reply needs.
type work struct {
	id     string
	caller string
	lease  *lease
	asks   []*ask
	sink   sink
	began  time.Time
	waited time.Duration // in the queue
	first  time.Time     // when the first token came
}

// do waits for a slot and answers all asks at once. The error is a *fault or that of ctx.
func (s *Server) do(parent context.Context, w *work) (totals, error) {
	t, f := s.queue.enter(w.caller)
	if f != nil {
		s.metrics.refused.Add(1)
		return totals{}, f
	}
	defer t.leave()
	ctx, cancel := context.WithCancelCause(parent)
	defer cancel(nil)
	r := &running{id: w.id, caller: w.caller, model: w.lease.id, began: time.Now(), cancel: cancel}
	s.running.add(r)
	defer s.running.remove(r)
	w.began = time.Now()
	err := t.wait(ctx, s.beat(), func(place int) error {
		r.mu.Lock()
		r.place = place
		r.mu.Unlock()
		return w.sink.waiting(place)
	})
	if err == nil {
		w.waited = time.Since(w.began)
		var sum totals
		if sum, err = s.generate(ctx, cancel, r, w); err == nil {
			s.metrics.done(w, sum)
			return sum, nil
		}
	}
	s.metrics.aborted.Add(1)
	if cause := context.Cause(ctx); errors.As(cause, new(*fault)) {
		return totals{}, cause
	}
	if s.ctx.Err() != nil {
		return totals{}, &fault{status: http.StatusServiceUnavailable, kind: kindBusy, code: "shutting_down", message: "the server is shutting down", retryAfter: 5 * time.Second}
	}
	return totals{}, err
}

// beat is the time between ticks.
func (s *Server) beat() time.Duration { return min(s.options.Ping, s.options.PadAfter, time.Second) }

// gather is how long tokens are gathered before they are read: a model that is quick would spend its time on events otherwise.
const gather = 20 * time.Millisecond

// generate submits the asks and hands what comes to the sink.
func (s *Server) generate(ctx context.Context, cancel context.CancelCauseFunc, r *running, w *work) (totals, error) {
	var jobs []*engine.Job
	defer func() {
		// The engine has let go of everything when its jobs are over.
		cancel(nil)
		for _, job := range jobs {
			<-job.Done()
		}
	}()
	p := &progress{w: w}
	wake := make(chan struct{}, 1)
	for _, a := range w.asks {
		job, err := w.lease.Engine.SubmitTo(ctx, a.Request, engine.Delivery{Gather: gather, Wake: wake})
		if err != nil {
			return totals{}, err
		}
		jobs = append(jobs, job)
		r.mu.Lock()
		r.jobs, r.samples, r.place = append(r.jobs, job), append(r.samples, a.Samples), 0
		r.mu.Unlock()
		p.add(a)
	}
	r.mu.Lock()
	early := r.close
	r.mu.Unlock()
	if early {
		r.closeThoughts(-1)
	}
	if err := s.pump(ctx, p, r, jobs, wake); err != nil {
		return totals{}, err
	}
	for i, job := range jobs {
		results, err := job.Wait()
		if err != nil {
			return totals{}, err
		}
		p.sum.prompt += len(w.asks[i].IDs)
		p.sum.cached += results[0].PromptCached
	}
	return p.sum, nil
}

// pump hands news to the sink until all choices have ended.
func (s *Server) pump(ctx context.Context, p *progress, r *running, jobs []*engine.Job, wake <-chan struct{}) error {
	ticker := time.NewTicker(s.beat())
	defer ticker.Stop()
	for {
		select {
		case <-wake:
			if err := p.read(ctx, r, jobs); err != nil {
				return err
			}
			if p.open == 0 { // what is left leaves with the end of the reply
				return nil
			}
			if err := p.w.sink.flush(); err != nil {
				return err
			}
		case <-ticker.C:
			if err := p.w.sink.tick(); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// read takes what is new of all jobs.
func (p *progress) read(ctx context.Context, r *running, jobs []*engine.Job) error {
	if p.w.first.IsZero() {
		p.w.first = time.Now()
	}
	for i, job := range jobs {
		for u, ok := job.Poll(); ok; u, ok = job.Poll() {
			if u.Finish == engine.FinishCancelled {
				// An error of the engine ends a job like this too; Wait tells it.
				if err := ctx.Err(); err != nil {
					return err
				}
				return p.failure(r, i)
			}
			r.mu.Lock()
			r.tokens += len(u.Tokens)
			r.mu.Unlock()
			if err := p.take(i, u); err != nil {
				return err
			}
		}
	}
	return nil
}

// progress is what has come of each choice.
type progress struct {
	w     *work
	first []int // the first choice of each ask
	views []*view
	state []choiceState
	open  int // choices that have not ended
	sum   totals
}

// choiceState is what has been seen of a choice.
type choiceState struct{ answered, called bool }

func (p *progress) add(a *ask) {
	p.first = append(p.first, len(p.views))
	for range a.Samples {
		v := newView(a)
		p.views = append(p.views, v)
		p.state = append(p.state, choiceState{
			answered: v.said.answer != "" || a.continued && a.State == chat.Answering, called: len(v.said.calls) > 0,
		})
	}
	p.open += a.Samples
}

// failure is why an engine has ended a job.
func (p *progress) failure(r *running, ask int) error {
	_, err := r.jobs[ask].Wait()
	if err == nil {
		err = errors.New("the engine has ended a reply early")
	}
	return err
}

// take turns an update of one ask into a piece.
func (p *progress) take(at int, a engine.Update) error {
	ask := p.w.asks[at]
	choice := p.first[at] + a.Sample
	v, state := p.views[choice], &p.state[choice]
	out := &piece{choice: choice, ask: ask, seed: ask.seed + int64(a.Sample), ended: a.Thought.Ended}
	each := len(a.Alternatives) / max(1, len(a.Tokens))
	for i, token := range a.Tokens {
		if slices.Contains(ask.Stop, token) {
			continue // the end of the turn, which has no text
		}
		n := v.push(token)
		out.add(&n)
		if ask.o.logprobs || ask.o.tokenIDs {
			out.tokens = append(out.tokens, tokenNews{token, a.LogProbs[i], a.Alternatives[i*each : (i+1)*each], n.inAnswer})
		}
	}
	if a.Finish != "" {
		n := v.end()
		out.add(&n)
	}
	state.answered = state.answered || out.answer != ""
	state.called = state.called || len(out.calls) > 0
	p.sum.completion += len(a.Tokens)
	if a.Finish != "" {
		p.open--
		p.sum.reasoning += v.thoughtTokens()
		out.finish, out.called, out.stop = a.Finish, state.called, v.stop.which
		if ask.split && !state.answered && !state.called {
			out.code = codeNoAnswer
		}
	}
	return p.w.sink.piece(out)
}

// add joins the news of a further token.
func (p *piece) add(n *news) {
	p.thought += n.thought
	p.answer += n.answer
	p.calls = append(p.calls, n.calls...)
}
