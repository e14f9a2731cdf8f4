package jinja

import (
	"math"
	"strings"
	"unicode"
	"unicode/utf8"
)

// methodFunction is a method of a Python type.
type methodFunction func(m *machine, of Value, a arguments) (Value, error)

// methods are the methods that a template can call, by type.
var methods = map[string]map[string]methodFunction{
	"str": {
		"capitalize":   caseMethod("capitalize", capitalize),
		"casefold":     caseMethod("casefold", foldCase),
		"center":       justifyMethod("center", 'c'),
		"count":        methodCount,
		"endswith":     affixMethod("endswith", strings.HasSuffix),
		"expandtabs":   bound("expandtabs", "tabsize?", textExpandTabs),
		"find":         findMethod("find", false, false),
		"format":       methodFormat,
		"format_map":   methodFormatMap,
		"index":        findMethod("index", false, true),
		"isalnum":      predicateMethod("isalnum", func(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) }),
		"isalpha":      predicateMethod("isalpha", unicode.IsLetter),
		"isascii":      predicateMethod("isascii", func(r rune) bool { return r < utf8.RuneSelf }),
		"isdecimal":    predicateMethod("isdecimal", unicode.IsDigit),
		"isdigit":      predicateMethod("isdigit", isDigitRune),
		"isidentifier": bound("isidentifier", "", textIsIdentifier),
		"islower":      bound("islower", "", textIsLower),
		"isnumeric":    predicateMethod("isnumeric", unicode.IsNumber),
		"isprintable":  predicateMethod("isprintable", unicode.IsPrint),
		"isspace":      predicateMethod("isspace", isSpace),
		"istitle":      bound("istitle", "", textIsTitle),
		"isupper":      bound("isupper", "", textIsUpper),
		"join":         bound("join", "iterable /", textJoin),
		"ljust":        justifyMethod("ljust", 'l'),
		"lower":        caseMethod("lower", lower),
		"lstrip":       stripMethod("lstrip", strings.TrimLeftFunc),
		"partition":    partitionMethod("partition", strings.Index),
		"removeprefix": bound("removeprefix", "prefix /", textRemovePrefix),
		"removesuffix": bound("removesuffix", "suffix /", textRemoveSuffix),
		"replace":      bound("replace", "old new count? /", textReplace),
		"rfind":        findMethod("rfind", true, false),
		"rindex":       findMethod("rindex", true, true),
		"rjust":        justifyMethod("rjust", 'r'),
		"rpartition":   partitionMethod("rpartition", strings.LastIndex),
		"rsplit":       splitMethod("rsplit", true),
		"rstrip":       stripMethod("rstrip", strings.TrimRightFunc),
		"split":        splitMethod("split", false),
		"splitlines":   bound("splitlines", "keepends?", textSplitLines),
		"startswith":   affixMethod("startswith", strings.HasPrefix),
		"strip":        methodStrip,
		"swapcase":     caseMethod("swapcase", swapCase),
		"title":        caseMethod("title", title),
		"upper":        caseMethod("upper", upper),
		"zfill":        bound("zfill", "width /", textZeroFill),
	},
	"list":  {"copy": bound("copy", "", listCopy), "count": bound("count", "value /", sequenceCount), "index": bound("index", "value start? stop? /", sequenceIndex)},
	"tuple": {"count": bound("count", "value /", sequenceCount), "index": bound("index", "value start? stop? /", sequenceIndex)},
	"range": {"count": bound("count", "value /", sequenceCount), "index": bound("index", "value start? stop? /", sequenceIndex)},
	"dict": {
		"copy":   bound("copy", "", dictCopy),
		"get":    bound("get", "key default? /", dictGet),
		"items":  viewMethod("items"),
		"keys":   viewMethod("keys"),
		"values": viewMethod("values"),
	},
	"int":   {"bit_length": bound("bit_length", "", integerBitLength)},
	"float": {"is_integer": bound("is_integer", "", floatIsInteger)},
	"function": {
		"fromkeys": bound("fromkeys", "iterable value? /", dictFromKeys), // of dict, the only function with a method
	},
}

// bound makes a method with parameters.
func bound(name, parameters string, call func(m *machine, of Value, a []Value) (Value, error)) methodFunction {
	return func(m *machine, of Value, a arguments) (Value, error) {
		values, err := a.bind(name, parameters)
		if err != nil {
			return nil, err
		}
		return call(m, of, values)
	}
}

