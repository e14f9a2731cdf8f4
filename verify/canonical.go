package verify

import (
	"fmt"
	"slices"
	"strings"
)

// canonical writes a tree's canonical form: rational numbers in lowest terms, expressions in normal form, sets sorted.
func (c *checker) canonical(n *node, depth int) string {
	if depth > 8 || n.size(2000) >= 2000 {
		return n.text()
	}
	switch n.kind {
	case kNumber:
		return n.value.String()
	case kHuge, kText, kBased:
		return n.text()
	case kQuantity:
		return c.canonical(c.peel(n).inner, depth+1)
	case kList, kSet, kTuple, kUnion, kMatrix, kRelation, kIntersection, kDifference:
		return c.canonicalItems(n, depth)
	case kPlusMinus:
		return n.text()
	}
	if v, ok := c.exact(n); ok {
		if v.Bits() > 4*maxShown {
			return n.text()
		}
		return v.String()
	}
	for _, f := range c.formed {
		if f.tree == n && len(f.form.over) < 40 && len(f.form.under) < 40 {
			return c.show(f.form)
		}
	}
	if c.steps > budget/8 && n.size(200) < 200 {
		if f, ok := c.normal(n); ok && len(f.over) < 40 && len(f.under) < 40 {
			return c.show(f)
		}
	}
	return n.text()
}

func (c *checker) canonicalItems(n *node, depth int) string {
	if len(n.args) > 64 {
		return n.text()
	}
	parts := make([]string, len(n.args))
	for i, a := range n.args {
		parts[i] = c.canonical(a, depth+1)
	}
	switch n.kind {
	case kRelation:
		var b strings.Builder
		for i, part := range parts {
			if i > 0 {
				sign := relationText[n.name[i-1]]
				if sign == "" {
					sign = fmt.Sprintf(" %c ", n.name[i-1])
				}
				b.WriteString(sign)
			}
			b.WriteString(part)
		}
		return b.String()
	case kTuple:
		return string(n.open) + strings.Join(parts, ", ") + string(n.shut)
	case kMatrix:
		var b strings.Builder
		for i, part := range parts {
			switch {
			case i == 0:
			case i%int(n.n) == 0:
				b.WriteString("; ")
			default:
				b.WriteString(", ")
			}
			b.WriteString(part)
		}
		return "[" + b.String() + "]"
	case kUnion:
		slices.Sort(parts)
		return strings.Join(parts, " ∪ ")
	case kIntersection:
		return strings.Join(parts, " ∩ ")
	case kDifference:
		return strings.Join(parts, " \\ ")
	case kSet:
		slices.Sort(parts)
		return "{" + strings.Join(slices.Compact(parts), ", ") + "}"
	}
	if c.options.Lists == ListsUnordered {
		slices.Sort(parts)
	}
	return strings.Join(parts, ", ")
}
