package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/retort-ml/retort/chat"
	"github.com/retort-ml/retort/cmd/retort/internal/bench"
	"github.com/retort-ml/retort/cmd/retort/internal/explain"
	"github.com/retort-ml/retort/engine"
	"github.com/retort-ml/retort/hub"
	"github.com/retort-ml/retort/internal/compute"
	"github.com/retort-ml/retort/internal/kernel"
	"github.com/retort-ml/retort/model"
	"github.com/retort-ml/retort/tokenizer"
)

// showCommand says what a model is and what running it takes, without reading its weights.
type showCommand struct {
	Model    string `arg:"" name:"model" help:"A path, a model of a store, or an alias."`
	Context  int    `name:"context" placeholder:"N" help:"Positions that the memory need is told for; default: 4096, or all that the model has."`
	Samples  int    `name:"samples" short:"n" default:"1" help:"Sequences at a time that it is told for."`
	Template bool   `name:"template" help:"Print the template of conversations alone."`
}

// showEvent is the --json form.
type showEvent struct {
	Model      string        `json:"model"`
	Path       string        `json:"path"`
	Store      string        `json:"store,omitempty"`
	Container  string        `json:"container"`
	Config     model.Config  `json:"config"`
	Parameters int           `json:"parameters"`
	Bytes      int64         `json:"bytes"` // of the tensors
	Formats    []kindEvent   `json:"formats"`
	Vocabulary int           `json:"vocabulary"` // tokens of the tokenizer; 0 without one
	Ends       []endEvent    `json:"ends"`
	Template   string        `json:"template,omitempty"`
	Thinking   thinkingEvent `json:"thinking"`
	Context    int           `json:"context"`
	Memory     memoryEvent   `json:"memory"`
	Speed      *speedEvent   `json:"speed,omitempty"`
}

// kindEvent is the tensors of one kind that have one format.
type kindEvent struct {
	Kind    string `json:"kind"`
	Format  string `json:"format"`
	Tensors int    `json:"tensors"`
	Bytes   int64  `json:"bytes"`
}

type endEvent struct {
	ID   int32  `json:"id"`
	Text string `json:"text,omitempty"`
}

type thinkingEvent struct {
	Open  string `json:"open,omitempty"`
	Close string `json:"close,omitempty"`
	Start string `json:"start,omitempty"` // where a reply begins: thinking, answering or undecided
}

type memoryEvent struct {
	Weights     int64 `json:"weights"`
	KV          int64 `json:"kv"`
	Activations int64 `json:"activations"`
}

