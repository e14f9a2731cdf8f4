package bench

import (
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/retort-ml/retort/internal/compute"
	"github.com/retort-ml/retort/internal/kernel"
)

// Limit is what the machine does at most with some threads.
type Limit struct {
	Threads int `json:"threads"`
	// Read is the best round's bytes a second from memory, ReadRounds all rounds', ReadMedian their median.
	Read       float64   `json:"read_bytes_per_second"`
	ReadMedian float64   `json:"read_median"`
	ReadRounds []float64 `json:"read_rounds"`
	// Float32, BF16 and Bytes are operations a second; see kernel.Peak.
	Float32 float64 `json:"float32_per_second"`
	BF16    float64 `json:"bf16_per_second"`
	Bytes   float64 `json:"bytes_per_second"`
}

// probeFloats is the memory that is read: 256 MiB, more than the last cache of most machines.
const probeFloats = 64 << 20

// measureLimits measures on one thread, on two where there are two, and on those of cpu, and keeps the best of this and of earlier times.
func (r *Result) measureLimits(cpu *compute.CPU) {
	memory := make([]float32, probeFloats)
	for i := 0; i < len(memory); i += 512 { // a page that was never written is no memory
		memory[i] = 1
	}
	counts := []int{1, cpu.Pool().Threads()}
	if runtime.GOMAXPROCS(0) >= 2 {
		counts = append(counts, 2)
	}
	slices.Sort(counts)
	for _, threads := range slices.Compact(counts) {
		at := slices.IndexFunc(r.Limits, func(l Limit) bool { return l.Threads == threads })
		if at < 0 {
			at = len(r.Limits)
			r.Limits = append(r.Limits, Limit{Threads: threads})
		}
		pool := kernel.NewPool(threads)
		r.Limits[at].measure(pool, memory)
		pool.Close()
	}
}

// shortProbe is the memory of ReadSpeed in floats: 128 MiB.
const shortProbe = 32 << 20

// ReadSpeed is the bytes a second that threads read from memory, the best of some rounds. It takes a tenth of a second.
func ReadSpeed(threads int) float64 {
	memory := make([]float32, shortProbe)
	for i := 0; i < len(memory); i += 512 {
		memory[i] = 1
	}
	pool := kernel.NewPool(threads)
	defer pool.Close()
	return slices.Max(kernel.MeasureRead(pool, memory))
}

func (l *Limit) measure(pool *kernel.Pool, memory []float32) {
	p := kernel.MeasurePeak(pool)
	l.Float32, l.BF16, l.Bytes = max(l.Float32, p.Float32), max(l.BF16, p.BF16), max(l.Bytes, p.Bytes)
	l.ReadRounds = append(l.ReadRounds, kernel.MeasureRead(pool, memory)...)
	l.Read, l.ReadMedian = slices.Max(l.ReadRounds), median(l.ReadRounds)
}

// used is the limit with the threads of the works.
func (r *Result) used() *Limit {
	return &r.Limits[slices.IndexFunc(r.Limits, func(l Limit) bool { return l.Threads == r.Threads })]
}

// residentPeak is the most memory of this process that was resident at once, in bytes, as Linux tells it (man 5 proc, VmHWM); 0 if nobody does.
func residentPeak() int64 {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 53)
			if err == nil {
				return kib * 1024
			}
		}
	}
	return 0
}

// forgetPeak lets residentPeak begin anew (man 5 proc, clear_refs). Where that is not allowed, the peak is that of the whole run.
func forgetPeak() { _ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) }
