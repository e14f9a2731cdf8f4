package main

import (
	"bytes"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/retort-ml/retort/chat"
	"github.com/retort-ml/retort/engine"
	"github.com/retort-ml/retort/internal/compute"
	"github.com/retort-ml/retort/internal/tinymodel"
	"github.com/retort-ml/retort/tokenizer"
)

// saveTalker saves a small model that is spoken to by a template and thinks.
func saveTalker(t *testing.T) string {
	t.Helper()
	top := saveSmall(t, ".")
	if err := tokenizer.Lab().Save(filepath.Join(top, "tokenizer.json")); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(top, "tokenizer_config.json"), `{"chat_template":"{% for m in messages %}{{ m.role }}[{{ m.content }}]{% endfor %}{% if add_generation_prompt %}<think>\n{% endif %}"}`)
	return top
}

// chatWith runs a chat over lines and returns its replies and what stood on standard error.
func chatWith(t *testing.T, lines string, arguments ...string) ([]reply, string) {
	t.Helper()
	var out, notes bytes.Buffer
	if status := run(t.Context(), append([]string{"run", "--json"}, arguments...), streams{strings.NewReader(lines), &out, &notes}); status != exitDone {
		t.Fatalf("status %d: %s%s", status, out.String(), notes.String())
	}
	return events[reply](t, out.String(), "reply"), notes.String()
}

// A conversation is remembered, its beginning is not read again, and commands change what follows.
func TestChat(t *testing.T) {
	top := saveTalker(t)
	r, _ := chatWith(t, strings.Join([]string{
		"the first question, which is long enough for a block", "second", "/retry", "/clear", "third",
		"/think off", "fourth", "/think 3", "fifth", "/think on", "/set max-tokens 4", "sixth", "/clear", `"""seventh`, "", `eighth"""`, "/bye", "never",
	}, "\n"), "--model", top, "--max-tokens", "20", "--temperature", "1")
	if len(r) != 8 {
		t.Fatalf("%d replies, want 8: %+v", len(r), r)
	}
	for i, want := range []string{"the first question, which is long enough for a block", "second", "second", "third", "fourth", "fifth", "sixth", "seventh\n\neighth"} {
		if r[i].Question != want {
			t.Errorf("reply %d is to %q, want %q", i, r[i].Question, want)
		}
	}
	if r[1].Usage.Prompt <= r[0].Usage.Prompt || r[1].Usage.Cached < 16 || r[2].Usage.Prompt != r[1].Usage.Prompt || r[2].Reasoning+r[2].Content == r[1].Reasoning+r[1].Content {
		t.Errorf("a second turn and its retry: %+v, %+v, %+v", r[0], r[1], r[2])
	}
	if r[3].Usage.Prompt >= r[0].Usage.Prompt {
		t.Errorf("after /clear the prompt has %d tokens, the first one had %d", r[3].Usage.Prompt, r[0].Usage.Prompt)
	}
	if r[4].Usage.Reasoning != 0 || r[4].Reasoning != "" || r[4].Closed != engine.EndedByBudget || r[4].Content == "" {
		t.Errorf("without a thought: %+v", r[4])
	}
	if r[5].Usage.Reasoning != 3 || r[6].Usage.Reply > 4 {
		t.Errorf("a thought of %d tokens, want 3; a reply of %d, want at most 4", r[5].Usage.Reasoning, r[6].Usage.Reply)
	}
	if r[0].Timings.Total <= 0 || r[0].Timings.FirstToken <= 0 || r[0].Timings.FirstToken > r[0].Timings.Total {
		t.Errorf("timings %+v", r[0].Timings)
	}
}

