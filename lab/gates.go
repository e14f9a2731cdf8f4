package lab

import (
	"fmt"
	"math"

	"github.com/retort-ml/retort/distill"
	"github.com/retort-ml/retort/eval"
)

// Result is what a lab found.
type Result struct {
	Dir     string       `json:"dir"`
	Command []string     `json:"command"`
	Level   string       `json:"level"`
	Threads int          `json:"threads"`
	Seeds   []SeedResult `json:"seeds"`
	// Gates are the verdicts over all seeds.
	Gates []Gate `json:"gates"`
	// Passed says that every judged gate passed on most seeds.
	Passed bool `json:"passed"`
	// Report is the HTML report, Markdown its text.
	Report   string `json:"report"`
	Markdown string `json:"markdown"`
}

// SeedResult is everything that one seed's report is made of.
type SeedResult struct {
	Seed     uint64                  `json:"seed"`
	Settings Settings                `json:"settings"`
	Stages   []StageResult           `json:"stages"`
	Models   map[string]*ModelResult `json:"-"`
	Summary  []ModelSummary          `json:"models"`
	Sweep    []SweepRow              `json:"sweep"`
	// ControlRate is the learning rate that the sweep chose.
	ControlRate float64        `json:"control_learning_rate"`
	Traces      distill.Counts `json:"traces"`
	// BlindEight is what blind search with eight different attempts solves of the held-out problems.
	BlindEight float64 `json:"blind_eight"`
	// Soundness is about the machinery.
	Soundness Soundness `json:"soundness"`
	Gates     []Gate    `json:"gates"`
}

// BlindLine says what blind search reaches, beside which every result stands.
func (s *SeedResult) BlindLine() string {
	text := fmt.Sprintf("Blind search with %d different attempts solves %s of the held-out problems", s.Settings.attempts(), percent(s.BlindEight))
	if m := s.Models[modelReinforced]; m != nil {
		text += fmt.Sprintf("; with the reinforced model's own patience %s, and the model solves %s", percent(m.BlindRate()), percent(m.PassAt1()))
	}
	return text + "."
}

// SweepRow is one control of the learning-rate sweep.
type SweepRow struct {
	Stage         string  `json:"stage"`
	LearningRate  float64 `json:"learning_rate"`
	TrainAccuracy float64 `json:"train_accuracy"`
	Tokens        int64   `json:"tokens"`
}

// Outcome is the verdict of a gate.
type Outcome string

// The outcomes.
const (
	Pass      Outcome = "PASS"
	Fail      Outcome = "FAIL"
	NotJudged Outcome = "not judged at this size"
)

// Gate is one claim with what was measured. Its threshold is a constant of this package.
type Gate struct {
	Name      string  `json:"name"`
	Claim     string  `json:"claim"`
	Outcome   Outcome `json:"outcome"`
	Value     float64 `json:"value"`
	Low       float64 `json:"low"`
	High      float64 `json:"high"`
	Relation  string  `json:"relation"`
	Threshold float64 `json:"threshold"`
	// Percent says that the numbers are shares.
	Percent bool   `json:"percent"`
	Note    string `json:"note,omitempty"`
	// scientific gates are not judged at the quick size.
	scientific bool
}

// The thresholds. They are the claims, not settings.
const (
	gainThreshold       = 3.0 // GRPO's pass@1 over the base's
	reflectionThreshold = 2.0 // reflections per answer after over before
	studentThreshold    = 0.8 // the distilled student over its teacher
	sameSizeThreshold   = -0.05
	fidelityThreshold   = 0.95
)

// judge fills in the gates of every seed, and over the seeds.
func (r *Result) judge(size Size) {
	for i := range r.Seeds {
		s := &r.Seeds[i]
		s.Summary = s.summarise()
		s.Gates = s.gates()
		for k := range s.Gates {
			if size == Quick && s.Gates[k].scientific {
				s.Gates[k].Outcome = NotJudged
			}
		}
	}
	r.Gates = overSeeds(r.Seeds)
	r.Passed = true
	for _, g := range r.Gates {
		r.Passed = r.Passed && g.Outcome != Fail
	}
}

// gates are the claims of one seed.
func (s *SeedResult) gates() []Gate {
	base, reinforced, distilled := s.Models[modelBase], s.Models[modelReinforced], s.Models[modelDistilled]
	list := append(reinforcementGates(base, reinforced), studentGate(reinforced, distilled), s.controlGate(distilled, s.Models[modelControl]), s.gapGate())
	if same := s.Models[modelSameSize]; same != nil {
		d := difference(same, reinforced)
		list = append(list, verdict(Gate{Name: "(c+)", Claim: "A distilled student of the teacher's size is within 5 points of it",
			Value: d.Value, Low: d.Low, High: d.High, Relation: ">=", Threshold: sameSizeThreshold, Percent: true, scientific: true}, d.Value >= sameSizeThreshold))
	}
	if m := s.Models[modelFidelity]; m != nil {
		list = append(list, verdict(Gate{Name: "(f)", Claim: "With a price on untrue verdicts, verdicts stay true under reinforcement", Value: m.VerdictAccuracy(),
			Relation: ">=", Threshold: fidelityThreshold, Percent: true, scientific: true}, m.VerdictAccuracy() >= fidelityThreshold))
	}
	return append(list, s.Soundness.gates()...)
}

