package engine

import (
	"math"
	"math/bits"
)

// ladder counts keys, and adds up their masses, by twelve bits of their probabilities: a rung has those of the same bits. Neighbours go to
// two sides, so that an addition seldom waits for the one before.
//
// The sums of a rung are one number, the count above the mass: all masses together are less than 2³⁹, so that 2²⁴ tokens can be counted.
type ladder [2][rungs]uint64

const (
	rungBits  = 12
	rungs     = 1 << rungBits
	rungShift = 31 - 1 - rungBits // of the bits of a probability, which is below 2
	rungCount = massBits + 2      // where the count begins
	rungMass  = 1<<rungCount - 1
)

// fill counts p [V] by the exponent and five bits of the mantissa.
func (l *ladder) fill(p []float32) {
	clear(l[0][:])
	clear(l[1][:])
	if len(p)%2 == 1 {
		last := p[len(p)-1]
		p = p[:len(p)-1]
		l[0][math.Float32bits(last)>>rungShift%rungs] = 1<<rungCount + massOf(last)
	}
	for i := 0; i+1 < len(p); i += 2 {
		a, b := p[i], p[i+1]
		l[0][math.Float32bits(a)>>rungShift%rungs] += 1<<rungCount + massOf(a)
		l[1][math.Float32bits(b)>>rungShift%rungs] += 1<<rungCount + massOf(b)
	}
}

// refill counts the keys of one rung by the twelve bits behind.
func (l *ladder) refill(keys []rankKey) {
	clear(l[0][:])
	clear(l[1][:])
	for i, k := range keys {
		l[i%2][k.second()] += 1<<rungCount + k.mass()
	}
}

// second is the rung of a key among those of the same first rung.
func (k rankKey) second() int { return int(k>>(32+rungShift-rungBits)) % rungs }

// descend returns the rung from the top with which the count, or the mass, reaches want, and the count and the mass above it; -1 if all together do not.
func (l *ladder) descend(want uint64, byMass bool) (rung int, count, mass uint64) {
	for rung = rungs - 1; rung >= 0; rung-- {
		sum := l[0][rung] + l[1][rung]
		c, m := count+sum>>rungCount, mass+sum&rungMass
		if byMass && m >= want || !byMass && c >= want {
			return rung, count, mass
		}
		count, mass = c, m
	}
	return rung, count, mass
}

// keepDense is keep for a distribution of which much is kept: it adds up from the top, and orders only the few keys among which a bound lies.
func (n *nucleus) keepDense(p []float32, topK int, topP float64, lowest rankKey) {
	if n.ladder == nil {
		n.ladder = new(ladder)
	}
	n.dense = p
	n.cut, n.total = 0, 1<<massBits
	if topK > 0 {
		n.cut, n.total = n.bound(uint64(topK), false)
	}
	if topP > 0 {
		// What is kept so far is more than what is kept now: the mass of the keys from the greater bound on.
		if cut, total := n.bound(share(topP, n.total), true); cut >= n.cut {
			n.cut, n.total = cut, total
		}
	}
	if topK == 0 && topP == 0 || lowest > n.cut {
		n.cut, n.total = lowest, 0
		for i, x := range p {
			n.total += n.massIfKept(x, i)
		}
	}
}

// bound returns the last of the fewest greatest keys whose number, or mass, is at least want, and the mass down to it; 0 and all mass if that of all is
// less. want is above 0.
func (n *nucleus) bound(want uint64, byMass bool) (key rankKey, total uint64) {
	n.ladder.fill(n.dense)
	rung, count, mass := n.ladder.descend(want, byMass)
	if rung < 0 {
		return 0, mass
	}
	n.gatherRung(rung)
	n.ladder.refill(n.work)
	want -= either(byMass, mass, count)
	second, count, more := n.ladder.descend(want, byMass)
	want -= either(byMass, more, count)
	same := n.work[:0]
	for _, k := range n.work {
		if k.second() == second {
			same = append(same, k)
		}
	}
	weight := rankKey.mass
	if !byMass {
		weight = func(rankKey) uint64 { return 1 }
	}
	key, total = leastOf(same, want, weight), mass+more
	for _, k := range same {
		if k >= key {
			total += k.mass()
		}
	}
	return key, total
}

func either(first bool, a, b uint64) uint64 {
	if first {
		return a
	}
	return b
}

// gatherRung puts the keys of a rung into n.work.
func (n *nucleus) gatherRung(rung int) {
	n.work = n.work[:0]
	for i, x := range n.dense {
		if math.Float32bits(x)>>rungShift == uint32(rung) {
			n.work = append(n.work, keyOf(x, int32(i)))
		}
	}
}

// pickDense returns the kept token that the mass rest falls on, and its natural-log probability among what is kept.
func (n *nucleus) pickDense(rest uint64) (token int32, logProb float32) {
	const block = 64
	for first := 0; first < len(n.dense); first += block {
		last := min(first+block, len(n.dense))
		var sum uint64
		for i, x := range n.dense[first:last] {
			sum += n.massIfKept(x, first+i)
		}
		if rest >= sum {
			rest -= sum
			continue
		}
		for i, x := range n.dense[first:last] {
			m := n.massIfKept(x, first+i)
			if rest < m {
				return int32(first + i), float32(math.Log(float64(m) / float64(n.total)))
			}
			rest -= m
		}
	}
	panic(nothingKept)
}

// massIfKept is the mass of a token, 0 if it is not kept, without a branch.
func (n *nucleus) massIfKept(p float32, token int) uint64 {
	_, below := bits.Sub64(uint64(keyOf(p, int32(token))), uint64(n.cut), 0)
	return massOf(p) & (below - 1)
}
