package doctor

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/retort-ml/retort/hub"
	"github.com/retort-ml/retort/internal/kernel"
)

// processor says which instruction sets there are and which one is used.
func processor(_ context.Context, p *Place) []Finding {
	levels := kernel.Levels()
	found := fmt.Sprintf("%s on %s, of %s; BF16 %s", kernel.Level(), runtime.GOARCH, strings.Join(levels, ", "), kernel.BF16())
	if debug := p.variable("GODEBUG"); strings.Contains(debug, "cpu.") {
		return one(Warning, "unset GODEBUG", "%s; GODEBUG=%s takes instructions away", found, debug)
	}
	if kernel.Level() == "generic" {
		return one(Warning, "another processor, or a build without -tags purego", "%s: plain Go alone, which is many times slower", found)
	}
	return one(OK, "", "%s", found)
}

// ownGroups are the folders of this process's control group and of those above it, the lowest first.
func (p *Place) ownGroups() []string {
	top := p.system("sys/fs/cgroup")
	text, err := os.ReadFile(p.system("proc/self/cgroup"))
	if err != nil {
		return []string{top}
	}
	for line := range strings.Lines(string(text)) {
		if below, ok := strings.CutPrefix(strings.TrimSpace(line), "0::/"); ok && filepath.IsLocal("x"+below) {
			var all []string
			for dir := filepath.Join(top, below); len(dir) > len(top); dir = filepath.Dir(dir) {
				all = append(all, dir)
			}
			return append(all, top)
		}
	}
	return []string{top}
}

// fields reads a small file of the kernel as words.
func fields(path string) []string {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	return strings.Fields(string(text))
}

// quota is how many processors the control groups allow at once; 0 is no limit.
func (p *Place) quota() float64 {
	least := 0.0
	for _, dir := range p.ownGroups() {
		words := fields(filepath.Join(dir, "cpu.max"))
		if len(words) != 2 {
			continue
		}
		limit, err1 := strconv.ParseFloat(words[0], 64)
		period, err2 := strconv.ParseFloat(words[1], 64)
		if err1 == nil && err2 == nil && period > 0 && (least == 0 || limit/period < least) {
			least = limit / period
		}
	}
	return least
}

// cores compares the threads that would compute with the processors that there are.
func cores(_ context.Context, p *Place) []Finding {
	threads := p.Threads
	if threads == 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	there := runtime.NumCPU()
	quota := p.quota()
	switch {
	case quota > 0 && quota < float64(threads):
		return one(Warning, fmt.Sprintf("--threads %d (RETORT_THREADS), or a larger quota", max(1, int(quota))),
			"a quota of %.3g processors for %d threads: they will stand still part of the time", quota, threads)
	case threads > there:
		return one(Warning, fmt.Sprintf("--threads %d", there), "%d threads on %d processors", threads, there)
	case quota > 0:
		return one(OK, "", "%d threads on %d processors, a quota of %.3g", threads, there, quota)
	}
	return one(OK, "", "%d threads on %d processors", threads, there)
}

// times are what the processors did since the start, in ticks.
type times struct{ all, idle, stolen float64 }

func (p *Place) times() (t times, ok bool) {
	words := fields(p.system("proc/stat"))
	if len(words) < 9 || words[0] != "cpu" {
		return t, false
	}
	for i, word := range words[1:9] { // user nice system idle iowait irq softirq steal
		x, err := strconv.ParseFloat(word, 64)
		if err != nil {
			return t, false
		}
		t.all += x
		switch i {
		case 3, 4:
			t.idle += x
		case 7:
			t.stolen = x
		}
	}
	return t, true
}

// neighbours looks twice at what the processors do while this program waits.
func neighbours(ctx context.Context, p *Place) []Finding {
	before, ok := p.times()
	if !ok {
		return one(Note, "", "this system does not say what its processors do")
	}
	if p.Pause != nil {
		p.Pause(ctx)
	} else {
		select {
		case <-time.After(time.Second / 3):
		case <-ctx.Done():
		}
	}
	after, ok := p.times()
	passed := after.all - before.all
	if !ok || passed <= 0 {
		return one(Note, "", "this system does not say what its processors do")
	}
	stolen, busy := (after.stolen-before.stolen)/passed, 1-(after.idle-before.idle)/passed
	switch {
	case stolen > 0.05:
		return one(Warning, "another machine, or a quieter hour; measure nothing now", "other virtual machines take %.0f %% of the processors' time", 100*stolen)
	case busy > 0.4:
		return one(Warning, "look with top, and measure nothing now", "other programs use %.0f %% of the processors", 100*busy)
	}
	return one(OK, "", "%.0f %% of the processors are in use", 100*max(0, busy))
}

