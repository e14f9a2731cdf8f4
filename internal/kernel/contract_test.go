package kernel

import (
	"math"
	"runtime"
	"strings"
	"testing"

	"github.com/retort-ml/retort/tensor"
)

// An operation is one exported function with its arguments taken from lists, so that lengths can be wrong in every way.
type operation struct {
	name   string
	sizes  []int // a valid call: its sizes and strides,
	floats []int // the shortest lengths of its float slices,
	ints   []int // and of its index slices, which hold zeros
	call   func(s []int, f [][]float32, i [][]int32)
}

var operations = []operation{
	{"PackRows", []int{17, 3, 5}, []int{96, 83}, nil,
		func(s []int, f [][]float32, _ [][]int32) { PackRows(f[0], f[1], s[0], s[1], s[2]) }},
	{"PackColumns", []int{3, 17, 19}, []int{96, 55}, nil,
		func(s []int, f [][]float32, _ [][]int32) { PackColumns(f[0], f[1], s[0], s[1], s[2]) }},
	{"Gemm", []int{20, 5, 2, 3, 17, 2, 18}, []int{57, 13, 64, 53}, nil,
		func(s []int, f [][]float32, _ [][]int32) {
			Gemm(f[0], s[0], f[1], s[1], s[2], f[2], s[3], s[4], s[5], f[3], s[6])
		}},
	{"RoundBF16", []int{3, 7, 3, 5}, []int{9, 19}, nil,
		func(s []int, f [][]float32, _ [][]int32) { RoundBF16(pairsOf(f[0]), s[0], f[1], s[1], s[2], s[3]) }},
	{"PackRowsBF16", []int{17, 3, 5}, []int{64, 83}, nil,
		func(s []int, f [][]float32, _ [][]int32) { PackRowsBF16(pairsOf(f[0]), f[1], s[0], s[1], s[2]) }},
	{"PackRowsFromBF16", []int{17, 3, 5}, []int{64, 83}, nil,
		func(s []int, f [][]float32, _ [][]int32) {
			PackRowsFromBF16(pairsOf(f[0]), halvesOf(f[1]), s[0], s[1], s[2])
		}},
	{"GemmBF16", []int{20, 4, 3, 17, 6, 18}, []int{57, 11, 96, 53}, nil,
		func(s []int, f [][]float32, _ [][]int32) {
			GemmBF16(f[0], s[0], pairsOf(f[1]), s[1], pairsOf(f[2]), s[2], s[3], s[4], f[3], s[5])
		}},
	{"PackQuantised", []int{17, 64}, []int{544, 289}, nil,
		func(s []int, f [][]float32, _ [][]int32) {
			PackQuantised(bytesOf(f[0]), tensor.Q8_0, bytesOf(f[1]), s[0], s[1])
		}},
	{"Quantise", []int{25, 70, 3, 64}, []int{74, 204}, nil,
		func(s []int, f [][]float32, _ [][]int32) {
			Quantise(pairsOf(f[0]), s[0], tensor.Q5_1, f[1], s[1], s[2], s[3])
		}},
	{"GemmQuantised", []int{20, 25, 9, 17, 64, 18}, []int{177, 224, 544, 161, quantScratch}, nil,
		func(s []int, f [][]float32, _ [][]int32) {
			GemmQuantised(f[0], s[0], tensor.Q8_0, pairsOf(f[1]), s[1], bytesOf(f[2]), s[2], s[3], s[4], f[3], s[5], pairsOf(f[4]))
		}},
	{"RMSNorm", []int{3, 9}, []int{27, 27, 9, 3}, nil,
		func(s []int, f [][]float32, _ [][]int32) { RMSNorm(f[0], f[1], f[2], f[3], s[0], s[1], 1e-6) }},
	{"RMSNormBackward", []int{3, 9}, []int{27, 9, 27, 27, 9, 3}, nil,
		func(s []int, f [][]float32, _ [][]int32) {
			RMSNormBackward(f[0], f[1], f[2], f[3], f[4], f[5], s[0], s[1])
		}},
	{"RoPE", []int{15, 3, 2, 6}, []int{42, 6}, []int{3},
		func(s []int, f [][]float32, i [][]int32) { RoPE(f[0], s[0], i[0], f[1], s[1], s[2], s[3], false) }},
	{"RoPETable", []int{5, 6}, []int{30}, nil,
		func(s []int, f [][]float32, _ [][]int32) { RoPETable(f[0], s[0], s[1], 10000) }},
	{"SwiGLU", []int{3, 9}, []int{27, 54}, nil,
		func(s []int, f [][]float32, _ [][]int32) { SwiGLU(f[0], f[1], s[0], s[1]) }},
	{"SwiGLUBackward", []int{3, 9}, []int{54, 27, 54}, nil,
		func(s []int, f [][]float32, _ [][]int32) { SwiGLUBackward(f[0], f[1], f[2], s[0], s[1]) }},
	{"SoftmaxStats", []int{20, 3, 17}, []int{12, 57}, nil,
		func(s []int, f [][]float32, _ [][]int32) { SoftmaxStats(f[0], f[1], s[0], s[1], s[2], 1, true) }},
	{"SoftmaxFinish", []int{3}, []int{3, 3, 12}, nil,
		func(s []int, f [][]float32, _ [][]int32) { SoftmaxFinish(f[0], f[1], f[2], s[0]) }},
	{"Softmax", []int{20, 3, 17}, []int{57, 57, 3}, nil,
		func(s []int, f [][]float32, _ [][]int32) { Softmax(f[0], f[1], s[0], s[1], s[2], 1, f[2]) }},
	{"AddScaled", nil, []int{9, 9}, nil,
		func(_ []int, f [][]float32, _ [][]int32) { AddScaled(f[0], f[1], 2) }},
	{"Add", nil, []int{9, 9, 9}, nil,
		func(_ []int, f [][]float32, _ [][]int32) { Add(f[0], f[1], f[2]) }},
	{"AdamW", nil, []int{9, 9, 9, 9}, nil,
		func(_ []int, f [][]float32, _ [][]int32) { AdamW(f[0], f[1], f[2], f[3], AdamWStep{}) }},
	{"KVWrite", []int{15, 3, 2, 6}, []int{384, 42, 42}, []int{3},
		func(s []int, f [][]float32, i [][]int32) {
			KVWrite(f[0], tensor.F32, i[0], f[1], f[2], s[0], s[1], s[2], s[3])
		}},
	{"Attention", []int{27, 26, 3, 14, 1, 4, 2, 6}, []int{78, 12, 76, 384, -1}, []int{2},
		func(s []int, f [][]float32, i [][]int32) {
			Attention(f[0], s[0], f[1], f[2], s[1], f[3], tensor.F32, i[0], s[2], s[3], s[4], s[5], s[6], s[7], 1, f[4])
		}},
	{"KVWrite", []int{15, 3, 2, 6}, []int{192, 42, 42}, []int{3},
		func(s []int, f [][]float32, i [][]int32) {
			KVWrite(f[0], tensor.F16, i[0], f[1], f[2], s[0], s[1], s[2], s[3])
		}},
	{"Attention", []int{27, 26, 3, 14, 1, 4, 2, 6}, []int{78, 12, 76, 192, -1}, []int{2},
		func(s []int, f [][]float32, i [][]int32) {
			Attention(f[0], s[0], f[1], f[2], s[1], f[3], tensor.BF16, i[0], s[2], s[3], s[4], s[5], s[6], s[7], 1, f[4])
		}},
	{"AttentionBackward", []int{27, 26, 25, 3, 1, 4, 2, 6}, []int{78, 66, 66, 76, 76, 12, 74, 62, 62, -1}, nil,
		func(s []int, f [][]float32, _ [][]int32) {
			AttentionBackward(f[0], f[1], f[2], s[0], f[3], f[4], s[1], f[5], f[6], f[7], f[8], s[2],
				s[3], s[4], s[5], s[6], s[7], 1, f[9])
		}},
}

