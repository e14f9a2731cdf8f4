package grammar

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"math/rand/v2"
	"net/mail"
	"net/netip"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// validator judges values by a schema as the specification says, keyword by keyword; what it does not know it refuses to judge.
type validator struct{ root any }

func decode(text string) (any, error) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v any
	err := d.Decode(&v)
	return v, err
}

// check returns why x is not valid, nil if it is.
func (c *validator) check(schema, x any) error {
	if b, ok := schema.(bool); ok {
		if !b {
			return errors.New("false")
		}
		return nil
	}
	s := schema.(map[string]any)
	for name, arg := range s {
		if err := c.keyword(s, name, arg, x); err != nil {
			return fmt.Errorf("%s %v: %w", name, arg, err)
		}
	}
	return nil
}

var errInvalid = errors.New("does not hold")

func when(ok bool) error {
	if ok {
		return nil
	}
	return errInvalid
}

func rat(x any) *big.Rat {
	r, ok := new(big.Rat).SetString(x.(json.Number).String())
	if !ok {
		panic(x)
	}
	return r
}

func same(a, b any) bool {
	x, isX := a.(json.Number)
	y, isY := b.(json.Number)
	if isX && isY {
		return rat(x).Cmp(rat(y)) == 0
	}
	p, isP := a.([]any)
	q, isQ := b.([]any)
	if isP && isQ {
		return slices.EqualFunc(p, q, same)
	}
	m, isM := a.(map[string]any)
	n, isN := b.(map[string]any)
	if isM && isN {
		for k := range m {
			if v, ok := n[k]; !ok || !same(m[k], v) {
				return false
			}
		}
		return len(m) == len(n)
	}
	return reflect.DeepEqual(a, b)
}

func isType(name string, x any) bool {
	switch x := x.(type) {
	case nil:
		return name == "null"
	case bool:
		return name == "boolean"
	case string:
		return name == "string"
	case json.Number:
		return name == "number" || name == "integer" && rat(x).IsInt()
	case []any:
		return name == "array"
	}
	return name == "object"
}

func (c *validator) keyword(s map[string]any, name string, arg, x any) error {
	if n, ok := x.(json.Number); ok {
		if known, err := onNumber(name, arg, rat(n)); known {
			return err
		}
	}
	if t, ok := x.(string); ok {
		if known, err := onString(name, arg, t); known {
			return err
		}
	}
	if list, ok := x.([]any); ok {
		if known, err := c.onArray(s, name, arg, list); known {
			return err
		}
	}
	if o, ok := x.(map[string]any); ok {
		if known, err := c.onObject(s, name, arg, o); known {
			return err
		}
	}
	switch name {
	case "type":
		if list, ok := arg.([]any); ok {
			return when(slices.ContainsFunc(list, func(t any) bool { return isType(t.(string), x) }))
		}
		return when(isType(arg.(string), x))
	case "const":
		return when(same(arg, x))
	case "enum":
		return when(slices.ContainsFunc(arg.([]any), func(v any) bool { return same(v, x) }))
	case "anyOf", "oneOf", "allOf":
		n := 0
		for _, a := range arg.([]any) {
			if c.check(a, x) == nil {
				n++
			}
		}
		return when(name == "anyOf" && n > 0 || name == "oneOf" && n == 1 || name == "allOf" && n == len(arg.([]any)))
	case "$ref":
		at := c.root
		for _, part := range strings.Split(arg.(string), "/")[1:] {
			part, err := url.PathUnescape(part)
			if err != nil {
				return err
			}
			at = at.(map[string]any)[strings.ReplaceAll(part, "~1", "/")]
		}
		return c.check(at, x)
	}
	if slices.Contains(annotations, name) || strings.HasPrefix(name, "x-") || slices.ContainsFunc([]string{"object", "array", "string", "number"}, func(t string) bool { return slices.Contains(keywords[t], name) }) {
		return nil
	}
	return fmt.Errorf("unknown")
}

