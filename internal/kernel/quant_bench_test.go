package kernel

import (
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/retort-ml/retort/tensor"
)

// benchFormats are those that files are made of most often.
var benchFormats = []tensor.Format{tensor.Q4_0, tensor.Q8_0, tensor.Q4_K, tensor.Q6_K}

// byteGOPS is what one core does at the level in use, best of many short runs.
func byteGOPS() float64 {
	fastest := 0.0
	for range 300 {
		start := time.Now()
		operations := multiplyBytes(2000)
		fastest = max(fastest, operations/time.Since(start).Seconds()/1e9)
	}
	return fastest
}

// BenchmarkDecode multiplies weights that come from memory with one row, and with few: shapes of a 1.5B model. Copies of the weights follow each other,
// 256 MiB in all, so that no cache holds them.
func BenchmarkDecode(b *testing.B) {
	shapes := [][2]int{{1536, 1536}, {8960, 1536}, {1536, 8960}, {151936, 1536}}
	for threads := 1; threads <= min(2, runtime.GOMAXPROCS(0)); threads++ {
		pool := NewPool(threads)
		pool.Begin()
		b.Run(fmt.Sprintf("read/threads=%d", threads), func(b *testing.B) {
			memory := make([]float32, 64<<20)
			for b.Loop() {
				b.ReportMetric(slices.Max(MeasureRead(pool, memory))/1e9, "GB/s")
			}
		})
		for _, f := range benchFormats {
			for _, s := range shapes {
				for _, m := range []int{1, 4, 8} {
					b.Run(fmt.Sprintf("%s/%dx%d/m=%d/threads=%d", f, s[0], s[1], m, threads), func(b *testing.B) { benchmarkDecode(b, pool, f, m, s[0], s[1]) })
				}
			}
		}
		pool.End()
		pool.Close()
	}
}

func benchmarkDecode(b *testing.B, pool *Pool, f tensor.Format, m, n, k int) {
	size := QuantisedBytes(f, n, k)
	copies := max(1, 256<<20/size)
	weights := make([]byte, copies*size)
	PackQuantised(weights[:size], f, fileBytes(newRand(1), f, n, k), n, k)
	for at := size; at < len(weights); at *= 2 {
		copy(weights[at:], weights[:at])
	}
	x, a, c := normals(newRand(2), m*k), make([]uint32, m*QuantisedLen(k)), make([]float32, m*n)
	Quantise(a, QuantisedLen(k), f, x, k, m, k)
	panel, panels := size/((n+15)/16), (n+15)/16
	scratch := make([][]uint32, pool.Threads())
	for i := range scratch {
		scratch[i] = make([]uint32, QuantisedScratch())
	}
	chunks := min(panels, 4*pool.Threads())
	each := (panels + chunks - 1) / chunks
	copyAt := 0
	run := func(worker, chunk int) {
		first := chunk * each
		count := min(each, panels-first)
		if count > 0 {
			w := weights[copyAt*size+first*panel:]
			GemmQuantised(c[first*16:], n, f, a, QuantisedLen(k), w[:count*panel], m, min(count*16, n-first*16), k, nil, 0, scratch[worker])
		}
	}
	seconds := best(b, func() {
		for range 8 {
			pool.Run(chunks, run)
			copyAt = (copyAt + 1) % copies
		}
	}) / 8
	b.ReportMetric(float64(size)/seconds/1e9, "GB/s")
	b.ReportMetric(2*float64(m)*float64(n)*float64(k)/seconds/1e9, "GOP/s")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkPrefill multiplies 512 rows in the chunks of one worker.
func BenchmarkPrefill(b *testing.B) {
	defer setQuantLevel(bestQuantLevel())
	for _, level := range quantLevels()[1:] {
		setQuantLevel(level)
		peak := byteGOPS()
		for _, f := range quantised() {
			for _, s := range [][2]int{{1536, 1536}, {8960, 1536}, {1536, 8960}} {
				b.Run(fmt.Sprintf("%s/%s/%dx%d", level, f, s[0], s[1]), func(b *testing.B) {
					const m = 96
					n, k := s[0], s[1]
					w := make([]byte, QuantisedBytes(f, n, k))
					PackQuantised(w, f, fileBytes(newRand(1), f, n, k), n, k)
					x, a, c := normals(newRand(2), m*k), make([]uint32, m*QuantisedLen(k)), make([]float32, m*n)
					Quantise(a, QuantisedLen(k), f, x, k, m, k)
					scratch := make([]uint32, QuantisedScratch())
					seconds := best(b, func() { GemmQuantised(c, n, f, a, QuantisedLen(k), w, m, n, k, nil, 0, scratch) })
					rate := 2 * float64(m) * float64(n) * float64(k) / seconds / 1e9
					b.ReportMetric(rate, "GOP/s")
					b.ReportMetric(100*rate/peak, "%peak")
					b.ReportMetric(0, "ns/op")
				})
			}
		}
	}
}

// BenchmarkPackQuantised lays out weights of one core.
func BenchmarkPackQuantised(b *testing.B) {
	for _, f := range quantised() {
		b.Run(f.String(), func(b *testing.B) {
			const n, k = 256, 1536
			w := fileBytes(newRand(1), f, n, k)
			dst := make([]byte, QuantisedBytes(f, n, k))
			b.ReportMetric(float64(len(w))/best(b, func() { PackQuantised(dst, f, w, n, k) })/1e9, "GB/s")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkQuantise quantises activations of one core.
func BenchmarkQuantise(b *testing.B) {
	const k = 8960
	x, a := normals(newRand(2), k), make([]uint32, QuantisedLen(k))
	b.ReportMetric(best(b, func() { Quantise(a, len(a), tensor.Q4_0, x, k, 1, k) })*1e6, "us")
}
