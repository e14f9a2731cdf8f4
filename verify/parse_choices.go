package verify

import "strings"

// choices reads _5C_2 and ^5C_2, perhaps after {}: the number of choices, and with P of arrangements.
func (p *parser) choices() *node {
	if p.tok.op == 's' {
		return p.fail(failSyntax)
	}
	p.advance()
	n := p.argument()
	name := p.tok.text
	if p.tok.kind != tSymbol || name != "C" && name != "P" {
		return p.fail(failSyntax)
	}
	p.advance()
	if p.tok.kind != tSub {
		return p.fail(failSyntax)
	}
	p.advance()
	call := p.named(kCall, name, n, p.argument())
	call.n = 1
	return call
}

// combinations reads C_{10}^3 as a binomial coefficient, and is nil for any other symbol. C_2^2 may be a square.
func (p *parser) combinations(name string) *node {
	if name != "C" || p.tok.kind != tSub {
		return nil
	}
	rest := p.src[p.tok.start+1:]
	n, rest := smallIndex(rest)
	rest, found := strings.CutPrefix(rest, "^")
	k, rest := smallIndex(rest)
	if !found || k < 1 || k >= n || n < 3 {
		return nil
	}
	p.jump(len(p.src) - len(rest))
	return p.named(kCall, "binom", p.integer(int64(n)), p.integer(int64(k)))
}

// smallIndex reads an index of up to three digits, in braces or one digit alone; n is 0 where there is none.
func smallIndex(s string) (n int, rest string) {
	if digitAt(s, 0) {
		return int(s[0] - '0'), s[1:]
	}
	if s == "" || s[0] != '{' {
		return 0, s
	}
	i := 1
	for ; i < 4 && digitAt(s, i); i++ {
		n = n*10 + int(s[i]-'0')
	}
	if i >= len(s) || s[i] != '}' {
		return 0, s
	}
	return n, s[i+1:]
}
