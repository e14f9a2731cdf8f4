//go:build arm64 && !purego

package kernel

import "unsafe"

func rmsNorm(out, x, w, rstd []float32, rows, d int, eps float32) {
	if !useNEON {
		rmsNormGo(out, x, w, rstd, rows, d, eps)
		return
	}
	rmsNormNEON(&out[0], &x[0], &w[0], unsafe.SliceData(rstd), rows, d, eps)
}

func rmsNormBackward(dx, dw, dy, x, w, rstd []float32, rows, d int) {
	if !useNEON {
		rmsNormBackwardGo(dx, dw, dy, x, w, rstd, rows, d)
		return
	}
	rmsNormBackwardNEON(&dx[0], &dw[0], &dy[0], &x[0], &w[0], &rstd[0], rows, d)
}

func rope(x []float32, ld int, positions []int32, table []float32, rows, heads, headSize int, inverse bool) {
	if !useNEON {
		ropeGo(x, ld, positions, table, rows, heads, headSize, inverse)
		return
	}
	sign := float32(1)
	if inverse {
		sign = -1
	}
	ropeNEON(&x[0], ld, &positions[0], &table[0], rows, heads, headSize, sign)
}

func swiGLU(out, gateUp []float32, rows, f int) {
	if !useNEON {
		swiGLUGo(out, gateUp, rows, f)
		return
	}
	swiGLUNEON(&out[0], &gateUp[0], rows, f)
}

func swiGLUBackward(dgateUp, dout, gateUp []float32, rows, f int) {
	if !useNEON {
		swiGLUBackwardGo(dgateUp, dout, gateUp, rows, f)
		return
	}
	swiGLUBackwardNEON(&dgateUp[0], &dout[0], &gateUp[0], rows, f)
}

func softmaxStats(state, logits []float32, ld, rows, n int, invT float32) {
	if !useNEON {
		softmaxStatsGo(state, logits, ld, rows, n, invT)
		return
	}
	softmaxStatsNEON(&state[0], &logits[0], ld, rows, n, invT)
}

func softmax(p, logits []float32, ld, rows, n int, invT float32, lse []float32) {
	if !useNEON {
		softmaxGo(p, logits, ld, rows, n, invT, lse)
		return
	}
	softmaxNEON(&p[0], &logits[0], ld, rows, n, invT, &lse[0])
}
