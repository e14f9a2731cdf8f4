package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strconv"
	"strings"

	"github.com/retort-ml/retort/behaviour"
	"github.com/retort-ml/retort/cmd/retort/internal/explain"
	"github.com/retort-ml/retort/engine"
	"github.com/retort-ml/retort/hub"
	"github.com/retort-ml/retort/internal/compute"
	"github.com/retort-ml/retort/internal/kernel"
	"github.com/retort-ml/retort/internal/tinymodel"
	"github.com/retort-ml/retort/model"
	"github.com/retort-ml/retort/tokenizer"
	"github.com/retort-ml/retort/weights"
)

// runCommand answers questions and shows the thought.
type runCommand struct {
	inferenceFlags
	kvFlags
	First       string   `arg:"" optional:"" name:"model" help:"A path, a name of a store, or an alias; what names no model begins the question. Default: the embedded model."`
	Question    []string `arg:"" optional:"" name:"question" help:"The question; without one, a chat: each line of standard input is one, or a command (/help)."`
	Model       string   `name:"model" placeholder:"MODEL" help:"A path, a name of a store, or an alias; default: the embedded model."`
	Tokenizer   string   `name:"tokenizer" complete:"tokenizer" placeholder:"NAME" help:"lab, bytes or a tokenizer.json; default: the one beside the model."`
	Context     int      `name:"context" placeholder:"N" help:"Positions that the memory for keys and values is taken for, of each sample; default: all that the model has, in at most 1 GiB."`
	MaxTokens   int      `name:"max-tokens" help:"Most tokens of a reply; 0 is as many as the model's positions allow."`
	Temperature float32  `name:"temperature" default:"0.6" help:"0 is greedy."`
	TopP        float32  `name:"top-p" default:"-1" help:"The likeliest tokens with this share of the probability are drawn from; 1 is all. Default: 0.95 for a model with a template, else 1."`
	TopK        int      `name:"top-k" help:"Only so many of the likeliest tokens are drawn from; 0 is all."`
	MinP        float32  `name:"min-p" help:"Only tokens at least so many times as probable as the likeliest are drawn from; 0 is all."`
	Think       string   `name:"think" complete:"on-off" default:"on" placeholder:"on|off|N" help:"off closes the thought at once, a number after so many tokens."`
	System      string   `name:"system" help:"A system message."`
	Samples     int      `name:"samples" short:"n" default:"1" help:"So many replies to each question, and how many say the same; --n is the same."`
	Vote        bool     `name:"vote" help:"With --samples: stop when the vote is settled."`
	Seed        uint64   `name:"seed" help:"Another seed gives another thought."`
	Verbose     bool     `name:"verbose" help:"Say what memory is needed, before the model is loaded."`
}

// openEmbedded opens the model that is part of the program.
func openEmbedded() (*speaker, error) {
	if !tinymodel.Present() {
		return nil, explain.Errorf("no-embedded-model", "this build has no embedded model; try: --model DIR, made by retort sft, grpo or lab")
	}
	var data [3][]byte
	for i, name := range []string{tinymodel.Config, tinymodel.Weights, tinymodel.Tokenizer} {
		var err error
		if data[i], err = fs.ReadFile(tinymodel.Files(), name); err != nil {
			return nil, err
		}
	}
	config, err := model.ParseConfig(data[0])
	if err != nil {
		return nil, err
	}
	file, err := weights.Parse("embedded model", data[1])
	if err != nil {
		return nil, err
	}
	m, err := model.Load(config, file)
	if err = errors.Join(err, file.Close()); err != nil {
		return nil, err
	}
	t, err := tokenizer.Parse(data[2])
	if err != nil {
		return nil, err
	}
	return &speaker{model: m, tokenizer: t}, nil
}

// Run answers.
func (c *runCommand) Run(ctx context.Context, out *output) error {
	o := chatSettings{
		MaxTokens: c.MaxTokens, Temperature: c.Temperature, TopP: c.TopP, TopK: c.TopK, MinP: c.MinP,
		System: c.System, Samples: c.Samples, Vote: c.Vote, Seed: c.Seed,
	}
	if err := errors.Join(o.setThink(c.Think), o.check()); err != nil {
		return usage(valueFault(err), "")
	}
	c.warn(out)
	cpu, err := c.computeFlags.open()
	if err != nil {
		return err
	}
	defer cpu.Close()
	switch {
	case c.Model == "" && namesModel(c.First):
		c.Model = c.First
	case c.First != "":
		c.Question = append([]string{c.First}, c.Question...)
	}
	sizes := &engine.Options{MaxBatch: together(c.Samples)}
	s, memory, err := c.openWith(out, cpu, sizes)
	if err != nil {
		return err
	}
	sizes.KV = c.format(s.model.Quantised())
	e, err := engine.New(s.model, cpu, sizes)
	if err != nil {
		return err
	}
	if o.TopP < 0 {
		o.TopP = 1
		if s.hasTemplate() {
			o.TopP = 0.95
		}
	}
	defer c.keepPacked(ctx, out, s.packed)()
	t := &talk{engine: e, speaker: s, out: out, set: o, isEmbedded: c.Model == "", memory: memory, batch: sizes.MaxBatch}
	t.reopen = func(batch int) (*engine.Engine, error) {
		sizes.MaxBatch = batch
		return engine.New(s.model, cpu, sizes)
	}
	if len(c.Question) > 0 {
		return t.ask(ctx, strings.Join(c.Question, " "), nil)
	}
	return t.chat(ctx)
}

