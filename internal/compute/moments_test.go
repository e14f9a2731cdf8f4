package compute

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestMomentCodes(t *testing.T) {
	for _, signed := range []bool{true, false} {
		c := newMomentCode(signed)
		low, negative := float32(0), 0
		if signed {
			low = -float32(0.1 + 0.9*63.5/64) // the middle of the last of 64 parts; only 1 has no opposite
		}
		for i, v := range c.values {
			if v < 0 {
				negative++
			}
			if i > 0 && !(v > c.values[i-1] && c.borders[i-1] > c.values[i-1] && c.borders[i-1] < v) {
				t.Fatalf("signed %v: value %d is %v behind %v, border %v", signed, i, v, c.values[i-1], c.borders[i-1])
			}
		}
		if math.Abs(float64(c.values[0]-low)) > 1e-7 || c.values[255] != 1 || c.values[c.zero] != 0 || signed != (negative == 127) {
			t.Errorf("signed %v: from %v to %v, %d below 0", signed, c.values[0], c.values[255], negative)
		}
	}
}

// TestMomentsRoundToTheNearest encodes numbers of many sizes. Within a level a value is off by half a part of it at most: that is
// at most 0.9/2^(i+1)·10^(i-6) of the scale, and below the lowest level half of the least value.
func TestMomentsRoundToTheNearest(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, signed := range []bool{true, false} {
		c := newMomentCode(signed)
		x := make([]float32, momentBlock)
		for i := range x {
			x[i] = float32(math.Pow(10, -8*random.Float64()))
			if signed && random.IntN(2) == 0 {
				x[i] = -x[i]
			}
			x[i] *= 37
		}
		x[5], x[6] = 0, 37
		codes, back := make([]uint8, len(x)), make([]float32, len(x))
		scale := c.encode(codes, x, false)
		c.decode(back, codes, scale)
		if scale != 37 || back[5] != 0 || back[6] != 37 {
			t.Fatalf("signed %v: scale %v, zero %v, the largest %v", signed, scale, back[5], back[6])
		}
		for i, v := range x {
			nearest := float32(math.Inf(1))
			for _, value := range c.values {
				if d := float32(math.Abs(float64(float32(value*scale) - v))); d < nearest {
					nearest = d
				}
			}
			if got := float32(math.Abs(float64(back[i] - v))); got > nearest*1.0001+1e-12 {
				t.Fatalf("signed %v: %v became %v, off by %v, the nearest is off by %v", signed, v, back[i], got, nearest)
			}
		}
		if c.encode(codes, make([]float32, 7), false) != 0 || !slices.Equal(codes[:7], slices.Repeat([]uint8{c.zero}, 7)) {
			t.Errorf("signed %v: zeros became %v", signed, codes[:7])
		}
	}
}

// TestSmallSecondMomentsStay: a second moment far below its block's largest does not become zero.
func TestSmallSecondMomentsStay(t *testing.T) {
	c, codes, back := newMomentCode(false), make([]uint8, 3), make([]float32, 3)
	x := []float32{1, 1e-20, 0}
	c.decode(back, codes, c.encode(codes, x, true))
	if back[0] != 1 || !(back[1] > 1e-7 && back[1] < 1e-6) || back[2] != 0 {
		t.Errorf("%v became %v", x, back)
	}
}

// TestEightBitAdamWIsNearAdamW takes the same steps on a quadratic with both, on one thread and on two.
func TestEightBitAdamWIsNearAdamW(t *testing.T) {
	const n = 3*optimizerChunk + 100
	weights := []*Weight{{Outs: 3, Ins: optimizerChunk}, {Outs: 1, Ins: 100, Offset: 3 * optimizerChunk}}
	run := func(threads int, eightBit bool) (w []float32, s Moments) {
		cpu := NewCPU(threads)
		defer cpu.Close()
		random := rand.New(rand.NewPCG(3, 4))
		w, g, target := make([]float32, n), make([]float32, n), make([]float32, n)
		for i := range target {
			target[i] = float32(random.NormFloat64())
		}
		o := cpu.NewOptimizer(weights, w, g, nil, eightBit)
		for step := range 200 {
			for i := range g {
				g[i] = w[i] - target[i] + float32(0.1*random.NormFloat64())
			}
			if _, err := o.Update(AdamW{LearningRate: 0.02, Beta1: 0.9, Beta2: 0.95, Epsilon: 1e-8, Step: step + 1}); err != nil {
				t.Fatal(err)
			}
		}
		for i := range w {
			w[i] -= target[i]
		}
		return w, o.State()
	}
	exact, _ := run(1, false)
	near, s := run(1, true)
	other, _ := run(2, true)
	if !slices.Equal(near, other) {
		t.Error("the number of threads changes the result")
	}
	if s.M != nil || s.V != nil || len(s.M8) != n || len(s.V8) != n || len(s.MScale) != 13 || len(s.VScale) != 13 {
		t.Errorf("%d and %d codes, %d and %d scales", len(s.M8), len(s.V8), len(s.MScale), len(s.VScale))
	}
	rms := func(x []float32) float64 {
		sum := 0.0
		for _, v := range x {
			sum += float64(v) * float64(v)
		}
		return math.Sqrt(sum / float64(len(x)))
	}
	t.Logf("distance from the minimum: %.4f in 32 bits, %.4f in 8", rms(exact), rms(near))
	if a, b := rms(exact), rms(near); !(b < 1.15*a && b > 0.5*a) {
		t.Errorf("distance from the minimum: %.4f in 32 bits, %.4f in 8", a, b)
	}
	if slices.Equal(exact, near) {
		t.Error("8 bits give the bits of 32")
	}
}

func TestEightBitRefusesMuon(t *testing.T) {
	cpu := NewCPU(1)
	defer cpu.Close()
	o := cpu.NewOptimizer([]*Weight{{Outs: 2, Ins: 2}}, make([]float32, 4), []float32{1, 1, 1, 1}, []Matrix{{0, 2, 2}}, true)
	if _, err := o.Update(AdamW{Step: 1, Muon: true}); err == nil {
		t.Error("no error")
	}
}

// TestOverflownMoments: what has overflowed stays so, and nothing breaks.
func TestOverflownMoments(t *testing.T) {
	c, codes, back := newMomentCode(true), make([]uint8, 3), make([]float32, 3)
	c.decode(back, codes, c.encode(codes, []float32{float32(math.Inf(-1)), 1, 0}, false))
	if !math.IsInf(float64(back[0]), 0) && !math.IsNaN(float64(back[0])) {
		t.Errorf("got %v", back)
	}
}
