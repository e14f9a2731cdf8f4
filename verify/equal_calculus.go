package verify

import "github.com/retort-ml/retort/verify/internal/rat"

// Derivatives, definite integrals, limits and geometric series are replaced by their values where the rules of calculus give
// them in closed form; anything else stays as it is written.

// isCalculus says whether a node is one that evaluated may replace.
func isCalculus(n *node) bool {
	switch n.kind {
	case kCall:
		return n.name == "int" && len(n.args) == 4 || n.name == "lim_" || n.name == "at"
	case kBig:
		return n.name == "sum" && infinite(n.args[2]) > 0
	case kMul:
		return len(n.args) > 1 && n.args[0].kind == kSymbol && len(n.args[0].name) == 4 && n.args[0].name[:3] == "d/d"
	}
	return false
}

// evaluated replaces the calculus in a tree by its value, where that is known.
func (c *checker) evaluated(n *node) *node {
	if len(n.args) == 0 || !n.holds(isCalculus) {
		return n
	}
	m := *n
	m.args = make([]*node, len(n.args))
	for i, a := range n.args {
		m.args[i] = c.evaluated(a)
	}
	if !isCalculus(n) || !c.step(n.size(1000)) {
		return &m
	}
	var value *node
	switch {
	case m.kind == kMul:
		body := m.args[1]
		if len(m.args) > 2 {
			body = &node{kind: kMul, args: m.args[1:]}
		}
		if x := m.args[0].name[3:]; depends(body, x) && !hasOther(body, x) { // another name may depend on x
			value = derivative(body, x)
		}
	case m.kind == kBig:
		value = c.geometric(&m)
	case m.name == "at":
		value = between(m.args[0], m.args[1].name, m.args[2:])
	case m.name == "int":
		value = c.definite(m.args[0], m.args[1].name, m.args[2], m.args[3])
	case m.name == "lim_":
		value = c.limit(m.args[0], m.args[1])
	}
	if value == nil {
		return &m
	}
	return value
}

func number(v int64) *node { return &node{kind: kNumber, value: rat.Int(v)} }

func operation(k kind, args ...*node) *node { return &node{kind: k, args: args} }

func call(name string, args ...*node) *node { return &node{kind: kCall, name: name, args: args} }

func minus(a, b *node) *node { return operation(kAdd, a, operation(kMul, number(-1), b)) }

// between is n at the last bound less n at the first, and n at the only one.
func between(n *node, x string, bounds []*node) *node {
	upper := substitute(n, x, bounds[len(bounds)-1])
	if len(bounds) == 1 {
		return upper
	}
	return minus(upper, substitute(n, x, bounds[0]))
}

// depends says whether the variable x occurs in n.
func depends(n *node, x string) bool {
	return n.holds(func(m *node) bool { return m.kind == kSymbol && m.name == x || m.kind == kText })
}

// derivative differentiates n by x, and is nil where a rule is missing.
func derivative(n *node, x string) *node {
	if !depends(n, x) {
		return number(0)
	}
	switch n.kind {
	case kSymbol:
		return number(1)
	case kAdd:
		sum := operation(kAdd)
		for _, a := range n.args {
			d := derivative(a, x)
			if d == nil {
				return nil
			}
			sum.args = append(sum.args, d)
		}
		return sum
	case kMul:
		sum := operation(kAdd)
		for i, a := range n.args {
			d := derivative(a, x)
			if d == nil {
				return nil
			}
			term := operation(kMul, append([]*node{d}, n.args[:i]...)...)
			term.args = append(term.args, n.args[i+1:]...)
			sum.args = append(sum.args, term)
		}
		return sum
	case kDiv:
		over, under := derivative(n.args[0], x), derivative(n.args[1], x)
		if over == nil || under == nil {
			return nil
		}
		top := minus(operation(kMul, over, n.args[1]), operation(kMul, n.args[0], under))
		return operation(kDiv, top, operation(kPow, n.args[1], number(2)))
	case kPow:
		return powerDerivative(n, x)
	case kCall:
		return callDerivative(n, x)
	}
	return nil
}