// together is how many of the samples of a question are decoded at once.
func together(samples int) int { return max(1, min(samples, 64)) }

// openWith opens the model, and says what it and an engine of these sizes take: with --verbose before it is loaded.
func (c *runCommand) openWith(out *output, cpu *compute.CPU, sizes *engine.Options) (*speaker, string, error) {
	if c.Model == "" {
		s, err := c.embedded()
		if err != nil {
			return nil, "", err
		}
		if err := c.fillBlocks(sizes, s.model.Config()); err != nil {
			return nil, "", err
		}
		sizes.KV = c.format(false)
		need, err := engine.Measure(s.model.Config(), nil, model.Options{Compute: s.model.Options().Compute}, cpu, sizes)
		return s, c.tell(out, need), err
	}
	files, err := openSpeaking(c.Model, c.Tokenizer)
	if err != nil {
		return nil, "", err
	}
	defer files.Close()
	if err := c.fillBlocks(sizes, files.Config); err != nil {
		return nil, "", err
	}
	need, err := c.checkMemory(files, cpu, *sizes, c.kvFlags, freeMemory(os.ReadFile))
	if err != nil {
		return nil, "", err
	}
	table := c.tell(out, need)
	s, err := c.load(files, c.Tokenizer)
	return s, table, err
}

// fillBlocks gives the cache the size that --context asks for.
func (c *runCommand) fillBlocks(sizes *engine.Options, config model.Config) error {
	if c.Context == 0 {
		return nil
	}
	n, err := contextOf(c.Context, &config)
	sizes.Blocks = (n + kernel.BlockTokens - 1) / kernel.BlockTokens * sizes.MaxBatch
	return err
}

// tell writes a memory need as a table, and prints it with --verbose.
func (c *runCommand) tell(out *output, need engine.Memory) string {
	table := strings.TrimSuffix(need.Table(), "\n")
	if c.Verbose {
		out.note("%s", table)
	} else {
		tellMemory(out, "needs", need)
	}
	return table
}

// namesModel says whether the first argument is a model and not yet the question: a file, folder or entry of a store that holds one, or a name
// that could be pulled.
func namesModel(text string) bool {
	if text == "" || strings.ContainsAny(text, " \t\n") {
		return false
	}
	_, err := findModel(text)
	var missing *hub.NotHereError
	return err == nil || errors.As(err, &missing) || isGGUFName(text) || strings.HasPrefix(text, "hf:") || strings.HasPrefix(text, "ollama:")
}

// ask invites a person to type a question.
func (o *output) ask() {
	if o.terminal {
		fmt.Fprint(o.std.err, "> ")
	}
}

// reply is the --json form of an answer.
type reply struct {
	Question  string              `json:"question"`
	Reasoning string              `json:"reasoning"`
	Content   string              `json:"content"`
	Finish    engine.FinishReason `json:"finish"`
	Closed    engine.ThoughtEnd   `json:"thought_closed_by,omitempty"` // why the thought ended, where it is marked by tokens
	Usage     replyUsage          `json:"usage"`
	Timings   replyTimings        `json:"timings"`
	Sample    int                 `json:"sample"`
	Verdict   string              `json:"verdict,omitempty"` // right or wrong, of a question in the lab's form
	Reason    string              `json:"reason,omitempty"`
}

// replyUsage counts tokens.
type replyUsage struct {
	Prompt    int `json:"prompt_tokens"`
	Cached    int `json:"cached_tokens"` // of the prompt, from an earlier turn
	Reply     int `json:"completion_tokens"`
	Reasoning int `json:"reasoning_tokens"`
}

// replyTimings are in seconds; with several samples, until this one ended.
type replyTimings struct {
	FirstToken float64 `json:"first_token"`
	Total      float64 `json:"total"`
}

// countdownQuestion is a question in the lab's form.
var countdownQuestion = regexp.MustCompile(`^Use (\d{1,6}(?:, \d{1,6})*) to make (\d{1,9})\.?$`)

// judge gives the verdict on a question in the lab's form.
func (r *reply) judge() {
	match := countdownQuestion.FindStringSubmatch(r.Question)
	if match == nil {
		return
	}
	var numbers []int
	for text := range strings.SplitSeq(match[1], ", ") {
		n, _ := strconv.Atoi(text) // digits, few enough
		numbers = append(numbers, n)
	}
	target, _ := strconv.Atoi(match[2])
	r.Verdict = "right"
	if r.Content == "" {
		r.Verdict, r.Reason = "wrong", "no answer"
	} else if err := behaviour.CheckAnswer(r.Content, numbers, target); err != nil {
		r.Verdict, r.Reason = "wrong", err.Error()
	}
}
