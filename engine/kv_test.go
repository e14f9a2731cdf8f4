package engine

import (
	"slices"
	"testing"

	"github.com/retort-ml/retort/internal/compute"
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

// Forks over keys and values of 16 bits take over blocks as they are, and copy the one that they go on in: nothing changed, they repeat their
// parent to the bit, and otherwise they go on as a request for the same text would.
func TestForkKV(t *testing.T) {
	for name, m := range map[string]*model.Model{"f32": exactModel(t, 0), "Q4_0": quantisedModel(t, tensor.Q4_0)} {
		for _, kv := range []string{model.KVBF16, model.KVF16} {
			t.Run(name+"/"+kv, func(t *testing.T) {
				cpu := compute.NewCPU(2)
				defer cpu.Close()
				e, err := New(m, cpu, &Options{KV: kv})
				if err != nil {
					t.Fatal(err)
				}
				req := exactRequests(1, 20)[0]
				req.Samples, req.MaxTokens, req.Stop = 3, 60, nil
				j, err := e.Submit(t.Context(), req)
				if err != nil {
					t.Fatal(err)
				}
				var forks, others []*Job
				for told := 0; told < 3*25; { // while the samples run
					u, ok := j.Next()
					if !ok {
						t.Fatal("over")
					}
					told += len(u.Tokens)
				}
				for i := range uint64(3) {
					same, err := j.Fork(t.Context(), int(i), 17+int(i), nil, func(r *Request) { r.Seed.Sample += i })
					if err != nil {
						t.Fatal(err)
					}
					other, err := j.Fork(t.Context(), int(i), 17+int(i), []int32{3, 4}, func(r *Request) { r.Temperature, r.MaxTokens = 0, 40 })
					if err != nil {
						t.Fatal(err)
					}
					forks, others = append(forks, same), append(others, other)
				}
				before := e.Stats()
				parents, err := j.Wait()
				if err != nil {
					t.Fatal(err)
				}
				for i := range forks {
					got, err := forks[i].Wait()
					if err != nil {
						t.Fatal(err)
					}
					if p := parents[i]; !slices.Equal(got[0].Tokens, p.Tokens) || !slices.Equal(got[0].LogProbs, p.LogProbs) {
						t.Errorf("fork of sample %d: got %v, want %v", i, got[0].Tokens, p.Tokens)
					}
					if got, err = others[i].Wait(); err != nil {
						t.Fatal(err)
					}
					text := slices.Concat(req.Prompt, parents[i].Tokens[:17+i], []int32{3, 4})
					rest := alone(t, m, kv, []Request{{Prompt: text, MaxTokens: 40 - 17 - i - 2}})[0]
					if at := 17 + i + 2; !slices.Equal(got[0].Tokens[at:], rest.Tokens) || !slices.Equal(got[0].LogProbs[at:], rest.LogProbs) {
						t.Errorf("greedy fork of sample %d: got %v, want %v", i, got[0].Tokens[at:], rest.Tokens)
					}
				}
				if did := e.Stats().Since(before); did.PromptEvaluated > len(req.Prompt) {
					t.Errorf("forks evaluated %d tokens of their prompt of %d anew", did.PromptEvaluated, len(req.Prompt))
				}
			})
		}
	}
}
