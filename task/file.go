package task

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/retort-ml/retort/behaviour"
	"github.com/retort-ml/retort/tokenizer"
	"github.com/retort-ml/retort/verify"
)

// Bounds of a file of problems.
const (
	maxFileBytes = 1 << 30
	maxLineBytes = 1 << 22
	maxProblems  = 1 << 22
)

// fileHeldOut is the share of a file's groups that are held out, in percent.
const fileHeldOut = 20

// File is the problems of a file of JSON lines with the fields id, problem and answer, graded by their numbers. It says
// right where the reply's number equals that of the answer, exactly, and cannot judge where either is no number. Problems
// of the same text, but for case and space, are one group.
type File struct {
	name   string
	splits [2][]Problem
}

// OpenFile reads a file of problems. Its name is "file/" and the file's without the extension. Other fields of a line are
// left alone; a line without one of the three, or with an id that came before, is an error. An empty answer is there: the
// public training set of MATH has some.
func OpenFile(path string) (*File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("task: %w", err)
	}
	if info.Size() > maxFileBytes {
		return nil, fmt.Errorf("task: %s: %d bytes, want at most %d", path, info.Size(), maxFileBytes)
	}
	source, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("task: %w", err)
	}
	defer source.Close()
	base := filepath.Base(path)
	f, err := ReadFile("file/"+strings.TrimSuffix(base, filepath.Ext(base)), source)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return f, nil
}

// ReadFile reads problems from JSON lines, as OpenFile does.
func ReadFile(name string, source io.Reader) (*File, error) {
	f := &File{name: name}
	lines := bufio.NewScanner(source)
	lines.Buffer(nil, maxLineBytes)
	seen := map[string]bool{}
	for number := 1; lines.Scan(); number++ {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		p, err := f.problem(lines.Bytes())
		if err == nil && seen[p.ID] {
			err = fmt.Errorf("id %q came before", p.ID)
		}
		if err == nil && len(seen) == maxProblems {
			err = fmt.Errorf("more than %d problems", maxProblems)
		}
		if err != nil {
			return nil, fmt.Errorf("task: line %d: %w", number, err)
		}
		seen[p.ID] = true
		split := f.Split(p.Group)
		f.splits[split] = append(f.splits[split], p)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("task: %w", err)
	}
	if len(seen) == 0 {
		return nil, errors.New("task: no problems, want lines with id, problem and answer")
	}
	return f, nil
}

func (f *File) problem(line []byte) (Problem, error) {
	var fields struct {
		ID      string  `json:"id"`
		Problem string  `json:"problem"`
		Answer  *string `json:"answer"`
	}
	if err := json.Unmarshal(line, &fields); err != nil {
		return Problem{}, err
	}
	if fields.ID == "" || strings.TrimSpace(fields.Problem) == "" || fields.Answer == nil {
		return Problem{}, fmt.Errorf("id %q, problem %.40q, an answer: %v: want all three", fields.ID, fields.Problem, fields.Answer != nil)
	}
	sum := sha256.Sum256([]byte(strings.ToLower(strings.Join(strings.Fields(fields.Problem), " "))))
	return Problem{
		ID: f.name + "/" + fields.ID, Task: f.name, Group: hex.EncodeToString(sum[:16]), Question: fields.Problem,
		Prompt: Prompt(fields.Problem), Answer: *fields.Answer,
	}, nil
}

// Name returns the task's name, which is not in Registry.
func (f *File) Name() string { return f.name }

// Split returns the split that a group belongs to: a fixed share of a hash of the group.
func (f *File) Split(group string) Split {
	hash := sha256.Sum256([]byte("retort file split " + group))
	if binary.LittleEndian.Uint64(hash[:])%100 < fileHeldOut {
		return HeldOut
	}
	return Train
}

// All returns every problem of the file, those of the train split first: what a benchmark is evaluated on.
func (f *File) All() []Problem {
	return append(append([]Problem(nil), f.splits[Train]...), f.splits[HeldOut]...)
}

