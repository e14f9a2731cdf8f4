package distill

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/retort-ml/retort/chat"
	"github.com/retort-ml/retort/engine"
	"github.com/retort-ml/retort/llm"
	"github.com/retort-ml/retort/task"
	"github.com/retort-ml/retort/verify"
)

// Sampler continues prompts; *engine.Engine is one. It takes token ids, so that
// a local teacher is asked at the engine's speed. A sample must be a function of
// its prompt, temperature and seed, whatever it is batched with.
type Sampler interface {
	// Generate returns all samples of all requests, request after request.
	Generate(ctx context.Context, reqs []engine.Request) ([]engine.Result, error)
}

// Tokenizer is what is needed of the teacher's tokenizer.
type Tokenizer interface {
	Encode(text string) []int32
	Decode(tokens []int32) string
}

// Setup is who is asked, who judges, and where the traces go. Sampler or
// Generator, Tokenizer and TeacherHash are required.
type Setup struct {
	// Sampler is a teacher that continues the problems' prompts.
	Sampler Sampler
	// Generator is a teacher that is asked in conversations, by its own template: a model of this machine that has one, or
	// an endpoint. An llm.Streamer's traces are written down one by one as they come, so that a kill loses none that had
	// come.
	Generator llm.Generator
	// Ask returns the conversation of a problem, for a Generator; nil means its question by a user.
	Ask func(p *task.Problem) []chat.Message
	// Questions has the records hold the question instead of the prompt, for a student with a template of its own.
	Questions bool
	// Tokenizer makes tokens of the prompts and text of a Sampler's samples. With a Generator it is the student's, and
	// counts the tokens of the traces.
	Tokenizer Tokenizer
	// Teacher names the teacher in the provenance, TeacherHash its weights (see ModelHash).
	Teacher, TeacherHash string
	// Task judges; nil means the task of task.Registry that each problem names.
	Task task.Task
	// HeldOut lists what the set must not hold, see FilterOptions.ContaminationGram. A problem whose
	// group or id is held out is an error.
	HeldOut []HeldOut
	// Folder keeps the traces in files as they come, so that a Collect that was killed goes on where
	// it was; it is made if it is not there. "" keeps nothing.
	Folder string
	// Progress is called after each chunk of problems; it may be nil. The counts are those so far
	// and change with the next chunk.
	Progress func(problems, of int, counts *Counts)
	// Observe is called for each trace, the wrong ones too, in order; it may be nil. The trace must
	// not be changed.
	Observe func(t *Trace)
}

// CollectOptions say how a teacher is asked. The zero value of each field is its default.
type CollectOptions struct {
	// Samples is the number of traces of each problem; 0 means 4.
	Samples int `json:"samples" yaml:"samples"`
	// Temperature is above 0; 0 means 1.
	Temperature float64 `json:"temperature" yaml:"temperature"`
	// TopP is the share of the probability that is sampled from, above 0 to 1; 0 means 1. A Sampler
	// knows 1 only.
	TopP float64 `json:"top_p" yaml:"top_p"`
	// MaxNewTokens is the most tokens of a trace; 0 means 1024.
	MaxNewTokens int `json:"max_new_tokens" yaml:"max_new_tokens"`
	// Stop lists the tokens that end a trace.
	Stop []int32 `json:"stop" yaml:"stop"`
	// Seed is engine.Seed.Run of every trace; Problem is ProblemSeed of the problem's id and Sample
	// the trace's number. 0 is a seed like any other.
	Seed uint64 `json:"seed" yaml:"seed"`
	// ChunkProblems is the number of problems asked together and written together; 0 means as many
	// as have 2048 traces. A kill loses no more than the traces of one chunk. It does not change the set.
	ChunkProblems int `json:"chunk_problems" yaml:"chunk_problems"`
	// Filters choose among the right traces.
	Filters FilterOptions `json:"filters" yaml:"filters"`
}

// defaultChunkTraces is several times the engine's batch, so that waiting for
// the last long traces of a chunk costs little.
const defaultChunkTraces = 2048

