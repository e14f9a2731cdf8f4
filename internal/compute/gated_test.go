package compute

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/retort-ml/retort/internal/kernel"
)

// gatedProgram is norm, product, gate, product and head of random weights, over a batch of rows that is cut along its rows.
func gatedProgram(t *testing.T, cpu *CPU, bf16, bias bool) *Program {
	t.Helper()
	const d, f, vocabulary, tokens = 24, gatedColumns + 48, 40, 160
	r := rand.New(rand.NewPCG(7, 7))
	var buf Buffers
	weight := func(name string, outs, ins int) *Weight {
		w := &Weight{Name: name, Outs: outs, Ins: ins, Offset: len(buf.Weights), PackedOffset: len(buf.Packed), PairsOffset: len(buf.Pairs), BF16: bf16}
		values := make([]float32, outs*ins)
		for i := range values {
			values[i] = float32(r.NormFloat64())
		}
		buf.Weights = append(buf.Weights, values...)
		packed, pairs := make([]float32, kernel.PackedLen(outs, ins)), make([]uint32, kernel.PackedLenBF16(outs, ins))
		kernel.PackRows(packed, values, outs, ins, ins)
		kernel.PackRowsBF16(pairs, values, outs, ins, ins)
		buf.Packed, buf.Pairs = append(buf.Packed, packed...), append(buf.Pairs, pairs...)
		return w
	}
	p := &Plan{Layers: 1}
	var b *Weight
	if bias {
		b = weight("bias", 1, 2*f)
	}
	x := p.Embed(weight("embedding", vocabulary, d))
	x = p.LinearAdd(x, p.SwiGLU(p.Linear(p.RMSNorm(x, weight("norm", 1, d), 1e-6), weight("gate", 2*f, d), b)), weight("down", d, f), nil)
	p.Logits(p.GatherRows(x), weight("head", vocabulary, d))
	g, err := cpu.Compile(p, Limits{Tokens: tokens, Rows: tokens, Blocks: tokens/kernel.BlockTokens + 1, Positions: tokens, Vocab: vocabulary}, buf)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// A gate that is computed some columns at a time gives the bits of one that is computed whole.
func TestGatedLinearIsLinearAndSwiGLU(t *testing.T) {
	cpu := NewCPU(2)
	defer cpu.Close()
	const tokens = 150
	batch := &Batch{Seqs: []Seq{{Len: tokens, Blocks: []int32{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}}}}
	for i := range tokens {
		batch.Tokens, batch.Rows = append(batch.Tokens, int32(i*7%40)), append(batch.Rows, int32(i))
	}
	for _, c := range []struct{ bf16, bias bool }{{false, false}, {false, true}, {true, false}, {true, true}} {
		g := gatedProgram(t, cpu, c.bf16, c.bias)
		joined := 0
		var got [][]float32
		for range 2 {
			if err := g.Forward(batch); err != nil {
				t.Fatal(err)
			}
			got = append(got, slices.Clone(g.Output(0)))
			for i := range g.forward {
				s := &g.forward[i]
				joined += len(s.rows) - len(s.chunked)
				s.chunked = s.rows
			}
		}
		if joined != 1 {
			t.Errorf("%+v: %d gates were joined to their products, want 1", c, joined)
		}
		if !slices.Equal(got[0], got[1]) {
			t.Errorf("%+v: logits of a joined gate differ from those of two ops", c)
		}
		if slices.Max(got[0]) == slices.Min(got[0]) {
			t.Errorf("%+v: all logits are the same", c)
		}
	}
}

// Every piece is in one share; those of many rows are alone.
func TestSharesHoldEveryPiece(t *testing.T) {
	for _, rows := range [][]int{{1}, {32}, {1, 1, 1, 1}, {1, 1, 1, 1, 1}, {32, 1}, {1, 32}, {1, 1, 32, 32, 1, 1, 1, 1, 1, 16}, {15, 16, 15}} {
		r := run{}
		for i, n := range rows {
			r.pieces = append(r.pieces, piece{seq: i, to: n})
		}
		r.sharePieces()
		if r.shares[0] != 0 || r.shares[len(r.shares)-1] != len(rows) {
			t.Fatalf("rows %v: shares %v, want them from 0 to %d", rows, r.shares, len(rows))
		}
		for i := range len(r.shares) - 1 {
			from, to := r.shares[i], r.shares[i+1]
			if to <= from || to-from > piecesPerShare || to-from > 1 && slices.Max(rows[from:to]) >= pieceRows/2 {
				t.Errorf("rows %v: shares %v", rows, r.shares)
			}
		}
	}
}