func onNumber(name string, arg any, x *big.Rat) (bool, error) {
	switch name {
	case "minimum":
		return true, when(x.Cmp(rat(arg)) >= 0)
	case "maximum":
		return true, when(x.Cmp(rat(arg)) <= 0)
	case "exclusiveMinimum":
		return true, when(x.Cmp(rat(arg)) > 0)
	case "exclusiveMaximum":
		return true, when(x.Cmp(rat(arg)) < 0)
	case "multipleOf":
		return true, when(new(big.Rat).Quo(x, rat(arg)).IsInt())
	}
	return false, nil
}

func whole(arg any) int { return int(rat(arg).Num().Int64()) }

var (
	hostPattern     = regexp.MustCompile(`^([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)*[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$`)
	durationPattern = regexp.MustCompile(`^P(\d+W|(\d+Y)?(\d+M)?(\d+D)?(T(\d+H)?(\d+M)?(\d+S)?)?)$`)
)

func onString(name string, arg any, x string) (bool, error) {
	switch name {
	case "minLength":
		return true, when(utf8.RuneCountInString(x) >= whole(arg))
	case "maxLength":
		return true, when(utf8.RuneCountInString(x) <= whole(arg))
	case "pattern":
		return true, when(regexp.MustCompile(arg.(string)).MatchString(x))
	case "format":
		var err error
		switch arg {
		case "date":
			_, err = time.Parse(time.DateOnly, x)
		case "time":
			_, err = time.Parse("15:04:05.999999999Z07:00", x)
		case "date-time":
			_, err = time.Parse(time.RFC3339Nano, x)
		case "email", "idn-email":
			_, err = mail.ParseAddress(x)
			err = errors.Join(err, when(len(x) < 320))
		case "ipv4", "ipv6":
			var a netip.Addr
			a, err = netip.ParseAddr(x)
			err = errors.Join(err, when(a.Is4() == (arg == "ipv4") && a.Zone() == ""))
		case "hostname":
			err = when(hostPattern.MatchString(x) && len(x) < 254)
		case "duration":
			err = when(durationPattern.MatchString(x) && len(x) > 2 && !strings.HasSuffix(x, "T"))
		case "uri", "uri-reference":
			var u *url.URL
			u, err = url.Parse(x)
			err = errors.Join(err, when(err != nil || arg == "uri-reference" || u.IsAbs() && u.Host != ""))
		}
		return true, err
	}
	return false, nil
}

func (c *validator) onArray(s map[string]any, name string, arg any, x []any) (bool, error) {
	switch name {
	case "minItems":
		return true, when(len(x) >= whole(arg))
	case "maxItems":
		return true, when(len(x) <= whole(arg))
	case "uniqueItems":
		for i := range x {
			for j := range i {
				if arg == true && same(x[i], x[j]) {
					return true, errInvalid
				}
			}
		}
		return true, nil
	case "prefixItems":
		for i, a := range arg.([]any) {
			if i < len(x) {
				if err := c.check(a, x[i]); err != nil {
					return true, err
				}
			}
		}
		return true, nil
	case "items":
		prefix, _ := s["prefixItems"].([]any)
		for i := len(prefix); i < len(x); i++ {
			if err := c.check(arg, x[i]); err != nil {
				return true, err
			}
		}
		return true, nil
	}
	return false, nil
}

