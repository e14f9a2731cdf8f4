package kernel

import "testing"

// The peaks of a machine keep the order that its instructions have, and no product of this package is faster than its peak.
func TestMeasurePeak(t *testing.T) {
	pool := NewPool(1)
	defer pool.Close()
	p := MeasurePeak(pool)
	if Level() == "generic" {
		if p != (Peak{}) {
			t.Fatalf("plain Go has peaks: %+v", p)
		}
		return
	}
	if p.Float32 < 1e9 || p.BF16 < 0.2*p.Float32 && p.BF16 != 0 || p.Bytes < p.Float32/2 {
		t.Errorf("peaks %+v, want at least a thousand million operations a second, and bytes not slower than floats by half", p)
	}
	const m, n, k = 64, 128, 256
	x, w := random(1, m*k), random(2, k*n)
	packed, c := make([]float32, PackedLen(n, k)), make([]float32, m*n)
	PackColumns(packed, w, k, n, n)
	product := peakOf(pool, func(int) float64 {
		Gemm(c, n, x, k, 1, packed, m, n, k, nil, 0)
		return 2 * m * n * k
	})
	if product > 1.1*p.Float32 || product < p.Float32/50 {
		t.Errorf("a product ran at %.3g operations a second, the peak is %.3g", product, p.Float32)
	}
}

func TestMeasureRead(t *testing.T) {
	pool := NewPool(2)
	defer pool.Close()
	memory := random(3, 8*readPiece+1)
	rates := MeasureRead(pool, memory)
	if len(rates) != readRounds {
		t.Fatalf("%d rounds, want %d", len(rates), readRounds)
	}
	for _, rate := range rates {
		if rate < 1e7 || rate > 1e13 {
			t.Errorf("%.3g bytes a second", rate)
		}
	}
}
