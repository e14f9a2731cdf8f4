package model

import (
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/retort-ml/retort/internal/compute"
	"github.com/retort-ml/retort/tensor"
	"github.com/retort-ml/retort/weights"
)

// adapted lays an adapter over a warm model, with B off zero.
func adapted(t *testing.T, c Config, o LoRAOptions) *Model {
	t.Helper()
	m, err := warm(t, c, 5).WithAdapter(o)
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(8, 1))
	for _, p := range m.TrainableParameters() {
		for i := range p.Data {
			p.Data[i] += float32(0.1 * random.NormFloat64())
		}
	}
	m.Repack()
	return m
}

// logProbs scores a batch.
func logProbs(t *testing.T, m *Model, b *compute.Batch) []float32 {
	t.Helper()
	logp, _, err := compileTraining(t, m, 1, &TrainingOptions{MaxTokens: 128, ForwardOnly: true}).Forward(b)
	if err != nil {
		t.Fatal(err)
	}
	return slices.Clone(logp)
}

func TestAFreshAdapterChangesNothing(t *testing.T) {
	for _, c := range families() {
		m := warm(t, c, 5)
		a, err := m.WithAdapter(LoRAOptions{Rank: 4, Seed: 1})
		if err != nil {
			t.Fatal(err)
		}
		b := packedBatch(c.VocabSize, 3, 17, 40)
		if got, want := logProbs(t, a, b), logProbs(t, m, b); !slices.Equal(got, want) {
			t.Errorf("%s: a fresh adapter changes log-probabilities", c.Architecture)
		}
		other, err := m.WithAdapter(LoRAOptions{Rank: 4, Seed: 2})
		if err != nil {
			t.Fatal(err)
		}
		same, err := m.WithAdapter(LoRAOptions{Rank: 4, Seed: 1})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(a.Trainable(), same.Trainable()) || slices.Equal(a.Trainable(), other.Trainable()) {
			t.Errorf("%s: the first values are not a function of the seed", c.Architecture)
		}
		for _, p := range a.TrainableParameters() {
			bound := float32(0)
			if strings.HasSuffix(p.Name, loraA) {
				bound = float32(1 / math.Sqrt(float64(p.Shape[1])))
			}
			if lo, hi := slices.Min(p.Data), slices.Max(p.Data); lo < -bound || hi > bound || bound > 0 && hi-lo < bound {
				t.Errorf("%s: first values from %v to %v, want within ±%v", p.Name, lo, hi, bound)
			}
		}
	}
}

func TestAdapterGradients(t *testing.T) {
	for i, o := range []LoRAOptions{{Rank: 3, Alpha: 5}, {Rank: 2, RankStabilised: true, Alpha: 3, Targets: []string{"k_proj", "up_proj", "o_proj"}}} {
		for j := i; j < len(families()); j += 2 { // the tied ones with one, the untied with the other
			c := families()[j]
			m := adapted(t, c, o)
			tr := compileTraining(t, m, 2, &TrainingOptions{MaxTokens: 128, Teacher: m.Base(), Divergence: compute.ForwardKL})
			if n := len(m.Trainable()); len(tr.Gradients()) != n {
				t.Fatalf("%d gradients for %d trainable values", len(tr.Gradients()), n)
			}
			if p := m.Parameters()[0]; tr.GradientOf(&p) != nil {
				t.Errorf("%s is frozen but has a gradient", p.Name)
			}
			b := packedBatch(c.VocabSize, 3, 17, 1, 40, 9)
			loss := func() float64 {
				logp, _, err := tr.Forward(b)
				if err != nil {
					t.Fatal(err)
				}
				sum := 0.0
				for i, v := range logp {
					sum += float64(v) * float64(b.DLogProb[i])
				}
				return sum
			}
			loss()
			tr.ZeroGradients()
			if err := tr.Backward(b); err != nil {
				t.Fatal(err)
			}
			checkDirections(t, m, tr, loss)
			divergence := func() float64 {
				d, err := tr.Divergence(b)
				if err != nil {
					t.Fatal(err)
				}
				sum := 0.0
				for i, v := range d {
					sum += float64(v) * float64(b.DLogProb[i])
				}
				return sum
			}
			divergence()
			tr.ZeroGradients()
			if err := tr.BackwardDivergence(b); err != nil {
				t.Fatal(err)
			}
			checkDirections(t, m, tr, divergence)
		}
	}
}

