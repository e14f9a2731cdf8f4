package verify

import (
	"strings"

	"github.com/retort-ml/retort/verify/internal/rat"
)

// argument reads the argument of a command: a group, one digit, one letter or one command.
func (p *parser) argument() *node {
	if !p.enter() {
		return p.fail(failLimit)
	}
	defer func() { p.depth-- }()
	was := p.plain
	p.plain = false
	defer func() { p.plain = was }()
	switch p.tok.kind {
	case tBrace:
		return p.group1()
	case tNumber: // one digit only
		start := p.tok.start
		if p.src[start] < '0' || p.src[start] > '9' {
			return p.fail(failSyntax)
		}
		n := p.integer(int64(p.src[start] - '0'))
		p.pos = start + 1
		p.advance()
		return n
	}
	p.plain = true
	return p.primary()
}

// function reads a function's power, index and argument.
func (p *parser) function() *node {
	if !p.enter() {
		return p.fail(failLimit)
	}
	defer func() { p.depth-- }()
	name := p.tok.text
	if name == "sqrt" || name == "cbrt" {
		return p.plainRoot(name)
	}
	p.advance()
	var power, base *node
	for p.failed == failNone {
		if p.tok.kind == tPower && p.tok.op != 's' && power == nil {
			p.advance()
			power = p.exponentOperand()
		} else if p.tok.kind == tPower && p.tok.op == 's' {
			power = p.superscript()
		} else if p.tok.kind == tSub && base == nil {
			p.advance()
			base = p.argument()
		} else {
			break
		}
	}
	args := p.functionArguments()
	if power != nil && power.kind == kNumber && power.value.Equal(rat.Int(-1)) && inverses[name] != "" {
		name, power = inverses[name], nil
	}
	if name == "cis" && base == nil {
		n := p.cis(args[0])
		if power != nil {
			n = p.make(kPow, n, power)
		}
		return n
	}
	if m := args[0]; name == "det" && m.kind == kMatrix && power == nil {
		return p.determinant(m)
	}
	n := p.named(kCall, name, args...)
	if name == "log" && base == nil && len(args) == 2 { // log(8, 2)
		n.name = "logbase"
	}
	if base != nil && strings.HasPrefix(name, "log") {
		n = p.named(kCall, "logbase", args[0], base)
	} else if base != nil {
		n = p.named(kCall, name+"_", append(args, base)...)
	}
	if power != nil {
		n = p.make(kPow, n, power)
	}
	return n
}

// cis is cos x + i sin x.
func (p *parser) cis(x *node) *node {
	return p.make(kAdd, p.named(kCall, "cos", x), p.make(kMul, p.named(kConstant, "i"), p.named(kCall, "sin", x)))
}

var inverses = map[string]string{
	"sin": "asin", "cos": "acos", "tan": "atan", "cot": "acot", "sec": "asec", "csc": "acsc", "sinh": "asinh", "cosh": "acosh", "tanh": "atanh",
}

// functionArguments reads the bracketed arguments, or the factors side by side up to the next function.
func (p *parser) functionArguments() []*node {
	switch {
	case p.tok.kind == tOpen && p.tok.op != 'f' && p.tok.op != 'k':
		n := p.bracketed()
		if n.kind == kTuple {
			return n.args
		}
		return []*node{n}
	case p.tok.kind == tSetOpen:
		n := p.setBraces()
		if n.kind == kSet {
			return n.args
		}
		return []*node{n}
	case p.tok.kind == tBrace:
		n := p.braceGroup()
		if n.kind == kTuple || n.kind == kSet {
			return n.args
		}
		return []*node{n}
	case p.tok.kind == tMinus:
		p.advance()
		return []*node{p.negative(p.power())}
	case !p.startsFactor():
		return []*node{p.fail(failSyntax)}
	}
	n := p.power()
	for p.failed == failNone && p.startsFactor() && p.tok.kind != tFunction && p.tok.kind != tOpen {
		n = p.multiply(n, p.power())
	}
	return []*node{n}
}

// plainRoot reads sqrt(2), sqrt{2} and sqrt 2 without a backslash.
func (p *parser) plainRoot(name string) *node {
	p.advance()
	degree := int64(2)
	if name == "cbrt" {
		degree = 3
	}
	if p.tok.kind == tEnd {
		return p.fail(failSyntax)
	}
	was := p.plain
	p.plain = true
	n := p.primary()
	p.plain = was
	return p.make(kPow, n, p.make(kDiv, p.integer(1), p.integer(degree)))
}

// structure reads a command with arguments.
func (p *parser) structure() *node {
	if !p.enter() {
		return p.fail(failLimit)
	}
	defer func() { p.depth-- }()
	if p.tok.op == 'f' { // a Unicode fraction
		f := p.tok.text
		p.advance()
		return p.make(kDiv, parsedInt(p, f[:1]), parsedInt(p, f[2:]))
	}
	name := p.tok.text
	p.advance()
	switch name {
	case "frac":
		over := p.argument()
		under := p.argument()
		if y, ok := differential(over); ok {
			if x, ok := differential(under); ok && x != "d" {
				return p.named(kSymbol, y+"/"+x)
			}
		}
		return p.make(kDiv, over, under)
	case "binom":
		n := p.argument()
		return p.named(kCall, "binom", n, p.argument())
	case "sqrt":
		return p.root()
	case "sum", "prod":
		return p.series(name)
	case "begin":
		return p.environment()
	case "boxed", "fbox", "underline", "cancel":
		return p.argument()
	case "overset", "underset", "stackrel":
		p.rawArgument()
		return p.argument()
	case "underbrace", "overbrace": // what stands beside the brace is a remark
		n := p.argument()
		for (p.tok.kind == tSub || p.tok.kind == tPower) && p.failed == failNone {
			p.advance()
			p.rawArgument()
		}
		return n
	case "overline", "bar", "vec", "hat", "tilde", "widehat", "overrightarrow", "dot", "ddot", "widetilde", "overarc":
		return p.decorated(name)
	case "operatorname", "mathbb":
		return p.blackboard()
	case "char":
		return p.character()
	case "color", "textcolor":
		p.rawArgument()
		return p.primary()
	case "int":
		return p.integral()
	}
	return p.fail(failSyntax)
}

