package doctor

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/retort-ml/retort/cmd/retort/internal/embedded"
	"github.com/retort-ml/retort/internal/compute"
	"github.com/retort-ml/retort/internal/kernel"
	"github.com/retort-ml/retort/internal/tinymodel"
	"github.com/retort-ml/retort/llm"
	"github.com/retort-ml/retort/tensor"
	"github.com/retort-ml/retort/tokenizer"
)

// SelfTest is what the program computed on one instruction set, beside what it should have.
type SelfTest struct {
	Level string `json:"level"`
	// Fault says which result is wrong; "" is none.
	Fault string `json:"fault,omitempty"`
	// Distance is the largest difference from the stored log-probabilities, in nats; -1 without an embedded model.
	Distance float64 `json:"distance"`
}

// Levels are the settings of GODEBUG that leave each instruction set of this machine, by its name.
func Levels() map[string]string {
	off := map[string]string{"avx512": "", "avx2": "cpu.avx512f=off", "neon": "", "generic": "cpu.avx2=off,cpu.avx512f=off,cpu.asimd=off"}
	all := map[string]string{}
	for _, level := range kernel.Levels() {
		all[level] = off[level]
	}
	return all
}

// kernels runs the self-test once on each instruction set, each time in a process of its own: an instruction that the processor does not have
// ends that process, and not this one.
func kernels(ctx context.Context, p *Place) (found []Finding) {
	if p.Program == nil {
		return one(Note, "", "not tested")
	}
	worst := 0.0
	levels := kernel.Levels()
	for _, level := range levels {
		t, err := p.Program(ctx, level)
		switch {
		case ctx.Err() != nil:
			return one(Note, "", "stopped")
		case err != nil:
			found = append(found, Finding{Status: Fault, Found: fmt.Sprintf("%s: the self-test ended early: %v", level, err), Do: "retort explain unsound"})
		case t.Level != level:
			found = append(found, Finding{Status: Note, Found: fmt.Sprintf("%s could not be chosen: the self-test ran on %s", level, t.Level)})
		case t.Fault != "":
			found = append(found, Finding{Status: Fault, Found: level + ": " + t.Fault, Do: "retort explain unsound"})
		}
		worst = max(worst, t.Distance)
	}
	if len(found) > 0 {
		return found
	}
	if !tinymodel.Present() {
		return one(OK, "", "%s: the products are right; this build has no model to test", strings.Join(levels, ", "))
	}
	return one(OK, "", "%s: the products are right, and the embedded model's answer is within %.1g nats of the stored one", strings.Join(levels, ", "), worst)
}

// tolerance is how far a log-probability may be from the stored one: the instruction sets add in different orders. It is some ten
// times what was seen.
const tolerance = 1e-3

// Test computes on the instruction set that is in use.
func Test() SelfTest {
	t := SelfTest{Level: kernel.Level(), Distance: -1}
	if fault := testProducts(); fault != "" {
		t.Fault = fault
		return t
	}
	if !tinymodel.Present() {
		return t
	}
	got, err := answer()
	if err != nil {
		t.Fault = err.Error()
		return t
	}
	if len(got) != len(stored) {
		t.Fault = fmt.Sprintf("the embedded model gives %d numbers, want %d", len(got), len(stored))
		return t
	}
	for i, want := range stored {
		d := math.Abs(float64(got[i]) - want)
		t.Distance = max(t.Distance, d)
		if !(d <= tolerance) {
			t.Fault = fmt.Sprintf("token %d of the embedded model's answer has the log-probability %.5f, want %.5f", i+1, got[i], want)
			return t
		}
	}
	return t
}

// The fixed text, and the log-probability of each of its tokens after the first, which go test prints when the embedded model is another.
const fixed = tokenizer.User + "Use 3, 7, 11 to make 32." + tokenizer.Assistant + tokenizer.Think + "7*3=21 21+11=32 ok" + tokenizer.EndThink + tokenizer.Answer + "(7*3)+11" + tokenizer.EndAnswer + tokenizer.End

// answer is what the embedded model says about the fixed text.
func answer() ([]float32, error) {
	m, t, err := embedded.Open()
	if err != nil {
		return nil, err
	}
	cpu := compute.NewCPU(1)
	defer cpu.Close()
	return llm.NewScorer(m, cpu).Score(t.Encode(fixed))
}

// sequence is numbers between -1 and 1 that are the same everywhere.
func sequence(seed uint32, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		seed = seed*1664525 + 1013904223
		x[i] = float32(int32(seed)>>8) / (1 << 23)
	}
	return x
}

// testProducts compares the products of small matrices with sums in float64: of float32, and of every format of quantised weights.
func testProducts() string {
	const m, n, k = 5, 37, 512
	a, w := sequence(1, m*k), sequence(2, n*k)
	c := make([]float32, m*n)
	panels := make([]float32, kernel.PackedLen(n, k))
	kernel.PackRows(panels, w, n, k, k)
	kernel.Gemm(c, n, a, k, 1, panels, m, n, k, nil, 0)
	if d := distance(c, a, w, m, n, k); !(d <= 1e-5) {
		return fmt.Sprintf("a product of float32 is wrong: a relative error of %.2g, want at most 1e-05", d)
	}
	for f := tensor.F32; f < tensor.F64; f++ {
		if !kernel.Quantised(f) || !f.Encodes() {
			continue
		}
		size, err := f.Size(n * k)
		if err != nil {
			return err.Error()
		}
		bytes, wide := make([]byte, size), make([]float32, n*k)
		if err := errors.Join(tensor.Encode(bytes, f, w), tensor.Decode(wide, f, bytes)); err != nil {
			return err.Error()
		}
		b := make([]byte, kernel.QuantisedBytes(f, n, k))
		kernel.PackQuantised(b, f, bytes, n, k)
		rows := make([]uint32, m*kernel.QuantisedLen(k))
		kernel.Quantise(rows, kernel.QuantisedLen(k), f, a, k, m, k)
		kernel.GemmQuantised(c, n, f, rows, kernel.QuantisedLen(k), b, m, n, k, nil, 0, make([]uint32, kernel.QuantisedScratch()))
		if d := distance(c, a, wide, m, n, k); !(d <= 0.02) { // activations are rounded to 8 bits
			return fmt.Sprintf("a product of %s is wrong: a relative error of %.2g, want at most 0.02", f, d)
		}
	}
	return ""
}

// distance is ||c - a·wᵀ|| / ||a·wᵀ||.
func distance(c, a, w []float32, m, n, k int) float64 {
	var wrong, all float64
	for i := range m {
		for j := range n {
			sum := 0.0
			for p := range k {
				sum += float64(a[i*k+p]) * float64(w[j*k+p])
			}
			d := float64(c[i*n+j]) - sum
			wrong += d * d
			all += sum * sum
		}
	}
	return math.Sqrt(wrong / all)
}
