package jinja

import (
	"html"
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// mapText applies a change of case to a text; it may grow threefold.
func (m *machine) mapText(text string, change func(string) string) (string, error) {
	if err := m.text(len(text)); err != nil {
		return "", err
	}
	changed := change(text)
	return changed, m.text(len(changed))
}

// textFilter makes a filter of a change of case.
func textFilter(change func(string) string) func(*machine, Value, []Value) (Value, error) {
	return func(m *machine, of Value, _ []Value) (Value, error) {
		text, err := m.str(of)
		if err != nil {
			return nil, err
		}
		changed, err := m.mapText(text, change)
		return like(of, changed), err
	}
}

func filterString(m *machine, of Value, _ []Value) (Value, error) {
	text, err := m.str(of)
	return like(of, text), err
}

func filterSafe(m *machine, of Value, _ []Value) (Value, error) {
	text, err := m.str(of)
	return Markup(text), err
}

func filterEscape(m *machine, of Value, _ []Value) (Value, error) { return m.escape(of) }

func filterForceEscape(m *machine, of Value, _ []Value) (Value, error) {
	text, err := m.str(of)
	if err != nil {
		return nil, err
	}
	return m.escape(Str(text))
}

// filterTitle differs from str.title: words begin after white space and opening brackets.
func filterTitle(m *machine, of Value, _ []Value) (Value, error) {
	text, err := m.str(of)
	if err != nil {
		return nil, err
	}
	boundary := func(r rune) bool { return isSpace(r) || strings.ContainsRune("-({[<", r) }
	titled, err := m.mapText(text, func(s string) string {
		var b strings.Builder
		for s != "" {
			n := strings.IndexFunc(s, func(r rune) bool { return !boundary(r) })
			if n < 0 {
				n = len(s)
			}
			b.WriteString(s[:n])
			if s = s[n:]; s == "" {
				break
			}
			if n = strings.IndexFunc(s, boundary); n < 0 {
				n = len(s)
			}
			_, first := utf8.DecodeRuneInString(s)
			b.WriteString(upper(s[:first]) + lower(s[first:n]))
			s = s[n:]
		}
		return b.String()
	})
	return Str(titled), err
}

func filterTrim(m *machine, of Value, a []Value) (Value, error) {
	text, err := m.str(of)
	if err != nil {
		return nil, err
	}
	return methodStrip(m, like(of, text), arguments{positional: []Value{or(a[0], nil)}})
}

func filterReplace(m *machine, of Value, a []Value) (Value, error) {
	var texts [3]string
	for i, v := range []Value{of, a[0], a[1]} {
		var err error
		if texts[i], err = m.str(v); err != nil {
			return nil, err
		}
	}
	count := int64(-1)
	if v := or(a[2], nil); v != nil {
		var ok bool
		if count, ok = smallInteger(v); !ok {
			return nil, typeError("%s object cannot be interpreted as an integer", quote(typeName(v)))
		}
	}
	replaced, err := m.replace(texts[0], texts[1], texts[2], count)
	return Str(replaced), err
}

// replace is Python's str.replace.
func (m *machine) replace(text, old, new string, count int64) (string, error) {
	if err := m.read(len(text)); err != nil {
		return "", err
	}
	n := int64(strings.Count(plain(text), plain(old)))
	if count >= 0 && count < n {
		n = count
	}
	if grow := int64(len(new) - len(old)); grow > 0 && n > int64(m.options.MaxOutput)/grow {
		return "", limitError("a text of more than %d bytes", m.options.MaxOutput)
	}
	if err := m.text(len(text) + int(n)*(len(new)-len(old))); err != nil {
		return "", err
	}
	return replaceQuoted(text, old, new, int(n)), nil
}

func filterJoin(m *machine, of Value, a []Value) (Value, error) {
	get, err := m.getter(or(a[1], nil), false, nil)
	if err != nil {
		return nil, err
	}
	separator, err := m.str(or(a[0], Str("")))
	if err != nil {
		return nil, err
	}
	it, err := m.iterate(of)
	if err != nil {
		return nil, err
	}
	out := &buffer{m: m}
	for first := true; ; first = false {
		v, ok, err := it.next()
		if err != nil {
			return nil, err
		}
		if !ok {
			return Str(out.String()), nil
		}
		if !first {
			if err := out.write(separator); err != nil {
				return nil, err
			}
		}
		if v, err = get(v); err != nil {
			return nil, err
		}
		if err := m.write(out, v); err != nil {
			return nil, err
		}
	}
}

func filterCenter(m *machine, of Value, a []Value) (Value, error) {
	text, err := m.str(of)
	if err != nil {
		return nil, err
	}
	return m.justify(like(of, text), []Value{or(a[0], Int(80)), absent{}}, 'c')
}

func filterIndent(m *machine, of Value, a []Value) (Value, error) {
	indention, ok := textOf(or(a[0], Int(4)))
	if !ok {
		v, err := m.operate("*", Str(" "), or(a[0], Int(4)))
		if err != nil {
			return nil, err
		}
		indention, _ = textOf(v)
	}
	first, err := m.flag(a[1])
	if err != nil {
		return nil, err
	}
	blank, err := m.flag(a[2])
	if err != nil {
		return nil, err
	}
	if l, isList := of.(*List); isList {
		return nil, raise("AttributeError", "%s object has no attribute 'splitlines'", quote(typeName(l)))
	}
	joined, err := m.operate("+", of, Str("\n"))
	if err != nil {
		return nil, err
	}
	text, ok := textOf(joined)
	if !ok {
		return nil, typeError("can only concatenate %s to %s", typeName(of), typeName(of))
	}
	out := &buffer{m: m}
	for i, line := range splitLines(text, false) {
		if i > 0 {
			if err := out.write("\n"); err != nil {
				return nil, err
			}
		}
		if i == 0 && first || i > 0 && (blank || line != "") {
			if err := out.write(indention); err != nil {
				return nil, err
			}
		}
		if err := out.write(line); err != nil {
			return nil, err
		}
	}
	return like(of, out.String()), nil
}

func filterTruncate(m *machine, of Value, a []Value) (Value, error) {
	length, ok := smallInteger(or(a[0], Int(255)))
	leeway, ok2 := smallInteger(or(or(a[3], nil), nil))
	if or(a[3], nil) == nil {
		leeway, ok2 = 5, true
	}
	if !ok || !ok2 {
		return nil, typeError("truncate() wants integers for length and leeway")
	}
	kill, err := m.flag(a[1])
	if err != nil {
		return nil, err
	}
	end, isText := textOf(or(a[2], Str("...")))
	if !isText {
		return nil, typeError("object of type %s has no len()", quote(typeName(a[2])))
	}
	if n := int64(utf8.RuneCountInString(end)); length < n {
		return nil, raise("AssertionError", "expected length >= %d, got %d", n, length)
	} else if leeway < 0 {
		return nil, raise("AssertionError", "expected leeway >= 0, got %d", leeway)
	}
	size, err := m.length(of)
	if err != nil {
		return nil, err
	}
	text, isText := textOf(of)
	if int64(size)-leeway <= length {
		return of, nil
	}
	if !isText {
		return nil, typeError("truncate() wants a text, not %s", typeName(of))
	}
	cut, err := m.sliceText(text, [3]Value{nil, Int(length - int64(utf8.RuneCountInString(end))), nil})
	if err != nil {
		return nil, err
	}
	if i := strings.LastIndexByte(cut, ' '); !kill && i >= 0 {
		cut = cut[:i]
	}
	return m.operate("+", like(of, cut), or(a[2], Str("...")))
}

func filterWordCount(m *machine, of Value, _ []Value) (Value, error) {
	text, err := m.str(of)
	if err != nil {
		return nil, err
	}
	words := strings.FieldsFunc(text, func(r rune) bool { return r != '_' && !unicode.IsLetter(r) && !unicode.IsNumber(r) })
	return Int(len(words)), m.newItems(len(words))
}

// filterStripTags takes tags and comments away, makes white space single, and resolves entities.
func filterStripTags(m *machine, of Value, _ []Value) (Value, error) {
	text, err := m.str(of)
	if err != nil {
		return nil, err
	}
	if err := m.text(2 * len(text)); err != nil {
		return nil, err
	}
	var kept strings.Builder
	rest := text
	for {
		start := strings.IndexByte(rest, '<')
		if start < 0 {
			break
		}
		end := -1
		if strings.HasPrefix(rest[start:], "<!--") {
			if i := strings.Index(rest[start+4:], "-->"); i >= 0 {
				end = start + 4 + i + 3
			}
		} else if i := strings.IndexByte(rest[start:], '>'); i >= 0 {
			end = start + i + 1
		}
		if end < 0 {
			break
		}
		kept.WriteString(rest[:start])
		rest = rest[end:]
	}
	kept.WriteString(rest)
	return Str(html.UnescapeString(strings.Join(strings.FieldsFunc(kept.String(), isSpace), " "))), nil
}

// roundFloat rounds to n digits after the point, or before it when n < 0, halves of the exact value to even.
func roundFloat(f float64, n int64) float64 {
	switch {
	case math.IsNaN(f) || math.IsInf(f, 0) || f == 0 || n > 323:
		return f
	case n < -308:
		return math.Copysign(0, f)
	case n >= 0:
		rounded, _ := strconv.ParseFloat(strconv.FormatFloat(f, 'f', int(n), 64), 64) // digits always parse
		return rounded
	}
	unit := new(big.Int).Exp(big.NewInt(10), big.NewInt(-n), nil)
	exact := new(big.Rat).SetFloat64(f)
	exact.Quo(exact, new(big.Rat).SetInt(unit))
	text := exact.FloatString(0) // rounds halves away from zero
	whole, _ := new(big.Int).SetString(text, 10)
	twice := new(big.Rat).Mul(exact, big.NewRat(2, 1))
	if twice.IsInt() && twice.Num().Bit(0) == 1 && whole.Bit(0) == 1 { // a half: to even
		whole.Sub(whole, big.NewInt(int64(whole.Sign())))
	}
	rounded, _ := new(big.Float).SetInt(whole.Mul(whole, unit)).Float64()
	return math.Copysign(rounded, f)
}
