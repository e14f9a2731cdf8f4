package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/retort-ml/retort/chat"
	"github.com/retort-ml/retort/internal/tinymodel"
	"github.com/retort-ml/retort/tokenizer"
)

func TestReplyView(t *testing.T) {
	lab := tokenizer.Lab()
	thought, answer := "3*7=21 \x1b[2J no\nwait é ok\n", "\n(3*7)+11"
	tokens := lab.Encode(thought + tokenizer.EndThink + "\n" + tokenizer.Answer + answer[1:] + tokenizer.EndAnswer + tokenizer.End)
	for _, c := range []struct {
		colour bool
		want   string
	}{
		{false, "3*7=21 ␛[2J no\nwait é ok\nanswer: (3*7)+11\n"},
		{true, "3*7=21 ␛[2J no\nwait é ok\nanswer: (3*7)+11\n"},
	} {
		var screen bytes.Buffer
		out := newOutput(streams{nil, &screen, &bytes.Buffer{}}, false)
		out.colour = c.colour
		view := newReplyView(lab, labPrompt(t), out)
		for _, token := range tokens {
			view.push(token)
		}
		view.end()
		got := screen.String()
		if c.colour {
			before, _, _ := strings.Cut(got, "answer")
			if strings.Count(before, "\x1b[2m") != strings.Count(before, "\x1b[0m") || !strings.HasPrefix(got, "\x1b[2m3\x1b[0m") || !strings.HasSuffix(got, "(3*7)+11\n") {
				t.Errorf("dimmed: got %q", got)
			}
			got = strings.NewReplacer("\x1b[2m", "", "\x1b[0m", "").Replace(got)
		}
		if got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
		if view.thought.String() != strings.TrimSpace(thought) || view.answer.String() != strings.TrimSpace(answer) {
			t.Errorf("thought %q, answer %q", view.thought.String(), view.answer.String())
		}
	}
}

// labPrompt is a prompt in the lab's form.
func labPrompt(t *testing.T) *chat.Prompt {
	t.Helper()
	p, err := (&speaker{tokenizer: tokenizer.Lab()}).prompt("Use 3")
	if err != nil {
		t.Fatal(err)
	}
	return &p
}

func TestReplyViewOfAThoughtWithoutEnd(t *testing.T) {
	lab := tokenizer.Lab()
	var screen bytes.Buffer
	view := newReplyView(lab, labPrompt(t), newOutput(streams{nil, &screen, &bytes.Buffer{}}, false))
	for _, token := range lab.Encode("é")[:1] {
		view.push(token)
	}
	view.end()
	if screen.String() != "\ufffd\n" || view.answer.Len() != 0 {
		t.Errorf("got %q, answer %q", screen.String(), view.answer.String())
	}
}

func TestJudge(t *testing.T) {
	for _, c := range []struct{ question, answer, verdict, reason string }{
		{"Use 3, 7, 11 to make 32.", "(3*7)+11", "right", ""},
		{"Use 3, 7, 11 to make 32", "3*7+11", "right", ""},
		{"Use 3, 7, 11 to make 32.", "3+7+11", "wrong", "21"},
		{"Use 3, 7, 11 to make 32.", "none", "wrong", "gave up"},
		{"Use 3, 7, 11 to make 32.", "", "wrong", "no answer"},
		{"Use 3 to make 32 soon.", "3", "", ""},
		{"Use 99999999999999999999 to make 1", "1", "", ""},
	} {
		r := reply{Question: c.question, Content: c.answer}
		r.judge()
		if r.Verdict != c.verdict || !strings.Contains(r.Reason, c.reason) {
			t.Errorf("%+v: got %s %q", c, r.Verdict, r.Reason)
		}
	}
}

