package jinja

import (
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"
)

// braceFormatter is one use of str.format.
type braceFormatter struct {
	m      *machine
	a      arguments
	names  *Dict
	next   int  // the number of the next field without one
	auto   bool // a field without a number was met
	manual bool // a field with a number was met
	safe   bool // what is written is escaped
}

func methodFormat(m *machine, of Value, a arguments) (Value, error) {
	names := NewDict()
	for i, name := range a.names {
		names.Set(name, a.named[i])
	}
	return (&braceFormatter{m: m, a: a, names: names}).run(of)
}

func methodFormatMap(m *machine, of Value, a arguments) (Value, error) {
	bound, err := a.bind("format_map", "mapping /")
	if err != nil {
		return nil, err
	}
	names, ok := bound[0].(*Dict)
	if !ok {
		return nil, typeError("format_map() wants a mapping")
	}
	return (&braceFormatter{m: m, names: names}).run(of)
}

func (b *braceFormatter) run(of Value) (Value, error) {
	text, _ := textOf(of)
	_, b.safe = of.(Markup)
	out := &buffer{m: b.m}
	if err := b.write(out, text, 2); err != nil {
		return nil, err
	}
	return like(of, out.String()), nil
}

// write writes a text with its fields; a field's description may hold fields, once.
func (b *braceFormatter) write(out *buffer, text string, depth int) error {
	if depth < 0 {
		return valueError("Max string recursion exceeded")
	}
	for text != "" {
		i := strings.IndexAny(text, "{}")
		if i < 0 {
			return out.write(text)
		}
		if err := out.write(text[:i]); err != nil {
			return err
		}
		mark := text[i]
		text = text[i+1:]
		if text != "" && text[0] == mark {
			if err := out.write(string(mark)); err != nil {
				return err
			}
			text = text[1:]
			continue
		}
		if mark == '}' {
			return valueError("Single '}' encountered in format string")
		}
		end := fieldEnd(text)
		if text == "" {
			return valueError("Single '{' encountered in format string")
		}
		if end < 0 {
			return valueError("expected '}' before end of string")
		}
		if err := b.field(out, text[:end], depth); err != nil {
			return err
		}
		text = text[end+1:]
	}
	return nil
}

