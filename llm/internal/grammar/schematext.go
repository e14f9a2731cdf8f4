package grammar

import (
	"fmt"
	"math"
	"regexp/syntax"
	"strconv"
)

// formats are the texts of the formats that are more than annotations.
var formats = map[string]string{
	"date":      `^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$`,
	"time":      `^([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,9})?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$`,
	"date-time": `^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,9})?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$`,
	"uuid":      `^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`,
}

func (s *schemaCompiler) string(v *value, path string) (expression, error) {
	low, err := count(v, path, "minLength", 0)
	if err != nil {
		return expression{}, err
	}
	high, err := count(v, path, "maxLength", -1)
	if err != nil {
		return expression{}, err
	}
	if high >= 0 && high < low {
		return expression{}, fmt.Errorf("%s: at least %d characters and at most %d: no string has both", path, low, high)
	}
	text := ""
	if p, ok := v.get("pattern"); ok {
		text = p.text
	} else if f, ok := v.get("format"); ok {
		text = formats[f.text]
	}
	if text == "" {
		return all(literal(`"`), times(to(anyChar), low, high), literal(`"`)), nil
	}
	if low > 0 || high >= 0 {
		return expression{}, fmt.Errorf("%s: a length beside a pattern or format is not supported: put it into the pattern", path)
	}
	tree, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return expression{}, fmt.Errorf("%s/pattern: %w", path, err)
	}
	e, err := pattern(tree.Simplify())
	if err != nil {
		return expression{}, fmt.Errorf("%s/pattern: %w", path, err)
	}
	return all(literal(`"`), e, literal(`"`)), nil
}

// pattern turns a regular expression into the JSON strings that it finds something in.
func pattern(r *syntax.Regexp) (expression, error) {
	list := []*syntax.Regexp{r}
	if r.Op == syntax.OpConcat {
		list = r.Sub
	}
	begins := len(list) > 0 && (list[0].Op == syntax.OpBeginText || list[0].Op == syntax.OpBeginLine)
	if begins {
		list = list[1:]
	}
	ends := len(list) > 0 && (list[len(list)-1].Op == syntax.OpEndText || list[len(list)-1].Op == syntax.OpEndLine)
	if ends {
		list = list[:len(list)-1]
	}
	anything := times(to(anyChar), 0, -1)
	var parts []expression
	if !begins {
		parts = append(parts, anything)
	}
	for _, sub := range list {
		e, err := regular(sub)
		if err != nil {
			return expression{}, err
		}
		parts = append(parts, e)
	}
	if !ends {
		parts = append(parts, anything)
	}
	return all(parts...), nil
}

// regular turns a part of a regular expression into JSON text.
func regular(r *syntax.Regexp) (expression, error) {
	var parts []expression
	for _, sub := range r.Sub {
		e, err := regular(sub)
		if err != nil {
			return expression{}, err
		}
		parts = append(parts, e)
	}
	switch r.Op {
	case syntax.OpEmptyMatch:
		return all(), nil
	case syntax.OpNoMatch:
		return either(), nil
	case syntax.OpLiteral:
		if r.Flags&syntax.FoldCase != 0 {
			return expression{}, fmt.Errorf("%.60q ignores case, which is not supported", r)
		}
		for _, c := range r.Rune {
			parts = append(parts, written(runeRange{c, c}))
		}
		return all(parts...), nil
	case syntax.OpCharClass:
		var ranges []runeRange
		for i := 0; i < len(r.Rune); i += 2 {
			ranges = append(ranges, runeRange{r.Rune[i], r.Rune[i+1]})
		}
		return written(ranges...), nil
	case syntax.OpAnyChar:
		return written(runeRange{0, maxRune}), nil
	case syntax.OpAnyCharNotNL:
		return written(complement([]runeRange{{'\n', '\n'}})...), nil
	case syntax.OpCapture, syntax.OpConcat:
		return all(parts...), nil
	case syntax.OpAlternate:
		return either(parts...), nil
	case syntax.OpStar:
		return times(parts[0], 0, -1), nil
	case syntax.OpPlus:
		return times(parts[0], 1, -1), nil
	case syntax.OpQuest:
		return optional(parts[0]), nil
	}
	return expression{}, fmt.Errorf("%.60q is not supported within a pattern", r)
}

