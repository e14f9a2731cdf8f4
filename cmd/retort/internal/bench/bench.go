// Package bench measures what a model does on this machine: prompts, decoding, many samples of one prompt, loading and memory, each beside
// what the machine could do at most.
//
// It prints nothing, and compares with no other program.
//
// Invariants:
//   - Every number stands with its repeats, and the speed of a work is their median.
//   - The limits are measured in the same run as the speeds, before and after them, and the best of all rounds counts: a neighbour can only make a
//     round slower.
//   - Nothing is guessed ahead, and no prompt that is timed was read before.
package bench

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"github.com/retort-ml/retort/engine"
	"github.com/retort-ml/retort/internal/compute"
	"github.com/retort-ml/retort/internal/kernel"
	"github.com/retort-ml/retort/model"
)

// Options says what is measured. A nil list, or 0, is its default.
type Options struct {
	// Prefill lists lengths of prompts. Default 512 and 2048.
	Prefill []int
	// Depths lists how many positions stand before the first decoded token. Default 0 and 4096.
	Depths []int
	// Samples lists how many samples of one prompt are decoded together. Default 1, 8, 32 and 64.
	Samples []int
	// SharedPrompt is the length of that prompt. Default 256.
	SharedPrompt int
	// Tokens is how many tokens of a sample are decoded. Default 64; of samples of one prompt twice as many.
	Tokens int
	// Repeat is how often each work is done. Default 3.
	Repeat int
	// Available is the memory that may be taken, in bytes; 0 is not known, and nothing is refused.
	Available int64
	// Compute is how the model computes, as model.Options has it; "" keeps quantised weights and those of 16 bits as the file stores them.
	Compute string
	// KV is the format of keys and values, see model.ForwardOptions; "" is f16 where weights stay quantised or of 16 bits, else f32.
	KV string
	// Need, if set, is told what memory the model and its engine will take, before it is loaded.
	Need func(engine.Memory)
	// Progress, if set, is told what is measured next.
	Progress func(what string)
}

// Quick measures less: prompts of 512, decoding at 0 and 1,024, 1, 8 and 32 samples, 16 tokens, each twice.
func Quick() Options {
	return Options{Prefill: []int{512}, Depths: []int{0, 1024}, Samples: []int{1, 8, 32}, Tokens: 16, Repeat: 2}
}

// largest bounds every number of Options.
const largest = 1 << 20

// Validate reports every fault of o in one error.
func (o *Options) Validate() error {
	var faults []error
	check := func(name string, least int, values ...int) {
		for _, v := range values {
			if v < least || v > largest {
				faults = append(faults, fmt.Errorf("%s: got %d, want %d to %d", name, v, least, largest))
			}
		}
	}
	check("prefill", 1, o.Prefill...)
	check("depth", 0, o.Depths...)
	check("samples", 1, o.Samples...)
	check("shared prompt", 0, o.SharedPrompt)
	check("tokens", 0, o.Tokens)
	check("repeat", 0, o.Repeat)
	return errors.Join(faults...)
}

func (o Options) withDefaults() Options {
	if o.Prefill == nil {
		o.Prefill = []int{512, 2048}
	}
	if o.Depths == nil {
		o.Depths = []int{0, 4096}
	}
	if o.Samples == nil {
		o.Samples = []int{1, 8, 32, 64}
	}
	if o.SharedPrompt == 0 {
		o.SharedPrompt = 256
	}
	if o.Tokens == 0 {
		o.Tokens = 64
	}
	if o.Repeat == 0 {
		o.Repeat = 3
	}
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	if o.Need == nil {
		o.Need = func(engine.Memory) {}
	}
	return o
}

// Result is what was measured.
type Result struct {
	Threads int    `json:"threads"`
	Level   string `json:"level"` // the instructions in use
	Repeat  int    `json:"repeat"`
	// Limits are those of one thread, of two, and of as many as were used.
	Limits []Limit `json:"limits"`
	Load   Load    `json:"load"`
	Memory Memory  `json:"memory"`
	Works  []Work  `json:"works"`
	// Skipped names works for which the model has too few positions.
	Skipped []string `json:"skipped,omitempty"`
}

