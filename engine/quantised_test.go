package engine

import (
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/retort-ml/retort/model"
	"github.com/retort-ml/retort/tensor"
)

// quantisedModel has all its matrices in one format of blocks, and no parameter at a neutral value.
func quantisedModel(t *testing.T, format tensor.Format) *model.Model {
	t.Helper()
	m, err := model.New(model.Config{
		Architecture: model.Qwen2, VocabSize: 528, Width: 256, Layers: 2, Heads: 4, KVHeads: 2, HeadSize: 64, FFN: 256,
		MaxPositions: 320, RopeTheta: 10000, NormEpsilon: 1e-6, TieEmbeddings: true, BOS: -1, EOS: -1,
	}, 5)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(5, 1))
	for _, p := range m.Parameters() {
		for i := range p.Data {
			p.Data[i] += float32(0.05 * rng.NormFloat64())
		}
	}
	m.Repack()
	path := filepath.Join(t.TempDir(), "m.gguf")
	if err := m.SaveGGUF(path, format, nil); err != nil {
		t.Fatal(err)
	}
	if m, err = model.OpenQuantised(path); err != nil {
		t.Fatal(err)
	}
	if !m.Quantised() {
		t.Fatalf("%s: nothing stayed quantised", format)
	}
	return m
}

// Quantised weights keep every promise: alone, in a large batch, with cut prompts, after a prefix hit, after preemption, with drafts,
// and in the scoring pass.
func TestExactnessQuantised(t *testing.T) {
	for i, format := range []tensor.Format{tensor.Q4_0, tensor.Q4_1, tensor.Q8_0, tensor.Q5_0, tensor.Q4_K, tensor.Q5_1, tensor.Q6_K, tensor.Q5_K} {
		t.Run(format.String(), func(t *testing.T) {
			m := quantisedModel(t, format)
			reqs := withSampling(exactRequests(1, 4)[:11])
			batch, stats, width := generate(t, m, Options{}, reqs)
			if stats.Preemptions != 0 || width < 64 {
				t.Fatalf("%d preemptions in batches up to %d, want none and at least 64", stats.Preemptions, width)
			}
			if where := difference(batch, alone(t, m, model.KVF32, reqs)); where != "" {
				t.Errorf("batch of %d on 2 threads against alone on 1: they differ at %s", width, where)
			}
			if where := difference(batch, newScorer(t, m).score(t, reqs, batch)); where != "" {
				t.Errorf("engine against scoring: they differ at %s", where)
			}
			testPrefixHits(t, m, model.KVF32, reqs, batch)
			if i%2 == 0 {
				testDrafts(t, m, model.KVF32, 1) // preempts too
			}
		})
	}
}
