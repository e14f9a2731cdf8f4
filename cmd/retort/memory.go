package main

import (
	"errors"
	"os"
	"strconv"
	"strings"

	"github.com/retort-ml/retort/cmd/retort/internal/explain"
	"github.com/retort-ml/retort/engine"
	"github.com/retort-ml/retort/internal/compute"
	"github.com/retort-ml/retort/model"
)

// checkMemory says what the model at path and an engine over it take, with keys and values as kv says. It is an error, with the sum beside it, if
// they do not fit into the memory that is free. Nothing is loaded yet.
func (f inferenceFlags) checkMemory(path string, cpu *compute.CPU, o engine.Options, kv kvFlags) (engine.Memory, error) {
	folder, err := findModel(path)
	if err != nil {
		return engine.Memory{}, err
	}
	files, err := openFiles(folder)
	if err != nil {
		return engine.Memory{}, err
	}
	isQuantised, err := f.keepsQuantised(files)
	if err != nil {
		return engine.Memory{}, errors.Join(err, files.Close())
	}
	o.KV = kv.format(isQuantised)
	need, err := f.measure(files, cpu, &o)
	if err = errors.Join(err, files.Close()); err != nil {
		return engine.Memory{}, err
	}
	if available := freeMemory(os.ReadFile); available > 0 {
		if err := need.Fit(available); err != nil {
			return engine.Memory{}, explain.Errorf("memory", "%s: %w\n%s", path, err, need.Table())
		}
	}
	return need, nil
}

// measure is what the model in files and an engine over it take.
func (f inferenceFlags) measure(files *model.Files, cpu *compute.CPU, o *engine.Options) (engine.Memory, error) {
	if f.Compute != "" && f.Compute != computeFile {
		return engine.Measure(files.Config, nil, model.Options{Compute: f.Compute}, cpu, o)
	}
	kept, err := files.Formats()
	if err != nil {
		return engine.Memory{}, err
	}
	return engine.Measure(files.Config, kept, model.Options{}, cpu, o)
}

// freeMemory is how many bytes a program can take without pushing others out: what Linux says, and not more than the control group's limit leaves; 0 if nobody tells.
func freeMemory(read func(string) ([]byte, error)) int64 {
	info, err := read("/proc/meminfo")
	if err != nil {
		return 0
	}
	free := int64(0)
	for line := range strings.Lines(string(info)) {
		if rest, ok := strings.CutPrefix(line, "MemAvailable:"); ok {
			kib, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 53)
			if err == nil {
				free = kib * 1024
			}
		}
	}
	number := func(name string) (int64, bool) {
		text, err := read("/sys/fs/cgroup/" + name)
		if err != nil {
			return 0, false
		}
		n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
		return n, err == nil
	}
	limit, limited := number("memory.max")
	used, known := number("memory.current")
	if limited && known && free > 0 {
		free = min(free, max(1, limit-used))
	}
	return free
}
