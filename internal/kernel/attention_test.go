package kernel

import (
	"fmt"
	"math"
	"testing"

	"github.com/retort-ml/retort/tensor"
)

// An attentionCase is one whole sequence, its rows [q | k | v] as a fused projection leaves them.
type attentionCase struct {
	n, heads, kvHeads, headSize int
	scale                       float32
	qkv                         []float32 // [n][H·K + 2·G·K + 3]
	ld                          int
	format                      tensor.Format
	cache                       []float32 // one layer's blocks, those of the sequence scattered among others
	table                       []int32
}

func newAttentionCase(n, heads, kvHeads, headSize int) *attentionCase {
	r := newRand(uint64(n*1000 + headSize))
	c := &attentionCase{n: n, heads: heads, kvHeads: kvHeads, headSize: headSize}
	c.scale = float32(1.5 / math.Sqrt(float64(headSize)))
	c.ld = (heads+2*kvHeads)*headSize + 3
	c.qkv = normals(r, n*c.ld)
	blocks := (n + BlockTokens - 1) / BlockTokens
	// What nobody has written must not matter, not even as 0·NaN.
	c.cache = filled(2*blocks*BlockFloats(tensor.F32, kvHeads, headSize), nan)
	for _, block := range r.Perm(2 * blocks)[:blocks] {
		c.table = append(c.table, int32(block))
	}
	KVWrite(c.cache, tensor.F32, c.slots(), c.k(), c.v(), c.ld, n, kvHeads, headSize)
	return c
}

// slots are the places of the sequence's keys and values.
func (c *attentionCase) slots() []int32 {
	slots := make([]int32, c.n)
	for i := range slots {
		slots[i] = c.table[i/BlockTokens]*BlockTokens + int32(i%BlockTokens)
	}
	return slots
}

func (c *attentionCase) q() []float32 { return c.qkv }
func (c *attentionCase) k() []float32 { return c.qkv[c.heads*c.headSize:] }
func (c *attentionCase) v() []float32 { return c.qkv[(c.heads+c.kvHeads)*c.headSize:] }

func (c *attentionCase) String() string {
	return fmt.Sprintf("n=%d,heads=%d/%d,size=%d", c.n, c.heads, c.kvHeads, c.headSize)
}

// run evaluates rows from position pos with rows of out ldOut apart.
func (c *attentionCase) run(pos, rows, ldOut int) (out, lse []float32) {
	out, lse = filled(rows*ldOut, nan), filled(rows*c.heads, nan)
	scratch := filled(AttentionScratch(c.heads, c.kvHeads, c.headSize), nan)
	for g := range c.kvHeads {
		Attention(out, ldOut, lse, c.q()[pos*c.ld:], c.ld, c.cache, c.format, c.table, rows, pos, g, c.heads, c.kvHeads, c.headSize, c.scale, scratch)
	}
	return out, lse
}

// reference is softmax(scale·QKᵀ)·V, row by row, from a copy of qkv in float64.
func (c *attentionCase) reference(qkv []float64) (out, lse []float64) {
	at := func(row, head, i int) float64 { return qkv[row*c.ld+head*c.headSize+i] }
	for t := range c.n {
		for h := range c.heads {
			key, value := c.heads+h*c.kvHeads/c.heads, c.heads+c.kvHeads+h*c.kvHeads/c.heads
			weights := make([]float64, t+1)
			var total float64
			for j := range weights {
				var score float64
				for i := range c.headSize {
					score += at(t, h, i) * at(j, key, i)
				}
				weights[j] = math.Exp(score * float64(c.scale))
				total += weights[j]
			}
			lse = append(lse, math.Log(total))
			for i := range c.headSize {
				var sum float64
				for j, weight := range weights {
					sum += weight / total * at(j, value, i)
				}
				out = append(out, sum)
			}
		}
	}
	return out, lse
}

var attentionCases = []*attentionCase{
	newAttentionCase(1, 1, 1, 4),
	newAttentionCase(15, 2, 1, 5),
	newAttentionCase(16, 4, 4, 8),
	newAttentionCase(17, 6, 2, 24),
	newAttentionCase(33, 4, 1, 32),
	newAttentionCase(50, 4, 2, 64),
	newAttentionCase(255, 2, 2, 16),
	newAttentionCase(257, 2, 1, 16),
	newAttentionCase(530, 2, 1, 18),
	newAttentionCase(20, 2, 1, 128),
}

func TestAttention(t *testing.T) {
	for _, c := range attentionCases {
		wantOut, wantLSE := c.reference(wide(c.qkv))
		eachLevel(t, func(t *testing.T) {
			width := c.heads * c.headSize
			out, lse := c.run(0, c.n, width+2)
			wantGapsKept(t, c.String(), out, c.n, width+2, width)
			wantClose(t, c.String()+" out", rowsOf(out, c.n, width+2, width), wantOut, 2*valueLimit)
			for i := range lse {
				if d := math.Abs(float64(lse[i]) - wantLSE[i]); !(d <= 3e-6) {
					t.Fatalf("%s: lse %d differs by %.2g", c, i, d)
				}
			}
		})
	}
}

// TestAttentionInvariance: a row has the same bits alone as among any others, on both sides of a chunk's border.
func TestAttentionInvariance(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		for _, c := range attentionCases {
			width := c.heads * c.headSize
			out, lse := c.run(0, c.n, width)
			for _, step := range []int{1, 2, 3, 7, 16, 100, 256} {
				for pos := 0; pos < c.n; pos += step {
					rows := min(step, c.n-pos)
					gotOut, gotLSE := c.run(pos, rows, width)
					what := fmt.Sprintf("%s: %d rows from %d", c, rows, pos)
					wantSame(t, what, gotOut, out[pos*width:(pos+rows)*width])
					wantSame(t, what+" lse", gotLSE, lse[pos*c.heads:(pos+rows)*c.heads])
				}
			}
		}
	})
}

