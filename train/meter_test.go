package train

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/retort-ml/retort/engine"
)

// turnsAtNines is a meter over any answers: each 9 begins a reflection, and the thought is all but the last token.
func turnsAtNines(_ *Problem, tokens []int32, _ string) Reflections {
	f := Reflections{Thought: len(tokens) - 1, IsClosed: true, Close: []int32{21, 22}}
	for i, token := range tokens[:len(tokens)-1] {
		if token == 9 && i > 0 {
			f.Turns = append(f.Turns, i)
		}
	}
	return f
}

// TestMeterTellsRescueHarmAndIdle: the answers of a scripted model are known by what stands before the forced close, so that each effect is.
func TestMeterTellsRescueHarmAndIdle(t *testing.T) {
	// The answer that is forced is right where an odd number of 5s stands in the thought; an answer of 7s cannot be judged.
	script := func(q engine.Request, sample int) []int32 {
		n := len(q.Prompt)
		if n > 3 && slices.Equal(q.Prompt[n-2:], []int32{21, 22}) {
			if q.Temperature != 0 || q.MaxTokens != 4 || q.Samples != 1 {
				t.Errorf("a probe at temperature %v of %d tokens and %d samples, want greedy, 4 and 1", q.Temperature, q.MaxTokens, q.Samples)
			}
			fives, sevens := 0, 0
			for _, token := range q.Prompt {
				switch token {
				case 5:
					fives++
				case 7:
					sevens++
				}
			}
			if sevens > 0 {
				return []int32{7, testStop}
			}
			return []int32{int32(3 + fives%2), testStop}
		}
		return [][]int32{
			{4, 9, 4, 9, 5, 9, 5, testStop}, // idle, rescue, harm
			{9, 5, 9, 4, testStop},          // the first 9 begins the thought: one reflection, idle
			{4, 4, 9, 7, testStop},          // nothing is known of it
			{4, 4, 4, testStop},             // no reflection
		}[sample]
	}
	grade := func(p *Problem, tokens []int32, text string) Reward {
		at := slices.Index(tokens, 22)
		switch {
		case at < 0:
			return Reward{Verdict: Wrong, Accuracy: float64(len(tokens))}
		case tokens[at+1] == 7:
			return Reward{Verdict: CannotJudge}
		case tokens[at+1] == 4:
			return Reward{Verdict: Right}
		}
		return Reward{Verdict: Wrong}
	}
	m, c, d := testModel(t, 3), curve{}, newDiary(t)
	o := GRPOOptions{Variant: "dr_grpo", Steps: 1, Rollout: RolloutOptions{Problems: 1, Group: 4, MaxNewTokens: 8}, Meter: MeterOptions{Share: 1, AnswerTokens: 4}}
	setup := &Setup{Model: m, CPU: testCPU(t, 1), Progress: c.progress, Recorder: d, Decode: func(tokens []int32) string { return fmt.Sprint(tokens) }, Reflect: turnsAtNines}
	if _, err := GRPO(context.Background(), setup, &scripted{script: script}, bandit()[:1], grade, &o); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range samplesOf(t, d) {
		var effects []string
		for _, turn := range s.Turns {
			effects = append(effects, fmt.Sprintf("%d %s %s %s", turn.At, turn.Before, turn.After, turn.Effect))
		}
		got = append(got, strings.Join(effects, ", "))
	}
	want := []string{"1 wrong wrong idle, 3 wrong right rescue, 5 right wrong harm", "2 right right idle", "2 wrong cannot_judge ", ""}
	if !slices.Equal(got, want) {
		t.Errorf("turns are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	thought := 7. + 4 + 4 + 3
	for name, want := range map[string]float64{MetricTestedThought: thought, MetricRescues: 1000 / thought, MetricHarms: 1000 / thought, MetricIdleTurns: 2000 / thought} {
		near(t, name, c[name][0], want, 1e-9)
	}

	// With one reflection at most, the thought that counts ends where the second begins.
	c, d = curve{}, newDiary(t)
	o.Meter.Turns = 1
	setup.Progress, setup.Recorder, setup.Model = c.progress, d, testModel(t, 3)
	if _, err := GRPO(context.Background(), setup, &scripted{script: script}, bandit()[:1], grade, &o); err != nil {
		t.Fatal(err)
	}
	if s := samplesOf(t, d)[0]; len(s.Turns) != 1 || s.Turns[0].Effect != EffectIdle || c[MetricTestedThought][0] != 3+4+4+3 {
		t.Errorf("of one reflection at most: %+v and %v tokens", s.Turns, c[MetricTestedThought])
	}
}

// TestMeterChangesNothing: runs that test none, some and all of their rollouts end with the same bits and record the same numbers otherwise,
// and the meter asks for the share of rollouts that it is told.
func TestMeterChangesNothing(t *testing.T) {
	type outcome struct{ weights, moments string }
	var first *outcome
	tested := map[float64]int{}
	for _, share := range []float64{-1, 0, 0.3, 1} {
		m, cpu, d := testModel(t, 3), testCPU(t, 1), newDiary(t)
		o := banditOptions("grpo")
		o.Steps, o.MiniBatches, o.Meter, o.Rollout.MaxNewTokens = 12, 2, MeterOptions{Share: share, AnswerTokens: 3}, 8
		e := &counting{Rollouter: testEngine(t, m, cpu)}
		setup := &Setup{Model: m, CPU: cpu, Recorder: d, Decode: func(tokens []int32) string { return fmt.Sprint(tokens) }, Reflect: turnsAtNines}
		if _, err := GRPO(context.Background(), setup, e, bandit(), gradeBandit, &o); err != nil {
			t.Fatal(err)
		}
		got := &outcome{sumOf(m.Weights()), metricsWithout(d.metrics.String())}
		if first == nil {
			first = got
		}
		if *got != *first {
			t.Errorf("share %v changes the run", share)
		}
		tested[share] = e.probes
	}
	if tested[-1] != 0 || tested[0] == 0 && tested[1] == 0 || tested[0.3] == 0 || tested[0.3] >= tested[1]*6/10 || tested[0.3] <= tested[1]/10 {
		t.Errorf("probes by share: %v", tested)
	}
}

// counting counts the requests that are probes.
type counting struct {
	Rollouter
	probes int
}

func (c *counting) Generate(ctx context.Context, reqs []engine.Request) ([]engine.Result, error) {
	for i := range reqs {
		if reqs[i].Temperature == 0 {
			c.probes++
		}
	}
	return c.Rollouter.Generate(ctx, reqs)
}

// metricsWithout takes the meter's metrics out of a diary's lines.
func metricsWithout(text string) string {
	var kept []string
	for _, field := range strings.FieldsFunc(text, func(r rune) bool { return r == ' ' }) {
		name, _, _ := strings.Cut(field, "=")
		rest := ""
		if i := strings.IndexByte(field, '\n'); i >= 0 {
			rest = field[i:]
		}
		if name == MetricRescues || name == MetricHarms || name == MetricIdleTurns || name == MetricTestedThought {
			kept = append(kept, rest)
			continue
		}
		kept = append(kept, field)
	}
	return strings.Join(strings.Fields(strings.Join(kept, " ")), " ")
}

func TestMeterRefusesPlacesOutsideTheThought(t *testing.T) {
	for name, f := range map[string]Reflections{
		"behind":     {Turns: []int{1}, Thought: 1, Close: []int32{3}},
		"descending": {Turns: []int{2, 1}, Thought: 3, Close: []int32{3}},
		"at 0":       {Turns: []int{0}, Thought: 2, Close: []int32{3}},
		"too long":   {Thought: 99, Close: []int32{3}},
		"no close":   {Thought: 1},
	} {
		o := banditOptions("grpo")
		o.Steps, o.Meter.Share = 1, 1
		m, cpu := testModel(t, 3), testCPU(t, 1)
		setup := &Setup{Model: m, CPU: cpu, Reflect: func(*Problem, []int32, string) Reflections { return f }}
		_, err := GRPO(context.Background(), setup, testEngine(t, m, cpu), bandit(), gradeBandit, &o)
		if err == nil || !strings.Contains(err.Error(), "train: reflections: got ") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// TestMeterKeepsToThePositions: where no answer has room behind the thought, none is forced.
func TestMeterKeepsToThePositions(t *testing.T) {
	o := banditOptions("grpo")
	o.Steps, o.Meter, o.Rollout.MaxNewTokens, o.Truncated = 2, MeterOptions{Share: 1, AnswerTokens: 1000}, 61, TruncatedKeep
	m, cpu := testModel(t, 3), testCPU(t, 1)
	e := &counting{Rollouter: testEngine(t, m, cpu)}
	if _, err := GRPO(context.Background(), &Setup{Model: m, CPU: cpu, Reflect: turnsAtNines}, e, bandit(), gradeBandit, &o); err != nil {
		t.Fatal(err)
	}
	if e.probes == 0 {
		t.Error("no probe")
	}
}

func TestFindReflections(t *testing.T) {
	// Each letter is a token, and so is each end of the thought.
	words := func(text string) (tokens []int32) {
		for _, r := range text {
			tokens = append(tokens, r)
		}
		return tokens
	}
	decode := func(tokens []int32) string {
		var b strings.Builder
		for _, token := range tokens {
			b.WriteRune(token)
		}
		return b.String()
	}
	for text, want := range map[string]Reflections{
		"a b\nwait c\nwait d#x":                             {Turns: []int{4, 11}, Thought: 17, IsClosed: true},
		"wait a\nb. Hmm, wait, let me check: c. Actually d": {Turns: []int{10, 38}, Thought: 48},
		"awaits\nwaiting":                                   {Thought: 14},
		"é\nwait#wait":                                      {Turns: []int{2}, Thought: 6, IsClosed: true},
		"":                                                  {},
		"#":                                                 {IsClosed: true},
		"x\nLet me recheck. wait\n":                         {Turns: []int{2, 18}, Thought: 23},
	} {
		got := FindReflections(words(text), decode, "#", []int32{1})
		if !slices.Equal(got.Turns, want.Turns) || got.Thought != want.Thought || got.IsClosed != want.IsClosed || len(got.Close) != 1 {
			t.Errorf("%q: got %+v, want %+v", text, got, want)
		}
		if err := got.check(len(words(text))); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}
