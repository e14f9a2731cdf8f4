package model

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/retort-ml/retort/internal/compute"
)

// BenchmarkQuantised loads the GGUF file that RETORT_BENCH_MODEL names and measures a prompt of 512 tokens, and steps of several sequences behind prompts
// of one token or at a depth, on one thread and on two: the median of the rounds.
func BenchmarkQuantised(b *testing.B) {
	path := os.Getenv("RETORT_BENCH_MODEL")
	if path == "" {
		b.Skip("RETORT_BENCH_MODEL does not name a GGUF file")
	}
	start := time.Now()
	m, err := OpenQuantised(path)
	if err != nil {
		b.Fatal(err)
	}
	b.Logf("opened in %.2f s", time.Since(start).Seconds())
	b.Log(residentMemory())
	for threads := 1; threads <= 2; threads++ {
		cpu := compute.NewCPU(threads)
		f, err := m.CompileForward(cpu, &ForwardOptions{MaxTokens: 512, MaxRows: 64, Blocks: 64*4 + 512})
		if err != nil {
			b.Fatal(err)
		}
		touch(f)
		b.Run(fmt.Sprintf("prefill=512/threads=%d", threads), func(b *testing.B) { benchmarkSteps(b, f, 1, 512, 0) })
		for _, n := range []int{1, 2, 4, 8, 32, 64} {
			b.Run(fmt.Sprintf("batch=%d/threads=%d", n, threads), func(b *testing.B) { benchmarkSteps(b, f, n, 1, 1) })
		}
		b.Run(fmt.Sprintf("depth=4096/threads=%d", threads), func(b *testing.B) { benchmarkSteps(b, f, 1, 1, 4096) })
		cpu.Close()
	}
}

// benchmarkSteps runs steps of `sequences` sequences of `rows` rows each from position pos.
func benchmarkSteps(b *testing.B, f *Forward, sequences, rows, pos int) {
	batch := stepsAt(sequences, rows, pos)
	var list []float64
	for b.Loop() {
		start := time.Now()
		if _, _, err := f.Run(batch); err != nil {
			b.Fatal(err)
		}
		list = append(list, time.Since(start).Seconds())
	}
	b.ReportMetric(float64(sequences*rows)/median(list), "tok/s")
	b.ReportMetric(0, "ns/op")
}

// stepsAt is one step of benchmarkSteps.
func stepsAt(sequences, rows, pos int) *compute.Batch {
	batch := &compute.Batch{}
	blocks := (pos+rows)/16 + 1
	for i := range sequences {
		s := compute.Seq{Start: i * rows, Len: rows, Pos: pos}
		for j := range blocks {
			s.Blocks = append(s.Blocks, int32(i*blocks+j))
		}
		batch.Seqs = append(batch.Seqs, s)
		for j := range rows {
			batch.Tokens = append(batch.Tokens, int32(1000+7*i+j))
		}
		batch.Rows = append(batch.Rows, int32((i+1)*rows-1))
	}
	return batch
}

// residentMemory is what Linux says of this process.
func residentMemory() string {
	text, _ := os.ReadFile("/proc/self/status")
	var lines []string
	for _, l := range strings.Split(string(text), "\n") {
		if strings.HasPrefix(l, "VmHWM") || strings.HasPrefix(l, "VmRSS") {
			lines = append(lines, strings.Join(strings.Fields(l), " "))
		}
	}
	return strings.Join(lines, ", ")
}

func median(list []float64) float64 {
	slices.Sort(list)
	return list[len(list)/2]
}
