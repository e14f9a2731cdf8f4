// Package lab is the paper's claims from nothing at tiny scale: stages, gates, report.
//
// It does not loosen a gate, pick a seed or stop a stage by the clock: every stage ends by its
// number of steps, and a gate's threshold is a constant.
//
// Invariants: a lab is a function of its settings and seed; a stage that is done is not run again,
// one that was killed goes on from its last checkpoint to the same bits; every number of the report
// is read from the folder of a stage.
package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"

	"github.com/retort-ml/retort/distill"
	"github.com/retort-ml/retort/internal/compute"
	"github.com/retort-ml/retort/internal/kernel"
	"github.com/retort-ml/retort/model"
	"github.com/retort-ml/retort/runstore"
	"github.com/retort-ml/retort/task"
	"github.com/retort-ml/retort/tokenizer"
)

// Options say what to run.
type Options struct {
	// Dir is the lab's folder; "" means runs/lab. A folder that holds a lab of the same settings is
	// gone on with, one of other settings is an error.
	Dir string
	// Task is the name of the task in the table of tasks; "" means countdown-3.
	Task string
	// Size is Standard, Quick or Full.
	Size Size
	// Seed is the first seed; 0 means 1. Seeds is the number of seeds; 0 means 1.
	Seed  uint64
	Seeds int
	// Threads is the number of threads; 0 means 2.
	Threads int
	// Inexact lets an interrupted stage go on with another build or instruction set.
	Inexact bool
	// Event is told what happens, from the lab's goroutine; it may be nil.
	Event func(Event)
	// Command is the command line, for the manifests and the report.
	Command []string
	// Change, if not nil, changes the settings before they are stored (recipes, experiments).
	Change func(*Settings) error
}

// Event is what a lab tells while it runs.
type Event struct {
	// Seed and Stage say where the lab is; Stage is "" for what concerns the whole lab.
	Seed  uint64 `json:"seed,omitempty"`
	Stage string `json:"stage,omitempty"`
	// Title is the stage in words, Kind one of "plan", "begin", "step", "end", "finding", "gates".
	Title string `json:"title,omitempty"`
	Kind  string `json:"kind"`
	// Step of Steps, with its metrics (kind "step").
	Step    int              `json:"step,omitempty"`
	Steps   int              `json:"steps,omitempty"`
	Metrics []runstore.Value `json:"-"`
	// Text is a line for people.
	Text string `json:"text,omitempty"`
}

// lab is the state of one run of Run.
type lab struct {
	options   Options
	settings  []Settings // per seed
	tokenizer *tokenizer.Tokenizer
	end       int32
	cpu       *compute.CPU
	task      task.SearchTask
}

// seedRun is one seed's models and results.
type seedRun struct {
	*lab
	seed     uint64
	dir      string
	settings *Settings
	models   map[string]*model.Model
	set      *distill.Set

	result SeedResult
}

// Run runs the lab and writes report.html and report.md into its folder. When ctx ends it stops
// with a checkpoint and returns ctx.Err(); the same call goes on from there.
func Run(ctx context.Context, o *Options) (*Result, error) {
	l, err := newLab(o)
	if err != nil {
		return nil, err
	}
	defer l.cpu.Close()
	if err := l.announce(); err != nil {
		return nil, err
	}
	result := &Result{Dir: l.options.Dir, Command: l.options.Command, Level: kernel.Level(), Threads: l.cpu.Pool().Threads()}
	for i := range l.settings {
		s, err := l.newSeed(i)
		if err != nil {
			return nil, err
		}
		if err := s.run(ctx); err != nil {
			return nil, fmt.Errorf("lab: seed %d: %w", s.seed, err)
		}
		result.Seeds = append(result.Seeds, s.result)
	}
	result.judge(l.settings[0].Size)
	return result, l.publish(result)
}

func newLab(o *Options) (*lab, error) {
	l := &lab{tokenizer: tokenizer.Lab()}
	if o != nil {
		l.options = *o
	}
	opt := &l.options
	if opt.Dir == "" {
		opt.Dir = filepath.Join("runs", "lab")
	}
	if opt.Seed == 0 {
		opt.Seed = 1
	}
	if opt.Seeds == 0 {
		opt.Seeds = 1
	}
	if opt.Threads == 0 {
		opt.Threads = 2
	}
	if opt.Seeds < 0 || opt.Threads < 0 {
		return nil, fmt.Errorf("lab: %d seeds on %d threads: want positive numbers", opt.Seeds, opt.Threads)
	}
	end, ok := l.tokenizer.ID(tokenizer.End)
	if !ok {
		return nil, errors.New("lab: the lab's tokenizer has no end token")
	}
	l.end = end
	for i := range opt.Seeds {
		s, err := NewSettings(opt.Task, opt.Size, opt.Seed+uint64(i), l.tokenizer.Size(), end)
		if err != nil {
			return nil, err
		}
		if opt.Change != nil {
			if err := opt.Change(&s); err != nil {
				return nil, err
			}
		}
		l.settings = append(l.settings, s)
	}
	var err error
	if l.task, err = l.settings[0].newTask(); err != nil {
		return nil, err
	}
	l.cpu = compute.NewCPU(opt.Threads)
	return l, nil
}

func (l *lab) event(e Event) {
	if l.options.Event != nil {
		l.options.Event(e)
	}
}

// newSeed opens or makes the folder of a seed and holds its settings to those stored there.
func (l *lab) newSeed(i int) (*seedRun, error) {
	s := &seedRun{lab: l, seed: l.options.Seed + uint64(i), settings: &l.settings[i], models: map[string]*model.Model{}}
	s.dir = filepath.Join(l.options.Dir, fmt.Sprintf("seed-%d", s.seed))
	s.result = SeedResult{Seed: s.seed, Settings: *s.settings, Models: map[string]*ModelResult{}}
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return nil, fmt.Errorf("lab: %w", err)
	}
	path := filepath.Join(s.dir, "settings.json")
	stored, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return s, writeJSON(path, s.settings)
	}
	if err != nil {
		return nil, fmt.Errorf("lab: %w", err)
	}
	var before Settings
	if err := json.Unmarshal(stored, &before); err != nil {
		return nil, fmt.Errorf("lab: %s: %w", path, err)
	}
	if !reflect.DeepEqual(before, *s.settings) {
		return nil, fmt.Errorf("lab: %s holds a lab of other settings; name another folder with --dir, or remove this one", s.dir)
	}
	return s, nil
}

// writeJSON replaces a file whole.
func writeJSON(path string, v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("lab: %w", err)
	}
	temporary := path + ".tmp"
	if err := os.WriteFile(temporary, append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("lab: %w", err)
	}
	if err := os.Rename(temporary, path); err != nil {
		return fmt.Errorf("lab: %w", err)
	}
	return nil
}
