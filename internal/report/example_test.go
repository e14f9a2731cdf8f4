package report

import (
	"flag"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

var writeDir = flag.String("write", "", "write the example document to this folder, to be looked at")

// curve returns n values that rise from a to b along a saturating curve with noise.
func curve(r *rand.Rand, n int, a, b, rate, noise float64) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = a + (b-a)*(1-math.Exp(-rate*float64(i)/float64(n))) + noise*r.NormFloat64()
	}
	return out
}

func shift(v []float64, by float64) []float64 {
	out := make([]float64, len(v))
	for i := range v {
		out[i] = v[i] + by
	}
	return out
}

// exampleDocument is a report such as a laboratory would compose. Its numbers are made up.
func exampleDocument() *Document {
	r := rand.New(rand.NewPCG(1, 2))
	return &Document{
		Title:    "A reasoning model from nothing",
		Subtitle: "A 0.8M-parameter model learns countdown, is reinforced with GRPO, and teaches a smaller one. Seed 1, 200 steps, 11 min 42 s on 2 cores.",
		Sections: []Section{
			{Title: "What happened", Blocks: []Block{
				&Figures{Items: []Figure{
					{"61.2%", "pass@1 after GRPO", "base 11.8%, blind search 40.3%"},
					{"4.6×", "reflections per answer", "0.49 before, 2.25 after"},
					{"57.9%", "distilled student", "0.35M parameters, 0.95 of its teacher"},
					{"0", "log-probability gap", "engine against trainer, bit for bit"},
				}},
				&Paragraph{Text: "No prompt asks for checking or for a second attempt. The base model knows how to check and to try again, and stops too early; the reward says only whether the answer is right."},
				exampleGates(),
				&Note{Tone: Bad, Title: "False verdicts grow.", Text: "From step 90 the model says “ok” to attempts that miss the target. The reward cannot see it. Add the verifier-fidelity penalty, or lower the learning rate."},
			}},
			{Title: "Reinforcement over steps", Blocks: exampleCurves(r)},
			{Title: "Distilled against reinforced", Blocks: exampleComparison(r)},
			{Title: "Transcripts", Blocks: exampleTranscripts()},
			{Title: "The paper's table, in miniature", Blocks: []Block{examplePaperTable()}},
			{Title: "How to make this report again", Blocks: []Block{
				&Code{Caption: "The run is deterministic: the same command gives the same bits.", Language: "sh", Text: "go run ./cmd/retort lab --seed 1"},
				&Facts{Title: "Manifest", Folded: true, Items: []Fact{{"seed", "1"}, {"kernel level", "avx2"}, {"weights sha256", "9f3c1c1a0e1d6a0b6b3e0f3c8c1f4f2a9f3c1c1a0e1d6a0b6b3e0f3c8c1f4f2a"}, {"train problems", "8,112 multisets, none of them held out"}}},
			}},
		},
		Footer: "Made by retort lab. The figures are means over 1,000 held-out problems with 95% intervals, clustered by number multiset.",
	}
}

func exampleGates() *Gates {
	return &Gates{Items: []Gate{
		{Name: "(a)", Claim: "GRPO pass@1 is at least three times the base", Outcome: Pass, Value: 5.19, Low: 4.71, High: 5.74, Relation: "≥", Threshold: 3},
		{Name: "(a)", Claim: "GRPO pass@1 is above blind search with the same attempts", Outcome: Pass, Format: Percent, Value: 0.612, Low: 0.588, High: 0.636, Relation: ">", Threshold: 0.403},
		{Name: "(b)", Claim: "Reflections per answer at least double", Outcome: Pass, Value: 4.6, Low: 4.1, High: 5.2, Relation: "≥", Threshold: 2},
		{Name: "(c)", Claim: "The distilled student reaches 0.8 of its teacher", Outcome: Pass, Value: 0.946, Low: 0.911, High: 0.982, Relation: "≥", Threshold: 0.8},
		{Name: "(d)", Claim: "The student trained by RL alone is lower than the distilled one", Outcome: Fail, Format: Percent, Value: 0.018, Low: -0.006, High: 0.043, Relation: ">", Threshold: 0, Note: "Best of three learning rates: 1e-3. The interval of the difference holds 0."},
		{Name: "(e)", Claim: "Largest log-probability gap between engine and trainer", Outcome: Pass, Value: 0, Relation: "=", Threshold: 0},
		{Name: "(f)", Claim: "Reflection emerges in a base that has never seen it", Outcome: NotJudged, Value: math.NaN(), Note: "Not judged at this size; run with --full."},
	}}
}

