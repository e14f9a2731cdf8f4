package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/retort-ml/retort/cmd/retort/internal/explain"
	"github.com/retort-ml/retort/engine"
	"github.com/retort-ml/retort/internal/compute"
	"github.com/retort-ml/retort/model"
)

// checkMemory says what the model in files and an engine over it take, with keys and values as kv says. It is an error, with the sum beside it and what
// to try, if they do not fit into the memory that is available, unless that is 0, not known. Nothing is loaded yet.
func (f inferenceFlags) checkMemory(files *model.Files, cpu *compute.CPU, o engine.Options, kv kvFlags, available int64) (engine.Memory, error) {
	isQuantised, err := f.keepsQuantised(files)
	if err != nil {
		return engine.Memory{}, err
	}
	o.KV = kv.format(isQuantised)
	need, err := f.measure(files, cpu, &o)
	if err != nil || available == 0 {
		return need, err
	}
	if err := need.Fit(available); err != nil {
		err = explain.With("memory", fmt.Errorf("%s: %w", files.Path, err))
		return need, fmt.Errorf("%w\n%s", advise(err, f.smaller(need, available, o.KV)), need.Table())
	}
	return need, nil
}

// leastContext is the shortest context that is advised.
const leastContext = 512

// smaller is what to try where a model and its engine do not fit.
func (f inferenceFlags) smaller(need engine.Memory, available int64, kv string) string {
	var tries []string
	if n := need.Positions(available); n >= leastContext {
		tries = append(tries, fmt.Sprintf("--context %d", n))
	}
	if kv == model.KVF32 {
		tries = append(tries, "--kv f16")
	}
	if f.Compute == model.ComputeF32 {
		tries = append(tries, "--compute file")
	}
	return strings.Join(append(tries, "a smaller format, such as Q4_K_M"), ", ")
}

// largeModel is the memory from which on a need is told to everybody, tellModel to people.
const (
	largeModel = 1 << 30
	tellModel  = 64 << 20
)

// tellMemory says on one line what a model and its engine will take, before it is loaded.
func tellMemory(out *output, what string, need engine.Memory) {
	if total := need.Total(); total >= largeModel || out.terminal && total >= tellModel {
		free := ""
		if n := freeMemory(os.ReadFile); n > 0 {
			free = fmt.Sprintf("; %s are free", humanBytes(n))
		}
		out.note("%s %s = weights %s + keys and values %s + other %s%s", what, humanBytes(total), humanBytes(need.Weights), humanBytes(need.KV), humanBytes(total-need.Weights-need.KV), free)
	}
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
