// Package engine is many requests, one model: it batches them, pages and shares their KV cache,
// samples, speculates; token ids in, token ids and log-probabilities out; declares Constraint
// (grammar and stop rules are supplied from above).
//
// It does not know text, templates or stop strings (package llm does), and uses no second model to draft.
//
// Invariants:
//   - A sample's tokens and log-probabilities are a function of the weights, its request and its seed.
//     They do not depend, by a single bit, on the other requests, on the size of the batch or of the
//     cache, on how its prompt was cut, shared or found in the cache, on preemption, on what was
//     drafted or on the number of threads.
//   - A block is written only while exactly one sequence holds it, and read only by sequences that
//     hold it.
//   - Keys and values are found again only under the weights that made them.
//   - The oldest running sequence is never preempted, so every call ends.
//   - Nothing is allocated per token once a call has reached its full batch, but for the doubling of
//     long outputs.
package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/retort-ml/retort/internal/compute"
	"github.com/retort-ml/retort/internal/kernel"
	"github.com/retort-ml/retort/model"
)

// forwarder is what the scheduler needs of a model.
type forwarder interface {
	// Run writes the keys and values of the batch's rows into their blocks and returns, for the
	// wanted rows, the logits [R,V] and the log-sum-exp [R] of logits times
	// batch.InverseTemperature. Both are valid until the next Run; Run keeps nothing of the batch.
	// It ends with compute.ErrAbandoned if batch.Abandon says so.
	Run(batch *compute.Batch) (logits, lse []float32, err error)
	// Blocks is the number of KV blocks.
	Blocks() int
	// CopyBlock copies the keys and values of block src to block dst in every layer.
	CopyBlock(dst, src int32)
	// Version is another number after each change of the weights.
	Version() uint64
}

// Engine generates with one model. Its methods may be called from many goroutines; what they ask for
// is batched together.
type Engine struct {
	kv        string        // Options.KV
	scheduler *scheduler    // of the driving goroutine
	exclusive chan struct{} // holds one value: the right to fence

	mu      sync.Mutex
	stats   Stats
	load    Load
	inbox   []*Job        // not yet in the scheduler
	orders  []func()      // for the driving goroutine, before the inbox
	stopped chan struct{} // closed when the driving goroutine ends; nil if there is none
	fenced  bool          // the inbox waits
}

// New makes an engine for m on cpu. It reads m's weights in place, so that a trainer's update holds
// for the next call (after Repack). The weights must not change while requests run: Exclusive waits until none does.
func New(m *model.Model, cpu *compute.CPU, o *Options) (*Engine, error) {
	if o != nil {
		if err := o.Validate(); err != nil {
			return nil, err
		}
	}
	r := o.withDefaults()
	c := m.Config()
	if err := r.resolveBlocks(&c); err != nil {
		return nil, err
	}
	forward, err := m.CompileForward(cpu, r.forward())
	if err != nil {
		return nil, fmt.Errorf("engine: %w", err)
	}
	return newEngine(forward, cpu.Pool(), c.VocabSize, c.MaxPositions, r)
}

// defaultCacheBytes bounds the KV cache of an engine that was not told a size.
const defaultCacheBytes = 1 << 30 // 1 GiB

// resolveBlocks fills in the default of Blocks. It is an error if KV does not suit c.
func (o *Options) resolveBlocks(c *model.Config) error {
	if _, err := c.KVFormat(o.KV); err != nil {
		return fmt.Errorf("engine: %w", err)
	}
	if o.Blocks == 0 {
		o.Blocks = max(1, min(blocksFor(c.MaxPositions)*o.MaxBatch, int(defaultCacheBytes/o.blockBytes(c))))
	}
	return nil
}

// blockBytes is the memory of a block; KV is valid.
func (o *Options) blockBytes(c *model.Config) int64 {
	f, err := c.KVFormat(o.KV)
	if err != nil {
		panic("engine: unchecked options")
	}
	return c.KVBlockBytes(f)
}

// newEngine builds an engine over any forward pass with vocab token ids and room for context
// positions in one sequence.
func newEngine(forward forwarder, pool *kernel.Pool, vocab, context int, o Options) (*Engine, error) {
	if forward.Blocks() <= 0 {
		return nil, errors.New("engine: the model has no KV blocks: give the cache memory for at least one context by raising Options.Blocks")
	}
	s := newScheduler(forward, pool, vocab, context, o)
	return &Engine{kv: o.KV, scheduler: s, exclusive: make(chan struct{}, 1), load: s.load()}, nil
}

// KV is the format of keys and values, with the default of Options.KV filled in.
func (e *Engine) KV() string { return e.kv }

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
	j, err := e.newJob(ctx, reqs)
	if err != nil {
		return nil, err
	}
	e.submit(j, nil)
	return j.Wait()
}

// Stream generates the only sample of req and calls yield with each token as it comes, on the
// caller's goroutine; a slow yield delays nobody else. Errors and cancelling are as in Generate; a cancelled
// stream's result ends with the last token that was yielded.
func (e *Engine) Stream(ctx context.Context, req Request, yield func(token int32, logprob float32)) (Result, error) {
	if req.Samples > 1 {
		return Result{}, &RequestError{Reason: fmt.Sprintf("%d samples, a stream has one", req.Samples)}
	}
	j, err := e.Submit(ctx, req)
	if err != nil {
		return Result{}, err
	}
	yielded := 0
	for u, ok := j.Next(); ok && ctx.Err() == nil; u, ok = j.Next() {
		for i := 0; i < len(u.Tokens) && ctx.Err() == nil; i++ {
			yield(u.Tokens[i], u.LogProbs[i])
			yielded++
		}
	}
	results, err := j.Wait()
	if len(results) == 0 {
		return Result{}, err
	}
	r := results[0]
	if yielded < len(r.Tokens) {
		r.cut(yielded)
		err = ctx.Err()
	}
	return r, err
}

// Submit begins to answer a request and returns at once. When ctx is cancelled, the job is over within one step.
func (e *Engine) Submit(ctx context.Context, req Request) (*Job, error) {
	return e.SubmitTo(ctx, req, Delivery{})
}

// Exclusive waits until no request runs, calls f while later ones wait, and returns its error. Only then may weights change
// that requests of other goroutines use. Keys and values made before are not used after it. f must not use the engine.
// If ctx is cancelled before f begins, Exclusive returns ctx.Err().
func (e *Engine) Exclusive(ctx context.Context, f func() error) error {
	select {
	case e.exclusive <- struct{}{}:
		defer func() { <-e.exclusive }()
	case <-ctx.Done():
		return ctx.Err()
	}
	e.mu.Lock()
	e.fenced = true
	stopped := e.stopped
	e.mu.Unlock()
	defer e.release()
	if stopped != nil {
		select {
		case <-stopped:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	defer e.scheduler.blocks.forgetPrompts()
	return f()
}

// release lets the inbox go on after Exclusive.
func (e *Engine) release() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.fenced = false
	e.start()
}