func TestChatCommands(t *testing.T) {
	top := saveTalker(t)
	for line, want := range map[string]string{
		"/set temperature 0.5\n/show": "temperature 0.5, top-p 0.95",
		"/set system be short\n/show": "system: be short",
		"/think off\n/show":           "think off",
		"/think budget 12\n/show":     "think 12",
		"/n 3\n/show":                 "n 3",
		"/set temperature -1\n/show":  "temperature wants 0, or 0.01 to 100\ntemperature 0.6",
		"/set top-p x":                `top-p: got "x", want a number`,
		"/set colour red":             `unknown setting "colour"`,
		"/think maybe":                `think: got "maybe"`,
		"/what":                       `unknown command "/what"; try: /help`,
		"/help":                       "/retry",
		"/retry":                      "nothing was asked yet",
		"/answer":                     "nothing is thought at the moment",
		"the\n/tokens":                "reply 3, of which thought",
		"the\n/show":                  "1 questions so far, 2 messages remembered",
		"/set":                        "temperature 0.6, top-p 0.95",
	} {
		var out, notes bytes.Buffer
		status := run(t.Context(), []string{"run", "--model", top, "--max-tokens", "3"}, streams{strings.NewReader(line), &out, &notes})
		if status != exitDone || !strings.Contains(notes.String(), want) {
			t.Errorf("%q: status %d, %q, want %q", line, status, notes.String(), want)
		}
	}
	var out, notes bytes.Buffer
	if status := run(t.Context(), []string{"run", "--model", top}, streams{strings.NewReader(`"""never ends`), &out, &notes}); status != exitFailed || !strings.Contains(notes.String(), `within """`) {
		t.Errorf("status %d, %q", status, notes.String())
	}
	for _, arguments := range [][]string{{"--top-p", "2"}, {"--think", "x"}, {"--samples", "0"}, {"--min-p", "2"}, {"--top-k=-1"}} {
		if status, _, stderr := retort(t, t.Context(), append([]string{"run", "x"}, arguments...)...); status != exitUsage {
			t.Errorf("%v: status %d: %s", arguments, status, stderr)
		}
	}
}

// A person's Ctrl-C stops the answer alone, and /answer closes the thought.
func TestChatKeys(t *testing.T) {
	s, err := openSpeaker(saveTalker(t), "")
	if err != nil {
		t.Fatal(err)
	}
	cpu := compute.NewCPU(1)
	defer cpu.Close()
	e, err := engine.New(s.model, cpu, &engine.Options{MaxBatch: 1})
	if err != nil {
		t.Fatal(err)
	}
	var screen, notes bytes.Buffer
	talk := &talk{engine: e, speaker: s, out: newOutput(streams{nil, &screen, &notes}, false), set: chatSettings{Temperature: 1, TopP: 1, Samples: 1}}
	keys := &keyboard{isPerson: true, lines: make(chan string), interrupts: make(chan os.Signal, 1)}
	keys.interrupts <- os.Interrupt
	if err := talk.ask(t.Context(), "the", keys); err != nil || !strings.Contains(notes.String(), "stopped after") {
		t.Errorf("Ctrl-C: %v, %q", err, notes.String())
	}
	typed := make(chan struct{})
	go func() {
		keys.lines <- "a next question"
		keys.lines <- "/answer"
		close(typed)
	}()
	notes.Reset()
	if err := talk.ask(t.Context(), "other", keys); err != nil || len(talk.history) != 4 {
		t.Errorf("/answer: %v, %d messages", err, len(talk.history))
	}
	if text, ok, err := keys.line(t.Context()); text != "a next question" || !ok || err != nil {
		t.Errorf("typed meanwhile: %q, %v, %v", text, ok, err)
	}
	select { // a reply that was quick has left the last line
	case <-keys.lines:
	case <-typed:
	}
	keys.interrupts <- os.Interrupt
	if _, ok, err := keys.line(t.Context()); ok || err != nil {
		t.Errorf("Ctrl-C at the prompt: %v, %v, want the end", ok, err)
	}
}

// What goes wrong with one question ends no conversation of a person: a template that refuses, an interrupted question of many lines, a retry that cannot be.
func TestChatGoesOn(t *testing.T) {
	top := saveTalker(t)
	writeFile(t, filepath.Join(top, "tokenizer_config.json"), `{"chat_template":"{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system') }}{% endif %}{{ m.content }}{% endfor %}"}`)
	s, err := openSpeaker(top, "")
	if err != nil {
		t.Fatal(err)
	}
	var screen, notes bytes.Buffer
	talk := &talk{
		speaker: s, out: newOutput(streams{nil, &screen, &notes}, false), set: chatSettings{MaxTokens: 3, TopP: 1, Samples: 1},
		history: []chat.Message{{Role: "user", Content: "the"}, {Role: "assistant", Content: "answer"}}, question: "the",
	}
	keys := &keyboard{isPerson: true, lines: make(chan string), interrupts: make(chan os.Signal)}
	go func() {
		for _, line := range []string{"/set system short", "other", "/retry", "/retry", "/show", `"""of many`} {
			keys.lines <- line
		}
		keys.interrupts <- os.Interrupt
		keys.lines <- "/tokens"
		close(keys.lines)
	}()
	err = talk.converse(t.Context(), keys)
	if text := notes.String(); err != nil || strings.Count(text, "no system") != 3 || !strings.Contains(text, "2 messages remembered") || !strings.Contains(text, "prompt ") {
		t.Errorf("%v: %s", err, text)
	}
	keys = &keyboard{lines: make(chan string)} // a program
	go func() { keys.lines <- "again" }()
	if err := talk.converse(t.Context(), keys); err == nil || !strings.Contains(err.Error(), "no system") {
		t.Errorf("a program got %v, want the refusal", err)
	}
}