func exampleCurves(r *rand.Rand) []Block {
	const n = 200
	train := curve(r, n, 0.12, 0.66, 4.5, 0.035)
	var at, held, low, high []float64
	for i := 0; i <= n; i += 20 {
		v := 0.118 + 0.494*(1-math.Exp(-4.5*float64(i)/n))
		at, held, low, high = append(at, float64(i)), append(held, v), append(low, v-0.024), append(high, v+0.024)
	}
	turns := curve(r, n, 0.49, 2.3, 3.2, 0.09)
	turns[60] = math.NaN()
	return []Block{
		&LineChart{Title: "Accuracy", Caption: "The training reward runs ahead of the held-out problems; the band is the 95% interval of 1,000 of them.", Wide: true,
			X: Axis{Label: "GRPO step", Format: Count}, Y: Axis{Label: "share of right answers", Format: Percent},
			Series:     []Series{{Name: "training batch", Y: train, Smooth: 9}, {Name: "held-out pass@1", X: at, Y: held, Low: low, High: high}},
			Markers:    []Marker{{At: 50, Label: "reference replaced"}, {At: 100, Label: "reference replaced"}, {At: 117, Label: "first turn-back that succeeds twice"}},
			References: []Reference{{At: 0.403, Label: "blind search, same attempts"}}},
		&LineChart{Title: "Length of an answer", X: Axis{Label: "GRPO step"}, Y: Axis{Label: "tokens"},
			Series: []Series{{Name: "right answers", Y: curve(r, n, 24, 58, 2.5, 2.2), Smooth: 9}, {Name: "wrong answers", Y: curve(r, n, 29, 84, 2, 3.1), Smooth: 9}}},
		&LineChart{Title: "Reflections per answer", X: Axis{Label: "GRPO step"}, Y: Axis{Label: "“wait” after a “no”"},
			Series: []Series{{Name: "turn-backs", Y: turns, Smooth: 9}}},
		&LineChart{Title: "Learning rate and gradient norm", X: Axis{Label: "step"}, Y: Axis{Label: "norm before clipping", Log: true},
			Series: []Series{{Name: "gradient norm", Y: curve(r, n, 2.4, 0.08, 5, 0.012)}, {Name: "clip", Y: shift(make([]float64, n), 1), Dashed: true}}},
		&LineChart{Title: "False verdicts by attempt", Caption: "Share of verdicts that do not tell the truth. The last attempts lie most.", X: Axis{Label: "attempt"}, Y: Axis{Label: "share of false verdicts", Format: Percent},
			Series: []Series{
				{Name: "base", X: []float64{1, 2, 3, 4, 5, 6, 7, 8}, Y: []float64{0.004, 0.006, 0.005, 0.011, 0.009, math.NaN(), math.NaN(), math.NaN()}},
				{Name: "after GRPO", X: []float64{1, 2, 3, 4, 5, 6, 7, 8}, Y: []float64{0.006, 0.012, 0.031, 0.074, 0.121, 0.158, 0.204, 0.311},
					Low: []float64{0.003, 0.008, 0.022, 0.058, 0.099, 0.128, 0.162, 0.24}, High: []float64{0.01, 0.017, 0.042, 0.093, 0.146, 0.191, 0.25, 0.39}}}},
	}
}

func exampleComparison(r *rand.Rand) []Block {
	before, after := make([]float64, 1000), make([]float64, 1000)
	for i := range before {
		before[i] = math.Round(22 + 9*r.ExpFloat64())
		after[i] = math.Min(118, math.Round(28+28*r.ExpFloat64()))
	}
	return []Block{
		&BarChart{Title: "pass@1 on held-out problems", Caption: "1,000 problems, 8 samples each, 95% intervals.", Value: Axis{Format: Percent},
			Groups: []string{"base 0.8M", "GRPO 0.8M (teacher)", "distilled 0.35M", "RL only 0.35M", "on-policy distilled 0.35M", "RL after distillation"},
			Series: []BarSeries{{Values: []float64{0.118, 0.612, 0.579, 0.561, 0.603, 0.618}, Low: []float64{0.103, 0.588, 0.554, 0.536, 0.579, 0.594},
				High: []float64{0.134, 0.636, 0.604, 0.586, 0.627, 0.642}, Colours: []int{6, 1, 2, 3, 4, 5}}},
			References: []Reference{{At: 0.403, Label: "blind search"}}},
		&BarChart{Title: "Does RL expand or sharpen?", Caption: "What the base finds in eight tries, the reinforced model finds in one.", Value: Axis{Format: Percent},
			Groups: []string{"base", "after GRPO", "distilled"},
			Series: []BarSeries{{Name: "pass@1", Values: []float64{0.118, 0.612, 0.579}, Low: []float64{0.103, 0.588, 0.554}, High: []float64{0.134, 0.636, 0.604}},
				{Name: "pass@8", Values: []float64{0.487, 0.846, 0.802}, Low: []float64{0.46, 0.82, 0.78}, High: []float64{0.51, 0.87, 0.82}}}},
		&BarChart{Title: "Conversion", Caption: "Answers that became right after a reflection.", Value: Axis{Format: Percent}, Groups: []string{"base", "after GRPO", "distilled"},
			Series: []BarSeries{{Values: []float64{0.037, 0.412, math.NaN()}, Low: []float64{0.03, 0.38, 0}, High: []float64{0.045, 0.44, 0}}}},
		&Histogram{Title: "Tokens in an answer", X: Axis{Label: "tokens"}, Series: []HistogramSeries{{Name: "base", Values: before, Colour: 6}, {Name: "after GRPO", Values: after, Colour: 1}}},
	}
}

