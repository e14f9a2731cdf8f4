package train

import (
	"context"
	"math"
	"path/filepath"
	"testing"
)

// eightExamples have lengths from 4 to 18.
func eightExamples() []Example {
	var examples []Example
	for i := range 8 {
		e := Example{}
		for j := range 4 + 2*i {
			e.Tokens = append(e.Tokens, int32((5*i+3*j+i*j)%testVocab))
			e.Mask = append(e.Mask, j > i%3)
		}
		examples = append(examples, e)
	}
	return examples
}

// momentsAfter does SFT and returns the first moments and the losses.
func momentsAfter(t *testing.T, steps, maxTokens, threads int, optimizer OptimizerOptions) (moments, losses []float64, weights string) {
	t.Helper()
	m, d, c := testModel(t, 3), newDiary(t), curve{}
	setup := &Setup{Model: m, CPU: testCPU(t, threads), Recorder: d, Progress: c.progress}
	o := SFTOptions{Steps: steps, BatchSize: 8, Batch: BatchOptions{MaxTokens: maxTokens}, Optimizer: optimizer}
	if _, err := SFT(context.Background(), setup, eightExamples(), &o); err != nil {
		t.Fatal(err)
	}
	first := make([]float32, len(m.Weights()))
	if err := readTensors(filepath.Join(d.folder(steps), optimizerFile), map[string][]float32{"m": first}); err != nil {
		t.Fatal(err)
	}
	for _, x := range first {
		moments = append(moments, float64(x))
	}
	return moments, c[MetricLoss], sumOf(m.Weights())
}

// TestOneBatchEqualsItsMicrobatches: eight examples in one forward pass have the gradient of one
// after the other, up to the order of float32 sums: no element differs by more than a millionth of
// the largest, and the losses of ten updates by no more than 1e-5 nats.
func TestOneBatchEqualsItsMicrobatches(t *testing.T) {
	o := OptimizerOptions{LearningRate: 1e-3, ClipNorm: -1}
	whole, _, _ := momentsAfter(t, 1, 1000, 1, o)
	parts, _, _ := momentsAfter(t, 1, 1, 1, o)
	largest, gap := 0.0, 0.0
	for i := range whole {
		largest = math.Max(largest, math.Abs(whole[i]))
		gap = math.Max(gap, math.Abs(whole[i]-parts[i]))
	}
	t.Logf("largest moment %.3g, largest difference %.3g", largest, gap)
	if gap > 1e-6*largest || largest == 0 {
		t.Errorf("the gradients differ by %v of %v", gap, largest)
	}
	_, wholeLosses, _ := momentsAfter(t, 10, 1000, 1, o)
	_, partLosses, _ := momentsAfter(t, 10, 1, 1, o)
	for i := range wholeLosses {
		near(t, "loss", partLosses[i], wholeLosses[i], 1e-5)
	}
}

// TestThreadsChangeNoBitOfAnyLoss: with Muon, and with every row of the table of losses, one thread and two
// end with the same weights.
func TestThreadsChangeNoBitOfAnyLoss(t *testing.T) {
	o := OptimizerOptions{Name: OptimizerMuon, LearningRate: 1e-3}
	_, oneLoss, one := momentsAfter(t, 5, 40, 1, o)
	_, twoLoss, two := momentsAfter(t, 5, 40, 2, o)
	if one != two || oneLoss[4] != twoLoss[4] {
		t.Errorf("muon: weights %s and %s, losses %v and %v", one, two, oneLoss[4], twoLoss[4])
	}
	for _, v := range Variants() {
		_, one := shortBandit(t, v.Name, 1, 0)
		_, two := shortBandit(t, v.Name, 2, 0)
		if a, b := sumOf(one), sumOf(two); a != b || a == sumOf(testModel(t, 3).Weights()) {
			t.Errorf("%s: one thread ends with %s, two with %s", v.Name, a, b)
		}
	}
}

// TestMicrobatchesChangeNoPolicyLoss: a rollout in one forward pass or in one for each answer has the
// same first update, up to the order of float32 sums: losses within 1e-6, gradient norms within a
// hundred-thousandth.
func TestMicrobatchesChangeNoPolicyLoss(t *testing.T) {
	for _, v := range Variants() {
		whole, _ := shortBandit(t, v.Name, 1, 4096)
		parts, _ := shortBandit(t, v.Name, 1, 1)
		near(t, v.Name+": loss", parts[MetricLoss][0], whole[MetricLoss][0], 1e-6)
		norm := whole[MetricGradientNorm][0]
		near(t, v.Name+": gradient norm", parts[MetricGradientNorm][0], norm, 1e-5*norm)
		if norm == 0 {
			t.Errorf("%s: no gradient", v.Name)
		}
	}
}

func shortBandit(t *testing.T, variant string, threads, maxTokens int) (curve, []float32) {
	t.Helper()
	m, cpu, c := testModel(t, 3), testCPU(t, threads), curve{}
	o := banditOptions(variant)
	o.Steps, o.Truncated, o.Optimizer.LearningRate, o.Batch.MaxTokens = 4, TruncatedKeep, 1e-3, maxTokens
	if _, err := GRPO(context.Background(), &Setup{Model: m, CPU: cpu, Progress: c.progress}, testEngine(t, m, cpu), bandit(), gradeBandit, &o); err != nil {
		t.Fatal(err)
	}
	return c, m.Weights()
}
