package bench

import (
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/retort-ml/retort/internal/compute"
	"github.com/retort-ml/retort/model"
	"github.com/retort-ml/retort/tensor"
)

// smallFile writes a model of 128 positions in Q8_0.
func smallFile(t *testing.T) string {
	t.Helper()
	c := model.Config{
		Architecture: model.Qwen2, VocabSize: 320, Width: 64, Layers: 2, Heads: 2, KVHeads: 1, HeadSize: 32, FFN: 128,
		MaxPositions: 128, RopeTheta: 10000, NormEpsilon: 1e-6, BOS: -1, EOS: -1,
	}
	path := filepath.Join(t.TempDir(), "small.gguf")
	s := model.Synthesis{Config: c, Seed: 1}
	if err := s.WriteGGUF(path, tensor.Q8_0, nil); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestRun(t *testing.T) {
	path := smallFile(t)
	cpu := compute.NewCPU(2)
	defer cpu.Close()
	opened := 0
	r, err := Run(t.Context(), path, func() (*model.Model, error) {
		opened++
		return model.OpenQuantised(path)
	}, cpu, Options{Prefill: []int{48, 512}, Depths: []int{0, 40}, Samples: []int{1, 5}, SharedPrompt: 20, Tokens: 6, Repeat: 3})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, w := range r.Works {
		names = append(names, w.Name)
		if len(w.Runs) != 3 || w.Median != median(w.Runs) || w.Median <= 0 {
			t.Errorf("%+v: want 3 runs and their median", w)
		}
		if r.used().Bytes > 0 && (w.Limit <= 0 || math.Abs(w.Fraction*w.Limit-w.Median) > 1e-6*w.Median) {
			t.Errorf("%+v: the fraction is not that of the limit", w)
		}
	}
	if got, want := strings.Join(names, ", "), "prefill 48, decode at 0, decode at 40, 1 samples of 20, 5 samples of 20"; got != want {
		t.Errorf("works: got %s, want %s", got, want)
	}
	if len(r.Skipped) != 1 || !strings.Contains(r.Skipped[0], "prefill 512: needs 513 positions, the model has 128") {
		t.Errorf("skipped %q", r.Skipped)
	}
	if opened != 3 || len(r.Load.Open) != 3 || len(r.Load.FirstToken) != 3 || r.Load.Median != median(r.Load.FirstToken) {
		t.Fatalf("opened %d times: %+v", opened, r.Load)
	}
	for i, open := range r.Load.Open {
		if open <= 0 || r.Load.FirstToken[i] <= open {
			t.Errorf("load %d: the first token came after %v s, the weights after %v", i, r.Load.FirstToken[i], open)
		}
	}
	m := r.Memory
	if m.Computed != m.Weights+m.KV+m.Other || m.KV == 0 || m.File == 0 || m.Peak < 0 {
		t.Errorf("memory %+v", m)
	}
	if r.Threads != 2 || r.used().Threads != 2 || r.Limits[0].Threads != 1 || len(r.Limits[0].ReadRounds) != 8 || r.Limits[0].Read < r.Limits[0].ReadMedian {
		t.Errorf("limits of %d threads: %+v", r.Threads, r.Limits)
	}
}

// Bytes and operations are those that can be counted by hand.
func TestCost(t *testing.T) {
	cpu := compute.NewCPU(1)
	defer cpu.Close()
	o := Options{Prefill: []int{64}}.withDefaults()
	c, m, err := measureFile(smallFile(t), cpu, &o)
	if err != nil {
		t.Fatal(err)
	}
	// Two layers of q, o 64x64, k, v 32x64, gate, up, down 128x64; the output 320x64; 34 bytes for 32 numbers. Norms and biases are float32.
	products := 2*(2*64*64+2*32*64+3*128*64) + 320*64
	plain := 2*(2*64+64+2*32) + 64
	if want := float64(products*34/32 + 4*plain); c.weights != want {
		t.Errorf("a step reads %v bytes of weights, want %v", c.weights, want)
	}
	if want := float64(2 * 2 * 32 * 2); c.position != want {
		t.Errorf("a position has %v bytes, want %v", c.position, want)
	}
	if want := int64(products*34/32 + 320*64*34/32 + 4*plain); m.File != want {
		t.Errorf("the file has %d bytes, want %d", m.File, want)
	}
	layers := 2 * float64(products-320*64)
	if got, want := c.prefillOperations(64), layers+2*320*64/64.0+4*2*64*32; got != want {
		t.Errorf("a token of a prompt takes %v operations, want %v", got, want)
	}
	w := Work{Kind: decode, Prompt: 100, Samples: 1, Tokens: 20, Median: 5}
	c.peak = func(l *Limit) float64 { return l.Bytes }
	w.compare(c, &Limit{Read: 10 * (c.weights + 110*c.position), Bytes: 1e15})
	if w.Bound != "memory" || math.Abs(w.Limit-10) > 1e-9 || math.Abs(w.Fraction-0.5) > 1e-9 {
		t.Errorf("%+v, want a limit of 10 by memory", w)
	}
	w.compare(c, &Limit{Read: 1e15, Bytes: 20 * c.config.FLOPsPerToken(110)})
	if w.Bound != "arithmetic" || math.Abs(w.Limit-20) > 1e-9 {
		t.Errorf("%+v, want a limit of 20 by arithmetic", w)
	}
}

func TestRefused(t *testing.T) {
	path := smallFile(t)
	cpu := compute.NewCPU(1)
	defer cpu.Close()
	never := func() (*model.Model, error) {
		t.Error("the model was opened")
		return nil, nil
	}
	for want, o := range map[string]Options{
		"prefill: got 0, want 1 to": {Prefill: []int{0}},
		"depth: got -1, want 0":     {Depths: []int{-1}},
		"samples: got 0":            {Samples: []int{0}},
		"repeat: got -1":            {Repeat: -1},
		"more than the 1.0 KiB":     {Available: 1024},
	} {
		if _, err := Run(t.Context(), path, never, cpu, o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func TestMedian(t *testing.T) {
	for want, list := range map[float64][]float64{0: nil, 3: {9, 1, 3}, 2.5: {4, 2, 3, 1}} {
		if got := median(list); got != want {
			t.Errorf("median of %v: got %v, want %v", list, got, want)
		}
	}
}
