package server

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/retort-ml/retort/chat"
	"github.com/retort-ml/retort/tokenizer"
)

// recorded are replies as models write them, each with where the prompt left off.
var recorded = []struct {
	state           chat.State
	text            string // the marks are tokens
	thought, answer string
	calls           string // name and arguments of each, joined
	stops           []string
}{
	{chat.Thinking, "hm\n</think>\n\nYes.", "hm", "Yes.", "", nil},
	{chat.Thinking, "</think>Yes.", "", "Yes.", "", nil},
	{chat.Thinking, "never ends", "never ends", "", "", nil},
	{chat.Thinking, "", "", "", "", nil},
	{chat.Thinking, "Köln 😀\n</think>\n答え 😀", "Köln 😀", "答え 😀", "", nil},
	{chat.Thinking, "a < b, </thin\n</think>c", "a < b, </thin", "c", "", nil},
	{chat.Thinking, "<think>\nhm</think>Yes.", "hm", "Yes.", "", nil},
	{chat.Undecided, "<think>\nhm\n</think>\n\nYes.", "hm", "Yes.", "", nil},
	{chat.Undecided, "Yes.", "", "Yes.", "", nil},
	{chat.Undecided, "<think></think>\n\n", "", "", "", nil},
	{chat.Answering, "Yes </answer x", "", "Yes </answer x", "", nil},
	{chat.Thinking, "stop STOP\n\n</think>one STOP two", "stop STOP", "one ", "", []string{"STOP"}},
	{chat.Thinking, "a\n\nb</think>c\n\nd", "a\n\nb", "c", "", []string{"\n\n"}},
	{chat.Thinking, "x</think>a ST b STO", "x", "a ST b STO", "", []string{"STOP"}},
	{chat.Thinking, "x</think>é€ € STOP", "x", "é€ € ", "", []string{"STOP"}},
	{chat.Thinking, "t</think>\n\n<tool_call>\n{\"name\": \"f\", \"arguments\": {\"a\": 1}}\n</tool_call>", "t", "", `f{"a": 1}`, nil},
	{chat.Thinking, "t</think>I look.\n<tool_call>\n{\"name\": \"f\", \"arguments\": {}}\n</tool_call>\n<tool_call>{\"name\":\"g\",\"arguments\":{\"b\":[1,\"<\"]}}</tool_call>", "t", "I look.", `f{}g{"b":[1,"<"]}`, nil},
	{chat.Answering, "a <tool_call> is no call</tool_call> b", "", "a <tool_call> is no call</tool_call> b", "", nil},
	{chat.Answering, "a <tool_ca", "", "a <tool_ca", "", nil},
	{chat.Answering, "<tool_call>{\"name\":\"f\"", "", "<tool_call>{\"name\":\"f\"", "", nil},
	{chat.Thinking, "{\"a\": 1}</think>{\"b\": \"</think>\"}", "{\"a\": 1}", "{\"b\": \"</think>\"}", "", nil},
	// a schema's answer: primed, not primed, and cut
	{chat.Thinking, "I need k.\n</think>\n\n{\"k\": \"a\"}", "I need k.", "{\"k\": \"a\"}", "", nil},
	{chat.Undecided, "{\"k\": [1, 2, {\"m\": null}]}", "", "{\"k\": [1, 2, {\"m\": null}]}", "", nil},
	{chat.Undecided, "<think>\n{\"draft\": 1}\n</think>\n{\"k\": 1}", "{\"draft\": 1}", "{\"k\": 1}", "", nil},
	{chat.Thinking, "x</think>{\"k\": \"ü", "x", "{\"k\": \"ü", "", nil},
	{chat.Answering, "\n\n{\"k\": 1}\n", "", "\n\n{\"k\": 1}\n", "", nil},
	// thoughts that end otherwise than hoped for
	{chat.Undecided, "<think>\nnever ends <", "never ends <", "", "", nil},
	{chat.Undecided, "<think>", "", "", "", nil},
	{chat.Thinking, "hm\n\n\n</think>", "hm", "", "", nil},
	{chat.Thinking, "\n\n</think>\n\n", "", "", "", nil},
	{chat.Thinking, "a\n\n  b\t\n</think>\n\n  c  \n", "a\n\n  b", "c  \n", "", nil},
	{chat.Thinking, "wait</thinking> no</think>so", "wait</thinking> no", "so", "", nil},
	{chat.Thinking, "\\boxed{3}</think>\\boxed{4}", "\\boxed{3}", "\\boxed{4}", "", nil},
	// calls: within the thought they are talk, behind it they are calls, and a stop may stand in them
	{chat.Thinking, "<tool_call>{\"name\":\"f\",\"arguments\":{}}</tool_call></think>done", "<tool_call>{\"name\":\"f\",\"arguments\":{}}</tool_call>", "done", "", nil},
	{chat.Undecided, "<tool_call>{\"name\":\"f\",\"arguments\":{\"q\":\"é😀\"}}</tool_call>", "", "", `f{"q":"é😀"}`, nil},
	{chat.Answering, "<tool_call>\n{\"name\": \"f\", \"arguments\": {\"a\": \"</tool\"}}\n</tool_call>\n", "", "", `f{"a": "</tool"}`, nil},
	{chat.Thinking, "t</think><tool_call>{\"name\":\"f\",\"arguments\":\"{\\\"a\\\":1}\"}</tool_call>", "t", "", `f{"a":1}`, nil},
	{chat.Thinking, "t</think>see <<tool_call>{\"name\":\"f\",\"arguments\":{}}</tool_call>", "t", "see <", `f{}`, nil},
	{chat.Answering, "x<tool_call>{\"name\":\"f\",\"arguments\":{}}</tool_call>y STOP z", "", "xy", `f{}`, []string{"STOP"}},
	{chat.Thinking, "x</think>aa", "x", "", "", []string{"aa"}},
	{chat.Thinking, "x</think>aab", "x", "", "", []string{"b", "aab", "a"}},
	{chat.Thinking, "€</think>€<", "€", "€<", "", nil},
}

