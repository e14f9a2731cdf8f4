package lab

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"

	"github.com/retort-ml/retort/behaviour"
	"github.com/retort-ml/retort/engine"
	"github.com/retort-ml/retort/model"
	"github.com/retort-ml/retort/task"
	"github.com/retort-ml/retort/verify"
)

// ModelResult is what one model did with the held-out problems.
type ModelResult struct {
	Model      string `json:"model"`
	Parameters int    `json:"parameters"`
	Problems   int    `json:"problems"`
	Samples    int    `json:"samples"` // per problem
	// Right[i] is the number of right answers to problem i, Judged[i] of answers that could be judged.
	Right  []int `json:"right"`
	Judged []int `json:"judged"`
	// ReflectionsOf[i] is the number of reflections in all answers to problem i.
	ReflectionsOf []int `json:"reflections_of"`
	// Groups are the problems' clusters.
	Groups []string `json:"groups"`
	// Patience[k] is the share of traces that, having failed k times, made another attempt.
	Patience []float64 `json:"patience"`
	// Blind[i] is what blind search without replacement and with the model's own patience would solve
	// of problem i: it tries another attempt after k failures as often as the model does.
	Blind []float64 `json:"blind"`
	// Tokens and RightTokens are the lengths of all and of the right answers, added up.
	Tokens      int `json:"tokens"`
	RightTokens int `json:"right_tokens"`
	// Truncated answers ran out of tokens.
	Truncated int              `json:"truncated"`
	Totals    behaviour.Totals `json:"totals"`
	// TurnBack is a right answer that needed a reflection, for the report; its text is "" if there is none.
	TurnBack Shown `json:"turn_back"`
}

// Shown is an answer for the report.
type Shown struct {
	Problem task.Problem `json:"problem"`
	Text    string       `json:"text"`
}

// evaluateAll measures every model of the story.
func (s *seedRun) evaluateAll(ctx context.Context) error {
	names := []string{modelBase, modelReinforced, modelStudent, modelDistilled, modelControl, modelOnPolicy, modelAfter}
	if s.settings.Size == Full {
		names = append(names, modelSameSize, modelFidelity, modelPlainBase, modelPlain)
	}
	problems, err := s.task.Problems(task.HeldOut, s.seed, s.settings.Evaluation.Problems)
	if err != nil {
		return err
	}
	sum := 0.0
	for _, p := range problems {
		odds, err := s.task.Odds(p)
		if err != nil {
			return err
		}
		sum += odds.Blind(s.settings.attempts())
	}
	s.result.BlindEight = sum / float64(len(problems))
	for _, name := range names {
		samples := s.settings.Evaluation.Samples
		if name == modelBase {
			samples = s.settings.Evaluation.BaseSamples
		}
		r, err := s.evaluate(ctx, name, problems, samples)
		if err != nil {
			return err
		}
		s.result.Models[name] = r
	}
	return nil
}

// evaluate measures one model, or reads the result of an earlier call.
func (s *seedRun) evaluate(ctx context.Context, name string, problems []task.Problem, samples int) (*ModelResult, error) {
	path := filepath.Join(s.dir, "evaluation", name+".json")
	if text, err := os.ReadFile(path); err == nil {
		r := &ModelResult{}
		if err := json.Unmarshal(text, r); err != nil {
			return nil, fmt.Errorf("lab: %s: %w", path, err)
		}
		return r, nil
	}
	s.event(Event{Seed: s.seed, Stage: "evaluation", Title: "Evaluation of " + name, Kind: "begin"})
	r, err := s.measure(ctx, s.models[name], problems, samples, s.seed)
	if err != nil {
		return nil, err
	}
	r.Model = name
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("lab: %w", err)
	}
	s.event(Event{Seed: s.seed, Stage: "evaluation", Title: "Evaluation of " + name, Kind: "end",
		Text: fmt.Sprintf("pass@1 %.1f %%, %.2f reflections an answer", 100*r.PassAt1(), r.Reflections())})
	return r, writeJSON(path, r)
}

