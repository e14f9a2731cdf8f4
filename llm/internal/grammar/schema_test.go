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
	{`{"type":"string","format":"password"}`, []string{`"red"`}, []string{`1`}},
	{`{"type":"integer","minimum":-12,"maximum":345}`, []string{`-12`, `-1`, `0`, `7`, `99`, `345`}, []string{`-13`, `346`, `-0`, `1000`, `007`}},
	{`{"type":"integer","exclusiveMinimum":99}`, []string{`100`, `123456`}, []string{`99`, `5`, `-100`}},
	{`{"type":"integer","exclusiveMaximum":-9}`, []string{`-10`, `-4000`}, []string{`-9`, `3`}},
	{`{"type":"number"}`, []string{`1`, `-0.5`, `1e9`, `2.5E-3`}, []string{`.5`, `1.`, `+1`}},
	{`{"type":"object","properties":{"a":false,"b":true}}`, []string{`{"b":1}`, `{}`}, []string{`{"a":1}`}},

	// Numbers.
	{`{"type":"number","minimum":-1.5,"maximum":2.25}`, []string{`-1.5`, `-1.49`, `-0.001`, `0`, `0.0`, `2`, `2.25`, `2.250`, `2.2499`}, []string{`-1.51`, `2.26`, `2.2501`, `-2`, `3`, `1e0`, `-0`}},
	{`{"type":"number","exclusiveMinimum":0,"exclusiveMaximum":1}`, []string{`0.5`, `0.001`, `0.999`}, []string{`0`, `0.0`, `1`, `1.0`, `-0.5`}},
	{`{"type":"number","minimum":0}`, []string{`0`, `0.5`, `123456789.25`}, []string{`-1`, `-0.5`}},
	{`{"type":"number","maximum":-2.5}`, []string{`-2.5`, `-3`, `-100.25`}, []string{`-2.4`, `0`, `2.5`}},
	{`{"type":"number","exclusiveMaximum":-2.5}`, []string{`-2.51`}, []string{`-2.5`, `-2.50`}},
	{`{"type":"integer","minimum":1.5,"maximum":3.5}`, []string{`2`, `3`}, []string{`1`, `4`, `2.0`}},
	{`{"type":"integer","multipleOf":7}`, []string{`0`, `7`, `14`, `-21`, `700`, `123456789123456789`}, []string{`1`, `13`, `-20`, `123456789123456783`, `7.0`}},
	{`{"type":"integer","multipleOf":5,"minimum":12,"maximum":31}`, []string{`15`, `20`, `25`, `30`}, []string{`10`, `12`, `31`, `35`, `0`}},
	{`{"type":"integer","multipleOf":1000}`, []string{`0`, `1000`, `-25000`}, []string{`500`, `1001`}},
	{`{"type":"integer","multipleOf":1.5}`, []string{`0`, `3`, `-6`}, []string{`1`, `2`, `4`}},
	{`{"type":"number","multipleOf":0.01}`, []string{`0`, `12`, `12.3`, `12.34`, `-0.05`}, []string{`12.345`, `0.001`}},
	{`{"type":"number","multipleOf":0.25,"minimum":0,"maximum":1}`, []string{`0`, `0.25`, `0.5`, `0.50`, `0.75`, `1`}, []string{`0.2`, `0.3`, `1.25`, `-0.25`}},
	{`{"type":"number","multipleOf":12}`, []string{`12`, `24`, `0`}, []string{`6`, `12.5`, `13`}},
	{`{"type":"integer","format":"int32"}`, []string{`2147483647`, `-2147483648`}, []string{`2147483648`}},
	{`{"type":"number","format":"double"}`, []string{`1e5`}, []string{`"1"`}},
	{`{"minimum":3}`, []string{`3`, `4.5`}, []string{`2`}},

	// Formats.
	{`{"format":"date"}`, []string{`"2024-02-29"`, `"2000-02-29"`, `"2023-02-28"`, `"2023-12-31"`, `"2023-04-30"`}, []string{`"2023-02-29"`, `"1900-02-29"`, `"2023-04-31"`, `"2023-00-10"`}},
	{`{"format":"time"}`, []string{`"23:59:59Z"`, `"00:00:00.25-08:00"`}, []string{`"24:00:00Z"`, `"12:00:00"`}},
	{`{"format":"duration"}`, []string{`"P3D"`, `"PT5M30S"`, `"P1Y2M3DT4H"`, `"P4W"`}, []string{`"P"`, `"PT"`, `"P1D2Y"`, `"5M"`}},
	{`{"format":"email"}`, []string{`"a.b+c@example.org"`, `"x@y.co"`}, []string{`"a@b"`, `"a b@c.de"`, `".a@b.cd"`, `"a@-b.cd"`}},
	{`{"format":"hostname"}`, []string{`"example.org"`, `"a-b"`}, []string{`"-a"`, `"a..b"`, `"a_b"`}},
	{`{"format":"ipv4"}`, []string{`"0.0.0.0"`, `"255.249.199.9"`}, []string{`"256.1.1.1"`, `"1.1.1"`, `"01.1.1.1"`}},
	{`{"format":"ipv6"}`, []string{`"::"`, `"::1"`, `"1:2:3:4:5:6:7:8"`, `"fe80::1:2"`, `"1::"`}, []string{`"1:2"`, `"1::2::3"`, `"12345::"`, `"1:2:3:4:5:6:7:8:9"`}},
	{`{"format":"uri"}`, []string{`"https://example.org:80/a/b?c=d#e"`, `"ftp://x"`}, []string{`"example.org"`, `"/a"`, `"http://a b"`}},
	{`{"format":"uuid"}`, []string{`"00000000-1111-2222-3333-444444444444"`}, []string{`"0000"`}},
	{`{"format":"byte"}`, []string{`""`, `"YWI="`, `"YQ=="`, `"YWJj"`}, []string{`"YWI"`, `"="`}},
	{`{"format":"json-pointer"}`, []string{`""`, `"/a/0"`, `"/a~1b"`}, []string{`"a"`, `"/~2"`}},

	// Arrays.
	{`{"type":"array","items":{"enum":["a","b","c"]},"uniqueItems":true}`, []string{`[]`, `["a"]`, `["c", "a"]`, `["b","c","a"]`}, []string{`["a","a"]`, `["a","b","a"]`, `["d"]`}},
	{`{"type":"array","items":{"enum":[1,1.0,2]},"uniqueItems":true,"minItems":2}`, []string{`[1,2]`, `[2,1]`}, []string{`[1]`, `[1,1.0]`}},
	{`{"items":{"type":["boolean","null"]},"uniqueItems":true,"maxItems":2}`, []string{`[true,null]`, `[false]`}, []string{`[true,true]`, `[true,false,null]`}},
	{`{"items":{"$ref":"#/$defs/e"},"uniqueItems":true,"$defs":{"e":{"type":"string","enum":["x",1]}}}`, []string{`["x"]`, `[]`}, []string{`["x","x"]`, `[1]`}},
	{`{"items":{"type":"string"},"uniqueItems":true,"maxItems":1}`, []string{`["x"]`, `[]`}, []string{`["x","y"]`}},
	{`{"items":{"type":"string"},"uniqueItems":false}`, []string{`["x","x"]`}, []string{`[1]`}},

	// Objects.
	{`{"type":"object","patternProperties":{"^x-":{"type":"integer"}},"properties":{"a":true}}`, []string{`{}`, `{"a":1}`, `{"a":"b","x-c":2,"x-":3}`}, []string{`{"b":1}`, `{"x-c":"d"}`}},
	{`{"type":"object","additionalProperties":{"type":"integer"},"minProperties":1,"maxProperties":2}`, []string{`{"a":1}`, `{"a":1,"b":2}`}, []string{`{}`, `{"a":1,"b":2,"c":3}`}},
	{`{"type":"object","minProperties":1}`, []string{`{"a":1}`, `{"a":1,"b":"c"}`}, []string{`{}`}},
	{`{"type":"object","propertyNames":{"enum":["a","b"]},"additionalProperties":{"type":"integer"}}`, []string{`{}`, `{"a":1}`, `{"b":2}`, `{"a":1,"b":2}`}, []string{`{"c":1}`, `{"a":"x"}`}},
	{`{"type":"object","propertyNames":{"pattern":"^[a-c]+$"},"additionalProperties":{"type":"integer"}}`, []string{`{}`, `{"abc":1}`}, []string{`{"d":1}`}},
	{`{"type":"object","propertyNames":{"type":"string"},"additionalProperties":{"type":"integer"}}`, []string{`{"any":1}`}, []string{`{"any":"x"}`}},
	{`{"type":"object","properties":{"a":true},"unevaluatedProperties":false,"x-order":1}`, []string{`{"a":1}`, `{}`}, []string{`{"b":1}`}},
	{`{"required":["a"]}`, []string{`{"a":1}`, `{"a":[]}`}, []string{`{}`, `{"b":1}`}},
	{`{"properties":{"b":true},"required":["a"],"additionalProperties":{"type":"integer"}}`, []string{`{"a":1}`, `{"b":"x","a":1,"c":2}`}, []string{`{"a":"x"}`, `{"b":1}`, `{"a":1,"a":2}`}},

	// Schemas of schemas.
	{`{"oneOf":[{"type":"integer"},{"type":"string"}]}`, []string{`1`, `"a"`}, []string{`true`}},
	{`{"oneOf":[{"type":"integer","maximum":3},{"type":"number","exclusiveMinimum":3}]}`, []string{`3`, `3.5`}, []string{`"a"`}},
	{`{"oneOf":[{"$ref":"#/$defs/cat"},{"$ref":"#/$defs/dog"}],"discriminator":{"propertyName":"kind"},"$defs":{
		"cat":{"type":"object","properties":{"kind":{"const":"cat"},"lives":{"type":"integer"}},"required":["kind","lives"]},
		"dog":{"type":"object","properties":{"kind":{"enum":["dog","wolf"]},"bark":{"type":"boolean"}},"required":["kind"]}}}`,
		[]string{`{"kind":"cat","lives":9}`, `{"kind":"dog"}`, `{"kind":"wolf","bark":true}`}, []string{`{"kind":"cat"}`, `{"kind":"dog","lives":9}`, `{"kind":"cow"}`}},
	{`{"oneOf":[{"properties":{"a":true},"required":["a"],"additionalProperties":false},{"properties":{"b":true},"required":["b"],"additionalProperties":false}]}`, []string{`{"a":1}`, `{"b":1}`}, []string{`{}`, `{"a":1,"b":1}`}},
	{`{"type":"object","properties":{"a":true,"b":true},"oneOf":[{"required":["a"],"properties":{"b":false}},{"required":["b"],"properties":{"a":false}}]}`, []string{`{"a":1}`, `{"b":1}`}, []string{`{}`, `{"a":1,"b":1}`}},
	{`{"allOf":[{"type":"object","properties":{"a":{"type":"integer"}},"required":["a"]},{"properties":{"b":{"type":"string"},"a":{"minimum":5}},"required":["b"]}]}`,
		[]string{`{"a":5,"b":"x"}`}, []string{`{"a":4,"b":"x"}`, `{"a":5}`, `{"b":"x","a":5}`}},
	{`{"allOf":[{"type":["integer","string"]},{"type":["number","string"]},{"minimum":2},{"maximum":4},{"minLength":1}]}`, []string{`2`, `4`, `"a"`}, []string{`1`, `5`, `""`, `2.5`}},
	{`{"allOf":[{"$ref":"#/$defs/a"},{"description":"of pydantic's first version"}],"default":1,"$defs":{"a":{"type":"integer"}}}`, []string{`1`}, []string{`"a"`}},
	{`{"allOf":[{"anyOf":[{"type":"integer"},{"type":"string","maxLength":1}]},{"anyOf":[{"type":"number","minimum":10},{"type":"string","minLength":1}]}]}`, []string{`10`, `"a"`}, []string{`9`, `""`, `"ab"`}},
	{`{"type":"integer","minLength":3,"required":["a"]}`, []string{`1`}, []string{`"abc"`}},
	{`{"allOf":[{"enum":[1,2,"a"]},{"type":"integer"},{"enum":[2,3,"a"]}]}`, []string{`2`}, []string{`1`, `3`, `"a"`}},
	{`{"allOf":[true,{"type":"null"}]}`, []string{`null`}, []string{`1`}},
	{`{"$ref":"#/$defs/a","maximum":3,"$defs":{"a":{"type":"integer","minimum":1}}}`, []string{`1`, `3`}, []string{`0`, `4`}},
	{`{"type":["string","null"],"enum":["a",null,3]}`, []string{`"a"`, `null`}, []string{`3`}},
	{`{"$ref":"#/$defs/a%20b~1c","$defs":{"a b/c":{"type":"null"}}}`, []string{`null`}, []string{`1`}},
	{`{"type":"object","properties":{"tree":{"$ref":"#/$defs/t"}},"required":["tree"],"$defs":{"t":{"type":"object","properties":{"kids":{"type":"array","items":{"$ref":"#/$defs/t"},"maxItems":2}},"required":["kids"]}}}`,
		[]string{`{"tree":{"kids":[]}}`, `{"tree":{"kids":[{"kids":[]},{"kids":[{"kids":[]}]}]}}`}, []string{`{"tree":{}}`, `{"tree":{"kids":[1]}}`}},
	{`{"type":"object","additionalProperties":false,"properties":{"a":{"type":"integer"}},"allOf":[{"properties":{"a":{"maximum":3},"b":true}}]}`, []string{`{}`, `{"a":3}`}, []string{`{"a":4}`, `{"b":1}`}},
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
		g := schemaGrammar(t, `{"type":"integer","minimum":`+quoteless(low)+`,"maximum":`+quoteless(high)+`}`)
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