// pieces cuts a text into tokens: the marks as they are, everything else as bytes or, with a cut, as bytes up to there.
func pieces(lab *tokenizer.Tokenizer, text string) []int32 {
	var ids []int32
	first := true
	for text != "" {
		for _, mark := range []string{tokenizer.Think, tokenizer.EndThink} {
			if strings.HasPrefix(text, mark) && (mark == tokenizer.EndThink && first || mark == tokenizer.Think && len(ids) == 0) {
				id, _ := lab.ID(mark)
				ids = append(ids, id)
				text = text[len(mark):]
				if mark == tokenizer.EndThink {
					first = false // what looks like one later on is text
				}
			}
		}
		if text != "" {
			ids = append(ids, int32(text[0]))
			text = text[1:]
		}
	}
	return ids
}

// TestRecordedStreams: cut at each byte, and at once, the parts are the same and right.
func TestRecordedStreams(t *testing.T) {
	lab := tokenizer.Lab()
	for _, marked := range []bool{true, false} {
		tags := chat.KnownTags[0]
		if marked {
			tags = tags.WithIDs(lab)
		}
		for _, c := range recorded {
			if !marked && strings.Contains(c.text, `"</think>"`) {
				continue // text and mark cannot be told apart there
			}
			a := &ask{begun: begun{Prompt: chat.Prompt{Tags: tags, State: c.state}}, model: &loaded{Model: &Model{Tokenizer: lab}}, split: true, stops: c.stops,
				style: hermesTools, o: &sampling{keepSpecial: !marked}}
			v := newView(a)
			var sum, one news
			ids := pieces(lab, c.text)
			for i, id := range ids {
				n := v.push(id)
				if len(c.stops) > 0 {
					if got := (&stopTexts{a}).Stops(ids[:i+1]); got != v.stop.hit {
						t.Errorf("%q: the constraint says %v after %d tokens, the text %v", c.text, got, i+1, v.stop.hit)
					}
				}
				one = n
				sum.thought, sum.answer, sum.calls = sum.thought+one.thought, sum.answer+one.answer, append(sum.calls, one.calls...)
				if strings.ContainsRune(one.thought+one.answer, '\ufffd') {
					t.Errorf("%q: a character is cut at %d: %q", c.text, i, one.thought+one.answer)
				}
			}
			one = v.end()
			sum.thought, sum.answer, sum.calls = sum.thought+one.thought, sum.answer+one.answer, append(sum.calls, one.calls...)
			calls := ""
			for _, k := range sum.calls {
				calls += k.name + k.arguments
			}
			if sum.thought != c.thought || sum.answer != c.answer || calls != c.calls {
				t.Errorf("%s %q, marks as ids %v: got %q, %q, %q; want %q, %q, %q", c.state, c.text, marked, sum.thought, sum.answer, calls, c.thought, c.answer, c.calls)
			}
		}
	}
}

