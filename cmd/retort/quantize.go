package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/retort-ml/retort/cmd/retort/internal/explain"
	"github.com/retort-ml/retort/model"
	"github.com/retort-ml/retort/weights"
)

// quantizeCommand writes a model as a quantised GGUF file.
type quantizeCommand struct {
	In         string `arg:"" name:"in" help:"The model: a path, a name of a store, or an alias."`
	Out        string `arg:"" optional:"" name:"out" help:"The .gguf file to write."`
	Type       string `name:"type" complete:"mix" required:"" placeholder:"NAME" help:"How: ${mixes}."`
	Imatrix    string `name:"imatrix" placeholder:"FILE" help:"An importance matrix as llama.cpp's imatrix writes it, GGUF or .dat."`
	Requantize bool   `name:"allow-requantize" help:"Quantise what is quantised already, which is worse than from the original."`
	DryRun     bool   `name:"dry-run" help:"Say what would come out, and write nothing."`
}

// quantizedEvent is the --json form of a quantised model.
type quantizedEvent struct {
	Path     string           `json:"path,omitempty"`
	Type     string           `json:"type"`
	Bytes    int64            `json:"bytes"` // of the tensors
	Before   int64            `json:"before"`
	Weighted int              `json:"weighted"` // tensors that had an importance
	Formats  map[string]int64 `json:"formats"`  // bytes by format
	Seconds  float64          `json:"seconds"`
}

// Run quantises tensor by tensor.
func (c *quantizeCommand) Run(_ context.Context, out *output) error {
	if !slices.ContainsFunc(mixNames(), func(name string) bool { return strings.EqualFold(name, c.Type) }) {
		return usage(explain.Errorf("bad-value", "--type: got %q, want one of %s", c.Type, strings.Join(model.Mixes(), ", ")), "")
	}
	if !c.DryRun && !isGGUFName(c.Out) {
		return usage(explain.Errorf("bad-value", "out: got %q, want a name that ends in .gguf", c.Out), "")
	}
	path, err := findModel(c.In)
	if err != nil {
		return err
	}
	f, err := openFiles(path)
	if err != nil {
		return err
	}
	defer f.Close()
	o := &model.QuantizeOptions{Mix: c.Type, Requantize: c.Requantize}
	if c.Imatrix != "" {
		if o.Importance, err = model.OpenImportance(c.Imatrix); err != nil {
			return inputFault(err)
		}
	}
	if o.Metadata, err = c.metadata(f, path); err != nil {
		return err
	}
	began := time.Now()
	var p *progress
	o.Progress = func(done, total int64) { // in steps of a million weights
		if p == nil {
			p = newProgress(out, "quantize", 0, int((total+999_999)/1_000_000))
		}
		if done == total || done/1_000_000 > int64(p.lastDone) {
			p.step(int((done+999_999)/1_000_000), "million weights")
		}
	}
	target := c.Out
	if c.DryRun {
		target = ""
	}
	report, err := f.Quantize(target, o)
	out.endLive()
	if err != nil {
		return err
	}
	return c.print(out, report, time.Since(began))
}

// mixNames are the names that --type takes.
func mixNames() []string { return append(model.Mixes(), "Q3_K", "Q4_K", "Q5_K") }

// metadata is what a GGUF file of a folder's model says beyond the shape: its text. That of a GGUF
// file stays as it is.
func (c *quantizeCommand) metadata(f *model.Files, path string) (weights.Metadata, error) {
	if f.Weights.Container() == weights.GGUF {
		return nil, nil
	}
	t, err := tokenizerNear(f, path)
	if err != nil {
		return nil, err
	}
	config, err := openChat(path, t)
	if err != nil {
		return nil, err
	}
	more, err := textMetadata(t, config, f.Config.VocabSize)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.In, err)
	}
	return append(more, weights.KV{Key: "general.name", Value: nameOf(c.In)}), nil
}

func (c *quantizeCommand) print(out *output, report []model.QuantizedTensor, took time.Duration) error {
	e := quantizedEvent{Path: c.Out, Type: c.Type, Formats: map[string]int64{}, Seconds: took.Seconds()}
	tensors := map[string]int{}
	for i := range report {
		q := &report[i]
		from, to := q.Bytes()
		e.Before += from
		e.Bytes += to
		e.Formats[q.To.String()] += to
		tensors[q.To.String()]++
		if q.Weighted {
			e.Weighted++
		}
	}
	for _, name := range slices.Sorted(maps.Keys(e.Formats)) {
		out.result("%-7s %4d tensors  %9s", name, tensors[name], humanBytes(e.Formats[name]))
	}
	if c.Imatrix != "" {
		out.result("by importance: %d of %d tensors", e.Weighted, len(report))
	}
	if c.DryRun {
		e.Path = ""
		out.result("%s would become %s", humanBytes(e.Before), humanBytes(e.Bytes))
	} else {
		out.result("%s: %s of %s, in %s", c.Out, humanBytes(e.Bytes), humanBytes(e.Before), took.Round(100*time.Millisecond))
	}
	return out.event("quantized", e)
}