// powerDerivative is that of u^v: v·u^(v-1)·u' where v is constant, else u^v·(v'·ln u + v·u'/u).
func powerDerivative(n *node, x string) *node {
	u, v := n.args[0], n.args[1]
	du, dv := derivative(u, x), derivative(v, x)
	if du == nil || dv == nil {
		return nil
	}
	if !depends(v, x) {
		lower := operation(kPow, u, minus(v, number(1)))
		if v.kind == kNumber {
			lower.args[1] = &node{kind: kNumber, value: v.value.Sub(rat.Int(1))}
			switch k, ok := lower.args[1].value.Int64(); {
			case ok && k == 0:
				lower = number(1)
			case ok && k == 1:
				lower = u
			}
		}
		return operation(kMul, v, lower, du)
	}
	first := operation(kMul, dv, call("log", u))
	if !depends(u, x) {
		return operation(kMul, n, first)
	}
	return operation(kMul, n, operation(kAdd, first, operation(kDiv, operation(kMul, v, du), u)))
}

// callDerivative is that of a function of one argument, by the chain rule.
func callDerivative(n *node, x string) *node {
	if len(n.args) != 1 || n.n == 1 {
		return nil
	}
	u := n.args[0]
	square := func(m *node) *node { return operation(kPow, m, number(2)) }
	var outer *node
	switch n.name {
	case "sin":
		outer = call("cos", u)
	case "cos":
		outer = operation(kMul, number(-1), call("sin", u))
	case "tan":
		outer = operation(kDiv, number(1), square(call("cos", u)))
	case "log":
		outer = operation(kDiv, number(1), u)
	case "exp":
		outer = n
	case "asin":
		outer = operation(kPow, minus(number(1), square(u)), &node{kind: kNumber, value: rat.Of(-1, 2)})
	case "atan":
		outer = operation(kDiv, number(1), operation(kAdd, number(1), square(u)))
	case "sinh":
		outer = call("cosh", u)
	case "cosh":
		outer = call("sinh", u)
	default:
		return nil
	}
	inner := derivative(u, x)
	if inner == nil {
		return nil
	}
	return operation(kMul, outer, inner)
}

// definite is the integral of n over x from lo to hi, where an antiderivative is known and nothing has a pole between them.
func (c *checker) definite(n *node, x string, lo, hi *node) *node {
	if infinite(lo) != 0 || infinite(hi) != 0 || depends(lo, x) || depends(hi, x) {
		return nil
	}
	f := c.antiderivative(n, x, lo, hi, 0)
	if f == nil {
		return nil
	}
	return between(f, x, []*node{lo, hi})
}

// antiderivative integrates polynomials, and sums of multiples of powers, e^u, sin u and cos u of linear u.
func (c *checker) antiderivative(n *node, x string, lo, hi *node, depth int) *node {
	if depth > 20 || !c.step(1) {
		return nil
	}
	if coefficients := polynomial(n, x); coefficients != nil {
		sum := operation(kAdd, number(0))
		for k, a := range coefficients {
			power := operation(kPow, &node{kind: kSymbol, name: x}, number(int64(k)+1))
			sum.args = append(sum.args, operation(kDiv, operation(kMul, a, power), number(int64(k)+1)))
		}
		return sum
	}
	switch n.kind {
	case kAdd:
		sum := operation(kAdd)
		for _, a := range n.args {
			f := c.antiderivative(a, x, lo, hi, depth+1)
			if f == nil {
				return nil
			}
			sum.args = append(sum.args, f)
		}
		return sum
	case kMul:
		var constant, rest []*node
		for _, a := range n.args {
			if depends(a, x) {
				rest = append(rest, a)
			} else {
				constant = append(constant, a)
			}
		}
		if len(rest) != 1 {
			return nil
		}
		if f := c.antiderivative(rest[0], x, lo, hi, depth+1); f != nil {
			return operation(kMul, append(constant, f)...)
		}
		return nil
	case kDiv:
		if !depends(n.args[1], x) {
			if f := c.antiderivative(n.args[0], x, lo, hi, depth+1); f != nil {
				return operation(kDiv, f, n.args[1])
			}
			return nil
		}
		if !depends(n.args[0], x) {
			if f := c.antiderivative(operation(kPow, n.args[1], number(-1)), x, lo, hi, depth+1); f != nil {
				return operation(kMul, n.args[0], f)
			}
		}
		return nil
	}
	return c.elementaryIntegral(n, x, lo, hi)
}

