package eval

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/retort-ml/retort/chat"
	"github.com/retort-ml/retort/engine"
	"github.com/retort-ml/retort/llm"
	"github.com/retort-ml/retort/runstore"
	"github.com/retort-ml/retort/verify"
)

// Evaluation draws the samples of a plan that its record does not hold yet, judges them and records each.
type Evaluation struct {
	Record    *Record // what is there already
	Store     *runstore.Run
	Generator llm.Generator
	// Render is what the generator's model reads, for the record and for the question whether a problem fits; nil where
	// an endpoint renders. Its error means that this problem cannot be asked.
	Render func([]chat.Message) (chat.Prompt, error)
	Code   JudgeCode // of programs; nil: they are Unknown
	// Batch is the number of samples that the generator is handed at a time; 0 means 64, and all of them at once for one
	// that hands over replies one by one.
	Batch    int
	Energy   *EnergyMeter   // nil: not measured
	Progress func(Progress) // nil is fine

	began   time.Time
	before  int       // samples done when Run began
	at      time.Time // when the last step was recorded
	failed  map[unit]error
	courses map[int]*course
	stats   Progress
}

// Progress is how far an evaluation is.
type Progress struct {
	Done   int `json:"done"`  // samples that are kept, or failed
	Total  int `json:"total"` // those that will be drawn as far as it is known: a decided vote spares some
	Right  int `json:"right"` // of the judged
	Judged int `json:"judged"`
	Failed int `json:"failed"` // that the generator could not give; the next call tries again
	Tokens int `json:"tokens"` // sampled by this call
}

// unit is one sample of one question.
type unit struct{ question, sample int }

// span is several samples of a question, one after the other.
type span struct{ question, first, count int }

// Ask records the questions that the record does not hold yet. It comes before the first Run.
func (e *Evaluation) Ask(questions []Question) error {
	for i := range questions {
		q := questions[i]
		if at, ok := e.Record.place[q.ID]; ok {
			if old := &e.Record.Questions[at]; old.Text != q.Text || old.Gold != q.Gold {
				return fmt.Errorf("eval: %s: %s was another problem when the run began: the data has changed", e.Record.Dir, q.ID)
			}
			continue
		}
		e.render(&q)
		if err := e.Record.addQuestion(&q); err != nil {
			return fmt.Errorf("eval: %w", err)
		}
		if err := e.Store.AppendSample(recordLine{Question: &q}); err != nil {
			return fmt.Errorf("eval: %w", err)
		}
	}
	if len(e.Record.Questions) != len(questions) {
		return fmt.Errorf("eval: %s holds %d problems, the data has %d", e.Record.Dir, len(e.Record.Questions), len(questions))
	}
	return nil
}

// render notes what the model will read, and whether it can.
func (e *Evaluation) render(q *Question) {
	messages := e.Record.Plan.Messages(q)
	hash := sha256.New()
	for _, m := range messages {
		fmt.Fprintf(hash, "%s\n%d\n%s\n", m.Role, len(m.Content), m.Content)
	}
	q.Opens = e.Record.Plan.Thought == ThoughtForced // by an endpoint, if nobody renders here
	if e.Render != nil {
		prompt, err := e.Render(messages)
		if err != nil {
			q.Refused = err.Error()
			return
		}
		hash.Reset()
		for _, id := range prompt.IDs {
			fmt.Fprintf(hash, "%d\n", id)
		}
		q.PromptTokens, q.Opens = len(prompt.IDs), prompt.State == chat.Thinking
		if most := e.Record.Plan.Context; most > 0 && len(prompt.IDs) >= most {
			q.Refused = fmt.Sprintf("the prompt has %d tokens, the model %d positions", len(prompt.IDs), most)
		}
	}
	q.Prompt = hex.EncodeToString(hash.Sum(nil))
}

// Run draws what is missing. When ctx is cancelled it has recorded every reply that was whole, and returns ctx's error.
// Samples that the generator could not give are missing: the first of their errors is returned after all others were drawn.
func (e *Evaluation) Run(ctx context.Context) error {
	e.failed, e.courses, e.at = map[unit]error{}, map[int]*course{}, time.Now()
	e.recount()
	e.began, e.before = e.at, e.stats.Done
	e.Energy.start()
	for {
		batch := e.next()
		if len(batch) == 0 {
			return e.missing()
		}
		if err := e.draw(ctx, batch); err != nil {
			return fmt.Errorf("eval: %w", err)
		}
	}
}

// Began returns when the last Run began.
func (e *Evaluation) Began() time.Time { return e.began }

