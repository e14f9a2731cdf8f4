package verify

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"
)

// parseLiteral reads a literal of Python: the singletons, numbers, strings and bytes without formatting, tuples, lists,
// sets and dicts of literals; also set(), inf, nan, float('inf') and the like, and the forms that the program's side
// writes: complex(a,b), ratio(a,b) and opaque.
func parseLiteral(text string) (*pyValue, error) {
	if !utf8.ValidString(text) {
		return nil, errors.New("not UTF-8")
	}
	p := literalParser{text: text}
	v, err := p.value(0)
	if err != nil {
		return nil, err
	}
	if p.space(); p.at < len(p.text) {
		return nil, p.fail("the end")
	}
	return v, nil
}

type literalParser struct {
	text string
	at   int
}

func (p *literalParser) fail(want string) error {
	return fmt.Errorf("byte %d: got %.20q, want %s", p.at, p.text[p.at:], want)
}

func (p *literalParser) space() {
	for p.at < len(p.text) {
		switch p.text[p.at] {
		case ' ', '\t', '\n', '\r':
			p.at++
		case '#':
			for p.at < len(p.text) && p.text[p.at] != '\n' {
				p.at++
			}
		default:
			return
		}
	}
}

// take takes a token if it comes next.
func (p *literalParser) take(token string) bool {
	p.space()
	if !strings.HasPrefix(p.text[p.at:], token) {
		return false
	}
	p.at += len(token)
	return true
}

func (p *literalParser) value(depth int) (*pyValue, error) {
	if depth > maxValueDepth {
		return nil, fmt.Errorf("nested over %d deep", maxValueDepth)
	}
	p.space()
	if p.at == len(p.text) {
		return nil, p.fail("a literal")
	}
	switch ch := p.text[p.at]; {
	case ch == '(':
		return p.tuple(depth)
	case ch == '[':
		p.at++
		items, err := p.items("]", depth)
		return &pyValue{kind: pyList, items: items}, err
	case ch == '{':
		return p.braces(depth)
	case ch == '-' || ch == '+':
		p.at++
		v, err := p.value(depth + 1)
		if err != nil || ch == '+' && v.kind >= pyInt && v.kind <= pyFloat {
			return v, err
		}
		switch {
		case v.kind == pyInt:
			return &pyValue{kind: pyInt, text: negated(v.text)}, nil
		case v.kind == pyFloat:
			return &pyValue{kind: pyFloat, float: -v.float}, nil
		}
		return nil, p.fail("a number after the sign")
	case ch == '.' || ch >= '0' && ch <= '9':
		return p.number()
	}
	return p.word(depth)
}

func negated(digits string) string {
	if rest, ok := strings.CutPrefix(digits, "-"); ok {
		return rest
	}
	return plainInteger("-" + digits)
}

// items reads literals up to a closing bracket.
func (p *literalParser) items(end string, depth int) ([]*pyValue, error) {
	var items []*pyValue
	for !p.take(end) {
		v, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		items = append(items, v)
		if p.take(",") {
			continue
		}
		if !p.take(end) {
			return nil, p.fail(end)
		}
		break
	}
	return items, nil
}

func (p *literalParser) tuple(depth int) (*pyValue, error) {
	p.at++
	items, err := p.items(")", depth)
	if err != nil {
		return nil, err
	}
	closed := strings.TrimRight(p.text[:p.at-1], " \t\r\n")
	if len(items) == 1 && !strings.HasSuffix(closed, ",") {
		return items[0], nil
	}
	return &pyValue{kind: pyTuple, items: items}, nil
}

func (p *literalParser) braces(depth int) (*pyValue, error) {
	p.at++
	v := &pyValue{kind: pyDict}
	for !p.take("}") {
		key, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		switch colon := p.take(":"); {
		case len(v.items) == 0 && !colon:
			v.kind = pySet
		case colon != (v.kind == pyDict):
			return nil, p.fail("pairs or items, not both")
		}
		v.items = append(v.items, key)
		if v.kind == pyDict {
			value, err := p.value(depth + 1)
			if err != nil {
				return nil, err
			}
			v.items = append(v.items, value)
		}
		if p.take(",") {
			continue
		}
		if !p.take("}") {
			return nil, p.fail("}")
		}
		break
	}
	return v, nil
}

func (p *literalParser) number() (*pyValue, error) {
	from := p.at
	for p.at < len(p.text) {
		ch := p.text[p.at]
		exponent := p.at > from && (ch == '+' || ch == '-') && (p.text[p.at-1] == 'e' || p.text[p.at-1] == 'E') && !strings.HasPrefix(p.text[from:], "0x")
		if !identifierByte(ch) && ch != '.' && !exponent {
			break
		}
		p.at++
	}
	text := p.text[from:p.at]
	if strings.Trim(text, "0123456789") == "" {
		if len(text) > 1 && text[0] == '0' && strings.Trim(text, "0") != "" {
			return nil, fmt.Errorf("number %.20q: leading zeros", text)
		}
		return &pyValue{kind: pyInt, text: plainInteger(text)}, nil
	}
	plain := strings.ReplaceAll(text, "_", "")
	if len(plain) < 64 && !strings.Contains(plain, ".") {
		if n, ok := new(big.Int).SetString(plain, 0); ok && (plain[0] != '0' || len(plain) > 2 && plain[1] > '9') {
			return &pyValue{kind: pyInt, text: n.String()}, nil
		}
	}
	if strings.ContainsAny(plain, "xXpPnN") {
		return nil, fmt.Errorf("number %.20q", text)
	}
	f, err := parseFloat(plain)
	if err != nil {
		return nil, fmt.Errorf("number %.20q", text)
	}
	return &pyValue{kind: pyFloat, float: f}, nil
}

