package verify

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// pyKind is the kind of a plain value of Python.
type pyKind uint8

const (
	pyNone pyKind = iota
	pyBool
	pyInt
	pyFloat
	pyComplex
	pyRatio // a fraction, or a decimal number
	pyString
	pyBytes
	pyList
	pyTuple
	pySet
	pyDict
	pyOpaque // an object of any other type, equal to nothing
)

// pyValue is a plain value of Python.
type pyValue struct {
	kind  pyKind
	text  string     // the digits of an integer, without leading zeros; the content of a string (lone surrogates in three bytes) or of bytes
	float float64    // of pyFloat; 1 of True; the real part
	imag  float64    // of pyComplex
	items []*pyValue // of pyRatio: numerator and denominator; of a dict: key, value, key, value ...
}

var (
	pyTrue  = &pyValue{kind: pyBool, float: 1}
	pyFalse = &pyValue{kind: pyBool}
)

// maxValueDepth is how deep values may be nested; the program's side writes up to 90.
const maxValueDepth = 100

// valueOfJSON reads a value as Python's json module does: a number with a point or an exponent is a float.
func valueOfJSON(text []byte) (*pyValue, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	v, err := decodeValue(decoder, 0)
	if err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more follows the value")
	}
	return v, nil
}

func decodeValue(decoder *json.Decoder, depth int) (*pyValue, error) {
	if depth > maxValueDepth {
		return nil, fmt.Errorf("nested over %d deep", maxValueDepth)
	}
	token, err := decoder.Token()
	if err != nil {
		return nil, err
	}
	switch t := token.(type) {
	case nil:
		return &pyValue{kind: pyNone}, nil
	case bool:
		if t {
			return pyTrue, nil
		}
		return pyFalse, nil
	case string:
		return &pyValue{kind: pyString, text: t}, nil
	case json.Number:
		if strings.ContainsAny(t.String(), ".eE") {
			f, err := parseFloat(t.String())
			return &pyValue{kind: pyFloat, float: f}, err
		}
		return &pyValue{kind: pyInt, text: plainInteger(t.String())}, nil
	case json.Delim:
		v := &pyValue{kind: pyList}
		if t == '{' {
			v.kind = pyDict
		}
		for decoder.More() {
			item, err := decodeValue(decoder, depth+1)
			if err != nil {
				return nil, err
			}
			v.items = append(v.items, item)
		}
		_, err := decoder.Token() // the closing bracket
		return v, err
	}
	return nil, fmt.Errorf("unexpected %v", token)
}

// parseFloat reads a float as Python does: what is too large is infinite.
func parseFloat(text string) (float64, error) {
	f, err := strconv.ParseFloat(text, 64)
	if errors.Is(err, strconv.ErrRange) {
		err = nil
	}
	return f, err
}

// plainInteger removes a plus sign, leading zeros, and the sign of zero.
func plainInteger(s string) string {
	sign := ""
	if s[0] == '-' {
		sign, s = "-", s[1:]
	}
	s = strings.TrimLeft(s, "+0")
	if s == "" {
		return "0"
	}
	return sign + s
}

// equal says whether Python's == holds between plain values: numbers by value whatever their type, sequences item by item, a
// list and a tuple only if tuplesAreLists, sets and dicts in any order, NaN with nothing.
func (v *pyValue) equal(w *pyValue, tuplesAreLists bool) bool {
	a, b := &pyKeys{tuples: tuplesAreLists}, &pyKeys{tuples: tuplesAreLists}
	a.write(v)
	b.write(w)
	return !a.never && !b.never && a.String() == b.String()
}

// pyKeys writes a text that is the same for equal values and only for them.
type pyKeys struct {
	strings.Builder

	tuples bool // tuples are lists
	never  bool // the value is not even equal to itself
}

func (k *pyKeys) write(v *pyValue) {
	switch v.kind {
	case pyNone:
		k.WriteByte('N')
	case pyString, pyBytes:
		mark := byte('s')
		if v.kind == pyBytes {
			mark = 'b'
		}
		k.WriteByte(mark)
		k.WriteString(strconv.Itoa(len(v.text)))
		k.WriteByte(':')
		k.WriteString(v.text)
	case pyList:
		k.list(v.items, '[', ']')
	case pyTuple:
		if k.tuples {
			k.list(v.items, '[', ']')
		} else {
			k.list(v.items, '(', ')')
		}
	case pySet, pyDict:
		k.unordered(v)
	case pyOpaque:
		k.never = true
	default:
		k.number(v)
	}
}

func (k *pyKeys) list(items []*pyValue, open, end byte) {
	k.WriteByte(open)
	for _, item := range items {
		k.write(item)
		k.WriteByte(',')
	}
	k.WriteByte(end)
}

// unordered writes the distinct items of a set, or the pairs of a dict of which the last of each key counts, in the order of
// their keys.
func (k *pyKeys) unordered(v *pyValue) {
	pairs := map[string]string{}
	step := 1
	if v.kind == pyDict {
		step = 2
	}
	for i := 0; i+step <= len(v.items); i += step {
		key, value := &pyKeys{tuples: k.tuples}, &pyKeys{tuples: k.tuples}
		key.write(v.items[i])
		if step == 2 {
			value.write(v.items[i+1])
		}
		k.never = k.never || key.never || value.never
		pairs[key.String()] = value.String()
	}
	names := make([]string, 0, len(pairs))
	for name := range pairs {
		names = append(names, name)
	}
	slices.Sort(names)
	k.WriteString([...]string{1: "{", 2: "d{"}[step])
	for _, name := range names {
		k.WriteString(name)
		k.WriteByte('=')
		k.WriteString(pairs[name])
		k.WriteByte(',')
	}
	k.WriteByte('}')
}

