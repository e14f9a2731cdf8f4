package compute

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// relative is ‖a−b‖/‖b‖ (‖a‖ if b is zero).
func relative(a []float32, b []float64) float64 {
	diff, norm := 0.0, 0.0
	for i := range a {
		d := float64(a[i]) - b[i]
		diff += d * d
		norm += b[i] * b[i]
	}
	if norm == 0 {
		norm = 1
	}
	return math.Sqrt(diff / norm)
}

func TestOpsAgainstReference(t *testing.T) {
	for _, c := range opCases() {
		t.Run(c.name, func(t *testing.T) {
			var first []float32
			for _, threads := range []int{1, 2} {
				cpu := NewCPU(threads)
				defer cpu.Close()
				s, err := setUp(&c, cpu)
				if err != nil {
					t.Fatal(err)
				}
				if err := s.program.Forward(s.batch); err != nil {
					t.Fatal(err)
				}
				got := append([]float32(nil), s.program.Output(0)...)
				want := c.reference(s.world())
				if len(got) != len(want) {
					t.Fatalf("%d values, want %d", len(got), len(want))
				}
				if e := relative(got, want); !(e <= 3e-6) {
					t.Errorf("relative error %.3g, want at most 3e-6", e)
				}
				if first == nil {
					first = got
				}
				for i := range got {
					if got[i] != first[i] {
						t.Fatalf("value %d is %v with %d threads, %v with one", i, got[i], threads, first[i])
					}
				}
			}
		})
	}
}

// TestGradientsAgainstFiniteDifferences moves single elements of the float64 reference by ±1e-4 and
// wants the slope of the loss at each.
func TestGradientsAgainstFiniteDifferences(t *testing.T) {
	for _, c := range opCases() {
		if strings.HasSuffix(c.name, "/lab") {
			continue // the same code at larger shapes; the reference takes too long
		}
		t.Run(c.name, func(t *testing.T) {
			cpu := NewCPU(2)
			defer cpu.Close()
			s, err := setUp(&c, cpu)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.program.Forward(s.batch); err != nil {
				t.Fatal(err)
			}
			if err := s.program.Backward(s.batch); err != nil {
				t.Fatal(err)
			}
			x := s.world()
			for i, f := range s.feeds {
				checkSlopes(t, &c, s, x, x.in[i], f.grad, "input", i)
			}
			for i, w := range s.weights {
				checkSlopes(t, &c, s, x, x.w[i], s.grads[w.Offset:w.Offset+w.size()], "weight", i)
			}
		})
	}
}

func checkSlopes(t *testing.T, c *opCase, s *bench, x *reference, values []float64, grad []float32, what string, index int) {
	t.Helper()
	random := rand.New(rand.NewPCG(4, 4))
	loss := func() float64 {
		sum := 0.0
		for i, v := range c.reference(x) {
			sum += v * float64(s.c[i])
		}
		return sum
	}
	rms := 0.0
	for _, g := range grad {
		rms += float64(g) * float64(g)
	}
	rms = math.Sqrt(rms / float64(len(grad)))
	for range 60 {
		i := random.IntN(len(values))
		const step = 1e-4
		saved := values[i]
		values[i] = saved + step
		up := loss()
		values[i] = saved - step
		slope := (up - loss()) / (2 * step)
		values[i] = saved
		if diff := math.Abs(slope - float64(grad[i])); !(diff <= 1e-4*(math.Abs(slope)+rms)+1e-6) {
			t.Errorf("%s %d, element %d: gradient %.7g, the loss has slope %.7g", what, index, i, grad[i], slope)
		}
	}
}

// TestGradientsAdd runs the backward pass twice: weight gradients must double.
func TestGradientsAdd(t *testing.T) {
	for _, c := range opCases() {
		if len(c.weights) == 0 {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			cpu := NewCPU(2)
			defer cpu.Close()
			s, err := setUp(&c, cpu)
			if err != nil {
				t.Fatal(err)
			}
			var once []float64
			for range 2 {
				if err := s.program.Forward(s.batch); err != nil {
					t.Fatal(err)
				}
				if err := s.program.Backward(s.batch); err != nil {
					t.Fatal(err)
				}
				if once == nil {
					once = widen(s.grads)
				}
			}
			for i := range once {
				once[i] *= 2
			}
			if e := relative(s.grads, once); !(e <= 1e-5) {
				t.Errorf("two passes differ from twice one by %.3g", e)
			}
		})
	}
}

