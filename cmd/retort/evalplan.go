package main

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"

	"github.com/retort-ml/retort/chat"
	"github.com/retort-ml/retort/cmd/retort/internal/explain"
	"github.com/retort-ml/retort/eval"
	"github.com/retort-ml/retort/task"
)

// The defaults of a task, which no published protocol knows.
const (
	taskProblems = 100
	taskSamples  = 8
)

// embeddedModel names the model that is part of the program in a plan.
const embeddedModel = "embedded"

// plan makes the plan that the flags ask for; what depends on the model is filled in later.
func (c *evalRunCommand) plan() (*eval.Plan, error) {
	p := &eval.Plan{
		Benchmark: c.Bench, Task: c.Task, Model: c.Model, Tokenizer: c.Tokenizer, Data: c.Data, System: c.System, Prompt: c.Prompt,
		Samples: c.Samples, Temperature: 0.6, TopP: 1, MaxTokens: c.MaxTokens, Seed: c.Seed, Limit: c.Limit, Grading: c.Options,
	}
	if err := c.endpointFlags.plan(p); err != nil {
		return nil, err
	}
	if p.Model == "" {
		p.Model = embeddedModel
	}
	if p.Endpoint == "" {
		p.Compute = cmp.Or(c.Compute, computeFile)
		p.KV = c.KV
	}
	if c.Votes != 0 && c.Samples != 0 {
		return nil, errors.New("got --votes and --samples, want one of them")
	}
	p.Samples = max(c.Samples, c.Votes)
	if c.Samples < 0 || c.Votes < 0 {
		return nil, explain.Errorf("bad-value", "--samples and --votes want at least 1")
	}
	if c.Decided.isOn {
		p.Votes = &eval.Stopping{Confidence: c.Decided.confidence, Round: c.Round}
	} else if c.Round != 0 {
		return nil, errors.New("--round goes with --stop-when-decided")
	}
	if err := c.fillDefaults(p); err != nil {
		return nil, err
	}
	var err error
	p.Price, err = readPrice(c.Price)
	return p, err
}

// fillDefaults takes what no flag says from the benchmark or the task.
func (c *evalRunCommand) fillDefaults(p *eval.Plan) error {
	samples := taskSamples
	if p.Task != "" {
		if p.Data != "" || p.Prompt != "" {
			return errors.New("--data and --prompt go with --bench: a task makes its own problems")
		}
		if _, err := task.Lookup(p.Task); err != nil {
			return valueFault(err)
		}
		p.Title, p.Kind = p.Task, eval.Lab
		if p.Limit == 0 {
			p.Limit = taskProblems
		}
	} else {
		b, err := eval.LookupBenchmark(p.Benchmark)
		if err != nil {
			return valueFault(err)
		}
		if p.Data == "" {
			return explain.Errorf("missing-argument", "--bench %s needs --data: a file or a folder with %s.jsonl (its public home is %s)", p.Benchmark, b.File, b.Source)
		}
		if p.Prompt == "" {
			p.Prompt = b.Prompt
		}
		if p.MaxTokens == 0 {
			p.MaxTokens = b.MaxTokens
		}
		p.Title, p.Kind, p.Temperature, p.TopP, samples = b.Title, b.Kind, b.Temperature, b.TopP, b.Samples
	}
	if c.Temperature != nil {
		p.Temperature = *c.Temperature
	}
	if c.TopP != nil {
		p.TopP = *c.TopP
	}
	if p.Temperature == 0 {
		samples = 1
	}
	if p.Samples == 0 {
		p.Samples = samples
	}
	return nil
}

func readPrice(texts []string) (*eval.Price, error) {
	if len(texts) == 0 {
		return nil, nil
	}
	var numbers [2]float64
	if len(texts) != 2 {
		return nil, explain.Errorf("bad-value", "--price: got %d numbers, want two, as in 0.55,2.19", len(texts))
	}
	for i, text := range texts {
		var err error
		if numbers[i], err = strconv.ParseFloat(strings.TrimSpace(text), 64); err != nil || !(numbers[i] >= 0) {
			return nil, explain.Errorf("bad-value", "--price: got %q, want a number of at least 0", text)
		}
	}
	return &eval.Price{Prompt: numbers[0], Reply: numbers[1]}, nil
}

// questions reads or makes the problems of a plan, and fills in how many they are and their file's digest. When the plan has
// a digest already, another one is an error.
func questions(p *eval.Plan) ([]eval.Question, error) {
	if p.Task != "" {
		made, err := task.Lookup(p.Task)
		if err != nil {
			return nil, err
		}
		problems, err := made.Problems(task.HeldOut, p.Seed, p.Limit)
		p.Problems = len(problems)
		return eval.TaskQuestions(problems), err
	}
	b, err := eval.LookupBenchmark(p.Benchmark)
	if err != nil {
		return nil, err
	}
	b.Prompt = p.Prompt
	for _, assignment := range p.Grading {
		name, value, _ := strings.Cut(assignment, "=")
		if err := b.Options.Set(name, value); err != nil {
			return nil, usage(valueFault(err), "retort eval --help")
		}
	}
	list, digest, err := eval.OpenQuestions(&b, p.Data, p.Seed, p.Limit)
	if err != nil {
		return nil, inputFault(err)
	}
	if p.DataSHA256 != "" && p.DataSHA256 != digest {
		return nil, explain.Errorf("other-run", "%s is not the file that the run began with: sha256 %.12s, want %.12s", p.Data, digest, p.DataSHA256)
	}
	p.DataSHA256, p.Problems = digest, len(list)
	return list, nil
}

// evalSpeaker opens the model of a plan and notes how it is spoken to.
func evalSpeaker(p *eval.Plan, forceThought bool) (*speaker, func([]chat.Message) (chat.Prompt, error), error) {
	flags := inferenceFlags{Compute: p.Compute}
	open := flags.embedded
	if p.Model != embeddedModel {
		open = func() (*speaker, error) { return flags.speaker(p.Model, p.Tokenizer) }
	}
	s, err := open()
	if err != nil {
		return nil, nil, err
	}
	today := modelRecipe{Today: p.Today}
	s.limits = today.clock(s.chat)
	p.Today = today.Today
	render := s.ask
	if forceThought {
		render = s.renderThinking
	}
	p.Context = s.model.Config().MaxPositions
	if s.hasTemplate() {
		sum := sha256.Sum256([]byte(s.chat.Template.Source()))
		p.Template = hex.EncodeToString(sum[:])
	}
	probe, err := render([]chat.Message{{Role: "user", Content: "1"}})
	if err != nil {
		return nil, nil, err
	}
	p.Thought = eval.ThoughtFree
	if probe.State == chat.Thinking {
		p.Thought = eval.ThoughtForced
	}
	return s, render, nil
}

// renderThinking renders a conversation and opens the thought, where the template has not.
func (s *speaker) renderThinking(messages []chat.Message) (chat.Prompt, error) {
	p, err := s.ask(messages)
	if err != nil || p.State == chat.Thinking {
		return p, err
	}
	if p.Tags.Open == "" {
		p.Tags = chat.KnownTags[0].WithIDs(s.tokenizer)
	}
	opening := p.Tags.Open + "\n"
	p.Text, p.IDs, p.State = p.Text+opening, append(p.IDs, s.tokenizer.Encode(opening)...), chat.Thinking
	return p, nil
}