// Load is the time from opening the file to the first token, in seconds.
type Load struct {
	Open       []float64 `json:"open_seconds"`        // until the weights are laid out
	FirstToken []float64 `json:"first_token_seconds"` // of a prompt of 8 tokens, from the beginning
	Median     float64   `json:"median_seconds"`      // of FirstToken
}

// Memory is what was computed before the model was loaded, and what was taken, in bytes.
type Memory struct {
	Weights     int64   `json:"weights"`
	KV          int64   `json:"kv"`
	Other       int64   `json:"other"`
	Computed    int64   `json:"computed"` // the sum
	Peak        int64   `json:"peak"`     // most bytes of the process that were resident at once; 0 if the system does not tell
	File        int64   `json:"file"`     // bytes of the tensors in the file
	PerComputed float64 `json:"peak_per_computed"`
}

// Run opens the model in path and measures. open opens the weights, as often as it is called.
func Run(ctx context.Context, path string, open func() (*model.Model, error), cpu *compute.CPU, o Options) (*Result, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o = o.withDefaults()
	c, memory, err := measureFile(path, cpu, &o)
	if err != nil {
		return nil, err
	}
	r := &Result{Threads: cpu.Pool().Threads(), Level: kernel.Level(), Repeat: o.Repeat, Memory: memory}
	works := c.works(&o, r)
	o.Progress("the machine's limits")
	r.measureLimits(cpu)
	e, err := r.load(ctx, open, cpu, c, &o)
	if err != nil {
		return nil, err
	}
	for i := range works {
		if err := works[i].measure(ctx, e, c.config.VocabSize, &o); err != nil {
			return nil, fmt.Errorf("%s: %w", works[i].Name, err)
		}
	}
	if r.Memory.Peak = residentPeak(); r.Memory.Computed > 0 {
		r.Memory.PerComputed = float64(r.Memory.Peak) / float64(r.Memory.Computed)
	}
	o.Progress("the machine's limits again")
	r.measureLimits(cpu)
	for i := range works {
		works[i].compare(c, r.used())
	}
	r.Works = works
	return r, nil
}

// settleTime is how long what runs after a collection of garbage may take.
const settleTime = 50 * time.Millisecond

// loadPrompt is how many tokens the prompt of the load's first token has.
const loadPrompt = 8

// load opens the model some times and leaves an engine over the last. The peak of the memory is counted from the last on.
func (r *Result) load(ctx context.Context, open func() (*model.Model, error), cpu *compute.CPU, c *cost, o *Options) (*engine.Engine, error) {
	var e *engine.Engine
	for range o.Repeat {
		o.Progress("loading")
		e, c.peak = nil, nil
		debug.FreeOSMemory()
		time.Sleep(settleTime) // in which a mapping that nobody uses any more is ended
		forgetPeak()
		begin := time.Now()
		m, err := open()
		if err != nil {
			return nil, err
		}
		opened := time.Since(begin)
		if e, err = engine.New(m, cpu, c.sizes); err != nil {
			return nil, err
		}
		c.peak = peakOf(m, o)
		prompt := randomPrompt(loadPrompt, c.config.VocabSize, 0)
		if _, err := e.Generate(ctx, []engine.Request{{Prompt: prompt, MaxTokens: 1}}); err != nil {
			return nil, err
		}
		r.Load.Open = append(r.Load.Open, opened.Seconds())
		r.Load.FirstToken = append(r.Load.FirstToken, time.Since(begin).Seconds())
	}
	r.Load.Median = median(r.Load.FirstToken)
	return e, nil
}

// median is the middle one, or the mean of the two in the middle.
func median(list []float64) float64 {
	if len(list) == 0 {
		return 0
	}
	list = slices.Sorted(slices.Values(list))
	return (list[(len(list)-1)/2] + list[len(list)/2]) / 2
}
