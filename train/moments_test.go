package train

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/retort-ml/retort/internal/compute"
)

// TestEightBitLearnsAsWell trains the same model on the same examples with moments of 32 bits and of 8, as the optimiser
// keeps them: the losses stay near each other and both fall.
func TestEightBitLearnsAsWell(t *testing.T) {
	losses := func(name string) []float64 {
		var list []float64
		o := SFTOptions{Steps: 40, BatchSize: 8, Optimizer: OptimizerOptions{Name: name, LearningRate: 1e-2}}
		setup := &Setup{Model: testModel(t, 3), CPU: testCPU(t, 1), Progress: func(p Progress) {
			for _, v := range p.Metrics {
				if v.Name == MetricLoss {
					list = append(list, v.Number)
				}
			}
		}}
		if _, err := SFT(context.Background(), setup, eightExamples(), &o); err != nil {
			t.Fatal(err)
		}
		return list
	}
	exact, near := losses(OptimizerAdamW), losses(OptimizerAdamW8)
	worst := 0.0
	for i := range exact {
		worst = max(worst, math.Abs(near[i]-exact[i]))
	}
	last := len(exact) - 1
	t.Logf("loss %.4f at first, %.4f in the end with 32 bits and %.4f with 8; the largest difference is %.4f", exact[0], exact[last], near[last], worst)
	if near[0] != exact[0] || slices.Equal(near, exact) {
		t.Errorf("losses %v and %v", near[:3], exact[:3])
	}
	if fall := exact[0] - exact[last]; !(fall > 0.5) || worst > 0.1*fall {
		t.Errorf("the losses differ by %.4f, of a fall of %.4f", worst, fall)
	}
}

func TestMomentsFiles(t *testing.T) {
	dir := t.TempDir()
	for name, m := range map[string]compute.Moments{
		"32": {M: []float32{1, 2}, V: []float32{3, 4}},
		"8":  {M8: []uint8{1, 2, 255}, V8: []uint8{4, 5, 6}, MScale: []float32{0.5}, VScale: []float32{0.25}},
	} {
		if err := writeMoments(filepath.Join(dir, name), m); err != nil {
			t.Fatal(err)
		}
		back := compute.Moments{M: slices.Clone(m.M), V: slices.Clone(m.V), M8: slices.Clone(m.M8), V8: slices.Clone(m.V8), MScale: slices.Clone(m.MScale), VScale: slices.Clone(m.VScale)}
		for _, x := range [][]float32{back.M, back.V, back.MScale, back.VScale} {
			clear(x)
		}
		clear(back.M8)
		clear(back.V8)
		if err := readMoments(filepath.Join(dir, name), back); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(back.M, m.M) || !slices.Equal(back.V, m.V) || !slices.Equal(back.M8, m.M8) || !slices.Equal(back.V8, m.V8) ||
			!slices.Equal(back.MScale, m.MScale) || !slices.Equal(back.VScale, m.VScale) {
			t.Errorf("%s: got %+v, want %+v", name, back, m)
		}
	}
	eight := compute.Moments{M8: make([]uint8, 4), V8: make([]uint8, 4), MScale: make([]float32, 1), VScale: make([]float32, 1)}
	for name, want := range map[string]string{"8": "got U8 [3], want 4 U8", "32": "_scale", "absent": ""} {
		err := readMoments(filepath.Join(dir, name), eight)
		if err == nil || !strings.Contains(err.Error(), want) || name == "absent" && !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: %v, want %s", name, err, want)
		}
	}
}
