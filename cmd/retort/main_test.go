package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// retort runs one command line.
func retort(t *testing.T, ctx context.Context, arguments ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	status = run(ctx, arguments, streams{strings.NewReader(""), &out, &err})
	return status, out.String(), err.String()
}

func TestExitStatus(t *testing.T) {
	for _, c := range []struct {
		arguments string
		status    int
		out, err  string // parts
	}{
		{"", exitDone, "Usage: retort", ""},
		{"--help", exitDone, "Usage: retort", ""},
		{"version --help", exitDone, "Usage: retort version", ""},
		{"version", exitDone, "retort ", ""},
		{"versoin", exitUsage, "", `did you mean "version"?; try: retort --help`},
		{"version --jsno", exitUsage, "", `did you mean "--json"?`},
		{"version extra", exitUsage, "", "unexpected argument extra"},
	} {
		status, out, err := retort(t, t.Context(), strings.Fields(c.arguments)...)
		if status != c.status || !strings.Contains(out, c.out) || !strings.Contains(err, c.err) {
			t.Errorf("%q: status %d, want %d; out %q, want %q; err %q, want %q", c.arguments, status, c.status, out, c.out, err, c.err)
		}
		if c.status != exitDone && strings.Count(err, "\n") != 1 {
			t.Errorf("%q: the error is not one line: %q", c.arguments, err)
		}
	}
}

func TestFinish(t *testing.T) {
	stopped, cancel := context.WithCancel(t.Context())
	cancel()
	cause := errors.New("disk: full\nvery")
	for _, c := range []struct {
		ctx    context.Context
		err    error
		status int
		line   string
	}{
		{t.Context(), nil, exitDone, ""},
		{t.Context(), cause, exitFailed, "retort: disk: full; very\n"},
		{t.Context(), advise(cause, "a larger one"), exitFailed, "retort: disk: full; very; try: a larger one\n"},
		{t.Context(), fmt.Errorf("grpo: %w", usage(cause, "")), exitUsage, "retort: grpo: disk: full; very\n"},
		{stopped, fmt.Errorf("train: %w", context.Canceled), exitStopped, "retort: stopped\n"},
		{stopped, cause, exitFailed, "retort: disk: full; very\n"},
		{t.Context(), context.Canceled, exitFailed, "retort: context canceled\n"},
	} {
		var out, err bytes.Buffer
		status := finish(c.ctx, newOutput(streams{nil, &out, &err}, true), c.err)
		if status != c.status || err.String() != c.line {
			t.Errorf("%v: status %d %q, want %d %q", c.err, status, err.String(), c.status, c.line)
		}
		if c.err == nil {
			continue
		}
		var event struct {
			Event, Error string
			Status       int
		}
		if e := json.Unmarshal(out.Bytes(), &event); e != nil || event.Event != "error" || event.Status != c.status || "retort: "+event.Error+"\n" != c.line {
			t.Errorf("%v: event %q (%v)", c.err, out.String(), e)
		}
	}
}

func TestVersionAsJSON(t *testing.T) {
	status, out, _ := retort(t, t.Context(), "version", "--json")
	var facts map[string]any
	if err := json.Unmarshal([]byte(out), &facts); status != exitDone || err != nil {
		t.Fatalf("status %d, %v: %q", status, err, out)
	}
	if facts["event"] != "version" || facts["go"] == "" || facts["level"] == "" || facts["bf16"] != "native" && facts["bf16"] != "emulated" {
		t.Errorf("got %v", facts)
	}
}

func TestEventLine(t *testing.T) {
	for _, c := range []struct {
		fields any
		want   string
	}{
		{struct{}{}, `{"event":"x"}` + "\n"},
		{map[string]int{"a": 1}, `{"event":"x","a":1}` + "\n"},
		{[]int{1}, ""},
		{func() {}, ""},
	} {
		got, err := eventLine("x", c.fields)
		if string(got) != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%T: got %q, %v; want %q", c.fields, got, err, c.want)
		}
	}
}

// clock is moved by hand.
type clock struct{ now time.Time }

func (c *clock) read() time.Time { return c.now }

func TestProgressInPlainLines(t *testing.T) {
	var out, err bytes.Buffer
	c := &clock{time.Unix(0, 0)}
	p := newProgressAt(newOutput(streams{nil, &out, &err}, false), "sft", 100, 130, c.read)
	for done := 101; done <= 130; done++ {
		c.now = c.now.Add(2 * time.Second)
		p.step(done, fmt.Sprintf("loss %d", done))
	}
	want := "sft 101/130  2.0 s/step  58 s left  loss 101\n" + "sft 104/130  2.0 s/step  52 s left  loss 104\n"
	if !strings.HasPrefix(err.String(), want) {
		t.Errorf("got\n%s, want first\n%s", err.String(), want)
	}
	if want := "sft 130/130  2.0 s/step  took 1 min 00 s  loss 130\n"; !strings.HasSuffix(err.String(), want) {
		t.Errorf("got\n%s, want last\n%s", err.String(), want)
	}
	if lines := strings.Count(err.String(), "\n"); lines != 11 || out.Len() != 0 {
		t.Errorf("%d lines, want 11; on standard output %q", lines, out.String())
	}
}

func TestProgressOnATerminal(t *testing.T) {
	var screen bytes.Buffer
	c := &clock{time.Unix(0, 0)}
	o := newOutput(streams{nil, &bytes.Buffer{}, &screen}, false)
	o.terminal = true
	p := newProgressAt(o, "grpo", 0, 3, c.read)
	for done := 1; done <= 3; done++ {
		c.now = c.now.Add(250 * time.Millisecond)
		p.step(done, strings.Repeat("x", 100))
		if done == 1 {
			o.note("a note")
		}
	}
	parts := strings.Split(screen.String(), "\r\x1b[K")
	if len(parts) != 4 || parts[0] != "" {
		t.Fatalf("got %q, want three redrawn lines", screen.String())
	}
	if want := "grpo 1/3  4.0 steps/s  1 s left  x"; !strings.HasPrefix(parts[1], want) {
		t.Errorf("got %q, want %q first", parts[1], want)
	}
	if !strings.HasSuffix(parts[1], "…\na note\n") || !strings.HasSuffix(parts[2], "x…") || !strings.HasSuffix(parts[3], "…\n") {
		t.Errorf("got %q: a note must end the live line, and so must the end", parts)
	}
	for _, part := range parts[1:] {
		line, _, _ := strings.Cut(part, "\n")
		if n := len([]rune(line)); n > lineWidth {
			t.Errorf("a redrawn line of %d characters", n)
		}
	}
}

func TestProgressIsSilentForPrograms(t *testing.T) {
	var out, err bytes.Buffer
	p := newProgress(newOutput(streams{nil, &out, &err}, true), "sft", 0, 1)
	p.step(1, "done")
	if out.Len()+err.Len() != 0 {
		t.Errorf("got %q and %q", out.String(), err.String())
	}
}

func TestRoughly(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0 s", 59400 * time.Millisecond: "59 s", 59600 * time.Millisecond: "1 min 00 s",
		3599 * time.Second: "59 min 59 s", 90 * time.Minute: "1 h 30 min",
	} {
		if got := roughly(d); got != want {
			t.Errorf("%v: got %q, want %q", d, got, want)
		}
	}
}
