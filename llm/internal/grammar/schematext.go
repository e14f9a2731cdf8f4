package grammar

import (
	"fmt"
	"regexp/syntax"
	"slices"
)

// Parts of the formats below.
const (
	clock    = `([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,9})?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)`
	calendar = `(\d{4}-((0[13578]|1[02])-(0[1-9]|[12]\d|3[01])|(0[469]|11)-(0[1-9]|[12]\d|30)|02-(0[1-9]|1\d|2[0-8]))` +
		`|(\d\d(0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00)-02-29)`
	hostLabel = `[A-Za-z0-9]([A-Za-z0-9-]{0,20}[A-Za-z0-9])?`
	hostName  = hostLabel + `(\.` + hostLabel + `){0,4}`
	atoms     = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,20}"
	octet     = `(25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)`
	address4  = octet + `(\.` + octet + `){3}`
	group     = `[0-9a-fA-F]{1,4}`
	address6  = `((` + group + `:){7}` + group + `|(` + group + `:){1,7}:|(` + group + `:){1,6}:` + group + `|(` + group + `:){1,5}(:` + group + `){1,2}|(` + group +
		`:){1,4}(:` + group + `){1,3}|(` + group + `:){1,3}(:` + group + `){1,4}|(` + group + `:){1,2}(:` + group + `){1,5}|` + group + `:(:` + group + `){1,6}|:(:` + group + `){1,7}|::)`
	character = `([A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})`
	behind    = `(/` + character + `*)*(\?(` + character + `|[/?])*)?(#(` + character + `|[/?])*)?`
	address   = `[A-Za-z][A-Za-z0-9+.-]{0,15}://` + hostName + `(:\d{1,4})?` + behind
	hours     = `(\d{1,9}H(\d{1,9}M(\d{1,9}S)?)?|\d{1,9}M(\d{1,9}S)?|\d{1,9}S)`
	days      = `(\d{1,9}Y(\d{1,9}M(\d{1,9}D)?)?|\d{1,9}M(\d{1,9}D)?|\d{1,9}D)`
	pointer   = `(/([^~/\x00-\x1f]|~[01])*)*`
)

// formats are the texts of the formats: those of JSON Schema (2020-12, validation, section 7.3) and some that clients use. Of those with many ways to write a thing
// some are here.
var formats = map[string]string{
	"date":                  `^` + calendar + `$`,
	"time":                  `^` + clock + `$`,
	"date-time":             `^` + calendar + `T` + clock + `$`,
	"duration":              `^P(\d{1,9}W|` + days + `(T` + hours + `)?|T` + hours + `)$`,
	"email":                 `^` + atoms + `(\.` + atoms + `){0,2}@` + hostLabel + `(\.` + hostLabel + `){1,4}$`,
	"idn-email":             `^` + atoms + `(\.` + atoms + `){0,2}@` + hostLabel + `(\.` + hostLabel + `){1,4}$`,
	"hostname":              `^` + hostName + `$`,
	"idn-hostname":          `^` + hostName + `$`,
	"ipv4":                  `^` + address4 + `$`,
	"ipv6":                  `^` + address6 + `$`,
	"uri":                   `^` + address + `$`,
	"url":                   `^` + address + `$`,
	"iri":                   `^` + address + `$`,
	"uri-reference":         `^(` + address + `|` + behind + `)$`,
	"iri-reference":         `^(` + address + `|` + behind + `)$`,
	"uri-template":          `^` + address + `$`,
	"uuid":                  `^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`,
	"json-pointer":          `^` + pointer + `$`,
	"relative-json-pointer": `^(0|[1-9]\d{0,8})(#|` + pointer + `)$`,
	"byte":                  `^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$`,
	"base64":                `^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$`,
}

// freeFormats say what a text is for, and nothing about it.
var freeFormats = []string{"password", "binary", "path", "file-path", "directory-path"}

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
	if f, ok := v.get("format"); ok && !slices.Contains(freeFormats, f.text) {
		if text, ok = formats[f.text]; !ok {
			return expression{}, fmt.Errorf("%s/format: %.60q is not supported for strings", path, f.text)
		}
	}
	if p, ok := v.get("pattern"); ok {
		if p.kind != "string" {
			return expression{}, fmt.Errorf("%s/pattern: got a %s, want a string", path, p.kind)
		}
		if text != "" {
			return expression{}, fmt.Errorf("%s: a pattern beside a format is not supported: put it into the pattern", path)
		}
		text = p.text
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
