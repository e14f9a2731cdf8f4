package main

import (
	"cmp"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/retort-ml/retort/cmd/retort/internal/explain"
	"github.com/retort-ml/retort/runstore"
)

// What of a run is exported.
const (
	exportMetrics = "metrics"
	exportSamples = "samples"
)

// formHTML is the form that runstore does not write: a page for people.
const formHTML = "html"

type runsExportCommand struct {
	Name   string `arg:"" name:"run" help:"A run's name or folder."`
	What   string `name:"what" enum:"metrics,samples" default:"metrics" help:"metrics, a row for each step; or samples, a row for each."`
	Format string `name:"format" enum:",csv,json,jsonl,parquet,html" default:"" placeholder:"FORMAT" help:"csv, json, jsonl, parquet or html (the whole run on one page without a script). Default: by the name of the output, else csv."`
	Output string `name:"output" short:"o" placeholder:"FILE" help:"Where to write; default: standard output."`
}

// Run writes the export to a file, which appears whole or not at all, or to standard output. The run's folder is only read.
func (s *runsExportCommand) Run(c *runsCommand, out *output) error {
	r, err := c.openRecord(s.Name)
	if err != nil {
		return err
	}
	form := s.form()
	write := func(w io.Writer) error { return runstore.Export(r, w, runstore.ExportFormat(form)) }
	switch {
	case form == formHTML && s.What == exportSamples:
		return usage(errors.New("--what goes with tables; the page has both"), "--format html alone")
	case form == formHTML:
		write = func(w io.Writer) error { return runFault(writeRunPage(w, r)) }
	case s.What == exportSamples && form == string(runstore.JSON):
		return usage(explain.Errorf("bad-value", "--format: samples are not one JSON object"), "--format jsonl")
	case s.What == exportSamples:
		write = func(w io.Writer) error { return runFault(runstore.ExportSamples(r, w, runstore.ExportFormat(form))) }
	}
	if s.Output == "" {
		if form == string(runstore.Parquet) && isTerminal(out.std.out) {
			return usage(errors.New("a Parquet file is nothing for a terminal"), "-o "+r.Manifest.ID+".parquet")
		}
		return write(out.std.out)
	}
	if err := writeWhole(s.Output, write); err != nil {
		return err
	}
	out.result("wrote %s", s.Output)
	return out.event("exported", map[string]string{"path": s.Output, "what": s.What, "format": form})
}

// form is the form that was asked for, or the one that the output's name tells.
func (s *runsExportCommand) form() string {
	if s.Format != "" {
		return s.Format
	}
	switch ending := strings.ToLower(strings.TrimPrefix(filepath.Ext(s.Output), ".")); ending {
	case "json", "jsonl", "parquet", formHTML:
		return ending
	}
	return string(runstore.CSV)
}

// writeWhole writes a file through a temporary one beside it, so that it is there whole or as it was before. What is no regular file, such as /dev/stdout or a
// pipe, is written to as it stands; a link stays one.
func writeWhole(path string, write func(io.Writer) error) error {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		return cmp.Or(write(f), f.Close())
	} else if err == nil {
		if path, err = filepath.EvalSymlinks(path); err != nil {
			return err
		}
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	// Some disks tell only when they are asked that they are full.
	if err = cmp.Or(write(f), f.Chmod(0o644), f.Sync()); err != nil {
		_ = f.Close() // the fault is told already
	} else if err = f.Close(); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name()) // it may be gone with its disk
	}
	return err
}
