package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/retort-ml/retort/internal/kernel"
)

// versionCommand tells what a bug report needs.
type versionCommand struct{}

// versionFacts is also the --json form.
type versionFacts struct {
	Version string   `json:"version"`
	Commit  string   `json:"commit,omitempty"`
	Go      string   `json:"go"`
	System  string   `json:"system"`
	Level   string   `json:"level"`
	Levels  []string `json:"levels"`
	Bytes   []string `json:"byte_products"` // for quantised weights, beside Levels
	BF16    string   `json:"bf16"`          // native or emulated
	CPUs    int      `json:"cpus"`
}

func readVersion() versionFacts {
	facts := versionFacts{
		Version: "development",
		Go:      runtime.Version(),
		System:  runtime.GOOS + "/" + runtime.GOARCH,
		Level:   kernel.Level(),
		Levels:  kernel.Levels(),
		Bytes:   append([]string{}, kernel.ByteProducts()...),
		BF16:    kernel.BF16(),
		CPUs:    runtime.NumCPU(),
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return facts
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		facts.Version = v
	}
	changed := ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			facts.Commit = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			changed = " with changes"
		}
	}
	if facts.Commit != "" {
		facts.Commit += changed
	}
	return facts
}

// Run prints the version.
func (versionCommand) Run(out *output) error {
	facts := readVersion()
	if err := out.event("version", facts); err != nil {
		return err
	}
	out.result("retort %s", facts.Version)
	if facts.Commit != "" {
		out.result("commit %s", facts.Commit)
	}
	out.result("%s", facts.machine())
	return nil
}

// machine is what the program runs on, in one line.
func (f *versionFacts) machine() string {
	bytes := "none of their own"
	if len(f.Bytes) > 0 {
		bytes = strings.Join(f.Bytes, ", ")
	}
	return fmt.Sprintf("%s %s, %d CPUs, instruction set %s of %v, for quantised weights %s, BF16 %s", f.Go, f.System, f.CPUs, f.Level, f.Levels, bytes, f.BF16)
}
