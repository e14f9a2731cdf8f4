package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/retort-ml/retort/cmd/retort/internal/explain"
	"github.com/retort-ml/retort/hub"
	"github.com/retort-ml/retort/model"
)

// modelsCommand looks after the models on this machine.
type modelsCommand struct {
	Ls    modelsListCommand   `cmd:"" name:"ls" help:"List the models of Hugging Face's cache and of Ollama's store."`
	Rm    modelsRemoveCommand `cmd:"" name:"rm" help:"Remove a model from Hugging Face's cache."`
	Prune modelsPruneCommand  `cmd:"" name:"prune" help:"Remove broken downloads, bytes that no model uses, and packed copies of files that are gone or have changed."`
}

// modelsListCommand lists models.
type modelsListCommand struct {
	Blobs bool `name:"blobs" help:"Say who uses which bytes."`
}

// modelEvent is the --json form of a model in a store.
type modelEvent struct {
	Model     string      `json:"model"`
	Store     string      `json:"store"`
	Path      string      `json:"path"`
	Bytes     int64       `json:"bytes"`
	Commit    string      `json:"commit,omitempty"`
	Revisions []string    `json:"revisions,omitempty"`
	Modified  string      `json:"modified,omitempty"`
	Lacks     string      `json:"lacks,omitempty"`
	Blobs     []blobEvent `json:"blobs,omitempty"` // of the model's whole repository
}

type blobEvent struct {
	Path  string   `json:"path"`
	Bytes int64    `json:"bytes"`
	Users []string `json:"users"`
}

// Run prints a table, or an event for each model.
func (c *modelsListCommand) Run(_ context.Context, out *output) error {
	o := hubOptions()
	models, err := hub.List(o)
	if err != nil {
		return err
	}
	rows := [][]string{{"MODEL", "SIZE", "STORE", "CHANGED", ""}}
	seen := map[string]bool{}
	var blobs []hub.Blob
	for _, m := range models {
		e := modelEvent{Model: m.Reference.String(), Store: string(m.Store), Path: m.Path, Bytes: m.Bytes, Commit: m.Commit, Revisions: m.Revisions, Lacks: m.Lacks}
		row := []string{e.Model, humanBytes(m.Bytes), e.Store, "", ""}
		if !m.Modified.IsZero() {
			e.Modified = m.Modified.UTC().Format("2006-01-02T15:04:05Z")
			row[3] = m.Modified.Format("2006-01-02")
		}
		if m.Lacks != "" {
			row[4] = "not complete: lacks " + m.Lacks
		}
		rows = append(rows, row)
		if c.Blobs && m.Store == hub.HuggingFace {
			list, err := m.Blobs(o)
			if err != nil {
				return err
			}
			for _, b := range list {
				e.Blobs = append(e.Blobs, blobEvent{b.Path, b.Bytes, b.Users})
			}
			if !seen[m.Reference.Repo] {
				seen[m.Reference.Repo] = true
				blobs = append(blobs, list...)
			}
		}
		if err := out.event("model", e); err != nil {
			return err
		}
	}
	if len(models) == 0 {
		out.note("no models in %s and %s; try: retort pull r1-distill-qwen-1.5b", o.CacheDir, o.OllamaDir)
		return nil
	}
	table(out, rows)
	c.printBlobs(out, blobs)
	return nil
}

func (c *modelsListCommand) printBlobs(out *output, blobs []hub.Blob) {
	if len(blobs) == 0 {
		return
	}
	rows := [][]string{{"BYTES", "SIZE", "USED BY"}}
	for _, b := range blobs {
		users := strings.Join(b.Users, ", ")
		if users == "" {
			users = "nobody: retort models prune"
		}
		rows = append(rows, []string{shortHash(b.Path), humanBytes(b.Bytes), users})
	}
	table(out, rows)
}

// shortHash is the beginning of a blob's name.
func shortHash(path string) string {
	name := filepath.Base(path)
	return name[:min(len(name), 12)]
}

// modelsRemoveCommand removes one model.
type modelsRemoveCommand struct {
	Model string `arg:"" name:"model" complete:"stored-model" help:"The model, as retort models ls names it."`
	Yes   bool   `name:"yes" short:"y" help:"Do not ask."`
}

// removedEvent is the --json form of what went.
type removedEvent struct {
	Model string   `json:"model,omitempty"`
	Bytes int64    `json:"bytes"`
	Paths []string `json:"paths"`
}

