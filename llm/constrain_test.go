package llm

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/retort-ml/retort/chat"
	"github.com/retort-ml/retort/engine"
	"github.com/retort-ml/retort/tokenizer"
)

const thinks = "<|user|>Use 3, 7, 11 to make 32.<|assistant|><think>\n"

// The schema binds the answer, and lets the thought be.
func TestSchemaBeginsAfterTheThought(t *testing.T) {
	l := newLocal(t)
	end, _ := tokenizer.Lab().ID(tokenizer.End)
	p := Prompt{
		Text: thinks, MaxTokens: 180, Temperature: 1, TopP: 0.9, Samples: 8, StopTokens: []int32{end},
		Think:  Think{Budget: 20, Closing: "\nenough"},
		Schema: `{"type":"object","properties":{"n":{"type":"integer","minimum":1,"maximum":99},"ok":{"type":"boolean"}},"required":["n","ok"]}`,
	}
	replies, err := l.Generate(t.Context(), []Prompt{p})
	if err != nil {
		t.Fatal(err)
	}
	wild, bounded := 0, 0
	for _, r := range replies {
		var answer struct {
			N  int
			OK bool
		}
		if err := json.Unmarshal([]byte(r.Answer), &answer); err != nil || answer.N < 1 || answer.N > 99 || r.Finish != engine.FinishStop {
			t.Errorf("answer %q (%s): %v", r.Answer, r.Finish, err)
		}
		if closed := strings.HasSuffix(r.Thought, "enough"); r.ThoughtTokens > 20 || closed != (r.ThoughtTokens == 20) {
			t.Errorf("a thought of %d tokens: %q", r.ThoughtTokens, r.Thought)
		} else if closed {
			bounded++
		}
		if !json.Valid([]byte(r.Thought)) {
			wild++
		}
	}
	if wild == 0 || bounded == 0 {
		t.Errorf("%d thoughts are not JSON, and %d were closed", wild, bounded)
	}
	again, err := l.Generate(t.Context(), []Prompt{p})
	if err != nil || again[3].Text != replies[3].Text || len(l.constraints.grammars) != 1 {
		t.Errorf("again: %v, %d grammars remembered", err, len(l.constraints.grammars))
	}
}

// A grammar in llama.cpp's notation, a thought that is left out, and one that leaves room for the answer.
func TestGrammarAndThoughts(t *testing.T) {
	l := newLocal(t)
	p := Prompt{Text: thinks, MaxTokens: 50, Temperature: 1, Think: Think{Budget: engine.NoThought}, Grammar: `root ::= [0-9]{2} " é" ("a" | "bc")`}
	q := Prompt{Text: thinks, MaxTokens: 50, Temperature: 1, Think: Think{Reserve: 30}}
	replies, err := l.Generate(t.Context(), []Prompt{p, q})
	if err != nil {
		t.Fatal(err)
	}
	a, b := replies[0], replies[1]
	if a.Thought != "" || len(a.Answer) < 6 || !strings.Contains(a.Answer, " é") || a.Finish != engine.FinishStop {
		t.Errorf("got %+v, want an answer of the grammar", a)
	}
	if b.ThoughtTokens != 19 || b.ReplyTokens != 50 {
		t.Errorf("a thought of %d tokens of %d, want 19: a mark and 30 for the answer are left", b.ThoughtTokens, b.ReplyTokens)
	}
	// An answer alone, without a thought before it.
	plain := Prompt{Text: "Add ", MaxTokens: 9, Grammar: `root ::= "x"{3}`}
	if replies, err = l.Generate(t.Context(), []Prompt{plain}); err != nil || replies[0].Text != "xxx" {
		t.Errorf("got %+v, %v, want xxx", replies, err)
	}
}

// A prepared prompt asks the engine what Generate asks it.
func TestPrepare(t *testing.T) {
	l := newLocal(t)
	p := Prompt{Text: thinks, MaxTokens: 50, Temperature: 1, TopP: 0.8, Think: Think{Budget: 9}, Stop: []string{"never"}}
	replies, err := l.Generate(t.Context(), []Prompt{p})
	if err != nil {
		t.Fatal(err)
	}
	ready, err := l.Prepare(p)
	if err != nil {
		t.Fatal(err)
	}
	job, err := l.engine.Submit(t.Context(), ready.Request)
	if err != nil {
		t.Fatal(err)
	}
	results, err := job.Wait()
	if err != nil || !slices.Equal(results[0].Tokens, replies[0].Tokens) || !ready.Split || ready.State != chat.Thinking {
		t.Errorf("got %+v, %v, want the tokens of %+v", results, err, replies[0])
	}
	if results[0].Thought.Tokens != replies[0].ThoughtTokens {
		t.Errorf("%d tokens of thought, the reply counts %d", results[0].Thought.Tokens, replies[0].ThoughtTokens)
	}
	if _, err := l.Prepare(Prompt{Text: "x", TopP: 2}); err == nil {
		t.Error("a bad prompt was prepared")
	}
}
