package compute

import (
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/retort-ml/retort/internal/kernel"
)

// Seq says which rows of a batch are consecutive positions of one sequence.
type Seq struct {
	// Start is the first row of the batch that belongs to the sequence, Len the number of its rows.
	Start, Len int
	// Pos is the position, counted from the sequence's start, of row Start.
	Pos int
	// Blocks is the sequence's block table: Blocks[i] is the KV block that holds positions
	// 16i..16i+15. It must reach position Pos+Len-1. Training programs fill in tables of their own.
	Blocks []int32
}

// Batch is the input of one run of a program: T token rows cut into sequences, and R of those
// rows whose next-token distribution is wanted.
type Batch struct {
	// Tokens holds the token id of each row, [T].
	Tokens []int32
	// Seqs covers all rows in order, without holes.
	Seqs []Seq
	// Rows lists the wanted rows in ascending order, [R].
	Rows []int32
	// Targets is the token whose log-probability is wanted for each wanted row, [R] (log-probability programs).
	Targets []int32
	// InverseTemperature multiplies the logits before the softmax; 0 means 1.
	InverseTemperature float32
	// DLogProb is dLoss/dlogp of each wanted row for a log-probability program, and the weight of
	// each row's divergence for a divergence program, [R]. Only the backward pass reads it.
	DLogProb []float32
	// Abandon, if set and true, ends a forward pass with ErrAbandoned once every worker has done the piece of an op that it has in hand. Keys
	// and values of its rows may then be half written; the same rows may be run again.
	Abandon *atomic.Bool
}

// ErrAbandoned is the error of a forward pass that Batch.Abandon ended.
var ErrAbandoned = errors.New("compute: the forward pass was abandoned")

func (b *Batch) inverseTemperature() float32 {
	if b.InverseTemperature == 0 {
		return 1
	}
	return b.InverseTemperature
}

var errNoRows = errors.New("compute: batch: no tokens, want at least one row")

// check reports the first fault of b against the limits of a program.
func (b *Batch) check(l *Limits, needTargets bool) error {
	t := len(b.Tokens)
	switch {
	case t == 0:
		return errNoRows
	case t > l.Tokens:
		return fmt.Errorf("compute: batch: %d token rows, the program was compiled for at most %d", t, l.Tokens)
	case len(b.Rows) > l.Rows:
		return fmt.Errorf("compute: batch: %d wanted rows, the program was compiled for at most %d", len(b.Rows), l.Rows)
	case needTargets && len(b.Targets) != len(b.Rows):
		return fmt.Errorf("compute: batch: %d targets for %d wanted rows", len(b.Targets), len(b.Rows))
	}
	for i, id := range b.Tokens {
		if id < 0 || int(id) >= l.Vocab {
			return fmt.Errorf("compute: batch: row %d: token %d, want 0 <= token < %d", i, id, l.Vocab)
		}
	}
	last := int32(-1)
	for i, r := range b.Rows {
		if r <= last || int(r) >= t {
			return fmt.Errorf("compute: batch: wanted row %d is %d, want ascending rows below %d", i, r, t)
		}
		last = r
	}
	if needTargets {
		for i, id := range b.Targets {
			if id < 0 || int(id) >= l.Vocab {
				return fmt.Errorf("compute: batch: target %d: token %d, want 0 <= token < %d", i, id, l.Vocab)
			}
		}
	}
	return b.checkSeqs(l)
}

func (b *Batch) checkSeqs(l *Limits) error {
	next, own := 0, 0
	for i := range b.Seqs {
		s := &b.Seqs[i]
		if s.Start != next || s.Len <= 0 || s.Pos < 0 {
			return fmt.Errorf("compute: batch: sequence %d covers rows %d+%d from position %d, want to begin at row %d", i, s.Start, s.Len, s.Pos, next)
		}
		next += s.Len
		if s.Pos+s.Len > l.Positions {
			return fmt.Errorf("compute: batch: sequence %d reaches position %d, the program holds %d positions", i, s.Pos+s.Len, l.Positions)
		}
		need := blocksFor(s.Pos + s.Len)
		if l.ownBlocks {
			if s.Pos != 0 {
				return fmt.Errorf("compute: batch: sequence %d begins at position %d, a training program wants whole sequences", i, s.Pos)
			}
			own += need
			continue
		}
		if len(s.Blocks) < need {
			return fmt.Errorf("compute: batch: sequence %d has %d KV blocks, want %d", i, len(s.Blocks), need)
		}
		for _, id := range s.Blocks {
			if id < 0 || int(id) >= l.Blocks {
				return fmt.Errorf("compute: batch: sequence %d: KV block %d, want 0 <= block < %d", i, id, l.Blocks)
			}
		}
	}
	if next != len(b.Tokens) {
		return fmt.Errorf("compute: batch: sequences cover %d rows of %d", next, len(b.Tokens))
	}
	if own > l.Blocks {
		return fmt.Errorf("compute: batch: %d sequences need %d KV blocks, the program was compiled with %d; pack fewer sequences into one batch", len(b.Seqs), own, l.Blocks)
	}
	return nil
}

// blocksFor is the number of KV blocks that hold n positions.
func blocksFor(n int) int { return (n + kernel.BlockTokens - 1) / kernel.BlockTokens }

// Limits are the sizes that a program was compiled for.
type Limits struct {
	// Tokens and Rows are the most token rows and wanted rows of one batch.
	Tokens, Rows int
	// Blocks is the number of KV blocks of each layer, Positions the longest sequence.
	Blocks, Positions int
	// Vocab is the number of token ids.
	Vocab int

	ownBlocks bool // the program lays out the block tables itself, sequence after sequence
}
