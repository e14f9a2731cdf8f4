package kernel

import (
	"fmt"
	"math"
	"testing"
	"time"
)

// best runs f for the benchmark's time and returns the seconds of its fastest call: a neighbour on a shared machine can only
// make a call slower.
func best(b *testing.B, f func()) float64 {
	fastest := math.Inf(1)
	for b.Loop() {
		start := time.Now()
		f()
		fastest = min(fastest, time.Since(start).Seconds())
	}
	return fastest
}

// benchmarkLevels runs the benchmark on each level of the machine.
func benchmarkLevels(b *testing.B, benchmark func(b *testing.B)) {
	before := Level()
	defer setLevel(before)
	for _, level := range Levels() {
		setLevel(level)
		b.Run(level, benchmark)
	}
}

// peakGFLOPS is what one core does at the level in use, from independent fused multiply-adds, best of many short runs. The
// plain Go level has none and gives 0.
func peakGFLOPS() float64 {
	fastest := 0.0
	for range 300 {
		start := time.Now()
		operations := multiplyAdd(2000)
		fastest = max(fastest, operations/time.Since(start).Seconds()/1e9)
	}
	return fastest
}

func reportGFLOPS(b *testing.B, operations, seconds, peak float64) {
	rate := operations / seconds / 1e9
	b.ReportMetric(rate, "GFLOP/s")
	if peak > 0 {
		b.ReportMetric(100*rate/peak, "%peak")
	}
	b.ReportMetric(seconds*1e6, "us/call")
}

func BenchmarkGemm(b *testing.B) {
	shapes := []struct {
		m, n, k    int
		transposed bool
	}{
		{m: 1, n: 96, k: 96}, {m: 1, n: 512, k: 128}, {m: 2, n: 288, k: 96}, {m: 4, n: 288, k: 96},
		{m: 64, n: 288, k: 96}, {m: 64, n: 96, k: 256}, {m: 64, n: 704, k: 128}, {m: 256, n: 128, k: 128}, {m: 256, n: 96, k: 384},
		{m: 1024, n: 96, k: 96}, {m: 48, n: 96, k: 1536}, {m: 48, n: 96, k: 8960},
		{m: 96, n: 96, k: 256, transposed: true}, {m: 96, n: 256, k: 384, transposed: true}, {m: 128, n: 128, k: 1024, transposed: true},
	}
	benchmarkLevels(b, func(b *testing.B) {
		peak := peakGFLOPS()
		for _, s := range shapes {
			name := fmt.Sprintf("m=%d,n=%d,k=%d", s.m, s.n, s.k)
			rowStride, kStride := s.k, 1
			if s.transposed {
				name += ",transposed"
				rowStride, kStride = 1, s.m
			}
			b.Run(name, func(b *testing.B) {
				x, w := normals(newRand(1), s.m*s.k), normals(newRand(2), s.k*s.n)
				packed, c := make([]float32, PackedLen(s.n, s.k)), make([]float32, s.m*s.n)
				PackColumns(packed, w, s.k, s.n, s.n)
				seconds := best(b, func() { Gemm(c, s.n, x, rowStride, kStride, packed, s.m, s.n, s.k, nil, 0) })
				reportGFLOPS(b, 2*float64(s.m)*float64(s.n)*float64(s.k), seconds, peak)
			})
		}
	})
}

