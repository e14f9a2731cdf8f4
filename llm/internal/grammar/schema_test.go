package grammar

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"
)

func schemaGrammar(t *testing.T, schema string) *Grammar {
	t.Helper()
	g, err := FromSchema([]byte(schema), everyByte())
	if err != nil {
		t.Fatalf("%s: %v", schema, err)
	}
	return g
}

var schemas = []struct {
	schema    string
	good, bad []string
}{
	{`true`, []string{`{"a":[1,-2.5e+3,"x\n\u00e9",true,false,null]}`, `"é"`, "\n\n0", `[ ]`, `{ }`, "[\n  1,\n  2\n]"}, []string{``, `{`, `01`, `"a`, `{"a"}`, `[1,]`, `1 2`, `"\x"`, "\"\n\"", `"\ud800"`}},
	{`{}`, []string{`1`}, []string{`1,`}},
	{`{"type":"object"}`, []string{`{}`, `{"a": 1}`}, []string{`[]`, `1`}},
	{`{"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"string"},"c":{"type":"boolean"}},"required":["b"]}`,
		[]string{`{"b":"x"}`, `{"a":1,"b":"x"}`, `{"a": 1, "b": "x", "c": true}`, `{"b":"","c":false}`}, []string{`{}`, `{"a":1}`, `{"b":"x","a":1}`, `{"b":1}`, `{"b":"x",}`, `{"b":"x","d":1}`, `{,"b":"x"}`}},
	{`{"properties":{"a":true,"b":true}}`, []string{`{}`, `{"a":1}`, `{"b":1}`, `{"a":1,"b":2}`}, []string{`{"a":1,}`, `{"a":1"b":2}`}},
	{`{"type":"object","properties":{"ab":{"type":"integer"},"ac":true},"required":["ab"],"additionalProperties":{"type":"boolean"}}`,
		[]string{`{"ab":1}`, `{"ab":1,"x":true}`, `{"ab":1,"ac":2,"a":true,"abc":false,"":true}`}, []string{`{"x":true,"ab":1}`, `{"ab":1,"ab":true}`, `{"ab":1,"x":1}`}},
	{`{"type":"object","additionalProperties":{"type":"integer"}}`, []string{`{}`, `{"a":1,"b":2}`}, []string{`{"a":"x"}`}},
	{`{"type":"object","additionalProperties":false}`, []string{`{}`, `{ }`}, []string{`{"a":1}`}},
	{`{"type":"array","items":{"type":"integer"},"minItems":2,"maxItems":3}`, []string{`[1,2]`, `[1, 2, 3]`}, []string{`[]`, `[1]`, `[1,2,3,4]`, `[1,"a"]`}},
	{`{"items":{"type":"null"}}`, []string{`[]`, `[null]`, `[null,null,null]`}, []string{`[1]`, `[,null]`}},
	{`{"type":"array","maxItems":0}`, []string{`[]`}, []string{`[1]`}},
	{`{"type":"array","maxItems":1}`, []string{`[]`, `[1]`}, []string{`[1,2]`}},
	{`{"prefixItems":[{"type":"integer"},{"type":"string"}],"items":{"type":"boolean"},"minItems":1}`, []string{`[1]`, `[1,"a"]`, `[1,"a",true,false]`}, []string{`[]`, `["a"]`, `[1,true]`}},
	{`{"prefixItems":[{"type":"integer"},{"type":"string"}],"items":false,"minItems":2}`, []string{`[1,"a"]`}, []string{`[1]`, `[1,"a",true]`}},
	{`{"prefixItems":[{"type":"integer"},{"type":"string"}],"maxItems":1}`, []string{`[]`, `[1]`}, []string{`[1,"a"]`}},
	{`{"enum":["a",1,null,{"x":[1,2]}]}`, []string{`"a"`, `1`, `null`, `{"x":[1,2]}`, `{"x": [1, 2]}`}, []string{`"b"`, `2`, `a`}},
	{`{"const":"q\"\\\n"}`, []string{`"q\"\\\n"`}, []string{`"q"`}},
	{`{"anyOf":[{"type":"integer"},{"type":"array","items":{"$ref":"#"}}]}`, []string{`1`, `[]`, `[1,[2,[]]]`}, []string{`"a"`, `[true]`}},
	{`{"$ref":"#/$defs/node","$defs":{"node":{"type":"object","properties":{"v":{"type":"integer"},"next":{"anyOf":[{"type":"null"},{"$ref":"#/$defs/node"}]}},"required":["v","next"]}}}`,
		[]string{`{"v":1,"next":null}`, `{"v":1,"next":{"v":2,"next":null}}`}, []string{`{"v":1}`, `{"v":1,"next":{}}`}},
	{`{"allOf":[{"type":"integer"}]}`, []string{`1`}, []string{`"a"`}},
	{`{"type":["integer","null"],"title":"t","description":"d","default":1}`, []string{`1`, `null`}, []string{`true`}},
	{`{"type":"string","minLength":2,"maxLength":3}`, []string{`"ab"`, `"éé"`, `"a\n"`, `"\u0041bc"`}, []string{`"a"`, `"abcd"`, `""`}},
	{`{"type":"string","pattern":"^[a-c]+\\d{2}$"}`, []string{`"a12"`, `"abc99"`}, []string{`"12"`, `"a1"`, `"xa12"`}},
	{`{"type":"string","pattern":"x|yz"}`, []string{`"x"`, `"aaxbb"`, `"yz"`}, []string{`"y"`, `""`}},
	{`{"type":"string","pattern":"^a\"\\\\\\n.$"}`, []string{`"a\"\\\nb"`, `"a\"\\\n\""`}, []string{`"a"`}},
	{`{"type":"string","format":"date"}`, []string{`"2024-02-29"`}, []string{`"2024-13-01"`, `"24-01-01"`}},
	{`{"type":"string","format":"date-time"}`, []string{`"2024-02-29T23:59:59.5Z"`, `"2024-02-29T00:00:00+01:00"`}, []string{`"2024-02-29"`}},
	{`{"type":"string","format":"color"}`, []string{`"red"`}, []string{`1`}},
	{`{"type":"integer","minimum":-12,"maximum":345}`, []string{`-12`, `-1`, `0`, `7`, `99`, `345`}, []string{`-13`, `346`, `-0`, `1000`, `007`}},
	{`{"type":"integer","exclusiveMinimum":99}`, []string{`100`, `123456`}, []string{`99`, `5`, `-100`}},
	{`{"type":"integer","exclusiveMaximum":-9}`, []string{`-10`, `-4000`}, []string{`-9`, `3`}},
	{`{"type":"number"}`, []string{`1`, `-0.5`, `1e9`, `2.5E-3`}, []string{`.5`, `1.`, `+1`}},
	{`{"type":"object","properties":{"a":false,"b":true}}`, []string{`{"b":1}`, `{}`}, []string{`{"a":1}`}},
}

