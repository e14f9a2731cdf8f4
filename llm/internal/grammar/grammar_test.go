package grammar

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/retort-ml/retort/engine"
)

// everyByte is the 256 single bytes, some longer tokens, and one without a text.
func everyByte(more ...string) *Vocabulary {
	var texts []string
	for b := range 256 {
		texts = append(texts, string([]byte{byte(b)}))
	}
	return NewVocabulary(append(append(texts, more...), ""))
}

// follow feeds bytes one by one; alive is false after one that is not allowed.
func follow(g *Grammar, text string) (s engine.GrammarState, alive bool) {
	s = g.Start()
	mask := make([]uint64, (len(g.vocab.texts)+63)/64)
	for i := range len(text) {
		clear(mask)
		s.Allow(mask)
		b := text[i]
		allowed := mask[b/64]>>(b%64)&1 != 0
		s = s.Next(int32(b))
		if dies := s.(place).s == dead; dies == allowed {
			panic(fmt.Sprintf("%q byte %d: allowed %v, but dead %v", text, i, allowed, dies))
		}
		if !allowed {
			return s, false
		}
	}
	return s, true
}

func accepts(g *Grammar, text string) bool {
	s, alive := follow(g, text)
	return alive && s.Complete()
}

// randomExpression writes the same language as GBNF and as a Go regular expression over a, b and é.
func randomExpression(rng *rand.Rand, depth int) (gbnf, re string) {
	if depth == 0 || rng.IntN(4) == 0 {
		i := rng.IntN(6)
		return []string{`"a"`, `"b"`, `"ab"`, `[ab]`, `[^a]`, `"é"`}[i], []string{`a`, `b`, `ab`, `[ab]`, `[^a]`, `é`}[i]
	}
	a, x := randomExpression(rng, depth-1)
	b, y := randomExpression(rng, depth-1)
	switch rng.IntN(5) {
	case 0:
		return a + " " + b, x + y
	case 1:
		return "(" + a + " | " + b + ")", "(?:" + x + "|" + y + ")"
	case 2:
		// Something stands before what repeats, so that no repetition is empty.
		return `("a" ` + a + ")*", "(?:a" + x + ")*"
	case 3:
		return "(" + a + ")?", "(?:" + x + ")?"
	}
	return `("b" ` + a + "){1,3}", "(?:b" + x + "){1,3}"
}

// Grammars accept what the same regular expressions match, and a beginning is alive exactly if some text goes on with it.
func TestAgainstRegexp(t *testing.T) {
	var texts []string
	for n := range 6 {
		for i := range 1 << (2 * n) {
			var b strings.Builder
			for k := range n {
				b.WriteString([]string{"a", "b", "é", "c"}[i>>(2*k)&3])
			}
			texts = append(texts, b.String())
		}
	}
	rng := rand.New(rand.NewPCG(1, 1))
	v := everyByte()
	accepted, refused := 0, 0
	for range 150 {
		gbnf, re := randomExpression(rng, 3)
		g, err := Parse("root ::= "+gbnf, v)
		if err != nil {
			t.Fatalf("%s: %v", gbnf, err)
		}
		want := regexp.MustCompile("^(?:" + re + ")$")
		alive := map[string]bool{}
		for _, text := range texts {
			if want.MatchString(text) {
				accepted++
				for i := range len(text) + 1 {
					alive[text[:i]] = true
				}
			} else {
				refused++
			}
			if got := accepts(g, text); got != want.MatchString(text) {
				t.Fatalf("%s: accepts %q: %v, want %v", gbnf, text, got, !got)
			}
		}
		for prefix := range alive {
			if _, got := follow(g, prefix); !got {
				t.Fatalf("%s: %q is dead, though a text begins with it", gbnf, prefix)
			}
		}
	}
	if accepted < 1000 || refused < 1000 {
		t.Errorf("%d accepted, %d refused: too tame", accepted, refused)
	}
}

