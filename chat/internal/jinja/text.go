package jinja

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"unicode"
)

// str is Python's str(v).
func (m *machine) str(v Value) (string, error) {
	switch v := v.(type) {
	case Str:
		return string(v), nil
	case Markup:
		return string(v), nil
	case *undefinedValue:
		return "", nil
	}
	return m.repr(v)
}

// repr is Python's repr(v).
func (m *machine) repr(v Value) (string, error) {
	out := &buffer{m: m}
	if err := m.writeRepr(out, v); err != nil {
		return "", err
	}
	return out.String(), nil
}

func (m *machine) writeRepr(out *buffer, v Value) error {
	if err := m.enter(); err != nil {
		return err
	}
	defer m.leave()
	switch v := v.(type) {
	case nil:
		return out.write("None")
	case Bool:
		if v {
			return out.write("True")
		}
		return out.write("False")
	case Int, *big.Int:
		text, err := formatInteger(v)
		if err != nil {
			return err
		}
		return out.write(text)
	case Float:
		return out.write(formatFloat(float64(v)))
	case Str:
		if err := m.read(len(v)); err != nil {
			return err
		}
		return out.write(quote(string(v)))
	case Markup:
		if err := m.read(len(v)); err != nil {
			return err
		}
		return out.write("Markup(" + quote(string(v)) + ")")
	case *List:
		return m.writeReprs(out, "[", v.items, "]")
	case *Tuple:
		if len(v.items) == 1 {
			return m.writeReprs(out, "(", v.items, ",)")
		}
		return m.writeReprs(out, "(", v.items, ")")
	case *Dict:
		return m.writeReprDict(out, v)
	case *undefinedValue:
		return out.write("Undefined")
	}
	return m.writeReprObject(out, v)
}

func (m *machine) writeReprs(out *buffer, open string, items []Value, end string) error {
	if err := out.write(open); err != nil {
		return err
	}
	for i, item := range items {
		if i > 0 {
			if err := out.write(", "); err != nil {
				return err
			}
		}
		if err := m.writeRepr(out, item); err != nil {
			return err
		}
	}
	return out.write(end)
}

func (m *machine) writeReprDict(out *buffer, d *Dict) error {
	separator := "{"
	for i, key := range d.keys {
		if err := out.write(separator); err != nil {
			return err
		}
		if err := m.writeRepr(out, key); err != nil {
			return err
		}
		if err := out.write(": "); err != nil {
			return err
		}
		if err := m.writeRepr(out, d.values[i]); err != nil {
			return err
		}
		separator = ", "
	}
	if len(d.keys) == 0 {
		return out.write("{}")
	}
	return out.write("}")
}

// writeReprObject writes what only a template makes. Python prints an address for some of them; here there is none.
func (m *machine) writeReprObject(out *buffer, v Value) error {
	switch v := v.(type) {
	case *rangeValue:
		text := fmt.Sprintf("range(%d, %d", v.start, v.stop)
		if v.step != 1 {
			text += fmt.Sprintf(", %d", v.step)
		}
		return out.write(text + ")")
	case *dictView:
		if err := out.write(v.kind + "("); err != nil {
			return err
		}
		items, err := m.items(v)
		if err != nil {
			return err
		}
		return m.writeReprs(out, "[", items, "])")
	case *namespaceValue:
		if err := out.write("<Namespace "); err != nil {
			return err
		}
		if err := m.writeReprDict(out, v.attributes); err != nil {
			return err
		}
		return out.write(">")
	case *loopValue:
		length, err := v.count(m)
		if err != nil {
			return err
		}
		return out.write(fmt.Sprintf("<LoopContext %d/%d>", v.index0+1, length))
	case *macroValue:
		if v.node.name == "" {
			return out.write("<Macro anonymous>")
		}
		return out.write("<Macro " + quote(v.node.name) + ">")
	case *function:
		return out.write("<" + typeName(v) + " " + v.name + ">")
	}
	return out.write("<" + typeName(v) + " object>")
}

// shortRepr is a repr for error messages.
func shortRepr(v Value) string {
	m := newMachine(Options{MaxSteps: 1000, MaxDepth: 10, MaxOutput: 200, MaxMemory: 1 << 20}.withDefaults())
	text, err := m.repr(v)
	if err != nil {
		return "a " + typeName(v)
	}
	return text
}

