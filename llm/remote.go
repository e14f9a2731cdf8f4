package llm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/retort-ml/retort/engine"
	"github.com/retort-ml/retort/openai"
)

// RemoteOptions say what an endpoint is asked for. The zero value of each field but Model is its default.
type RemoteOptions struct {
	// Model is the name by which the endpoint knows the model.
	Model string
	// Concurrency is the most requests under way at a time; 0 means 8. The client may allow for fewer.
	Concurrency int
	// MaxN is the most replies that one request asks for; 0 means 1, so that every reply has a seed, a count of tokens and a
	// place in the record of its own. More of them share the prompt's cost. An endpoint that gives fewer than it was
	// asked for, or refuses, is asked for the others one by one.
	MaxN int
	// Whole asks for whole replies. Otherwise they are streamed: a silent endpoint is found out, and what had come is there
	// when the call is cancelled.
	Whole bool
	// LogProbs asks for the log-probabilities of the tokens.
	LogProbs bool
	// OpensThought says that the endpoint's template opens the thought and that it leaves the thought in the text: then a
	// reply without a mark is a thought that did not end, not an answer.
	OpensThought bool
	// Omit lists fields that are not sent, because the endpoint refuses them: temperature, top_p, seed, max_tokens, stop or
	// stream_options. What is asked for is then not what is done, so it is never assumed.
	Omit []string
	// Extra holds further fields of every request, such as top_k or chat_template_kwargs.
	Extra map[string]json.RawMessage
	// Price is what the endpoint takes; zero where it takes nothing.
	Price Price
}

// Price is the price of a million tokens, in any one currency.
type Price struct {
	In       float64 // of prompts
	CachedIn float64 // of the part of prompts that the endpoint had in its cache; 0 means In
	Out      float64 // of replies, thought included
}

// Cost returns what the tokens cost; cached ones are among those of the prompt.
func (p Price) Cost(prompt, cached, reply int64) float64 {
	cachedIn := p.CachedIn
	if cachedIn == 0 {
		cachedIn = p.In
	}
	return (float64(prompt-cached)*p.In + float64(cached)*cachedIn + float64(reply)*p.Out) / 1e6
}

// omissions are the fields that may be left out.
var omissions = []string{"temperature", "top_p", "seed", "max_tokens", "stop", "stream_options"}

// Resolved returns the options with every default filled in.
func (o RemoteOptions) Resolved() RemoteOptions {
	if o.Concurrency == 0 {
		o.Concurrency = 8
	}
	if o.MaxN == 0 {
		o.MaxN = 1
	}
	return o
}

// Validate reports every fault in one error.
func (o *RemoteOptions) Validate() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf("llm: remote: "+format, args...)) }
	if o.Model == "" {
		fault("model: got no name, want one that the endpoint knows")
	}
	if o.Concurrency < 0 || o.Concurrency > 4096 {
		fault("concurrency: got %d, want 0 to 4096", o.Concurrency)
	}
	if o.MaxN < 0 || o.MaxN > 1024 {
		fault("max n: got %d, want 0 to 1024", o.MaxN)
	}
	for _, name := range o.Omit {
		if !slices.Contains(omissions, name) {
			fault("omit: got %q, want one of %v", name, omissions)
		}
	}
	for _, price := range []float64{o.Price.In, o.Price.CachedIn, o.Price.Out} {
		if !(price >= 0 && price < 1e9) {
			fault("price: got %v, want at least 0", price)
		}
	}
	return errors.Join(faults...)
}

// Totals count what a Remote has asked for and got.
type Totals struct {
	Requests  int64 // that were answered
	Retries   int64 // requests sent again
	Replies   int64
	Uncounted int64 // requests answered without a count of their tokens: they are missing below
	// The tokens that the endpoint counted. Cached ones are among those of prompts, thoughts among those of replies.
	PromptTokens, CachedTokens, ReplyTokens, ThoughtTokens int64
	// Cost is by RemoteOptions.Price, in its currency.
	Cost float64
}

// Remote generates by asking an endpoint: conversations at its chat completions, texts at its completions. It may be
// used by many goroutines.
type Remote struct {
	client    *openai.Client
	options   RemoteOptions // resolved
	oneByOne, // the endpoint does not know n
	newName atomic.Bool // the endpoint wants max_completion_tokens

	mu     sync.Mutex
	totals Totals
	served map[string]bool
}

