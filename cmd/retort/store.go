package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/retort-ml/retort/cmd/retort/internal/explain"
	"github.com/retort-ml/retort/cmd/retort/internal/recipe"
	"github.com/retort-ml/retort/engine"
	"github.com/retort-ml/retort/hub"
	"github.com/retort-ml/retort/model"
)

// hubOptions says where models lie, by the environment that other tools read as well.
func hubOptions() hub.Options {
	home, err := os.UserHomeDir()
	if err != nil {
		home = ""
	}
	return hub.FromEnvironment(os.Getenv, home)
}

// resolveModel returns the path of the model that a text names: a path, or an entry of a store, which
// is read in place. Nothing is downloaded.
func resolveModel(text string) (hub.Local, error) {
	local, err := hub.Resolve(text, hubOptions())
	return local, hintModel(err)
}

// hintModel adds to an error what to try next.
func hintModel(err error) error {
	var missing *hub.NotHereError
	var unknown *hub.UnknownError
	switch {
	case errors.As(err, &missing) && missing.Reference.Ollama == "":
		return advise(err, "retort pull "+missing.Reference.String())
	case errors.As(err, &unknown):
		if near := recipe.Nearest(unknown.Text, unknown.Known); near != "" {
			return usage(err, near)
		}
		return usage(err, "")
	}
	return err
}

// isGGUFFile says whether a path is a GGUF file, by its name or by how it begins: Ollama's have no
// extension.
func isGGUFFile(path string) bool {
	if isGGUFName(path) {
		return true
	}
	if !isFile(path) {
		return false
	}
	file, err := os.Open(path)
	if err != nil {
		return false
	}
	defer file.Close()
	var magic [4]byte
	_, err = file.Read(magic[:])
	return err == nil && bytes.Equal(magic[:], []byte("GGUF"))
}

// downloads shows how far a download is.
type downloads struct {
	out  *output
	name string
	last time.Time
	from int64 // bytes at the first report of a file
	when time.Time
}

// show is a hub.Options.Progress.
func (d *downloads) show(p hub.Progress) {
	now := time.Now()
	switch {
	case p.Waiting:
		d.out.note("%s: somebody else downloads it; waiting", oneLine(p.Name))
		return
	case p.Retry != nil:
		d.out.note("%s: %s; trying again", oneLine(p.Name), oneLine(p.Retry.Error()))
		return
	}
	if p.Name != d.name {
		d.name, d.from, d.when, d.last = p.Name, p.Done, now, now
	}
	every := printEvery
	if d.out.terminal {
		every = redrawEvery
	}
	done := p.Total > 0 && p.Done == p.Total
	if d.out.json || !done && now.Sub(d.last) < every {
		return
	}
	d.last = now
	line := fmt.Sprintf("%s  %s of %s", oneLine(p.Name), humanBytes(p.Done), humanBytes(p.Total))
	if seconds := now.Sub(d.when).Seconds(); seconds > 1 {
		rate := float64(p.Done-d.from) / seconds
		line += fmt.Sprintf("  %s/s", humanBytes(int64(rate)))
		if left := float64(p.Total - p.Done); rate > 0 && left > 0 {
			line += fmt.Sprintf("  %s left", time.Duration(left/rate*float64(time.Second)).Round(time.Second))
		}
	}
	if d.out.terminal {
		d.out.redraw(line)
		if done {
			d.out.endLive()
		}
		return
	}
	d.out.note("%s", line)
}

// pullCommand downloads a model.
type pullCommand struct {
	Model   string `arg:"" name:"model" complete:"alias" help:"hf:ORG/NAME[@REVISION][:QUANT], or one of ${aliases}, with or without :QUANT."`
	Offline bool   `name:"offline" help:"Make no connection: say whether the model is here."`
	DryRun  bool   `name:"dry-run" help:"Say what would be downloaded, and stop."`
	Context int    `name:"context" default:"4096" placeholder:"N" help:"Positions that the memory need is told for."`
}

// pullEvent is the --json form of a plan and of its end.
type pullEvent struct {
	Model   string `json:"model"`
	Commit  string `json:"commit,omitempty"`
	Path    string `json:"path,omitempty"` // once it is here
	Files   int    `json:"files,omitempty"`
	Bytes   int64  `json:"bytes"`
	Missing int64  `json:"missing"`
	Free    int64  `json:"free,omitempty"`
	Memory  int64  `json:"memory,omitempty"`
	// Speed is that of a plan, with weights as they are stored.
	Speed *speedEvent `json:"speed,omitempty"`
}

