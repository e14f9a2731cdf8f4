package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/retort-ml/retort/engine"
)

// The kinds of work.
const (
	prefill = "prefill" // a prompt until its first token; the speed counts its tokens
	decode  = "decode"  // one sample behind a prompt that is not timed
	samples = "samples" // several samples of one prompt, from the first token on
)

// Work is one thing that was measured.
type Work struct {
	Name    string `json:"name"`
	Kind    string `json:"kind"`
	Prompt  int    `json:"prompt_tokens"`
	Samples int    `json:"samples"`
	Tokens  int    `json:"tokens_per_sample"`
	// Runs holds the tokens a second of each repeat, Median their median.
	Runs   []float64 `json:"runs"`
	Median float64   `json:"median"`
	// Limit is the tokens a second that the machine's limits allow, by Bound: "memory" or "arithmetic"; Fraction is Median of it. Attention is counted as
	// if it ran at the peak of the products. 0 where the limit is not known.
	Limit    float64 `json:"limit"`
	Bound    string  `json:"bound,omitempty"`
	Fraction float64 `json:"fraction"`
}

// works lists what o asks for and the model has positions for, and notes the rest in r.
func (c *cost) works(o *Options, r *Result) []Work {
	var list []Work
	add := func(w Work) {
		if w.Prompt+w.Tokens > c.config.MaxPositions {
			r.Skipped = append(r.Skipped, fmt.Sprintf("%s: needs %d positions, the model has %d", w.Name, w.Prompt+w.Tokens, c.config.MaxPositions))
			return
		}
		list = append(list, w)
	}
	for _, n := range o.Prefill {
		add(Work{Name: fmt.Sprintf("prefill %d", n), Kind: prefill, Prompt: n, Samples: 1, Tokens: 1})
	}
	for _, n := range o.Depths {
		add(Work{Name: fmt.Sprintf("decode at %d", n), Kind: decode, Prompt: max(1, n), Samples: 1, Tokens: o.Tokens})
	}
	for _, n := range o.Samples {
		add(Work{Name: fmt.Sprintf("%d samples of %d", n, o.SharedPrompt), Kind: samples, Prompt: o.SharedPrompt, Samples: n, Tokens: o.sampleTokens()})
	}
	return list
}

// measure does the work some times.
func (w *Work) measure(ctx context.Context, e *engine.Engine, vocabulary int, o *Options) error {
	for i := range o.Repeat {
		o.Progress(fmt.Sprintf("%s, %d of %d", w.Name, i+1, o.Repeat))
		seed := uint64(w.Prompt)
		if w.Kind == prefill {
			seed += uint64(i+1) << 32 // the beginning of one that was read before would be found again
		}
		r := engine.Request{
			Prompt: randomPrompt(w.Prompt, vocabulary, seed), MaxTokens: w.Tokens, Samples: w.Samples, Temperature: 1,
			Seed: engine.Seed{Run: uint64(i)},
		}
		rate, err := w.rate(ctx, e, r)
		if err != nil {
			return err
		}
		w.Runs = append(w.Runs, rate)
	}
	w.Median = median(w.Runs)
	return nil
}

// stopwatch is a constraint that ends nothing, and knows when the first token came.
type stopwatch struct{ first atomic.Pointer[time.Time] }

// Stops is asked after each token, from several goroutines.
func (s *stopwatch) Stops(tokens []int32) bool {
	if len(tokens) == 1 && s.first.Load() == nil {
		now := time.Now()
		s.first.CompareAndSwap(nil, &now)
	}
	return false
}

// rate is the tokens a second of one request.
func (w *Work) rate(ctx context.Context, e *engine.Engine, r engine.Request) (float64, error) {
	watch := &stopwatch{}
	r.Constraint = watch
	begin := time.Now()
	results, err := e.Generate(ctx, []engine.Request{r})
	if err != nil {
		return 0, err
	}
	end := time.Now()
	if w.Kind == prefill {
		if results[0].PromptCached > 0 {
			return 0, errors.New("the prompt was found in the cache")
		}
		return float64(w.Prompt) / end.Sub(begin).Seconds(), nil
	}
	// The other samples wait until the prompt of the first is read, so that one token came before the clock began.
	tokens := -1
	for i := range results {
		tokens += len(results[i].Tokens)
	}
	first := watch.first.Load()
	if tokens <= 0 || first == nil {
		return 0, errors.New("one token cannot be timed; ask for more")
	}
	return float64(tokens) / end.Sub(*first).Seconds(), nil
}

// compare holds the speed against the machine's limits.
func (w *Work) compare(c *cost, l *Limit) {
	peak := c.peak(l)
	if w.Kind == prefill {
		if peak > 0 {
			w.bound("arithmetic", peak/c.prefillOperations(w.Prompt))
		}
		return
	}
	n, tail := float64(w.Samples), w.Tokens/2 // which on average stand behind the prompt
	read := c.weights + c.position*(float64(w.Prompt)+n*float64(tail))
	w.bound("memory", n*l.Read/read)
	if arithmetic := peak / c.config.FLOPsPerToken(w.Prompt+tail); arithmetic > 0 && arithmetic < w.Limit {
		w.bound("arithmetic", arithmetic)
	}
}

func (w *Work) bound(by string, limit float64) {
	w.Bound, w.Limit, w.Fraction = by, limit, w.Median/limit
}

// randomPrompt returns n token ids; equal seeds give equal prompts.
func randomPrompt(n, vocabulary int, seed uint64) []int32 {
	rng := rand.New(rand.NewPCG(seed, 7))
	ids := make([]int32, n)
	for i := range ids {
		ids[i] = rng.Int32N(int32(vocabulary))
	}
	return ids
}