// NewRemote makes a Generator of a client.
func NewRemote(c *openai.Client, o *RemoteOptions) (*Remote, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	return &Remote{client: c, options: o.Resolved(), served: map[string]bool{}}, nil
}

// Totals returns the counts so far.
func (r *Remote) Totals() Totals {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.totals
	t.Retries = r.client.Retries()
	return t
}

// Served returns the models that answered, by the endpoint's own word, with its fingerprint where it gives one, sorted. More
// than one means that what was asked is not one model.
func (r *Remote) Served() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Sorted(maps.Keys(r.served))
}

// Generate implements Generator. Where the endpoint refuses one request, its replies have FinishError. Where it refuses all
// or cannot be reached, Generate returns what replies there are, and the error. When ctx is cancelled, replies that had not
// ended have FinishCancelled and what text had come.
func (r *Remote) Generate(ctx context.Context, prompts []Prompt) ([]Reply, error) {
	var slots []*Reply
	first := make([]int, len(prompts))
	for i := range prompts {
		first[i] = len(slots)
		slots = append(slots, make([]*Reply, max(0, samples(&prompts[i])))...)
	}
	err := r.Each(ctx, prompts, func(reply Reply) error {
		slots[first[reply.Prompt]+reply.Sample] = &reply
		return nil
	})
	var replies []Reply
	for i := range prompts {
		for sample := range max(0, samples(&prompts[i])) {
			switch reply := slots[first[i]+sample]; {
			case reply != nil:
				replies = append(replies, *reply)
			case err != nil && ctx.Err() != nil:
				replies = append(replies, Reply{Prompt: i, Sample: sample, Finish: engine.FinishCancelled})
			}
		}
	}
	return replies, err
}

func samples(p *Prompt) int {
	if p.Samples == 0 {
		return 1
	}
	return p.Samples
}

// job is one request: so many samples of a prompt from first on.
type job struct{ prompt, first, count int }

// done is what became of a job.
type done struct {
	job
	replies []Reply
	err     error
	taken   chan<- struct{} // receives a value when the replies have been given away
}

// maxEarlyFaults is how many requests may be refused before one is answered, until it is held for the fault of all.
const maxEarlyFaults = 3

// Each implements Streamer. Errors are as in Generate. No more than Concurrency requests are under way or have replies that yield was not given yet, so that
// a program that is killed loses no more of what it has paid for.
func (r *Remote) Each(ctx context.Context, prompts []Prompt, yield func(Reply) error) error {
	if err := r.checkAll(prompts); err != nil {
		return err
	}
	working, stop := context.WithCancel(ctx)
	defer stop()
	jobs, finished := make(chan job), make(chan done)
	enough := make(chan struct{}) // closed when nothing further is to be begun
	end := sync.OnceFunc(func() { close(enough) })
	var workers sync.WaitGroup
	for range r.options.Concurrency {
		workers.Go(func() {
			taken := make(chan struct{})
			for j := range jobs {
				replies, err := r.ask(working, &prompts[j.prompt], j)
				if err != nil && !isAboutOne(err) {
					end() // before this worker could take another job
				}
				finished <- done{j, replies, err, taken}
				<-taken
			}
		})
	}
	go func() {
		r.handOut(working, prompts, jobs, enough)
		close(jobs)
		workers.Wait()
		close(finished)
	}()
	var failed error
	stopped := false // by yield
	answered, refused := 0, 0
	for d := range finished {
		err := d.err
		if isAboutOne(err) && ctx.Err() == nil {
			if refused++; answered > 0 || refused < maxEarlyFaults {
				d.replies, err = failures(d.job, err), nil
			}
		} else if err == nil {
			answered++
		}
		// What an endpoint said before it failed is not lost, unless the caller wants no more.
		for i := 0; i < len(d.replies) && !stopped; i++ {
			if enough := yield(d.replies[i]); enough != nil {
				err, stopped = enough, true
				stop()
			}
		}
		if err != nil && failed == nil {
			failed = err
			end()
		}
		d.taken <- struct{}{}
	}
	if ctx.Err() != nil && !stopped {
		return ctx.Err()
	}
	return failed
}