// word reads what begins with a letter or a quote.
func (p *literalParser) word(depth int) (*pyValue, error) {
	from := p.at
	for p.at < len(p.text) && identifierByte(p.text[p.at]) {
		p.at++
	}
	word := p.text[from:p.at]
	if p.at < len(p.text) && (p.text[p.at] == '\'' || p.text[p.at] == '"') {
		p.at = from
		return p.strings()
	}
	switch word {
	case "None":
		return &pyValue{kind: pyNone}, nil
	case "True":
		return pyTrue, nil
	case "False":
		return pyFalse, nil
	case "inf":
		return &pyValue{kind: pyFloat, float: math.Inf(1)}, nil
	case "nan":
		return &pyValue{kind: pyFloat, float: math.NaN()}, nil
	case "opaque":
		return &pyValue{kind: pyOpaque}, nil
	case "set", "frozenset", "complex", "ratio", "float":
		if p.take("(") {
			items, err := p.items(")", depth)
			if err != nil {
				return nil, err
			}
			if v := constructed(word, items); v != nil {
				return v, nil
			}
		}
	}
	p.at = from
	return nil, p.fail("a literal")
}

// constructed is the value of a call in a literal; nil where it is none that we know.
func constructed(word string, items []*pyValue) *pyValue {
	switch {
	case strings.HasSuffix(word, "set") && len(items) == 0:
		return &pyValue{kind: pySet}
	case strings.HasSuffix(word, "set") && len(items) == 1 && items[0].kind >= pyList && items[0].kind <= pySet:
		return &pyValue{kind: pySet, items: items[0].items}
	case word == "complex" && len(items) == 2 && items[0].kind == pyFloat && items[1].kind == pyFloat:
		return &pyValue{kind: pyComplex, float: items[0].float, imag: items[1].float}
	case word == "ratio" && len(items) == 2 && items[0].kind == pyInt && items[1].kind == pyInt:
		return &pyValue{kind: pyRatio, items: items}
	case word == "float" && len(items) == 1 && items[0].kind == pyString && len(items[0].text) < 10:
		switch name := strings.ToLower(strings.TrimLeft(items[0].text, "+-")); name {
		case "inf", "infinity":
			sign := 1
			if strings.HasPrefix(items[0].text, "-") {
				sign = -1
			}
			return &pyValue{kind: pyFloat, float: math.Inf(sign)}
		case "nan":
			return &pyValue{kind: pyFloat, float: math.NaN()}
		}
	}
	return nil
}

// strings reads one string or several that stand side by side.
func (p *literalParser) strings() (*pyValue, error) {
	var v *pyValue
	for {
		from := p.at
		for p.at < len(p.text) && identifierByte(p.text[p.at]) {
			p.at++
		}
		prefix := strings.ToLower(p.text[from:p.at])
		if p.at == len(p.text) || p.text[p.at] != '\'' && p.text[p.at] != '"' {
			p.at = from
			if v != nil {
				return v, nil
			}
			return nil, p.fail("a string")
		}
		kind := pyString
		switch prefix {
		case "", "r", "u":
		case "b", "rb", "br":
			kind = pyBytes
		default:
			return nil, fmt.Errorf("string prefix %q: want none, r, u or b", prefix)
		}
		end, ok := stringEnd(p.text, p.at)
		if !ok {
			return nil, p.fail("a string that ends")
		}
		quotes := 1
		if end-p.at >= 6 && p.text[p.at+1] == p.text[p.at] && p.text[p.at+2] == p.text[p.at] {
			quotes = 3
		}
		content := p.text[p.at+quotes : end-quotes]
		if !strings.Contains(prefix, "r") {
			var err error
			if content, err = unescapePython(content, kind == pyBytes); err != nil {
				return nil, err
			}
		}
		p.at = end
		switch {
		case v == nil:
			v = &pyValue{kind: kind, text: content}
		case v.kind != kind:
			return nil, p.fail("strings of one kind")
		default:
			v.text += content
		}
		p.space()
	}
}

// simpleEscapes are the escapes of one letter.
var simpleEscapes = map[byte]string{
	'\n': "", '\\': "\\", '\'': "'", '"': "\"", 'a': "\a", 'b': "\b", 'f': "\f", 'n': "\n", 'r': "\r", 't': "\t", 'v': "\v",
}

// unescapePython resolves the escapes of a string or of bytes. An unknown escape keeps its backslash, as in Python.
func unescapePython(s string, raw bool) (string, error) {
	if strings.IndexByte(s, '\\') < 0 {
		return s, nil
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			out = append(out, s[i])
			continue
		}
		i++
		ch := s[i]
		if simple, ok := simpleEscapes[ch]; ok {
			out = append(out, simple...)
			continue
		}
		digits, base, from := 0, 16, i+1
		switch {
		case ch == 'x':
			digits = 2
		case ch == 'u' && !raw:
			digits = 4
		case ch == 'U' && !raw:
			digits = 8
		case ch == 'N' && !raw:
			return "", fmt.Errorf("escape \\N: names of characters are not read")
		case ch >= '0' && ch <= '7':
			base, from = 8, i
			for digits < 3 && from+digits < len(s) && s[from+digits] >= '0' && s[from+digits] <= '7' {
				digits++
			}
		default:
			out = append(out, '\\', ch)
			continue
		}
		if from+digits > len(s) {
			return "", fmt.Errorf("escape \\%c: too short", ch)
		}
		code, err := strconv.ParseUint(s[from:from+digits], base, 32)
		if err != nil || code > utf8.MaxRune {
			return "", fmt.Errorf("escape \\%c%.8q", ch, s[from:from+digits])
		}
		if i = from + digits - 1; raw {
			out = append(out, byte(code))
		} else {
			out = appendCode(out, uint32(code))
		}
	}
	return string(out), nil
}