// Before returns how many samples were done when the last Run began.
func (e *Evaluation) Before() int { return e.before }

// missing is the first failure, if there was one.
func (e *Evaluation) missing() error {
	for i := range e.Record.Questions {
		for j := range e.Record.Plan.Samples {
			if err := e.failed[unit{i, j}]; err != nil {
				return fmt.Errorf("eval: %d samples are missing; the first, sample %d of %s: %w", len(e.failed), j, e.Record.Questions[i].ID, err)
			}
		}
	}
	return nil
}

// next chooses the next samples to draw, problem by problem in the order of asking.
func (e *Evaluation) next() []span {
	most := e.Batch
	if _, ok := e.Generator.(llm.Streamer); ok && most == 0 {
		most = int(^uint(0) >> 1)
	} else if most == 0 {
		most = 64
	}
	var spans []span
	for i := range e.Record.Questions {
		if e.Record.Questions[i].Refused != "" {
			continue
		}
		for _, j := range e.wanted(i) {
			if n := len(spans); n > 0 && spans[n-1].question == i && spans[n-1].first+spans[n-1].count == j {
				spans[n-1].count++
			} else {
				spans = append(spans, span{i, j, 1})
			}
			if most--; most == 0 {
				return spans
			}
		}
	}
	return spans
}

// course is how far the vote on a question is.
type course struct {
	ballot  *ballot
	first   int // sample of the round that is not counted yet
	drawn   int
	decided bool
}

// wanted lists the samples of a question to draw now: all that are missing, or of a vote those of the first round that is
// not whole, unless the rounds before it decided. So the samples that a vote draws depend on nothing but the answers.
func (e *Evaluation) wanted(i int) []int {
	p := &e.Record.Plan
	if p.Votes == nil {
		return e.absent(i, 0, p.Samples)
	}
	c := e.courses[i]
	if c == nil {
		c = &course{ballot: newBallot(&e.Record.Questions[i])}
		e.courses[i] = c
	}
	for !c.decided && c.first < p.Samples {
		end := min(c.first+p.Votes.Round, p.Samples)
		if missing := e.absent(i, c.first, end); len(missing) > 0 {
			return missing
		}
		for ; c.first < end; c.first++ {
			if k, ok := e.Record.samples[i][c.first]; ok {
				c.ballot.add(&k.Sample)
				c.drawn++
			}
		}
		leader, second := c.ballot.leaders()
		c.decided = p.Votes.Decides(leader, second, p.Samples-c.drawn)
	}
	return nil
}

// absent lists the samples in [first,end) that are neither kept nor failed.
func (e *Evaluation) absent(i, first, end int) []int {
	var list []int
	for j := first; j < end; j++ {
		_, isKept := e.Record.samples[i][j]
		if _, isFailed := e.failed[unit{i, j}]; !isKept && !isFailed {
			list = append(list, j)
		}
	}
	return list
}

// draw generates a batch and records what comes.
func (e *Evaluation) draw(ctx context.Context, spans []span) error {
	p := &e.Record.Plan
	prompts := make([]llm.Prompt, len(spans))
	for i, s := range spans {
		seed := engine.Seed{Run: p.Seed, Problem: hashOf(e.Record.Questions[s.question].ID), Sample: uint64(s.first)}
		prompts[i] = llm.Prompt{
			Messages: p.Messages(&e.Record.Questions[s.question]), MaxTokens: p.MaxTokens, Temperature: p.Temperature, TopP: p.TopP,
			Seed: seed, Samples: s.count,
		}
	}
	if streamer, ok := e.Generator.(llm.Streamer); ok {
		return streamer.Each(ctx, prompts, func(r llm.Reply) error {
			if err := e.keep(spans, prompts, &r); err != nil {
				return err
			}
			return e.step(r.ReplyTokens, r.PromptTokens)
		})
	}
	replies, generateErr := e.Generator.Generate(ctx, prompts)
	if generateErr != nil && ctx.Err() == nil {
		return generateErr
	}
	tokens, promptTokens := 0, 0
	for i := range replies {
		if err := e.keep(spans, prompts, &replies[i]); err != nil {
			return err
		}
		tokens += replies[i].ReplyTokens
		if i == 0 || replies[i].Prompt != replies[i-1].Prompt {
			promptTokens += replies[i].PromptTokens
		}
	}
	if err := e.step(tokens, promptTokens); err != nil {
		return err
	}
	for _, s := range spans { // a generator that gives less than it was asked for would be asked forever
		for j := s.first; j < s.first+s.count && generateErr == nil; j++ {
			if len(e.absent(s.question, j, j+1)) > 0 {
				return fmt.Errorf("generator: no reply to sample %d of %s", j, e.Record.Questions[s.question].ID)
			}
		}
	}
	return generateErr
}