func exampleTranscripts() []Block {
	return []Block{
		&Transcript{Title: "The first successful turn-back", Result: "right", Tone: Good, Note: "Step 31, sample 5 of problem 214. The first answer in the run that is right because of a second attempt.", Spans: []Span{
			{PromptText, "<|user|>Use 3, 7, 11 to make 32.<|assistant|>"}, {Thought, "<think>\n"},
			{Attempt, "3+7=10 10+11=21"}, {TrueVerdict, " no"}, {Thought, "\n"}, {TurnBack, "wait"}, {Thought, " "}, {Attempt, "3*7=21 21+11=32"}, {TrueVerdict, " ok"},
			{Thought, "\n</think>\n"}, {Answer, "<answer>(3*7)+11</answer>"}, {Thought, "<|end|>"}}},
		&Transcript{Title: "A lie on the fourth attempt", Result: "wrong", Tone: Bad, Note: "Step 180. It turns back from the right attempt, and then says ok to a wrong one.", Spans: []Span{
			{PromptText, "<|user|>Use 4, 8, 19 to make 31.<|assistant|>"}, {Thought, "<think>\n"},
			{Attempt, "4*8=32 32+19=51"}, {TrueVerdict, " no"}, {Thought, "\n"}, {TurnBack, "wait"}, {Thought, " "}, {Attempt, "19-8=11 11+4=15"}, {TrueVerdict, " no"}, {Thought, "\n"},
			{TurnBack, "wait"}, {Thought, " "}, {Attempt, "4+8=12 12+19=31"}, {FalseVerdict, " no"}, {Thought, "\n"},
			{TurnBack, "wait"}, {Thought, " "}, {Attempt, "19+8=27 27*4=31"}, {FalseVerdict, " ok"}, {Thought, "\n</think>\n"}, {Answer, "<answer>(19+8)*4</answer>"}, {Thought, "<|end|>"}}},
		&Transcript{Title: "Giving up", Folded: true, Result: "gave up", Spans: []Span{
			{PromptText, "<|user|>Use 1, 2, 20 to make 97.<|assistant|>"}, {Thought, "<think>\n"}, {Attempt, "1+2=3 3*20=60"}, {TrueVerdict, " no"}, {GiveUp, "\n</think>\n<answer>none</answer>"}}},
	}
}

func examplePaperTable() *Table {
	strong := func(r Row, columns ...int) Row {
		for _, c := range columns {
			r.Cells[c].Strong = true
		}
		return r
	}
	return &Table{
		Columns: []Column{{Title: "Model"}, {"Parameters", true}, {"pass@1", true}, {"95% interval", true}, {"pass@8", true}, {"cons@8", true}, {"Turn-backs", true}, {"True verdicts", true}},
		Rows: []Row{
			{Heading: "This run, countdown-3"},
			Cells("base", "0.80M", "11.8", "[10.3, 13.4]", "48.7", "14.1", "0.49", "99.1"),
			strong(Cells("reinforced (GRPO)", "0.80M", "61.2", "[58.8, 63.6]", "84.6", "66.0", "2.25", "87.4"), 2, 4, 5),
			Cells("RL only", "0.35M", "56.1", "[53.6, 58.6]", "77.3", "60.2", "1.98", "84.9"),
			Cells("distilled", "0.35M", "57.9", "[55.4, 60.4]", "80.2", "62.5", "2.17", "88.0"),
			Cells("on-policy distilled", "0.35M", "60.3", "[57.9, 62.7]", "82.9", "64.4", "2.20", "88.3"),
			{Heading: "Published, DeepSeek-R1 (2025), AIME 2024"},
			Cells("Qwen-32B-Zero (RL only)", "32B", "47.0", "", "", "60.0", "", ""),
			strong(Cells("R1-Distill-Qwen-32B", "32B", "72.6", "", "", "83.3", "", ""), 2, 5),
		},
		Note: "pass@1 and cons@8 in percent. The published rows are another task at another size: they are here for the shape of the claim, not for comparison.",
	}
}

// TestExampleDocument renders everything once; with -write it leaves the files.
func TestExampleDocument(t *testing.T) {
	d := exampleDocument()
	page, err := HTML(d)
	if err != nil {
		t.Fatal(err)
	}
	text, err := Markdown(d)
	if err != nil {
		t.Fatal(err)
	}
	if len(page) > 600<<10 {
		t.Errorf("page: got %d bytes, want at most 600 KiB", len(page))
	}
	files := map[string][]byte{"example.html": page, "example.md": text}
	for name, o := range map[string]*SVGOptions{"auto.svg": nil, "dark-wide.svg": {Theme: Dark, Wide: true}} {
		if files[name], err = SVG(d.Sections[1].Blocks[0].(Chart), o); err != nil {
			t.Fatal(err)
		}
	}
	if *writeDir == "" {
		return
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(*writeDir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
