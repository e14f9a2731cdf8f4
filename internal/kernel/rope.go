package kernel

import "math"

// RoPETable fills the cosines and sines of rotary position embedding (Su et al. 2021, eq. 15), one row per position.
//
//	table [positions][headSize]: headSize/2 cosines, then headSize/2 sines; headSize is even
//
// Pair i of position p turns by p·theta^(-2i/headSize). Angles are computed in float64 and rounded once.
func RoPETable(table []float32, positions, headSize int, theta float64) {
	if positions < 0 || headSize < 0 || headSize%2 != 0 {
		panic("kernel: RoPETable: bad size")
	}
	if len(table) < product(positions, headSize) {
		panic("kernel: RoPETable: table is too short")
	}
	half := headSize / 2
	for i := range half {
		frequency := math.Pow(theta, -2*float64(i)/float64(headSize))
		for p := range positions {
			sin, cos := math.Sincos(float64(p) * frequency)
			table[p*headSize+i] = float32(cos)
			table[p*headSize+half+i] = float32(sin)
		}
	}
}

// RoPE rotates the heads of each row by its position, in place, with the half-rotation of Hugging Face's models:
// element i is paired with element i+headSize/2.
//
//	x row t begins at x[t*ld] and holds heads adjacent heads   positions [rows]   table from RoPETable
//
// x[i], x[i+K/2] = x[i]·cos - x[i+K/2]·sin, x[i+K/2]·cos + x[i]·sin. With inverse the sine changes its sign: the
// rotation back, which is also the adjoint. Every position has a row in the table.
func RoPE(x []float32, ld int, positions []int32, table []float32, rows, heads, headSize int, inverse bool) {
	if heads < 0 || headSize < 0 || headSize%2 != 0 {
		panic("kernel: RoPE: bad size")
	}
	width := product(heads, headSize)
	if badRows(rows, ld, width) {
		panic("kernel: RoPE: bad size")
	}
	if len(x) < span(rows, ld, width) {
		panic("kernel: RoPE: x is too short")
	}
	if len(positions) < rows {
		panic("kernel: RoPE: positions is too short")
	}
	if rows == 0 || width == 0 {
		return
	}
	limit := len(table) / headSize
	for _, p := range positions[:rows] {
		if p < 0 || int(p) >= limit {
			panic("kernel: RoPE: position outside the table")
		}
	}
	rope(x, ld, positions, table, rows, heads, headSize, inverse)
}

func ropeGo(x []float32, ld int, positions []int32, table []float32, rows, heads, headSize int, inverse bool) {
	half := headSize / 2
	for t := range rows {
		angles := table[int(positions[t])*headSize:][:headSize]
		cosines, sines := angles[:half], angles[half:]
		for h := range heads {
			head := x[t*ld+h*headSize:][:headSize]
			low, high := head[:half], head[half:]
			for i, cos := range cosines {
				sin := sines[i]
				if inverse {
					sin = -sin
				}
				a, b := low[i], high[i]
				low[i] = float32(a*cos) - float32(b*sin)
				high[i] = float32(b*cos) + float32(a*sin)
			}
		}
	}
}