func (c *validator) onObject(s map[string]any, name string, arg any, x map[string]any) (bool, error) {
	properties, _ := s["properties"].(map[string]any)
	patterns, _ := s["patternProperties"].(map[string]any)
	switch name {
	case "minProperties":
		return true, when(len(x) >= whole(arg))
	case "maxProperties":
		return true, when(len(x) <= whole(arg))
	case "required":
		for _, n := range arg.([]any) {
			if _, ok := x[n.(string)]; !ok {
				return true, errInvalid
			}
		}
		return true, nil
	case "unevaluatedProperties":
		return true, nil // of what is tested, additionalProperties of what else there is
	}
	for key, v := range x {
		_, listed := properties[key]
		var matched []any
		for p, a := range patterns {
			if regexp.MustCompile(p).MatchString(key) {
				matched = append(matched, a)
			}
		}
		var err error
		switch {
		case name == "propertyNames":
			err = c.check(arg, key)
		case name == "properties" && listed:
			err = c.check(properties[key], v)
		case name == "patternProperties":
			for _, a := range matched {
				err = errors.Join(err, c.check(a, v))
			}
		case name == "additionalProperties" && !listed && len(matched) == 0:
			err = c.check(arg, v)
		}
		if err != nil {
			return true, err
		}
	}
	return slices.Contains([]string{"properties", "patternProperties", "additionalProperties", "propertyNames"}, name), nil
}

// drawn draws a text of the grammar, "" if it does not end.
func drawn(rng *rand.Rand, g *Grammar) string {
	var text strings.Builder
	s := g.Start()
	mask := make([]uint64, (len(g.vocab.texts)+63)/64)
	for n := range 400 {
		clear(mask)
		s.Allow(mask)
		var allowed []int32
		for id := range g.vocab.texts {
			if mask[id/64]>>(id%64)&1 != 0 {
				allowed = append(allowed, int32(id))
			}
		}
		if s.Complete() && (len(allowed) == 0 || rng.IntN(4) == 0) {
			return text.String()
		}
		if len(allowed) == 0 {
			panic(fmt.Sprintf("a dead end after %q", text.String()))
		}
		id := allowed[rng.IntN(len(allowed))]
		for _, closing := range []byte(`"}]`) { // or texts grow for ever
			if n > 30 && mask[closing/64]>>(closing%64)&1 != 0 {
				id = int32(closing)
			}
		}
		text.WriteString(g.vocab.texts[id])
		s = s.Next(id)
	}
	return ""
}

// judge draws texts of a schema and checks them by the validator. It returns how many came to an end.
func judge(t *testing.T, rng *rand.Rand, schema string, g *Grammar, times int) (ended int) {
	t.Helper()
	parsed, err := decode(schema)
	if err != nil {
		t.Fatal(err)
	}
	c := &validator{parsed}
	for range times {
		text := drawn(rng, g)
		if text == "" {
			continue
		}
		ended++
		x, err := decode(text)
		if err != nil {
			t.Fatalf("%s: %q: %v", schema, text, err)
		}
		if err := c.check(parsed, x); err != nil {
			t.Fatalf("%s:\ndrew %s\n%v", schema, text, err)
		}
	}
	return ended
}

// manyTokens is a vocabulary with tokens across the borders of JSON.
var manyTokens = everyByte(`{"`, `":`, `",`, `"}`, `,"`, "ab", "true", "null", "12", "}}", "]]", "é\"", "a\"", "b\":", `"a":`, `"b":`, "10", "0.5")

// Whatever tokens are drawn, the text is a value that the schema accepts, by a validator that knows nothing of grammars.
func TestDrawnTextsAreValid(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 6))
	ended := 0
	for _, c := range schemas {
		g, err := FromSchema([]byte(c.schema), manyTokens)
		if err != nil {
			t.Fatalf("%s: %v", c.schema, err)
		}
		ended += judge(t, rng, c.schema, g, 20)
	}
	if ended < 10*len(schemas) {
		t.Errorf("only %d texts of %d schemas came to an end", ended, len(schemas))
	}
}

