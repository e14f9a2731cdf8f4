package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/retort-ml/retort/cmd/retort/internal/bench"
	"github.com/retort-ml/retort/cmd/retort/internal/explain"
	"github.com/retort-ml/retort/engine"
	"github.com/retort-ml/retort/model"
)

// benchCommand measures a model on this machine.
type benchCommand struct {
	inferenceFlags
	kvFlags
	Model   string `arg:"" name:"model" complete:"model" help:"The model: a path, a name of a store, or an alias."`
	Prefill []int  `name:"prefill" placeholder:"N,..." help:"Lengths of prompts; default: 512,2048."`
	Depth   []int  `name:"depth" placeholder:"N,..." help:"Positions before the first decoded token; default: 0,4096."`
	Samples []int  `name:"samples" placeholder:"N,..." help:"Samples of one prompt of 256 tokens that are decoded together; default: 1,8,32,64."`
	Tokens  int    `name:"tokens" placeholder:"N" help:"Tokens that are decoded; default: 64. Samples get twice as many."`
	Repeat  int    `name:"repeat" placeholder:"N" help:"How often each is measured; default: 3."`
	Only    string `name:"only" enum:",prefill,decode,samples" default:"" placeholder:"KIND" help:"Measure prefill, decode or samples alone."`
	Quick   bool   `name:"quick" help:"Measure less: 512, 0 and 1024, 1, 8 and 32, 16 tokens, twice; other flags hold."`
}

// benchResult is the --json form.
type benchResult struct {
	Model string `json:"model"`
	*bench.Result
}

// options are the flags as package bench has them.
func (c *benchCommand) options(out *output) (bench.Options, error) {
	o := bench.Options{}
	if c.Quick {
		o = bench.Quick()
	}
	for _, list := range []struct{ to, from *[]int }{{&o.Prefill, &c.Prefill}, {&o.Depths, &c.Depth}, {&o.Samples, &c.Samples}} {
		if len(*list.from) > 0 {
			*list.to = *list.from
		}
	}
	for kind, list := range map[string]*[]int{"prefill": &o.Prefill, "decode": &o.Depths, "samples": &o.Samples} {
		if c.Only != "" && c.Only != kind {
			*list = []int{}
		}
	}
	for _, number := range []struct {
		name     string
		to, from *int
	}{{"tokens", &o.Tokens, &c.Tokens}, {"repeat", &o.Repeat, &c.Repeat}} {
		if *number.from < 0 {
			return o, usage(explain.Errorf("bad-value", "--%s: got %d, want at least 1", number.name, *number.from), "")
		}
		if *number.from > 0 {
			*number.to = *number.from
		}
	}
	if c.Compute != computeFile {
		o.Compute = c.Compute
	}
	o.KV = c.KV
	o.Available = freeMemory(os.ReadFile)
	o.Need = func(need engine.Memory) { tellMemory(out, "needs", need) }
	o.Progress = func(what string) {
		if out.terminal {
			out.redraw(what)
		}
	}
	return o, usage(valueFault(o.Validate()), "")
}

// Run measures and prints.
func (c *benchCommand) Run(ctx context.Context, out *output) error {
	o, err := c.options(out)
	if err != nil {
		return err
	}
	c.warn(out)
	path, err := findModel(c.Model)
	if err != nil {
		return err
	}
	cpu, err := c.computeFlags.open()
	if err != nil {
		return err
	}
	defer cpu.Close()
	r, err := bench.Run(ctx, path, func() (*model.Model, error) { return c.model(path) }, cpu, o)
	out.endLive()
	if err != nil {
		return err
	}
	if len(r.Works) == 0 {
		err = fmt.Errorf("nothing was measured: %s", strings.Join(r.Skipped, "; "))
	}
	return errors.Join(c.print(out, r), err)
}

// giga writes thousands of millions.
func giga(x float64) string {
	if x == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f", x/1e9)
}

func (c *benchCommand) print(out *output, r *bench.Result) error {
	out.result("%-22s %9s %9s %9s %9s %9s", "limits", "read GB/s", "median", "float", "BF16", "byte GOP/s")
	for _, l := range r.Limits {
		name := fmt.Sprintf("%d threads", l.Threads)
		if l.Threads == 1 {
			name = "1 thread"
		}
		out.result("%-22s %9s %9s %9s %9s %9s", name, giga(l.Read), giga(l.ReadMedian), giga(l.Float32), giga(l.BF16), giga(l.Bytes))
	}
	out.result("")
	out.result("%-22s %9s %9s %9s %9s  %s", fmt.Sprintf("tok/s, threads: %d", r.Threads), "median", "least", "most", "limit", "share of it")
	for _, w := range r.Works {
		limit, share := "-", ""
		if w.Limit > 0 {
			limit, share = fmt.Sprintf("%.1f", w.Limit), fmt.Sprintf("%.0f %% (%s)", 100*w.Fraction, w.Bound)
		}
		out.result("%-22s %9.1f %9.1f %9.1f %9s  %s", w.Name, w.Median, slices.Min(w.Runs), slices.Max(w.Runs), limit, share)
	}
	for _, s := range r.Skipped {
		out.result("left out: %s", s)
	}
	out.result("")
	out.result("load to first token    %9.2f s (%.2f to %.2f)", r.Load.Median, slices.Min(r.Load.FirstToken), slices.Max(r.Load.FirstToken))
	m := &r.Memory
	out.result("memory computed        %s = weights %s + cache %s + other %s; in the file %s", humanBytes(m.Computed), humanBytes(m.Weights), humanBytes(m.KV), humanBytes(m.Other), humanBytes(m.File))
	if m.Peak > 0 {
		out.result("memory at most         %s, %.2f of it", humanBytes(m.Peak), m.PerComputed)
	}
	return out.event("bench", benchResult{c.Model, r})
}