// TestCutCharacter: a character that a mark cuts off belongs to what stands before the mark.
func TestCutCharacter(t *testing.T) {
	lab := tokenizer.Lab()
	a := &ask{begun: begun{Prompt: chat.Prompt{Tags: chat.KnownTags[0].WithIDs(lab), State: chat.Thinking}}, model: &loaded{Model: &Model{Tokenizer: lab}}, split: true, o: &sampling{}}
	v := newView(a)
	var thought, answer string
	for _, id := range pieces(lab, "a\xe2\x82</think>b\xe2") {
		n := v.push(id)
		thought, answer = thought+n.thought, answer+n.answer
	}
	n := v.end()
	if thought+n.thought != "a\ufffd" || answer+n.answer != "b\ufffd" {
		t.Errorf("got %q and %q", thought+n.thought, answer+n.answer)
	}
}

// TestContinuedThought: white space at the beginning belongs to a thought that the client began.
func TestContinuedThought(t *testing.T) {
	lab := tokenizer.Lab()
	for _, continued := range []bool{false, true} {
		a := &ask{begun: begun{Prompt: chat.Prompt{Tags: chat.KnownTags[0].WithIDs(lab), State: chat.Thinking}, continued: continued},
			model: &loaded{Model: &Model{Tokenizer: lab}}, split: true, o: &sampling{}}
		v := newView(a)
		got := ""
		for _, id := range pieces(lab, " and so</think> it is") {
			got += v.push(id).thought
		}
		if want := map[bool]string{false: "and so", true: " and so"}[continued]; got != want || v.thoughtTokens() != 7 {
			t.Errorf("continued %v: %q of %d tokens, want %q", continued, got, v.thoughtTokens(), want)
		}
	}
}

// TestLlamaCalls: a reply that is JSON is calls, anything else is text.
func TestLlamaCalls(t *testing.T) {
	for text, want := range map[string]string{
		`{"name": "f", "parameters": {"a": "x"}}`:                             `f{"a": "x"}|`,
		` {"name":"f","parameters":{}}; {"name":"g","parameters":{"b":"{}"}}`: `f{}g{"b":"{}"}|`,
		`{"name":"f","arguments":"{\"a\":1}"}`:                                `f{"a":1}|`,
		`Hello {"name":"f"}`:                                                  `|Hello {"name":"f"}`,
		`{"a":1}`:                                                             `|{"a":1}`,
		`{"name":"f","par`:                                                    `|{"name":"f","par`,
		`{"name":"f"} and so on`:                                              `f{}|and so on`,
		"  ":                                                                  "|  ",
	} {
		for cut := range len(text) + 1 {
			r := newToolReader(llamaTools, false)
			got, calls := "", []call(nil)
			for _, part := range []string{text[:cut], text[cut:]} {
				rest, more := r.push(part)
				got, calls = got+rest, append(calls, more...)
			}
			rest, more := r.end()
			names := ""
			for _, c := range append(calls, more...) {
				names += c.name + c.arguments
			}
			if names+"|"+got+rest != want {
				t.Errorf("%q cut at %d: %q, want %q", text, cut, names+"|"+got+rest, want)
			}
		}
	}
}

// TestHermesCallsAtEveryCut: the reader of calls does not depend on the pieces.
func TestHermesCallsAtEveryCut(t *testing.T) {
	for _, c := range recorded {
		_, text, split := strings.Cut(c.text, "</think>")
		if !split {
			text = c.text
		}
		read := func(parts ...string) string {
			r := newToolReader(hermesTools, false)
			var all []string
			got := ""
			for _, part := range parts {
				rest, calls := r.push(part)
				got += rest
				for _, c := range calls {
					all = append(all, c.name+c.arguments)
				}
			}
			rest, calls := r.end()
			for _, c := range calls {
				all = append(all, c.name+c.arguments)
			}
			return fmt.Sprint(all, got+rest)
		}
		want := read(text)
		for cut := range len(text) {
			if got := read(text[:cut], text[cut:]); got != want {
				t.Errorf("%q cut at %d: %q, whole %q", text, cut, got, want)
			}
		}
	}
	if styleOf("tools <tool_call>") != hermesTools || styleOf(`tools "parameters": dictionary of`) != llamaTools || styleOf("<tool_call>") != noTools || slices.Contains([]toolStyle{hermesTools}, styleOf("tools")) {
		t.Error("styles")
	}
}
