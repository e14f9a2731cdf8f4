package lab

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/retort-ml/retort/behaviour"
	"github.com/retort-ml/retort/model"
	"github.com/retort-ml/retort/task"
	"github.com/retort-ml/retort/tokenizer"
)

// tinySettings make every stage of the quick lab as short as it can be.
func tinySettings(s *Settings) error {
	s.Task = task.CountdownOptions{LargestNumber: 10, LargestResult: 60}
	for _, c := range []*model.Config{&s.Base, &s.Student} {
		c.Width, c.Layers, c.Heads, c.KVHeads, c.HeadSize, c.FFN = 32, 1, 2, 1, 16, 48
	}
	s.BaseStart.Examples, s.StudentStart.Examples = 480, 224
	s.Train = 40
	s.Reinforce.Steps, s.Control.Steps, s.After.Steps, s.OnPolicy.Steps = 2, 1, 1, 1
	s.Reinforce.Rollout.Problems, s.Control.Rollout.Problems, s.After.Rollout.Problems, s.OnPolicy.Rollout.Problems = 4, 4, 4, 4
	s.Traces = Traces{Problems: 20, Samples: 2, Temperature: 1, PerProblem: 2}
	s.Evaluation = Evaluation{Problems: 20, Samples: 2, BaseSamples: 2, Temperature: 1}
	return nil
}

// runTiny runs the quick lab with tinySettings.
func runTiny(t *testing.T, ctx context.Context, dir string, event func(Event)) (*Result, error) {
	t.Helper()
	return Run(ctx, &Options{Dir: dir, Size: Quick, Threads: 1, Change: tinySettings, Event: event, Command: []string{"retort", "lab"}})
}

// TestLabTellsTheWholeStory runs every stage, interrupts the lab in the middle of two stages, goes
// on, and wants the result of an uninterrupted lab.
func TestLabTellsTheWholeStory(t *testing.T) {
	whole, err := runTiny(t, t.Context(), filepath.Join(t.TempDir(), "whole"), nil)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "broken")
	for _, at := range []string{modelBase, modelReinforced} {
		ctx, cancel := context.WithCancel(t.Context())
		_, err := runTiny(t, ctx, dir, func(e Event) {
			if e.Stage == at && e.Kind == "step" {
				cancel()
			}
		})
		cancel()
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("interrupted in %s: %v, want context.Canceled", at, err)
		}
	}
	resumed, err := runTiny(t, t.Context(), dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	a, b := whole.Seeds[0], resumed.Seeds[0]
	for name, m := range a.Models {
		other := b.Models[name]
		if other == nil || m.PassAt1() != other.PassAt1() || m.Tokens != other.Tokens || m.Totals.Attempts != other.Totals.Attempts {
			t.Errorf("%s: the interrupted lab measured something else", name)
		}
		sameWeights(t, name, whole.Dir, resumed.Dir)
	}
	if len(a.Models) != 7 {
		t.Errorf("%d models were measured, want 7", len(a.Models))
	}
	for _, g := range whole.Gates {
		if g.scientific != (g.Outcome == NotJudged) {
			t.Errorf("%s is %s", g.Name, g.Outcome)
		}
	}
	checkPublished(t, whole)
}

func sameWeights(t *testing.T, name, a, b string) {
	t.Helper()
	if name == modelControl {
		return // one of the sweep's, compared under its own name
	}
	var weights [2]*model.Model
	for i, dir := range []string{a, b} {
		m, err := model.Open(filepath.Join(dir, "seed-1", name, "model"))
		if err != nil {
			t.Fatal(err)
		}
		weights[i] = m
	}
	for i, v := range weights[0].Weights() {
		if weights[1].Weights()[i] != v {
			t.Errorf("%s: weight %d differs between the interrupted and the whole lab", name, i)
			return
		}
	}
}

