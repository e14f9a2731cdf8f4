package train

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/retort-ml/retort/model"
)

// testTeacher is a model that has learned four sequences.
func testTeacher(t testing.TB) *model.Model {
	t.Helper()
	m := testModel(t, 9)
	o := SFTOptions{Steps: 60, BatchSize: 4, Optimizer: OptimizerOptions{LearningRate: 1e-2}}
	if _, err := SFT(context.Background(), &Setup{Model: m, CPU: testCPU(t, 1)}, fourExamples(), &o); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestDistillFindsTheTeacher(t *testing.T) {
	teacher := testTeacher(t)
	before := sumOf(teacher.Weights())
	for _, divergence := range []string{ForwardKL, ReverseKL, JensenShannon} {
		c := curve{}
		o := DistillOptions{Divergence: divergence, SFT: SFTOptions{Steps: 80, BatchSize: 4, Optimizer: OptimizerOptions{LearningRate: 1e-2}}}
		if _, err := Distill(context.Background(), &Setup{Model: testModel(t, 1), CPU: testCPU(t, 1), Progress: c.progress}, teacher, fourExamples(), &o); err != nil {
			t.Fatal(err)
		}
		first, last := c[MetricLoss][0], c[MetricLoss][79]
		if !(first > 0.2 && last < 0.05*first) {
			t.Errorf("%s: went from %v to %v, want below a twentieth", divergence, first, last)
		}
		if len(c[MetricEntropy]) != 0 {
			t.Errorf("%s: an entropy is recorded that nobody evaluated", divergence)
		}
	}
	if sumOf(teacher.Weights()) != before {
		t.Error("the teacher was changed")
	}
}

// TestDivergenceIsAMeanOverTargets: the same examples twice in one batch have the same loss.
func TestDivergenceIsAMeanOverTargets(t *testing.T) {
	teacher := testModel(t, 9)
	teacher.Weights()[0] = 3
	teacher.Repack()
	var losses []float64
	for _, examples := range [][]Example{fourExamples(), append(fourExamples(), fourExamples()...)} {
		c := curve{}
		o := DistillOptions{SFT: SFTOptions{Steps: 1, BatchSize: len(examples)}}
		if _, err := Distill(context.Background(), &Setup{Model: testModel(t, 1), CPU: testCPU(t, 1), Progress: c.progress}, teacher, examples, &o); err != nil {
			t.Fatal(err)
		}
		losses = append(losses, c[MetricLoss][0])
	}
	near(t, "loss of the examples twice", losses[1], losses[0], 1e-6*losses[0])
}

func TestOnPolicyFindsTheTeacher(t *testing.T) {
	teacher, m, cpu, c := testTeacher(t), testModel(t, 1), testCPU(t, 1), curve{}
	o := OnPolicyOptions{
		Steps:     60,
		Rollout:   RolloutOptions{Problems: 3, Group: 4, MaxNewTokens: 8, Stop: []int32{testStop}},
		Optimizer: OptimizerOptions{LearningRate: 1e-2},
	}
	sum, err := OnPolicy(context.Background(), &Setup{Model: m, CPU: cpu, Progress: c.progress}, teacher, testEngine(t, m, cpu), bandit(), nil, &o)
	if err != nil {
		t.Fatal(err)
	}
	first, _ := meanStd(c[MetricLoss][:3])
	last, _ := meanStd(c[MetricLoss][57:])
	if !(first > 0.5 && last < 0.2*first) {
		t.Errorf("reverse KL on the student's answers went from %v to %v, want below a fifth", first, last)
	}
	if gap := slices.Max(c[MetricLogProbGap]); gap != 0 || len(c[MetricLogProbGap]) != 60 {
		t.Errorf("log-probability gap is %v in %d steps, want 0 in 60", gap, len(c[MetricLogProbGap]))
	}
	if _, ok := find(sum.Metrics, MetricAccuracy); ok {
		t.Error("an accuracy is recorded without a grader")
	}
	for _, f := range sum.Findings {
		if f.Rule != "entropy_collapse" {
			t.Errorf("the watchdog says %+v", f)
		}
	}
}

func TestOnPolicyMasksTruncatedAnswers(t *testing.T) {
	endless := testConfig()
	endless.EOS = -1
	m, err := model.New(endless, 1)
	if err != nil {
		t.Fatal(err)
	}
	teacher, cpu, c := testModel(t, 9), testCPU(t, 1), curve{}
	o := OnPolicyOptions{Steps: 1, Truncated: TruncatedMask, Rollout: RolloutOptions{Problems: 3, Group: 4, MaxNewTokens: 2}}
	if _, err := OnPolicy(context.Background(), &Setup{Model: m, CPU: cpu, Progress: c.progress}, teacher, testEngine(t, m, cpu), bandit(), gradeBandit, &o); err != nil {
		t.Fatal(err)
	}
	near(t, MetricMaskedRate, c[MetricMaskedRate][0], 1, 0)
	near(t, MetricTokens, c[MetricTokens][0], 0, 0)
	if sumOf(m.Weights()) != sumOf(testModel(t, 1).Weights()) {
		t.Error("masked answers changed the weights")
	}
	if len(c[MetricAccuracy]) != 1 {
		t.Error("the grader's accuracy is not recorded")
	}
}

func TestDistillRefusals(t *testing.T) {
	setup := &Setup{Model: testModel(t, 1), CPU: testCPU(t, 1)}
	if _, err := Distill(context.Background(), setup, nil, fourExamples(), nil); err == nil || !strings.Contains(err.Error(), "teacher: got none") {
		t.Errorf("no teacher: %v", err)
	}
	o := DistillOptions{Divergence: "kl", SFT: SFTOptions{Epochs: -1}}
	_, err := Distill(context.Background(), setup, testModel(t, 2), fourExamples(), &o)
	if err == nil || !strings.Contains(err.Error(), `divergence: got "kl"`) || !strings.Contains(err.Error(), "epochs: got -1") {
		t.Errorf("two faults: %v", err)
	}
	p := OnPolicyOptions{Divergence: "kl", Truncated: "drop", Steps: -1}
	_, err = OnPolicy(context.Background(), setup, nil, nil, nil, nil, &p)
	for _, want := range []string{`divergence: got "kl"`, "truncated: got drop", "steps: got -1", "teacher: got none"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("OnPolicy says %v, want it to contain %q", err, want)
		}
	}
}