func TestRun(t *testing.T) {
	top := saveSmall(t, ".")
	base := []string{"run", "--model", top, "--tokenizer", "lab", "--max-tokens", "5", "--seed", "3"}
	status, out, stderr := retort(t, t.Context(), append(base, "--json", "Use", "3,", "7,", "11", "to", "make", "32.")...)
	replies := events[reply](t, out, "reply")
	if status != exitDone || len(replies) != 1 || replies[0].Usage.Reply != 5 || replies[0].Verdict != "wrong" || replies[0].Finish != "length" {
		t.Fatalf("status %d %q: %s", status, out, stderr)
	}
	if replies[0].Question != "Use 3, 7, 11 to make 32." {
		t.Errorf("asked %q", replies[0].Question)
	}
	status, out, stderr = retort(t, t.Context(), append(base, "Use 3, 7, 11 to make 32.")...)
	if status != exitDone || !strings.Contains(out, "wrong: no answer\n") || !strings.Contains(stderr, "the thought took all 5 tokens and left no answer") {
		t.Errorf("status %d %q: %s", status, out, stderr)
	}
	var lines, notes bytes.Buffer
	status = run(t.Context(), append(base, "--json"), streams{strings.NewReader("one\n\n two \n"), &lines, &notes})
	if replies := events[reply](t, lines.String(), "reply"); status != exitDone || len(replies) != 2 || replies[1].Question != "two" {
		t.Errorf("from standard input: status %d %q: %s", status, lines.String(), notes.String())
	}
	if status, _, stderr := retort(t, t.Context(), "run", "--temperature=-1", "x"); status != exitUsage {
		t.Errorf("status %d: %s", status, stderr)
	}
	for _, model := range []string{"--model=" + top, "--model="} { // more positions than the model has would only take memory
		if status, _, stderr := retort(t, t.Context(), "run", model, "--tokenizer=lab", "--context", "16777216", "x"); status != exitUsage || !strings.Contains(stderr, "--context: got 16777216, the model has at most") {
			t.Errorf("%s: status %d: %s", model, status, stderr)
		}
	}
	if status, _, stderr := retort(t, t.Context(), "generate", "--model", top, "--tokenizer", "lab", "--samples", "1000000000000", "x"); status != exitUsage || !strings.Contains(stderr, "--samples wants 1 to 1048576") {
		t.Errorf("status %d: %s", status, stderr)
	}
}

func TestRunEmbedded(t *testing.T) {
	status, out, stderr := retort(t, t.Context(), "run", "--max-tokens", "200", "--json", "Use 3, 7, 11 to make 32.")
	if !tinymodel.Present() {
		if status != exitFailed || !strings.Contains(stderr, "this build has no embedded model; try: --model DIR") {
			t.Errorf("status %d: %s", status, stderr)
		}
		return
	}
	replies := events[reply](t, out, "reply")
	if status != exitDone || len(replies) != 1 || replies[0].Reasoning == "" || replies[0].Content == "" {
		t.Errorf("status %d %q: %s", status, out, stderr)
	}
}

// The first word of run is the model if it names one, and else begins the question.
func TestRunNamesModel(t *testing.T) {
	top := saveSmall(t, ".")
	if err := tokenizer.Lab().Save(filepath.Join(top, "tokenizer.json")); err != nil {
		t.Fatal(err)
	}
	_, named, _ := retort(t, t.Context(), "run", top, "--max-tokens", "9", "Use 1, 2, 3 to make 6.")
	_, flagged, _ := retort(t, t.Context(), "run", "--model", top, "--max-tokens", "9", "Use 1, 2, 3 to make 6.")
	if named == "" || named != flagged {
		t.Errorf("run MODEL says %q, run --model MODEL %q", named, flagged)
	}
	for text, want := range map[string]bool{
		"": false, "Use 1, 2, 3 to make 6.": false, "hello": false, "nosuch.gguf": true, "hf:org/model": true, "deepseek-r1-distill-qwen-7b": true, top: true,
	} {
		if got := namesModel(text); got != want {
			t.Errorf("namesModel(%q) is %v", text, got)
		}
	}
}

// Keys and values of 8 bits are never chosen without being asked for, and the price is named.
func TestKVWarning(t *testing.T) {
	if !tinymodel.Present() {
		t.Skip("not run: this build has no embedded model")
	}
	for kv, want := range map[string]bool{"q8_0": true, "f16": false} {
		status, out, stderr := retort(t, t.Context(), "run", "--max-tokens", "200", "--kv", kv, "Use 3, 7, 11 to make 32.")
		if status != exitDone || out == "" || strings.Contains(stderr, "warning: keys and values in q8_0 cost accuracy") != want {
			t.Errorf("%s: status %d %q: %q", kv, status, out, stderr)
		}
	}
	for _, isQuantised := range []bool{false, true} {
		if got := (kvFlags{}).format(isQuantised); got == "q8_0" {
			t.Errorf("the default is %s", got)
		}
	}
}