// Run asks, and removes.
func (c *modelsRemoveCommand) Run(_ context.Context, out *output) error {
	o := hubOptions()
	m, err := c.find(o)
	if err != nil {
		return err
	}
	removal, err := m.PlanRemoval(o)
	if err != nil {
		return err
	}
	question := fmt.Sprintf("remove %s, %s free afterwards?", m.Reference, humanBytes(removal.Bytes))
	if err := confirm(out, question, c.Yes); err != nil {
		return err
	}
	if err := removal.Remove(); err != nil {
		return err
	}
	out.result("%s: removed, %s", m.Reference, humanBytes(removal.Bytes))
	return out.event("removed", removedEvent{m.Reference.String(), removal.Bytes, removal.Paths})
}

// find returns the one model of that name.
func (c *modelsRemoveCommand) find(o hub.Options) (*hub.Model, error) {
	models, err := hub.List(o)
	if err != nil {
		return nil, err
	}
	wanted := []string{c.Model, "hf:" + c.Model, "ollama:" + c.Model}
	if r, err := hub.ParseReference(c.Model); err == nil {
		wanted = append(wanted, r.String())
	}
	var found []*hub.Model
	var names []string
	for i := range models {
		name := models[i].Reference.String()
		isWhole := slices.ContainsFunc(wanted, func(w string) bool { return strings.EqualFold(w, name) })
		isRepo := slices.ContainsFunc(wanted, func(w string) bool { return strings.HasPrefix(name, w+":") || strings.HasPrefix(name, w+"@") })
		if isWhole {
			return &models[i], nil
		}
		if isRepo {
			found, names = append(found, &models[i]), append(names, name)
		}
	}
	switch len(found) {
	case 0:
		return nil, usage(explain.Errorf("unknown-model", "no model %s on this machine", c.Model), "retort models ls")
	case 1:
		return found[0], nil
	}
	return nil, usage(fmt.Errorf("%s is %d models", c.Model, len(found)), strings.Join(names, " or "))
}

// modelsPruneCommand removes what no model uses.
type modelsPruneCommand struct {
	Yes bool `name:"yes" short:"y" help:"Do not ask."`
}

// Run asks, and removes.
func (c *modelsPruneCommand) Run(_ context.Context, out *output) error {
	removal, err := hub.PlanPrune(hubOptions())
	if err != nil {
		return err
	}
	stale, err := c.stalePacked()
	if err != nil {
		return err
	}
	gone := removedEvent{Bytes: removal.Bytes, Paths: slices.Clone(removal.Paths)}
	for _, p := range stale {
		out.note("%s: a packed copy, of no use: %s", p.Path, oneLine(p.Stale))
		gone.Bytes, gone.Paths = gone.Bytes+p.Bytes, append(gone.Paths, p.Path)
	}
	if len(gone.Paths) > 0 {
		if err := confirm(out, fmt.Sprintf("remove %d files that no model uses, %s?", len(gone.Paths), humanBytes(gone.Bytes)), c.Yes); err != nil {
			return err
		}
		if err := removal.Remove(); err != nil {
			return err
		}
		for _, p := range stale {
			if err := os.Remove(p.Path); err != nil {
				return err
			}
		}
	}
	out.result("%d files removed, %s", len(gone.Paths), humanBytes(gone.Bytes))
	return out.event("removed", gone)
}

// stalePacked lists the packed copies that no model will read.
func (c *modelsPruneCommand) stalePacked() ([]model.PackedFile, error) {
	folder := packedFolder()
	if folder == "" {
		return nil, nil
	}
	list, err := model.ListPacked(folder)
	return slices.DeleteFunc(list, func(p model.PackedFile) bool { return p.Stale == "" }), err
}

// confirm asks a person at a terminal; where there is none it wants --yes.
func confirm(out *output, question string, isSure bool) error {
	if isSure {
		return nil
	}
	if !out.terminal {
		return usage(explain.Errorf("nobody-to-ask", "nobody is here to ask: %s", question), "--yes")
	}
	fmt.Fprintf(out.std.err, "%s [y/N] ", question)
	line, err := bufio.NewReader(out.std.in).ReadString('\n')
	if answer := strings.ToLower(strings.TrimSpace(line)); answer == "y" || answer == "yes" {
		return nil
	}
	if err != nil {
		return errors.New("not removed: no answer")
	}
	return errors.New("not removed")
}
