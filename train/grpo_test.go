package train

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/retort-ml/retort/engine"
	"github.com/retort-ml/retort/model"
	"github.com/retort-ml/retort/runstore"
)

// bandit are problems with one right first token each.
func bandit() []Problem {
	return []Problem{{ID: 1, Prompt: []int32{1, 10}}, {ID: 2, Prompt: []int32{1, 11}}, {ID: 3, Prompt: []int32{1, 12, 13}}}
}

// gradeBandit rewards the token that is twice the problem's id plus 3.
func gradeBandit(p *Problem, tokens []int32, text string) Reward {
	r := Reward{Verdict: Wrong, WellFormed: tokens[len(tokens)-1] == testStop}
	if tokens[0] == int32(3+2*p.ID) {
		r.Verdict, r.Accuracy = Right, 1
	}
	return r
}

func banditOptions(variant string) GRPOOptions {
	return GRPOOptions{
		Variant: variant, Steps: 40,
		Rollout:   RolloutOptions{Problems: 3, Group: 16, MaxNewTokens: 3, Stop: []int32{testStop}, Seed: 5},
		Optimizer: OptimizerOptions{LearningRate: 1e-2},
	}
}

func runBandit(t *testing.T, o GRPOOptions, grade Grader) (curve, *model.Model) {
	t.Helper()
	m, cpu, c := testModel(t, 3), testCPU(t, 1), curve{}
	_, err := GRPO(context.Background(), &Setup{Model: m, CPU: cpu, Progress: c.progress}, testEngine(t, m, cpu), bandit(), grade, &o)
	if err != nil {
		t.Fatal(err)
	}
	return c, m
}

// TestVariantsLearnABandit is the smallest reinforcement there is: with every row of the table the
// reward rises from chance to nearly always right, and the engine and the trainer agree to the bit
// in every step.
func TestVariantsLearnABandit(t *testing.T) {
	for _, v := range Variants() {
		o := banditOptions(v.Name)
		o.Optimizer.LearningRate, o.Steps = 2e-3, 150
		o.Truncated = TruncatedKeep // three tokens rarely hold a stop
		c, _ := runBandit(t, o, gradeBandit)
		reward := c[MetricRewardMean]
		first, _ := meanStd(reward[:3])
		last, _ := meanStd(reward[len(reward)-3:])
		if first > 0.3 || last < 0.8 {
			t.Errorf("%s: reward went from %.2f to %.2f, want from below 0.3 to above 0.8", v.Name, first, last)
		}
		// Steps whose groups are all equal after the last round of dynamic sampling compare nothing.
		if gap := slices.Max(c[MetricLogProbGap]); gap != 0 || v.ResampleRounds == 0 && len(c[MetricLogProbGap]) != o.Steps {
			t.Errorf("%s: log-probability gap %v over %d steps, want 0 over %d", v.Name, gap, len(c[MetricLogProbGap]), o.Steps)
		}
		if clipped := slices.Max(c[MetricClipFraction]); clipped != 0 {
			t.Errorf("%s: %v of the tokens are clipped on policy", v.Name, clipped)
		}
	}
}

func TestGapSeesAnEngineWithOtherWeights(t *testing.T) {
	m, cpu, c := testModel(t, 3), testCPU(t, 1), curve{}
	o := banditOptions("grpo")
	o.Steps = 1
	sum, err := GRPO(context.Background(), &Setup{Model: m, CPU: cpu, Progress: c.progress}, testEngine(t, testModel(t, 4), cpu), bandit(), gradeBandit, &o)
	if err != nil {
		t.Fatal(err)
	}
	if c[MetricLogProbGap][0] == 0 {
		t.Error("the gap is 0 although the engine reads another model")
	}
	if !slices.ContainsFunc(sum.Findings, func(f Finding) bool { return f.Rule == "logprob_gap" }) {
		t.Errorf("the watchdog says %+v, want logprob_gap among it", sum.Findings)
	}
}

func TestTemperatureIsTheTrainersToo(t *testing.T) {
	o := banditOptions("grpo")
	o.Steps, o.Rollout.Temperature = 2, 0.7
	c, _ := runBandit(t, o, gradeBandit)
	if gap := slices.Max(c[MetricLogProbGap]); gap != 0 {
		t.Errorf("log-probability gap %v at temperature 0.7, want 0", gap)
	}
}

