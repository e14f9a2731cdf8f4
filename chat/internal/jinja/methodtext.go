package jinja

import (
	"strings"
	"unicode/utf8"
)

func textRemovePrefix(m *machine, of Value, a []Value) (Value, error) {
	text, _ := textOf(of)
	part, err := wantText("removeprefix", a[0])
	return like(of, trimQuoted(text, part, false)), err
}

func textRemoveSuffix(m *machine, of Value, a []Value) (Value, error) {
	text, _ := textOf(of)
	part, err := wantText("removesuffix", a[0])
	return like(of, trimQuoted(text, part, true)), err
}

func textReplace(m *machine, of Value, a []Value) (Value, error) {
	text, _ := textOf(of)
	old, err := wantText("replace", a[0])
	if err != nil {
		return nil, err
	}
	new, err := wantText("replace", a[1])
	if err != nil {
		return nil, err
	}
	if _, safe := of.(Markup); safe {
		escaped, err := m.escape(a[1])
		if err != nil {
			return nil, err
		}
		new = string(escaped)
	}
	count, err := wantInt(or(a[2], Int(-1)))
	if err != nil {
		return nil, err
	}
	replaced, err := m.replace(text, old, new, int64(count))
	return like(of, replaced), err
}

func textJoin(m *machine, of Value, a []Value) (Value, error) {
	separator, _ := textOf(of)
	_, safe := of.(Markup)
	it, err := m.iterate(a[0])
	if err != nil {
		return nil, typeError("can only join an iterable")
	}
	out := &buffer{m: m}
	for i := 0; ; i++ {
		v, ok, err := it.next()
		if err != nil {
			return nil, err
		}
		if !ok {
			return like(of, out.String()), nil
		}
		if safe {
			if v, err = m.escape(v); err != nil {
				return nil, err
			}
		}
		text, isText := textOf(v)
		if !isText {
			return nil, typeError("sequence item %d: expected str instance, %s found", i, typeName(v))
		}
		if i > 0 {
			if err := out.write(separator); err != nil {
				return nil, err
			}
		}
		if err := out.write(text); err != nil {
			return nil, err
		}
	}
}

func textSplitLines(m *machine, of Value, a []Value) (Value, error) {
	keep, err := wantInt(or(a[0], Bool(false)))
	if err != nil {
		return nil, err
	}
	text, _ := textOf(of)
	if err := m.read(len(text)); err != nil {
		return nil, err
	}
	return m.listOf(of, splitLines(text, keep != 0))
}

// listOf makes a list of texts of the kind of of.
func (m *machine) listOf(of Value, parts []string) (Value, error) {
	if err := m.newItems(2 * len(parts)); err != nil {
		return nil, err
	}
	items := make([]Value, len(parts))
	for i, part := range parts {
		items[i] = like(of, part)
	}
	return &List{items}, nil
}

func splitMethod(name string, fromRight bool) methodFunction {
	return bound(name, "sep? maxsplit?", func(m *machine, of Value, a []Value) (Value, error) {
		text, _ := textOf(of)
		most, err := wantInt(or(a[1], Int(-1)))
		if err != nil {
			return nil, err
		}
		if err := m.read(len(text)); err != nil {
			return nil, err
		}
		if or(a[0], nil) == nil {
			return m.listOf(of, splitSpace(text, most, fromRight))
		}
		separator, ok := textOf(a[0])
		if !ok {
			return nil, typeError("must be str or None, not %s", typeName(a[0]))
		}
		if separator == "" {
			return nil, valueError("empty separator")
		}
		if err := m.newItems(strings.Count(plain(text), plain(separator)) + 1); err != nil {
			return nil, err
		}
		return m.listOf(of, splitQuoted(text, separator, most, fromRight))
	})
}

// splitText splits at a separator, at most so often (always if most < 0).
func splitText(text, separator string, most int, fromRight bool) []string {
	if most < 0 && !(fromRight && len(separator) > 1) {
		return strings.Split(text, separator)
	}
	if !fromRight {
		return strings.SplitN(text, separator, most+1)
	}
	var parts []string // from the right: separators may overlap
	for ; most != 0; most-- {
		at := strings.LastIndex(text, separator)
		if at < 0 {
			break
		}
		parts = append(parts, text[at+len(separator):])
		text = text[:at]
	}
	parts = append(parts, text)
	for i, j := 0, len(parts)-1; i < j; i, j = i+1, j-1 {
		parts[i], parts[j] = parts[j], parts[i]
	}
	return parts
}

