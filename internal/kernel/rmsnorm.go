package kernel

import "math"

// RMSNorm divides each row by its root mean square and scales the columns (Zhang & Sennrich 2019, eq. 4; the
// epsilon under the root as in Llama and Qwen2).
//
//	out, x [rows,d]   w [d]   rstd [rows], kept for RMSNormBackward, or nil
//
// rstd = 1/sqrt(mean(x²) + eps); out = x·rstd·w. out may be x.
func RMSNorm(out, x, w, rstd []float32, rows, d int, eps float32) {
	if rows < 0 || d < 0 {
		panic("kernel: RMSNorm: bad size")
	}
	if n := product(rows, d); len(out) < n || len(x) < n {
		panic("kernel: RMSNorm: out or x is too short")
	}
	if len(w) < d {
		panic("kernel: RMSNorm: w is too short")
	}
	if rstd != nil && len(rstd) < rows {
		panic("kernel: RMSNorm: rstd is too short")
	}
	if rows == 0 || d == 0 {
		return
	}
	rmsNorm(out, x, w, rstd, rows, d, eps)
}

func rmsNormGo(out, x, w, rstd []float32, rows, d int, eps float32) {
	w = w[:d]
	for i := range rows {
		row := x[i*d : (i+1)*d]
		to := out[i*d : (i+1)*d]
		var squares float32
		for _, v := range row {
			squares += float32(v * v)
		}
		r := 1 / float32(math.Sqrt(float64(squares/float32(d)+eps)))
		if rstd != nil {
			rstd[i] = r
		}
		for j, v := range row {
			to[j] = float32(v*r) * w[j]
		}
	}
}

// RMSNormBackward is the adjoint of RMSNorm. It adds to dx and to dw.
//
//	dx, dy, x [rows,d]   dw, w [d]   rstd [rows] as RMSNorm wrote it
//
// With x̂ = x·rstd and ŷ = dy·w: dx += rstd·(ŷ - x̂·mean(ŷ·x̂)); dw += Σ_rows dy·x̂, rows ascending.
func RMSNormBackward(dx, dw, dy, x, w, rstd []float32, rows, d int) {
	if rows < 0 || d < 0 {
		panic("kernel: RMSNormBackward: bad size")
	}
	if n := product(rows, d); len(dx) < n || len(dy) < n || len(x) < n {
		panic("kernel: RMSNormBackward: dx, dy or x is too short")
	}
	if len(w) < d || len(dw) < d {
		panic("kernel: RMSNormBackward: w or dw is too short")
	}
	if len(rstd) < rows {
		panic("kernel: RMSNormBackward: rstd is too short")
	}
	if rows == 0 || d == 0 {
		return
	}
	rmsNormBackward(dx, dw, dy, x, w, rstd, rows, d)
}

func rmsNormBackwardGo(dx, dw, dy, x, w, rstd []float32, rows, d int) {
	w, dw = w[:d], dw[:d]
	for i := range rows {
		row := x[i*d : (i+1)*d]
		dyRow := dy[i*d : (i+1)*d]
		dxRow := dx[i*d : (i+1)*d]
		r := rstd[i]
		var dot float32
		for j, v := range row {
			dot += float32(float32(dyRow[j]*w[j]) * v)
		}
		// mean(ŷ·x̂)·rstd, so that the next loop multiplies by x and not by x̂.
		mean := dot / float32(d) * r * r
		for j, v := range row {
			g := dyRow[j]
			dw[j] += float32(g * float32(v*r))
			dxRow[j] += float32(r * (float32(g*w[j]) - float32(v*mean)))
		}
	}
}