func TestRefusedSchemas(t *testing.T) {
	for schema, want := range map[string]string{
		`{`:                                "EOF",
		`{} {}`:                            "something follows",
		`1`:                                "#: got a number, want an object",
		`false`:                            "has no text",
		`{"type":"thing"}`:                 `#/type: got "thing"`,
		`{"$ref":"http://x"}`:              `want a place in this document`,
		`{"$ref":"#/$defs/a"}`:             `there is no "$defs"`,
		`{"$ref":"#"}`:                     "has no text",
		`{"anyOf":[]}`:                     "want an array of at least one",
		`{"enum":[]}`:                      "want an array of at least one",
		`{"const":1,"minimum":0}`:          `keyword "minimum" is not supported here`,
		`{"type":"object","type":"array"}`: "twice in one object",
		strings.Repeat(`{"items":`, 300) + `true` + strings.Repeat(`}`, 300): "nested more than 200 deep",

		`{"type":"string","pattern":"("}`:               "missing closing )",
		`{"type":"string","pattern":"\\bx"}`:            "not supported within a pattern",
		`{"type":"string","pattern":"(?i)x"}`:           "ignores case",
		`{"type":"string","pattern":"x","minLength":3}`: "a length beside a pattern",
		`{"type":"string","minLength":3,"maxLength":2}`: "no string has both",
		`{"type":"string","minLength":-1}`:              "want a whole number",
		`{"type":"string","format":"color"}`:            `#/format: "color" is not supported for strings`,
		`{"pattern":"x","format":"date"}`:               "a pattern beside a format",

		`{"type":"integer","minimum":3,"maximum":2}`:                "no number is within these bounds",
		`{"type":"integer","minimum":1.2,"maximum":1.8}`:            "no number is within these bounds",
		`{"type":"integer","exclusiveMinimum":1,"maximum":1}`:       "no number is within these bounds",
		`{"type":"integer","multipleOf":7,"minimum":1,"maximum":6}`: "no number is within these bounds",
		`{"type":"number","minimum":1e30}`:                          "want a number of at most 18 digits",
		`{"type":"number","minimum":1e999999999}`:                   "want a number of at most 18 digits",
		`{"type":"number","minimum":"3"}`:                           "want a number of at most 18 digits",
		`{"type":"integer","multipleOf":0}`:                         "want a number above 0",
		`{"type":"integer","multipleOf":-2}`:                        "want a number above 0",
		`{"type":"integer","multipleOf":9973}`:                      "at most 250 without the factors 2 and 5",
		`{"type":"integer","format":"double"}`:                      `"double" is not supported here for numbers`,

		`{"type":"array","minItems":3,"maxItems":2}`:                           "no array has both",
		`{"properties":{"a":{"items":{"type":"integer"},"uniqueItems":true}}}`: `#/properties/a/uniqueItems: supported where items are an enum`,
		`{"items":true,"contains":{"type":"integer"}}`:                         `keyword "contains" is not supported here`,
		`{"allOf":[{"prefixItems":[true]},{"items":{"type":"integer"}}]}`:      "prefixItems of one schema beside items of another",

		`{"required":["a"],"additionalProperties":false}`:                            `#/required: "a" is not among the properties`,
		`{"patternProperties":{"a":true,"b":true}}`:                                  "supported with one pattern",
		`{"patternProperties":{"a":true},"additionalProperties":true}`:               "supported with one pattern",
		`{"patternProperties":{"a":true},"properties":{"bar":true}}`:                 `matches the property "bar"`,
		`{"type":"object","minProperties":2}`:                                        "names might come twice",
		`{"properties":{"a":true,"b":true},"maxProperties":1}`:                       "maxProperties",
		`{"type":"object","properties":{"a":true},"propertyNames":{"pattern":"^a"}}`: "beside properties an enum alone is supported",
		`{"type":"object","unevaluatedProperties":{"type":"integer"}}`:               `"unevaluatedProperties" is supported as false alone`,
		`{"type":"object","dependentRequired":{"a":["b"]}}`:                          `keyword "dependentRequired" is not supported here`,

		`{"not":{"type":"integer"}}`:                                                                                 `keyword "not" is not supported here`,
		`{"if":true,"then":true,"type":"integer"}`:                                                                   `keyword "if" is not supported here`,
		`{"type":"integer","nullable":true}`:                                                                         `keyword "nullable" is not supported here`,
		`{"oneOf":[{"type":"integer"},{"type":"number"}]}`:                                                           "#/oneOf: alternatives 0 and 1 may both hold",
		`{"oneOf":[{"type":"null"},{"const":"a"},{"enum":["b","a"]}]}`:                                               "#/oneOf: alternatives 1 and 2 may both hold",
		`{"oneOf":[{"properties":{"a":true}},{"properties":{"b":true}}]}`:                                            "may both hold",
		`{"properties":{"p":{"oneOf":[{"type":"string"},true]}}}`:                                                    "#/properties/p/oneOf: alternatives 0 and 1 may both hold",
		`{"oneOf":[{"properties":{"a":true},"required":["a"]},{"properties":{"a":true,"b":true},"required":["b"]}]}`: "may both hold",
		`{"allOf":[{"pattern":"a"},{"pattern":"b"}]}`:                                                                `different values of "pattern", which is not supported`,
		`{"oneOf":[{"type":"null"},{"$ref":"#"}],"type":["null","boolean"]}`:                                         "#/oneOf: alternatives 0 and 1 may both hold",
		`{"allOf":[{"const":1},{"const":2}]}`:                                                                        "has no text",
		`{"allOf":[{"type":"integer"},{"type":"string"}]}`:                                                           "has no text",
		`{"allOf":[{"type":"integer"},{"if":true}]}`:                                                                 `keyword "if" is not supported here`,
		`{"$defs":{"a":{"allOf":[{"$ref":"#/$defs/a"},{"type":"object"}]}},"$ref":"#/$defs/a"}`:                      "deep",
		`{"anyOf":[true],"minLength":2,"then":1}`:                                                                    `keyword "then" is not supported here`,
	} {
		if _, err := FromSchema([]byte(schema), everyByte()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.90s: got %v, want %q", schema, err, want)
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