func caseMethod(name string, change func(string) string) methodFunction {
	return bound(name, "", func(m *machine, of Value, _ []Value) (Value, error) {
		text, _ := textOf(of)
		changed, err := m.mapText(text, change)
		if _, safe := of.(Markup); safe && name == "title" && changed == "" {
			return Markup(""), err
		}
		return like(of, changed), err
	})
}

// foldCase is Python's str.casefold: a character whose upper case is several ones folds to these in lower case. Letters
// whose fold is neither that nor their lower case (Cherokee, some Greek) are left as they are.
func foldCase(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch special, ok := specialUpper[r]; {
		case ok:
			b.WriteString(lower(special))
		case r == 'ς':
			b.WriteRune('σ')
		case r == 'ſ':
			b.WriteRune('s')
		case r == 'Σ':
			b.WriteRune('σ')
		default:
			b.WriteString(lower(string(r)))
		}
	}
	return b.String()
}

func predicateMethod(name string, holds func(rune) bool) methodFunction {
	return bound(name, "", func(m *machine, of Value, _ []Value) (Value, error) {
		text, _ := textOf(of)
		all := strings.IndexFunc(text, func(r rune) bool { return !holds(plainRune(r)) }) < 0
		empty := text == "" && name != "isascii" && name != "isprintable"
		return Bool(all && !empty), m.read(len(text))
	})
}

// isDigitRune: superscripts and circled digits are digits, too.
func isDigitRune(r rune) bool {
	return unicode.IsDigit(r) || r == '²' || r == '³' || r == '¹' || r >= 0x2070 && r <= 0x2089 && unicode.IsNumber(r) || r >= 0x2460 && r <= 0x2468
}

func textIsIdentifier(m *machine, of Value, _ []Value) (Value, error) {
	text, _ := textOf(of)
	for i, r := range text {
		if !isNamePart(r) || i == 0 && r != '_' && !unicode.IsLetter(r) && !unicode.Is(unicode.Nl, r) {
			return Bool(false), nil
		}
	}
	return Bool(text != ""), m.read(len(text))
}

func isLower(s string) bool {
	some := false
	for _, r := range s {
		if unicode.IsUpper(r) || unicode.IsTitle(r) {
			return false
		}
		some = some || unicode.IsLower(r)
	}
	return some
}

func isUpper(s string) bool {
	some := false
	for _, r := range s {
		if unicode.IsLower(r) || unicode.IsTitle(r) {
			return false
		}
		some = some || unicode.IsUpper(r)
	}
	return some
}

func textIsLower(m *machine, of Value, _ []Value) (Value, error) {
	text, _ := textOf(of)
	return Bool(isLower(text)), m.read(len(text))
}

func textIsUpper(m *machine, of Value, _ []Value) (Value, error) {
	text, _ := textOf(of)
	return Bool(isUpper(text)), m.read(len(text))
}

func textIsTitle(m *machine, of Value, _ []Value) (Value, error) {
	text, _ := textOf(of)
	before, some := false, false
	for _, r := range text {
		isHead := unicode.IsUpper(r) || unicode.IsTitle(r)
		switch {
		case isHead && before, unicode.IsLower(r) && !before:
			return Bool(false), nil
		case isHead:
			some = true
		}
		before = isHead || unicode.IsLower(r)
	}
	return Bool(some), m.read(len(text))
}

// wantText is the text of an argument, or Python's complaint.
func wantText(method string, v Value) (string, error) {
	text, ok := textOf(v)
	if !ok {
		return "", typeError("%s() argument must be str, not %s", method, typeName(v))
	}
	return text, nil
}

// wantInt is an integer argument, cut to what fits 32 bits.
func wantInt(v Value) (int, error) {
	i, ok := integer(v)
	if !ok {
		return 0, typeError("%s object cannot be interpreted as an integer", quote(typeName(v)))
	}
	switch {
	case i.IsInt64() && i.Int64() >= math.MinInt32 && i.Int64() <= math.MaxInt32:
		return int(i.Int64()), nil
	case i.Sign() < 0:
		return math.MinInt32, nil
	}
	return math.MaxInt32, nil
}

var methodStrip = stripMethod("strip", strings.TrimFunc)

