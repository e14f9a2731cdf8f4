// Package engine is many requests, one model: it batches them, pages and shares their KV cache,
// samples, speculates; token ids in, token ids and log-probabilities out; declares Constraint
// (grammar and stop rules are supplied from above).
//
// It does not know text, templates or stop strings (package llm does), drafts no tokens ahead (a
// Constraint only stops), and does not keep prompts from one call to the next: the weights may have
// changed between them.
//
// Invariants:
//   - A sample's tokens and log-probabilities are a function of the weights, its request and its seed. They do not depend, by a single bit, on the other requests, on the
//     size of the batch or of the cache, on how its prompt was cut or shared, on preemption or on
//     the number of threads.
//   - A block is written only while exactly one sequence holds it, and read only by sequences that
//     hold it.
//   - The oldest running sequence is never preempted, so every call ends.
//   - Nothing is allocated per token once a call has reached its full batch, but for the doubling of
//     long outputs.
package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/retort-ml/retort/internal/compute"
	"github.com/retort-ml/retort/internal/kernel"
	"github.com/retort-ml/retort/model"
)

// Options sizes an engine. The zero value of each field is its default.
type Options struct {
	// MaxBatch is the largest number of samples decoded together. Default 256.
	MaxBatch int
	// PrefillTokens is the largest number of prompt tokens evaluated in one step beside the decoding
	// samples; longer prompts are cut. Default 512.
	PrefillTokens int
	// Blocks is the number of 16-token KV blocks. Default: what MaxBatch samples of the full context
	// need, at most 1 GiB.
	Blocks int
}

// Validate reports every fault of o in one error.
func (o *Options) Validate() error {
	var faults []error
	check := func(name string, value int) {
		if value < 0 {
			faults = append(faults, fmt.Errorf("engine: options: %s: got %d, want 0 (the default) or more", name, value))
		}
	}
	check("MaxBatch", o.MaxBatch)
	check("PrefillTokens", o.PrefillTokens)
	check("Blocks", o.Blocks)
	return errors.Join(faults...)
}

// withDefaults returns o with the defaults of MaxBatch and PrefillTokens filled in; nil is the zero
// value.
func (o *Options) withDefaults() Options {
	var r Options
	if o != nil {
		r = *o
	}
	if r.MaxBatch == 0 {
		r.MaxBatch = 256
	}
	if r.PrefillTokens == 0 {
		r.PrefillTokens = 512
	}
	return r
}

// forwarder is what the scheduler needs of a model.
type forwarder interface {
	// Run writes the keys and values of the batch's rows into their blocks and returns, for the
	// wanted rows, the logits [R,V] and the log-sum-exp [R] of logits times
	// batch.InverseTemperature. Both are valid until the next Run; Run keeps nothing of the batch.
	Run(batch *compute.Batch) (logits, lse []float32, err error)
	// Blocks is the number of KV blocks.
	Blocks() int
	// CopyBlock copies the keys and values of block src to block dst in every layer.
	CopyBlock(dst, src int32)
}

// Engine generates with one model. Its methods may be called from many goroutines; calls that
// generate take turns.
type Engine struct {
	scheduler *scheduler
	turn      chan struct{} // holds one value: the right to use the scheduler

	mu    sync.Mutex
	stats Stats
}

// New makes an engine for m on cpu. It reads m's weights in place, so that a trainer's update holds
// for the next call (after Repack); the weights must not change during a call.
func New(m *model.Model, cpu *compute.CPU, o *Options) (*Engine, error) {
	if o != nil {
		if err := o.Validate(); err != nil {
			return nil, err
		}
	}
	r := o.withDefaults()
	c := m.Config()
	if r.Blocks == 0 {
		r.Blocks = defaultBlocks(c, r.MaxBatch)
	}
	forward, err := m.CompileForward(cpu, &model.ForwardOptions{
		MaxTokens: r.MaxBatch + r.PrefillTokens,
		MaxRows:   r.MaxBatch,
		Blocks:    r.Blocks,
	})
	if err != nil {
		return nil, fmt.Errorf("engine: %w", err)
	}
	return newEngine(forward, cpu.Pool(), c.VocabSize, c.MaxPositions, r)
}

