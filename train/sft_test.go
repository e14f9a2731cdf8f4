package train

import (
	"context"
	"math"
	"strings"
	"testing"
)

// fourExamples are of different lengths, one with a mask.
func fourExamples() []Example {
	return []Example{
		{Tokens: []int32{1, 5, 6, 7, 8, 2}, TargetFrom: 2},
		{Tokens: []int32{1, 9, 8, 7, 6, 5, 4, 3, 2}, TargetFrom: 2},
		{Tokens: []int32{1, 10, 11, 2}, TargetFrom: 2},
		{Tokens: []int32{1, 12, 13, 14, 13, 12, 2, 20, 21}, Mask: []bool{false, false, true, true, false, true, true, false, false}},
	}
}

func TestSFTLearnsFourSequences(t *testing.T) {
	m := testModel(t, 1)
	c := curve{}
	o := SFTOptions{Steps: 120, BatchSize: 4, Optimizer: OptimizerOptions{LearningRate: 1e-2}}
	sum, err := SFT(context.Background(), &Setup{Model: m, CPU: testCPU(t, 1), Progress: c.progress}, fourExamples(), &o)
	if err != nil {
		t.Fatal(err)
	}
	losses := c[MetricLoss]
	near(t, "first loss", losses[0], math.Log(testVocab), 0.2)
	if last := losses[len(losses)-1]; last > 0.01 {
		t.Errorf("last loss is %v, want below 0.01", last)
	}
	near(t, "first entropy", c[MetricEntropy][0], math.Log(testVocab), 0.2)
	if want := int64(120 * (4 + 7 + 2 + 4)); sum.Tokens != want || sum.Steps != 120 || sum.Updates != 120 {
		t.Errorf("summary is %+v, want 120 steps and %d tokens", sum, want)
	}
	if len(sum.Findings) != 0 {
		t.Errorf("the watchdog barks at a run that learns: %+v", sum.Findings)
	}
}

// TestLossDoesNotDependOnMicrobatches compares one microbatch with one per sequence: the sums are
// taken in another order, so weights agree up to rounding.
func TestLossDoesNotDependOnMicrobatches(t *testing.T) {
	run := func(maxTokens int) ([]float64, []float32) {
		m := testModel(t, 1)
		c := curve{}
		o := SFTOptions{Steps: 3, BatchSize: 4, Batch: BatchOptions{MaxTokens: maxTokens}, Optimizer: OptimizerOptions{LearningRate: 1e-3}}
		if _, err := SFT(context.Background(), &Setup{Model: m, CPU: testCPU(t, 1), Progress: c.progress}, fourExamples(), &o); err != nil {
			t.Fatal(err)
		}
		return append(c[MetricLoss], c[MetricGradientNorm]...), m.Weights()
	}
	wholeCurve, whole := run(1000)
	cutCurve, cut := run(1)
	for i := range wholeCurve {
		near(t, "loss or gradient norm", cutCurve[i], wholeCurve[i], 1e-5*math.Abs(wholeCurve[i]))
	}
	for i := range whole {
		if d := math.Abs(float64(whole[i] - cut[i])); !(d < 1e-4) {
			t.Fatalf("weight %d differs by %v", i, d)
		}
	}
	if sumOf(whole) == sumOf(cut) {
		t.Error("every bit is equal: were there several microbatches?")
	}
}

func TestThreadsDoNotChangeABit(t *testing.T) {
	var sums []string
	for _, threads := range []int{1, 2} {
		m := testModel(t, 1)
		o := SFTOptions{Steps: 5, BatchSize: 3, Shuffle: true, Optimizer: OptimizerOptions{LearningRate: 1e-3}}
		if _, err := SFT(context.Background(), &Setup{Model: m, CPU: testCPU(t, threads)}, fourExamples(), &o); err != nil {
			t.Fatal(err)
		}
		sums = append(sums, sumOf(m.Weights()))
	}
	if sums[0] != sums[1] {
		t.Errorf("weights after 1 thread %s, after 2 %s", sums[0], sums[1])
	}
	if sums[0] == sumOf(testModel(t, 1).Weights()) {
		t.Error("nothing was learned")
	}
}

func TestEpochsSeeEachExampleOnce(t *testing.T) {
	c := curve{}
	o := SFTOptions{Epochs: 2, BatchSize: 3, Shuffle: true}
	sum, err := SFT(context.Background(), &Setup{Model: testModel(t, 1), CPU: testCPU(t, 1), Progress: c.progress}, fourExamples(), &o)
	if err != nil {
		t.Fatal(err)
	}
	// 8 examples in batches of 3, 3 and 2.
	if sum.Steps != 3 || sum.Tokens != 2*(4+7+2+4) {
		t.Errorf("%d steps, %d tokens, want 3 and %d", sum.Steps, sum.Tokens, 2*(4+7+2+4))
	}
}

func TestStreamOrder(t *testing.T) {
	inOrder := stream{n: 3}
	shuffled, again, other := stream{n: 50, shuffle: true, seed: 7}, stream{n: 50, shuffle: true, seed: 7}, stream{n: 50, shuffle: true, seed: 8}
	different := 0
	for pass := range 3 {
		seen := map[int]bool{}
		for i := range 50 {
			k := 50*pass + i
			seen[shuffled.at(k)] = true
			if shuffled.at(k) != other.at(k) {
				different++
			}
		}
		if len(seen) != 50 {
			t.Errorf("pass %d holds %d of 50 items", pass, len(seen))
		}
	}
	for k := 149; k >= 0; k-- {
		if again.at(k) != shuffled.at(k) {
			t.Fatalf("item %d depends on what was asked before", k)
		}
	}
	for k, want := range []int{0, 1, 2, 0, 1} {
		if got := inOrder.at(k); got != want {
			t.Errorf("item %d in file order: got %d, want %d", k, got, want)
		}
	}
	if different < 100 {
		t.Errorf("two seeds agree on %d of 150 items", 150-different)
	}
	first := make([]int, 50)
	same := 0
	for i := range first {
		if shuffled.at(i) == shuffled.at(50+i) {
			same++
		}
	}
	if same > 25 {
		t.Errorf("two passes agree on %d of 50 items", same)
	}
}

func TestSFTRefusesBadExamples(t *testing.T) {
	long := make([]int32, 66)
	for name, c := range map[string]struct {
		examples []Example
		want     string
	}{
		"none":        {nil, "examples: got none"},
		"no target":   {[]Example{{Tokens: []int32{1, 2}, TargetFrom: 2}}, "example 0: no target among 2 tokens from token 2 on"},
		"empty":       {[]Example{{}}, "example 0: no target among 0 tokens"},
		"mask length": {[]Example{{Tokens: []int32{1, 2}, Mask: []bool{true}}}, "mask of 1 entries for 2 tokens"},
		"unknown id":  {[]Example{fourExamples()[0], {Tokens: []int32{1, testVocab}}}, "example 1: token 1: got id 24, want 0 to 23"},
		"too long":    {[]Example{{Tokens: long}}, "65 tokens, the model reads at most 64"},
	} {
		_, err := SFT(context.Background(), &Setup{Model: testModel(t, 1), CPU: testCPU(t, 1)}, c.examples, nil)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want an error that says %q", name, err, c.want)
		}
	}
	if _, err := SFT(context.Background(), &Setup{}, fourExamples(), nil); err == nil {
		t.Error("a setup without a model was taken")
	}
}
