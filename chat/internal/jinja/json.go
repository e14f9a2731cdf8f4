package jinja

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/big"
	"strings"
	"unicode/utf8"
)

// maxJSONDepth bounds the nesting of values that are read; what Python's json reads by default is about 990 deep.
const maxJSONDepth = 200

// DecodeJSON reads one JSON value. Objects keep the order of their keys (the last value of a key counts, in the first one's
// place), integers are exact, and a number with a fraction or an exponent is a float, as with Python's json.
func DecodeJSON(data []byte) (Value, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	v, err := decodeValue(d, 0)
	if err != nil {
		return nil, fmt.Errorf("JSON, byte %d: %w", d.InputOffset(), err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("JSON, byte %d: more than one value", d.InputOffset())
	}
	return v, nil
}

func decodeValue(d *json.Decoder, depth int) (Value, error) {
	t, err := d.Token()
	if err == io.EOF {
		return nil, io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, err
	}
	if depth > maxJSONDepth {
		return nil, fmt.Errorf("nested more than %d deep", maxJSONDepth)
	}
	switch t := t.(type) {
	case bool:
		return Bool(t), nil
	case string:
		return Str(t), nil
	case json.Number:
		return decodeNumber(string(t))
	case json.Delim:
		if t == '[' {
			return decodeList(d, depth)
		}
		return decodeDict(d, depth)
	}
	return nil, nil
}

func decodeNumber(text string) (Value, error) {
	if strings.ContainsAny(text, ".eE") {
		f, ok := parseFloat(text)
		if !ok {
			return nil, fmt.Errorf("number %.40s", text)
		}
		return Float(f), nil
	}
	if len(text) > 4300 {
		return nil, fmt.Errorf("an integer of %d digits, at most 4300", len(text))
	}
	i, ok := new(big.Int).SetString(text, 10)
	if !ok {
		return nil, fmt.Errorf("number %.40s", text)
	}
	return normal(i)
}

func decodeList(d *json.Decoder, depth int) (Value, error) {
	items := []Value{}
	for d.More() {
		v, err := decodeValue(d, depth+1)
		if err != nil {
			return nil, err
		}
		items = append(items, v)
	}
	_, err := d.Token()
	return &List{items}, err
}

func decodeDict(d *json.Decoder, depth int) (Value, error) {
	dict := NewDict()
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, err
		}
		name, _ := key.(string) // the decoder lets nothing else through
		v, err := decodeValue(d, depth+1)
		if err != nil {
			return nil, err
		}
		dict.Set(name, v)
	}
	_, err := d.Token()
	return dict, err
}

// jsonWriter writes values as Python's json.dumps does.
type jsonWriter struct {
	m                  *machine
	out                *buffer
	ascii, sorted      bool
	pretty             bool
	indent             string
	between, afterName string
}

// filterToJSON is transformers' tojson: json.dumps, by default without escapes beyond ASCII, and never with HTML's.
func filterToJSON(m *machine, of Value, a []Value) (Value, error) {
	w := &jsonWriter{m: m, out: &buffer{m: m}, between: ", ", afterName: ": "}
	var err error
	if w.ascii, err = m.flag(a[0]); err != nil {
		return nil, err
	}
	if w.sorted, err = m.flag(a[3]); err != nil {
		return nil, err
	}
	if indent := or(a[1], nil); indent != nil {
		w.pretty, w.between = true, ","
		var ok bool
		if w.indent, ok = textOf(indent); !ok {
			n, err := wantInt(indent)
			if err != nil {
				return nil, typeError("can't multiply sequence by non-int of type %s", quote(typeName(indent)))
			}
			if err := m.text(n * 8 / 8); n > 0 && err != nil {
				return nil, err
			}
			w.indent = strings.Repeat(" ", max(0, n))
		}
	}
	if separators := or(a[2], nil); separators != nil {
		items, err := m.items(separators)
		if err != nil {
			return nil, err
		}
		if len(items) != 2 {
			return nil, valueError("separators: want two texts, got %d", len(items))
		}
		between, ok := textOf(items[0])
		afterName, ok2 := textOf(items[1])
		if !ok || !ok2 {
			return nil, typeError("separators: want two texts")
		}
		w.between, w.afterName = between, afterName
	}
	if err := w.value(of, 1); err != nil {
		return nil, err
	}
	return Str(w.out.String()), nil
}

