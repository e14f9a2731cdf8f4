package kernel

import (
	"fmt"
	"math"
	"slices"
	"testing"
)

// widths are around the widths of vector registers and their unrolled loops.
var widths = []int{1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 64, 65, 96, 127, 256, 385}

// gradientWidths are fewer: finite differences cost the square of the width.
var gradientWidths = []int{1, 2, 7, 8, 9, 16, 17, 33, 64, 65, 129}

const (
	valueLimit    = 1e-6 // relative error of values
	gradientLimit = 5e-6 // and of gradients against finite differences
)

func rmsNormReference(x, w []float64, d int, eps float64) []float64 {
	out := make([]float64, len(x))
	for i := range x {
		row := x[i/d*d : i/d*d+d]
		out[i] = x[i] / math.Sqrt(inner(row, row)/float64(d)+eps) * w[i%d]
	}
	return out
}

func TestRMSNorm(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		const rows, eps = 3, 1e-3
		for _, d := range widths {
			r := newRand(uint64(d))
			x, w := normals(r, rows*d), normals(r, d)
			out, rstd := filled(rows*d, nan), filled(rows, nan)
			RMSNorm(out, x, w, rstd, rows, d, eps)
			name := fmt.Sprintf("d=%d", d)
			wantClose(t, name, out, rmsNormReference(wide(x), wide(w), d, eps), valueLimit)
			for i := range rows {
				row := wide(x[i*d : i*d+d])
				wantClose(t, name+" rstd", rstd[i:i+1], []float64{1 / math.Sqrt(inner(row, row)/float64(d)+eps)}, valueLimit)
			}
			alone := make([]float32, rows*d)
			for i := range rows {
				RMSNorm(alone[i*d:], x[i*d:], w, nil, 1, d, eps)
			}
			wantSame(t, name+" row by row", alone, out)
			RMSNorm(x, x, w, nil, rows, d, eps)
			wantSame(t, name+" in place", x, out)
		}
	})
}

func TestRMSNormBackward(t *testing.T) {
	const rows, eps = 3, 1e-3
	for _, d := range gradientWidths {
		r := newRand(uint64(d))
		x, w, dy := normals(r, rows*d), normals(r, d), normals(r, rows*d)
		dx0, dw0 := normals(r, rows*d), normals(r, d)
		x64, w64, dy64 := wide(x), wide(w), wide(dy)
		loss := func() float64 { return inner(dy64, rmsNormReference(x64, w64, d, eps)) }
		wantDx, wantDw := derivative(x64, loss), derivative(w64, loss)
		for i := range wantDx {
			wantDx[i] += float64(dx0[i])
		}
		for i := range wantDw {
			wantDw[i] += float64(dw0[i])
		}
		eachLevel(t, func(t *testing.T) {
			rstd := make([]float32, rows)
			RMSNorm(make([]float32, rows*d), x, w, rstd, rows, d, eps)
			dx, dw := slices.Clone(dx0), slices.Clone(dw0)
			RMSNormBackward(dx, dw, dy, x, w, rstd, rows, d)
			wantClose(t, fmt.Sprintf("dx, d=%d", d), dx, wantDx, gradientLimit)
			wantClose(t, fmt.Sprintf("dw, d=%d", d), dw, wantDw, gradientLimit)

			dxAlone, dwAlone := slices.Clone(dx0), slices.Clone(dw0)
			for i := range rows {
				RMSNormBackward(dxAlone[i*d:], dwAlone, dy[i*d:], x[i*d:], w, rstd[i:], 1, d)
			}
			wantSame(t, fmt.Sprintf("dx row by row, d=%d", d), dxAlone, dx)
			wantSame(t, fmt.Sprintf("dw row by row, d=%d", d), dwAlone, dw)
		})
	}
}

// ropeReference turns each pair as a complex number.
func ropeReference(x []float64, ld int, positions []int32, rows, heads, headSize int, theta float64) []float64 {
	out := append([]float64(nil), x...)
	for t := range rows {
		for h := range heads {
			for i := range headSize / 2 {
				at, other := t*ld+h*headSize+i, t*ld+h*headSize+i+headSize/2
				angle := float64(positions[t]) / math.Pow(theta, float64(2*i)/float64(headSize))
				turned := complex(x[at], x[other]) * complex(math.Cos(angle), math.Sin(angle))
				out[at], out[other] = real(turned), imag(turned)
			}
		}
	}
	return out
}

