package engine

import (
	"errors"
	"fmt"
	"time"

	"github.com/retort-ml/retort/model"
)

// Options sizes an engine. The zero value of each field is its default.
type Options struct {
	// MaxBatch is the largest number of samples decoded together. Default 256.
	MaxBatch int
	// PrefillTokens is the largest number of prompt tokens evaluated in one step beside the decoding
	// samples; longer prompts are cut. Default 512.
	PrefillTokens int
	// MaxStall is how long a step may take, by the speed measured so far, when prompt tokens are evaluated beside decoding samples or prompts of
	// others: the pieces of prompts become shorter, down to 16 tokens. Default 250 ms.
	MaxStall time.Duration
	// DraftTokens is the most tokens that are guessed ahead for a sample, from its own text and that of other samples of its request, and
	// verified together: the text is the same to the bit, and comes faster where it repeats itself. How many are guessed follows from measured times.
	// Default 8; NoDraft guesses none.
	DraftTokens int
	// Blocks is the number of 16-token KV blocks. Default: what MaxBatch samples of the full context
	// need, at most 1 GiB.
	Blocks int
	// KV is the format in which keys and values are kept, see model.ForwardOptions. Default model.KVF32, without which log-probabilities are not the bits
	// that training gives: of two formats, each is exact in itself.
	KV string
}

// NoDraft as Options.DraftTokens guesses nothing ahead.
const NoDraft = -1

// Validate reports every fault of o in one error.
func (o *Options) Validate() error {
	var faults []error
	check := func(name string, bad bool, value any) {
		if bad {
			faults = append(faults, fmt.Errorf("engine: options: %s: got %v, want 0 (the default) or more", name, value))
		}
	}
	check("MaxBatch", o.MaxBatch < 0, o.MaxBatch)
	check("PrefillTokens", o.PrefillTokens < 0, o.PrefillTokens)
	check("MaxStall", o.MaxStall < 0, o.MaxStall)
	check("DraftTokens", o.DraftTokens < NoDraft, o.DraftTokens)
	check("Blocks", o.Blocks < 0, o.Blocks)
	if _, err := model.KVFormat(o.KV); err != nil {
		faults = append(faults, fmt.Errorf("engine: options: %w", err))
	}
	return errors.Join(faults...)
}

// withDefaults returns o with all defaults but that of Blocks filled in; nil is the zero value.
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
	if r.MaxStall == 0 {
		r.MaxStall = 250 * time.Millisecond
	}
	if r.DraftTokens == 0 {
		r.DraftTokens = 8
	}
	if r.KV == "" {
		r.KV = model.KVF32
	}
	return r
}

// maxDraftRows is the most rows of drafts in one batch: room for them is made beforehand. How many there are follows from measured times.
const maxDraftRows = 64

func (o *Options) draftRows() int { return min(maxDraftRows, o.MaxBatch*max(1, o.DraftTokens)) }

// rows is the most wanted rows of a batch, tokens the most rows.
func (o *Options) rows() int   { return o.MaxBatch + o.draftRows() }
func (o *Options) tokens() int { return o.rows() + o.PrefillTokens }
