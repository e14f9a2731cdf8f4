package model

import (
	"slices"
	"testing"

	"github.com/retort-ml/retort/internal/compute"
	"github.com/retort-ml/retort/tensor"
)

// TestLongPromptInChunks: the logits of a prompt that is evaluated at once, whose widest rows lie in windows of the workers, are those of short pieces, for which there
// are none; and the program of long prompts has less memory than all rows take.
func TestLongPromptInChunks(t *testing.T) {
	c := wide(Qwen2, true)
	c.MaxPositions = 512
	const long, short = 317, 40
	tokens := packedBatch(523, 9, long).Tokens
	for name, m := range map[string]*Model{"plain": warm(t, c, 5), "quantised": func() *Model {
		_, m := quantisedPair(t, c, func(string) tensor.Format { return tensor.Q4_K })
		return m
	}()} {
		want := promptLogits(t, m, tokens, short, 1)
		for _, threads := range []int{1, 2, 3} {
			if got := promptLogits(t, m, tokens, long, threads); !slices.Equal(got, want) {
				t.Errorf("%s: the logits differ with %d threads", name, threads)
			}
		}
		one := compute.NewCPU(1)
		f, err := m.CompileForward(one, &ForwardOptions{MaxTokens: long, MaxRows: 1, Blocks: 32})
		if err != nil {
			t.Fatal(err)
		}
		_, activations := f.Bytes()
		if activations > 4*long*int64(3*c.FFN) {
			t.Errorf("%s: %d bytes of activations, as many as all rows between the products of the FFN", name, activations)
		}
		if need, err := Measure(c, m.base.formats, Options{}, one, &ForwardOptions{MaxTokens: long, MaxRows: 1, Blocks: 32}); err != nil || need.Activations != activations {
			t.Errorf("%s: measured %d bytes of activations, took %d; %v", name, need.Activations, activations, err)
		}
		one.Close()
	}
}

// promptLogits evaluates a prompt in pieces and returns the logits of every row.
func promptLogits(t *testing.T, m *Model, tokens []int32, piece, threads int) []float32 {
	t.Helper()
	cpu := compute.NewCPU(threads)
	defer cpu.Close()
	f, err := m.CompileForward(cpu, &ForwardOptions{MaxTokens: piece, MaxRows: piece, Blocks: 32})
	if err != nil {
		t.Fatal(err)
	}
	var blocks []int32
	for i := range 32 {
		blocks = append(blocks, int32(i))
	}
	var all []float32
	for at := 0; at < len(tokens); at += piece {
		part := tokens[at:min(at+piece, len(tokens))]
		b := &compute.Batch{Tokens: part, Seqs: []compute.Seq{{Len: len(part), Pos: at, Blocks: blocks}}}
		for i := range part {
			b.Rows = append(b.Rows, int32(i))
		}
		got, _, err := f.Run(b)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, got...)
	}
	return all
}
