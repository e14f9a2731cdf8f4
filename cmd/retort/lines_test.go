package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
)

func TestReadLines(t *testing.T) {
	long := strings.Repeat("x", 1<<17) // longer than the reader's buffer
	var got []string
	err := readLines(t.Context(), bufio.NewReaderSize(strings.NewReader(" a \r\n\n"+long+"\nb"), 16), func(line []byte) error {
		got = append(got, string(line))
		return nil
	})
	if err != nil || !slices.Equal(got, []string{"a", long, "b"}) {
		t.Errorf("got %d lines, %v", len(got), err)
	}
	fault := errors.New("fault")
	if err := readLines(t.Context(), bufio.NewReader(strings.NewReader("a\n\nb\n")), func(line []byte) error {
		if string(line) == "b" {
			return fault
		}
		return nil
	}); !errors.Is(err, fault) || err.Error() != "line 3: fault" {
		t.Errorf("a wrong line: %v", err)
	}
	endless := io.LimitReader(zeros{}, 2*maxLine)
	if err := readLines(t.Context(), bufio.NewReader(endless), func([]byte) error { return nil }); err == nil || !strings.HasPrefix(err.Error(), "line 1: more than 67108864 bytes") {
		t.Errorf("an endless line: %v", err)
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if err := readLines(stopped, bufio.NewReader(strings.NewReader("a")), func([]byte) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("stopped: %v", err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = '0'
	}
	return len(p), nil
}

// TestEachLineAnswersAtOnce writes a line only when the answer to the one before has come.
func TestEachLineAnswersAtOnce(t *testing.T) {
	in, questions := io.Pipe()
	answers, out := io.Pipe()
	done := make(chan error, 1)
	go func() {
		done <- eachLine(t.Context(), "echo", streams{in, out, nil}, func(dst, line []byte) ([]byte, error) {
			return append(append(dst, line...), '\n'), nil
		})
	}()
	reader := bufio.NewReader(answers)
	for _, c := range []struct{ text, want string }{{"one\n", "one\n"}, {"two\n\n", "two\n"}, {"three\nfo", "three\n"}, {"ur\n", "four\n"}} {
		if _, err := io.WriteString(questions, c.text); err != nil {
			t.Fatal(err)
		}
		if got, err := reader.ReadString('\n'); err != nil || got != c.want {
			t.Fatalf("got %q, %v", got, err)
		}
	}
	if err := errors.Join(questions.Close(), <-done); err != nil {
		t.Fatal(err)
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space left") }

func TestEachLineFails(t *testing.T) {
	echo := func(dst, line []byte) ([]byte, error) {
		if string(line) == "bad" {
			return dst, errors.New("wrong")
		}
		return append(append(dst, line...), '\n'), nil
	}
	var out bytes.Buffer
	if err := eachLine(t.Context(), "echo", streams{strings.NewReader("a\nbad\nb\n"), &out, nil}, echo); err == nil || err.Error() != "echo: line 2: wrong" || out.String() != "a\n" {
		t.Errorf("got %v, and %q is out", err, out.String())
	}
	if err := eachLine(t.Context(), "echo", streams{strings.NewReader("a\n"), fullDisk{}, nil}, echo); err == nil || !strings.Contains(err.Error(), "no space left") || strings.Count(err.Error(), "no space") != 1 {
		t.Errorf("a full disk: %v", err)
	}
}