// Every way to write a token's bytes is found: the mask against following each token by itself.
func TestMaskAgainstEachToken(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	words := []string{"a", "b", "é", `"`, ":", ",", "{", "}", "[", "]", " ", "\n", "1", "-", "true", "null", "\\", "x"}
	var more []string
	for range 600 {
		var b strings.Builder
		for range 1 + rng.IntN(5) {
			b.WriteString(words[rng.IntN(len(words))])
		}
		text := b.String()
		more = append(more, text[:1+rng.IntN(len(text))], text)
	}
	v := everyByte(more...)
	g, err := FromSchema([]byte(`{"type":"object","properties":{"a":{"type":["integer","null"]},"ab":{"type":"array","items":{"type":"string"}},"é":true},"required":["a"]}`), v)
	if err != nil {
		t.Fatal(err)
	}
	steps := 0
	for range 60 {
		s := g.Start()
		for range 30 {
			mask := make([]uint64, (len(v.texts)+63)/64)
			s.Allow(mask)
			var allowed []int32
			for id, text := range v.texts {
				want := text != "" && s.Next(int32(id)).(place).s != dead
				if got := mask[id/64]>>(id%64)&1 != 0; got != want {
					t.Fatalf("token %q: allowed %v, want %v", text, got, want)
				}
				if want {
					allowed = append(allowed, int32(id))
				}
			}
			if len(allowed) == 0 {
				if !s.Complete() {
					t.Fatal("a dead end")
				}
				break
			}
			s = s.Next(allowed[rng.IntN(len(allowed))])
			steps++
		}
	}
	if steps < 500 {
		t.Errorf("only %d steps", steps)
	}
}

// The encodings of a range are those of its code points.
func TestEncodings(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	edges := []rune{0, 0x7F, 0x80, 0x7FF, 0x800, 0xFFF, 0x1000, 0xD7FF, 0xE000, 0xFFFF, 0x10000, 0x3FFFF, 0x40000, maxRune}
	for range 300 {
		lo, hi := rune(rng.IntN(maxRune+1)), rune(rng.IntN(maxRune+1))
		if rng.IntN(2) == 0 {
			lo = edges[rng.IntN(len(edges))] + rune(rng.IntN(3)-1)
		}
		if rng.IntN(2) == 0 {
			hi = edges[rng.IntN(len(edges))] + rune(rng.IntN(3)-1)
		}
		lo, hi = max(0, min(lo, hi)), min(maxRune, max(lo, hi))
		list := encodings(lo, hi)
		for range 300 {
			r := rune(rng.IntN(maxRune + 1))
			if rng.IntN(2) == 0 {
				r = max(0, min(maxRune, []rune{lo, hi}[rng.IntN(2)]+rune(rng.IntN(5)-2)))
			}
			if !utf8.ValidRune(r) {
				continue
			}
			found := 0
			for _, ranges := range list {
				if text := string(r); len(text) == len(ranges) && !slices.ContainsFunc([]int{0, 1, 2, 3}[:len(text)], func(i int) bool { return text[i] < ranges[i].lo || text[i] > ranges[i].hi }) {
					found++
				}
			}
			if want := r >= lo && r <= hi; found > 1 || (found == 1) != want {
				t.Fatalf("%x to %x: %x is in %d of %v", lo, hi, r, found, list)
			}
		}
	}
}

func TestNotation(t *testing.T) {
	v := everyByte()
	for _, c := range []struct {
		grammar   string
		good, bad []string
	}{
		{"root ::= \"x\" # comment\n", []string{"x"}, []string{"", "xx", "y"}},
		{"# first\n\nroot ::= a\n  | b\na ::= \"1\" |\n \"2\"\nb ::= [3-5\\]\\x41]+", []string{"1", "2", "35", "]A"}, []string{"3-", "12"}},
		{`root ::= "\n\t\\\"\u00e9\U0001F600"`, []string{"\n\t\\\"é😀"}, []string{"é"}},
		{`root ::= .{2}`, []string{"ab", "é😀"}, []string{"a", "abc"}},
		{`root ::= [a-c]{2,} "-"?`, []string{"ab", "abcabc-"}, []string{"a", "a-"}},
		{`root ::= [-a]{,2}`, []string{"", "-", "a-"}, []string{"aaa"}},
		{`root ::= "(" root ")" | ""`, []string{"", "()", "((()))"}, []string{"(", "())"}},
		{"root ::= list\nlist ::= \"a\" list-tail\nlist-tail ::= \",a\" list-tail | ", []string{"a", "a,a,a"}, []string{"a,"}},
		{`root ::= ("a" | "b" "c")* "d"`, []string{"d", "abcad"}, []string{"abd"}},
	} {
		g, err := Parse(c.grammar, v)
		if err != nil {
			t.Errorf("%q: %v", c.grammar, err)
			continue
		}
		for _, text := range c.good {
			if !accepts(g, text) {
				t.Errorf("%q refuses %q", c.grammar, text)
			}
		}
		for _, text := range c.bad {
			if accepts(g, text) {
				t.Errorf("%q accepts %q", c.grammar, text)
			}
		}
	}
}