// written is one of some characters as a JSON string holds it.
func written(ranges ...runeRange) expression {
	// The characters that need an escape, and their only one here.
	var escaped []expression
	for c := rune(0); c <= 0x7F; c++ {
		for _, r := range ranges {
			if c >= r.lo && c <= r.hi && (c < 0x20 || c == '"' || c == '\\') {
				text := quote(string(c))
				escaped = append(escaped, literal(text[1:len(text)-1]))
			}
		}
	}
	itself := oneOf(complement(append(complement(ranges), runeRange{0, 0x1F}, runeRange{'"', '"'}, runeRange{'\\', '\\'}))...)
	return either(append(escaped, itself)...)
}

// integer is a whole number within the bounds of a schema.
func integer(v *value, path string) (expression, error) {
	low, high := int64(math.MinInt64), int64(math.MaxInt64)
	bounded := false
	for _, name := range []string{"minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum"} {
		b, ok := v.get(name)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(b.text, 10, 62)
		if b.kind != "number" || err != nil {
			return expression{}, fmt.Errorf("%s/%s: got %.60s, want a whole number of at most 18 digits", path, name, b.text)
		}
		bounded = true
		switch name {
		case "minimum":
			low = max(low, n)
		case "exclusiveMinimum":
			low = max(low, n+1)
		case "maximum":
			high = min(high, n)
		case "exclusiveMaximum":
			high = min(high, n-1)
		}
	}
	if !bounded {
		return to(anyWhole), nil
	}
	if low > high {
		return expression{}, fmt.Errorf("%s: no whole number is at least %d and at most %d", path, low, high)
	}
	const most = 999_999_999_999_999_999 // as far as an integer without bounds goes
	low, high = max(low, -most), min(high, most)
	var list []expression
	if high >= 0 {
		list = append(list, between(max(low, 0), high))
	}
	if low < 0 {
		list = append(list, all(literal("-"), between(max(1, -high), -low)))
	}
	return either(list...), nil
}

// between is the decimals of low to high, both at least 0, without leading zeros.
func between(low, high int64) expression {
	var list []expression
	for digits := 1; digits <= 18; digits++ {
		first, last := int64(math.Pow10(digits-1)), int64(math.Pow10(digits))-1
		if digits == 1 {
			first = 0
		}
		if l, h := max(low, first), min(high, last); l <= h {
			list = append(list, sameLength(strconv.FormatInt(l, 10), strconv.FormatInt(h, 10)))
		}
	}
	return either(list...)
}

// sameLength is the texts of digits between two of the same length.
func sameLength(low, high string) expression {
	if low == "" {
		return all()
	}
	rest := len(low) - 1
	zeros, nines := fmt.Sprintf("%0*d", rest, 0)[:rest], fmt.Sprint(int64(math.Pow10(rest)) - 1)[:rest]
	one := func(a, b byte) expression { return oneOf(runeRange{rune(a), rune(b)}) }
	if low[1:] == zeros && high[1:] == nines {
		return all(one(low[0], high[0]), times(digit, rest, rest))
	}
	if low[0] == high[0] {
		return all(one(low[0], low[0]), sameLength(low[1:], high[1:]))
	}
	list := []expression{all(one(low[0], low[0]), sameLength(low[1:], nines)), all(one(high[0], high[0]), sameLength(zeros, high[1:]))}
	if high[0]-low[0] > 1 {
		list = append(list, all(one(low[0]+1, high[0]-1), times(digit, rest, rest)))
	}
	return either(list...)
}