// trainSteps takes AdamW steps on the log-likelihood of a batch and returns the losses.
func trainSteps(t *testing.T, m *Model, threads, steps int, rate float64) []float64 {
	t.Helper()
	tr := compileTraining(t, m, threads, &TrainingOptions{MaxTokens: 128})
	if state := tr.OptimizerState(); len(state.M) != len(m.Trainable()) {
		t.Fatalf("moments of %d values, %d are trainable", len(state.M), len(m.Trainable()))
	}
	b := packedBatch(m.config.VocabSize, 9, 30, 40, 11)
	for i := range b.DLogProb {
		b.DLogProb[i] = -1 / float32(len(b.DLogProb))
	}
	var losses []float64
	for step := range steps {
		logp, _, err := tr.Forward(b)
		if err != nil {
			t.Fatal(err)
		}
		loss := 0.0
		for _, v := range logp {
			loss -= float64(v) / float64(len(logp))
		}
		losses = append(losses, loss)
		tr.ZeroGradients()
		if err := tr.Backward(b); err != nil {
			t.Fatal(err)
		}
		if _, err := tr.Update(compute.AdamW{LearningRate: rate, Beta1: 0.9, Beta2: 0.99, Epsilon: 1e-8, Step: step + 1}); err != nil {
			t.Fatal(err)
		}
	}
	return losses
}

func TestTrainingAnAdapterLeavesTheBaseAlone(t *testing.T) {
	for _, c := range families() {
		var reference []float32
		for _, threads := range []int{1, 2} {
			base := warm(t, c, 5)
			before, b := slices.Clone(base.Weights()), packedBatch(c.VocabSize, 3, 17, 40)
			scores := logProbs(t, base, b)
			m, err := base.WithAdapter(LoRAOptions{Rank: 4, Alpha: 8, Seed: 1})
			if err != nil {
				t.Fatal(err)
			}
			losses := trainSteps(t, m, threads, 12, 1e-2)
			if first, last := losses[0], losses[len(losses)-1]; !(last < 0.9*first) {
				t.Errorf("%s: the loss went from %v to %v, want a fall of a tenth", c.Architecture, first, last)
			}
			if !slices.Equal(base.Weights(), before) || !slices.Equal(m.Weights(), before) {
				t.Errorf("%s: training the adapter changed the base", c.Architecture)
			}
			if !slices.Equal(logProbs(t, base, b), scores) || slices.Equal(logProbs(t, m, b), scores) {
				t.Errorf("%s: want other log-probabilities with the adapter and the same without", c.Architecture)
			}
			if reference == nil {
				reference = m.Trainable()
			}
			if !slices.Equal(reference, m.Trainable()) {
				t.Errorf("%s: the trained adapter depends on the number of threads", c.Architecture)
			}
		}
	}
}

func TestMergedIsTheAdaptedModel(t *testing.T) {
	for _, c := range families() {
		m := adapted(t, c, LoRAOptions{Rank: 3, Alpha: 5})
		b := packedBatch(c.VocabSize, 3, 17, 40)
		merged, base := m.Merged(), slices.Clone(m.Weights())
		if merged.HasAdapter() {
			t.Error("a merged model has an adapter")
		}
		got, want := logProbs(t, merged, b), logProbs(t, m, b)
		if e := relativeError(got, want); !(e <= 1e-5) {
			t.Errorf("%s: merged: relative error %.3g, want at most 1e-5", c.Architecture, e)
		}
		if e := relativeError(want, logProbs(t, m.Base(), b)); !(e > 1e-3) {
			t.Errorf("%s: the adapter matters too little (%.3g) for this test", c.Architecture, e)
		}
		merged.Weights()[0]++
		if !slices.Equal(m.Weights(), base) {
			t.Error("writing to the merged model writes to the base")
		}
	}
}