// Size returns the number of problems of a split.
func (f *File) Size(split Split) int {
	if split != Train && split != HeldOut {
		return 0
	}
	return len(f.splits[split])
}

// Problem returns the problem at index of the series of seed, and the zero Problem if the split has none. The series goes
// through all problems of the split in one order and then in the next.
func (f *File) Problem(split Split, seed, index uint64) Problem {
	if split != Train && split != HeldOut || len(f.splits[split]) == 0 {
		return Problem{}
	}
	list := f.splits[split]
	n := uint64(len(list))
	order := newRand(seed, uint64(split), index/n).Perm(len(list))
	return list[order[index%n]]
}

// Problems returns the first n distinct problems of the series of seed; if there are fewer, those and ErrFewer.
func (f *File) Problems(split Split, seed uint64, n int) ([]Problem, error) {
	if split != Train && split != HeldOut {
		return nil, fmt.Errorf("task: %s: split %d, want train or held-out", f.name, split)
	}
	list := f.splits[split]
	problems := make([]Problem, max(0, min(n, len(list))))
	for i, at := range newRand(seed, uint64(split), 0).Perm(len(list))[:len(problems)] {
		problems[i] = list[at]
	}
	if n > len(list) {
		return problems, fmt.Errorf("task: %s: %d %s problems: %w: the file has %d", f.name, n, split, ErrFewer, len(list))
	}
	return problems, nil
}

// Grade compares the number of the reply with that of the reference answer. The reply's is the content of its last
// \boxed{}, else the last number after the thought, or between the answer tags there. A thought that does not end, and a
// reply without an answer, are wrong; a reference or a reply that is something else than a number cannot be judged.
func (f *File) Grade(p Problem, completion string) verify.Verdict {
	unknown := func(reason string) verify.Verdict { return verify.Verdict{Outcome: verify.Unknown, Reason: reason} }
	wrong := func(reason string) verify.Verdict { return verify.Verdict{Outcome: verify.Wrong, Reason: reason} }
	want, ok := readNumber(unwrap(p.Answer))
	if !ok {
		return unknown(fmt.Sprintf("the reference answer %.40q is not a number", p.Answer))
	}
	answer, isOver := replyAnswer(completion)
	switch {
	case !isOver:
		return wrong("the thought does not end")
	case answer == "":
		return wrong("no answer after the thought")
	case answer == behaviour.GiveUp:
		return wrong("gave up")
	}
	got, shown, ok := answerNumber(answer)
	switch {
	case !ok:
		return unknown(fmt.Sprintf("the answer %.40q is not a number", shown))
	case got.Cmp(want) != 0:
		return wrong(fmt.Sprintf("%.40s, want %.40s", got.RatString(), want.RatString()))
	}
	return verify.Verdict{Outcome: verify.Right}
}

// Format says whether the completion is a thought that is not empty, its end, and an answer without a tag of a thought.
func (f *File) Format(completion string) bool {
	thought, answer, ok := strings.Cut(strings.TrimSuffix(completion, tokenizer.End), tokenizer.EndThink)
	thought = strings.TrimPrefix(thought, tokenizer.Think)
	return ok && strings.TrimSpace(thought) != "" && strings.TrimSpace(answer) != "" &&
		!strings.Contains(thought+answer, tokenizer.Think) && !strings.Contains(answer, tokenizer.EndThink)
}

// Canonical returns the number of a reply in lowest terms, so that equal answers are equal texts, as eval.Options wants
// it; false if there is none.
func (f *File) Canonical(_ Problem, completion string) (answer string, ok bool) {
	text, isOver := replyAnswer(completion)
	if !isOver || text == behaviour.GiveUp {
		return "", false
	}
	n, _, ok := answerNumber(text)
	if !ok {
		return "", false
	}
	return n.RatString(), true
}