// Speeds of the operations on rows, at the sizes of the lab's models: 64 rows.
func BenchmarkRows(b *testing.B) {
	const rows, d, f, vocabulary, heads, headSize = 64, 96, 256, 512, 3, 32
	r := newRand(3)
	x, dx, dy := normals(r, rows*vocabulary), make([]float32, rows*vocabulary), normals(r, rows*vocabulary)
	w, dw, rstd, state := normals(r, vocabulary), make([]float32, vocabulary), make([]float32, rows), make([]float32, 4*rows)
	positions, table := make([]int32, rows), make([]float32, rows*headSize)
	for i := range positions {
		positions[i] = int32(i)
	}
	RoPETable(table, rows, headSize, 10000)
	packed := make([]float32, PackedLen(f, d))
	operations := []struct {
		name string
		run  func()
	}{
		{"RMSNorm/d=96", func() { RMSNorm(dx, x, w, rstd, rows, d, 1e-6) }},
		{"RMSNormBackward/d=96", func() { RMSNormBackward(dx, dw, dy, x, w, rstd, rows, d) }},
		{"RoPE/heads=3,size=32", func() { RoPE(x, heads*headSize, positions, table, rows, heads, headSize, false) }},
		{"SwiGLU/f=256", func() { SwiGLU(dx, x, rows, f) }},
		{"SwiGLUBackward/f=256", func() { SwiGLUBackward(dx, dy, x, rows, f) }},
		{"SoftmaxStats/n=512", func() { SoftmaxStats(state, x, vocabulary, rows, vocabulary, 1, true) }},
		{"SoftmaxFinish", func() { SoftmaxFinish(rstd, nil, state, rows) }},
		{"Softmax/n=512", func() { Softmax(dx, x, vocabulary, rows, vocabulary, 1, rstd) }},
		{"PackRows/k=96,n=64", func() { PackRows(packed, x, rows, d, d) }},
		{"PackColumns/n=96,k=64", func() { PackColumns(packed, x, rows, d, d) }},
	}
	for _, operation := range operations {
		b.Run(operation.name, func(b *testing.B) {
			benchmarkLevels(b, func(b *testing.B) {
				b.ReportMetric(best(b, operation.run)/rows*1e9, "ns/row")
			})
		})
	}
}

func BenchmarkVectors(b *testing.B) {
	const n = 1 << 15
	r := newRand(4)
	w, m, v, g := normals(r, n), make([]float32, n), make([]float32, n), normals(r, n)
	step := AdamWStep{LearningRate: 1e-6, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, WeightDecay: 0.1, GradScale: 1, Correction1: 0.1, Correction2: 0.001}
	operations := []struct {
		name  string
		bytes float64 // read and written for one float
		run   func()
	}{
		{"AdamW", 28, func() { AdamW(w, m, v, g, step) }},
		{"AddScaled", 12, func() { AddScaled(m, g, 1e-6) }},
		{"Add", 12, func() { Add(m, w, g) }},
		{"SumSquares", 4, func() { SumSquares(g) }},
	}
	for _, operation := range operations {
		b.Run(operation.name, func(b *testing.B) {
			benchmarkLevels(b, func(b *testing.B) {
				b.ReportMetric(operation.bytes*n/best(b, operation.run)/1e9, "GB/s")
			})
		})
	}
}

// Attention of a whole sequence, of one row behind it, and the adjoint of one key/value head.
func BenchmarkAttention(b *testing.B) {
	for _, n := range []int{1, 16, 62, 130, 600} {
		c := newAttentionCase(n, 4, 2, 32)
		out, lse := c.run(0, n, c.heads*c.headSize)
		scratch := make([]float32, AttentionScratch(c.heads, c.kvHeads, c.headSize))
		backward := make([]float32, AttentionBackwardScratch(n, c.heads, c.kvHeads, c.headSize))
		dqkv := make([]float32, len(c.qkv))
		width := c.heads * c.headSize
		operations := []struct {
			name string
			rows int
			run  func()
		}{
			{"prefill", n, func() {
				for g := range c.kvHeads {
					Attention(out, width, lse, c.q(), c.ld, c.cache, c.format, c.table, n, 0, g, c.heads, c.kvHeads, c.headSize, c.scale, scratch)
				}
			}},
			{"decode", 1, func() {
				for g := range c.kvHeads {
					Attention(out, width, lse, c.q(), c.ld, c.cache, c.format, c.table, 1, n-1, g, c.heads, c.kvHeads, c.headSize, c.scale, scratch)
				}
			}},
			{"backward", n, func() {
				AttentionBackward(dqkv, dqkv[width:], dqkv[width+c.kvHeads*c.headSize:], c.ld, out, out, width, lse,
					c.q(), c.k(), c.v(), c.ld, n, 0, c.heads, c.kvHeads, c.headSize, c.scale, backward)
			}},
		}
		for _, operation := range operations {
			b.Run(fmt.Sprintf("%s/n=%d,heads=4,2,size=32", operation.name, n), func(b *testing.B) {
				benchmarkLevels(b, func(b *testing.B) {
					seconds := best(b, operation.run)
					b.ReportMetric(seconds*1e9/float64(operation.rows), "ns/row")
					b.ReportMetric(seconds*1e6, "us/call")
				})
			})
		}
	}
}
