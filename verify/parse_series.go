package verify

import "github.com/retort-ml/retort/verify/internal/rat"

// maxProgression is how many terms of a sum with dots are added up one by one.
const maxProgression = 4096

// dotted is a sum in which dots stand for terms: 1 + 2 + ... + 10. Where the terms before the dots are an arithmetic or a
// geometric progression that reaches the last one, it is their sum. Any other is a series of what is written, since what the
// dots stand for is unknown.
func (p *parser) dotted(args []*node) *node {
	at := -1
	for i, a := range args {
		if a.kind == kSymbol && a.name == "..." {
			if at >= 0 {
				at = len(args) // twice
			} else {
				at = i
			}
		}
	}
	if at < 0 {
		return p.make(kAdd, args...)
	}
	if at >= 2 && at == len(args)-2 {
		first, last := args[0], args[len(args)-1]
		step := args[1].value.Sub(first.value)
		arithmetic, geometric := true, first.value.Sign() != 0 && args[1].kind == kNumber
		for i, a := range args[:at] {
			if a.kind != kNumber || a.value.Bits() > 256 || first.value.Bits() > 256 {
				arithmetic, geometric = false, false
				break
			}
			arithmetic = arithmetic && (i == 0 || a.value.Sub(args[i-1].value).Equal(step))
			geometric = geometric && (i < 2 || a.value.Mul(args[i-2].value).Equal(args[i-1].value.Mul(args[i-1].value)))
		}
		if n := p.arithmeticSum(first, last, step); arithmetic && n != nil {
			return n
		}
		if geometric && last.kind == kNumber {
			if n := p.geometricSum(first.value, args[1].value.Mul(first.value.Inv()), last.value); n != nil {
				return n
			}
		}
	}
	return p.named(kCall, "series", args...)
}

// arithmeticSum is (last - first + step)/step terms of the mean of first and last; nil where no whole number of steps leads
// to last.
func (p *parser) arithmeticSum(first, last *node, step rat.Rat) *node {
	if step.Sign() == 0 || last.kind != kNumber || last.value.Bits() > 256 {
		return nil
	}
	count := last.value.Sub(first.value).Mul(step.Inv()).Add(rat.Int(1))
	if !count.IsInt() || count.Sign() <= 0 {
		return nil
	}
	n := p.make(kNumber)
	n.value = first.value.Add(last.value).Mul(count).Mul(rat.Of(1, 2))
	return n
}

// geometricSum adds the terms from first on, each ratio times the one before, up to last; nil where last is none of them.
func (p *parser) geometricSum(first, ratio, last rat.Rat) *node {
	if ratio.Sign() == 0 || ratio.Equal(rat.Int(1)) || ratio.Equal(rat.Int(-1)) {
		return nil
	}
	total, term := first, first
	for range maxProgression {
		if term.Equal(last) {
			n := p.make(kNumber)
			n.value = total
			return n
		}
		if term = term.Mul(ratio); term.Bits() > 1024 {
			break
		}
		total = total.Add(term)
	}
	return nil
}