func TestMiniBatchesGoOffPolicy(t *testing.T) {
	o := banditOptions("grpo")
	o.Steps, o.MiniBatches, o.InnerEpochs = 3, 2, 2
	m, cpu, c := testModel(t, 3), testCPU(t, 1), curve{}
	sum, err := GRPO(context.Background(), &Setup{Model: m, CPU: cpu, Progress: c.progress}, testEngine(t, m, cpu), bandit(), gradeBandit, &o)
	if err != nil {
		t.Fatal(err)
	}
	if sum.Updates != 12 {
		t.Errorf("%d updates, want 3 steps x 2 mini-batches x 2 epochs", sum.Updates)
	}
	if gap := slices.Max(c[MetricLogProbGap]); gap != 0 {
		t.Errorf("gap of the first mini-batch is %v, want 0", gap)
	}
	if slices.Min(c[MetricPolicyKL]) <= 0 {
		t.Errorf("policy_kl is %v, want above 0 after the first update of each step", c[MetricPolicyKL])
	}
	if slices.Max(c[MetricClipFraction]) == 0 {
		t.Error("no token was clipped at a learning rate that moves the policy far")
	}
}

func TestReferenceIsReplaced(t *testing.T) {
	o := banditOptions("grpo")
	o.Steps, o.ReferenceEvery = 6, 3
	c, _ := runBandit(t, o, gradeBandit)
	for step, kl := range c[MetricKL] {
		if isFresh := step%3 == 0; isFresh != (kl == 0) {
			t.Errorf("step %d: KL to the reference is %v, fresh reference: %v", step+1, kl, isFresh)
		}
	}
	o.ReferenceEvery = -1
	c, _ = runBandit(t, o, gradeBandit)
	if slices.Min(c[MetricKL][1:]) <= 0 {
		t.Errorf("KL to a reference that is never replaced: %v", c[MetricKL])
	}
}

// scripted answers every request with the tokens that script gives, and never asks a model.
type scripted struct {
	script   func(request engine.Request, sample int) []int32
	requests []engine.Request
}

func (s *scripted) Generate(ctx context.Context, reqs []engine.Request) ([]engine.Result, error) {
	var results []engine.Result
	for i, q := range reqs {
		s.requests = append(s.requests, q)
		for j := range q.Samples {
			tokens := s.script(q, j)
			finish := engine.FinishLength
			if tokens[len(tokens)-1] == testStop {
				finish = engine.FinishStop
			}
			logProbs := make([]float32, len(tokens))
			for k := range logProbs {
				logProbs[k] = -float32(math.Log(testVocab)) // nearly what a fresh model says
			}
			results = append(results, engine.Result{Request: i, Sample: j, Tokens: tokens, LogProbs: logProbs, Finish: finish})
		}
	}
	return results, nil
}

// firstToken makes a script whose answers begin with token and stop.
func firstToken(token func(problem uint64, sample int) int32) func(engine.Request, int) []int32 {
	return func(q engine.Request, sample int) []int32 { return []int32{token(q.Seed.Problem, sample), testStop} }
}

func runScripted(t *testing.T, s *scripted, grade Grader, o GRPOOptions) (curve, *diary, *model.Model) {
	t.Helper()
	m, c, d := testModel(t, 3), curve{}, newDiary(t)
	setup := &Setup{Model: m, CPU: testCPU(t, 1), Progress: c.progress, Recorder: d, Decode: func(tokens []int32) string { return fmt.Sprint(tokens) }}
	if _, err := GRPO(context.Background(), setup, s, bandit(), grade, &o); err != nil {
		t.Fatal(err)
	}
	return c, d, m
}

