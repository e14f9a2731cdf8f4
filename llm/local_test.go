package llm

import (
	"context"
	"errors"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/retort-ml/retort/chat"
	"github.com/retort-ml/retort/engine"
	"github.com/retort-ml/retort/internal/compute"
	"github.com/retort-ml/retort/model"
	"github.com/retort-ml/retort/tokenizer"
)

var _ Generator = (*Local)(nil)

// newLocal is a small random model behind the lab's tokenizer.
func newLocal(t *testing.T) *Local {
	t.Helper()
	lab := tokenizer.Lab()
	m, err := model.New(model.Config{
		Architecture: model.Qwen2, VocabSize: lab.Size(), Width: 16, Layers: 1, Heads: 2, KVHeads: 1, HeadSize: 8, FFN: 32,
		MaxPositions: 256, RopeTheta: 10000, NormEpsilon: 1e-6, TieEmbeddings: true, BOS: -1, EOS: -1,
	}, 1)
	if err != nil {
		t.Fatal(err)
	}
	cpu := compute.NewCPU(2)
	t.Cleanup(cpu.Close)
	e, err := engine.New(m, cpu, nil)
	if err != nil {
		t.Fatal(err)
	}
	return NewLocal(e, lab)
}

func TestGenerate(t *testing.T) {
	l := newLocal(t)
	prompts := []Prompt{
		{Text: "<|user|>Use 3, 7, 11 to make 32.<|assistant|><think>\n", MaxTokens: 40, Temperature: 1, Samples: 3},
		{Text: "Add 12 and 13", MaxTokens: 7},
	}
	replies, err := l.Generate(t.Context(), prompts)
	if err != nil {
		t.Fatal(err)
	}
	if len(replies) != 4 {
		t.Fatalf("%d replies, want 4", len(replies))
	}
	for i, r := range replies {
		want := []Reply{{Prompt: 0, Sample: 0}, {Prompt: 0, Sample: 1}, {Prompt: 0, Sample: 2}, {Prompt: 1, Sample: 0}}[i]
		n := prompts[want.Prompt].MaxTokens
		if r.Prompt != want.Prompt || r.Sample != want.Sample || len(r.Tokens) != n || len(r.LogProbs) != n || r.Finish != engine.FinishLength {
			t.Errorf("reply %d: %+v", i, r)
		}
		if r.Text != tokenizer.Lab().Decode(r.Tokens) {
			t.Errorf("reply %d: text %q, tokens say %q", i, r.Text, tokenizer.Lab().Decode(r.Tokens))
		}
	}
	if replies[0].Text == replies[1].Text {
		t.Error("two samples are the same")
	}
}

// A stop text ends the reply wherever it lies among the tokens, and so does a stop token.
func TestStops(t *testing.T) {
	l := newLocal(t)
	p := Prompt{Text: "Sort ", MaxTokens: 60, Temperature: 1}
	free, err := l.Generate(t.Context(), []Prompt{p})
	if err != nil {
		t.Fatal(err)
	}
	text := free[0].Text
	for at := 3; at < len(text)-4; at += 5 {
		stop := text[at : at+4]
		want := text[:strings.Index(text, stop)]
		p.Stop = []string{"not in the text", stop}
		got, err := l.Generate(t.Context(), []Prompt{p})
		if err != nil {
			t.Fatal(err)
		}
		r := got[0]
		if r.Text != want || r.Finish != engine.FinishStop {
			t.Fatalf("stop %q: got %q (%s), want %q", stop, r.Text, r.Finish, want)
		}
		// It stops at the first token that completes the stop text.
		before := tokenizer.Lab().Decode(r.Tokens[:len(r.Tokens)-1])
		if strings.Contains(before, stop) || !strings.Contains(tokenizer.Lab().Decode(r.Tokens), stop) {
			t.Fatalf("stop %q: %d tokens, the text before the last one is %q", stop, len(r.Tokens), before)
		}
	}
	p.Stop, p.StopTokens = nil, free[0].Tokens[9:10]
	got, err := l.Generate(t.Context(), []Prompt{p})
	if err != nil {
		t.Fatal(err)
	}
	n := slices.Index(free[0].Tokens, free[0].Tokens[9])
	if want := tokenizer.Lab().Decode(free[0].Tokens[:n]); got[0].Text != want || len(got[0].Tokens) != n+1 {
		t.Errorf("stop token: got %q in %d tokens, want %q in %d", got[0].Text, len(got[0].Tokens), want, n+1)
	}
	p.Stop = []string{""}
	if _, err := l.Generate(t.Context(), []Prompt{{Text: "x"}, p}); err == nil || err.Error() != "llm: prompt 1: a stop text is empty, want at least one byte" {
		t.Errorf("empty stop text: got %v", err)
	}
	var refused *engine.RequestError
	if _, err := l.Generate(t.Context(), []Prompt{{Text: ""}}); !errors.As(err, &refused) {
		t.Errorf("empty prompt: got %v", err)
	}
}

