package kernel

import (
	"math"
	"testing"
)

// Each kind of product has a rate, and plain Go has none.
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
	if !(p.Float32 > 0) || !(p.Bytes > 0) || p.BF16 < 0 {
		t.Errorf("peaks %+v", p)
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
		if !(rate > 0) || math.IsInf(rate, 0) {
			t.Errorf("%.3g bytes a second", rate)
		}
	}
}