func verdict(g Gate, pass bool) Gate {
	g.Outcome = Fail
	if pass {
		g.Outcome = Pass
	}
	return g
}

// reinforcementGates are (a), in its two halves, and (b).
func reinforcementGates(base, reinforced *ModelResult) []Gate {
	gain := ratio(reinforced.rates(), base.rates(), reinforced.Groups)
	interval := interval(reinforced.rates(), reinforced.Groups)
	reflections := ratio(reinforced.reflectionRates(), base.reflectionRates(), reinforced.Groups)
	return []Gate{
		verdict(Gate{Name: "(a1)", Claim: "GRPO multiplies the base's pass@1", Value: gain.Value, Low: gain.Low, High: gain.High,
			Relation: ">=", Threshold: gainThreshold, scientific: true,
			Note: fmt.Sprintf("%s to %s", percent(base.PassAt1()), percent(reinforced.PassAt1()))}, gain.Value >= gainThreshold),
		verdict(Gate{Name: "(a2)", Claim: "The reinforced model beats blind search with as many attempts", Value: interval.Value, Low: interval.Low, High: interval.High,
			Relation: ">", Threshold: reinforced.BlindRate(), Percent: true, scientific: true, Note: "goal 60 %; the lower end of the interval is judged"},
			interval.Low > reinforced.BlindRate()),
		verdict(Gate{Name: "(b)", Claim: "Reflections per answer grow under GRPO", Value: reflections.Value, Low: reflections.Low, High: reflections.High,
			Relation: ">=", Threshold: reflectionThreshold, scientific: true,
			Note: fmt.Sprintf("%.2f to %.2f; goal 3x", base.Reflections(), reinforced.Reflections())}, reflections.Value >= reflectionThreshold),
	}
}

func studentGate(teacher, student *ModelResult) Gate {
	r := ratio(student.rates(), teacher.rates(), teacher.Groups)
	return verdict(Gate{Name: "(c)", Claim: "The distilled student keeps up with its teacher", Value: r.Value, Low: r.Low, High: r.High,
		Relation: ">=", Threshold: studentThreshold, scientific: true,
		Note: fmt.Sprintf("%s of the teacher's %s", percent(student.PassAt1()), percent(teacher.PassAt1()))}, r.Value >= studentThreshold)
}

// controlGate passes only if the control had at least as many tokens as the distilled student.
func (s *SeedResult) controlGate(distilled, control *ModelResult) Gate {
	d := difference(distilled, control)
	had, learned := s.tokensOf(modelControl), s.tokensOf(modelDistilled)
	return verdict(Gate{Name: "(d)", Claim: "Distillation beats RL alone from the same checkpoint, with at least as many tokens for RL", Value: d.Value, Low: d.Low, High: d.High,
		Relation: ">", Threshold: 0, Percent: true, scientific: true,
		Note: fmt.Sprintf("%s with %d tokens against %s with %d; the lower end of the interval is judged", percent(distilled.PassAt1()), learned, percent(control.PassAt1()), had)},
		d.Low > 0 && had >= learned)
}

func (s *SeedResult) gapGate() Gate {
	gap := 0.0
	for _, r := range s.Stages {
		gap = worseGap(gap, r.MaxGap)
	}
	return verdict(Gate{Name: "(e)", Claim: "Trainer and engine agree on every sampled token's log-probability", Value: gap, Low: gap, High: gap,
		Relation: "=", Threshold: 0, Note: "largest difference over all steps of all stages"}, gap == 0)
}

// worseGap is the larger of two gaps; one that is not a finite number is the largest number there
// is, so that no later gap hides it and JSON can hold it.
func worseGap(a, b float64) float64 {
	if math.IsNaN(b) || math.IsInf(b, 0) {
		return math.MaxFloat64
	}
	return max(a, b)
}

// overSeeds is each gate's verdict over the seeds: it passes if it passes on more than half of
// them; its numbers are the first seed's where there is one seed, and the means otherwise.
func overSeeds(seeds []SeedResult) []Gate {
	if len(seeds) == 0 {
		return nil
	}
	gates := append([]Gate(nil), seeds[0].Gates...)
	if len(seeds) == 1 {
		return gates
	}
	for k := range gates {
		passed, sum, threshold := 0, 0.0, 0.0
		judged := true
		for i := range seeds {
			g := &seeds[i].Gates[k]
			sum += g.Value
			threshold += g.Threshold
			judged = judged && g.Outcome != NotJudged
			if g.Outcome == Pass {
				passed++
			}
		}
		n := float64(len(seeds))
		g := &gates[k]
		g.Value, g.Threshold, g.Low, g.High = sum/n, threshold/n, math.NaN(), math.NaN()
		g.Note = fmt.Sprintf("passed on %d of %d seeds; the value is their mean", passed, len(seeds))
		if judged {
			*g = verdict(*g, 2*passed > len(seeds))
		}
	}
	return gates
}