// Resolved returns the options with every default filled in.
func (o CollectOptions) Resolved() CollectOptions {
	setDefault(&o.Samples, 4)
	setDefault(&o.Temperature, 1)
	setDefault(&o.TopP, 1)
	setDefault(&o.MaxNewTokens, 1024)
	setDefault(&o.ChunkProblems, max(1, defaultChunkTraces/max(1, o.Samples)))
	o.Filters = o.Filters.Resolved()
	return o
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Validate reports every fault in one error.
func (o *CollectOptions) Validate() error {
	r := o.Resolved()
	var faults []error
	atLeastOne := func(name string, got int) {
		if got < 1 {
			faults = append(faults, fmt.Errorf("distill: %s: got %d, want at least 1", name, got))
		}
	}
	atLeastOne("samples", r.Samples)
	atLeastOne("max_new_tokens", r.MaxNewTokens)
	atLeastOne("chunk_problems", r.ChunkProblems)
	if !(r.Temperature >= 0.01 && r.Temperature <= 100) {
		faults = append(faults, fmt.Errorf("distill: temperature: got %v, want 0.01 to 100", r.Temperature))
	}
	if !(r.TopP > 0 && r.TopP <= 1) {
		faults = append(faults, fmt.Errorf("distill: top_p: got %v, want above 0 to 1", r.TopP))
	}
	return errors.Join(append(faults, r.Filters.Validate())...)
}

// Trace is one sampled answer to a problem, and its judgement.
type Trace struct {
	// Problem is what was asked, Sample the trace's number among those of the problem.
	Problem *task.Problem
	Sample  int
	// Tokens holds the sampled ids, with the stop token if one ended the trace, Text what the
	// tokenizer made of them.
	Tokens []int32
	Text   string
	// Finished is false for a trace that ran out of tokens.
	Finished bool
	// Failed says why a Generator gave no trace that could be judged, "" where it did. Then the verdict
	// is unknown.
	Failed string
	// Counted is what the Generator counted itself.
	Counted TokenCounts
	// Verdict is right, wrong, or unknown, which drops the trace like a wrong one and is counted apart.
	Verdict verify.Verdict
}

// TokenCounts are tokens as a teacher counts them; 0 where it does not.
type TokenCounts struct {
	Prompt  int `json:"prompt,omitempty"`
	Reply   int `json:"reply,omitempty"`
	Thought int `json:"thought,omitempty"` // of the reply's
}

// ProblemSeed is engine.Seed.Problem of a problem's traces. It depends on the
// problem's id alone, so that a problem has the same traces among any others.
func ProblemSeed(id string) uint64 {
	hash := sha256.Sum256([]byte("retort distill problem " + id))
	return binary.LittleEndian.Uint64(hash[:])
}

// Collect asks the teacher for traces of all problems, has each judged, and
// returns the right ones that pass the filters, in the order of the problems and
// of their samples, with what became of all the others.
//
// With a Folder, a second call with the same teacher, problems and options goes
// on after the last chunk that was written, and returns the set that one call
// would have returned; traces of another collection in it are an
// ErrOtherCollection. The filters may be changed between the calls. When ctx
// ends, Collect returns its error; a Folder keeps the chunks so far.
func Collect(ctx context.Context, s *Setup, problems []task.Problem, o *CollectOptions) (*Set, *Counts, error) {
	if o == nil {
		o = &CollectOptions{}
	}
	if err := o.Validate(); err != nil {
		return nil, nil, err
	}
	c := &collector{setup: s, options: o.Resolved(), set: &Set{}, counts: newCounts()}
	if err := c.prepare(problems); err != nil {
		return nil, nil, fmt.Errorf("distill: %w", err)
	}
	for from := 0; from < len(problems); from += c.options.ChunkProblems {
		to := min(from+c.options.ChunkProblems, len(problems))
		traces, err := c.chunk(ctx, from, problems[from:to])
		if err != nil {
			return nil, nil, fmt.Errorf("distill: %w", err)
		}
		c.fold(traces)
		if s.Progress != nil {
			s.Progress(to, len(problems), c.counts)
		}
	}
	return c.set, c.counts, nil
}

// collector is the state of one Collect.
type collector struct {
	setup    *Setup
	options  CollectOptions // resolved
	filters  filtering
	folder   *traceFolder     // nil without one
	requests []engine.Request // of a Sampler
	prompts  []llm.Prompt     // of a Generator
	set      *Set
	counts   *Counts
}

// prepare checks what is asked and makes the requests.
func (c *collector) prepare(problems []task.Problem) error {
	s := c.setup
	switch {
	case s.Sampler == nil && s.Generator == nil:
		return errors.New("got no sampler and no generator, want one of them")
	case s.Sampler != nil && s.Generator != nil:
		return errors.New("got a sampler and a generator, want one of them")
	case s.Tokenizer == nil:
		return errors.New("got no tokenizer, want one")
	case s.Sampler != nil && c.options.TopP != 1:
		return fmt.Errorf("top_p: got %v, a sampler samples from the whole distribution; try: 1", c.options.TopP)
	case s.TeacherHash == "":
		return errors.New("got no hash of the teacher, want one (see ModelHash)")
	case len(problems) == 0:
		return errors.New("got no problems, want at least one")
	}
	if err := checkProblems(problems, s.HeldOut); err != nil {
		return err
	}
	c.filters = filtering{options: c.options.Filters, task: s.Task, tokenizer: s.Tokenizer,
		grams: indexHeldOut(s.HeldOut, s.Tokenizer, &c.options.Filters)}
	c.prepareRequests(problems)
	if s.Folder == "" {
		return nil
	}
	folder, err := openTraceFolder(s.Folder, c.describe(problems))
	c.folder = folder
	return err
}

// prepareRequests makes what the teacher is asked.
func (c *collector) prepareRequests(problems []task.Problem) {
	s := c.setup
	if s.Generator != nil {
		c.preparePrompts(problems)
		return
	}
	c.requests = make([]engine.Request, len(problems))
	for i := range problems {
		p := &problems[i]
		c.requests[i] = engine.Request{
			Prompt: s.Tokenizer.Encode(p.Prompt), MaxTokens: c.options.MaxNewTokens, Temperature: float32(c.options.Temperature),
			Stop: c.options.Stop, Samples: c.options.Samples, Seed: engine.Seed{Run: c.options.Seed, Problem: ProblemSeed(p.ID)},
		}
	}
}

// checkProblems refuses problems that are asked twice, cannot be written as
// JSON, or are held out.
func checkProblems(problems []task.Problem, heldOut []HeldOut) error {
	seen := make(map[string]bool, len(problems))
	held := newHeldNames(heldOut)
	for i := range problems {
		p := &problems[i]
		switch {
		case seen[p.ID]:
			return fmt.Errorf("problem %q: got it twice, want each once: its traces would be the same", p.ID)
		case !utf8.ValidString(p.Prompt):
			return fmt.Errorf("problem %q: got a prompt that is not UTF-8", p.ID)
		}
		seen[p.ID] = true
		if err := held.check(p.ID, p.Group); err != nil {
			return err
		}
	}
	return nil
}

// chunk returns the traces of problems, the first of which has the index from.
func (c *collector) chunk(ctx context.Context, from int, problems []task.Problem) ([]*Trace, error) {
	if c.folder != nil {
		traces, err := c.folder.read(from, problems, c.options.Samples, c.setup.Tokenizer)
		if traces != nil || err != nil {
			return traces, err
		}
	}
	if c.setup.Generator != nil {
		return c.ask(ctx, from, problems)
	}
	traces, err := c.sample(ctx, from, problems)
	if err != nil || c.folder == nil {
		return traces, err
	}
	return traces, c.folder.write(from, traces, true)
}

// sample asks the teacher and judges the answers.
func (c *collector) sample(ctx context.Context, from int, problems []task.Problem) ([]*Trace, error) {
	results, err := c.setup.Sampler.Generate(ctx, c.requests[from:from+len(problems)])
	if err != nil {
		var refused *engine.RequestError
		if errors.As(err, &refused) && refused.Request < len(problems) {
			return nil, fmt.Errorf("problem %q: %w", problems[refused.Request].ID, err)
		}
		return nil, err
	}
	if len(results) != len(problems)*c.options.Samples {
		return nil, fmt.Errorf("the sampler gave %d samples, want %d", len(results), len(problems)*c.options.Samples)
	}
	traces := make([]*Trace, len(results))
	for i := range results {
		r := &results[i]
		if r.Request != i/c.options.Samples || r.Sample != i%c.options.Samples || r.Finish == engine.FinishCancelled {
			return nil, fmt.Errorf("the sampler gave sample %d of request %d (%s) at place %d, want whole samples in order", r.Sample, r.Request, r.Finish, i)
		}
		p := &problems[r.Request]
		text := c.setup.Tokenizer.Decode(r.Tokens)
		traces[i] = &Trace{Problem: p, Sample: r.Sample, Tokens: r.Tokens, Text: text,
			Finished: r.Finish == engine.FinishStop, Verdict: c.judge(p, text)}
	}
	return traces, nil
}

func (c *collector) judge(p *task.Problem, text string) verify.Verdict {
	if c.setup.Task != nil {
		return c.setup.Task.Grade(*p, text)
	}
	return task.Grade(*p, text)
}

// fold counts the traces of a chunk and adds those that pass to the set.
func (c *collector) fold(traces []*Trace) {
	for from := 0; from < len(traces); from += c.options.Samples {
		c.counts.Problems++
		var right []*Trace
		for _, t := range traces[from : from+c.options.Samples] {
			if c.setup.Observe != nil {
				c.setup.Observe(t)
			}
			c.counts.add(t)
			if t.Verdict.Outcome == verify.Right {
				right = append(right, t)
			}
		}
		kept := c.filters.apply(right, c.counts)
		if len(kept) > 0 {
			c.counts.KeptProblems++
		}
		for _, t := range kept {
			c.counts.Kept++
			c.counts.KeptTokens += int64(len(t.Tokens))
			c.set.Records = append(c.set.Records, c.record(t))
		}
	}
}

// record is a trace with where it came from.
func (c *collector) record(t *Trace) Record {
	r := Record{Prompt: t.Problem.Prompt, Completion: t.Text, Provenance: Provenance{
		Teacher: c.setup.Teacher, TeacherHash: c.setup.TeacherHash,
		Problem: t.Problem.ID, Group: t.Problem.Group,
		Seed: c.options.Seed, Sample: t.Sample, Temperature: c.options.Temperature,
		Verdict: t.Verdict, Tokens: len(t.Tokens),
	}}
	if c.options.TopP != 1 {
		r.Provenance.TopP = c.options.TopP
	}
	if c.setup.Questions {
		r.Prompt, r.Question = "", t.Problem.Question
	}
	r.Provenance.PromptHash = hashText(r.asked())
	return r
}