func stripMethod(name string, trim func(string, func(rune) bool) string) methodFunction {
	return bound(name, "chars? /", func(m *machine, of Value, a []Value) (Value, error) {
		text, _ := textOf(of)
		if err := m.read(len(text)); err != nil {
			return nil, err
		}
		if or(a[0], nil) == nil {
			return like(of, trim(text, isSpace)), nil
		}
		chars, ok := textOf(a[0])
		if !ok {
			return nil, typeError("%s arg must be None or str", name)
		}
		chars = plain(chars)
		if len(chars) < 8 {
			return like(of, trim(text, func(r rune) bool { return strings.ContainsRune(chars, plainRune(r)) })), nil
		}
		set := map[rune]bool{}
		for _, r := range chars {
			set[r] = true
		}
		return like(of, trim(text, func(r rune) bool { return set[plainRune(r)] })), m.read(len(chars))
	})
}

func affixMethod(name string, has func(text, part string) bool) methodFunction {
	return bound(name, "part start? end? /", func(m *machine, of Value, a []Value) (Value, error) {
		text, _, ok, err := m.window(of, a[1], a[2])
		if err != nil {
			return nil, err
		}
		parts := []Value{a[0]}
		if t, isTuple := a[0].(*Tuple); isTuple {
			parts = t.items
		}
		for _, part := range parts {
			p, isText := textOf(part)
			if !isText {
				return nil, typeError("%s first arg must be str or a tuple of str, not %s", name, typeName(part))
			}
			if err := m.read(len(p)); err != nil {
				return nil, err
			}
			if ok && has(plain(text), plain(p)) {
				return Bool(true), nil
			}
		}
		return Bool(false), nil
	})
}

// window is the part of a text between two positions, as the methods that search take it: its first position, and ok is
// false if start lies behind the end.
func (m *machine) window(of, start, end Value) (text string, first int, ok bool, err error) {
	text, _ = textOf(of)
	start, end = or(start, nil), or(end, nil)
	if start == nil && end == nil {
		return text, 0, true, nil
	}
	runes, err := m.runes(text)
	if err != nil {
		return "", 0, false, err
	}
	n := len(runes)
	at := [2]int{0, n}
	for i, v := range []Value{start, end} {
		if v == nil {
			continue
		}
		if at[i], err = wantInt(v); err != nil {
			return "", 0, false, typeError("slice indices must be integers or None or have an __index__ method")
		}
		if at[i] < 0 {
			at[i] = max(0, at[i]+n)
		}
	}
	at[1] = min(at[1], n)
	if at[0] > at[1] {
		return "", 0, false, nil
	}
	return string(runes[at[0]:at[1]]), at[0], true, nil
}

func findMethod(name string, last, must bool) methodFunction {
	return bound(name, "sub start? end? /", func(m *machine, of Value, a []Value) (Value, error) {
		part, err := wantText(name, a[0])
		if err != nil {
			return nil, err
		}
		text, first, ok, err := m.window(of, a[1], a[2])
		if err != nil {
			return nil, err
		}
		text, part = plain(text), plain(part)
		at := -1
		if ok && last {
			at = strings.LastIndex(text, part)
		} else if ok {
			at = strings.Index(text, part)
		}
		if err := m.read(len(text)); err != nil {
			return nil, err
		}
		switch {
		case at >= 0:
			return Int(first + utf8.RuneCountInString(text[:at])), nil
		case must:
			return nil, valueError("substring not found")
		}
		return Int(-1), nil
	})
}

func methodCount(m *machine, of Value, a arguments) (Value, error) {
	values, err := a.bind("count", "sub start? end? /")
	if err != nil {
		return nil, err
	}
	part, err := wantText("count", values[0])
	if err != nil {
		return nil, err
	}
	text, _, ok, err := m.window(of, values[1], values[2])
	if err != nil || !ok {
		return Int(0), err
	}
	return Int(strings.Count(plain(text), plain(part))), m.read(len(text))
}

func partitionMethod(name string, find func(text, part string) int) methodFunction {
	return bound(name, "sep /", func(m *machine, of Value, a []Value) (Value, error) {
		part, err := wantText(name, a[0])
		if err != nil {
			return nil, err
		}
		if part == "" {
			return nil, valueError("empty separator")
		}
		text, _ := textOf(of)
		parts := [3]string{text, "", ""}
		if name == "rpartition" {
			parts = [3]string{"", "", text}
		}
		if at := find(plain(text), plain(part)); at >= 0 {
			at = ahead(text, utf8.RuneCountInString(plain(text)[:at]))
			parts = [3]string{text[:at], part, text[at+ahead(text[at:], utf8.RuneCountInString(part)):]}
		}
		items := make([]Value, 3)
		for i := range items {
			items[i] = like(of, parts[i])
		}
		return &Tuple{items: items}, m.text(len(text))
	})
}