func checkPublished(t *testing.T, r *Result) {
	t.Helper()
	html, err := os.ReadFile(r.Report)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"retort lab", "not judged", "blind search", "amplified"} {
		if !strings.Contains(strings.ToLower(string(html)), want) {
			t.Errorf("the report does not say %q", want)
		}
	}
	if _, err := os.Stat(filepath.Join(r.Dir, "charts", "accuracy.svg")); err != nil {
		t.Error(err)
	}
	text, err := os.ReadFile(filepath.Join(r.Dir, "result.json"))
	if err != nil {
		t.Fatal(err)
	}
	var back Result
	if err := json.Unmarshal(text, &back); err != nil || len(back.Gates) != len(r.Gates) {
		t.Errorf("result.json: %v, %d gates, want %d", err, len(back.Gates), len(r.Gates))
	}
}

func TestOtherSettingsAreRefused(t *testing.T) {
	l, err := newLab(&Options{Dir: t.TempDir(), Size: Quick})
	if err != nil {
		t.Fatal(err)
	}
	defer l.cpu.Close()
	if _, err := l.newSeed(0); err != nil {
		t.Fatal(err)
	}
	if _, err := l.newSeed(0); err != nil {
		t.Fatalf("the same settings: %v", err)
	}
	l.settings[0].Reinforce.Steps++
	if _, err := l.newSeed(0); err == nil || !strings.Contains(err.Error(), "other settings") {
		t.Errorf("other settings: %v", err)
	}
}

// measured is a model that solves the first right of n problems of two answers each.
func measured(n, right, reflections int) *ModelResult {
	r := &ModelResult{Problems: n, Samples: 2}
	for i := range n {
		r.Groups = append(r.Groups, string(rune('a'+i%26))+string(rune('a'+i/26)))
		r.Judged, r.ReflectionsOf, r.Blind = append(r.Judged, 2), append(r.ReflectionsOf, 2*reflections), append(r.Blind, 0.3)
		r.Right = append(r.Right, 0)
		if i < right {
			r.Right[i] = 2
		}
	}
	r.Totals.Traces, r.Totals.Reflections = 2*n, 2*n*reflections
	return r
}

func TestGatesByHand(t *testing.T) {
	s := SeedResult{Models: map[string]*ModelResult{
		modelBase: measured(200, 20, 1), modelReinforced: measured(200, 100, 3), modelDistilled: measured(200, 85, 3), modelControl: measured(200, 30, 3),
		modelSameSize: measured(200, 90, 3), modelFidelity: measured(200, 100, 3),
	}, Stages: []StageResult{{Name: modelDistilled, Tokens: 100}, {Name: "control-1", Tokens: 100}}, Sweep: []SweepRow{{Stage: "control-1"}}, Soundness: Soundness{Reopened: 1, Saved: 1, Falling: 1, Supervised: 1}}
	truth := func(falseOK int) []behaviour.Position {
		return []behaviour.Position{{SaidOK: 60, SaidNo: 40, FalseOK: falseOK}}
	}
	s.Models[modelFidelity].Totals.Positions = truth(5)
	want := map[string]Outcome{"(c+)": Pass, "(f)": Pass, "(a1)": Pass, "(a2)": Pass, "(b)": Pass, "(c)": Pass, "(d)": Pass, "(e)": Pass, "(g)": Pass, "(h)": Pass}
	outcomes := func() map[string]Outcome {
		got := map[string]Outcome{}
		for _, g := range s.gates() {
			got[g.Name] = g.Outcome
		}
		return got
	}
	for name, outcome := range want {
		if got := outcomes()[name]; got != outcome {
			t.Errorf("%s is %s, want %s", name, got, outcome)
		}
	}
	// Each claim fails by itself.
	for name, spoil := range map[string]func(){
		"(a1)":       func() { s.Models[modelBase] = measured(200, 34, 1) },
		"(a2)":       func() { s.Models[modelReinforced] = measured(200, 66, 3) }, // 33 %, but its interval reaches below 30 %
		"(b)":        func() { s.Models[modelReinforced] = measured(200, 100, 1) },
		"(c)":        func() { s.Models[modelDistilled] = measured(200, 79, 3) },
		"(d)":        func() { s.Models[modelControl] = measured(200, 85, 3) },
		"(d) tokens": func() { s.Stages[1].Tokens = 99 },
		"(e)":        func() { s.Stages[0].MaxGap = 1e-9 },
		"(c+)":       func() { s.Models[modelSameSize] = measured(200, 89, 3) },
		"(f)": func() {
			s.Models[modelFidelity] = measured(200, 100, 3)
			s.Models[modelFidelity].Totals.Positions = truth(6)
		},
		"(g)": func() { s.Soundness.Reopened = 0 },
		"(h)": func() { s.Soundness.Falling = 0 },
	} {
		models, stages, sound := map[string]*ModelResult{}, append([]StageResult(nil), s.Stages...), s.Soundness
		for k, v := range s.Models {
			models[k] = v
		}
		spoil()
		gate, _, _ := strings.Cut(name, " ")
		if got := outcomes()[gate]; got != Fail {
			t.Errorf("%s is %s although its claim does not hold", name, got)
		}
		s.Models, s.Stages, s.Soundness = models, stages, sound
	}
	sound := func() bool { return (&Result{Gates: s.gates()}).Sound() }
	if !sound() {
		t.Error("a lab whose machinery passes is not sound")
	}
	s.Models[modelControl] = measured(200, 85, 3)
	if !sound() {
		t.Error("a finding of science makes the lab unsound")
	}
	s.Stages[0].MaxGap = math.NaN()
	if sound() {
		t.Error("a gap leaves the lab sound")
	}
	if got := outcomes()["(e)"]; got != Fail {
		t.Errorf("a gap that is not a number passes: %s", got)
	}
}

