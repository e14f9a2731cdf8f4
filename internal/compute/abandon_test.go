package compute

import (
	"errors"
	"slices"
	"sync/atomic"
	"testing"
)

// abandoning is a row op that calls off the pass in its first chunk, and counts its chunks.
type abandoning struct {
	op
	flag   *atomic.Bool
	chunks atomic.Int64
}

func (a *abandoning) rowKind(*Plan) RowKind { return TokenRows }

func (a *abandoning) runRows(*run, int, int, int) {
	a.flag.Store(true)
	a.chunks.Add(1)
}

// abandoningWhole does so as an op with parts.
type abandoningWhole struct {
	op
	flag  *atomic.Bool
	count atomic.Int64
}

func (a *abandoningWhole) phases(*run) int     { return 3 }
func (a *abandoningWhole) parts(*run, int) int { return 50 }
func (a *abandoningWhole) runPart(*run, int, int, int) {
	a.flag.Store(true)
	a.count.Add(1)
}

// op is what is the same of both.
type op struct{ Op }

func (op) Name() string       { return "abandoning" }
func (op) reads() []TensorID  { return nil }
func (op) writes() []TensorID { return nil }

// TestAbandonedWithinAnOp: a pass that is called off ends once every worker has done the piece in hand, and can be run again.
func TestAbandonedWithinAnOp(t *testing.T) {
	cpu := NewCPU(2)
	defer cpu.Close()
	const tokens = 600
	var flag atomic.Bool
	rows, whole := &abandoning{flag: &flag}, &abandoningWhole{flag: &flag}
	for name, last := range map[string]Op{"rows": rows, "whole": whole} {
		embed := &Weight{Name: "w", Outs: 9, Ins: 4}
		p := &Plan{Layers: 1}
		p.Embed(embed)
		p.Ops = slices.Insert(p.Ops, len(p.Ops), last)
		p.Forward = len(p.Ops)
		g, err := cpu.Compile(p, Limits{Tokens: tokens, Rows: 1, Blocks: tokens, Positions: tokens, Vocab: 9}, Buffers{Weights: make([]float32, 36)})
		if err != nil {
			t.Fatal(err)
		}
		s := Seq{Len: tokens, Blocks: make([]int32, tokens/16+1)}
		b := &Batch{Tokens: make([]int32, tokens), Seqs: []Seq{s}, Abandon: &flag}
		for range 2 {
			flag.Store(false)
			rows.chunks.Store(0)
			whole.count.Store(0)
			if err := g.Forward(b); !errors.Is(err, ErrAbandoned) {
				t.Errorf("%s: got %v, want %v", name, err, ErrAbandoned)
			}
			if n := rows.chunks.Load() + whole.count.Load(); n < 1 || n > 2 {
				t.Errorf("%s: %d pieces were done on 2 threads", name, n)
			}
		}
	}
}
