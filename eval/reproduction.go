package eval

import (
	"fmt"
	"math"
)

// Deviation is a setting that differs from the published protocol, or that decides as much and could not be compared.
type Deviation struct {
	Setting   string `json:"setting"`
	Ours      string `json:"ours"`
	Published string `json:"published"`
	Cost      string `json:"cost"`   // what the difference usually costs
	Source    string `json:"source"` // of the figures in Cost
}

// Where the costs of deviations are reported.
const (
	sourceCard    = "DeepSeek-R1 model card, usage recommendations"
	sourceV2      = "DeepSeek-R1, arXiv:2501.12948v2, evaluation setup"
	sourceReports = "reports by users of open-r1: huggingface/open-r1 97, 194, 224, 242, 269, 655"
	sourceGreedy  = "huggingface/open-r1, pull request 392; DeepSeek-R1 model card"
	sourceSober   = "Hochlehnert et al. 2025, arXiv:2504.07086"
	sourceFormula = "sqrt(p (1-p) / (k n)) at p = 28.9 %, n = 30: R1-Distill-Qwen-1.5B on AIME 2024"
)

// deviationFinder compares one setting; false where nothing differs.
type deviationFinder func(p *Plan, b *Benchmark) (Deviation, bool)

// The settings, those that cost most first.
var deviationFinders = []deviationFinder{
	tokenLimitDeviation, temperatureDeviation, topPDeviation, samplesDeviation, promptDeviation, systemDeviation, thoughtDeviation, templateDeviation, problemsDeviation, gradingDeviation,
}

// Deviations names each setting of a plan that differs from the protocol by which DeepSeek-R1's table was made.
func Deviations(p *Plan, b *Benchmark) []Deviation {
	var list []Deviation
	for _, find := range deviationFinders {
		if d, ok := find(p, b); ok {
			list = append(list, d)
		}
	}
	return list
}

func tokenLimitDeviation(p *Plan, b *Benchmark) (Deviation, bool) {
	limit, why := p.MaxTokens, ""
	if p.Context > 0 && (limit == 0 || p.Context < limit) {
		limit, why = p.Context, ", the model's positions, prompt included"
	}
	ours := fmt.Sprint(limit) + why
	if limit == 0 {
		ours = "whatever the endpoint allows"
	}
	return Deviation{"token limit", ours, fmt.Sprint(b.MaxTokens),
		"long thoughts are cut and count as wrong: R1-Distill-Qwen-32B gets 3.3 to 20 % on AIME 2024 at 2k to 8k tokens, and 72.6 % at 32k", sourceReports}, limit != b.MaxTokens
}

func temperatureDeviation(p *Plan, b *Benchmark) (Deviation, bool) {
	d := Deviation{"temperature", fmt.Sprint(p.Temperature), fmt.Sprint(b.Temperature),
		"0.5 to 0.7 is recommended; above it the answers grow incoherent, and one run of the same model lies anywhere from 20 to 33 % on AIME 2024", sourceReports}
	if p.Temperature == 0 {
		d.Cost, d.Source = "greedy R1-like models repeat themselves without end, and one sample cannot be averaged", sourceGreedy
	}
	return d, p.Temperature != b.Temperature
}

func topPDeviation(p *Plan, b *Benchmark) (Deviation, bool) {
	return Deviation{"top-p", fmt.Sprint(p.TopP), fmt.Sprint(b.TopP),
		"without a cut the unlikely 5 % are sampled, too; over thousands of tokens that usually costs a little accuracy and never gains any; no figure is published", sourceV2}, p.TopP != b.TopP
}

func samplesDeviation(p *Plan, b *Benchmark) (Deviation, bool) {
	points := func(k int) float64 { return 100 * math.Sqrt(0.289*(1-0.289)/float64(30*k)) }
	return Deviation{"samples per problem (k)", fmt.Sprint(p.Samples), fmt.Sprintf("%d (%s)", b.Samples, b.SamplesFrom),
		fmt.Sprintf("no bias, but noise: on AIME 2024 the sampling error alone is %.1f points at k = %d, and %.1f at k = 64", points(p.Samples), p.Samples, points(64)), sourceFormula}, p.Samples != b.Samples
}

func promptDeviation(p *Plan, b *Benchmark) (Deviation, bool) {
	d := Deviation{"prompt", "another wording", "the problem, then: " + mathsDirective[1:],
		"an answer that is asked for in another form is not found: MATH-500 of R1-Distill-Qwen-1.5B moved from 81.6 to 75.6 % by extraction alone", sourceReports}
	if b.Kind != Maths {
		d.Published, d.Cost, d.Source = "not published word for word", "unknown; the wording here is ours", sourceV2
		return d, true
	}
	return d, p.Prompt != b.Prompt
}

func systemDeviation(p *Plan, _ *Benchmark) (Deviation, bool) {
	return Deviation{"system role", fmt.Sprintf("%.60q", p.System), "none",
		"the distilled models were trained without one: instructions belong to the user's turn", sourceCard}, p.System != ""
}

func thoughtDeviation(p *Plan, _ *Benchmark) (Deviation, bool) {
	d := Deviation{"opened thought", "no", "every reply begins with <think> and a line break",
		"the models sometimes skip thinking, and then answer like their base; see the rate of replies without a thought", sourceCard}
	if p.Thought == "" {
		d.Ours = "the endpoint's template decides"
	}
	return d, p.Thought != ThoughtForced
}

func templateDeviation(p *Plan, _ *Benchmark) (Deviation, bool) {
	d := Deviation{"chat template", "the model's own, sha256 " + p.Template, "that of the model's repository, whose sha256 is not in the paper",
		"a template that was changed on conversion moves results by points; compare this hash with that of the repository's tokenizer_config.json", sourceReports}
	switch {
	case p.Endpoint != "":
		d.Ours = "the endpoint's, not seen"
	case p.Template == "":
		d.Ours = "none: the lab's form"
	}
	return d, true
}

func problemsDeviation(p *Plan, b *Benchmark) (Deviation, bool) {
	return Deviation{"problems", fmt.Sprint(p.Problems), fmt.Sprint(b.Problems),
		"another set: on AIME the choice of 30 problems alone has a standard error of up to 8 points", sourceSober}, b.Problems > 0 && p.Problems != b.Problems
}

func gradingDeviation(p *Plan, _ *Benchmark) (Deviation, bool) {
	return Deviation{"grading", fmt.Sprint(p.Grading), "no options",
		"grading alone has moved MATH-500 of R1-Distill-Qwen-7B from 91.8 to 83.8 %", sourceReports}, len(p.Grading) > 0
}
