package model

import (
	"errors"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/retort-ml/retort/internal/compute"
)

// The version changes with the weights, for all models and programs that share them, and for no other.
func TestVersion(t *testing.T) {
	cpu := compute.NewCPU(1)
	defer cpu.Close()
	m, err := New(smallShape(Qwen2), 1)
	if err != nil {
		t.Fatal(err)
	}
	adapted, err := m.WithAdapter(LoRAOptions{Rank: 2})
	if err != nil {
		t.Fatal(err)
	}
	forward, err := m.CompileForward(cpu, &ForwardOptions{MaxTokens: 8, Blocks: 4})
	if err != nil {
		t.Fatal(err)
	}
	clone := m.Clone()
	training := func(m *Model) *Training {
		tr, err := m.CompileTraining(cpu, &TrainingOptions{MaxTokens: 8})
		if err != nil {
			t.Fatal(err)
		}
		return tr
	}
	full, low := training(m), training(adapted)
	update := func(tr *Training) {
		if _, err := tr.Update(compute.AdamW{LearningRate: 1e-3, Beta1: 0.9, Beta2: 0.99, Epsilon: 1e-8, Step: 1}); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name                  string
		change                func()
		base, adapter, cloned bool
	}{
		{"nothing", func() {}, false, false, false},
		{"Repack", m.Repack, true, true, false},
		{"CopyWeights", func() {
			if err := m.CopyWeights(clone); err != nil {
				t.Fatal(err)
			}
		}, true, true, false},
		{"Update of the adapter", func() { update(low) }, false, true, false},
		{"Repack of the clone", clone.Repack, false, false, true},
		{"Update", func() { update(full) }, true, true, false},
	} {
		before := []uint64{forward.Version(), adapted.Version(), clone.Version()}
		c.change()
		after := []uint64{forward.Version(), adapted.Version(), clone.Version()}
		for i, want := range []bool{c.base, c.adapter, c.cloned} {
			if changed := after[i] != before[i]; changed != want {
				t.Errorf("%s: model %d: version %d to %d, want a change: %v", c.name, i, before[i], after[i], want)
			}
		}
	}
	if m.Version() != forward.Version() {
		t.Error("model and program differ")
	}
}

// An abandoned pass ends with its error, and the same rows run again give what they always give.
func TestAbandonedForward(t *testing.T) {
	cpu := compute.NewCPU(1)
	defer cpu.Close()
	m, err := New(smallShape(Qwen2), 1)
	if err != nil {
		t.Fatal(err)
	}
	forward, err := m.CompileForward(cpu, &ForwardOptions{MaxTokens: 8, Blocks: 4})
	if err != nil {
		t.Fatal(err)
	}
	var abandon atomic.Bool
	b := &compute.Batch{Tokens: []int32{1, 2, 3}, Seqs: []compute.Seq{{Len: 3, Blocks: []int32{2}}}, Rows: []int32{2}, Abandon: &abandon}
	logits, _, err := forward.Run(b)
	if err != nil {
		t.Fatal(err)
	}
	want := slices.Clone(logits)
	abandon.Store(true)
	if _, _, err := forward.Run(b); !errors.Is(err, compute.ErrAbandoned) {
		t.Errorf("got %v, want %v", err, compute.ErrAbandoned)
	}
	abandon.Store(false)
	if logits, _, err = forward.Run(b); err != nil || !slices.Equal(logits, want) {
		t.Errorf("run again: %v, equal logits: %v", err, slices.Equal(logits, want))
	}
}