// The pieces of a stream are those of Generate's reply, none of them ends within a character, and
// nothing that belongs to a stop text is ever yielded.
func TestStream(t *testing.T) {
	l := newLocal(t)
	p := Prompt{Text: "swap ", MaxTokens: 80, Temperature: 1}
	free, err := l.Generate(t.Context(), []Prompt{p})
	if err != nil {
		t.Fatal(err)
	}
	end := free[0].Text[len(free[0].Text)-2:]
	for _, stops := range [][]string{nil, {free[0].Text[30:36], "absent"}, {end + " and more"}} {
		p.Stop = stops
		want, err := l.Generate(t.Context(), []Prompt{p})
		if err != nil {
			t.Fatal(err)
		}
		var joined strings.Builder
		pieces := 0
		got, err := l.Stream(t.Context(), p, func(text string) {
			joined.WriteString(text)
			pieces++
		})
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want[0]) || joined.String() != got.Text || pieces < 5 {
			t.Errorf("stops %q: %d pieces %q, reply %+v, want %+v", stops, pieces, joined.String(), got, want[0])
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	p.Stop = nil
	got, err := l.Stream(ctx, p, func(string) { cancel() })
	if !errors.Is(err, context.Canceled) || got.Finish != engine.FinishCancelled || !strings.HasPrefix(free[0].Text, got.Text) || got.Text == "" {
		t.Errorf("cancelled stream: %+v, %v", got, err)
	}
}

func TestCertain(t *testing.T) {
	for _, c := range []struct {
		text  string
		stops []string
		want  int
	}{
		{"abc", nil, 3},
		{"abc", []string{"cd"}, 2},
		{"abc", []string{"d"}, 3},
		{"abcab", []string{"abd"}, 3},
		{"xabcy", []string{"abc"}, 1},
		{"xab", []string{"bc", "abz"}, 1},
		{"é", nil, 2},
		{"aé"[:2], nil, 1},
		{"a\U0001F600"[:4], nil, 1},
		{"a\xff", nil, 2},
		{"a\x80\x80\x80\x80", nil, 5},
	} {
		if got := certain(c.text, c.stops); got != c.want {
			t.Errorf("certain(%q, %q) = %d, want %d", c.text, c.stops, got, c.want)
		}
	}
}

// wordTokenizer has tokens without text.
type wordTokenizer []string

func (w wordTokenizer) Encode(string) []int32 { return nil }

func (w wordTokenizer) Decode(tokens []int32) string {
	var text strings.Builder
	for _, token := range tokens {
		text.WriteString(w[token])
	}
	return text.String()
}

func TestStopTextsLookFarEnoughBack(t *testing.T) {
	words := wordTokenizer{"", "a", "b", "cab", "longer word "}
	rng := rand.New(rand.NewPCG(1, 1))
	found := 0
	for range 2000 {
		stop := []string{"ab", "aab", "cabc", "ba", "word a"}[rng.IntN(5)]
		s := newStopTexts(words, []string{stop})
		var tokens []int32
		for len(tokens) < 40 {
			tokens = append(tokens, rng.Int32N(int32(len(words)))*(rng.Int32N(2)))
			contains := strings.Contains(words.Decode(tokens), stop)
			if got := s.Stops(tokens); got != contains {
				t.Fatalf("stop %q in tokens %v: got %v, the text is %q", stop, tokens, got, words.Decode(tokens))
			}
			if contains {
				found++
				break
			}
		}
	}
	if found < 500 {
		t.Errorf("%d stops found, too few to prove anything", found)
	}
}

// A conversation is rendered by the function that the model came with, ends by the model's own ids, and is split into
// thought and answer; a text that opens a thought is split too, and no other.
func TestMessages(t *testing.T) {
	plain := newLocal(t)
	lab := tokenizer.Lab()
	tags := chat.KnownTags[0].WithIDs(lab)
	var rendered []chat.Message
	const text = "<|user|>Use 3, 7, 11 to make 32.<|assistant|><think>\n"
	render := func(messages []chat.Message) (chat.Prompt, error) {
		rendered = messages
		return chat.Prompt{Text: text, IDs: lab.Encode(text), Tags: tags, State: chat.Thinking}, nil
	}
	free, err := plain.Generate(t.Context(), []Prompt{{Text: text, MaxTokens: 40, Temperature: 1}})
	if err != nil {
		t.Fatal(err)
	}
	end := free[0].Tokens[20]
	l := NewLocalWith(plain.engine, lab, LocalOptions{Render: render, Ends: []int32{end}})
	messages := []chat.Message{{Role: "user", Content: "Use 3, 7, 11 to make 32."}}
	got, err := l.Generate(t.Context(), []Prompt{{Messages: messages, MaxTokens: 40, Temperature: 1}})
	if err != nil {
		t.Fatal(err)
	}
	r := got[0]
	n := slices.Index(free[0].Tokens, end)
	if !reflect.DeepEqual(rendered, messages) || !slices.Equal(r.Tokens, free[0].Tokens[:n+1]) || r.Finish != engine.FinishStop {
		t.Errorf("rendered %v, got %+v, want the first %d of %v", rendered, r, n+1, free[0].Tokens)
	}
	if r.PromptTokens != len(lab.Encode(text)) || r.ReplyTokens != n+1 || r.Thought != strings.TrimSpace(r.Text) && r.Answer == "" {
		t.Errorf("counts and parts: %+v", r)
	}
	if free[0].Thought == "" || free[0].ThoughtTokens == 0 {
		t.Errorf("a text that opens a thought is not split: %+v", free[0])
	}
	if other, err := plain.Generate(t.Context(), []Prompt{{Text: "Add 1", MaxTokens: 5}}); err != nil || other[0].Thought+other[0].Answer != "" {
		t.Errorf("a text is split: %+v, %v", other, err)
	}
	for want, p := range map[string]Prompt{
		"llm: prompt 0: got a text and 1 messages, want one or the other": {Text: "x", Messages: messages},
		"llm: prompt 0: top-p: got 1.5, want above 0 to 1, or 0 for 1":    {Text: "x", TopP: 1.5},
		"llm: prompt 0: got a schema and a grammar":                       {Text: "x", Schema: "{}", Grammar: "root ::= \"a\""},
		"llm: prompt 0: think: got a budget of -2":                        {Text: "x", Think: Think{Budget: -2}},
		"llm: prompt 0: a thought is to be bounded":                       {Text: "x", Think: Think{Budget: 2}},
		"llm: prompt 0: grammar: rule \"root\" has no text":               {Text: "x", Schema: "false"},
		"llm: prompt 0: got messages, and the model has no template":      {Messages: messages},
	} {
		if _, err := plain.Generate(t.Context(), []Prompt{p}); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// The parts of a reply are those of its tokens before the stop text, and only the token is a mark.
func TestSplit(t *testing.T) {
	lab := tokenizer.Lab()
	for _, c := range []struct {
		text, stop            string
		want, thought, answer string
		tokens                int
	}{
		{"1 + 2\n</think>\nthree<|end|>", "", "1 + 2\n</think>\nthree", "1 + 2", "three", len(lab.Encode("1 + 2\n"))},
		{"1 + 2\n</think>\nthree and four", " and", "1 + 2\n</think>\nthree", "1 + 2", "three", len(lab.Encode("1 + 2\n"))},
		{"1 + 2", "", "1 + 2", "1 + 2", "", len(lab.Encode("1 + 2"))},
	} {
		l := NewLocal(nil, lab)
		a := asked{tags: chat.KnownTags[0].WithIDs(lab), state: chat.Thinking, split: true}
		a.Stop = lab.Encode(tokenizer.End)
		if c.stop != "" {
			a.stops = []string{c.stop}
		}
		r := l.reply(&a, &engine.Result{Tokens: lab.Encode(c.text)})
		if r.Text != c.want || r.Thought != c.thought || r.Answer != c.answer || r.ThoughtTokens != c.tokens {
			t.Errorf("%q: got %+v", c.text, r)
		}
	}
}
