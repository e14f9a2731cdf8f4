package verify

import (
	"math/big"

	"github.com/retort-ml/retort/verify/internal/rat"
)

// Limits of exact arithmetic.
const (
	maxBits      = 100000 // of a numerator and denominator together
	maxFactorial = 5000
	maxTerms     = 20000 // of a sum or product that is added up
)

// budget is how many steps one check may take; a step is about a microsecond at worst.
const budget = 4000

// checker compares two trees under one budget.
type checker struct {
	options  *Options
	steps    int // left
	spent    bool
	bound    []binding // variables of sums and products
	trig     int       // how many trigonometric functions enclose the node: there a degree is π/180
	table    []atom
	formed   [2]formed // the last two trees brought into normal form, for showing them
	index    map[string]int32
	integers bool // a remark says that parameters run over the integers
	spread   bool // each sign ± is independent of the others
	partial  bool // the normal form holds an atom about which not everything is known
}

type formed struct {
	tree *node
	form fraction
}

type binding struct {
	name  string
	value rat.Rat
}

// step charges n steps and says whether they were there.
func (c *checker) step(n int) bool {
	if c.steps -= n; c.steps < 0 {
		c.spent = true
		return false
	}
	return true
}

func (c *checker) lookup(name string) (rat.Rat, bool) {
	for i := len(c.bound) - 1; i >= 0; i-- {
		if c.bound[i].name == name {
			return c.bound[i].value, true
		}
	}
	return rat.Rat{}, false
}

// exact evaluates a tree that is a rational number by rational operations, and says whether it is.
func (c *checker) exact(n *node) (rat.Rat, bool) {
	switch n.kind {
	case kNumber:
		return n.value, true
	case kSymbol:
		return c.lookup(n.name)
	case kAdd, kMul:
		return c.exactFold(n)
	case kDiv, kRatio:
		if len(n.args) != 2 {
			return rat.Rat{}, false
		}
		a, ok := c.exact(n.args[0])
		if !ok {
			return a, false
		}
		b, ok := c.exact(n.args[1])
		if !ok || b.Sign() == 0 || a.Bits()+b.Bits() > maxBits {
			return a, false
		}
		return a.Mul(b.Inv()), true
	case kPow:
		return c.exactPower(n)
	case kPercent:
		a, ok := c.exact(n.args[0])
		return a.Mul(hundredth), ok
	case kCall:
		return c.exactCall(n)
	case kBig:
		return c.exactSeries(n)
	case kConstant:
		if len(c.bound) > 0 {
			return c.lookup(n.name)
		}
	case kBased:
		if c.options.Bases == BasesValue {
			return basedValue(n)
		}
	}
	return rat.Rat{}, false
}

func (c *checker) exactFold(n *node) (rat.Rat, bool) {
	total, ok := c.exact(n.args[0])
	if !ok {
		return total, false
	}
	for _, a := range n.args[1:] {
		v, ok := c.exact(a)
		if !ok || !c.step(1+(total.Bits()+v.Bits())>>12) || total.Bits()+v.Bits() > maxBits {
			if v, small := v.Int64(); ok && small && v == 0 && !c.spent && n.kind == kAdd {
				continue
			}
			return total, false
		}
		if n.kind == kAdd {
			total = total.Add(v)
		} else {
			total = total.Mul(v)
		}
	}
	return total, true
}

func (c *checker) exactPower(n *node) (rat.Rat, bool) {
	base, ok := c.exact(n.args[0])
	if !ok {
		return base, false
	}
	exponent, ok := c.exact(n.args[1])
	if !ok {
		return base, false
	}
	k, ok := exponent.Int64()
	if !ok {
		return base, false
	}
	if one, small := base.Abs().Int64(); small && one == 1 {
		if base.Sign() < 0 && k%2 != 0 {
			return base, true
		}
		return rat.Int(1), true
	}
	if base.Sign() == 0 {
		return base, k > 0
	}
	if k > maxBits || k < -maxBits || int64(base.Bits())*max(k, -k) > maxBits {
		return base, false
	}
	c.step(1 + int(int64(base.Bits())*max(k, -k))>>12)
	return base.Pow(k), true
}

