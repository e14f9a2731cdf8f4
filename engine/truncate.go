package engine

import (
	"math"
	"math/bits"
)

// Probabilities are added up as whole numbers of 2⁻³⁸: such a sum has the same bits in any order, so
// that what is kept does not depend on how it is searched for.
const massBits = 38

func massOf(p float32) uint64 { return uint64(int64(float64(p) * (1 << massBits))) } // signed: one instruction

// A rankKey is a token with its probability, p >= 0: the greater key is the likelier token, the lower id of equals.
type rankKey uint64

func keyOf(p float32, token int32) rankKey {
	return rankKey(math.Float32bits(p))<<32 | rankKey(^uint32(token))
}

func (k rankKey) token() int32 { return int32(^uint32(k)) }
func (k rankKey) p() float32   { return math.Float32frombits(uint32(k >> 32)) }
func (k rankKey) mass() uint64 { return massOf(k.p()) }

// nucleus is what TopK, TopP and MinP keep of one distribution. Its slices are reused.
type nucleus struct {
	dense      []float32 // the distribution, if so much is kept that candidates are not listed
	candidates []rankKey // in the order of ids; a superset of what is kept
	work       []rankKey
	ladder     *ladder // once there was a dense distribution
	few        int     // the most candidates; 0 means fewCandidates
	cut        rankKey // the least key that is kept
	total      uint64  // mass of what is kept
}

// floors are the shares of the largest probability down to which candidates are gathered, one after
// another until there are enough: a sharp distribution has few above the first.
var floors = [...]float32{1.0 / (1 << 6), 1.0 / (1 << 14)}

// fewCandidates is how many candidates are gathered: to go through all probabilities once more is faster than to search among more of them.
const fewCandidates = 2048

// keep finds what r keeps of p [V].
func (n *nucleus) keep(p []float32, r *Request) {
	largest := largestOf(p)
	topK := r.TopK
	if topK >= len(p) {
		topK = 0
	}
	topP := float64(r.TopP)
	if topP >= 1 {
		topP = 0
	}
	lowest := keyOf(r.MinP*largest, math.MaxInt32)
	if n.few == 0 {
		n.few = fewCandidates
	}
	n.dense = nil
	if !n.gatherFew(p, largest, r.MinP*largest, topK, topP) {
		n.keepDense(p, topK, topP, lowest)
		return
	}
	n.cut = max(n.prefix(topK, topP), lowest)
	n.total = 0
	for _, k := range n.candidates {
		if k >= n.cut {
			n.total += k.mass()
		}
	}
}

// largestOf is the largest of p, which are at least 0: as whole numbers their bits have the same order, and are compared without a branch.
func largestOf(p []float32) float32 {
	var a, b, c, d uint32
	for ; len(p) >= 4; p = p[4:] {
		a, b = max(a, math.Float32bits(p[0])), max(b, math.Float32bits(p[1]))
		c, d = max(c, math.Float32bits(p[2])), max(d, math.Float32bits(p[3]))
	}
	for _, x := range p {
		a = max(a, math.Float32bits(x))
	}
	return math.Float32frombits(max(a, b, c, d))
}

// gatherFew gathers candidates and reports whether they are enough, and few.
func (n *nucleus) gatherFew(p []float32, largest, lowest float32, topK int, topP float64) bool {
	bottom := lowest
	if topK > 0 && topP > 0 {
		bottom = 0 // the share of TopP counts what MinP takes away
	}
	for _, floor := range floors {
		if floor = max(floor*largest, bottom); n.gather(p, floor, topK, topP) || floor == bottom {
			return len(n.candidates) <= n.few
		}
		if len(n.candidates) > n.few {
			return false
		}
	}
	return false
}

// gather collects the tokens with at least probability floor, n.few of them and one more at most, and reports whether they are enough.
func (n *nucleus) gather(p []float32, floor float32, topK int, topP float64) bool {
	n.candidates = n.candidates[:0]
	for i, x := range p {
		if x < floor {
			continue
		}
		n.candidates = append(n.candidates, keyOf(x, int32(i)))
		if len(n.candidates) > n.few {
			return false
		}
	}
	if topK > 0 {
		return len(n.candidates) >= topK
	}
	if topP == 0 {
		return false
	}
	var mass uint64
	for _, k := range n.candidates {
		mass += k.mass()
	}
	return mass >= share(topP, 1<<massBits)
}

// share is the least mass that is at least p of total.
func share(p float64, total uint64) uint64 { return uint64(math.Ceil(p * float64(total))) }

// prefix returns the least key that TopK and TopP keep of the candidates, 0 if they keep all.
func (n *nucleus) prefix(topK int, topP float64) rankKey {
	n.work = append(n.work[:0], n.candidates...)
	a, cut := n.work, rankKey(0)
	total := uint64(1 << massBits)
	if topK > 0 && topK < len(a) {
		cut = leastOf(a, uint64(topK), func(rankKey) uint64 { return 1 })
		a = a[:topK]
	}
	if topP == 0 {
		return cut
	}
	if topK > 0 {
		total = 0
		for _, k := range a {
			total += k.mass()
		}
	}
	return max(cut, leastOf(a, share(topP, total), rankKey.mass))
}

// leastOf orders a in part, and returns the last of the fewest greatest keys whose weights add up to at least
// want, 0 if all together do not: Hoare's selection (1961, algorithm 65) by weight. The keys down to the returned one then stand
// before the others. want is above 0.
func leastOf(a []rankKey, want uint64, weight func(rankKey) uint64) rankKey {
	for len(a) > 0 {
		at := partition(a)
		var before uint64
		for _, k := range a[:at] {
			before += weight(k)
		}
		own := weight(a[at])
		switch {
		case before >= want:
			a = a[:at]
		case before+own >= want:
			return a[at]
		default:
			want -= before + own
			a = a[at+1:]
		}
	}
	return 0
}

// partition moves the keys above a pivot before it and the others behind it, and returns its place.
func partition(a []rankKey) int {
	last := len(a) - 1
	middle := last / 2
	// The median of three as pivot, at the end.
	if a[middle] > a[0] {
		a[middle], a[0] = a[0], a[middle]
	}
	if a[last] > a[0] {
		a[last], a[0] = a[0], a[last]
	}
	if a[middle] > a[last] {
		a[middle], a[last] = a[last], a[middle]
	}
	pivot, at := a[last], 0
	for i, k := range a[:last] {
		if k > pivot {
			a[i], a[at] = a[at], k
			at++
		}
	}
	a[at], a[last] = pivot, a[at]
	return at
}

// pick returns the kept token at which the cumulative mass, in the order of ids, exceeds the share u of the whole, and its natural-log
// probability among what is kept. u is in [0,1).
func (n *nucleus) pick(u float32) (token int32, logProb float32) {
	// u has 24 bits: exact as a whole number.
	high, low := bits.Mul64(n.total, uint64(u*(1<<24)))
	rest := high<<40 | low>>24
	if n.dense != nil {
		return n.pickDense(rest)
	}
	for _, k := range n.candidates {
		if k < n.cut {
			continue
		}
		if m := k.mass(); rest >= m {
			rest -= m
			continue
		}
		return k.token(), float32(math.Log(float64(k.mass()) / float64(n.total)))
	}
	panic(nothingKept)
}

// nothingKept cannot be: the likeliest token always is.
const nothingKept = "engine: nothing was kept of a distribution"