// defaultCacheBytes bounds the KV cache of an engine that was not told a size.
const defaultCacheBytes = 1 << 30 // 1 GiB

func defaultBlocks(c model.Config, maxBatch int) int {
	blockBytes := 4 * c.Layers * kernel.BlockFloats(c.KVHeads, c.HeadSize)
	return max(1, min(blocksFor(c.MaxPositions)*maxBatch, defaultCacheBytes/blockBytes))
}

// newEngine builds an engine over any forward pass with vocab token ids and room for context
// positions in one sequence.
func newEngine(forward forwarder, pool *kernel.Pool, vocab, context int, o Options) (*Engine, error) {
	if forward.Blocks() <= 0 {
		return nil, errors.New("engine: the model has no KV blocks: give the cache memory for at least one context by raising Options.Blocks")
	}
	e := &Engine{scheduler: newScheduler(forward, pool, vocab, context, o), turn: make(chan struct{}, 1)}
	e.turn <- struct{}{}
	return e, nil
}

// Stats returns the counts up to the last finished step.
func (e *Engine) Stats() Stats {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.stats
}

// Generate returns all samples of all requests, request after request. It batches them
// continuously: a finished sample's place goes to the next one that waits.
//
// A request that cannot be served fails the call with a *RequestError before anything is run. When
// ctx is cancelled, Generate returns within one step what there is, unfinished samples marked
// FinishCancelled, and ctx.Err(). Any other error returns no results.
func (e *Engine) Generate(ctx context.Context, reqs []Request) ([]Result, error) {
	seqs, err := e.scheduler.sequences(reqs)
	if err != nil {
		return nil, err
	}
	err = e.run(ctx, seqs, func() {})
	if err != nil && !errors.Is(err, ctx.Err()) {
		return nil, err
	}
	return results(seqs), err
}

// Stream generates the only sample of req and calls yield with each token as it comes, on the
// caller's goroutine. Errors and cancelling are as in Generate.
func (e *Engine) Stream(ctx context.Context, req Request, yield func(token int32, logprob float32)) (Result, error) {
	if req.Samples > 1 {
		return Result{}, &RequestError{Reason: fmt.Sprintf("%d samples, a stream has one", req.Samples)}
	}
	seqs, err := e.scheduler.sequences([]Request{req})
	if err != nil {
		return Result{}, err
	}
	yielded := 0
	err = e.run(ctx, seqs, func() {
		for q := &seqs[0]; yielded < len(q.out); yielded++ {
			yield(q.out[yielded], q.logProbs[yielded])
		}
	})
	if err != nil && !errors.Is(err, ctx.Err()) {
		return Result{}, err
	}
	return results(seqs)[0], err
}

// run steps the scheduler until seqs are finished or ctx is cancelled, and calls after each step.
func (e *Engine) run(ctx context.Context, seqs []sequence, after func()) error {
	select {
	case <-e.turn:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { e.turn <- struct{}{} }()
	s := e.scheduler
	s.begin(seqs)
	last := time.Now()
	for s.busy() {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.step(); err != nil {
			return err
		}
		after()
		now := time.Now()
		s.stats.Elapsed += now.Sub(last)
		last = now
		e.mu.Lock()
		e.stats = s.stats
		e.mu.Unlock()
	}
	return nil
}

func results(seqs []sequence) []Result {
	r := make([]Result, len(seqs))
	for i := range seqs {
		q := &seqs[i]
		if q.finish == "" {
			q.finish = FinishCancelled
		}
		r[i] = Result{
			Request: q.request, Sample: q.sample, Tokens: q.out, LogProbs: q.logProbs,
			DrawLogProbs: q.drawLogProbs, Alternatives: q.alternatives, Finish: q.finish,
		}
	}
	return r
}