// fieldEnd is the position of the brace that closes a field, or -1.
func fieldEnd(s string) int {
	depth := 1
	for i := range len(s) {
		switch s[i] {
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}

// field writes name!conversion:description.
func (b *braceFormatter) field(out *buffer, s string, depth int) error {
	name, spec, conversion := s, "", byte(0)
	inBrackets := false
	for i := range len(s) {
		c := s[i]
		if c == '[' {
			inBrackets = true
		} else if c == ']' {
			inBrackets = false
		}
		if inBrackets || c != ':' && c != '!' {
			continue
		}
		name = s[:i]
		rest := s[i:]
		if c == '!' {
			if len(rest) < 2 || len(rest) > 2 && rest[2] != ':' {
				return valueError("expected ':' after conversion specifier")
			}
			conversion, rest = rest[1], rest[2:]
		}
		spec = strings.TrimPrefix(rest, ":")
		break
	}
	v, err := b.lookup(name)
	if err != nil {
		return err
	}
	switch conversion {
	case 0:
	case 's', 'r', 'a':
		text, err := b.m.str(v)
		if conversion != 's' {
			text, err = b.m.repr(v)
		}
		if err != nil {
			return err
		}
		v = Str(text)
	default:
		return valueError("Unknown conversion specifier %s", describeField(string(rune(conversion))))
	}
	inner := &buffer{m: b.m}
	if err := b.write(inner, spec, depth-1); err != nil {
		return err
	}
	return b.value(out, v, inner.String())
}

// value writes a value by its description.
func (b *braceFormatter) value(out *buffer, v Value, spec string) error {
	if _, isSafe := v.(Markup); isSafe && b.safe {
		if spec != "" {
			return valueError("Unsupported format specification for Markup.")
		}
		return b.m.write(out, v)
	}
	text, err := b.m.format(v, spec)
	if err != nil {
		return err
	}
	if b.safe {
		escaped, err := b.m.escape(Str(text))
		if err != nil {
			return err
		}
		text = string(escaped)
	}
	return out.write(text)
}

// lookup finds the value of a field's name, such as 0.key[name].
func (b *braceFormatter) lookup(name string) (Value, error) {
	n := strings.IndexAny(name, ".[")
	if n < 0 {
		n = len(name)
	}
	v, err := b.first(name[:n])
	for rest := name[n:]; err == nil && rest != ""; {
		if rest[0] == '.' {
			end := strings.IndexAny(rest[1:], ".[")
			if end < 0 {
				end = len(rest) - 1
			}
			if end == 0 {
				return nil, valueError("Empty attribute in format string")
			}
			v, err = b.m.getAttribute(v, rest[1:1+end])
			rest = rest[1+end:]
			continue
		}
		end := strings.IndexByte(rest, ']')
		if end < 2 || end+1 < len(rest) && rest[end+1] != '.' && rest[end+1] != '[' {
			return nil, valueError("wrong brackets in format string")
		}
		v, err = b.m.getItem(v, pathPart(rest[1:end]))
		rest = rest[end+1:]
	}
	return v, err
}

func (b *braceFormatter) first(name string) (Value, error) {
	index, isNumber := -1, true
	switch {
	case name == "":
		b.auto = true
		index = b.next
		b.next++
	default:
		n, err := strconv.Atoi(name)
		if isNumber = err == nil && strings.Trim(name, "0123456789") == ""; isNumber {
			b.manual = true
			index = n
		}
	}
	if b.auto && b.manual {
		return nil, valueError("cannot switch between manual field specification and automatic field numbering")
	}
	if isNumber {
		if index >= len(b.a.positional) {
			return nil, raise("IndexError", "Replacement index %d out of range for positional args tuple", index)
		}
		return b.a.positional[index], nil
	}
	v, found := b.names.Get(name)
	if !found {
		return nil, raise("KeyError", "%s", quote(name))
	}
	return v, b.m.step(1)
}

// parseFormatSpec reads [[fill]align][sign][#][0][width][grouping][.precision][kind].
func parseFormatSpec(s string) (f formatSpec, err error) {
	f.precision = -1
	if _, n := utf8.DecodeRuneInString(s); n < len(s) && strings.IndexByte("<>=^", s[n]) >= 0 {
		f.fill, f.align, s = s[:n], s[n], s[n+1:]
	} else if s != "" && strings.IndexByte("<>=^", s[0]) >= 0 {
		f.align, s = s[0], s[1:]
	}
	if s != "" && strings.IndexByte("+- ", s[0]) >= 0 {
		if s[0] != '-' {
			f.sign = s[0]
		}
		s = s[1:]
	}
	if strings.HasPrefix(s, "#") {
		f.alternate, s = true, s[1:]
	}
	if strings.HasPrefix(s, "0") && f.fill == "" {
		f.fill = "0"
		if f.align == 0 {
			f.align = '='
		}
	}
	if f.width, s, err = leadingNumber(s); err != nil {
		return f, err
	}
	if s != "" && (s[0] == ',' || s[0] == '_') {
		f.grouping, s = s[0], s[1:]
	}
	if strings.HasPrefix(s, ".") {
		if len(s) < 2 || !isDigit(s[1]) {
			return f, valueError("Format specifier missing precision")
		}
		if f.precision, s, err = leadingNumber(s[1:]); err != nil {
			return f, err
		}
	}
	if len(s) > 1 {
		return f, valueError("Invalid format specifier")
	}
	if s != "" {
		f.kind = s[0]
	}
	return f, nil
}

// format is Python's format(v, spec).
func (m *machine) format(v Value, spec string) (string, error) {
	if spec == "" {
		return m.str(v)
	}
	f, err := parseFormatSpec(spec)
	if err != nil {
		return "", err
	}
	if err := m.text(f.width*max(1, len(f.fill)) + max(0, f.precision)); err != nil {
		return "", err
	}
	if text, ok := textOf(v); ok {
		if f.kind != 0 && f.kind != 's' || f.sign != 0 || f.alternate || f.grouping != 0 || f.align == '=' && f.fill != "0" {
			return "", valueError("Invalid format specifier for a text")
		}
		if f.align == '=' { // a width that begins with 0
			f.align = '<'
		}
		return f.text(text, '<'), m.read(len(text))
	}
	if i, ok := integer(v); ok {
		return f.formatInteger(i)
	}
	if number, ok := v.(Float); ok {
		if f.kind != 0 && strings.IndexByte("eEfFgG%n", f.kind) < 0 || f.alternate {
			return "", valueError("Unknown format code %s for object of type 'float'", quote(string(rune(f.kind))))
		}
		return f.float(float64(number)), nil
	}
	return "", typeError("unsupported format string passed to %s.__format__", typeName(v))
}

func (f formatSpec) formatInteger(i *big.Int) (string, error) {
	if f.kind != 0 && strings.IndexByte("eEfFgG%", f.kind) >= 0 {
		number, _, err := float(mustNormal(i))
		return f.float(number), err
	}
	switch {
	case f.precision >= 0:
		return "", valueError("Precision not allowed in integer format specifier")
	case f.kind == 'c':
		return f.character(mustNormal(i))
	case f.kind != 0 && strings.IndexByte("bdoxXn", f.kind) < 0:
		return "", valueError("Unknown format code %s for object of type 'int'", quote(string(rune(f.kind))))
	}
	return f.integer(i), nil
}

// mustNormal is an integer as a value; those within a template are within the limit already.
func mustNormal(i *big.Int) Value {
	v, err := normal(i)
	if err != nil {
		return Int(0)
	}
	return v
}
