package jinja

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

var fileSizeUnits = []string{"kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"}

func filterFileSize(m *machine, of Value, a []Value) (Value, error) {
	size, ok, err := m.toFloat(of)
	if err != nil {
		return nil, err
	}
	if _, isText := textOf(of); !ok && !isText {
		return nil, typeError("float() argument must be a string or a real number, not %s", quote(typeName(of)))
	}
	if !ok {
		return nil, valueError("could not convert string to float")
	}
	binary, err := m.flag(a[0])
	if err != nil {
		return nil, err
	}
	base := 1000.0
	if binary {
		base = 1024
	}
	switch {
	case math.IsNaN(size):
		return Str("nan YB"), nil
	case size == 1:
		return Str("1 Byte"), nil
	case size < base:
		whole, err := truncated(size)
		if err != nil {
			return nil, err
		}
		text, err := formatInteger(whole)
		return Str(text + " Bytes"), err
	}
	unit := base
	name := ""
	for i, prefix := range fileSizeUnits {
		unit *= base
		name = prefix
		if binary {
			name = strings.ToUpper(prefix[:1]) + "iB"
		}
		if size < unit || i == len(fileSizeUnits)-1 {
			break
		}
	}
	return Str(strconv.FormatFloat(base*size/unit, 'f', 1, 64) + " " + name), nil
}

func filterURLEncode(m *machine, of Value, _ []Value) (Value, error) {
	if _, isText := textOf(of); !isText {
		if it, err := m.iterate(of); err == nil {
			return m.urlQuery(of, it)
		}
	}
	text, err := m.str(of)
	if err != nil {
		return nil, err
	}
	return Str(urlQuote(text, "/")), m.text(3 * len(text))
}

// urlQuery writes pairs as the query of a URL.
func (m *machine) urlQuery(of Value, it *iterator) (Value, error) {
	if d, ok := of.(*Dict); ok {
		it = m.overView(&dictView{d, "dict_items"})
	}
	out := &buffer{m: m}
	for first := true; ; first = false {
		pair, ok, err := it.next()
		if err != nil || !ok {
			return Str(out.String()), err
		}
		items, err := m.items(pair)
		if err != nil {
			return nil, err
		}
		if len(items) != 2 {
			return nil, valueError("not a pair of key and value")
		}
		for i, v := range items {
			text, err := m.str(v)
			if err != nil {
				return nil, err
			}
			mark := map[bool]string{true: "=", false: "&"}[i == 1]
			if first && i == 0 {
				mark = ""
			}
			if err := out.write(mark + strings.ReplaceAll(urlQuote(text, ""), "%20", "+")); err != nil {
				return nil, err
			}
		}
	}
}

// urlQuote is Python's urllib.parse.quote.
func urlQuote(s, safe string) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if c < utf8.RuneSelf && (unicode.IsLetter(rune(c)) || isDigit(c)) || strings.IndexByte("_.-~"+safe, c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}
