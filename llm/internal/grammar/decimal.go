package grammar

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// decimal is a number as its digits.
type decimal struct {
	negative    bool
	whole, part string // before the point, "0" or without leading zeros, and after it, without trailing ones
}

// maxDigits is how many digits a number may have on either side of the point.
const maxDigits = 18

// parseDecimal reads a JSON number of at most maxDigits digits before the point and behind it.
func parseDecimal(text string) (d decimal, ok bool) {
	text, d.negative = strings.CutPrefix(text, "-")
	exponent := 0
	if at := strings.IndexAny(text, "eE"); at >= 0 {
		n, err := strconv.Atoi(text[at+1:])
		if err != nil || n < -99 || n > 99 {
			return d, false
		}
		text, exponent = text[:at], n
	}
	whole, part, _ := strings.Cut(text, ".")
	if len(whole)+len(part) > 200 {
		return d, false
	}
	if exponent >= 0 {
		part += strings.Repeat("0", max(0, exponent-len(part)))
		whole, part = whole+part[:exponent], part[exponent:]
	} else {
		whole = strings.Repeat("0", max(0, -exponent-len(whole))) + whole
		at := len(whole) + exponent
		whole, part = whole[:at], whole[at:]+part
	}
	d.whole, d.part = strings.TrimLeft(whole, "0"), strings.TrimRight(part, "0")
	if len(d.whole) > maxDigits || len(d.part) > maxDigits {
		return d, false
	}
	if d.whole == "" {
		d.whole = "0"
	}
	d.negative = d.negative && !(d.whole == "0" && d.part == "")
	return d, true
}

// size compares the absolute values.
func (d decimal) size(other decimal) int {
	return cmp.Or(cmp.Compare(len(d.whole), len(other.whole)), cmp.Compare(d.whole, other.whole), cmp.Compare(d.part, other.part))
}

func (d decimal) compare(other decimal) int {
	switch {
	case d.negative != other.negative && d.negative:
		return -1
	case d.negative != other.negative:
		return 1
	case d.negative:
		return other.size(d)
	}
	return d.size(other)
}

func (d decimal) minus() decimal {
	d.negative = !d.negative && !(d.whole == "0" && d.part == "")
	return d
}

func (d decimal) String() string {
	text := d.whole
	if d.part != "" {
		text += "." + d.part
	}
	if d.negative {
		text = "-" + text
	}
	return text
}

// bound is where a range of numbers ends; a strict one is outside it.
type bound struct {
	decimal
	strict bool
}

// numbers is the numbers of a schema: in a range, and of those the multiples of step·10^-places. They are written without an exponent.
type numbers struct {
	low, high *bound // nil: none
	step      uint64 // 0: all
	places    int    // most digits behind the point
	isWhole   bool
}

// maxMade bounds the rules that numbers are made of.
const maxMade = 20000

// numbersOf reads what a schema says of numbers; it is nil if that is nothing.
func numbersOf(v *value, path string, isWhole bool) (*numbers, error) {
	n := &numbers{places: maxDigits, isWhole: isWhole}
	if isWhole {
		n.places = 0
	}
	said := false
	for _, name := range []string{"minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum"} {
		b, ok := v.get(name)
		if !ok {
			continue
		}
		d, ok := parseDecimal(b.text)
		if b.kind != "number" || !ok {
			return nil, fmt.Errorf("%s/%s: got %.60s, want a number of at most %d digits before the point and behind it", path, name, b.text, maxDigits)
		}
		n.narrow(bound{d, strings.HasPrefix(name, "exclusive")}, strings.HasSuffix(strings.ToLower(name), "minimum"))
		said = true
	}
	if m, ok := v.get("multipleOf"); ok {
		if err := n.multiples(m, path+"/multipleOf"); err != nil {
			return nil, err
		}
		said = true
	}
	if f, ok := v.get("format"); ok {
		bounded, err := n.format(f.text, path)
		if err != nil {
			return nil, err
		}
		said = said || bounded
	}
	if !said {
		return nil, nil
	}
	return n, nil
}

// narrow takes in another bound.
func (n *numbers) narrow(b bound, isLow bool) {
	at, outer := &n.high, -1
	if isLow {
		at, outer = &n.low, 1
	}
	if old := *at; old != nil {
		if c := outer * b.compare(old.decimal); c < 0 || c == 0 && old.strict {
			return
		}
	}
	*at = &b
}

// wholeFormats are the ranges of OpenAPI's formats of whole numbers. Those of 64 bits go further than the numbers written here.
var wholeFormats = map[string][2]string{
	"int8": {"-128", "127"}, "int16": {"-32768", "32767"}, "int32": {"-2147483648", "2147483647"}, "int64": {},
	"uint8": {"0", "255"}, "uint16": {"0", "65535"}, "uint32": {"0", "4294967295"}, "uint64": {"0", ""}, "uint": {"0", ""}, "int": {},
}

// format narrows by the name of a format, and reports whether it did.
func (n *numbers) format(name, path string) (bool, error) {
	r, ok := wholeFormats[name]
	if n.isWhole && !ok || !n.isWhole && name != "float" && name != "double" {
		return false, fmt.Errorf("%s/format: %.60q is not supported here for numbers", path, name)
	}
	for i, text := range r {
		if text != "" {
			d, _ := parseDecimal(text)
			n.narrow(bound{decimal: d}, i == 0)
		}
	}
	return r != [2]string{}, nil
}

// multiples reads multipleOf.
func (n *numbers) multiples(m *value, path string) error {
	const most = 10000
	d, ok := parseDecimal(m.text)
	if m.kind != "number" || !ok || d.negative || d.String() == "0" {
		return fmt.Errorf("%s: got %.60s, want a number above 0", path, m.text)
	}
	step, err := strconv.ParseUint(strings.TrimLeft(d.whole+d.part, "0"), 10, 62)
	if err != nil || step > most || coprime(step) > mostCoprime {
		return fmt.Errorf("%s: got %s, want at most %d without the point, and at most %d without the factors 2 and 5", path, d, most, mostCoprime)
	}
	if n.step, n.places = step, len(d.part); n.isWhole {
		n.step, n.places = wholeStep(d), 0
	}
	return nil
}

// wholeStep is the s of which the whole multiples of d are all multiples: the numerator of d in lowest terms.
func wholeStep(d decimal) uint64 {
	over, _ := strconv.ParseUint(d.whole+d.part, 10, 62)
	under := uint64(1)
	for range d.part {
		under *= 10
	}
	return over / gcd(over, under)
}

// mostCoprime bounds how many remainders are told apart.
const mostCoprime = 250

// coprime is n without its factors 2 and 5.
func coprime(n uint64) uint64 {
	for _, p := range []uint64{2, 5} {
		for n%p == 0 {
			n /= p
		}
	}
	return n
}

func gcd(a, b uint64) uint64 {
	for b > 0 {
		a, b = b, a%b
	}
	return a
}