// TestAttentionPlace: the same keys in other blocks, among stale ones, give the same bits; later keys do not count.
func TestAttentionPlace(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		for _, c := range attentionCases {
			width := c.heads * c.headSize
			want, _ := c.run(0, c.n, width)
			moved := *c
			blockFloats := BlockFloats(c.format, c.kvHeads, c.headSize)
			moved.cache = filled(len(c.cache), 1e30)
			moved.table = make([]int32, len(c.table))
			for i, block := range c.table {
				moved.table[i] = int32(2*len(c.table) - 1 - i)
				copy(moved.cache[int(moved.table[i])*blockFloats:], c.cache[int(block)*blockFloats:][:blockFloats])
			}
			got, _ := moved.run(0, c.n, width)
			wantSame(t, c.String()+" moved", got, want)
		}
	})
}

func (c *attentionCase) backward(dout, out, lse []float32) (dqkv []float32) {
	dqkv = filled(c.n*c.ld, nan)
	width, narrow := c.heads*c.headSize, c.kvHeads*c.headSize
	scratch := filled(AttentionBackwardScratch(c.n, c.heads, c.kvHeads, c.headSize), nan)
	for g := range c.kvHeads {
		AttentionBackward(dqkv, dqkv[width:], dqkv[width+narrow:], c.ld, dout, out, width, lse,
			c.q(), c.k(), c.v(), c.ld, c.n, g, c.heads, c.kvHeads, c.headSize, c.scale, scratch)
	}
	return dqkv
}

func TestAttentionBackward(t *testing.T) {
	for _, c := range attentionCases {
		width := c.heads * c.headSize
		dout := normals(newRand(99), c.n*width)
		dout64, qkv := wide(dout), wide(c.qkv)
		loss := func() float64 {
			out, _ := c.reference(qkv)
			return inner(dout64, out)
		}
		var want []float64
		var slopes []slope
		if c.n*c.ld <= 2000 {
			want = derivative(qkv, loss)
		} else {
			slopes = c.slopes(qkv, loss)
		}
		eachLevel(t, func(t *testing.T) {
			out, lse := c.run(0, c.n, width)
			dqkv := c.backward(dout, out, lse)
			used := (c.heads + 2*c.kvHeads) * c.headSize
			wantGapsKept(t, c.String(), dqkv, c.n, c.ld, used)
			if want != nil {
				wantClose(t, c.String(), rowsOf(dqkv, c.n, c.ld, used), usedOf(want, c.ld, used), gradientLimit)
			}
			for part, s := range slopes {
				s.check(t, fmt.Sprintf("%s, gradient of %c", c, "qkv"[part]), dqkv)
			}
		})
	}
}

func usedOf(x []float64, ld, used int) (out []float64) {
	for i := 0; i < len(x); i += ld {
		out = append(out, x[i:i+used]...)
	}
	return out
}

// A slope is the derivative of the loss along one random direction: where numbers are too many for a difference each.
type slope struct {
	direction []float64 // as long as qkv, zero outside one of q, k and v
	value     float64
}

func (c *attentionCase) slopes(x []float64, loss func() float64) (slopes []slope) {
	const h = 1e-6
	r := newRand(uint64(c.n))
	width, narrow := c.heads*c.headSize, c.kvHeads*c.headSize
	for _, part := range [][2]int{{0, width}, {width, width + narrow}, {width + narrow, width + 2*narrow}} {
		u, start := make([]float64, len(x)), append([]float64(nil), x...)
		move := func(step float64) float64 {
			for i := range x {
				x[i] = start[i] + step*u[i]
			}
			return loss()
		}
		for i := range u {
			if column := i % c.ld; column >= part[0] && column < part[1] {
				u[i] = r.NormFloat64()
			}
		}
		slopes = append(slopes, slope{u, (move(h) - move(-h)) / (2 * h)})
		copy(x, start)
	}
	return slopes
}

func (s slope) check(t *testing.T, what string, gradient []float32) {
	t.Helper()
	var got, size float64
	for i, u := range s.direction {
		if u != 0 {
			got += float64(gradient[i]) * u
			size += float64(gradient[i]) * float64(gradient[i])
		}
	}
	if d := math.Abs(got - s.value); !(d <= 1e-5*math.Sqrt(size)) {
		t.Errorf("%s: slope %v, want %v (the gradient's norm is %.3g)", what, got, s.value, math.Sqrt(size))
	}
}

// TestKVWrite reads each slot back from the layout that the documentation gives, and finds nothing else written.
func TestKVWrite(t *testing.T) {
	const kvHeads, headSize, rows, ld = 3, 6, 4, 25
	r := newRand(5)
	k, v := normals(r, rows*ld), normals(r, rows*ld)
	slots := []int32{17, 0, 15, 47}
	blockFloats := BlockFloats(tensor.F32, kvHeads, headSize)
	if blockFloats != 2*3*6*16 {
		t.Fatalf("BlockFloats(3, 6): got %d, want %d", blockFloats, 2*3*6*16)
	}
	kv := filled(3*blockFloats, nan)
	KVWrite(kv, tensor.F32, slots, k, v, ld, rows, kvHeads, headSize)
	want := filled(3*blockFloats, nan)
	for row, slot := range slots {
		for g := range kvHeads {
			for i := range headSize {
				head := int(slot)/16*blockFloats + g*2*headSize*16
				want[head+i*16+int(slot)%16] = k[row*ld+g*headSize+i]
				want[head+headSize*16+int(slot)%16*headSize+i] = v[row*ld+g*headSize+i]
			}
		}
	}
	wantSame(t, "cache", kv, want)
}