// randomSchema writes a schema of the keywords that are supported, as they come.
func randomSchema(rng *rand.Rand, depth int) map[string]any {
	s := map[string]any{}
	pick := func(list ...string) string { return list[rng.IntN(len(list))] }
	some := func() any {
		return []any{json.Number("1"), json.Number("2.5"), json.Number("-3"), "a", "bc", true, nil, json.Number("1.0"), []any{json.Number("1")}}[rng.IntN(9)]
	}
	sub := func() any {
		if rng.IntN(12) == 0 {
			return rng.IntN(3) > 0
		}
		return randomSchema(rng, depth-1)
	}
	kind := rng.IntN(11)
	if depth <= 0 {
		kind = rng.IntN(6)
	}
	number := func() json.Number { return json.Number(pick("-7", "0", "3", "12.5", "100", "-0.25", "1e2", "7")) }
	bounds := func() {
		for _, name := range []string{"minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum"} {
			if rng.IntN(3) == 0 {
				s[name] = number()
			}
		}
		if rng.IntN(3) == 0 {
			s["multipleOf"] = json.Number(pick("2", "0.5", "7", "10", "0.01", "12", "1.5"))
		}
	}
	switch kind {
	case 0:
		s["type"] = pick("integer", "number")
		bounds()
	case 1:
		s["enum"] = []any{some(), some(), some()}
	case 2:
		s["const"] = some()
	case 3:
		s["type"] = "string"
		switch rng.IntN(3) {
		case 0:
			s["minLength"], s["maxLength"] = json.Number(pick("0", "1", "2")), json.Number(pick("2", "3"))
		case 1:
			s["pattern"] = pick("^a+$", "b", "^[ab]{1,2}c?$")
		}
	case 4:
		s["type"] = []any{pick("null", "boolean"), pick("integer", "string")}
	case 5:
		s["type"] = pick("boolean", "null")
	case 6, 7:
		s["type"] = "object"
		properties := map[string]any{}
		var required []any
		for _, name := range []string{"a", "b", "k"} {
			if rng.IntN(2) == 0 {
				properties[name] = sub()
			}
			if rng.IntN(4) == 0 {
				required = append(required, name)
			}
		}
		s["properties"] = properties
		if required != nil {
			s["required"] = required
		}
		switch rng.IntN(5) {
		case 0:
			s["additionalProperties"] = sub()
		case 1:
			s["additionalProperties"] = false
		case 2:
			s["patternProperties"] = map[string]any{"^x": sub()}
		case 3:
			s["propertyNames"] = map[string]any{"enum": []any{"a", "b"}}
		}
		if rng.IntN(5) == 0 {
			s["minProperties"], s["maxProperties"] = json.Number("1"), json.Number("3")
		}
	case 8:
		s["type"] = "array"
		s["items"] = sub()
		if rng.IntN(3) == 0 {
			s["prefixItems"] = []any{sub()}
		}
		if rng.IntN(2) == 0 {
			s["minItems"], s["maxItems"] = json.Number(pick("0", "1")), json.Number(pick("1", "2", "3"))
		}
		if rng.IntN(3) == 0 {
			s["uniqueItems"] = true
		}
	default:
		s[pick("anyOf", "oneOf", "allOf")] = []any{sub(), sub()}
		if rng.IntN(3) == 0 {
			for name, x := range randomSchema(rng, 1) {
				s[name] = x
			}
		}
	}
	return s
}

// Schemas made at random are refused or done right.
func TestRandomSchemas(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	done, ended, byKeyword := 0, 0, map[string]int{}
	for range 1200 {
		text, err := json.Marshal(randomSchema(rng, 3))
		if err != nil {
			t.Fatal(err)
		}
		g, err := FromSchema(text, manyTokens)
		if err != nil {
			continue
		}
		done++
		ended += judge(t, rng, string(text), g, 3)
		for _, list := range keywords {
			for _, name := range list {
				if strings.Contains(string(text), `"`+name+`"`) {
					byKeyword[name]++
				}
			}
		}
		for _, name := range combinators {
			if strings.Contains(string(text), `"`+name+`"`) {
				byKeyword[name]++
			}
		}
	}
	t.Logf("%d schemas done, %d texts; %v", done, ended, byKeyword)
	if done < 600 || ended < 2*done || byKeyword["allOf"] < 25 || byKeyword["oneOf"] < 20 || byKeyword["uniqueItems"] < 10 || byKeyword["multipleOf"] < 50 {
		t.Errorf("only %d schemas done, %d texts came to an end; %v", done, ended, byKeyword)
	}
}
