package verify

import (
	"strings"
	"unicode/utf8"

	"github.com/retort-ml/retort/verify/internal/rat"
)

// plain rewrites full-width characters as the ASCII ones, and lowered digits as an index: ５ is 5, x₁₂ is x_{12}.
func plain(s string) string {
	if strings.Contains(s, "’") {
		s = strings.ReplaceAll(s, "’", "'")
	}
	if strings.IndexByte(s, 0xef) < 0 && !strings.Contains(s, "\xe2\x82") { // the first bytes of those in UTF-8
		return s
	}
	const fullWidth, lowered = '！' - '!', '₀'
	var b strings.Builder
	for i := 0; i < len(s); {
		r, width := utf8.DecodeRuneInString(s[i:])
		switch {
		case r >= '！' && r <= '～':
			b.WriteByte(byte(r - fullWidth))
		case r >= lowered && r <= '₉':
			b.WriteString("_{")
			for r >= lowered && r <= '₉' {
				b.WriteByte(byte('0' + r - lowered))
				i += width
				r, width = utf8.DecodeRuneInString(s[i:])
			}
			b.WriteByte('}')
			continue
		default:
			b.WriteString(s[i : i+width])
		}
		i += width
	}
	return b.String()
}

// regrouped says whether s is one number whose thousands another mark than a comma parts, and returns it without the marks:
// 1'234'567, 1_234_567, 1\ 234\ 567, and with points where a decimal comma or a second point leaves no doubt: 1.234,5.
func regrouped(s string) (string, bool) {
	if len(s) < 5 || len(s) > 64 || !digitAt(s, 0) && s[0] != '-' {
		return s, false
	}
	for i := 1; i < len(s); i++ {
		if !digitAt(s, i) && strings.IndexByte("'_\\ .,", s[i]) < 0 {
			return s, false
		}
	}
	body := strings.TrimPrefix(s, "-")
	sign := s[:len(s)-len(body)]
	for _, mark := range [...]string{"'", "_", "\\ ", "."} {
		whole, fraction, decimal := body, "", false
		if mark == "." {
			whole, fraction, decimal = strings.Cut(body, ",")
		} else {
			whole, fraction, decimal = strings.Cut(body, ".")
		}
		groups := strings.Split(whole, mark)
		if len(groups) < 2 || mark == "." && !decimal && len(groups) < 3 || decimal && strings.Map(onlyDigits, fraction) != fraction {
			continue
		}
		even := len(groups[0]) > 0 && len(groups[0]) < 4 && groups[0][0] != '0'
		for i, g := range groups {
			even = even && strings.Map(onlyDigits, g) == g && (i == 0 || len(g) == 3)
		}
		if even {
			whole = sign + strings.Join(groups, "")
			if decimal {
				whole += "." + fraction
			}
			return whole, true
		}
	}
	return s, false
}

// parsedInt makes the node of a few digits.
func parsedInt(p *parser, digits string) *node {
	n := p.make(kNumber)
	n.value = parseInt(digits)
	return n
}

// enclosures are what may enclose a whole answer.
var enclosures = [...][2]string{{"\\boxed{", "}"}, {"\\fbox{", "}"}, {"\\framebox{", "}"}, {"$$", "$$"}, {"$", "$"}, {"\\[", "\\]"}, {"\\(", "\\)"}, {"**", "**"}}

// mayUnwrap says, by the bytes at its ends, whether a text may begin or end with a wrapper or a space.
func mayUnwrap(s string) bool {
	if len(s) < 2 {
		return s == " " || s == "$" || s == "\n"
	}
	switch s[0] {
	case ' ', '\n', '\t', '\r', '$', '*', '~':
		return true
	case '\\':
		switch s[1] {
		case 'b', 'd', '[', '(', ',', ';', '!':
			return true
		case 'f':
			return strings.HasPrefix(s, "\\fbox{") || strings.HasPrefix(s, "\\framebox{")
		}
	}
	switch s[len(s)-1] {
	case ' ', '\n', '\t', '\r', '~':
		return true
	}
	return s[len(s)-2] == '\\'
}

// unwrapped takes off an answer what only encloses it or lays it out: boxes, dollars, brackets of formulas, spaces at the ends.
func unwrapped(s string) string {
	for range 8 {
		if !mayUnwrap(s) {
			break
		}
		before := len(s)
		s = strings.TrimSpace(s)
		s = strings.TrimPrefix(s, "\\displaystyle")
		for _, space := range [...]string{"\\,", "\\;", "\\!", "~"} {
			s = strings.TrimPrefix(strings.TrimSuffix(s, space), space)
		}
		if len(s) < before {
			continue
		}
		for _, w := range enclosures {
			if len(s) < len(w[0])+len(w[1]) || !strings.HasPrefix(s, w[0]) || !strings.HasSuffix(s, w[1]) {
				continue
			}
			inner := s[len(w[0]) : len(s)-len(w[1])]
			if w[1] == "}" {
				if _, end, ok := braced(s, len(w[0])-1); !ok || end != len(s) {
					continue
				}
			} else if strings.Contains(inner, w[0][:1+len(w[0])/2]) && w[0] != "\\[" && w[0] != "\\(" || strings.Contains(inner, w[1]) || strings.HasSuffix(inner, "\\") {
				continue
			}
			s = inner
			break
		}
		if len(s) == before {
			break
		}
	}
	return s
}

// plainNode is the node of a text that is a short decimal or a fraction of two short integers and nothing else, such as -12.5
// or \frac{3}{4}, which need no parser. It is nil for any other text.
func plainNode(s string) *node {
	for _, frac := range [...]string{"\\frac{", "\\dfrac{"} {
		inner, found := strings.CutPrefix(strings.TrimPrefix(s, "-"), frac)
		if !found {
			continue
		}
		over, under, found := strings.Cut(inner, "}{")
		under, closed := strings.CutSuffix(under, "}")
		if !found || !closed || len(over)+len(under) > 30 {
			return nil
		}
		a, b := plainDecimal(over), plainDecimal(under)
		if a == nil || b == nil || a.places > 0 || b.places > 0 {
			return nil
		}
		n := &node{kind: kDiv, args: []*node{a, b}}
		if s[0] == '-' {
			return &node{kind: kMul, args: []*node{{kind: kNumber, value: rat.Int(-1)}, n}}
		}
		return n
	}
	return plainDecimal(s)
}

func plainDecimal(s string) *node {
	body := strings.TrimPrefix(s, "-")
	if body == "" || len(body) > 17 {
		return nil
	}
	point := -1
	for i := range len(body) {
		if body[i] == '.' && point < 0 && i > 0 && i < len(body)-1 {
			point = i
		} else if !digitAt(body, i) {
			return nil
		}
	}
	whole, fraction := body, ""
	if point >= 0 {
		whole, fraction = body[:point], body[point+1:]
	}
	n := &node{kind: kNumber, value: decimal(whole, fraction), places: int16(len(fraction)), n: int32(len(strings.TrimLeft(whole+fraction, "0")))}
	if len(body) < len(s) {
		n.value = n.value.Neg()
	}
	return n
}
