package engine

import (
	"testing"

	"github.com/retort-ml/retort/model"
	"github.com/retort-ml/retort/tensor"
)

// Keys and values of 16 and 8 bits keep the promises of the engine: alone, in a large batch, with cut prompts, after a prefix hit, after preemption, with
// drafts. They are no promise to the trainer, whose keys and values are float32.
func TestExactnessKV(t *testing.T) {
	models := map[string]*model.Model{"f32": exactModel(t, 0), "Q4_0": quantisedModel(t, tensor.Q4_0)}
	for name, m := range models {
		formats := []string{model.KVBF16, model.KVF16}
		if name == "Q4_0" {
			formats = append(formats, model.KVQ8)
		}
		for _, kv := range formats {
			t.Run(name+"/"+kv, func(t *testing.T) {
				reqs := withSampling(exactRequests(1, 20)[:11])
				batch, stats, width := generate(t, m, Options{KV: kv}, reqs)
				if stats.Preemptions != 0 || width < 64 {
					t.Fatalf("%d preemptions in batches up to %d, want none and at least 64", stats.Preemptions, width)
				}
				if where := difference(batch, alone(t, m, kv, reqs)); where != "" {
					t.Errorf("batch of %d on 2 threads against alone on 1: they differ at %s", width, where)
				}
				testPrefixHits(t, m, kv, reqs, batch)
				testDrafts(t, m, kv, 1)
				preempted, stats, _ := generate(t, m, Options{MaxBatch: 20, PrefillTokens: 70, Blocks: 18, KV: kv}, reqs)
				if stats.Preemptions == 0 {
					t.Error("no preemption in the small cache")
				}
				if where := difference(preempted, batch); where != "" {
					t.Errorf("preempted against not: they differ at %s", where)
				}
				if difference(alone(t, m, model.KVF32, reqs[:2]), batch) == "" {
					t.Error("keys and values in float32 give the same bits: nothing was rounded")
				}
			})
		}
	}
}