func (w *jsonWriter) value(v Value, level int) error {
	if err := w.m.enter(); err != nil {
		return err
	}
	defer w.m.leave()
	if text, ok := textOf(v); ok {
		return w.text(text)
	}
	switch v := v.(type) {
	case nil:
		return w.out.write("null")
	case Bool:
		return w.out.write(jsonBool(v))
	case Int, *big.Int:
		text, err := formatInteger(v)
		if err != nil {
			return err
		}
		return w.out.write(text)
	case Float:
		return w.out.write(jsonFloat(v))
	case *List:
		return w.list(v.items, level)
	case *Tuple:
		return w.list(v.items, level)
	case *Dict:
		return w.dict(v, level)
	}
	return typeError("Object of type %s is not JSON serializable", typeName(v))
}

func jsonBool(v Bool) string {
	if v {
		return "true"
	}
	return "false"
}

func jsonFloat(v Float) string {
	switch f := float64(v); {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	default:
		return formatFloat(f)
	}
}

// line begins a new line of a pretty value.
func (w *jsonWriter) line(level int) error {
	if !w.pretty {
		return nil
	}
	if err := w.out.write("\n"); err != nil {
		return err
	}
	for range level {
		if err := w.out.write(w.indent); err != nil {
			return err
		}
	}
	return nil
}

func (w *jsonWriter) list(items []Value, level int) error {
	if len(items) == 0 {
		return w.out.write("[]")
	}
	return w.sequence("[", "]", len(items), level, func(i int) error { return w.value(items[i], level+1) })
}

// sequence writes n parts between two marks.
func (w *jsonWriter) sequence(open, end string, n, level int, part func(i int) error) error {
	if err := w.out.write(open); err != nil {
		return err
	}
	for i := range n {
		if i > 0 {
			if err := w.out.write(w.between); err != nil {
				return err
			}
		}
		if err := w.line(level); err != nil {
			return err
		}
		if err := part(i); err != nil {
			return err
		}
	}
	if err := w.line(level - 1); err != nil {
		return err
	}
	return w.out.write(end)
}

func (w *jsonWriter) dict(d *Dict, level int) error {
	if len(d.keys) == 0 {
		return w.out.write("{}")
	}
	pairs, err := w.m.items(&dictView{d, "dict_items"})
	if err != nil {
		return err
	}
	if w.sorted {
		pairs, err = w.m.sorted(pairs, func(v Value) (Value, error) { return v.(*Tuple).items[0], nil }, false)
		if err != nil {
			return err
		}
	}
	return w.sequence("{", "}", len(pairs), level, func(i int) error {
		pair := pairs[i].(*Tuple).items
		name, err := jsonName(pair[0])
		if err != nil {
			return err
		}
		if err := w.text(name); err != nil {
			return err
		}
		if err := w.out.write(w.afterName); err != nil {
			return err
		}
		return w.value(pair[1], level+1)
	})
}

// jsonName is the text that a key becomes.
func jsonName(key Value) (string, error) {
	if text, ok := textOf(key); ok {
		return text, nil
	}
	switch key := key.(type) {
	case nil:
		return "null", nil
	case Bool:
		return jsonBool(key), nil
	case Int, *big.Int:
		return formatInteger(key)
	case Float:
		return jsonFloat(key), nil
	}
	return "", typeError("keys must be str, int, float, bool or None, not %s", typeName(key))
}

var jsonEscapes = map[rune]string{'"': `\"`, '\\': `\\`, '\n': `\n`, '\r': `\r`, '\t': `\t`, '\f': `\f`, '\b': `\b`}

func (w *jsonWriter) text(s string) error {
	if err := w.m.read(len(s)); err != nil {
		return err
	}
	start := 0
	if err := w.out.write(`"`); err != nil {
		return err
	}
	for i, r := range s {
		escaped, ok := jsonEscapes[r]
		switch {
		case ok:
		case r < ' ' || w.ascii && r >= 0x7f && r < 0x10000 && r != 0x7f:
			escaped = fmt.Sprintf(`\u%04x`, r)
		case w.ascii && r >= 0x10000 && plainRune(r) == r:
			r -= 0x10000
			escaped = fmt.Sprintf(`\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
			r += 0x10000
		default:
			continue
		}
		if err := w.out.write(s[start:i] + escaped); err != nil {
			return err
		}
		start = i + utf8.RuneLen(r)
	}
	return w.out.write(s[start:] + `"`)
}
