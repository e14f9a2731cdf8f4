package verify

import "github.com/retort-ml/retort/verify/internal/rat"

// sameMatrix compares matrices entry by entry; where the option says so, a row or column is a list.
func (c *checker) sameMatrix(a, b *node) result {
	if a.kind == kMatrix && b.kind == kMatrix {
		if a.n != b.n || len(a.args) != len(b.args) {
			return result{Wrong, RuleSize}
		}
		return c.inOrder(a.args, b.args)
	}
	m, other := a, b
	if b.kind == kMatrix {
		m, other = b, a
	}
	if rows := rowsOf(other); rows != nil && m.n > 1 && int(m.n) < len(m.args) {
		return c.sameMatrix(m, rows)
	}
	switch {
	case isList(other):
		return c.asSets(c.elements(a), c.elements(b))
	case other.kind == kTuple && c.options.Matrices == MatrixList && (m.n == 1 || int(m.n) == len(m.args)):
		return c.inOrder(a.args, b.args)
	case other.kind == kTuple || len(m.args) != 1:
		if sameTree(a, b) {
			return result{Right, RuleText}
		}
		return result{Wrong, RuleKind}
	}
	return c.same(m.args[0], other)
}

// rowsOf reads [[1, 2], [3, 4]] as a matrix, and returns nil for anything else.
func rowsOf(n *node) *node {
	if n.kind != kTuple || len(n.args) < 2 {
		return nil
	}
	m := &node{kind: kMatrix, n: int32(len(n.args[0].args))}
	for _, row := range n.args {
		if row.kind != kTuple || len(row.args) != int(m.n) {
			return nil
		}
		m.args = append(m.args, row.args...)
	}
	return m
}

// matrixPower is a matrix to a small power, transposed, or inverted where it has up to three rows; nil for any other.
func (c *checker) matrixPower(m, exponent *node) *node {
	size := int(m.n)
	if exponent.kind == kSymbol && (exponent.name == "T" || exponent.name == "t" || exponent.name == "top" || exponent.name == "intercal") {
		turned := &node{kind: kMatrix, n: int32(len(m.args) / size)}
		for column := range size {
			for at := column; at < len(m.args); at += size {
				turned.args = append(turned.args, m.args[at])
			}
		}
		return turned
	}
	k, ok := exponent.value.Int64()
	if exponent.kind != kNumber || !ok || size*size != len(m.args) {
		return nil
	}
	if k < 0 && size <= 3 {
		return c.inverted(m, -k)
	}
	if k < 1 || k > 16 {
		return nil
	}
	power := m
	for range k - 1 {
		if power = c.mulMatrix(power, m); power == nil {
			return nil
		}
		power = c.worked(power)
	}
	return power
}

// worked replaces the entries of a matrix that are rational numbers by their values, so that powers stay small.
func (c *checker) worked(m *node) *node {
	return scaleMatrix(m, func(e *node) *node {
		if v, ok := c.exact(e); ok {
			return &node{kind: kNumber, value: v}
		}
		return e
	})
}

// inverted is the adjugate over the determinant, to the power k.
func (c *checker) inverted(m *node, k int64) *node {
	size := int(m.n)
	p := parser{}
	determinant := p.minors(m.args, size)
	if v, ok := c.exact(determinant); ok && v.Sign() == 0 {
		return nil
	}
	inverse := &node{kind: kMatrix, n: m.n}
	for row := range size {
		for column := range size {
			var rest []*node
			for at, entry := range m.args { // the minor of the transposed place
				if at/size != column && at%size != row {
					rest = append(rest, entry)
				}
			}
			minor := &node{kind: kNumber, value: rat.Int(1)}
			if size > 1 {
				minor = p.minors(rest, size-1)
			}
			if (row+column)%2 == 1 {
				minor = &node{kind: kMul, args: []*node{{kind: kNumber, value: rat.Int(-1)}, minor}}
			}
			inverse.args = append(inverse.args, &node{kind: kDiv, args: []*node{minor, determinant}})
		}
	}
	return c.matrixPower(c.worked(inverse), &node{kind: kNumber, value: rat.Int(k)})
}

// evaluateMatrix works out sums and products of matrices and numbers, and powers of matrices; nil where that is not what n
// is.
func (c *checker) evaluateMatrix(n *node) *node {
	if !c.step(1) {
		return nil
	}
	switch n.kind {
	case kMatrix:
		return n
	case kAdd, kMul:
		total := c.evaluateEntry(n.args[0])
		for _, a := range n.args[1:] {
			next := c.evaluateEntry(a)
			if total == nil || next == nil {
				return nil
			}
			if n.kind == kAdd {
				total = addMatrix(total, next)
			} else {
				total = c.mulMatrix(total, next)
			}
		}
		return total
	case kPow:
		m := c.evaluateMatrix(n.args[0])
		if m == nil || m.kind != kMatrix {
			return nil
		}
		return c.matrixPower(m, n.args[1])
	case kDiv:
		m := c.evaluateMatrix(n.args[0])
		if m == nil || m.kind != kMatrix {
			return nil
		}
		return scaleMatrix(m, func(e *node) *node { return &node{kind: kDiv, args: []*node{e, n.args[1]}} })
	}
	return nil
}

func (c *checker) evaluateEntry(n *node) *node {
	if n.holds(func(m *node) bool { return m.kind == kMatrix }) {
		return c.evaluateMatrix(n)
	}
	return n
}

func addMatrix(a, b *node) *node {
	if a.kind != kMatrix || b.kind != kMatrix || a.n != b.n || len(a.args) != len(b.args) {
		return nil
	}
	sum := &node{kind: kMatrix, n: a.n}
	for i := range a.args {
		sum.args = append(sum.args, &node{kind: kAdd, args: []*node{a.args[i], b.args[i]}})
	}
	return sum
}

func scaleMatrix(m *node, f func(*node) *node) *node {
	scaled := &node{kind: kMatrix, n: m.n}
	for _, e := range m.args {
		scaled.args = append(scaled.args, f(e))
	}
	return scaled
}

func (c *checker) mulMatrix(a, b *node) *node {
	switch {
	case a.kind != kMatrix && b.kind != kMatrix:
		return &node{kind: kMul, args: []*node{a, b}}
	case a.kind != kMatrix:
		return scaleMatrix(b, func(e *node) *node { return &node{kind: kMul, args: []*node{a, e}} })
	case b.kind != kMatrix:
		return scaleMatrix(a, func(e *node) *node { return &node{kind: kMul, args: []*node{b, e}} })
	}
	inner, columns := int(a.n), int(b.n)
	rows := len(a.args) / inner
	if len(b.args)/columns != inner || !c.step(rows*columns*inner) {
		return nil
	}
	product := &node{kind: kMatrix, n: b.n}
	for i := range rows {
		for j := range columns {
			entry := &node{kind: kAdd}
			for k := range inner {
				entry.args = append(entry.args, &node{kind: kMul, args: []*node{a.args[i*inner+k], b.args[k*columns+j]}})
			}
			product.args = append(product.args, entry)
		}
	}
	return product
}