func TestRefusedGrammars(t *testing.T) {
	v := everyByte()
	for grammar, want := range map[string]string{
		"":                           "there is no rule root",
		"a ::= \"x\"":                "there is no rule root",
		"root ::= b":                 `rule "b" is not defined`,
		"root ::= \"a\" root":        `rule "root" has no text`,
		"root ::= []":                `rule "root" has no text`,
		"root ::= root \"a\" | \"\"": `rule "root" begins with itself`,
		"root ::= b \"x\"\nb ::= c?\nc ::= b \"y\" | \"z\"": "begins with itself",
		"root ::= (\"a\"?)*":             "begins with itself",
		"root ::= \"a":                   `line 1: a text has no closing "`,
		"root ::= \"x\"\nroot ::= \"y\"": `line 2: rule "root" is there already`,
		"root ::= [b-a]":                 `the range 'b'-'a' of a class is empty`,
		"root ::= [a":                    "a class has no closing ]",
		"root ::= (\"a\"":                `want )`,
		"root ::= \"\\q\"":               `unknown escape \q`,
		"root ::= \"\\xg0\"":             `\x wants 2 hexadecimal digits`,
		"root ::= \"a\"{3,2}":            "repetition {3,2}",
		"root ::= \"a\"{99999999}":       "want numbers of at most 65536",
		"root ::= (\"a\"{60000}){60000} (\"b\"{60000}){60000}": "more than 131072 elements",
		"root : \"a\"":                         "want ::=",
		"root ::= \"a\" ]":                     "want the end of rule",
		"root ::= \xff":                        "not UTF-8",
		"root ::= " + strings.Repeat("(", 300): "nested more than 200 deep",
	} {
		if _, err := Parse(grammar, v); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: got %v, want %q", grammar, err, want)
		}
	}
	if _, err := Parse(`root ::= "x"`, NewVocabulary([]string{"a", "xy"})); err == nil || !strings.Contains(err.Error(), "no token of the vocabulary begins") {
		t.Errorf("without the token: got %v", err)
	}
}

// The tables are begun anew when they are full, and a running text goes on.
func TestManyStates(t *testing.T) {
	g, err := Parse(`root ::= "(" root ")" | "[" root "]" | ""`, everyByte())
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(4, 4))
	largest := 0
	for range 60 {
		var open, end []byte
		for range 200 {
			if rng.IntN(2) == 0 {
				open, end = append(open, '('), append(end, ')')
			} else {
				open, end = append(open, '['), append(end, ']')
			}
		}
		slices.Reverse(end)
		s := g.Start()
		for _, b := range append(open, end...) {
			s = s.Next(int32(b))
		}
		if !s.Complete() || s.Next('x').(place).s != dead {
			t.Fatalf("%q %q", open, end)
		}
		largest = max(largest, len(g.states))
	}
	if largest < maxStates/2 || largest > maxStates+300 {
		t.Errorf("up to %d states, want up to about %d", largest, maxStates)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("root ::= \"a\" ( b | [c-d]* )\nb ::= .{2,3}")
	v := everyByte()
	f.Fuzz(func(t *testing.T, text string) {
		g, err := Parse(text, v)
		if err != nil {
			return
		}
		follow(g, "ab c")
	})
}