// interval is the mean of a per-problem value with its interval, clustered by number multiset.
func interval(values []float64, groups []string) eval.Estimate {
	return orNaN(eval.Mean(values, groups, nil))
}

// difference is the paired difference of two models' pass@1 over the same problems.
func difference(a, b *ModelResult) eval.Estimate {
	return orNaN(eval.PairedDifference(a.rates(), b.rates(), a.Groups, nil))
}

// ratio is the ratio of two means over the same problems, with its interval.
func ratio(a, b []float64, groups []string) eval.Estimate {
	return orNaN(eval.PairedRatio(a, b, groups, nil))
}

// orNaN is an estimate that could not be made as one that passes no gate.
func orNaN(e eval.Estimate, err error) eval.Estimate {
	if err != nil {
		return eval.Estimate{Value: math.NaN(), Low: math.NaN(), High: math.NaN()}
	}
	return e
}

// reflectionRates are the reflections per answer, problem by problem.
func (r *ModelResult) reflectionRates() []float64 {
	rates := make([]float64, len(r.ReflectionsOf))
	for i, n := range r.ReflectionsOf {
		rates[i] = float64(n) / float64(r.Samples)
	}
	return rates
}

// percent writes a share.
func percent(x float64) string { return fmt.Sprintf("%.1f %%", 100*x) }

// ModelSummary is one row of the lab's table.
type ModelSummary struct {
	Model       string  `json:"model"`
	Parameters  int     `json:"parameters"`
	PassAt1     float64 `json:"pass_at_1"`
	Low         float64 `json:"low"`
	High        float64 `json:"high"`
	PassAtK     float64 `json:"pass_at_k"`
	K           int     `json:"k"`
	Blind       float64 `json:"blind_search"`
	Reflections float64 `json:"reflections"`
	Converted   float64 `json:"converted"`
	Length      float64 `json:"length"`
	Verdicts    float64 `json:"verdict_accuracy"`
	Tokens      int64   `json:"training_tokens"`
}

// summarise makes a row of each measured model, in the order of the story.
func (s *SeedResult) summarise() []ModelSummary {
	var rows []ModelSummary
	for _, name := range []string{modelBase, modelReinforced, modelStudent, modelDistilled, modelControl, modelOnPolicy, modelAfter, modelSameSize, modelFidelity, modelPlainBase, modelPlain} {
		m := s.Models[name]
		if m == nil {
			continue
		}
		i := interval(m.rates(), m.Groups)
		answers := float64(m.Totals.Traces)
		rows = append(rows, ModelSummary{
			Model: name, Parameters: m.Parameters, PassAt1: i.Value, Low: i.Low, High: i.High, K: m.Samples, PassAtK: m.PassAtK(m.Samples),
			Blind: m.BlindRate(), Reflections: m.Reflections(), Converted: float64(m.Totals.Converted) / answers,
			Length: float64(m.Tokens) / answers, Verdicts: m.VerdictAccuracy(), Tokens: s.tokensOf(name),
		})
	}
	return rows
}

// tokensOf is the number of tokens that carried loss in a model's own stage.
func (s *SeedResult) tokensOf(name string) int64 {
	for _, r := range s.Stages {
		if r.Name == name || name == modelControl && r.Name == s.controlStage() {
			return r.Tokens
		}
	}
	return 0
}

func (s *SeedResult) controlStage() string {
	for _, row := range s.Sweep {
		if row.LearningRate == s.ControlRate {
			return row.Stage
		}
	}
	return ""
}

// PassAtK is the unbiased estimate of solving a problem with k answers.
func (r *ModelResult) PassAtK(k int) float64 {
	values := make([]float64, len(r.Right))
	for i := range values {
		values[i] = math.NaN()
		if r.Judged[i] >= k {
			if p, err := eval.PassAtK(r.Judged[i], r.Right[i], k); err == nil {
				values[i] = p
			}
		}
	}
	return mean(values)
}

// Line writes a gate as one line of text.
func (g *Gate) Line() string {
	value := g.ValueText()
	if g.Low < g.High {
		low, high := Gate{Value: g.Low, Percent: g.Percent}, Gate{Value: g.High, Percent: g.Percent}
		value += fmt.Sprintf(" [%s, %s]", low.ValueText(), high.ValueText())
	}
	threshold := Gate{Value: g.Threshold, Percent: g.Percent}
	line := fmt.Sprintf("%-4s %-5s %s: %s, want %s %s", g.Outcome, g.Name, g.Claim, value, g.Relation, threshold.ValueText())
	if g.Note != "" {
		line += " (" + g.Note + ")"
	}
	return line
}

// ModelTitle is the name of a model for people.
func ModelTitle(model string) string { return modelTitles[model] }

// Sound says that every gate about the machinery passed; those about science are findings.
func (r *Result) Sound() bool {
	for i := range r.Gates {
		if !r.Gates[i].scientific && r.Gates[i].Outcome == Fail {
			return false
		}
	}
	return true
}
