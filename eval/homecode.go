package eval

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

func humanEvalProblem(f publicFields, _ int) (*publicProblem, error) {
	prompt := f.text("prompt")
	return &publicProblem{
		ID: f.text("task_id"), Problem: "Complete this function:\n\n```python\n" + strings.TrimSpace(prompt) + "\n```",
		Program: Program{EntryPoint: f.text("entry_point"), Prompt: prompt, Check: f.text("test")},
	}, nil
}

// The task ids that MBPP's authors evaluate on.
const mbppFirst, mbppLast = 11, 510

// mbppProblem shows the tests, without which the function's name is not known.
func mbppProblem(f publicFields, _ int) (*publicProblem, error) {
	id, err := strconv.Atoi(f.text("task_id"))
	if err != nil {
		return nil, fmt.Errorf("task_id: %w", err)
	}
	if id < mbppFirst || id > mbppLast {
		return nil, nil
	}
	var asserts []string
	if err := json.Unmarshal(f["test_list"], &asserts); err != nil {
		return nil, fmt.Errorf("test_list: %w", err)
	}
	type test struct {
		Assert string `json:"assert"`
	}
	var tests []test
	for _, assert := range asserts {
		tests = append(tests, test{assert})
	}
	text, err := json.Marshal(tests)
	return &publicProblem{
		ID: fmt.Sprintf("mbpp-%d", id), Problem: f.text("text") + "\n\nIt must pass these tests:\n\n```python\n" + strings.Join(asserts, "\n") + "\n```",
		Program: Program{Tests: text, Setup: f.text("test_setup_code")},
	}, err
}

// The days of LiveCodeBench that DeepSeek-R1's table is about.
const liveFirst, liveLast = "2024-08-01", "2025-01-31"

// liveCodeProblem reads a problem of LiveCodeBench that is of those days, with its public and its private tests.
func liveCodeProblem(f publicFields, _ int) (*publicProblem, error) {
	date := f.text("contest_date")
	if len(date) < len(liveFirst) || date[:len(liveFirst)] < liveFirst || date[:len(liveLast)] > liveLast {
		return nil, nil
	}
	var tests []json.RawMessage
	for _, name := range []string{"public_test_cases", "private_test_cases"} {
		some, err := liveTests(f.text(name))
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", f.text("question_id"), name, err)
		}
		tests = append(tests, some...)
	}
	all, err := json.Marshal(tests)
	if err != nil {
		return nil, err
	}
	p := &publicProblem{ID: f.text("question_id"), Problem: f.text("question_content"), Level: f.text("difficulty"), Subject: f.text("platform"), Date: date[:len(liveFirst)], Program: Program{Tests: all}}
	var metadata struct {
		Function string `json:"func_name"`
	}
	if text := f.text("metadata"); text != "" {
		if err := json.Unmarshal([]byte(text), &metadata); err != nil {
			return nil, fmt.Errorf("%s: metadata: %w", p.ID, err)
		}
	}
	p.EntryPoint = metadata.Function
	if starter := strings.TrimSpace(f.text("starter_code")); starter != "" {
		p.Problem += "\n\nBegin with:\n\n```python\n" + starter + "\n```"
	}
	return p, nil
}

// liveTests reads a list of tests: JSON, or the base64 of a zlib stream of a pickled text that is JSON.
func liveTests(text string) ([]json.RawMessage, error) {
	var tests []json.RawMessage
	if json.Unmarshal([]byte(text), &tests) == nil {
		return tests, nil
	}
	packed, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, err
	}
	stream, err := zlib.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	pickled, err := io.ReadAll(io.LimitReader(stream, maxPickle))
	if err != nil {
		return nil, err
	}
	if len(pickled) == maxPickle {
		return nil, fmt.Errorf("the tests are longer than %d bytes", maxPickle)
	}
	plain, err := unpickleText(pickled)
	if err != nil {
		return nil, err
	}
	return tests, json.Unmarshal(plain, &tests)
}

const maxPickle = 1 << 30

// unpickleText returns the only text of a pickle (Python's pickletools, protocols 2 to 5). Nothing of it is run: any
// opcode beside those that frame and hold a text is an error.
func unpickleText(p []byte) ([]byte, error) {
	var text []byte
	bad := errors.New("the tests are no pickled text")
	skip := func(n uint64) bool {
		if n > uint64(len(p)) {
			return false
		}
		p = p[n:]
		return true
	}
	for len(p) > 0 {
		op := p[0]
		p = p[1:]
		var width uint64
		switch op {
		case 0x80, 'q': // PROTO, BINPUT
			if !skip(1) {
				return nil, bad
			}
			continue
		case 'r': // LONG_BINPUT
			if !skip(4) {
				return nil, bad
			}
			continue
		case 0x95: // FRAME
			if !skip(8) {
				return nil, bad
			}
			continue
		case 0x94: // MEMOIZE
			continue
		case '.': // STOP
			if text == nil || len(p) > 0 {
				return nil, bad
			}
			return text, nil
		case 0x8c: // SHORT_BINUNICODE
			width = 1
		case 'X': // BINUNICODE
			width = 4
		case 0x8d: // BINUNICODE8
			width = 8
		default:
			return nil, bad
		}
		if uint64(len(p)) < width || text != nil {
			return nil, bad
		}
		var length [8]byte
		copy(length[:], p[:width])
		p = p[width:]
		n := binary.LittleEndian.Uint64(length[:])
		if n > uint64(len(p)) {
			return nil, bad
		}
		text, p = append([]byte{}, p[:n]...), p[n:]
	}
	return nil, bad
}