// TestNothingIsAllocatedPerRun holds a whole step to its promise.
func TestNothingIsAllocatedPerRun(t *testing.T) {
	for _, c := range opCases() {
		cpu := NewCPU(1)
		s, err := setUp(&c, cpu)
		if err != nil {
			t.Fatal(err)
		}
		n := testing.AllocsPerRun(3, func() {
			if s.program.Forward(s.batch) != nil || s.program.Backward(s.batch) != nil {
				t.Fatal("a run failed")
			}
		})
		if n != 0 {
			t.Errorf("%s: %v allocations per run, want none", c.name, n)
		}
		cpu.Close()
	}
}

func TestOptimizerByHand(t *testing.T) {
	cpu := NewCPU(1)
	defer cpu.Close()
	weights := []*Weight{{Outs: 2, Ins: 1, Offset: 0}, {Outs: 1, Ins: 1, Offset: 2}}
	slab, grads := []float32{1, -2, 3}, []float32{3, 0, 4}
	o := cpu.NewOptimizer(weights, slab, grads, nil, false)
	norm, err := o.Update(AdamW{LearningRate: 0.1, Beta1: 0.9, Beta2: 0.99, Epsilon: 0, WeightDecay: 0.5, ClipNorm: 1, Step: 1})
	if err != nil {
		t.Fatal(err)
	}
	if norm != 5 {
		t.Errorf("norm %v, want 5", norm)
	}
	// After bias correction the first step moves each weight by the learning rate against the sign
	// of its gradient; only the matrix decays. A zero gradient with epsilon 0 is 0/0, so look at the others.
	if want := float32(1 - 0.1*0.5 - 0.1); math.Abs(float64(slab[0]-want)) > 1e-6 {
		t.Errorf("matrix element %v, want %v", slab[0], want)
	}
	if want := float32(3 - 0.1); math.Abs(float64(slab[2]-want)) > 1e-6 {
		t.Errorf("vector element %v, want %v", slab[2], want)
	}
	before := append([]float32(nil), slab...)
	grads[0] = float32(math.NaN())
	if _, err := o.Update(AdamW{LearningRate: 0.1, Beta1: 0.9, Beta2: 0.99, Step: 2}); err == nil {
		t.Error("a gradient that is not a number was applied")
	}
	if slab[0] != before[0] || slab[2] != before[2] {
		t.Error("weights changed although the update failed")
	}
}

// TestMemoryIsShared wants the planner to reuse memory across layers without a backward pass.
func TestMemoryIsShared(t *testing.T) {
	size := func(layers int) int {
		p := &Plan{}
		x := p.Embed(&Weight{Name: "e", Outs: 10, Ins: 32})
		for range layers {
			x = p.Attention(p.Linear(x, &Weight{Name: "w", Outs: 64, Ins: 32}, nil), Heads{2, 1, 16}, 0)
		}
		p.Hidden(p.GatherRows(x))
		cpu := NewCPU(1)
		defer cpu.Close()
		g, err := cpu.Compile(p, Limits{Tokens: 64, Rows: 64, Blocks: 10, Positions: 64, Vocab: 10}, Buffers{})
		if err != nil {
			t.Fatal(err)
		}
		return len(g.r.arena)
	}
	if few, many := size(3), size(30); many != few {
		t.Errorf("%d floats for 3 layers, %d for 30: want the same", few, many)
	}
}

func BenchmarkOps(b *testing.B) {
	for _, c := range opCases() {
		if !strings.HasSuffix(c.name, "/lab") {
			continue
		}
		cpu := NewCPU(1)
		s, err := setUp(&c, cpu)
		if err != nil {
			b.Fatal(err)
		}
		rows := len(s.batch.Tokens)
		run := func(name string, factor float64, f func() error) {
			b.Run(strings.TrimSuffix(c.name, "/lab")+"/"+name, func(b *testing.B) {
				for b.Loop() {
					if err := f(); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(factor*c.flops(rows)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
			})
		}
		run("forward", 1, func() error { return s.program.Forward(s.batch) })
		run("backward", 2, func() error { return s.program.Backward(s.batch) })
		cpu.Close()
	}
}