func TestSchemas(t *testing.T) {
	for _, c := range schemas {
		g := schemaGrammar(t, c.schema)
		for _, text := range c.good {
			if !json.Valid([]byte(text)) {
				t.Fatalf("%q is no JSON", text)
			}
			if !accepts(g, text) {
				t.Errorf("%s refuses %s", c.schema, text)
			}
		}
		for _, text := range c.bad {
			if accepts(g, text) {
				t.Errorf("%s accepts %s", c.schema, text)
			}
		}
	}
}

// Integers between any bounds, against counting.
func TestIntegerBounds(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	for range 60 {
		low := int64(rng.IntN(3000) - 1500)
		high := low + int64(rng.IntN(1500))
		e, err := parseValue([]byte(`{"minimum":` + json.Number(quoteless(low)).String() + `,"maximum":` + quoteless(high) + `}`))
		if err != nil {
			t.Fatal(err)
		}
		x, err := integer(&e, "#")
		if err != nil {
			t.Fatal(err)
		}
		g, err := compile(map[string]expression{"root": x}, "root", everyByte())
		if err != nil {
			t.Fatal(err)
		}
		for n := int64(-1700); n < 3200; n += int64(1 + rng.IntN(9)) {
			if want := n >= low && n <= high; accepts(g, quoteless(n)) != want {
				t.Fatalf("%d to %d: %d: want %v", low, high, n, want)
			}
		}
		for _, n := range []int64{low - 1, low, high, high + 1} {
			if want := n >= low && n <= high; accepts(g, quoteless(n)) != want {
				t.Fatalf("%d to %d: %d: want %v", low, high, n, want)
			}
		}
	}
}