// free is the memory that can be taken, and what it is bounded by; 0 if nobody tells.
func (p *Place) free() (bytes int64, bound string) {
	text, err := os.ReadFile(p.system("proc/meminfo"))
	if err != nil {
		return 0, ""
	}
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		if len(words) == 3 && words[0] == "MemAvailable:" {
			if kib, err := strconv.ParseInt(words[1], 10, 53); err == nil {
				bytes, bound = kib*1024, "the machine"
			}
		}
	}
	for _, dir := range p.ownGroups() {
		limit, used := fields(filepath.Join(dir, "memory.max")), fields(filepath.Join(dir, "memory.current"))
		if len(limit) != 1 || len(used) != 1 {
			continue
		}
		most, err1 := strconv.ParseInt(limit[0], 10, 64)
		now, err2 := strconv.ParseInt(used[0], 10, 64)
		if err1 == nil && err2 == nil && bytes > 0 && most-now < bytes {
			bytes, bound = max(1, most-now), "the control group"
		}
	}
	return bytes, bound
}

// The memory below which hardly a model and hardly the tiny one runs.
const (
	littleMemory = 1 << 30
	noMemory     = 128 << 20
)

// memory compares what is free with the models that are here.
func memory(_ context.Context, p *Place) []Finding {
	free, bound := p.free()
	switch {
	case free == 0:
		return one(Note, "", "this system does not say how much memory is free")
	case free < noMemory:
		return one(Fault, "end other programs, or raise the limit", "%s are free (%s)", size(free), bound)
	case free < littleMemory:
		return one(Warning, "end other programs, or raise the limit", "%s are free (%s)", size(free), bound)
	}
	found := []Finding{}
	all, err := hub.List(p.Hub)
	if err != nil {
		all = nil // the check of models says so
	}
	for _, m := range all {
		if m.Bytes > free {
			found = append(found, Finding{Status: Warning, Found: fmt.Sprintf("%s takes %s and more, and %s are free (%s)", m.Reference, size(m.Bytes), size(free), bound),
				Do: "fewer bits (retort quantize), or end other programs; retort show tells the sum"})
		}
	}
	return orOK(short(found), "%s free (%s)", size(free), bound)
}

// largePages says whether large arrays may lie in large pages.
func largePages(_ context.Context, p *Place) []Finding {
	const path = "sys/kernel/mm/transparent_hugepage/enabled"
	text, err := os.ReadFile(p.system(path))
	if err != nil {
		return one(Note, "", "this system does not say whether it has large pages")
	}
	for _, word := range strings.Fields(string(text)) {
		if chosen, ok := strings.CutPrefix(word, "["); ok {
			chosen = strings.TrimSuffix(chosen, "]")
			if chosen == "never" {
				return one(Warning, "echo madvise | sudo tee /"+path, "large pages are switched off: weights are read more slowly")
			}
			return one(OK, "", "%s", chosen)
		}
	}
	return one(Note, "", "this system does not say whether it uses large pages")
}

// openFiles looks at how many files may be open at once.
func openFiles(_ context.Context, p *Place) []Finding {
	if p.Files == nil {
		return one(Note, "", "this system has no such limit")
	}
	soft, ok := p.Files()
	switch {
	case !ok:
		return one(Note, "", "this system does not say how many files may be open")
	case soft < 64:
		return one(Fault, "ulimit -n 4096", "%d files may be open at once: not even a model in parts and a run", soft)
	case soft < 1024:
		return one(Warning, "ulimit -n 4096", "%d files may be open at once: few for a server with many clients", soft)
	}
	return one(OK, "", "%d may be open at once", soft)
}

// clock compares the time with that of the program, which cannot be younger.
func clock(_ context.Context, p *Place) []Finding {
	now := p.now()
	if !p.Built.IsZero() && now.Before(p.Built.Add(-24*time.Hour)) {
		return one(Fault, "set the clock: certificates and the order of runs depend on it", "it is %s here, before this program was made (%s)", now.UTC().Format(time.DateOnly), p.Built.UTC().Format(time.DateOnly))
	}
	return one(OK, "", "%s", now.UTC().Format("2006-01-02 15:04 MST"))
}