// TestDynamicSampling: problem 1 is always right and problem 2 always wrong, so that DAPO must
// replace them by later problems of the stream, and only GRPO trains on what teaches nothing.
func TestDynamicSampling(t *testing.T) {
	script := func() *scripted {
		return &scripted{script: firstToken(func(problem uint64, sample int) int32 {
			if problem == 1 || problem == 3 && sample%2 == 0 {
				return int32(3 + 2*problem)
			}
			return 4
		})}
	}
	o := GRPOOptions{Variant: "dapo", Steps: 1, Rollout: RolloutOptions{Problems: 2, Group: 4, MaxNewTokens: 3}}
	s := script()
	c, d, _ := runScripted(t, s, gradeBandit, o)
	// Round 0 asks 1 and 2, round 1 their replacements 3 and 1, round 2 problem 2 in place of 1, round 3 problem 3.
	var asked []uint64
	for _, q := range s.requests {
		asked = append(asked, q.Seed.Problem)
	}
	if want := []uint64{1, 2, 3, 1, 2, 3}; !slices.Equal(asked, want) {
		t.Errorf("problems asked: %v, want %v", asked, want)
	}
	wantMetrics := map[string]float64{
		MetricResampledGroups: 4, MetricUnfilledGroups: 0, MetricAllEqualGroups: 4. / 6, MetricSampledTokens: 6 * 4 * 2, MetricTokens: 2 * 4 * 2,
		MetricAccuracy: 3. / 6,
	}
	for name, want := range wantMetrics {
		near(t, name, c[name][0], want, 1e-9)
	}
	if n := strings.Count(d.samples.String(), `"resampled":true`); n != 16 {
		t.Errorf("%d recorded answers are marked as resampled, want 16", n)
	}
	seeds := map[engine.Seed]bool{}
	for _, q := range s.requests {
		for i := range uint64(q.Samples) {
			q.Seed.Sample++
			seeds[q.Seed] = true
			_ = i
		}
	}
	if len(seeds) != 24 {
		t.Errorf("24 answers were sampled from %d seeds", len(seeds))
	}
	s = script()
	o.ResampleRounds = 1
	c, _, _ = runScripted(t, s, gradeBandit, o)
	if len(s.requests) != 4 || c[MetricResampledGroups][0] != 2 || c[MetricUnfilledGroups][0] != 1 || c[MetricTokens][0] != 1*4*2 {
		t.Errorf("with one round %d requests, %v groups replaced, %v left all equal, %v tokens: want 4, 2, 1 and 8", len(s.requests), c[MetricResampledGroups][0], c[MetricUnfilledGroups][0], c[MetricTokens][0])
	}
	s = script()
	o.Variant, o.ResampleRounds = "grpo", 0
	runScripted(t, s, gradeBandit, o)
	if len(s.requests) != 2 {
		t.Errorf("grpo asked %d problems, want 2", len(s.requests))
	}
}

// TestWhatCannotBeJudgedHasNoPart: the run over four answers of which one cannot be judged equals,
// bit for bit, the run over the other three, and is not the run in which it is wrong.
func TestWhatCannotBeJudgedHasNoPart(t *testing.T) {
	script := firstToken(func(problem uint64, sample int) int32 { return []int32{5, 4, 6, 7}[sample] })
	run := func(group int, seventh Verdict) (curve, string) {
		grade := func(p *Problem, tokens []int32, text string) Reward {
			if tokens[0] == 7 {
				return Reward{Verdict: seventh, Reason: "for the test"}
			}
			return gradeBandit(p, tokens, text)
		}
		o := GRPOOptions{Variant: "grpo", Steps: 2, Rollout: RolloutOptions{Problems: 1, Group: group, MaxNewTokens: 3}, Optimizer: OptimizerOptions{LearningRate: 1e-3}}
		c, _, m := runScripted(t, &scripted{script: script}, grade, o)
		return c, sumOf(m.Weights())
	}
	c, dropped := run(4, CannotJudge)
	_, absent := run(3, CannotJudge)
	_, wrong := run(4, Wrong)
	if dropped != absent {
		t.Error("an answer that cannot be judged changed the weights")
	}
	if dropped == wrong {
		t.Error("an answer that cannot be judged counts as wrong")
	}
	near(t, MetricUnjudgedRate, c[MetricUnjudgedRate][0], 0.25, 0)
	near(t, MetricAccuracy, c[MetricAccuracy][0], 1./3, 1e-12)
	near(t, MetricTokens, c[MetricTokens][0], 6, 0)
}

func TestTruncatedAnswersAreMaskedOrKept(t *testing.T) {
	script := func(q engine.Request, sample int) []int32 {
		if sample == 0 {
			return []int32{int32(3 + 2*q.Seed.Problem), 4, 4} // right, but no stop
		}
		return []int32{4, testStop}
	}
	for truncated, want := range map[string]map[string]float64{
		TruncatedKeep: {MetricMaskedRate: 0, MetricTruncationRate: 0.25, MetricTokens: 9, MetricRewardMean: 0.25},
		TruncatedMask: {MetricMaskedRate: 0.25, MetricTruncationRate: 0.25, MetricTokens: 6, MetricRewardMean: 0.25},
	} {
		o := GRPOOptions{Variant: "dr_grpo", Truncated: truncated, Steps: 1, Rollout: RolloutOptions{Problems: 1, Group: 4, MaxNewTokens: 3}}
		c, _, _ := runScripted(t, &scripted{script: script}, gradeBandit, o)
		for name, w := range want {
			near(t, truncated+": "+name, c[name][0], w, 0)
		}
		// The masked answer's reward still makes the others worse than their group.
		if c[MetricGradientNorm][0] == 0 {
			t.Errorf("%s: no gradient", truncated)
		}
	}
}