// A chat that goes on with many samples decodes them together, as one that began with them does, and under either long name of the flag.
func TestChatWidens(t *testing.T) {
	var made []int
	talk := &talk{batch: 1, memory: "of one", set: chatSettings{Samples: 1}, reopen: func(batch int) (*engine.Engine, error) {
		made = append(made, batch)
		return new(engine.Engine), nil
	}}
	for _, samples := range []int{1, 8, 4, 8, 1000} {
		talk.set.Samples = samples
		if err := talk.widen(); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(made, []int{8, 64}) || talk.memory != "" {
		t.Errorf("engines for %v samples at once, want 8 and 64", made)
	}
	top := saveTalker(t)
	base := []string{"--model", top, "--max-tokens", "6"}
	wide, _ := chatWith(t, "/n 9\nthe", base...)
	for _, flag := range [][]string{{"--n", "9"}, {"--n=9"}, {"--samples", "9"}} {
		begun, _ := chatWith(t, "the", append(base, flag...)...)
		texts := func(list []reply) map[string]bool {
			set := map[string]bool{}
			for _, r := range list {
				set[r.Reasoning+"/"+r.Content] = true
			}
			return set
		}
		if len(begun) != 9 || !maps.Equal(texts(begun), texts(wide)) {
			t.Errorf("%v: %d replies %v, /n: %v", flag, len(begun), texts(begun), texts(wide))
		}
	}
}

func TestBallot(t *testing.T) {
	b := &ballot{open: 9}
	for _, text := range []string{`\boxed{1/2}`, "none of it\n", `so \boxed{0.5}`, "", `\boxed{2}`, `\boxed{\frac12}`} {
		if b.settled() {
			t.Errorf("settled before %q: %s", text, b.line())
		}
		b.add(text, false)
	}
	list := b.leaders()
	if b.open != 3 || b.without != 1 || len(list) != 3 || list[0].votes != 3 || list[0].text != `\boxed{1/2}` {
		t.Errorf("%d open, %d without, %+v", b.open, b.without, list)
	}
	b.add(`\boxed{0.50}`, false)
	if !b.settled() || !strings.HasPrefix(b.line(), "2 to come: 4× 1/2, 1× ") {
		t.Errorf("not settled: %s", b.line())
	}
	if none := (&ballot{open: 1}); none.settled() {
		t.Error("settled without an answer")
	}
}

func TestVote(t *testing.T) {
	top := saveTalker(t)
	status, out, stderr := retort(t, t.Context(), "run", "--json", "--model", top, "--think", "off", "--max-tokens", "6", "--samples", "12", "the")
	replies, votes := events[reply](t, out, "reply"), events[tally](t, out, "vote")
	if status != exitDone || len(replies) != 12 || len(votes) != 1 {
		t.Fatalf("status %d: %s%s", status, out, stderr)
	}
	sum := votes[0].Without
	for _, g := range votes[0].Votes {
		sum += g.Votes
	}
	if sum != 12 || votes[0].Settled {
		t.Errorf("%d votes, want 12: %+v", sum, votes[0])
	}
	samples := map[int]bool{}
	for _, r := range replies {
		samples[r.Sample] = true
	}
	if len(samples) != 12 {
		t.Errorf("samples %v, want 12 of them", samples)
	}
	// Greedy replies are the same: the vote is settled when half of them have come.
	if !tinymodel.Present() {
		t.Skip("the program has no embedded model")
	}
	status, out, stderr = retort(t, t.Context(), "run", "--temperature", "0", "--samples", "300", "--vote", "Use 3, 7, 11 to make 32.")
	if status != exitDone || !strings.HasPrefix(strings.TrimSpace(out), "151  ") || !strings.Contains(stderr, "the vote was settled with 149 replies to come") {
		t.Errorf("status %d: %s%s", status, out, stderr)
	}
}

func TestFreeMemory(t *testing.T) {
	files := map[string]string{"/proc/meminfo": "MemTotal: 9 kB\nMemAvailable:    2048 kB\n"}
	read := func(name string) ([]byte, error) {
		if text, ok := files[name]; ok {
			return []byte(text), nil
		}
		return nil, errors.New("absent")
	}
	if got := freeMemory(read); got != 2<<20 {
		t.Errorf("%d bytes, want 2 MiB", got)
	}
	files["/sys/fs/cgroup/memory.max"], files["/sys/fs/cgroup/memory.current"] = "1000000\n", "400000\n"
	if got := freeMemory(read); got != 600000 {
		t.Errorf("%d bytes, want what the control group leaves", got)
	}
	files["/sys/fs/cgroup/memory.max"] = "max\n"
	if got := freeMemory(read); got != 2<<20 {
		t.Errorf("%d bytes without a limit, want 2 MiB", got)
	}
	if got := freeMemory(func(string) ([]byte, error) { return nil, errors.New("absent") }); got != 0 {
		t.Errorf("%d bytes where nobody tells, want 0", got)
	}
}

// A conversation that was saved is gone on with, in another process and with another system message as in this one.
func TestChatSaveLoad(t *testing.T) {
	top, file := saveTalker(t), filepath.Join(t.TempDir(), "talk.jsonl")
	flags := []string{"--model", top, "--max-tokens", "12", "--think", "off"}
	before, _ := chatWith(t, strings.Join([]string{"/set system be <short>", "one\\two", `"""two`, `lines"""`, "/save " + file, "three"}, "\n"), flags...)
	text, err := os.ReadFile(file)
	if err != nil || strings.Count(string(text), "\n") != 5 || !strings.HasPrefix(string(text), `{"role":"system","content":"be <short>"}`+"\n"+`{"role":"user","content":"one\\two"}`+"\n") {
		t.Fatalf("%v: %s", err, text)
	}
	after, _ := chatWith(t, strings.Join([]string{"/set system other", "what is lost", "/load " + file, "three", "/load " + file, "/retry"}, "\n"), flags...)
	if len(before) != 3 || len(after) != 3 || after[1].Usage.Prompt != before[2].Usage.Prompt {
		t.Errorf("before %+v, after %+v: the prompts of the third question differ", before, after)
	}
	if len(after) == 3 && (after[2].Question != "two\nlines" || after[2].Usage.Prompt != before[1].Usage.Prompt) {
		t.Errorf("the retry of what was loaded: %+v, want that of %+v", after[2], before[1])
	}
}

func TestChatLoadRefused(t *testing.T) {
	top, folder := saveTalker(t), t.TempDir()
	for text, want := range map[string]string{
		"":                                   "no messages",
		`{"role":"user","content":"x"}`:      "the last question has no answer",
		`{"role":"assistant","content":"x"}`: `line 1: role: got "assistant", want "user"`,
		`{"role":"user","content":"x"}` + "\n" + `{"role":"system","content":"x"}`: `line 2: role: got "system", want "assistant"`,
		`{"role":"user","content":"x","more":1}`:                                   `unknown field "more"`,
		`{"role":"user","content":"x"} {}`:                                         "more than one object",
		"[]":                                                                       "line 1: want {",
	} {
		file := filepath.Join(folder, "talk.jsonl")
		writeFile(t, file, text)
		var out, notes bytes.Buffer
		status := run(t.Context(), []string{"run", "--model", top, "--max-tokens", "3"}, streams{strings.NewReader("the\n/load " + file + "\n/show"), &out, &notes})
		if status != exitDone || !strings.Contains(notes.String(), want) || !strings.Contains(notes.String(), "2 messages remembered") {
			t.Errorf("%q: status %d, %q, want %q and the conversation as it was", text, status, notes.String(), want)
		}
	}
	for line, want := range map[string]string{
		"/save": "/save wants the name of a file",
		"/load": "/load wants the name of a file",
		"/save " + filepath.Join(folder, "empty"):             "there are no messages yet",
		"/load " + filepath.Join(folder, "absent"):            "no such file",
		"the\n/save " + filepath.Join(folder, "no", "folder"): "no such file",
		"/show": "keys and values",
	} {
		var out, notes bytes.Buffer
		status := run(t.Context(), []string{"run", "--model", top, "--max-tokens", "3"}, streams{strings.NewReader(line), &out, &notes})
		if status != exitDone || !strings.Contains(notes.String(), want) {
			t.Errorf("%q: status %d, %q, want %q", line, status, notes.String(), want)
		}
	}
	for _, flags := range [][]string{{"--model", top}, {}} {
		status, _, stderr := retort(t, t.Context(), append([]string{"run", "--verbose", "--max-tokens", "3", "the"}, flags...)...)
		if status != exitDone || !strings.Contains(stderr, "weights") || !strings.Contains(stderr, "total") {
			t.Errorf("%v: status %d: no memory in %q", flags, status, stderr)
		}
	}
	var out, notes bytes.Buffer
	if status := run(t.Context(), []string{"run"}, streams{strings.NewReader("/save x"), &out, &notes}); status != exitDone || !strings.Contains(notes.String(), "nothing is remembered") {
		t.Errorf("status %d: %s", status, notes.String())
	}
}
