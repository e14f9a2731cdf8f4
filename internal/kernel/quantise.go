package kernel

import (
	"math"

	"github.com/retort-ml/retort/tensor"
)

// The words of a block of quantised activations: the scale; for each half −zero·Σa as an integer, or with minima d·Σa as a float (where a block has
// one scale, the first is that of the block and the second 0); nothing; 32 signed bytes.
const (
	quantWords = 4 + groups
	leastScale = 0x1p-100 // a block without a magnitude of that size counts as zeros
	fineSteps  = 127 << 8 // of the largest magnitude, before the scale is chosen
)

// QuantisedLen is the number of words of one row of k quantised activations.
func QuantisedLen(k int) int {
	if k < 0 {
		panic("kernel: QuantisedLen: negative size")
	}
	return quantisedLen(k)
}

// quantisedLen counts blocks up to a multiple of 64 values, as panels do.
func quantisedLen(k int) int {
	pairs := k / (2 * blockSize)
	if k%(2*blockSize) != 0 {
		pairs++
	}
	return product(pairs, 2*quantWords)
}

// Quantise makes the A operand of GemmQuantised for weights of format f.
//
//	x [rows,k], rows ldX apart   dst [rows, QuantisedLen(k)], rows ldDst apart, overwritten
//
// A block of 32 is first rounded to fine steps, t = round(x·(32512/max|x|)), to nearest even. Of the numbers round(t·f/2^15) for f in 128, 126, 124
// and 122, which reach up to 127, 125, 123 and 121, it has those that come nearest to t with the scale of least squares, and of equals the first:
// d = max|x|/32512·(Σ t·n / Σ n·n). For normal numbers that is 15 % less squared error than max|x|/127 gives. A block whose max|x| is below 2^-100
// becomes zeros. What is not finite makes its block's scale so, and every product NaN or infinite. k is a multiple of 32.
func Quantise(dst []uint32, ldDst int, f tensor.Format, x []float32, ldX, rows, k int) {
	q := quantFormats[f]
	if q == nil || k < 0 || k%blockSize != 0 || badRows(rows, ldX, k) || badRows(rows, ldDst, quantisedLen(k)) {
		panic("kernel: Quantise: bad size or format")
	}
	if len(x) < span(rows, ldX, k) {
		panic("kernel: Quantise: x is too short")
	}
	if len(dst) < span(rows, ldDst, quantisedLen(k)) {
		panic("kernel: Quantise: dst is too short")
	}
	if rows == 0 || k == 0 {
		return
	}
	quantise(q, dst, ldDst, x, ldX, rows, k)
}

func quantiseGo(q *quantFormat, dst []uint32, ldDst int, x []float32, ldX, rows, k int) {
	for i := range rows {
		row := dst[i*ldDst:][:quantisedLen(k)]
		for p := 0; p < k; p += blockSize {
			q.quantiseBlock((*[quantWords]uint32)(row), (*[blockSize]float32)(x[i*ldX+p:]))
			row = row[quantWords:]
		}
		clear(row)
	}
}

func (q *quantFormat) quantiseBlock(dst *[quantWords]uint32, x *[blockSize]float32) {
	var most uint32
	for _, v := range x {
		most = max(most, math.Float32bits(v)&^(1<<31))
	}
	*dst = [quantWords]uint32{}
	amax := math.Float32frombits(most)
	if amax < leastScale {
		return
	}
	var fine [blockSize]int32
	inverse := fineSteps / amax
	for i, v := range x {
		fine[i] = math.MinInt16
		if scaled := v * inverse; scaled == scaled {
			fine[i] = int32(math.RoundToEven(float64(scaled)))
		}
	}
	factor, step := bestFactor(&fine)
	d := float32(amax*(1/float32(fineSteps))) * step
	dst[0] = math.Float32bits(d)
	var sums [2]int32
	for i, t := range fine {
		n := coarse(t, factor)
		sums[i/(blockSize/q.halves)] += n
		dst[4+i/4] |= uint32(uint8(int8(n))) << (i % 4 * 8)
	}
	for h := range q.halves {
		if q.minima {
			dst[1+h] = math.Float32bits(d * float32(sums[h]))
		} else {
			dst[1+h] = uint32(-q.zero * sums[h])
		}
	}
}

// coarse is round(fine·factor/2^15), to the greater where two are as near.
func coarse(fine, factor int32) int32 { return (fine*factor + 1<<14) >> 15 }

// bestFactor chooses among four factors the one whose numbers n = coarse(fine, factor) are nearest to fine if they are scaled by step = Σ fine·n / Σ n·n,
// the scale of least squares: the rest is Σ fine·fine − step·Σ fine·n. The first of equals wins.
func bestFactor(fine *[blockSize]int32) (factor int32, step float32) {
	most := float32(-1)
	for f := int32(128); f > 120; f -= 2 {
		var across, square int32
		for _, t := range fine {
			n := coarse(t, f)
			across += t * n
			square += n * n
		}
		s := float32(across) / float32(square)
		if share := float32(across) * s; share > most {
			most, factor, step = share, f, s
		}
	}
	return factor, step
}