// number writes the exact value: an integer by its digits, a fraction in lowest terms.
func (k *pyKeys) number(v *pyValue) {
	switch v.kind {
	case pyBool:
		k.WriteByte('0' + byte(v.float))
	case pyInt:
		k.WriteString(v.text)
	case pyComplex:
		k.float(v.float)
		if v.imag != 0 {
			k.WriteByte('i')
			k.float(v.imag)
		}
	case pyRatio:
		above, okA := new(big.Int).SetString(v.items[0].text, 10)
		under, okB := new(big.Int).SetString(v.items[1].text, 10)
		if !okA || !okB || under.Sign() == 0 {
			k.never = true
			return
		}
		k.rational(new(big.Rat).SetFrac(above, under))
	default:
		k.float(v.float)
	}
}

func (k *pyKeys) float(f float64) {
	r := new(big.Rat).SetFloat64(f)
	switch {
	case math.IsNaN(f):
		k.never = true
	case r == nil:
		k.WriteString(strconv.FormatFloat(f, 'g', -1, 64)) // infinite
	default:
		k.rational(r)
	}
}

func (k *pyKeys) rational(r *big.Rat) {
	if r.IsInt() {
		k.WriteString(r.Num().String())
		return
	}
	k.WriteString(r.String())
}

// String returns the value as a literal of Python (complex and ratio are calls, opaque is a name), in one line.
func (v *pyValue) String() string {
	var b strings.Builder
	v.print(&b)
	return b.String()
}

func (v *pyValue) print(b *strings.Builder) {
	switch v.kind {
	case pyNone:
		b.WriteString("None")
	case pyBool:
		b.WriteString([...]string{"False", "True"}[int(v.float)])
	case pyInt:
		b.WriteString(v.text)
	case pyFloat:
		b.WriteString(floatText(v.float))
	case pyComplex:
		b.WriteString("complex(" + floatText(v.float) + "," + floatText(v.imag) + ")")
	case pyRatio:
		b.WriteString("ratio(" + v.items[0].text + "," + v.items[1].text + ")")
	case pyString:
		printString(b, v.text)
	case pyBytes:
		b.WriteByte('b')
		printBytes(b, v.text)
	case pyList:
		printItems(b, v.items, "[", "]")
	case pyTuple:
		if len(v.items) == 1 {
			printItems(b, v.items, "(", ",)")
			return
		}
		printItems(b, v.items, "(", ")")
	case pySet:
		if len(v.items) == 0 {
			b.WriteString("set()")
			return
		}
		printItems(b, v.items, "{", "}")
	case pyDict:
		b.WriteByte('{')
		for i := 0; i+1 < len(v.items); i += 2 {
			if i > 0 {
				b.WriteString(", ")
			}
			v.items[i].print(b)
			b.WriteString(": ")
			v.items[i+1].print(b)
		}
		b.WriteByte('}')
	default:
		b.WriteString("opaque")
	}
}

func printItems(b *strings.Builder, items []*pyValue, open, end string) {
	b.WriteString(open)
	for i, item := range items {
		if i > 0 {
			b.WriteString(", ")
		}
		item.print(b)
	}
	b.WriteString(end)
}

func floatText(f float64) string {
	text := strings.ToLower(strings.TrimPrefix(strconv.FormatFloat(f, 'g', -1, 64), "+"))
	if !strings.ContainsAny(text, ".einf") {
		text += ".0"
	}
	return text
}

func printString(b *strings.Builder, s string) {
	b.WriteByte('\'')
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1 && i+2 < len(s) && s[i] == 0xed:
			fmt.Fprintf(b, `\u%04x`, surrogate(s[i:i+3]))
			size = 3
		case r == '\'' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ' || r == 0x7f || r == 0x85 || r == 0x2028 || r == 0x2029:
			fmt.Fprintf(b, `\u%04x`, r)
		default:
			b.WriteString(s[i : i+size])
		}
		i += size
	}
	b.WriteByte('\'')
}

func printBytes(b *strings.Builder, s string) {
	b.WriteByte('\'')
	for i := range len(s) {
		fmt.Fprintf(b, `\x%02x`, s[i])
	}
	b.WriteByte('\'')
}

// surrogate is the code of a lone surrogate that was written in three bytes, which UTF-8 proper does not have.
func surrogate(s string) uint32 {
	return uint32(s[0]&0x0f)<<12 | uint32(s[1]&0x3f)<<6 | uint32(s[2]&0x3f)
}

// appendCode appends a code point, a lone surrogate included.
func appendCode(b []byte, code uint32) []byte {
	if code >= 0xd800 && code < 0xe000 {
		return append(b, 0xe0|byte(code>>12), 0x80|byte(code>>6)&0x3f|0x80, 0x80|byte(code)&0x3f)
	}
	return utf8.AppendRune(b, rune(code))
}
