package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/retort-ml/retort/cmd/retort/internal/explain"
)

// output is where a command prints.
type output struct {
	std      streams
	json     bool
	terminal bool // standard error is a terminal that understands a redrawn line
	colour   bool // standard output is a terminal, too, and may be dimmed
	live     bool // a progress line stands unfinished on the terminal
}

func newOutput(std streams, json bool) *output {
	plain := os.Getenv("TERM") == "dumb"
	return &output{
		std: std, json: json,
		terminal: !json && !plain && isTerminal(std.err),
		colour:   !json && !plain && os.Getenv("NO_COLOR") == "" && isTerminal(std.out),
	}
}

// resultWriter is standard output, and remembers the first write that failed: lines are printed in many places, and none may be lost without a word.
type resultWriter struct {
	to     io.Writer
	failed error
}

func (w *resultWriter) Write(p []byte) (int, error) {
	n, err := w.to.Write(p)
	if err != nil && w.failed == nil {
		w.failed = err
	}
	return n, err
}

// isTerminal says whether writing to w is seen by a person: a character device
// that is not the null device.
func isTerminal(w io.Writer) bool {
	if results, ok := w.(*resultWriter); ok {
		w = results.to
	}
	file, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull)
	return err != nil || !os.SameFile(info, null)
}

// result prints a line of what the command was asked for; with --json, nothing.
func (o *output) result(format string, arguments ...any) {
	if !o.json {
		o.endLive()
		fmt.Fprintf(o.std.out, format+"\n", arguments...)
	}
}

// note prints a line about the work to standard error; with --json, nothing.
func (o *output) note(format string, arguments ...any) {
	if !o.json {
		o.endLive()
		fmt.Fprintf(o.std.err, format+"\n", arguments...)
	}
}

// event prints one JSON object, with its kind first, if --json was given.
// fields must encode as a JSON object.
func (o *output) event(kind string, fields any) error {
	if !o.json {
		return nil
	}
	line, err := eventLine(kind, fields)
	if err != nil {
		return err
	}
	_, err = o.std.out.Write(line)
	return err
}

func eventLine(kind string, fields any) ([]byte, error) {
	body, err := json.Marshal(fields)
	if err != nil {
		return nil, fmt.Errorf("event %s: %w", kind, err)
	}
	name, err := json.Marshal(kind)
	if err != nil {
		return nil, fmt.Errorf("event %s: %w", kind, err)
	}
	rest := strings.TrimPrefix(string(body), "{")
	if len(rest) == len(body) {
		return nil, fmt.Errorf("event %s: %T is not a JSON object", kind, fields)
	}
	if rest != "}" {
		rest = "," + rest
	}
	return []byte(`{"event":` + string(name) + rest + "\n"), nil
}

// fail prints the one line of an error, with its code where that says more than the status; with --json also as the last event.
func (o *output) fail(err error, status int) {
	o.endLive()
	message := strings.ReplaceAll(strings.TrimSpace(plainTypes(err)), "\n", "; ")
	code := codeOf(err, status)
	mark := ""
	if !explain.IsGeneral(code) {
		mark = " [" + code + "]"
	}
	fmt.Fprintf(o.std.err, "retort: %s%s\n", message, mark)
	if o.json {
		line, encodeErr := eventLine("error", struct {
			Error  string `json:"error"`
			Code   string `json:"code"`
			Status int    `json:"status"`
		}{message, code, status})
		if encodeErr == nil {
			_, _ = o.std.out.Write(line) // nothing is left to tell it to
		}
	}
}

// plainTypes is the text of err; a JSON value of a wrong type is told without Go's names of types.
func plainTypes(err error) string {
	text := err.Error()
	var wrong *json.UnmarshalTypeError
	if !errors.As(err, &wrong) {
		return text
	}
	want := "an object"
	switch kind := wrong.Type.Kind().String(); {
	case strings.Contains(kind, "int"):
		want = "a whole number"
	case strings.HasPrefix(kind, "float"):
		want = "a number"
	case kind == "bool":
		want = "true or false"
	case kind == "string":
		want = "a text"
	case kind == "slice":
		want = "a list"
	}
	got, value, hasValue := strings.Cut(wrong.Value, " ") // as in "number 1.5"
	switch {
	case got == "array":
		got = "a list"
	case got == "object":
		got = "an object"
	case got == "string":
		got = "a text"
	case hasValue:
		got = value
	default:
		got = "a " + got
	}
	field := ""
	if wrong.Field != "" {
		field = strconv.Quote(wrong.Field) + ": "
	}
	return strings.Replace(text, wrong.Error(), fmt.Sprintf("%sgot %s, want %s", field, got, want), 1)
}

// lineWidth is the least width that a terminal is taken to have: a redrawn line
// that wraps cannot be taken back.
const lineWidth = 79

// redraw replaces the live line on the terminal.
func (o *output) redraw(line string) {
	if runes := []rune(line); len(runes) > lineWidth {
		line = string(runes[:lineWidth-1]) + "…"
	}
	fmt.Fprintf(o.std.err, "\r\x1b[K%s", line)
	o.live = true
}

// endLive leaves the live line as it stands, so that a whole line can follow.
func (o *output) endLive() {
	if o.live {
		fmt.Fprintln(o.std.err)
		o.live = false
	}
}
