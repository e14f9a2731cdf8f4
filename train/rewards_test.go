package train

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRewardsEqualPython compares the rewards of text with the rules of open-r1 in Python.
func TestRewardsEqualPython(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("testdata", "reward_golden.json"))
	if err != nil {
		t.Fatal(err)
	}
	var golden struct {
		Texts []struct {
			Text         string
			Format, Tags float64
			Repetition   [3]float64
		}
		Cosine []struct {
			Right  bool
			Tokens int
			Reward float64
		}
	}
	if err := json.Unmarshal(text, &golden); err != nil {
		t.Fatal(err)
	}
	for _, c := range golden.Texts {
		near(t, "format of "+c.Text, indicator(ThinkAnswerFormat(c.Text)), c.Format, 0)
		near(t, "tags of "+c.Text, TagCount(c.Text), c.Tags, 0)
		for i, want := range c.Repetition {
			near(t, "repetition of "+c.Text, RepetitionPenalty(c.Text, i+1, -1), want, 1e-15)
		}
	}
	o := CosineOptions{}.resolved(1000)
	for _, c := range golden.Cosine {
		near(t, "cosine", o.Reward(c.Right, c.Tokens), c.Reward, 1e-15)
	}
	if len(golden.Texts) < 200 || len(golden.Cosine) != 10 {
		t.Errorf("%d texts and %d lengths", len(golden.Texts), len(golden.Cosine))
	}
}

func TestCosineByHand(t *testing.T) {
	o := CosineOptions{MinWrong: -2, MaxWrong: -1, MinRight: 1, MaxRight: 3, MaxTokens: 12}
	for _, c := range []struct {
		isRight bool
		tokens  int
		want    float64
	}{
		{true, 0, 3}, {true, 4, 2.5}, {true, 6, 2}, {true, 8, 1.5}, {true, 12, 1}, {true, 13, 1}, {true, 24, 1},
		{false, 0, -2}, {false, 6, -1.5}, {false, 12, -1}, {false, 99, -1},
	} {
		near(t, "cosine", o.Reward(c.isRight, c.tokens), c.want, 1e-12)
	}
}

// TestSoftOverlongByHand is DAPO's own setting: punished from 16,384 on, in full beyond 20,480.
func TestSoftOverlongByHand(t *testing.T) {
	for n, want := range map[int]float64{0: 0, 16384: 0, 17408: -0.25, 18432: -0.5, 20480: -1, 20481: -1, 99999: -1} {
		near(t, "overlong", SoftOverlong(n, 20480, 4096), want, 0)
	}
}

func TestRepetitionByHand(t *testing.T) {
	// Of the four pairs "a b", "b a", "a b", "b c" three differ.
	near(t, "pairs", RepetitionPenalty("a b A b c", 2, -0.5), -0.5*0.25, 1e-15)
	near(t, "too short", RepetitionPenalty("a b", 3, -1), 0, 0)
	near(t, "the same word", RepetitionPenalty(strings.Repeat("no ", 10), 3, -1), -0.875, 1e-15)
	near(t, "longer than the text", RepetitionPenalty("a a", 1000, -1), 0, 0)
}

func TestLanguageShareByHand(t *testing.T) {
	for _, c := range []struct {
		text, code string
		want       float64
		ok         bool
	}{
		{"We add both numbers.", "en", 1, true},
		{"We add 两个 numbers.", "en", 3. / 5, true},
		{"We add 两个 numbers.", "zh", 2. / 5, true},
		{"Let x be 3, \\frac{1}{2} и это", "en", 2. / 3, true}, // Let be это
		{"<think>\nно да\n</think>\nanswer in English", "ru", 1, true},
		{"<think>\nно да\n</think>\nanswer in English", "en", 0, true},
		{"3+7=10 ok", "en", 1, true},
		{"3+7=10", "en", 0, false},
		{"<think></think>ok", "en", 0, false},
		{"ひらがな ABC", "ja", 4. / 5, true},
		{"ok", "tlh", 0, false},
	} {
		got, ok := LanguageShare(c.text, c.code)
		near(t, c.text, got, c.want, 1e-15)
		if ok != c.ok {
			t.Errorf("%q in %s: judged %v, want %v", c.text, c.code, ok, c.ok)
		}
	}
}

func TestLengthRewardByHand(t *testing.T) {
	near(t, "shortest right", lengthReward(true, 10, 10, 30), 0.5, 0)
	near(t, "middle right", lengthReward(true, 20, 10, 30), 0, 0)
	near(t, "longest right", lengthReward(true, 30, 10, 30), -0.5, 0)
	near(t, "shortest wrong", lengthReward(false, 10, 10, 30), 0, 0)
	near(t, "longest wrong", lengthReward(false, 25, 10, 30), -0.25, 0)
	near(t, "equal", lengthReward(true, 10, 10, 10), 0, 0)
	g := group{samples: []Sample{
		{Reward: Reward{Verdict: Right}, Tokens: make([]int32, 2)},
		{Reward: Reward{Verdict: CannotJudge}, Tokens: make([]int32, 1)},
		{Reward: Reward{Verdict: Wrong, Other: 1}, Tokens: make([]int32, 6)},
	}}
	g.rewardLengths(2)
	if g.samples[0].Other != 1 || g.samples[1].Other != 0 || g.samples[2].Other != 0 {
		t.Errorf("rewards are %v %v %v, want 1, 0 and 1-1", g.samples[0].Other, g.samples[1].Other, g.samples[2].Other)
	}
}

