package kernel

import "math"

// SoftmaxStats folds one chunk of the vocabulary into the running statistics of a softmax (Milakov & Gimelshein 2018,
// algorithm 3), so that no row of probabilities need exist.
//
//	logits [rows,n], rows ld apart, finite   state [rows][4]: max z, Σ exp(z-max), Σ exp(z-max)·z, unused
//
// z = logit·invT. first starts from nothing, whatever state held. Chunks are folded one by one; the same chunks in the
// same order give the same bits.
func SoftmaxStats(state, logits []float32, ld, rows, n int, invT float32, first bool) {
	if badRows(rows, ld, n) {
		panic("kernel: SoftmaxStats: bad size")
	}
	if len(logits) < span(rows, ld, n) {
		panic("kernel: SoftmaxStats: logits is too short")
	}
	if len(state) < product(rows, 4) {
		panic("kernel: SoftmaxStats: state is too short")
	}
	if first {
		for i := range rows {
			*(*[4]float32)(state[4*i:]) = [4]float32{float32(math.Inf(-1))}
		}
	}
	if rows == 0 || n == 0 {
		return
	}
	softmaxStats(state, logits, ld, rows, n, invT)
}

func softmaxStatsGo(state, logits []float32, ld, rows, n int, invT float32) {
	for i := range rows {
		row := logits[i*ld:][:n]
		s := state[4*i:][:4]
		highest := s[0]
		for _, logit := range row {
			if z := logit * invT; z > highest {
				highest = z
			}
		}
		scale := expGo(s[0] - highest)
		var total, dot float32
		for _, logit := range row {
			z := float32(logit * invT)
			e := expGo(z - highest)
			total += e
			dot += float32(e * z)
		}
		s[0] = highest
		s[1] = float32(s[1]*scale) + total
		s[2] = float32(s[2]*scale) + dot
	}
}

// SoftmaxFinish turns the statistics of whole rows into the logarithm of the softmax's denominator and its entropy.
//
//	state [rows][4] from SoftmaxStats   lse, entropy [rows], overwritten; entropy may be nil
//
// lse = max + log Σ exp(z-max); entropy = lse - Σ p·z, in nats. The log-probability of a token is z - lse.
func SoftmaxFinish(lse, entropy, state []float32, rows int) {
	if rows < 0 {
		panic("kernel: SoftmaxFinish: bad size")
	}
	if len(lse) < rows || (entropy != nil && len(entropy) < rows) {
		panic("kernel: SoftmaxFinish: lse or entropy is too short")
	}
	if len(state) < product(rows, 4) {
		panic("kernel: SoftmaxFinish: state is too short")
	}
	for i := range rows {
		s := state[4*i:][:4]
		lse[i] = s[0] + logGo(s[1])
		if entropy != nil {
			entropy[i] = lse[i] - s[2]/s[1]
		}
	}
}

// Softmax writes probabilities whose denominator is already known.
//
//	p, logits [rows,n], rows of both ld apart   lse [rows] from SoftmaxFinish
//
// p = exp(logit·invT - lse). p may be logits.
func Softmax(p, logits []float32, ld, rows, n int, invT float32, lse []float32) {
	if badRows(rows, ld, n) {
		panic("kernel: Softmax: bad size")
	}
	if need := span(rows, ld, n); len(p) < need || len(logits) < need {
		panic("kernel: Softmax: p or logits is too short")
	}
	if len(lse) < rows {
		panic("kernel: Softmax: lse is too short")
	}
	if rows == 0 || n == 0 {
		return
	}
	softmax(p, logits, ld, rows, n, invT, lse)
}

func softmaxGo(p, logits []float32, ld, rows, n int, invT float32, lse []float32) {
	for i := range rows {
		row := logits[i*ld:][:n]
		to := p[i*ld:][:n]
		for j, logit := range row {
			to[j] = expGo(float32(logit*invT) - lse[i])
		}
	}
}