// TestNoGradientNoUpdate: where all groups are equal nothing moves, not even by moments of earlier
// steps.
func TestNoGradientNoUpdate(t *testing.T) {
	step := 0
	script := firstToken(func(problem uint64, sample int) int32 {
		if step < 1 && sample == 0 {
			return int32(3 + 2*problem)
		}
		return 4
	})
	var sums []string
	m := testModel(t, 3)
	o := GRPOOptions{Variant: "dr_grpo", Steps: 3, Rollout: RolloutOptions{Problems: 1, Group: 4, MaxNewTokens: 3}, Optimizer: OptimizerOptions{LearningRate: 1e-3}}
	setup := &Setup{Model: m, CPU: testCPU(t, 1), Progress: func(p Progress) { step = p.Step; sums = append(sums, sumOf(m.Weights())) }}
	sum, err := GRPO(context.Background(), setup, &scripted{script: script}, bandit(), gradeBandit, &o)
	if err != nil {
		t.Fatal(err)
	}
	if sum.Updates != 1 || sums[0] != sums[2] || sums[0] == sumOf(testModel(t, 3).Weights()) {
		t.Errorf("%d updates, weights %v: want one update, in the first step", sum.Updates, sums)
	}
	if norm, ok := find(sum.Metrics, MetricGradientNorm); !ok || norm != 0 {
		t.Errorf("gradient norm is %v, want 0", norm)
	}
}

func TestObservedMetricsAreRecordedAndWatched(t *testing.T) {
	m, d := testModel(t, 3), newDiary(t)
	o := banditOptions("grpo")
	o.Steps, o.Rollout.KeepSamples, o.Watchdog.Window = 4, 5, 1
	setup := &Setup{Model: m, CPU: testCPU(t, 1), Recorder: d, Observe: func(step int, samples []Sample) []runstore.Value {
		if len(samples) != 48 || samples[0].Step != step {
			t.Errorf("step %d: observed %d samples of step %d", step, len(samples), samples[0].Step)
		}
		return []runstore.Value{{Name: MetricFalseVerdictRate, Number: 0.1 * float64(step)}}
	}}
	sum, err := GRPO(context.Background(), setup, &scripted{script: firstToken(func(uint64, int) int32 { return 4 })}, bandit(), gradeBandit, &o)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(d.metrics.String(), MetricFalseVerdictRate+"=0.4") {
		t.Errorf("metrics are\n%s", d.metrics.String())
	}
	if !slices.ContainsFunc(sum.Findings, func(f Finding) bool { return f.Rule == "false_verdicts" }) {
		t.Errorf("findings are %+v", sum.Findings)
	}
	if n := strings.Count(d.samples.String(), "\n"); n != 20 {
		t.Errorf("%d samples recorded, want 5 of each step", n)
	}
}