// lengths gives the shortest lengths of the float slices, with the scratch that the level asks for.
func (o *operation) lengths() []int {
	lengths := append([]int(nil), o.floats...)
	if last := len(lengths) - 1; lengths[last] < 0 {
		lengths[last] = AttentionScratch(4, 2, 6)
		if o.name == "AttentionBackward" {
			lengths[last] = AttentionBackwardScratch(3, 4, 2, 6)
		}
	}
	return lengths
}

func makeSlices(floats, ints []int) (f [][]float32, i [][]int32) {
	for _, n := range floats {
		f = append(f, make([]float32, n))
	}
	for _, n := range ints {
		i = append(i, make([]int32, n))
	}
	return f, i
}

// TestContracts calls each operation with slices of exactly the length it needs, then with each one shorter by one.
func TestContracts(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		for _, o := range operations {
			lengths := o.lengths()
			f, i := makeSlices(lengths, o.ints)
			if text := caught(func() { o.call(o.sizes, f, i) }); text != "" {
				t.Errorf("%s: a valid call panics: %s", o.name, text)
			}
			for at, n := range lengths {
				if n > 0 {
					f[at] = make([]float32, n-1)
					wantPanic(t, o.name, func() { o.call(o.sizes, f, i) })
					f[at] = make([]float32, n)
				}
			}
			for at, n := range o.ints {
				i[at] = make([]int32, n-1)
				wantPanic(t, o.name, func() { o.call(o.sizes, f, i) })
				for _, index := range []int32{-1, math.MaxInt32} {
					i[at] = make([]int32, n)
					i[at][n-1] = index
					wantPanic(t, o.name, func() { o.call(o.sizes, f, i) })
				}
				i[at] = make([]int32, n)
			}
			for at := range o.sizes {
				for _, size := range []int{-1, math.MinInt} {
					sizes := append([]int(nil), o.sizes...)
					sizes[at] = size
					wantPanic(t, o.name, func() { o.call(sizes, f, i) })
				}
				for _, size := range []int{maxInt, maxInt / 2, maxInt/32 + 1} {
					sizes := append([]int(nil), o.sizes...)
					sizes[at] = size
					wantPanic(t, o.name, func() { o.call(sizes, f, i) })
				}
			}
		}
	})
}