// splitSpace splits at runs of white space, at most so often (always if most < 0).
func splitSpace(text string, most int, fromRight bool) []string {
	if most < 0 {
		return strings.FieldsFunc(text, isSpace)
	}
	var parts []string
	if !fromRight {
		text = strings.TrimLeftFunc(text, isSpace)
		for ; text != ""; most-- {
			at := strings.IndexFunc(text, isSpace)
			if most == 0 || at < 0 {
				return append(parts, lastField(text, most, at))
			}
			parts = append(parts, text[:at])
			text = strings.TrimLeftFunc(text[at:], isSpace)
		}
		return parts
	}
	text = strings.TrimRightFunc(text, isSpace)
	for ; text != ""; most-- {
		at := strings.LastIndexFunc(text, isSpace)
		if most == 0 || at < 0 {
			parts = append(parts, text)
			break
		}
		_, width := utf8.DecodeRuneInString(text[at:])
		parts = append(parts, text[at+width:])
		text = strings.TrimRightFunc(text[:at], isSpace)
	}
	for i, j := 0, len(parts)-1; i < j; i, j = i+1, j-1 {
		parts[i], parts[j] = parts[j], parts[i]
	}
	return parts
}

// lastField is what is left after the last split: it keeps the white space at its end.
func lastField(text string, most, at int) string {
	if most == 0 || at < 0 {
		return text
	}
	return text[:at]
}

func justifyMethod(name string, side byte) methodFunction {
	return bound(name, "width fillchar? /", func(m *machine, of Value, a []Value) (Value, error) {
		return m.justify(of, a, side)
	})
}

// justify fills a text up to a width: at its right (l), at its left (r) or at both ends (c).
func (m *machine) justify(of Value, a []Value, side byte) (Value, error) {
	width, err := wantInt(a[0])
	if err != nil {
		return nil, err
	}
	fill, ok := textOf(or(a[1], Str(" ")))
	if !ok || utf8.RuneCountInString(fill) != 1 {
		return nil, typeError("The fill character must be exactly one character long")
	}
	if _, safe := of.(Markup); safe && htmlEscapes.Replace(fill) != fill {
		return nil, typeError("The fill character must be exactly one character long")
	}
	text, _ := textOf(of)
	size, err := m.countRunes(text)
	if err != nil || width <= size {
		return of, err
	}
	missing := width - size
	if missing > m.options.MaxOutput/len(fill) {
		return nil, limitError("a text of more than %d bytes", m.options.MaxOutput)
	}
	if err := m.text(len(text) + missing*len(fill)); err != nil {
		return nil, err
	}
	left := 0
	switch side {
	case 'r':
		left = missing
	case 'c':
		left = missing/2 + missing&width&1
	}
	return like(of, strings.Repeat(fill, left)+text+strings.Repeat(fill, missing-left)), nil
}

func textZeroFill(m *machine, of Value, a []Value) (Value, error) {
	text, _ := textOf(of)
	v, err := m.justify(Str(text), []Value{a[0], Str("0")}, 'r')
	if err != nil {
		return nil, err
	}
	filled, _ := textOf(v)
	if added := len(filled) - len(text); added > 0 && text != "" && (text[0] == '-' || text[0] == '+') {
		filled = text[:1] + filled[:added] + text[1:]
	}
	return like(of, filled), nil
}

func textExpandTabs(m *machine, of Value, a []Value) (Value, error) {
	size, err := wantInt(or(a[0], Int(8)))
	if err != nil {
		return nil, err
	}
	text, _ := textOf(of)
	out := &buffer{m: m}
	column := 0
	for _, r := range text {
		switch {
		case r == '\t' && size > 0:
			n := size - column%size
			if err := m.text(n); err != nil {
				return nil, err
			}
			if err := out.write(strings.Repeat(" ", n)); err != nil {
				return nil, err
			}
			column += n
			continue
		case r == '\t':
			continue
		case r == '\n' || r == '\r':
			column = -1
		}
		column++
		if err := out.write(string(r)); err != nil {
			return nil, err
		}
	}
	return like(of, out.String()), m.step(len(text))
}