func TestGRPORefusals(t *testing.T) {
	m, cpu := testModel(t, 3), testCPU(t, 1)
	long := []Problem{{ID: 9, Prompt: make([]int32, 60)}}
	short := func(tokens []int32, logProbs int) Rollouter {
		return rollouterFunc(func(reqs []engine.Request) []engine.Result {
			return []engine.Result{{Tokens: tokens, LogProbs: make([]float32, logProbs)}, {Tokens: []int32{1}, LogProbs: []float32{0}}}
		})
	}
	nucleus := rollouterFunc(func(reqs []engine.Request) []engine.Result {
		return []engine.Result{{Tokens: []int32{1}, LogProbs: []float32{0}, DrawLogProbs: []float32{0}}, {Tokens: []int32{1}, LogProbs: []float32{0}}}
	})
	halves, err := engine.New(m, cpu, &engine.Options{KV: model.KVF16, Blocks: 8})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		rollouter Rollouter
		problems  []Problem
		grade     Grader
		want      string
	}{
		"truncated":        {nucleus, bandit(), gradeBandit, "answer 0 was drawn from a truncated or altered distribution"},
		"keys and values":  {halves, bandit(), gradeBandit, "rollouter: keys and values in f16, want f32"},
		"no rollouter":     {nil, bandit(), gradeBandit, "rollouter: got none"},
		"no grader":        {short(nil, 0), bandit(), nil, "grader: got none"},
		"no problems":      {short(nil, 0), nil, gradeBandit, "problems: got none"},
		"long prompt":      {short(nil, 0), long, gradeBandit, "problem 9: prompt of 60 tokens and rollout.max_new_tokens 5"},
		"empty prompt":     {short(nil, 0), []Problem{{}}, gradeBandit, "prompt of 0 tokens"},
		"unknown token":    {short(nil, 0), []Problem{{Prompt: []int32{-1}}}, gradeBandit, "token 0: got id -1"},
		"empty answer":     {short(nil, 0), bandit(), gradeBandit, "answer 0: 0 tokens"},
		"no probabilities": {short([]int32{1, 2}, 1), bandit(), gradeBandit, "2 tokens with 1 log-probabilities"},
	} {
		o := GRPOOptions{Steps: 1, Rollout: RolloutOptions{Problems: 1, Group: 2, MaxNewTokens: 5}}
		_, err := GRPO(context.Background(), &Setup{Model: m, CPU: cpu}, c.rollouter, c.problems, c.grade, &o)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want an error that says %q", name, err, c.want)
		}
	}
}

type rollouterFunc func(reqs []engine.Request) []engine.Result

func (f rollouterFunc) Generate(_ context.Context, reqs []engine.Request) ([]engine.Result, error) {
	return f(reqs), nil
}

func TestSplit(t *testing.T) {
	for _, c := range []struct {
		n, parts int
		want     [][]int
	}{
		{5, 2, [][]int{{0, 1}, {2, 3, 4}}},
		{2, 3, [][]int{{0}, {1}}},
		{0, 2, nil},
	} {
		got := split(c.n, c.parts)
		if !slices.EqualFunc(got, c.want, slices.Equal[[]int]) {
			t.Errorf("split(%d, %d) is %v, want %v", c.n, c.parts, got, c.want)
		}
	}
}

func TestUpdateMovesProbabilitiesTheRightWay(t *testing.T) {
	script := firstToken(func(problem uint64, sample int) int32 { return []int32{5, 4}[sample%2] })
	o := GRPOOptions{Variant: "dr_grpo", Steps: 1, Rollout: RolloutOptions{Problems: 1, Group: 4, MaxNewTokens: 3}, Optimizer: OptimizerOptions{LearningRate: 1e-3}}
	_, _, m := runScripted(t, &scripted{script: script}, gradeBandit, o)
	before := testModel(t, 3)
	likelier := logProbOf(t, m, []int32{1, 10, 5}) - logProbOf(t, before, []int32{1, 10, 5})
	unlikelier := logProbOf(t, m, []int32{1, 10, 4}) - logProbOf(t, before, []int32{1, 10, 4})
	if !(likelier > 0 && unlikelier < 0) {
		t.Errorf("after one update the right token moved by %v, the wrong one by %v nats", likelier, unlikelier)
	}
}

func logProbOf(t *testing.T, m *model.Model, tokens []int32) float64 {
	t.Helper()
	tr, err := m.CompileTraining(testCPU(t, 1), &model.TrainingOptions{MaxTokens: 8, ForwardOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	l := &loop{}
	fillBatch(&l.batch, []sequence{newSequence(tokens, len(tokens)-1, nil)}, []int{0})
	logProb, _, err := tr.Forward(&l.batch)
	if err != nil || math.IsNaN(float64(logProb[0])) {
		t.Fatal(logProb, err)
	}
	return float64(logProb[0])
}

func TestStopIsTheModelsEOSUnlessGiven(t *testing.T) {
	for _, given := range [][]int32{nil, {7, 8}} {
		s := &scripted{script: firstToken(func(uint64, int) int32 { return 4 })}
		o := GRPOOptions{Steps: 1, Rollout: RolloutOptions{Problems: 1, Group: 2, MaxNewTokens: 3, Stop: given}}
		runScripted(t, s, gradeBandit, o)
		want := given
		if want == nil {
			want = []int32{testStop}
		}
		if !slices.Equal(s.requests[0].Stop, want) {
			t.Errorf("stop %v became %v, want %v", given, s.requests[0].Stop, want)
		}
	}
}