func TestOverSeeds(t *testing.T) {
	seed := func(outcome Outcome) SeedResult {
		return SeedResult{Gates: []Gate{{Name: "(x)", Outcome: outcome, Value: 1}}}
	}
	for _, c := range []struct {
		seeds []SeedResult
		want  Outcome
	}{
		{[]SeedResult{seed(Pass), seed(Pass), seed(Fail)}, Pass},
		{[]SeedResult{seed(Pass), seed(Fail), seed(Fail)}, Fail},
		{[]SeedResult{seed(NotJudged), seed(NotJudged)}, NotJudged},
	} {
		if got := overSeeds(c.seeds)[0].Outcome; got != c.want {
			t.Errorf("%v gives %s, want %s", c.seeds, got, c.want)
		}
	}
}

// TestSoundnessNoticesChangedFiles spoils a saved model and wants the gate to fail.
func TestSoundnessNoticesChangedFiles(t *testing.T) {
	l, err := newLab(&Options{Dir: t.TempDir(), Size: Quick, Change: tinySettings})
	if err != nil {
		t.Fatal(err)
	}
	defer l.cpu.Close()
	s, err := l.newSeed(0)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.coldStarts(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.models[modelBase].Weights()[5]++
	if err := s.checkSoundness(t.Context()); err != nil {
		t.Fatal(err)
	}
	if x := s.result.Soundness; x.Saved != 2 || x.Reopened != 1 || x.Supervised != 2 || x.Stopped != 2 || x.Resumed != 2 {
		t.Errorf("soundness %+v", x)
	}
}

// TestBankRendersThePrompt holds the trainer's prompts to those of the evaluation and of the cold start.
func TestBankRendersThePrompt(t *testing.T) {
	countdown, err := task.NewCountdown(nil)
	if err != nil {
		t.Fatal(err)
	}
	problems, err := countdown.Problems(task.Train, 1, 50)
	if err != nil {
		t.Fatal(err)
	}
	k := tokenizer.Lab()
	b := NewBank(countdown, problems, k)
	for i := range problems {
		if !slices.Equal(b.Rendered[i].Prompt, k.Encode(problems[i].Prompt)) || b.Rendered[i].ID != uint64(i) {
			t.Errorf("problem %d is rendered as %q", i, k.Decode(b.Rendered[i].Prompt))
		}
	}
}