// Run opens and prints.
func (c *showCommand) Run(_ context.Context, out *output) error {
	local, err := resolveModel(c.Model)
	if err != nil {
		return err
	}
	path, err := findBelow(local.Path)
	if err != nil {
		return err
	}
	f, err := openFiles(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Check(); err != nil {
		return modelFault(fmt.Errorf("%s: %w", path, err))
	}
	e := showEvent{Model: c.Model, Path: path, Store: string(local.Store), Container: f.Weights.Container().String(), Config: f.Config}
	if err := e.count(f); err != nil {
		return err
	}
	if err := e.words(f, path); err != nil {
		return err
	}
	if c.Template {
		if e.Template == "" {
			return explain.Errorf("no-template", "%s has no template of conversations", c.Model)
		}
		out.result("%s", printable(e.Template, true))
		return out.event("model", e)
	}
	if e.Context, err = contextOf(c.Context, &f.Config); err != nil {
		return err
	}
	if c.Samples < 1 || c.Samples > 1<<16 {
		return usage(explain.Errorf("bad-value", "--samples: got %d, want 1 to %d", c.Samples, 1<<16), "")
	}
	kept, err := f.Formats()
	if err != nil {
		return err
	}
	isQuantised, err := f.KeepsQuantised()
	if err != nil {
		return err
	}
	need, err := needOf(f.Config, kept, isQuantised, 0, e.Context, c.Samples)
	if err != nil {
		return err
	}
	e.Memory = memoryEvent{need.Weights, need.KV, need.Activations + need.Tables + need.Sampling}
	perToken, err := bench.ReadPerToken(f, kept, "")
	if err != nil {
		return err
	}
	e.Speed = expectSpeed(perToken)
	e.print(out, describeNeed(need, e.Context, c.Samples))
	return out.event("model", e)
}

// defaultContext is what memory needs are told for unless somebody asks otherwise.
const defaultContext = 4096

// contextOf is how many positions to reckon with; more than the model has is wrong usage.
func contextOf(asked int, config *model.Config) (int, error) {
	switch {
	case asked < 0 || asked > config.MaxPositions:
		return 0, usage(explain.Errorf("bad-value", "--context: got %d, the model has at most %d positions", asked, config.MaxPositions), "")
	case asked == 0:
		return min(defaultContext, config.MaxPositions), nil
	}
	return asked, nil
}

// needOf is the memory that an engine takes for so many sequences of a context, with weights in the formats kept, or that are known to
// take held bytes; keys and values are what run has by default. Nothing is allocated.
func needOf(config model.Config, kept model.Formats, isQuantised bool, held int64, context, samples int) (engine.Memory, error) {
	cpu := compute.NewCPU(runtime.GOMAXPROCS(0))
	defer cpu.Close()
	blocks := (context + kernel.BlockTokens - 1) / kernel.BlockTokens * samples
	need, err := engine.Measure(config, kept, model.Options{}, cpu, &engine.Options{MaxBatch: samples, Blocks: blocks, KV: kvFlags{}.format(isQuantised)})
	if held > 0 {
		need.Weights = held
	}
	return need, err
}

// needOfDistil is the memory that one of the distils takes, whose shape is known before it is here.
func needOfDistil(alias string, held int64, context int) (engine.Memory, bool) {
	config, err := model.Shape(strings.TrimPrefix(alias, "deepseek-"))
	if alias == "" || err != nil || context > config.MaxPositions {
		return engine.Memory{}, false
	}
	need, err := needOf(config, nil, held > 0, held, context, 1)
	return need, err == nil
}

// describeNeed writes a memory need on one line.
func describeNeed(n engine.Memory, context, samples int) string {
	text := fmt.Sprintf("%s = weights %s + cache %s + activations %s, for %d positions",
		humanBytes(n.Total()), humanBytes(n.Weights), humanBytes(n.KV), humanBytes(n.Total()-n.Weights-n.KV), context)
	if samples > 1 {
		text += fmt.Sprintf(" of each of %d samples", samples)
	}
	return text
}

// kinds orders what a decoder's tensors are for, by what stands in their names, GGUF's or Hugging Face's.
var kinds = []struct {
	kind  string
	parts []string
}{
	{"embedding", []string{"token_embd", "embed_tokens"}},
	{"norms and biases", []string{"norm", ".bias", "rope_freqs"}},
	{"attention q", []string{"attn_q.", "q_proj"}},
	{"attention k", []string{"attn_k.", "k_proj"}},
	{"attention v", []string{"attn_v.", "v_proj"}},
	{"attention output", []string{"attn_output", "o_proj"}},
	{"ffn gate", []string{"ffn_gate", "gate_proj"}},
	{"ffn up", []string{"ffn_up", "up_proj"}},
	{"ffn down", []string{"ffn_down", "down_proj"}},
	{"output", []string{"output.weight", "lm_head"}},
}

// kindOf is the place in kinds of a tensor, the number of them if it has none.
func kindOf(name string) int {
	for i, k := range kinds {
		for _, part := range k.parts {
			if strings.Contains(name, part) {
				return i
			}
		}
	}
	return len(kinds)
}

// count adds up the tensors by kind and format.
func (e *showEvent) count(f *model.Files) error {
	type key struct {
		kind   int
		format string
	}
	sums := map[key]*kindEvent{}
	for _, name := range f.Weights.Names() {
		t, err := f.Weights.Tensor(name)
		if err != nil {
			return err
		}
		k := key{kindOf(name), t.Format.String()}
		if sums[k] == nil {
			sums[k] = &kindEvent{Kind: "other", Format: k.format}
			if k.kind < len(kinds) {
				sums[k].Kind = kinds[k.kind].kind
			}
		}
		sums[k].Tensors++
		sums[k].Bytes += int64(len(t.Data))
		e.Parameters += t.Elements()
		e.Bytes += int64(len(t.Data))
	}
	var order []key
	for k := range sums {
		order = append(order, k)
	}
	slices.SortFunc(order, func(a, b key) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(sums[b].Bytes, sums[a].Bytes), cmp.Compare(a.format, b.format))
	})
	for _, k := range order {
		e.Formats = append(e.Formats, *sums[k])
	}
	return nil
}