// TestOverlappingRows: several rows that lie closer than they are wide are refused.
func TestOverlappingRows(t *testing.T) {
	strides := map[string][]int{"PackRows": {2}, "PackColumns": {2}, "Gemm": {0}, "RoundBF16": {0, 1},
		"PackRowsBF16": {2}, "PackRowsFromBF16": {2}, "GemmBF16": {0, 1}, "Quantise": {0, 1}, "GemmQuantised": {0, 1}, "RoPE": {0}, "SoftmaxStats": {0},
		"Softmax": {0}, "KVWrite": {0}, "Attention": {0, 1}, "AttentionBackward": {0, 1, 2}}
	for _, o := range operations {
		f, i := makeSlices(o.lengths(), o.ints)
		for _, at := range strides[o.name] {
			sizes := append([]int(nil), o.sizes...)
			sizes[at] = 2
			wantPanic(t, o.name, func() { o.call(sizes, f, i) })
		}
	}
}

func TestSizeContracts(t *testing.T) {
	for name, f := range map[string]func(){
		"PackedLen":                func() { PackedLen(-1, 2) },
		"RoundedLen":               func() { RoundedLen(-1) },
		"PackedLenBF16":            func() { PackedLenBF16(2, -1) },
		"QuantisedLen":             func() { QuantisedLen(-1) },
		"QuantisedBytes":           func() { QuantisedBytes(tensor.Q4_K, 16, 128) },
		"BlockFloats":              func() { BlockFloats(tensor.F32, 2, -1) },
		"AttentionScratch":         func() { AttentionScratch(3, 2, 8) },
		"AttentionBackwardScratch": func() { AttentionBackwardScratch(-1, 2, 2, 8) },
	} {
		wantPanic(t, name, f)
	}
	wantPanic(t, "PackedLen", func() { PackedLen(maxInt, maxInt) })
	wantPanic(t, "QuantisedBytes", func() { QuantisedBytes(tensor.Q4_0, maxInt, 1<<40) })
	wantPanic(t, "QuantisedBytes", func() { QuantisedBytes(tensor.F32, 16, 256) })
	wantPanic(t, "BlockFloats", func() { BlockFloats(tensor.F32, maxInt, maxInt) })
	wantPanic(t, "BlockFloats", func() { BlockFloats(tensor.F16, 2, 7) })
	wantPanic(t, "BlockFloats", func() { BlockFloats(tensor.Q8_0, 2, 8) })
	wantPanic(t, "AttentionScratch", func() { AttentionScratch(2, 2, maxInt) })
	wantPanic(t, "AttentionScratch", func() { AttentionScratch(2, 0, 8) })
}

// TestNoAllocation: nothing that runs once per token allocates.
func TestNoAllocation(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		for _, o := range operations {
			f, i := makeSlices(o.lengths(), o.ints)
			if n := testing.AllocsPerRun(10, func() { o.call(o.sizes, f, i) }); n != 0 {
				t.Errorf("%s: %v allocations, want 0", o.name, n)
			}
		}
	})
}

// FuzzLengths calls an operation with any sizes and lengths: it works or panics with its own constant, and neither
// reads nor writes out of range (which the runtime, or a fault, would report in other words).
func FuzzLengths(f *testing.F) {
	for at := range operations {
		f.Add(uint8(at), 20, 17, 3, 17, 2, 1, 4, 6, uint16(100), uint16(90), uint16(80), uint16(70), int32(0))
		f.Add(uint8(at), -1, maxInt, 3, maxInt/2, 2, 1, 0, 6, uint16(500), uint16(500), uint16(500), uint16(500), int32(-1))
		f.Add(uint8(at), 3, 9, 2, 6, 6, 1, 0, 6, uint16(500), uint16(500), uint16(500), uint16(500), int32(4))
	}
	f.Fuzz(func(t *testing.T, op uint8, s0, s1, s2, s3, s4, s5, s6, s7 int, n0, n1, n2, n3 uint16, index int32) {
		o := operations[int(op)%len(operations)]
		lengths := []int{int(n0 % 2048), int(n1 % 2048), int(n2 % 2048), int(n3 % 2048)}
		slices := make([][]float32, len(o.floats))
		for at := range slices {
			slices[at] = make([]float32, lengths[at%4])
		}
		indices := make([][]int32, len(o.ints))
		for at := range indices {
			indices[at] = []int32{0, index, 0, index}
		}
		defer func() {
			switch r := recover().(type) {
			case nil:
			case runtime.Error:
				panic(r)
			case string:
				if !strings.HasPrefix(r, "kernel: ") {
					panic(r)
				}
			default:
				panic(r)
			}
		}()
		o.call([]int{s0, s1, s2, s3, s4, s5, s6, s7}, slices, indices)
	})
}
