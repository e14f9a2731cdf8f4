package jinja

import (
	"fmt"
	"math"
	"math/big"
	"strings"
	"unicode/utf8"
)

// percentArguments are the values of a % on a text.
type percentArguments struct {
	items   []Value
	at      int
	mapping *Dict
	lenient bool // Python does not complain of values that are left over
	safe    bool // texts are escaped
}

func (p *percentArguments) next() (Value, error) {
	if p.at >= len(p.items) {
		return nil, typeError("not enough arguments for format string")
	}
	p.at++
	return p.items[p.at-1], nil
}

// formatPercent is text % values, the way of printf.
func (m *machine) formatPercent(of Value, text string, values Value) (Value, error) {
	p := &percentArguments{items: []Value{values}}
	_, p.safe = of.(Markup)
	switch v := values.(type) {
	case *Tuple:
		p.items = v.items
	case *Dict:
		p.mapping, p.lenient = v, true
	case *List, *rangeValue, *undefinedValue:
		p.lenient = true
	}
	out := &buffer{m: m}
	for {
		i := strings.IndexByte(text, '%')
		if i < 0 {
			if err := out.write(text); err != nil {
				return nil, err
			}
			break
		}
		if err := out.write(text[:i]); err != nil {
			return nil, err
		}
		piece, rest, err := m.percentField(p, text[i+1:])
		if err != nil {
			return nil, err
		}
		if err := out.write(piece); err != nil {
			return nil, err
		}
		text = rest
	}
	if p.at < len(p.items) && !p.lenient {
		return nil, typeError("not all arguments converted during string formatting")
	}
	return like(of, out.String()), nil
}

// percentField writes the field whose description s begins with, and returns what follows it.
func (m *machine) percentField(p *percentArguments, s string) (piece, rest string, err error) {
	f := formatSpec{precision: -1}
	var named Value = absent{}
	if strings.HasPrefix(s, "(") {
		if named, s, err = p.name(s); err != nil {
			return "", "", err
		}
	}
	for s != "" && strings.IndexByte("#0- +", s[0]) >= 0 {
		switch s[0] {
		case '#':
			f.alternate = true
		case '0':
			f.fill = "0"
		case '-':
			f.align = '<'
		case '+':
			f.sign = '+'
		case ' ':
			if f.sign == 0 {
				f.sign = ' '
			}
		}
		s = s[1:]
	}
	if f.width, s, err = p.number(s); err != nil {
		return "", "", err
	}
	if f.width < 0 {
		f.width, f.align = -f.width, '<'
	}
	if strings.HasPrefix(s, ".") {
		if f.precision, s, err = p.number(s[1:]); err != nil {
			return "", "", err
		}
		f.precision = max(0, f.precision)
	}
	if s != "" && strings.IndexByte("hlL", s[0]) >= 0 {
		s = s[1:]
	}
	if s == "" {
		return "", "", valueError("incomplete format")
	}
	if err := m.text(f.width + max(0, f.precision)); err != nil {
		return "", "", err
	}
	f.kind = s[0]
	if f.kind == '%' {
		return "%", s[1:], nil
	}
	v := named
	if v == (absent{}) {
		if v, err = p.next(); err != nil {
			return "", "", err
		}
	}
	piece, err = m.percentValue(f, v, p.safe)
	return piece, s[1:], err
}

// name reads the key of a field and looks it up.
func (p *percentArguments) name(s string) (v Value, rest string, err error) {
	if p.mapping == nil {
		return nil, "", typeError("format requires a mapping")
	}
	depth := 0
	for i := range len(s) {
		switch s[i] {
		case '(':
			depth++
		case ')':
			depth--
		}
		if depth == 0 {
			name := s[1:i]
			v, found := p.mapping.Get(name)
			if !found {
				return nil, "", raise("KeyError", "%s", quote(name))
			}
			p.at = len(p.items)
			return v, s[i+1:], nil
		}
	}
	return nil, "", valueError("incomplete format key")
}

// number reads a width or a precision; a star takes the next value.
func (p *percentArguments) number(s string) (n int, rest string, err error) {
	if strings.HasPrefix(s, "*") {
		v, err := p.next()
		if err != nil {
			return 0, "", err
		}
		if _, ok := integer(v); !ok {
			return 0, "", typeError("* wants int")
		}
		n, err := wantInt(v)
		if n > maxFormatWidth || n < -maxFormatWidth {
			return 0, "", limitError("a field of more than %d characters", maxFormatWidth)
		}
		return n, s[1:], err
	}
	return leadingNumber(s)
}

