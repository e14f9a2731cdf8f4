package compute

import (
	"slices"
	"testing"
)

// TestBackwardStopsBelowTheLowestTrained names the ops that remain of the backward pass of embedding, norm, two products
// and head, by what is frozen.
func TestBackwardStopsBelowTheLowestTrained(t *testing.T) {
	const embed, norm, lower, upper, head = 1, 2, 4, 8, 16
	for _, c := range []struct {
		frozen  int
		adapter bool // over the upper product
		want    []string
	}{
		{0, false, []string{"LogProbBackward", "LinearBackward", "LinearBackward", "RMSNormBackward", "EmbedBackward", "WeightGradient", "WeightGradient", "NormGradient"}},
		{embed, false, []string{"LogProbBackward", "LinearBackward", "LinearBackward", "RMSNormBackward", "WeightGradient", "WeightGradient", "NormGradient"}},
		{embed | norm, false, []string{"LogProbBackward", "LinearBackward", "WeightGradient", "WeightGradient"}},
		{embed | norm | lower, false, []string{"LogProbBackward", "WeightGradient"}},
		{embed | norm | lower | upper, false, []string{"LogProbBackward"}},
		{embed | norm | lower | upper | head, false, nil},
		{embed | norm | lower | upper | head, true, []string{"LogProbBackward", "LowRankBackward", "WeightGradient", "PartGradient"}},
		{embed | norm | upper | head, true, []string{"LogProbBackward", "LowRankBackward", "LinearBackward", "WeightGradient", "PartGradient", "WeightGradient"}},
	} {
		weight := func(bit, outs, ins int) *Weight {
			return &Weight{Name: "w", Outs: outs, Ins: ins, Frozen: c.frozen&bit != 0}
		}
		p := &Plan{}
		w := weight(upper, 6, 5)
		if c.adapter {
			w.LoRA = &LoRA{A: &Weight{Name: "a", Outs: 2, Ins: 5}, Parts: []LoRAPart{{B: &Weight{Name: "b", Outs: 6, Ins: 2}, Scale: 1}}}
		}
		x := p.RMSNorm(p.Embed(weight(embed, 9, 4)), weight(norm, 1, 4), 1e-6)
		p.LogProb(p.GatherRows(p.Linear(p.Linear(x, weight(lower, 5, 4), nil), w, nil)), weight(head, 9, 6))
		forward := len(p.Ops)
		if err := p.AddBackward(); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, op := range p.Ops[p.Forward:] {
			if name := op.Name(); name != "GatherRowsBackward" && name != "ScatterRows" {
				got = append(got, name)
			}
		}
		if p.Forward != forward || !slices.Equal(got, c.want) {
			t.Errorf("frozen %b, adapter %v: got %v, want %v (%d ops before, want %d)", c.frozen, c.adapter, got, c.want, p.Forward, forward)
		}
	}
}