// measure samples answers to the problems and counts what they do.
func (s *seedRun) measure(ctx context.Context, m *model.Model, problems []task.Problem, samples int, seed uint64) (*ModelResult, error) {
	e, err := s.newEngine(m)
	if err != nil {
		return nil, err
	}
	requests := make([]engine.Request, len(problems))
	for i, p := range problems {
		requests[i] = engine.Request{
			Prompt: s.tokenizer.Encode(p.Prompt), MaxTokens: s.settings.MaxNewTokens, Stop: []int32{s.end}, Samples: samples,
			Temperature: float32(s.settings.Evaluation.Temperature),
			// Seeds of evaluation stand apart from those of training, which count from the run's seed.
			Seed: engine.Seed{Run: ^seed, Problem: uint64(i)},
		}
	}
	answers, err := e.Generate(ctx, requests)
	if err != nil {
		return nil, err
	}
	r := &ModelResult{
		Parameters: m.NumParameters(), Problems: len(problems), Samples: samples, Right: make([]int, len(problems)),
		Judged: make([]int, len(problems)), ReflectionsOf: make([]int, len(problems)), Blind: make([]float64, len(problems)),
	}
	p := patience{most: s.settings.attempts()}
	for i := range problems {
		r.Groups = append(r.Groups, problems[i].Group)
		s.countAnswers(r, &p, i, &problems[i], answers[i*samples:(i+1)*samples])
	}
	r.Patience = p.shares()
	for i := range problems {
		odds, err := s.task.Odds(problems[i])
		if err != nil {
			return nil, err
		}
		r.Blind[i] = blindSearch(odds, r.Patience)
	}
	return r, nil
}

func (s *seedRun) countAnswers(r *ModelResult, patient *patience, i int, p *task.Problem, answers []engine.Result) {
	for _, a := range answers {
		text := s.tokenizer.Decode(a.Tokens)
		trace := s.task.Trace(*p, text)
		r.Totals.Add(trace)
		r.Tokens += len(a.Tokens)
		r.ReflectionsOf[i] += trace.Reflections
		patient.add(&trace)
		if a.Finish == engine.FinishLength {
			r.Truncated++
		}
		switch s.task.Grade(*p, text).Outcome {
		case verify.Right:
			r.Right[i]++
			r.Judged[i]++
			r.RightTokens += len(a.Tokens)
			if trace.Converted && r.TurnBack.Text == "" {
				r.TurnBack = Shown{*p, text}
			}
		case verify.Wrong:
			r.Judged[i]++
		}
	}
}

// pilot is a control's accuracy on training problems after its last step, by which the sweep
// chooses: the held-out problems have no part in it.
func (s *seedRun) pilot(ctx context.Context, name string) (float64, error) {
	path := filepath.Join(s.dir, name, "pilot.json")
	var score float64
	if text, err := os.ReadFile(path); err == nil {
		if err := json.Unmarshal(text, &score); err != nil {
			return 0, fmt.Errorf("lab: %s: %w", path, err)
		}
		return score, nil
	}
	problems, err := s.task.Problems(task.Train, s.seed, max(1, s.settings.Evaluation.Problems/4))
	if err != nil {
		return 0, err
	}
	r, err := s.measure(ctx, s.models[name], problems, s.settings.Evaluation.Samples, s.seed)
	if err != nil {
		return 0, err
	}
	return r.PassAt1(), writeJSON(path, r.PassAt1())
}

// rates are the shares of right answers, problem by problem; NaN where nothing could be judged.
func (r *ModelResult) rates() []float64 {
	rates := make([]float64, len(r.Right))
	for i := range rates {
		rates[i] = math.NaN()
		if r.Judged[i] > 0 {
			rates[i] = float64(r.Right[i]) / float64(r.Judged[i])
		}
	}
	return rates
}

// PassAt1 is the mean over problems of the share of right answers.
func (r *ModelResult) PassAt1() float64 { return mean(r.rates()) }

// BlindRate is the mean of what blind search with the model's patience would solve.
func (r *ModelResult) BlindRate() float64 { return mean(r.Blind) }

// Reflections is the number of reflections per answer.
func (r *ModelResult) Reflections() float64 {
	return float64(r.Totals.Reflections) / float64(max(1, r.Totals.Traces))
}

// VerdictAccuracy is the share of verdicts that told the truth.
func (r *ModelResult) VerdictAccuracy() float64 {
	said, untrue := r.Totals.Verdicts()
	if said == 0 {
		return math.NaN()
	}
	return 1 - float64(untrue)/float64(said)
}

// mean leaves out what is not a number.
func mean(x []float64) float64 {
	sum, n := 0.0, 0
	for _, v := range x {
		if !math.IsNaN(v) {
			sum += v
			n++
		}
	}
	if n == 0 {
		return math.NaN()
	}
	return sum / float64(n)
}
