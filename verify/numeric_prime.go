package verify

import (
	"math/big"
	"math/bits"
)

// primes are the moduli of random evaluation: 2^61 - 1 and the two largest primes below it.
var primes = [...]uint64{1<<61 - 1, 1<<61 - 31, 1<<61 - 45}

// residue evaluates rational functions over Z/p: every variable, and π and e, has a pseudo-random value, and an equation
// between rational functions that holds holds there. One that does not hold fails there but with a probability of its
// degree over 2^61 (Schwartz 1980, Zippel 1979).
type residue struct {
	c     *checker
	prime uint64
	seed  int
	known map[string]uint64
}

func (r *residue) add(a, b uint64) uint64 {
	if a += b; a >= r.prime {
		a -= r.prime
	}
	return a
}

func (r *residue) mul(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	_, rest := bits.Div64(hi, lo, r.prime)
	return rest
}

func (r *residue) pow(a uint64, k uint64) uint64 {
	result := uint64(1)
	for ; k > 0; k >>= 1 {
		if k&1 != 0 {
			result = r.mul(result, a)
		}
		a = r.mul(a, a)
	}
	return result
}

func (r *residue) of(v *big.Int) uint64 {
	m := new(big.Int).Mod(v, new(big.Int).SetUint64(r.prime))
	return m.Uint64()
}

// value is the node modulo the prime, and false where it is no rational function or a denominator vanishes.
func (r *residue) value(n *node) (uint64, bool) {
	switch n.kind {
	case kNumber:
		if v, ok := n.value.Int64(); ok && v >= 0 {
			return uint64(v) % r.prime, true
		}
		over, under := r.of(n.value.Num()), r.of(n.value.Denom())
		return r.quotient(over, under)
	case kSymbol:
		return r.random(n.name), true
	case kConstant:
		if n.name == "pi" || n.name == "e" {
			return r.random(n.name), true
		}
	case kAdd, kMul:
		total, ok := r.value(n.args[0])
		for _, a := range n.args[1:] {
			v, good := r.value(a)
			if ok = ok && good; !ok {
				return 0, false
			}
			if n.kind == kAdd {
				total = r.add(total, v)
			} else {
				total = r.mul(total, v)
			}
		}
		return total, ok
	case kDiv:
		a, ok1 := r.value(n.args[0])
		b, ok2 := r.value(n.args[1])
		if !ok1 || !ok2 {
			return 0, false
		}
		return r.quotient(a, b)
	case kPow:
		return r.power(n)
	}
	return 0, false
}

func (r *residue) quotient(a, b uint64) (uint64, bool) {
	return r.mul(a, r.pow(b, r.prime-2)), b != 0
}

func (r *residue) power(n *node) (uint64, bool) {
	base, ok := r.value(n.args[0])
	if !ok {
		return 0, false
	}
	exponent, ok := r.c.exact(n.args[1])
	if !ok {
		return 0, false
	}
	k, ok := exponent.Int64()
	switch {
	case !ok:
		return 0, false
	case k >= 0:
		return r.pow(base, uint64(k)), base != 0 || k > 0
	}
	return r.quotient(1, r.pow(base, uint64(-k)))
}

func (r *residue) random(name string) uint64 {
	if v, ok := r.known[name]; ok {
		return v
	}
	v := hash(name, r.seed) % r.prime
	r.known[name] = v
	return v
}

// compareResidues compares two rational functions modulo the primes.
func (c *checker) compareResidues(a, b *node) order {
	for i, prime := range primes {
		if !c.step(1 + (a.size(1<<14)+b.size(1<<14))/16) {
			return orderUnknown
		}
		r := residue{c: c, prime: prime, seed: 7 * i, known: map[string]uint64{}}
		x, ok1 := r.value(a)
		y, ok2 := r.value(b)
		if !ok1 || !ok2 {
			return orderUnknown
		}
		if x != y {
			return orderApart
		}
	}
	return orderSame
}