func TestRoPE(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		const theta = 10000
		positions := []int32{0, 5, 511, 1}
		for _, s := range []struct{ heads, headSize int }{{1, 2}, {3, 6}, {2, 16}, {5, 24}, {4, 32}, {1, 34}, {2, 64}, {1, 128}} {
			rows, ld := len(positions), s.heads*s.headSize+3
			table := filled(512*s.headSize, nan)
			RoPETable(table, 512, s.headSize, theta)
			start := normals(newRand(uint64(s.headSize)), rows*ld)
			x := slices.Clone(start)
			name := fmt.Sprintf("heads=%d,size=%d", s.heads, s.headSize)

			RoPE(x, ld, positions, table, rows, s.heads, s.headSize, false)
			wantClose(t, name, x, ropeReference(wide(start), ld, positions, rows, s.heads, s.headSize, theta), valueLimit)
			for i := range rows {
				alone := append([]float32(nil), start[i*ld:(i+1)*ld]...)
				RoPE(alone, ld, positions[i:], table, 1, s.heads, s.headSize, false)
				wantSame(t, name+" row alone", alone, x[i*ld:(i+1)*ld])
			}

			// The rotation keeps lengths, so its inverse is its adjoint.
			RoPE(x, ld, positions, table, rows, s.heads, s.headSize, true)
			wantClose(t, name+" inverse", x, wide(start), valueLimit)
			for i := range x {
				if i%ld >= s.heads*s.headSize && x[i] != start[i] {
					t.Fatalf("%s: element %d behind the heads was written", name, i)
				}
			}
		}
	})
}

func swiGLUReference(gateUp []float64, rows, f int) []float64 {
	var out []float64
	for i := range rows {
		for j := range f {
			gate, up := gateUp[2*i*f+j], gateUp[2*i*f+f+j]
			out = append(out, gate/(1+math.Exp(-gate))*up)
		}
	}
	return out
}

func TestSwiGLU(t *testing.T) {
	const rows = 3
	for _, f := range gradientWidths {
		r := newRand(uint64(f))
		gateUp, dout := normals(r, rows*2*f), normals(r, rows*f)
		for i := range gateUp {
			gateUp[i] *= 3
		}
		x, dy := wide(gateUp), wide(dout)
		want := swiGLUReference(x, rows, f)
		wantGradient := derivative(x, func() float64 { return inner(dy, swiGLUReference(x, rows, f)) })
		eachLevel(t, func(t *testing.T) {
			out, dgateUp := filled(rows*f, nan), filled(rows*2*f, nan)
			SwiGLU(out, gateUp, rows, f)
			SwiGLUBackward(dgateUp, dout, gateUp, rows, f)
			wantClose(t, fmt.Sprintf("out, f=%d", f), out, want, valueLimit)
			wantClose(t, fmt.Sprintf("dgateUp, f=%d", f), dgateUp, wantGradient, gradientLimit)
			for i := range rows {
				one, done := make([]float32, f), make([]float32, 2*f)
				SwiGLU(one, gateUp[2*i*f:], 1, f)
				SwiGLUBackward(done, dout[i*f:], gateUp[2*i*f:], 1, f)
				wantSame(t, fmt.Sprintf("row %d alone, f=%d", i, f), one, out[i*f:(i+1)*f])
				wantSame(t, fmt.Sprintf("gradient of row %d alone, f=%d", i, f), done, dgateUp[2*i*f:2*(i+1)*f])
			}
		})
	}
}

func TestSwiGLUSaturated(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		gateUp := []float32{-1e4, -100, 100, 1e4, 2, 2, 2, 2}
		out, dgateUp := make([]float32, 4), make([]float32, 8)
		SwiGLU(out, gateUp, 1, 4)
		SwiGLUBackward(dgateUp, []float32{1, 1, 1, 1}, gateUp, 1, 4)
		for i, want := range []float32{0, 0, 200, 2e4} {
			if math.Abs(float64(out[i]-want)) > 1e-30 {
				t.Errorf("gate %v: out %v, want %v", gateUp[i], out[i], want)
			}
		}
		for i, want := range []float32{0, 0, 2, 2, 0, 0, 100, 1e4} {
			if math.Abs(float64(dgateUp[i]-want)) > 1e-30 {
				t.Errorf("dgateUp %d: got %v, want %v", i, dgateUp[i], want)
			}
		}
	})
}