// TestFullRankAdapterIsFullTraining trains all weights, and then expresses the change of every
// projection as an adapter of full rank (A the identity, B the change): it must score as the
// trained model does, unmerged and merged.
func TestFullRankAdapterIsFullTraining(t *testing.T) {
	for _, c := range families() {
		trained := warm(t, c, 5)
		start := trained.Clone()
		trainSteps(t, trained, 1, 6, 3e-3)
		rank := max(c.Width, c.FFN, c.Heads*c.HeadSize)
		between := trained.Clone() // the projections of the start, all else trained
		for i, p := range between.Parameters() {
			if strings.Contains(p.Name, "_proj.weight") {
				copy(p.Data, start.Parameters()[i].Data)
			}
		}
		between.Repack()
		m, err := between.WithAdapter(LoRAOptions{Rank: rank, Alpha: 2 * float64(rank)})
		if err != nil {
			t.Fatal(err)
		}
		change := map[string][]float32{}
		for i, p := range trained.Parameters() {
			d := slices.Clone(p.Data)
			for j, v := range start.Parameters()[i].Data {
				d[j] = (d[j] - v) / 2 // the scale is 2
			}
			change[strings.TrimSuffix(p.Name, ".weight")] = d
		}
		for _, p := range m.TrainableParameters() {
			module := p.Name[:strings.Index(p.Name, ".lora_")]
			d := change[module]
			clear(p.Data)
			if strings.HasSuffix(p.Name, loraA) {
				for i := range p.Shape[1] {
					p.Data[i*p.Shape[1]+i] = 1
				}
				continue
			}
			ins := len(d) / p.Shape[0]
			for i := range p.Shape[0] {
				copy(p.Data[i*rank:], d[i*ins:(i+1)*ins])
			}
		}
		m.Repack()
		b := packedBatch(c.VocabSize, 3, 17, 40)
		want := logProbs(t, trained, b)
		if e := relativeError(logProbs(t, between, b), want); !(e > 1e-3) {
			t.Errorf("%s: training changed the projections too little (%.3g) for this test", c.Architecture, e)
		}
		for name, model := range map[string]*Model{"unmerged": m, "merged": m.Merged()} {
			if e := relativeError(logProbs(t, model, b), want); !(e <= 1e-5) {
				t.Errorf("%s: %s: relative error %.3g, want at most 1e-5", c.Architecture, name, e)
			}
		}
	}
}

func TestSaveAndOpenAdapter(t *testing.T) {
	for _, o := range []LoRAOptions{{Rank: 3, Alpha: 5}, {Rank: 2, RankStabilised: true, Targets: []string{"v_proj", "down_proj"}}} {
		for _, c := range families() {
			m, dir := adapted(t, c, o), t.TempDir()
			if err := m.SaveAdapter(dir, "base", tensor.F32); err != nil {
				t.Fatal(err)
			}
			back, err := m.Base().OpenAdapter(dir)
			if err != nil {
				t.Fatal(err)
			}
			if a, b := back.AdapterOptions(), m.AdapterOptions(); !a.equal(&b) {
				t.Errorf("options %+v, want %+v", a, b)
			}
			if !slices.Equal(back.Trainable(), m.Trainable()) {
				t.Error("the adapter's values differ")
			}
			b := packedBatch(c.VocabSize, 3, 17)
			if !slices.Equal(logProbs(t, back, b), logProbs(t, m, b)) {
				t.Error("the log-probabilities differ")
			}
		}
	}
	if err := warm(t, tiny(true), 3).SaveAdapter(t.TempDir(), "", tensor.F32); err == nil {
		t.Error("saving no adapter: no error")
	}
}

func TestCloneAndCopyWithAnAdapter(t *testing.T) {
	m := adapted(t, tiny(true), LoRAOptions{Rank: 3, Alpha: 5})
	c, b := m.Clone(), packedBatch(523, 3, 17)
	want := logProbs(t, m, b)
	if !slices.Equal(logProbs(t, c, b), want) {
		t.Error("a clone scores otherwise")
	}
	c.Trainable()[2]++
	c.Repack()
	if !slices.Equal(logProbs(t, m, b), want) || slices.Equal(logProbs(t, c, b), want) {
		t.Error("a clone shares the adapter")
	}
	if &c.Weights()[0] != &m.Weights()[0] {
		t.Error("a clone does not share the frozen weights")
	}
	if err := c.CopyWeights(m); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(logProbs(t, c, b), want) {
		t.Error("a copy scores otherwise")
	}
	for _, o := range []LoRAOptions{{}, {Rank: 4}, {Rank: 3, Alpha: 6}, {Rank: 3, Alpha: 5, Targets: []string{"q_proj"}}} {
		other, err := m.WithAdapter(o)
		if err != nil {
			t.Fatal(err)
		}
		if err := other.CopyWeights(m); err == nil {
			t.Errorf("copying to an adapter %+v: no error", o)
		}
	}
}