func quoteless(n int64) string {
	b, _ := json.Marshal(n)
	return string(b)
}

// Whatever tokens are drawn, the text is JSON when it is complete, and it can always be brought to an end.
func TestDrawnTextsAreJSON(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 6))
	complete := 0
	for _, c := range schemas {
		g, err := FromSchema([]byte(c.schema), everyByte(`{"`, `":`, `",`, `"}`, `,"`, "ab", "true", "null", "12", "}}", "]]", "é\""))
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			var text strings.Builder
			s := g.Start()
			for n := 0; n < 400; n++ {
				mask := make([]uint64, (len(g.vocab.texts)+63)/64)
				s.Allow(mask)
				var allowed []int32
				for id := range g.vocab.texts {
					if mask[id/64]>>(id%64)&1 != 0 {
						allowed = append(allowed, int32(id))
					}
				}
				if s.Complete() && (len(allowed) == 0 || rng.IntN(4) == 0) {
					complete++
					if !json.Valid([]byte(text.String())) {
						t.Fatalf("%s: %q is no JSON", c.schema, text.String())
					}
					break
				}
				if len(allowed) == 0 {
					t.Fatalf("%s: a dead end after %q", c.schema, text.String())
				}
				id := allowed[rng.IntN(len(allowed))]
				// What closes comes more often, or texts grow for ever.
				for _, closing := range []byte(`"}]`) {
					if n > 30 && mask[closing/64]>>(closing%64)&1 != 0 {
						id = int32(closing)
					}
				}
				text.WriteString(g.vocab.texts[id])
				s = s.Next(id)
			}
		}
	}
	if complete < 300 {
		t.Errorf("only %d texts came to an end", complete)
	}
}

func TestRefusedSchemas(t *testing.T) {
	for schema, want := range map[string]string{
		`{`:                                 "EOF",
		`{} {}`:                             "something follows",
		`1`:                                 "#: got a number, want an object",
		`false`:                             "has no text",
		`{"type":"integer","multipleOf":2}`: `#: keyword "multipleOf" is not supported here`,
		`{"type":"number","minimum":2}`:     `keyword "minimum" is supported for integers alone`,
		`{"type":"thing"}`:                  `#/type: got "thing"`,
		`{"properties":{"a":{"uniqueItems":true}}}`:                          `#/properties/a: keyword "uniqueItems" is not supported here`,
		`{"required":["a"]}`:                                                 `#/required: "a" is not among the properties`,
		`{"$ref":"http://x"}`:                                                `want a place in this document`,
		`{"$ref":"#/$defs/a"}`:                                               `there is no "$defs"`,
		`{"$ref":"#"}`:                                                       "has no text",
		`{"anyOf":[]}`:                                                       "want an array of at least one",
		`{"allOf":[true,true]}`:                                              "only one is supported",
		`{"anyOf":[true],"minLength":2}`:                                     `keyword "minLength" is not supported here`,
		`{"type":"string","pattern":"("}`:                                    "missing closing )",
		`{"type":"string","pattern":"\\bx"}`:                                 "not supported within a pattern",
		`{"type":"string","pattern":"(?i)x"}`:                                "ignores case",
		`{"type":"string","minLength":3,"maxLength":2}`:                      "no string has both",
		`{"type":"array","minItems":3,"maxItems":2}`:                         "no array has both",
		`{"type":"string","minLength":-1}`:                                   "want a whole number",
		`{"type":"integer","minimum":3,"maximum":2}`:                         "no whole number is at least 3 and at most 2",
		`{"type":"integer","minimum":1.5}`:                                   "want a whole number of at most 18 digits",
		`{"type":"object","type":"array"}`:                                   "twice in one object",
		strings.Repeat(`{"items":`, 300) + `true` + strings.Repeat(`}`, 300): "nested more than 200 deep",
	} {
		if _, err := FromSchema([]byte(schema), everyByte()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: got %v, want %q", schema, err, want)
		}
	}
}

func FuzzFromSchema(f *testing.F) {
	for _, c := range schemas {
		f.Add(c.schema)
	}
	v := everyByte()
	f.Fuzz(func(t *testing.T, schema string) {
		g, err := FromSchema([]byte(schema), v)
		if err != nil {
			return
		}
		follow(g, `{"a":[1,"x"]}`)
	})
}