// TestSoftmax folds a row in chunks and compares with the definition.
func TestSoftmax(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		const rows, invT = 3, 1.25
		for _, n := range append(widths, 1000) {
			ld := n + 2
			logits := normals(newRand(uint64(n)), rows*ld)
			for i := range logits {
				logits[i] *= 5
			}
			lse, entropy := filled(rows, nan), filled(rows, nan)
			softmaxInChunks(lse, entropy, logits, ld, rows, n, 300, invT)
			p := filled(rows*ld, nan)
			Softmax(p, logits, ld, rows, n, invT, lse)
			wantGapsKept(t, "p", p, rows, ld, n)
			for i := range rows {
				name := fmt.Sprintf("n=%d, row %d", n, i)
				var total, wantEntropy float64
				want := make([]float64, n)
				for j := range n {
					want[j] = math.Exp(float64(logits[i*ld+j]) * invT)
					total += want[j]
				}
				for j := range n {
					want[j] /= total
					wantEntropy -= want[j] * math.Log(want[j])
				}
				wantClose(t, name+" p", p[i*ld:i*ld+n], want, 3*valueLimit)
				if d := math.Abs(float64(lse[i]) - math.Log(total)); d > 3e-6 {
					t.Errorf("%s: lse differs by %.2g", name, d)
				}
				if d := math.Abs(float64(entropy[i]) - wantEntropy); d > 2e-5 {
					t.Errorf("%s: entropy differs by %.2g", name, d)
				}
				one := make([]float32, 1)
				softmaxInChunks(one, nil, logits[i*ld:], ld, 1, n, 300, invT)
				wantSame(t, name+" lse alone", one, lse[i:i+1])
			}
			again := slices.Clone(logits)
			Softmax(again, again, ld, rows, n, invT, lse)
			wantSame(t, "in place", rowsOf(again, rows, ld, n), rowsOf(p, rows, ld, n))
		}
	})
}

func softmaxInChunks(lse, entropy, logits []float32, ld, rows, n, chunk int, invT float32) {
	state := filled(rows*4, nan)
	for j := 0; j < n; j += chunk {
		SoftmaxStats(state, logits[j:], ld, rows, min(chunk, n-j), invT, j == 0)
	}
	SoftmaxFinish(lse, entropy, state, rows)
}

// TestSoftmaxLarge: logits far from zero neither overflow nor vanish.
func TestSoftmaxLarge(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		logits := []float32{-6000, 6000, 6000, -6000, 1, 2}
		lse, entropy := make([]float32, 1), make([]float32, 1)
		softmaxInChunks(lse, entropy, logits, 6, 1, 6, 4, 0.5)
		if lse[0] != 3000+float32(math.Ln2) {
			t.Errorf("lse: got %v, want %v", lse[0], 3000+float32(math.Ln2))
		}
		if math.Abs(float64(entropy[0])-math.Ln2) > 1e-3 {
			t.Errorf("entropy: got %v, want %v", entropy[0], math.Ln2)
		}
	})
}

func TestExp(t *testing.T) {
	worst := 0.0
	for x := float32(-87.33); x < 88.7; x += 0.00173 {
		want := math.Exp(float64(x))
		ulp := float64(math.Nextafter32(float32(want), math.MaxFloat32)) - float64(float32(want))
		worst = max(worst, math.Abs(float64(expGo(x))-want)/ulp)
	}
	if worst > 1.5 {
		t.Errorf("worst error %.2f ulp, want at most 1.5", worst)
	}
	inf := float32(math.Inf(1))
	for _, c := range []struct{ x, want float32 }{{0, 1}, {-inf, 0}, {-1e30, 0}, {-88, 0}, {89, inf}, {200, inf}, {inf, inf}} {
		if got := expGo(c.x); got != c.want {
			t.Errorf("exp(%v): got %v, want %v", c.x, got, c.want)
		}
	}
	if got := expGo(nan); got == got {
		t.Errorf("exp(NaN): got %v", got)
	}
}