// keep judges and records one reply; what is no whole reply is not kept.
func (e *Evaluation) keep(spans []span, prompts []llm.Prompt, r *llm.Reply) error {
	if r.Prompt < 0 || r.Prompt >= len(spans) || r.Sample < 0 || r.Sample >= spans[r.Prompt].count {
		return fmt.Errorf("generator: reply to prompt %d sample %d, which was not asked", r.Prompt, r.Sample)
	}
	s := spans[r.Prompt]
	u := unit{s.question, s.first + r.Sample}
	switch r.Finish {
	case engine.FinishCancelled:
		return nil
	case llm.FinishError:
		e.failed[u] = r.Err
		if r.Err == nil {
			e.failed[u] = errors.New("no reply")
		}
		e.stats.Done++
		e.stats.Failed++
		return nil
	}
	sample := e.Record.Questions[s.question].sample(r, e.Code)
	sample.Sample, sample.Seed = u.sample, prompts[r.Prompt].Seed
	sample.Seed.Sample += uint64(r.Sample)
	if err := e.Record.addSample(sample); err != nil {
		return err
	}
	e.count(sample.Verdict.Outcome)
	e.stats.Tokens += sample.Tokens
	return e.Store.AppendSample(recordLine{Sample: sample})
}

// sample judges a reply to the question.
func (q *Question) sample(r *llm.Reply, code JudgeCode) *Sample {
	s := &Sample{Problem: q.ID, Text: r.Text, Tokens: r.ReplyTokens, ThoughtTokens: r.ThoughtTokens, Finish: r.Finish}
	s.ThoughtBytes = answerAt(q, r)
	s.AnswerBytes = len(s.Text) - s.ThoughtBytes
	s.Verdict, s.Answer = q.verdict(s, code)
	s.IsFormed = s.Answer != ""
	return s
}

// verdict judges a sample and finds its answer.
func (q *Question) verdict(s *Sample, code JudgeCode) (verify.Verdict, string) {
	text := s.judged(q)
	answer, ok := q.answer(text)
	if !ok {
		answer = ""
	}
	return q.Judge(text, code), answer
}

func (e *Evaluation) count(outcome verify.Outcome) {
	e.stats.Done++
	if outcome != verify.Unknown {
		e.stats.Judged++
	}
	if outcome == verify.Right {
		e.stats.Right++
	}
}

// recount counts what the record holds.
func (e *Evaluation) recount() {
	e.stats = Progress{}
	for i := range e.Record.Questions {
		for _, k := range e.Record.samples[i] {
			e.count(k.Verdict.Outcome)
		}
	}
}

// step ends a step: the record's lines go out to the disk with its metrics.
func (e *Evaluation) step(tokens, promptTokens int) error {
	values := []runstore.Value{{Name: metricKept, Number: float64(e.Record.Count())}, {Name: metricTokens, Number: float64(tokens)},
		{Name: metricPrompt, Number: float64(promptTokens)}}
	if e.stats.Judged > 0 {
		values = append(values, runstore.Value{Name: metricRight, Number: float64(e.stats.Right) / float64(e.stats.Judged)})
	}
	joules, isMeasured := e.Energy.since()
	if isMeasured {
		values = append(values, runstore.Value{Name: metricEnergy, Number: joules})
		e.Record.Joules += joules // NaN stays
	}
	now := time.Now()
	at := e.Record.Steps
	e.Record.Steps++
	if err := e.Store.AppendTiming(at, []runstore.Timing{{Part: "generate", Duration: now.Sub(e.at)}}); err != nil {
		return err
	}
	e.at = now
	if err := e.Store.AppendMetrics(at, values); err != nil {
		return err
	}
	if e.Progress != nil {
		e.stats.Total = e.total()
		e.Progress(e.stats)
	}
	return nil
}

// total is how many samples the plan will draw at most; those that a decided vote spares are left out.
func (e *Evaluation) total() int {
	total := 0
	for i := range e.Record.Questions {
		switch {
		case e.Record.Questions[i].Refused != "":
		case e.Record.Plan.Votes != nil && len(e.wanted(i)) == 0:
			total += len(e.Record.samples[i])
		default:
			total += e.Record.Plan.Samples
		}
	}
	return total
}
