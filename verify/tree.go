package verify

import (
	"strings"

	"github.com/retort-ml/retort/verify/internal/rat"
)

// kind is what a node of the tree is.
type kind uint8

const (
	kNumber       kind = iota // value; digits after the point in places, significant digits in n, for a decimal literal
	kHuge                     // a literal beyond the digit limit: name is its digits
	kSymbol                   // name
	kConstant                 // name: pi, e, i, inf, empty, reals, integers, naturals, rationals
	kText                     // name: words that are no mathematics
	kAdd                      // the sum of args
	kMul                      // the product of args
	kDiv                      // args[0] over args[1]
	kPow                      // args[0] to args[1]
	kPlusMinus                // ± args[0]; n is 1 for ∓
	kCall                     // the function name of args; n is 1 where it was written as a symbol and a bracket, as f(x)
	kBig                      // a sum or product (name) over args[0] from args[1] to args[2] of args[3]
	kPercent                  // args[0] hundredths
	kDegree                   // args[0] degrees
	kQuantity                 // args[0] of the unit or noun in name
	kBased                    // the digits in name, written in base n
	kRatio                    // args separated by colons
	kList                     // args separated by commas, without brackets; n is 1 where each comma was the word and
	kTuple                    // args between the brackets open and shut: a point, an interval or an ordered list; { is a piece of a function
	kSet                      // args between braces; n is 1 for braces that LaTeX does not show
	kUnion                    // args[0] ∪ args[1]
	kIntersection             // args[0] ∩ args[1]
	kDifference               // args[0] \ args[1]
	kMatrix                   // args row by row, n columns
	kRelation                 // args joined by the relations in name, one byte each
)

// node is one node of the tree of an answer. Nodes are not changed once the parser has returned them.
type node struct {
	kind   kind
	open   byte  // opening bracket of a tuple
	shut   byte  // closing bracket of a tuple
	places int16 // digits after the point of a decimal literal; 0 for an integer literal
	n      int32
	name   string
	value  rat.Rat
	args   []*node
}

// The relations, as bytes of a kRelation's name.
const (
	relEqual    = '='
	relLess     = '<'
	relMore     = '>'
	relAtMost   = 'l'
	relAtLeast  = 'g'
	relNot      = '#'
	relNear     = '~'
	relIn       = 'e'
	relSameMod  = 'c'
	relImplies  = 'i'
	relNotIn    = 'n'
	relWithin   = 's' // ⊂ and ⊆
	relAround   = 'S'
	relNone     = 0 // no relation is this one
	flippable   = "<>lg"
	equalityish = "=~"
)

// flipped is the relation read from right to left.
func flipped(relation byte) byte {
	switch relation {
	case relLess:
		return relMore
	case relMore:
		return relLess
	case relAtMost:
		return relAtLeast
	case relAtLeast:
		return relAtMost
	case relWithin:
		return relAround
	case relAround:
		return relWithin
	case relIn, relNotIn, relImplies:
		return relNone
	}
	return relation
}

var relationText = map[byte]string{
	relEqual: " = ", relLess: " < ", relMore: " > ", relAtMost: " <= ", relAtLeast: " >= ", relNot: " != ",
	relNear: " ~ ", relIn: " in ", relSameMod: " == ", relImplies: " => ",
}

// holds says whether any node of the tree satisfies test.
func (n *node) holds(test func(*node) bool) bool {
	if test(n) {
		return true
	}
	for _, a := range n.args {
		if a.holds(test) {
			return true
		}
	}
	return false
}

// count is how many nodes satisfy test, up to limit.
func (n *node) count(test func(*node) bool, limit int) int {
	total := 0
	if test(n) {
		total++
	}
	for _, a := range n.args {
		if total >= limit {
			break
		}
		total += a.count(test, limit-total)
	}
	return total
}

// size counts the nodes, up to limit.
func (n *node) size(limit int) int {
	total := 1
	for _, a := range n.args {
		if total >= limit {
			break
		}
		total += a.size(limit - total)
	}
	return total
}

// maxShown is how many bytes of a canonical form a verdict shows.
const maxShown = 240

// text writes the tree in plain notation, cut after maxShown bytes.
func (n *node) text() string {
	var b strings.Builder
	n.write(&b, 0)
	s := b.String()
	if len(s) > maxShown {
		s = s[:maxShown] + "..."
	}
	return s
}

// strength of the operators, for brackets where text writes a tree.
const (
	strengthAdd = 1
	strengthMul = 2
	strengthPow = 3
)

func (n *node) write(b *strings.Builder, around int) {
	if b.Len() > maxShown {
		return
	}
	switch n.kind {
	case kNumber:
		s := n.value.String()
		if around >= strengthMul && strings.ContainsAny(s, "/-") {
			s = "(" + s + ")"
		}
		b.WriteString(s)
	case kHuge, kSymbol, kConstant, kText:
		b.WriteString(n.name)
	case kAdd:
		n.infix(b, " + ", around > strengthAdd, strengthAdd)
	case kMul:
		n.infix(b, "*", around > strengthMul, strengthMul)
	case kDiv:
		n.infix(b, "/", around >= strengthMul, strengthPow)
	case kPow:
		n.infix(b, "^", around >= strengthPow, strengthPow)
	case kPlusMinus:
		b.WriteString([]string{"±", "∓"}[n.n&1])
		n.args[0].write(b, strengthPow)
	case kCall, kBig:
		b.WriteString(n.name)
		n.enclosed(b, "(", ", ", ")")
	case kPercent:
		n.args[0].write(b, strengthPow)
		b.WriteByte('%')
	case kDegree:
		n.args[0].write(b, strengthPow)
		b.WriteString("°")
	case kQuantity:
		n.args[0].write(b, strengthMul)
		b.WriteString(" " + n.name)
	case kBased:
		b.WriteString(n.name + " base " + rat.Int(int64(n.n)).String())
	default:
		n.writeCollection(b)
	}
}

func (n *node) writeCollection(b *strings.Builder) {
	switch n.kind {
	case kRatio:
		n.infix(b, ":", false, strengthMul)
	case kList:
		n.enclosed(b, "", ", ", "")
	case kTuple:
		n.enclosed(b, string(n.open), ", ", string(n.shut))
	case kSet:
		n.enclosed(b, "{", ", ", "}")
	case kUnion:
		n.infix(b, " ∪ ", false, strengthAdd)
	case kIntersection:
		n.infix(b, " ∩ ", false, strengthAdd)
	case kDifference:
		n.infix(b, " \\ ", false, strengthAdd)
	case kMatrix:
		b.WriteByte('[')
		for i, a := range n.args {
			switch {
			case i == 0:
			case i%int(n.n) == 0:
				b.WriteString("; ")
			default:
				b.WriteString(", ")
			}
			a.write(b, 0)
		}
		b.WriteByte(']')
	case kRelation:
		for i, a := range n.args {
			if i > 0 {
				b.WriteString(relationText[n.name[i-1]])
			}
			a.write(b, 0)
		}
	}
}

func (n *node) infix(b *strings.Builder, operator string, bracket bool, strength int) {
	if bracket {
		b.WriteByte('(')
	}
	for i, a := range n.args {
		if i > 0 {
			b.WriteString(operator)
		}
		a.write(b, strength)
	}
	if bracket {
		b.WriteByte(')')
	}
}

func (n *node) enclosed(b *strings.Builder, open, comma, shut string) {
	b.WriteString(open)
	for i, a := range n.args {
		if b.Len() > maxShown {
			break
		}
		if i > 0 {
			b.WriteString(comma)
		}
		a.write(b, 0)
	}
	b.WriteString(shut)
}
