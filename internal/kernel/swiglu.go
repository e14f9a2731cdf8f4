package kernel

// SwiGLU is the gated activation of the feed-forward layer (Shazeer 2020, eq. 6, without the linear maps).
//
//	gateUp [rows,2f]: f gates, then f ups   out [rows,f], overwritten
//
// out = silu(gate)·up, silu(x) = x/(1+exp(-x)).
func SwiGLU(out, gateUp []float32, rows, f int) {
	if rows < 0 || f < 0 {
		panic("kernel: SwiGLU: bad size")
	}
	n := product(rows, f)
	if len(out) < n {
		panic("kernel: SwiGLU: out is too short")
	}
	if len(gateUp) < product(n, 2) {
		panic("kernel: SwiGLU: gateUp is too short")
	}
	if n == 0 {
		return
	}
	swiGLU(out, gateUp, rows, f)
}

func swiGLUGo(out, gateUp []float32, rows, f int) {
	for i := range rows {
		gates := gateUp[2*i*f:][:f]
		ups := gateUp[(2*i+1)*f:][:f]
		to := out[i*f:][:f]
		for j, x := range gates {
			to[j] = x / (1 + expGo(-x)) * ups[j]
		}
	}
}

// SwiGLUBackward is the adjoint of SwiGLU. It overwrites dgateUp.
//
//	dgateUp, gateUp [rows,2f]   dout [rows,f]
//
// With s = 1/(1+exp(-gate)): dgate = dout·up·s·(1 + gate·(1-s)); dup = dout·gate·s.
func SwiGLUBackward(dgateUp, dout, gateUp []float32, rows, f int) {
	if rows < 0 || f < 0 {
		panic("kernel: SwiGLUBackward: bad size")
	}
	n := product(rows, f)
	if len(dout) < n {
		panic("kernel: SwiGLUBackward: dout is too short")
	}
	if double := product(n, 2); len(gateUp) < double || len(dgateUp) < double {
		panic("kernel: SwiGLUBackward: gateUp or dgateUp is too short")
	}
	if n == 0 {
		return
	}
	swiGLUBackward(dgateUp, dout, gateUp, rows, f)
}

func swiGLUBackwardGo(dgateUp, dout, gateUp []float32, rows, f int) {
	for i := range rows {
		gates := gateUp[2*i*f:][:f]
		ups := gateUp[(2*i+1)*f:][:f]
		dgates := dgateUp[2*i*f:][:f]
		dups := dgateUp[(2*i+1)*f:][:f]
		from := dout[i*f:][:f]
		for j, x := range gates {
			s := 1 / (1 + expGo(-x))
			d := from[j]
			dgates[j] = float32(float32(d*ups[j])*s) * (1 + float32(x*(1-s)))
			dups[j] = d * float32(x*s)
		}
	}
}