// leadingNumber reads digits; without any it is 0.
func leadingNumber(s string) (n int, rest string, err error) {
	for s != "" && isDigit(s[0]) {
		if n = 10*n + int(s[0]-'0'); n > maxFormatWidth {
			return 0, "", limitError("a field of more than %d characters", maxFormatWidth)
		}
		s = s[1:]
	}
	return n, s, nil
}

// percentValue writes one value by a field's description.
func (m *machine) percentValue(f formatSpec, v Value, safe bool) (string, error) {
	switch f.kind {
	case 's', 'r', 'a':
		text, err := m.str(v)
		if f.kind != 's' {
			text, err = m.repr(v)
		}
		if err == nil && safe {
			var escaped Markup
			if f.kind != 's' {
				v = Str(text)
			}
			escaped, err = m.escape(v)
			text = string(escaped)
		}
		if f.fill == "0" {
			f.fill = ""
		}
		return f.text(text, '>'), err
	case 'c':
		return f.character(v)
	}
	if f.fill == "0" && f.align == 0 {
		f.align = '='
	} else {
		f.fill = ""
	}
	if strings.IndexByte("eEfFgG", f.kind) >= 0 {
		number, ok, err := m.toFloat(v)
		if _, isText := textOf(v); isText || !ok && err == nil {
			return "", typeError("must be real number, not %s", typeName(v))
		}
		if f.alternate {
			return "", limitError("the # of a float's format is not supported")
		}
		return f.float(number), err
	}
	if strings.IndexByte("diuoxX", f.kind) < 0 {
		return "", valueError("unsupported format character %s", quote(string(rune(f.kind))))
	}
	i, ok := integer(v)
	if number, isFloat := v.(Float); isFloat && strings.IndexByte("diu", f.kind) >= 0 {
		whole, err := truncated(float64(number))
		if err != nil || math.IsNaN(float64(number)) {
			return "", valueError("cannot convert float to integer")
		}
		i, ok = integer(whole)
	}
	if !ok {
		if u, isUndefined := v.(*undefinedValue); isUndefined {
			return "", u.raise()
		}
		return "", typeError("%%%c format: a real number is required, not %s", f.kind, typeName(v))
	}
	return f.percentInteger(i), nil
}

// percentInteger: the precision is the least number of digits.
func (f formatSpec) percentInteger(i *big.Int) string {
	if f.precision < 0 {
		return f.integer(i)
	}
	width := f.width
	f.width = 0
	text := f.integer(i)
	digits := strings.TrimLeft(text, "+- ")
	mark := text[:len(text)-len(digits)]
	if missing := f.precision - len(digits); missing > 0 {
		digits = strings.Repeat("0", missing) + digits
	}
	f.width = width
	return f.pad(mark, digits, '>')
}

// character writes %c: a code point or a text of one character.
func (f formatSpec) character(v Value) (string, error) {
	if text, ok := textOf(v); ok && utf8.RuneCountInString(text) == 1 {
		return f.pad("", text, '>'), nil
	}
	if n, ok := smallInteger(v); ok {
		if n < 0 || n > utf8.MaxRune {
			return "", raise("OverflowError", "%%c arg not in range(0x110000)")
		}
		return f.pad("", string(rune(n)), '>'), nil
	}
	return "", typeError("%%c requires int or char")
}

// filterFormat is text % (values), or text % {names}.
func filterFormat(m *machine, of Value, a arguments) (Value, error) {
	text, err := m.str(of)
	if err != nil {
		return nil, err
	}
	if len(a.names) == 0 {
		return m.formatPercent(like(of, text), text, &Tuple{items: a.positional})
	}
	if len(a.positional) > 0 {
		return nil, raise("FilterArgumentError", "can't handle positional and keyword arguments at the same time")
	}
	d := NewDict()
	for i, name := range a.names {
		d.Set(name, a.named[i])
	}
	return m.formatPercent(like(of, text), text, d)
}

// describe is a field's place in an error.
func describeField(s string) string {
	if len(s) > 40 {
		s = strings.ToValidUTF8(s[:40], "")
	}
	return fmt.Sprintf("%q", s)
}