// differential names d, dx or dy as a part of a derivative.
func differential(n *node) (string, bool) {
	if n.kind == kSymbol && n.name == "d" {
		return "d", true
	}
	if n.kind != kMul || len(n.args) != 2 || n.args[0].kind != kSymbol || n.args[0].name != "d" || n.args[1].kind != kSymbol {
		return "", false
	}
	return "d" + n.args[1].name, true
}

// root reads \sqrt[n]{x}.
func (p *parser) root() *node {
	degree := p.integer(2)
	if p.tok.kind == tOpen && p.tok.op == '[' {
		p.advance()
		degree = p.sum()
		if p.tok.kind != tShut {
			return p.fail(failSyntax)
		}
		p.advance()
	}
	x := p.argument()
	return p.make(kPow, x, p.make(kDiv, p.integer(1), degree))
}

// decorated is a symbol under a mark; its name tells the mark.
func (p *parser) decorated(name string) *node {
	if content, _, ok := braced(p.src[:min(len(p.src), p.tok.start+200)], p.tok.start); ok && name != "hat" && isComplexSum(content) {
		return p.conjugate(p.argument())
	}
	raw := cleanName(p.rawArgument())
	if name == "overline" || name == "overarc" || name == "overrightarrow" || name == "vec" {
		name = map[string]string{"overline": "bar", "overarc": "arc", "overrightarrow": "vec", "vec": "vec"}[name]
	}
	return p.named(kSymbol, name+"("+raw+")")
}

// isComplexSum says whether what stands under a bar is a complex number, such as 3+4i.
func isComplexSum(s string) bool {
	return strings.ContainsAny(s, "+-") && strings.ContainsAny(s, "i") && strings.ContainsAny(s, "0123456789")
}

// conjugate replaces i by -i.
func (p *parser) conjugate(n *node) *node {
	if n.kind == kConstant && n.name == "i" {
		return p.make(kMul, p.integer(-1), n)
	}
	if len(n.args) == 0 {
		return n
	}
	m := p.make(n.kind)
	args := make([]*node, len(n.args))
	for i, a := range n.args {
		args[i] = p.conjugate(a)
	}
	*m = *n
	m.args = args
	return m
}

// blackboard reads \mathbb{R} and its like.
func (p *parser) blackboard() *node {
	switch raw := cleanName(p.rawArgument()); raw {
	case "R":
		return p.signedReals()
	case "Z":
		return p.named(kConstant, "integers")
	case "N":
		return p.named(kConstant, "naturals")
	case "Q":
		return p.named(kConstant, "rationals")
	case "i":
		return p.named(kConstant, "i")
	default:
		return p.named(kSymbol, raw)
	}
}

// signedReals reads what may follow ℝ: ^+, ^- and _{>0} as the intervals that they are.
func (p *parser) signedReals() *node {
	rest := strings.TrimLeft(p.src[p.tok.start:], " ")
	for _, mark := range [...]struct {
		text        string
		open        byte
		less, above bool
	}{{"^+", '(', false, true}, {"^{+}", '(', false, true}, {"_+", '(', false, true}, {"_{+}", '(', false, true}, {"^-", '(', true, false}, {"^{-}", '(', true, false},
		{"_{>0}", '(', false, true}, {"_{<0}", '(', true, false}, {"_{\\ge0}", '[', false, true}, {"_{\\geq0}", '[', false, true}} {
		after, ok := cutSpaced(rest, mark.text)
		if !ok {
			continue
		}
		p.jump(len(p.src) - len(after))
		ends := []*node{p.integer(0), p.named(kConstant, "inf")}
		if mark.less {
			ends = []*node{p.make(kMul, p.integer(-1), ends[1]), ends[0]}
		}
		n := p.make(kTuple, ends...)
		n.open, n.shut = mark.open, ')'
		return n
	}
	return p.named(kConstant, "reals")
}

// cutSpaced is strings.CutPrefix with spaces between the prefix's bytes.
func cutSpaced(s, prefix string) (string, bool) {
	for i := range len(prefix) {
		if s = strings.TrimLeft(s, " "); s == "" || s[0] != prefix[i] {
			return "", false
		}
		s = s[1:]
	}
	return s, true
}

// character reads \char"0394, a character by its hexadecimal number.
func (p *parser) character() *node {
	rest := p.src[p.tok.start:]
	end := 1
	for end < len(rest) && end < 8 && (digitAt(rest, end) || rest[end] >= 'A' && rest[end] <= 'F') {
		end++
	}
	if rest == "" || rest[0] != '"' || end == 1 {
		return p.fail(failSyntax)
	}
	code := rune(0)
	for _, c := range strings.ToUpper(rest[1:end]) {
		code = code*16 + rune(strings.IndexRune("0123456789ABCDEF", c))
	}
	p.jump(p.tok.start + end)
	if code == 'Ɛ' || code == 'ɛ' || code == 'ε' {
		return p.named(kSymbol, "epsilon")
	}
	if name, ok := runes[code]; ok {
		return p.named(kSymbol, name)
	}
	return p.named(kSymbol, string(code))
}