func (r *Remote) checkAll(prompts []Prompt) error {
	for i := range prompts {
		if err := r.check(&prompts[i]); err != nil {
			return fmt.Errorf("llm: prompt %d: %w", i, err)
		}
	}
	return nil
}

// handOut gives the jobs to whoever is free.
func (r *Remote) handOut(ctx context.Context, prompts []Prompt, jobs chan<- job, enough <-chan struct{}) {
	for i := range prompts {
		for first, n := 0, samples(&prompts[i]); first < n; {
			count := min(r.options.MaxN, n-first)
			if r.oneByOne.Load() {
				count = 1
			}
			select {
			case jobs <- job{i, first, count}:
				first += count
			case <-enough:
				return
			case <-ctx.Done():
				return
			}
		}
	}
}

// isAboutOne says whether an error is about one request, and not about the endpoint.
func isAboutOne(err error) bool {
	var said *openai.Error
	return errors.As(err, &said) && !said.Temporary() && (said.Status == 0 || said.Status == 400 || said.Status == 413 || said.Status == 422)
}

func failures(j job, err error) []Reply {
	replies := make([]Reply, j.count)
	for i := range replies {
		replies[i] = Reply{Prompt: j.prompt, Sample: j.first + i, Finish: FinishError, Err: err}
	}
	return replies
}

// check is an error if an endpoint cannot be asked for a prompt's replies.
func (r *Remote) check(p *Prompt) error {
	switch {
	case p.Text == "" && len(p.Messages) == 0:
		return errors.New("got neither a text nor messages")
	case len(p.StopTokens) > 0:
		return fmt.Errorf("stop tokens: got %d ids, an endpoint knows stop texts only", len(p.StopTokens))
	case !(p.Temperature >= 0 && p.Temperature <= 100):
		return fmt.Errorf("temperature: got %v, want 0 to 100", p.Temperature)
	case p.MaxTokens < 0 || p.Samples < 0:
		return fmt.Errorf("got %d tokens at most and %d samples, want at least 0", p.MaxTokens, p.Samples)
	}
	if p.TopK != 0 || p.MinP != 0 || p.Think != (Think{}) || p.Schema != "" || p.Grammar != "" {
		return errors.New("top-k, min-p, think, schema and grammar are for local models; try: RemoteOptions.Extra, by the endpoint's names")
	}
	return p.check()
}

// ask sends a job, and those of its samples that are missing in the answer, one by one.
func (r *Remote) ask(ctx context.Context, p *Prompt, j job) ([]Reply, error) {
	replies, err := r.send(ctx, p, j)
	if j.count > 1 && isAboutOne(err) {
		err = nil // perhaps it is n that is refused
	}
	if j.count > 1 && err == nil && len(replies) < j.count {
		r.oneByOne.Store(true)
		for sample := j.first + len(replies); sample < j.first+j.count && err == nil; sample++ {
			var one []Reply
			one, err = r.send(ctx, p, job{j.prompt, sample, 1})
			replies = append(replies, one...)
			if isAboutOne(err) && len(replies) > 0 {
				replies, err = append(replies, failures(job{j.prompt, sample, 1}, err)...), nil
			}
		}
	}
	return replies, err
}

// count adds an answer to the totals.
func (r *Remote) count(u *openai.Usage, model, fingerprint string, replies int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := &r.totals
	t.Requests++
	t.Replies += int64(replies)
	if model != "" && len(r.served) < 100 {
		if fingerprint != "" {
			model += " " + fingerprint
		}
		r.served[model] = true
	}
	if u == nil {
		t.Uncounted++
		return
	}
	prompt, reply := tokens(u.PromptTokens), tokens(u.CompletionTokens)
	cached, thought := min(tokens(u.CachedTokens()), prompt), min(tokens(u.ReasoningTokens()), reply)
	t.PromptTokens += prompt
	t.CachedTokens += cached
	t.ReplyTokens += reply
	t.ThoughtTokens += thought
	t.Cost += r.options.Price.Cost(prompt, cached, reply)
}

// tokens bounds a count from outside.
func tokens(n int) int64 { return int64(max(0, min(n, 1<<31-1))) }