func TestAdapterFaults(t *testing.T) {
	m := warm(t, tiny(true), 3)
	for _, o := range []LoRAOptions{{Rank: -1}, {Rank: 1 << 30}, {Rank: 1, Alpha: -1}, {Rank: 1, Alpha: math.NaN()}, {Rank: 1, Targets: []string{"lm_head"}}} {
		if _, err := m.WithAdapter(o); err == nil {
			t.Errorf("%+v: no error", o)
		}
	}
	a, dir := adapted(t, tiny(true), LoRAOptions{Rank: 3, Alpha: 5, Targets: []string{"q_proj", "up_proj"}}), t.TempDir()
	if err := a.SaveAdapter(dir, "base", tensor.F32); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(filepath.Join(dir, adapterConfigFile))
	if err != nil {
		t.Fatal(err)
	}
	f, err := weights.Open(filepath.Join(dir, adapterWeightsFile))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := m.LoadAdapter(good, f); err != nil {
		t.Fatal(err)
	}
	for old, wrong := range map[string]string{
		`"LORA"`: `"IA3"`, `"r": 3`: `"r": 4`, `"lora_alpha": 5`: `"lora_alpha": 0`, `"use_dora": false`: `"use_dora": true`,
		`"bias": "none"`: `"bias": "all"`, `"fan_in_fan_out": false`: `"rank_pattern": {"q_proj": 2}`, `{`: ``,
		`"inference_mode": true`: `"modules_to_save": ["lm_head"]`, `"peft_type"`: `"layers_to_transform": [0], "peft_type"`,
	} {
		text := strings.Replace(string(good), old, wrong, 1)
		if text == string(good) {
			t.Fatalf("%s is not in %s", old, good)
		}
		if _, err := m.LoadAdapter([]byte(text), f); err == nil {
			t.Errorf("%s: no error", wrong)
		}
	}
	wide := tiny(true)
	wide.Width = 48
	deep := tiny(true)
	deep.Layers = 3
	shallow := tiny(true)
	shallow.Layers = 1
	for _, c := range []Config{wide, deep, shallow} {
		if _, err := warm(t, c, 3).LoadAdapter(good, f); err == nil {
			t.Errorf("an adapter of another shape than %+v: no error", c)
		}
	}
	if _, err := m.OpenAdapter(t.TempDir()); err == nil {
		t.Error("an empty folder: no error")
	}
}

// openPatterns returns the golden model whose adapter has other ranks and alphas for some modules.
func openPatterns(t *testing.T) *Model {
	t.Helper()
	f, err := weights.Open(filepath.Join("testdata", "golden_qwen3_patterns.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	g := &golden{t, f}
	return g.model()
}

// TestPatternsGoWithTheAdapter: an adapter with patterns is saved, cloned and merged as what it is. Its values are
// compared with PEFT's in TestGolden.
func TestPatternsGoWithTheAdapter(t *testing.T) {
	m := openPatterns(t)
	b := packedBatch(m.Config().VocabSize, 3, 17, 12)
	want := logProbs(t, m, b)
	dir := t.TempDir()
	if err := m.SaveAdapter(dir, "", tensor.F32); err != nil {
		t.Fatal(err)
	}
	again, err := m.Base().OpenAdapter(dir)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(logProbs(t, again, b), want) || !slices.Equal(logProbs(t, m.Clone(), b), want) {
		t.Error("saved and opened, or cloned, the adapter computes something else")
	}
	if err := again.CopyWeights(m); err != nil {
		t.Error(err)
	}
	plain, err := m.Base().WithAdapter(LoRAOptions{Rank: 3, Alpha: 6})
	if err != nil {
		t.Fatal(err)
	}
	if err := plain.CopyWeights(m); err == nil {
		t.Error("weights were copied from an adapter of other ranks")
	}
	if got := relativeError(logProbs(t, m.Merged(), b), want); got > 1e-5 {
		t.Errorf("merged, log-probabilities differ by %.2g", got)
	}
}

func TestPatternFaults(t *testing.T) {
	m, dir := openPatterns(t), t.TempDir()
	if err := m.SaveAdapter(dir, "", tensor.F32); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(filepath.Join(dir, adapterConfigFile))
	if err != nil {
		t.Fatal(err)
	}
	f, err := weights.Open(filepath.Join(dir, adapterWeightsFile))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, c := range []struct{ old, text, want string }{
		{`"q_proj": 1`, `"q_proj": 2`, "want 2 rows, the rank"},
		{`"q_proj": 1`, `"q_proj": 0`, `rank_pattern: "q_proj": got 0, want 1`},
		{`"q_proj": 1`, `"q_proj": 1099511627776`, `rank_pattern: "q_proj": got 1099511627776`},
		{`"q_proj": 1`, `".*q_proj": 1`, "is a regular expression"},
		{`"q_proj": 1`, `"q_proj": 1, "self_attn.q_proj": 1`, "fit the same module"},
		{`"v_proj": 9`, `"v_proj": -9`, `alpha_pattern: "v_proj": got -9`},
		{`"layers.1.mlp.down_proj": 5`, `"layers.1.mlp.down_proj": 1048576`, "want 1048576 rows, the rank"},
	} {
		text := strings.Replace(string(good), c.old, c.text, 1)
		if text == string(good) {
			t.Fatalf("%s is not in %s", c.old, good)
		}
		if _, err := m.Base().LoadAdapter([]byte(text), f); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want %s", c.text, err, c.want)
		}
	}
}
