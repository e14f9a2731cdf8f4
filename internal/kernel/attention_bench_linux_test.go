package kernel

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/retort-ml/retort/tensor"
)

// depthCache is the written keys and values of many layers, more than any cache of a processor holds.
type depthCache struct {
	layers int
	kv     []float32 // of all layers
	floats int       // of one
	format tensor.Format
	table  []int32
}

// newDepthCache writes n positions of heads of R1-Distill-Qwen-1.5B into blocks in order, or scattered as an arena's are that was used for long.
func newDepthCache(b *testing.B, f tensor.Format, layers, n int, scattered bool) *depthCache {
	c := &depthCache{layers: layers, format: f}
	blocks := (n + BlockTokens - 1) / BlockTokens
	c.floats = blocks * BlockFloats(f, 2, 128)
	c.kv = largePages(b, layers*c.floats)
	r := newRand(uint64(n))
	row := normals(r, n*4*128)
	slots := make([]int32, n)
	for block := range blocks {
		c.table = append(c.table, int32(block))
	}
	if scattered {
		r.Shuffle(blocks, func(i, j int) { c.table[i], c.table[j] = c.table[j], c.table[i] })
	}
	for i := range slots {
		slots[i] = int32(i)
	}
	for layer := range layers {
		KVWrite(c.layer(layer), f, slots, row, row[2*128:], 4*128, n, 2, 128)
	}
	return c
}

// largePages is n floats in large pages, as the arena of the engine is.
func largePages(b *testing.B, n int) []float32 {
	memory, err := unix.Mmap(-1, 0, 4*n+1<<21, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = unix.Munmap(memory) })
	if err := unix.Madvise(memory, unix.MADV_HUGEPAGE); err != nil {
		b.Log(err)
	}
	return unsafe.Slice((*float32)(unsafe.Pointer(&memory[0])), n)
}

func (c *depthCache) layer(i int) []float32 { return c.kv[i*c.floats:][:c.floats] }

// BenchmarkAttentionDepth times the attention of one token at a depth in all layers of R1-Distill-Qwen-1.5B: over a cache beyond the processor's, and
// over one layer again and again.
func BenchmarkAttentionDepth(b *testing.B) {
	const n, layers = 4096, 28
	q := normals(newRand(1), 12*128)
	out := make([]float32, 12*128)
	scratch := make([]float32, AttentionScratch(12, 2, 128))
	scale := float32(1 / math.Sqrt(128))
	for _, f := range []tensor.Format{tensor.F32, tensor.F16, tensor.BF16, tensor.Q8_0} {
		for _, c := range []struct {
			name      string
			layers, n int
			scattered bool
		}{{"memory", layers, n, false}, {"scattered", layers, n, true}, {"cached", 1, 512, false}} {
			b.Run(fmt.Sprintf("%s/%s", f, c.name), func(b *testing.B) {
				cache := newDepthCache(b, f, c.layers, c.n, c.scattered)
				var all []float64
				for b.Loop() {
					start := time.Now()
					for i := range layers {
						for range n / c.n {
							for g := range 2 {
								Attention(out, 12*128, nil, q, 12*128, cache.layer(i%c.layers), f, cache.table, 1, c.n-1, g, 12, 2, 128, scale, scratch)
							}
						}
					}
					all = append(all, time.Since(start).Seconds())
				}
				slices.Sort(all)
				median := all[len(all)/2]
				b.ReportMetric(median*1e3, "ms/token")
				b.ReportMetric(all[0]*1e3, "best-ms")
				b.ReportMetric(float64(layers*BlockFloats(f, 2, 128)*4*n/BlockTokens)/median/1e9, "GB/s")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}