// words says what the tokenizer and the template tell.
func (e *showEvent) words(f *model.Files, path string) error {
	t, err := tokenizerNear(f, path)
	if err != nil {
		return err
	}
	ends := f.Config.Ends() // generation_config.json's among them
	slices.Sort(ends)
	for _, id := range slices.Compact(ends) {
		end := endEvent{ID: id}
		if t != nil {
			end.Text, _ = t.Token(id)
		}
		e.Ends = append(e.Ends, end)
	}
	if t == nil {
		return nil
	}
	e.Vocabulary = t.Size()
	config, err := openChat(path, t)
	if err != nil || config == nil || config.Template == nil {
		return err
	}
	e.Template = config.Template.Source()
	in, err := chat.NewInput([]chat.Message{{Role: "user", Content: "Hello"}}, chat.InputOptions{AddGenerationPrompt: true})
	if err != nil {
		return err
	}
	prompt, err := config.Encode(t, in, chat.Limits{})
	if err != nil { // a template may ask for more than a question; the rest of the model is shown
		e.Thinking.Start = "not known: " + err.Error()
		return nil
	}
	if prompt.Tags.Close != "" {
		e.Thinking = thinkingEvent{prompt.Tags.Open, prompt.Tags.Close, prompt.State.String()}
	}
	return nil
}

// tokenizerNear returns the tokenizer of a model, which of a run may lie above it; nil if there is none.
func tokenizerNear(f *model.Files, path string) (*tokenizer.Tokenizer, error) {
	t, err := tokenizerBeside(f.Weights, f.Dir)
	if t != nil || err != nil || isGGUFFile(path) {
		return t, err
	}
	if above := findUpward(f.Dir, tokenizerFile); above != "" {
		t, err = tokenizer.Open(above)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
	}
	return t, err
}

func (e *showEvent) print(out *output, memory string) {
	k := &e.Config
	line := func(name, format string, arguments ...any) {
		out.result("%-12s %s", name, fmt.Sprintf(format, arguments...))
	}
	path := e.Path
	if absolute, err := filepath.Abs(path); err == nil {
		path = absolute
	}
	where := path
	if e.Store != string(hub.NoStore) {
		where += " (" + e.Store + ")"
	}
	line("file", "%s, %s", where, e.Container)
	line("shape", "%s: %d layers of width %d, %d heads of %d on %d of keys and values, FFN %d", k.Architecture, k.Layers, k.Width, k.Heads, k.HeadSize, k.KVHeads, k.FFN)
	line("parameters", "%s, %s, %.2f bits each", humanCount(e.Parameters), humanBytes(e.Bytes), 8*float64(e.Bytes)/float64(max(1, e.Parameters)))
	vocabulary := "no tokenizer"
	if e.Vocabulary > 0 {
		vocabulary = fmt.Sprintf("tokenizer of %d", e.Vocabulary)
	}
	line("vocabulary", "%d tokens, embeddings %s; %s", k.VocabSize, map[bool]string{true: "tied", false: "untied"}[k.TieEmbeddings], vocabulary)
	line("positions", "%d", k.MaxPositions)
	var ends []string
	for _, end := range e.Ends {
		ends = append(ends, strings.TrimSpace(fmt.Sprintf("%d %s", end.ID, oneLine(end.Text))))
	}
	line("ends", "%s", cmp.Or(strings.Join(ends, ", "), "none"))
	switch {
	case e.Template == "":
		line("template", "none")
	default:
		line("template", "%d bytes (--template prints it)", len(e.Template))
	}
	switch {
	case e.Thinking.Close != "":
		line("thinking", "%s ... %s, a reply begins %s", oneLine(e.Thinking.Open), oneLine(e.Thinking.Close), e.Thinking.Start)
	case e.Thinking.Start != "":
		line("thinking", "%s", oneLine(e.Thinking.Start))
	default:
		line("thinking", "no marks of it in the template")
	}
	line("memory", "%s", memory)
	line("speed", "%s", e.Speed.describe())
	for i, f := range e.Formats {
		name := ""
		if i == 0 {
			name = "formats"
		}
		line(name, "%-17s %-7s %4d tensors  %9s", f.Kind, f.Format, f.Tensors, humanBytes(f.Bytes))
	}
}