// Run tells sizes first, and then downloads.
func (c *pullCommand) Run(ctx context.Context, out *output) error {
	if c.Context < 1 {
		return usage(explain.Errorf("bad-value", "--context: got %d, want at least 1", c.Context), "")
	}
	o := hubOptions()
	o.Offline = o.Offline || c.Offline
	o.Progress = (&downloads{out: out}).show
	r, err := hub.ParseReference(c.Model)
	if err != nil {
		if local, resolveErr := hub.Resolve(c.Model, o); resolveErr == nil {
			return c.here(local, out)
		} else if unknown := (*hub.UnknownError)(nil); errors.As(resolveErr, &unknown) {
			err = resolveErr // which knows more names
		} else {
			return usage(valueFault(err), "")
		}
		return hintModel(err)
	}
	if o.Offline || r.Ollama != "" {
		local, err := hub.Resolve(c.Model, o)
		if err != nil {
			return err
		}
		return c.here(local, out)
	}
	plan, err := hub.NewPlan(ctx, r, o)
	if err != nil {
		return explain.With("download", err)
	}
	if err := c.tell(ctx, plan, out); err != nil || c.DryRun {
		return err
	}
	local, err := plan.Pull(ctx)
	if err != nil {
		return explain.With("download", err)
	}
	return c.here(local, out)
}

// need is the memory that the model takes: by the shape of a distil, or by a config.json, which is
// fetched ahead of the weights. A GGUF file alone tells its shape only when it is here.
func (c *pullCommand) need(ctx context.Context, p *hub.Plan) (engine.Memory, bool) {
	if p.Reference.Alias != "" {
		held, _ := p.Bytes() // weights that are quantised or of 16 bits are held as they are stored
		return needOfDistil(p.Reference.Alias, held, c.Context)
	}
	if !slices.ContainsFunc(p.Files, func(f hub.PlannedFile) bool { return f.Path == "config.json" && f.Size < 1<<20 }) || c.DryRun {
		return engine.Memory{}, false
	}
	path, err := p.PullFile(ctx, "config.json")
	if err != nil {
		return engine.Memory{}, false // the download will say it again
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return engine.Memory{}, false
	}
	config, err := model.ParseConfig(data)
	if err != nil || config.Layers > 1<<10 || c.Context > config.MaxPositions {
		return engine.Memory{}, false // another kind of model, which may be fetched all the same
	}
	held, _ := p.Bytes()
	if held > 3*int64(config.NumParameters()) {
		held = 0 // more than 16 bits each: they are widened
	}
	need, err := needOf(config, nil, held > 0, held, c.Context, 1)
	return need, err == nil
}

// readOfPlan is the bytes that a step of a model reads before it is here: those of its weights' files, without the share of an embedding whose rows are looked up
// where the shape is known.
func readOfPlan(p *hub.Plan) float64 {
	sum := 0.0
	for _, f := range p.Files {
		if strings.HasSuffix(f.Path, ".gguf") || strings.HasSuffix(f.Path, ".safetensors") {
			sum += float64(f.Size)
		}
	}
	config, err := model.Shape(strings.TrimPrefix(p.Reference.Alias, "deepseek-"))
	if p.Reference.Alias != "" && err == nil && !config.TieEmbeddings {
		sum *= 1 - float64(config.VocabSize)*float64(config.Width)/float64(config.NumParameters())
	}
	return sum
}

// here says where the model lies.
func (c *pullCommand) here(local hub.Local, out *output) error {
	out.result("%s", local.Path)
	return out.event("model", pullEvent{Model: c.Model, Path: local.Path, Bytes: local.Bytes})
}

// tell says what a download takes before its first byte.
func (c *pullCommand) tell(ctx context.Context, p *hub.Plan, out *output) error {
	total, missing := p.Bytes()
	e := pullEvent{Model: p.Reference.String(), Commit: p.Commit, Files: len(p.Files), Bytes: total, Missing: missing}
	out.note("%-12s %s at %.12s", "model", e.Model, p.Commit)
	size := humanBytes(total)
	if len(p.Files) > 1 {
		size += fmt.Sprintf(" in %d files", len(p.Files))
	}
	if missing < total {
		size += fmt.Sprintf(", of which %s are here", humanBytes(total-missing))
	}
	out.note("%-12s %s", "size", size)
	if need, ok := c.need(ctx, p); ok {
		e.Memory = need.Total()
		out.note("%-12s %s", "memory", describeNeed(need, c.Context, 1))
	} else {
		e.Memory = total
		out.note("%-12s at least %s, the weights as they are stored; retort show tells it once the file is here", "memory", humanBytes(total))
	}
	e.Speed = expectSpeed(readOfPlan(p))
	out.note("%-12s %s", "speed", e.Speed.describe())
	if free, err := p.Free(); err == nil {
		e.Free = free
		out.note("%-12s %s free", "disk", humanBytes(free))
	}
	return out.event("plan", e)
}
