package train

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/retort-ml/retort/model"
)

func adapted(t *testing.T, seed uint64, o model.LoRAOptions) *model.Model {
	t.Helper()
	m, err := warmModel(t, seed).WithAdapter(o)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// warmModel has weights that matter, so that what is below an adapter says something.
func warmModel(t *testing.T, seed uint64) *model.Model {
	t.Helper()
	c := testConfig()
	c.InitializerRange = 0.3
	m, err := model.New(c, seed)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestFullRankAdapterEqualsFullTraining: with a rank of every input, A the identity and B zero, the gradient of B is that
// of the matrix below, so that the first update moves W + BA as full training moves W. What is not a projection stays.
// The tolerance is a ten-thousandth of the learning rate: AdamW's first update is the sign of the gradient, but for
// epsilon and the order of float32 sums.
func TestFullRankAdapterEqualsFullTraining(t *testing.T) {
	const rate, rank = 1e-3, 48 // FFN is the widest input
	lora := model.LoRAOptions{Rank: rank}
	m := adapted(t, 3, lora)
	for _, p := range m.TrainableParameters() {
		clear(p.Data)
		if strings.HasSuffix(p.Name, "lora_A.weight") {
			for i := range p.Shape[1] {
				p.Data[i*p.Shape[1]+i] = 1
			}
		}
	}
	m.Repack()
	full, cpu := warmModel(t, 3), testCPU(t, 1)
	// A large epsilon makes the update proportional to small gradients, whose signs rounding may turn.
	o := SFTOptions{Steps: 1, BatchSize: 8, Optimizer: OptimizerOptions{LearningRate: rate, ClipNorm: -1, Epsilon: 1e-3}}
	if _, err := SFT(context.Background(), &Setup{Model: full, CPU: cpu}, eightExamples(), &o); err != nil {
		t.Fatal(err)
	}
	o.LoRA = lora
	if _, err := SFT(context.Background(), &Setup{Model: m, CPU: cpu}, eightExamples(), &o); err != nil {
		t.Fatal(err)
	}
	merged, start := m.Merged().Parameters(), warmModel(t, 3).Parameters()
	for i, want := range full.Parameters() {
		isProjection := strings.HasSuffix(want.Name, "_proj.weight")
		gap, moved := 0.0, 0.0
		for j := range want.Data {
			gap = math.Max(gap, math.Abs(float64(want.Data[j]-merged[i].Data[j])))
			moved = math.Max(moved, math.Abs(float64(merged[i].Data[j]-start[i].Data[j])))
		}
		if isProjection && (gap > 1e-4*rate || moved < 0.1*rate) {
			t.Errorf("%s: moved by up to %v, and differs from full training by up to %v", want.Name, moved, gap)
		}
		if !isProjection && moved != 0 {
			t.Errorf("%s moved by %v below the adapter", want.Name, moved)
		}
	}
}

// TestAdaptersLearn: each kind of run with an adapter lowers its loss or raises its reward, leaves the weights below
// alone, and the engine agrees with the trainer to the bit.
func TestAdaptersLearn(t *testing.T) {
	lora := model.LoRAOptions{Rank: 4, Alpha: 8, Seed: 1}
	cpu := testCPU(t, 1)
	below := sumOf(warmModel(t, 3).Weights())
	m, c := adapted(t, 3, lora), curve{}
	o := SFTOptions{Steps: 60, BatchSize: 8, LoRA: lora, Optimizer: OptimizerOptions{LearningRate: 1e-2}}
	if _, err := SFT(context.Background(), &Setup{Model: m, CPU: cpu, Progress: c.progress}, eightExamples(), &o); err != nil {
		t.Fatal(err)
	}
	if first, last := c[MetricLoss][0], c[MetricLoss][59]; last > 0.8*first || sumOf(m.Weights()) != below {
		t.Errorf("sft: loss from %v to %v, weights below %s, want %s", first, last, sumOf(m.Weights()), below)
	}
	teacher, c := testModel(t, 9), curve{}
	m = adapted(t, 3, lora)
	d := DistillOptions{SFT: o}
	if _, err := Distill(context.Background(), &Setup{Model: m, CPU: cpu, Progress: c.progress}, teacher, eightExamples(), &d); err != nil {
		t.Fatal(err)
	}
	if first, last := c[MetricLoss][0], c[MetricLoss][59]; last > 0.8*first || sumOf(m.Weights()) != below {
		t.Errorf("distill: loss from %v to %v", first, last)
	}
	m, c = adapted(t, 3, lora), curve{}
	g := banditOptions("grpo")
	g.LoRA, g.Truncated, g.Steps = lora, TruncatedKeep, 60
	if _, err := GRPO(context.Background(), &Setup{Model: m, CPU: cpu, Progress: c.progress}, testEngine(t, m, cpu), bandit(), gradeBandit, &g); err != nil {
		t.Fatal(err)
	}
	last, _ := meanStd(c[MetricRewardMean][55:])
	if gap := slices.Max(c[MetricLogProbGap]); last < 0.6 || gap != 0 || c[MetricKL][59] <= 0 || sumOf(m.Weights()) != below {
		t.Errorf("grpo: reward %v, gap %v, kl %v", last, gap, c[MetricKL][59])
	}
	m = adapted(t, 3, lora)
	p := OnPolicyOptions{LoRA: lora, Steps: 2, Rollout: RolloutOptions{Problems: 3, MaxNewTokens: 3}}
	if _, err := OnPolicy(context.Background(), &Setup{Model: m, CPU: cpu}, teacher, testEngine(t, m, cpu), bandit(), nil, &p); err != nil {
		t.Fatal(err)
	}
	if sumOf(m.Weights()) != below || slices.Equal(m.Trainable(), adapted(t, 3, lora).Trainable()) {
		t.Error("on_policy: the adapter did not learn, or more than it did")
	}
}

// TestResumedAdapterEqualsUninterrupted stops GRPO with an adapter and a reference, and goes on.
func TestResumedAdapterEqualsUninterrupted(t *testing.T) {
	lora := model.LoRAOptions{Rank: 3, Targets: []string{"q_proj", "down_proj"}}
	part := func(ctx context.Context, d *diary, base uint64, progress func(Progress)) error {
		cpu := testCPU(t, 1)
		m := adapted(t, base, lora)
		o := banditOptions("grpo")
		o.LoRA, o.Steps, o.MiniBatches, o.ReferenceEvery, o.Checkpoint.EverySteps = lora, 7, 2, 2, 2
		_, err := GRPO(ctx, &Setup{Model: m, CPU: cpu, Recorder: d, Progress: progress}, testEngine(t, m, cpu), bandit(), gradeBandit, &o)
		return err
	}
	whole, cut := newDiary(t), newDiary(t)
	if err := part(context.Background(), whole, 3, nil); err != nil {
		t.Fatal(err)
	}
	ctx, progress := cancelAt(3)
	if err := part(ctx, cut, 3, progress); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if err := part(context.Background(), cut, 4, nil); !errors.Is(err, ErrOtherRun) || !strings.Contains(err.Error(), "below the adapter") {
		t.Fatalf("over other weights: %v", err)
	}
	if err := part(context.Background(), cut, 3, nil); err != nil {
		t.Fatal(err)
	}
	compareDiaries(t, "grpo with an adapter", whole, cut)
	if _, err := os.Stat(filepath.Join(whole.folder(7), "model.safetensors")); err == nil {
		t.Error("the checkpoint holds the frozen weights")
	}
	if _, err := warmModel(t, 3).OpenAdapter(whole.folder(7)); err != nil {
		t.Errorf("the checkpoint's adapter does not open: %v", err)
	}
}

func TestAdapterThatIsNotThere(t *testing.T) {
	o := SFTOptions{LoRA: model.LoRAOptions{Rank: 4}}
	if _, err := SFT(context.Background(), &Setup{Model: warmModel(t, 1), CPU: testCPU(t, 1)}, eightExamples(), &o); err == nil || !strings.Contains(err.Error(), "lora.rank: got 4") {
		t.Errorf("a model without an adapter: %v", err)
	}
	o.LoRA = model.LoRAOptions{Rank: -1, Targets: []string{"lm_head"}}
	if err := o.Validate(); err == nil || !strings.Contains(err.Error(), "rank -1") || !strings.Contains(err.Error(), "lm_head") {
		t.Errorf("faults: %v", err)
	}
}
