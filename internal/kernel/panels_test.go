package kernel

import (
	"encoding/binary"
	"math"
	"slices"
	"testing"

	"github.com/retort-ml/retort/tensor"
)

// TestPanelsBF16: panels made of a file's bytes are those that PackRowsFromBF16 makes of its numbers, from any address, and each row reads back.
func TestPanelsBF16(t *testing.T) {
	r := newRand(7)
	for _, size := range [][2]int{{1, 1}, {16, 64}, {21, 34}, {40, 7}, {33, 300}} {
		n, k := size[0], size[1]
		numbers, raw := make([]uint16, n*k), make([]byte, 2*n*k+2)
		for i := range numbers {
			numbers[i] = uint16(r.Uint32())
		}
		want := make([]uint32, PackedLenBF16(n, k))
		PackRowsFromBF16(want, numbers, n, k, k)
		for _, shift := range []int{0, 1, 2} {
			w := raw[shift:][:2*n*k]
			for i, x := range numbers {
				binary.LittleEndian.PutUint16(w[2*i:], x)
			}
			got := make([]uint32, len(want))
			for i := range got {
				got[i] = 0xdeadbeef
			}
			panels := bytesOfPairs(got)
			if len(panels) != PanelBytes(tensor.BF16, n, k) {
				t.Fatalf("%dx%d: %d bytes, want %d", n, k, PanelBytes(tensor.BF16, n, k), len(panels))
			}
			PackPanels(panels, tensor.BF16, w, n, k)
			if !slices.Equal(got, want) {
				t.Fatalf("%dx%d from an address off by %d: the panels differ", n, k, shift)
			}
			row := make([]float32, k)
			for j := range n {
				PanelRow(row, tensor.BF16, panels, j)
				for p, x := range row {
					if bits := math.Float32bits(x); bits != uint32(numbers[j*k+p])<<16 {
						t.Fatalf("%dx%d: row %d, %d is %x, want %x", n, k, j, p, bits, numbers[j*k+p])
					}
				}
			}
		}
	}
	if InPanels(tensor.F32) || !InPanels(tensor.F16) || !InPanels(tensor.BF16) || !InPanels(tensor.Q4_K) {
		t.Error("the formats that stay in panels are others")
	}
}

func bytesOfPairs(x []uint32) []byte { return bytesOf(floatBits(x)) }

// TestGemmF16: on every level a product with weights in F16 has the bits of Gemm with the widened ones.
func TestGemmF16(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		r := newRand(11)
		scratch := make([]uint32, WidenedScratch())
		for _, size := range [][3]int{{1, 1, 1}, {1, 16, 2}, {3, 21, 513}, {7, 40, 1025}, {13, 33, 64}, {2, 64, 511}, {5, 5, 0}} {
			m, n, k := size[0], size[1], size[2]
			numbers := make([]uint16, n*k)
			widened := make([]float32, n*k)
			for i := range numbers {
				// Any finite number, denormals and both zeros among them.
				if numbers[i] = uint16(r.Uint32()); numbers[i]>>10&31 == 31 {
					numbers[i] &^= 1 << 14
				}
				widened[i] = tensor.FloatFromF16(numbers[i])
			}
			raw := make([]byte, 2*n*k)
			for i, x := range numbers {
				binary.LittleEndian.PutUint16(raw[2*i:], x)
			}
			panels := make([]uint32, PanelBytes(tensor.F16, n, k)/4)
			PackPanels(bytesOfPairs(panels), tensor.F16, raw, n, k)
			row := make([]float32, k)
			for j := range n {
				if PanelRow(row, tensor.F16, bytesOfPairs(panels), j); !slices.Equal(row, widened[j*k:(j+1)*k]) {
					t.Fatalf("row %d of %dx%d reads otherwise", j, n, k)
				}
			}
			packed := make([]float32, PackedLen(n, k))
			PackRows(packed, widened, n, k, k)
			a, init := make([]float32, m*k), make([]float32, m*n)
			for i := range a {
				a[i] = float32(r.NormFloat64())
			}
			for i := range init {
				init[i] = float32(r.NormFloat64())
			}
			for _, start := range [][]float32{nil, init} {
				got, want := make([]float32, m*n), make([]float32, m*n)
				GemmF16(got, n, a, k, panels, m, n, k, start, n, scratch)
				Gemm(want, n, a, k, 1, packed, m, n, k, start, n)
				if !slices.Equal(got, want) {
					t.Errorf("%d rows of %d, %d columns: the product has other bits", m, k, n)
				}
			}
		}
	})
}

// TestWidenPairs: on every level every number of F16 is widened as package tensor does it.
func TestWidenPairs(t *testing.T) {
	from := make([]uint32, 1<<15)
	for i := range from {
		from[i] = uint32(2*i) | uint32(2*i+1)<<16
	}
	want := make([]float32, 1<<16)
	widenPairsGo(want, from, len(from)/PanelWidth)
	eachLevel(t, func(t *testing.T) {
		got := make([]float32, len(want))
		widenPairs(got, from, len(from)/PanelWidth)
		for i, x := range got {
			isNaN := math.IsNaN(float64(x)) && math.IsNaN(float64(want[i]))
			if math.Float32bits(x) != math.Float32bits(want[i]) && !isNaN {
				t.Fatalf("number %d: %v, want %v", i, x, want[i])
			}
		}
	})
}
