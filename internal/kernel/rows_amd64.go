//go:build amd64 && !purego

package kernel

import "unsafe"

func rmsNorm(out, x, w, rstd []float32, rows, d int, eps float32) {
	switch {
	case useAVX512:
		rmsNormAVX512(&out[0], &x[0], &w[0], unsafe.SliceData(rstd), rows, d, eps)
	case useAVX2:
		rmsNormAVX2(&out[0], &x[0], &w[0], unsafe.SliceData(rstd), rows, d, eps)
	default:
		rmsNormGo(out, x, w, rstd, rows, d, eps)
	}
}

func rmsNormBackward(dx, dw, dy, x, w, rstd []float32, rows, d int) {
	switch {
	case useAVX512:
		rmsNormBackwardAVX512(&dx[0], &dw[0], &dy[0], &x[0], &w[0], &rstd[0], rows, d)
	case useAVX2:
		rmsNormBackwardAVX2(&dx[0], &dw[0], &dy[0], &x[0], &w[0], &rstd[0], rows, d)
	default:
		rmsNormBackwardGo(dx, dw, dy, x, w, rstd, rows, d)
	}
}

func rope(x []float32, ld int, positions []int32, table []float32, rows, heads, headSize int, inverse bool) {
	sign := float32(1)
	if inverse {
		sign = -1
	}
	switch {
	case useAVX512:
		ropeAVX512(&x[0], ld, &positions[0], &table[0], rows, heads, headSize, sign)
	case useAVX2:
		ropeAVX2(&x[0], ld, &positions[0], &table[0], rows, heads, headSize, sign)
	default:
		ropeGo(x, ld, positions, table, rows, heads, headSize, inverse)
	}
}

func swiGLU(out, gateUp []float32, rows, f int) {
	switch {
	case useAVX512:
		swiGLUAVX512(&out[0], &gateUp[0], rows, f)
	case useAVX2:
		swiGLUAVX2(&out[0], &gateUp[0], rows, f)
	default:
		swiGLUGo(out, gateUp, rows, f)
	}
}

func swiGLUBackward(dgateUp, dout, gateUp []float32, rows, f int) {
	switch {
	case useAVX512:
		swiGLUBackwardAVX512(&dgateUp[0], &dout[0], &gateUp[0], rows, f)
	case useAVX2:
		swiGLUBackwardAVX2(&dgateUp[0], &dout[0], &gateUp[0], rows, f)
	default:
		swiGLUBackwardGo(dgateUp, dout, gateUp, rows, f)
	}
}

func softmaxStats(state, logits []float32, ld, rows, n int, invT float32) {
	switch {
	case useAVX512:
		softmaxStatsAVX512(&state[0], &logits[0], ld, rows, n, invT)
	case useAVX2:
		softmaxStatsAVX2(&state[0], &logits[0], ld, rows, n, invT)
	default:
		softmaxStatsGo(state, logits, ld, rows, n, invT)
	}
}

func softmax(p, logits []float32, ld, rows, n int, invT float32, lse []float32) {
	switch {
	case useAVX512:
		softmaxAVX512(&p[0], &logits[0], ld, rows, n, invT, &lse[0])
	case useAVX2:
		softmaxAVX2(&p[0], &logits[0], ld, rows, n, invT, &lse[0])
	default:
		softmaxGo(p, logits, ld, rows, n, invT, lse)
	}
}
