package engine

import (
	"strings"
	"testing"

	"github.com/retort-ml/retort/internal/compute"
	"github.com/retort-ml/retort/model"
	"github.com/retort-ml/retort/tensor"
)

func TestMemory(t *testing.T) {
	cpu := compute.NewCPU(2)
	defer cpu.Close()
	m := exactModel(t, 0)
	o := &Options{MaxBatch: 4, PrefillTokens: 32, Blocks: 50}
	got, err := Measure(m.Config(), nil, m.Options(), cpu, o)
	if err != nil {
		t.Fatal(err)
	}
	e, err := New(m, cpu, o)
	if err != nil {
		t.Fatal(err)
	}
	kv, activations := e.scheduler.forward.(*model.Forward).Bytes()
	if got.KV != kv || got.Activations != activations || got.Sampling != 2*523*8 || got.Total() != got.Weights+kv+activations+got.Tables+got.Sampling {
		t.Errorf("measured %+v, took %d for keys and values and %d for activations", got, kv, activations)
	}
	for _, format := range []string{model.KVBF16, model.KVF16} {
		half := *o
		half.KV = format
		small, err := Measure(m.Config(), nil, m.Options(), cpu, &half)
		if err != nil {
			t.Fatal(err)
		}
		if e, err = New(m, cpu, &half); err != nil {
			t.Fatal(err)
		}
		taken, _ := e.scheduler.forward.(*model.Forward).Bytes()
		if small.KV != kv/2 || taken != kv/2 || small.Total() != got.Total()-kv/2 {
			t.Errorf("%s: measured %+v, took %d for keys and values, want half of %d", format, small, taken, kv)
		}
	}
	octets := *o
	octets.KV = model.KVQ8
	if _, err := Measure(m.Config(), nil, m.Options(), cpu, &octets); err == nil || !strings.Contains(err.Error(), "want a multiple of 32; use f16") {
		t.Errorf("heads of 10 in Q8_0: got %v", err)
	}
	if _, err := New(m, cpu, &octets); err == nil || !strings.Contains(err.Error(), "want a multiple of 32; use f16") {
		t.Errorf("an engine over heads of 10 in Q8_0: got %v", err)
	}
	table := got.Table()
	for _, want := range []string{"keys and values", "800 tokens in blocks of 16; a context has 320", "total", "KiB"} {
		if !strings.Contains(table, want) {
			t.Errorf("no %q in\n%s", want, table)
		}
	}
	if err := got.Fit(got.Total()); err != nil {
		t.Errorf("it does not fit into itself: %v", err)
	}
	for available, want := range map[int64]string{
		got.Total() - 1:                "0.0 KiB more than",
		got.Total() - 10*got.KV/50 - 1: "give the cache at most 39 blocks, which hold 624 tokens",
		got.Weights + got.KV/50 + 100:  "decode fewer samples together",
		100:                            "use a smaller model or a smaller format",
	} {
		if err := got.Fit(available); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%d bytes: got %v, want %q", available, err, want)
		}
	}
	for available, want := range map[int64]int{got.Total(): 320, got.Total() - got.KV + 3*got.KV/50: 48, got.Total() - got.KV - 1: 0, 1 << 40: 320} {
		if n := got.Positions(available); n != want {
			t.Errorf("%d bytes have %d positions, want %d", available, n, want)
		}
	}
	if _, err := Measure(m.Config(), nil, m.Options(), cpu, &Options{Blocks: -1}); err == nil {
		t.Error("bad options were measured")
	}
	// A shape of real size takes no memory to measure: 32 GiB of weights.
	big := model.Config{
		Architecture: model.Llama, VocabSize: 128256, Width: 4096, Layers: 32, Heads: 32, KVHeads: 8, HeadSize: 128, FFN: 14336,
		MaxPositions: 131072, RopeTheta: 500000, NormEpsilon: 1e-5, BOS: -1, EOS: -1,
	}
	if got, err = Measure(big, nil, model.Options{}, cpu, nil); err != nil || got.Weights < 32<<30 || !strings.Contains(got.Table(), "GiB") {
		t.Errorf("got %+v, %v, want more than 32 GiB of weights", got, err)
	}
}

// TestMemoryQ8: keys and values in Q8_0 take 17/64 of those in float32, as is reckoned.
func TestMemoryQ8(t *testing.T) {
	cpu := compute.NewCPU(1)
	defer cpu.Close()
	m := quantisedModel(t, tensor.Q8_0)
	var taken [2]int64
	for i, format := range []string{model.KVF32, model.KVQ8} {
		o := &Options{MaxBatch: 4, PrefillTokens: 32, Blocks: 50, KV: format}
		e, err := New(m, cpu, o)
		if err != nil {
			t.Fatal(err)
		}
		taken[i], _ = e.scheduler.forward.(*model.Forward).Bytes()
		need, err := Measure(m.Config(), nil, m.Options(), cpu, o)
		if err != nil {
			t.Fatal(err)
		}
		if need.KV != taken[i] {
			t.Errorf("%s: reckoned %d bytes, took %d", format, need.KV, taken[i])
		}
	}
	if 64*taken[1] != 17*taken[0] {
		t.Errorf("%d bytes in Q8_0, %d in float32, want 17/64", taken[1], taken[0])
	}
}