// elementaryIntegral integrates u^r, e^u, sin u and cos u of a linear u.
func (c *checker) elementaryIntegral(n *node, x string, lo, hi *node) *node {
	if n.kind == kPow && n.args[1].kind == kPow { // a tower
		return nil
	}
	var u, f *node
	switch {
	case n.kind == kPow && n.args[0].kind == kConstant && n.args[0].name == "e":
		u, f = n.args[1], n
	case n.kind == kCall && n.name == "exp" && len(n.args) == 1:
		u, f = n.args[0], n
	case n.kind == kCall && n.name == "sin" && len(n.args) == 1:
		u = n.args[0]
		f = operation(kMul, number(-1), call("cos", u))
	case n.kind == kCall && n.name == "cos" && len(n.args) == 1:
		u = n.args[0]
		f = call("sin", u)
	case n.kind == kPow && !depends(n.args[1], x):
		r, ok := c.exact(n.args[1])
		if u = n.args[0]; !ok || !c.oneSign(u, x, lo, hi) {
			return nil
		}
		f = call("log", u)
		if r = r.Add(rat.Int(1)); r.Sign() != 0 {
			exponent := &node{kind: kNumber, value: r}
			f = operation(kDiv, operation(kPow, u, exponent), exponent)
		}
	default:
		return nil
	}
	line := polynomial(u, x)
	if len(line) != 2 {
		return nil
	}
	return operation(kDiv, f, line[1])
}

// oneSign says whether a linear u is positive at both ends, by exact arithmetic.
func (c *checker) oneSign(u *node, x string, lo, hi *node) bool {
	a, ok1 := c.float(substitute(u, x, lo))
	b, ok2 := c.float(substitute(u, x, hi))
	return ok1 && ok2 && a > 1e-9 && b > 1e-9
}

const maxDegree = 24

// polynomial is the coefficients of n as a polynomial in x, the constant one first; nil where it is none.
func polynomial(n *node, x string) []*node {
	if !depends(n, x) {
		return []*node{n}
	}
	switch n.kind {
	case kSymbol:
		return []*node{number(0), number(1)}
	case kAdd:
		var sum []*node
		for _, a := range n.args {
			p := polynomial(a, x)
			if p == nil {
				return nil
			}
			for len(sum) < len(p) {
				sum = append(sum, number(0))
			}
			for i, v := range p {
				sum[i] = operation(kAdd, sum[i], v)
			}
		}
		return sum
	case kMul:
		product := []*node{number(1)}
		for _, a := range n.args {
			if product = multiplied(product, polynomial(a, x)); product == nil {
				return nil
			}
		}
		return product
	case kDiv:
		p := polynomial(n.args[0], x)
		if p == nil || depends(n.args[1], x) {
			return nil
		}
		return multiplied(p, []*node{operation(kDiv, number(1), n.args[1])})
	case kPow:
		p := polynomial(n.args[0], x)
		k, ok := n.args[1].value.Int64()
		if p == nil || n.args[1].kind != kNumber || !ok || k < 1 || k > 6 {
			return nil
		}
		product := p
		for range k - 1 {
			if product = multiplied(product, p); product == nil {
				return nil
			}
		}
		return product
	}
	return nil
}

func multiplied(p, q []*node) []*node {
	if p == nil || q == nil || len(p)+len(q) > maxDegree {
		return nil
	}
	product := make([]*node, len(p)+len(q)-1)
	for i, a := range p {
		for j, b := range q {
			term := operation(kMul, a, b)
			if product[i+j] != nil {
				term = operation(kAdd, product[i+j], term)
			}
			product[i+j] = term
		}
	}
	return product
}
