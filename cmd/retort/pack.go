package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/retort-ml/retort/cmd/retort/internal/explain"
	"github.com/retort-ml/retort/hub"
	"github.com/retort-ml/retort/model"
)

// Packed copies lie below the folder that cacheVariable names, which says off where none are wanted, else in the user's cache.
const (
	cacheVariable = "RETORT_CACHE"
	cacheFolder   = "packed"
	switchedOff   = "off"
)

// The rule by which run and serve keep a packed copy unasked: the weights are so large that it saves time, and take at most one part in leastRoom of the free disk.
const (
	leastPacked = 256 << 20
	leastRoom   = 4
)

// packedFolder is the folder of packed copies; "" where there are to be none.
func packedFolder() string {
	switch folder := os.Getenv(cacheVariable); folder {
	case switchedOff:
		return ""
	case "":
		cache, err := os.UserCacheDir()
		if err != nil {
			return ""
		}
		return filepath.Join(cache, "retort", cacheFolder)
	default:
		return filepath.Join(folder, cacheFolder)
	}
}

// packedFolder is that for a command.
func (f inferenceFlags) packedFolder() string {
	if f.Packed == switchedOff {
		return ""
	}
	return packedFolder()
}

// keepPacked has a copy of a model's packed weights written beside its work, if it is worth it and the disk has room, and says so on one line. The function
// that it returns waits for that, or for the end of ctx.
func (f inferenceFlags) keepPacked(ctx context.Context, out *output, p *model.Packed) (wait func()) {
	nothing := func() {}
	if p == nil || p.Path == "" || p.Used {
		return nothing
	}
	if p.Fault != nil {
		out.note("%v; it is made anew", p.Fault)
	} else if p.Bytes < leastPacked {
		return nothing
	}
	if free, err := hub.Free(filepath.Dir(p.Path)); err != nil || p.Bytes > free/leastRoom {
		return nothing
	}
	if p.Fault == nil {
		out.note("keeping a packed copy of the weights, %s in %s, once, for fast starts (--packed off keeps none)", humanBytes(p.Bytes), filepath.Dir(p.Path))
	}
	done := make(chan error, 1)
	go func() { done <- p.Keep(ctx) }()
	return func() {
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			out.note("no packed copy was kept: %v", err)
		}
	}
}

// packCommand keeps the packed copy of a model.
type packCommand struct {
	Model string `arg:"" name:"model" help:"A path, a name of a store, or an alias."`
}

// packEvent is the --json form.
type packEvent struct {
	Model string `json:"model"`
	Path  string `json:"path"`
	Bytes int64  `json:"bytes"`
	Kept  bool   `json:"kept"` // it was there, whole
}

// Run packs the weights and writes the copy, unless it is there.
func (c *packCommand) Run(ctx context.Context, out *output) error {
	path, err := findModel(c.Model)
	if err != nil {
		return err
	}
	folder := packedFolder()
	if folder == "" {
		return usage(explain.Errorf("bad-variable", "%s=%s keeps no packed copies", cacheVariable, switchedOff), "")
	}
	files, err := openFiles(path)
	if err != nil {
		return err
	}
	_, p, err := files.Load(folder)
	if err = errors.Join(modelFault(err), files.Close()); err != nil {
		return err
	}
	if p.Path == "" {
		return fmt.Errorf("%s: none of its weights are packed for running: it needs no copy", c.Model)
	}
	if p.Fault != nil {
		out.note("%v; it is made anew", p.Fault)
	}
	if err := p.Keep(ctx); err != nil {
		return err
	}
	out.result("%s: %s", p.Path, humanBytes(p.Bytes))
	return out.event("packed", packEvent{c.Model, p.Path, p.Bytes, p.Used})
}
