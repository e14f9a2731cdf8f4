package grammar

import (
	"math/rand/v2"
	"strings"
	"testing"
)

const oneCall = `{"call":{"type":"object","properties":{"name":{"const":"add"},"arguments":{"$ref":"#/call/$defs/n"}},"required":["name","arguments"],"$defs":{"n":{"type":"object","properties":{"a":{"type":"integer"}},"required":["a"]}}}`

// TestCalls: text is free but for the marks of calls, and what stands between those is a call.
func TestCalls(t *testing.T) {
	const call = `{"name":"add","arguments":{"a":1}}`
	marked, bare := Calls{Open: "<tool_call>", Close: "</tool_call>", Schema: oneCall + "}"}, Calls{Schema: oneCall + "}"}
	schemed := marked
	schemed.Schema = oneCall + `,"answer":{"type":"object","properties":{"x":{"$ref":"#/answer/$defs/b"}},"required":["x"],"$defs":{"b":{"type":"boolean"}}}}`
	bareSchemed := Calls{Schema: schemed.Schema}
	one, bareOne, schemedOne := marked, bare, schemed
	one.One, bareOne.One, schemedOne.One = true, true, true
	full := "<tool_call>\n" + call + "\n</tool_call>"
	for _, c := range []struct {
		calls    Calls
		good     []string
		bad      []string
		notWhole []string
	}{
		{marked, []string{"", "hello", full, "a " + full + " b " + full + " c", "if a < b && c <t<to<tool<tool_cal", "<<tool_call" + "x", "<<<<<<< HEAD", "é<ü>"},
			[]string{"<tool_call>x", "a<<tool_call>{\"name\":\"sub\"", "<tool_call>" + strings.Replace(call, "1", `"1"`, 1)}, []string{"<tool_call>", "x<tool_call>\n" + call}},
		{one, []string{"", "a " + full, full + "\n", "no call"}, []string{full + "x", full + full}, nil},
		{schemed, []string{`{"x":true}`, full, full + "\n" + full, "\n\n" + full}, []string{"x", `{"x":1`, `{"name"`, full + "x"}, []string{"", "<tool_call>"}},
		{schemedOne, []string{`{"x":true}`, full}, []string{full + full}, nil},
		{bare, []string{"", "hello {", call, call + "; " + call, " text", " " + call}, []string{"{x", `{"name":"sub`, call + call, call + "x"}, []string{"{"}},
		{bareOne, []string{call, "x;"}, []string{call + ";"}, nil},
		{bareSchemed, []string{`{"x":false}`, call, call + ";" + call}, []string{"x", `{"x":1`, `{"name":"s`}, []string{""}},
	} {
		g, err := FromCalls(&c.calls, everyByte())
		if err != nil {
			t.Fatalf("%+v: %v", c.calls, err)
		}
		for _, text := range c.good {
			if !accepts(g, text) {
				t.Errorf("%+v: %q is refused", c.calls, text)
			}
		}
		for _, text := range c.bad {
			if _, alive := follow(g, text); alive {
				t.Errorf("%+v: %q is taken", c.calls, text)
			}
		}
		for _, text := range c.notWhole {
			if _, alive := follow(g, text); !alive || accepts(g, text) {
				t.Errorf("%+v: %q is whole, or refused", c.calls, text)
			}
		}
	}
	for _, bad := range []string{"", "[]", `{"answer":{}}`, `{"call":{"type":"nothing"}}`} {
		if _, err := FromCalls(&Calls{Open: "<c>", Close: "</c>", Schema: bad}, everyByte()); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

// TestTextBesideCalls: of random texts those are free that do not hold the mark, whatever its beginnings look like, and long ones need no more memory.
func TestTextBesideCalls(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, mark := range []string{"<tool_call>", "aab", "abab", "[[", "a"} {
		g, err := FromCalls(&Calls{Open: mark, Close: "]", Schema: `{"call":{"const":1}}`}, everyByte())
		if err != nil {
			t.Fatal(err)
		}
		letters := mark + "xb"
		for range 2000 {
			text := ""
			for range rng.IntN(30) {
				n := 1 + rng.IntN(len(mark))
				if rng.IntN(2) == 0 {
					text += mark[:n]
				} else {
					text += string(letters[rng.IntN(len(letters))])
				}
				if _, rest, found := strings.Cut(text, mark); found {
					text = text[:len(text)-len(rest)]
					break
				}
			}
			if got, want := accepts(g, text), !strings.Contains(text, mark); got != want {
				t.Fatalf("mark %q: %q is whole: %v, want %v", mark, text, got, want)
			}
		}
		before := len(g.stacks)
		if !accepts(g, strings.Repeat(mark[:len(mark)-1]+"é", 5000)) || len(g.stacks) > before+100 {
			t.Errorf("mark %q: %d stacks, then %d", mark, before, len(g.stacks))
		}
	}
}