// quote is Python's repr of a text.
func quote(s string) string {
	mark := byte('\'')
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		mark = '"'
	}
	b := make([]byte, 0, len(s)+2)
	b = append(b, mark)
	for _, r := range s {
		switch {
		case r == rune(mark) || r == '\\':
			b = append(b, '\\', byte(r))
		case r == '\n':
			b = append(b, `\n`...)
		case r == '\r':
			b = append(b, `\r`...)
		case r == '\t':
			b = append(b, `\t`...)
		case r < ' ' || r == 0x7f:
			b = fmt.Appendf(b, `\x%02x`, r)
		case r < 0x7f || unicode.IsPrint(r) || plainRune(r) != r:
			b = append(b, string(r)...)
		case r < 0x100:
			b = fmt.Appendf(b, `\x%02x`, r)
		case r < 0x10000:
			b = fmt.Appendf(b, `\u%04x`, r)
		default:
			b = fmt.Appendf(b, `\U%08x`, r)
		}
	}
	return string(append(b, mark))
}

// isSpace is Python's str.isspace of one character, and \s of its regular expressions.
func isSpace(r rune) bool {
	return r >= 0x1c && r <= 0x1f || unicode.IsSpace(r)
}

// isLineEnd says whether splitlines ends a line at r.
func isLineEnd(r rune) bool {
	switch r {
	case '\n', '\r', '\v', '\f', 0x1c, 0x1d, 0x1e, 0x85, 0x2028, 0x2029:
		return true
	}
	return false
}

// splitLines is Python's str.splitlines.
func splitLines(s string, keepEnds bool) []string {
	var lines []string
	start := 0
	for i, r := range s {
		if i < start || !isLineEnd(r) {
			continue
		}
		end := i + len(string(r))
		if r == '\r' && end < len(s) && s[end] == '\n' {
			end++
		}
		if keepEnds {
			lines = append(lines, s[start:end])
		} else {
			lines = append(lines, s[start:i])
		}
		start = end
	}
	if start < len(s) {
		lines = append(lines, s[start:])
	}
	return lines
}

// htmlEscapes are those of markupsafe.
var htmlEscapes = strings.NewReplacer("&", "&amp;", ">", "&gt;", "<", "&lt;", "'", "&#39;", `"`, "&#34;")

// escape is markupsafe's escape: safe HTML stays as it is.
func (m *machine) escape(v Value) (Markup, error) {
	if safe, ok := v.(Markup); ok {
		return safe, nil
	}
	text, err := m.str(v)
	if err != nil {
		return "", err
	}
	if err := m.text(5 * strings.Count(text, "&")); err != nil {
		return "", err
	}
	escaped := htmlEscapes.Replace(text)
	return Markup(escaped), m.text(len(escaped))
}

// parseInteger is Python's int(text, base) of a text; ok is false where that raises ValueError.
func parseInteger(text string, base int) (Value, bool) {
	text = strings.TrimFunc(text, isSpace)
	digits := strings.TrimLeft(text, "+-")
	if len(text)-len(digits) > 1 || len(digits) > 4300 || digits == "" {
		return nil, false
	}
	if base != 0 && len(digits) > 2 && digits[0] == '0' {
		prefix := map[int]string{2: "bB", 8: "oO", 16: "xX"}[base]
		if prefix != "" && strings.ContainsRune(prefix, rune(digits[1])) {
			digits = strings.TrimPrefix(digits[2:], "_")
		}
	}
	if strings.HasPrefix(digits, "_") || strings.HasSuffix(digits, "_") || strings.Contains(digits, "__") {
		return nil, false
	}
	if base == 0 && len(digits) > 1 && digits[0] == '0' && strings.Trim(digits, "0_") != "" && digits[1] >= '0' && digits[1] <= '9' {
		return nil, false // an old octal number
	}
	if base != 0 {
		digits = strings.ReplaceAll(digits, "_", "")
	}
	if strings.ContainsAny(digits, "+-") {
		return nil, false
	}
	i, ok := new(big.Int).SetString(digits, base)
	if !ok {
		return nil, false
	}
	if text[0] == '-' {
		i.Neg(i)
	}
	v, err := normal(i)
	return v, err == nil
}

// parseFloat is Python's float(text).
func parseFloat(text string) (float64, bool) {
	text = strings.TrimFunc(text, isSpace)
	body := strings.ToLower(strings.TrimLeft(text, "+-"))
	switch body {
	case "inf", "infinity", "nan":
		f, err := strconv.ParseFloat(text, 64)
		return f, err == nil
	}
	if strings.ContainsAny(body, "xp") || body == "" || strings.HasPrefix(body, "_") || strings.HasSuffix(body, "_") || strings.Contains(body, "__") {
		return 0, false
	}
	for i := 1; i < len(body)-1; i++ { // an underscore stands between digits
		if body[i] == '_' && !(isDigit(body[i-1]) && isDigit(body[i+1])) {
			return 0, false
		}
	}
	f, err := strconv.ParseFloat(strings.ReplaceAll(text, "_", ""), 64)
	if e, ok := err.(*strconv.NumError); ok && e.Err == strconv.ErrRange {
		return f, true
	}
	return f, err == nil
}

func isDigit(b byte) bool { return b >= '0' && b <= '9' }