func TestGradeAddsTheWeightedParts(t *testing.T) {
	in := RewardInput{Verdict: Right, WellFormed: true, Tokens: 90, Text: "<think>\nwe add we add\n</think>\n<answer>\n7\n</answer>"}
	o := RewardOptions{Accuracy: 2, Format: 0.5, ThinkFormat: 0.25, TagCount: 1, Cosine: 1, Repetition: 10, Overlong: 3, Language: 0.125, RepetitionWords: 2}
	o = o.Resolved(100)
	r := o.Grade(&in)
	near(t, "accuracy", r.Accuracy, 2, 0)
	near(t, "format", r.Format, 0.5+0.25+1, 0)
	// Words: <think> we add we add </think> <answer> 7 </answer>: one of eight pairs is said twice.
	cosine := 0.5 + 0.25*(1+math.Cos(0.9*math.Pi))
	near(t, "other", r.Other, cosine-10./8-3*0.5+0.125, 1e-12)
	near(t, "recorded overlong", r.Parts["overlong"], -0.5, 0)
	if len(r.Parts) != 6 {
		t.Errorf("parts are %v, want all but accuracy and format", r.Parts)
	}
}

func TestGradeOfAccuracyAndFormat(t *testing.T) {
	for _, c := range []struct {
		verdict  Verdict
		isFormed bool
		want     float64
	}{{Right, true, 1.25}, {Right, false, 1}, {Wrong, true, 0.25}, {Wrong, false, 0}, {CannotJudge, true, 0}} {
		o := RewardOptions{Accuracy: 1, Format: 0.25}.Resolved(10)
		r := o.Grade(&RewardInput{Verdict: c.verdict, WellFormed: c.isFormed})
		if r.Total() != c.want || r.Verdict != c.verdict || r.WellFormed != c.isFormed || r.Parts != nil {
			t.Errorf("%v, well formed %v: got %+v, want a total of %v", c.verdict, c.isFormed, r, c.want)
		}
	}
}

// TestWhatCannotBeJudgedIsNoReward: a thought without words drops the answer if the language counts.
func TestWhatCannotBeJudgedIsNoReward(t *testing.T) {
	in := RewardInput{Verdict: Right, Text: "<think>\n3+7=10\n</think>"}
	o := RewardOptions{Accuracy: 1, Language: 0.5}.Resolved(10)
	if r := o.Grade(&in); r.Verdict != CannotJudge || r.Total() != 0 || r.Reason == "" {
		t.Errorf("got %+v, want that it cannot be judged", r)
	}
	o.Language = 0
	if r := o.Grade(&in); r.Verdict != Right || r.Total() != 1 {
		t.Errorf("got %+v, want right", r)
	}
}

func TestRewardOptionsDefaultsAndFaults(t *testing.T) {
	o := RewardOptions{}.Resolved(1000)
	if o.Accuracy != 1 || o.Format != 1 || o.OverlongTokens != 1000 || o.OverlongBuffer != 200 || o.CosineValues != (CosineOptions{-1, -0.5, 0.5, 1, 1000}) ||
		o.RepetitionWords != 3 || o.RepetitionPenalty != -1 || o.LanguageCode != "en" {
		t.Errorf("defaults are %+v", o)
	}
	if o := (RewardOptions{Format: 0.1}).Resolved(10); o.Accuracy != 0 {
		t.Error("a weight that was left out became 1")
	}
	for want, o := range map[string]RewardOptions{
		"reward.accuracy":           {Accuracy: math.NaN()},
		"reward.repetition_words":   {RepetitionWords: -1},
		"reward.repetition_penalty": {RepetitionPenalty: 1},
		"reward.overlong_buffer":    {OverlongTokens: 5, OverlongBuffer: 6},
		"reward.language_code":      {LanguageCode: "english"},
		"reward.cosine_values":      {CosineValues: CosineOptions{MinWrong: 1}},
	} {
		if err := o.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: got %v, want an error about %s", o, err, want)
		}
	}
}

func TestRewardTable(t *testing.T) {
	names := map[string]bool{}
	for _, f := range RewardFunctions() {
		if names[f.Name] || f.Source == "" {
			t.Errorf("%q from %q", f.Name, f.Source)
		}
		names[f.Name] = true
	}
	if len(names) != 8 {
		t.Errorf("%d rewards", len(names))
	}
}