func (c *checker) exactCall(n *node) (rat.Rat, bool) {
	if n.n == 1 && (n.name != "C" && n.name != "P" || len(n.args) != 2) { // f(x), but C(5, 2) is a number of choices
		return rat.Rat{}, false
	}
	var few [4]rat.Rat
	args := few[:0]
	for _, a := range n.args {
		v, ok := c.exact(a)
		if !ok || len(args) == 64 {
			return v, false
		}
		args = append(args, v)
	}
	if len(args) == 0 {
		return rat.Rat{}, false
	}
	x := args[0]
	switch n.name {
	case "C":
		return c.exactBinomial(args)
	case "P":
		return c.exactArrangements(args)
	case "abs":
		return x.Abs(), len(args) == 1
	case "floor":
		return x.Floor(), len(args) == 1
	case "ceil":
		return x.Neg().Floor().Neg(), len(args) == 1
	case "!":
		k, ok := x.Int64()
		if !ok || k < 0 || k > maxFactorial || !c.step(1+int(k)/8) {
			return x, false
		}
		return rat.BigInt(new(big.Int).MulRange(1, k)), true
	case "!!":
		return c.exactDoubleFactorial(x)
	case "binom":
		return c.exactBinomial(args)
	case "mod":
		if len(args) != 2 || args[1].Sign() == 0 || args[0].Bits()+args[1].Bits() > maxBits {
			return x, false
		}
		return x.Sub(args[1].Mul(x.Mul(args[1].Inv()).Floor())), true
	case "max", "min":
		for _, v := range args[1:] {
			if (v.Cmp(x) > 0) == (n.name == "max") {
				x = v
			}
		}
		return x, true
	case "gcd", "lcm":
		return exactDivisor(n.name, args)
	}
	return x, false
}

// exactDoubleFactorial is k(k-2)(k-4)... down to 1 or 2.
func (c *checker) exactDoubleFactorial(x rat.Rat) (rat.Rat, bool) {
	k, ok := x.Int64()
	if !ok || k < -1 || k > maxFactorial || !c.step(1+int(k+1)/8) {
		return x, false
	}
	product := big.NewInt(1)
	for factor := new(big.Int); k > 1; k -= 2 {
		product.Mul(product, factor.SetInt64(k))
	}
	return rat.BigInt(product), true
}

func (c *checker) exactBinomial(args []rat.Rat) (rat.Rat, bool) {
	if len(args) != 2 {
		return rat.Rat{}, false
	}
	n, ok1 := args[0].Int64()
	k, ok2 := args[1].Int64()
	if !ok1 || !ok2 || n < 0 || n > maxFactorial || !c.step(1+int(n)/8) {
		return rat.Rat{}, false
	}
	if k < 0 || k > n {
		return rat.Int(0), true
	}
	return rat.BigInt(new(big.Int).Binomial(n, k)), true
}

// exactArrangements is n(n-1)...(n-k+1), the number of arrangements of k of n things.
func (c *checker) exactArrangements(args []rat.Rat) (rat.Rat, bool) {
	n, ok1 := args[0].Int64()
	k, ok2 := args[1].Int64()
	if len(args) != 2 || !ok1 || !ok2 || n < 0 || n > maxFactorial || k < 0 || k > n || !c.step(1+int(n)/8) {
		return rat.Rat{}, false
	}
	return rat.BigInt(new(big.Int).MulRange(n-k+1, n)), true
}

func exactDivisor(name string, args []rat.Rat) (rat.Rat, bool) {
	total := new(big.Int)
	for i, v := range args {
		if !v.IsInt() {
			return v, false
		}
		a := new(big.Int).Abs(v.Num())
		switch {
		case i == 0:
			total.Set(a)
		case name == "gcd":
			total.GCD(nil, nil, total, a)
		default:
			g := new(big.Int).GCD(nil, nil, total, a)
			if g.Sign() == 0 || total.BitLen()+a.BitLen() > maxBits {
				return v, false
			}
			total.Mul(total, a).Quo(total, g)
		}
	}
	return rat.BigInt(total), true
}

// exactSeries adds up a sum or product with few terms.
func (c *checker) exactSeries(n *node) (rat.Rat, bool) {
	lo, ok1 := c.exact(n.args[1])
	hi, ok2 := c.exact(n.args[2])
	from, ok3 := lo.Int64()
	to, ok4 := hi.Int64()
	if !ok1 || !ok2 || !ok3 || !ok4 || to > from && to-from > maxTerms {
		return lo, false
	}
	total := rat.Int(0)
	if n.name == "prod" {
		total = rat.Int(1)
	}
	for k := from; k <= to; k++ {
		c.bound = append(c.bound, binding{n.args[0].name, rat.Int(k)})
		v, ok := c.exact(n.args[3])
		c.bound = c.bound[:len(c.bound)-1]
		if !ok || total.Bits()+v.Bits() > maxBits || !c.step(1+(total.Bits()+v.Bits())>>10) {
			return total, false
		}
		if n.name == "prod" {
			total = total.Mul(v)
		} else {
			total = total.Add(v)
		}
	}
	return total, true
}

// basedValue is the value of digits in their base.
func basedValue(n *node) (rat.Rat, bool) {
	if len(n.name) > 2000 {
		return rat.Rat{}, false
	}
	value, ok := new(big.Int).SetString(n.name, int(n.n))
	if !ok {
		return rat.Rat{}, false
	}
	return rat.BigInt(value), true
}
