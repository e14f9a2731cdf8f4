package distill

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/retort-ml/retort/task"
	"github.com/retort-ml/retort/verify"
)

// ErrOtherCollection is wrapped by the error of a Collect whose folder holds the
// traces of another teacher, other problems or other options.
var ErrOtherCollection = errors.New("the folder holds the traces of another collection")

// collectionName is the file of a trace folder that says what was asked.
const collectionName = "collection.json"

// collection is everything that the traces in a folder are a function of, so
// that traces of two collections are never mixed. The filters are not in it:
// they come after.
type collection struct {
	Teacher       string  `json:"teacher"`
	TeacherHash   string  `json:"teacher_hash"`
	Problems      int     `json:"problems"`
	ProblemsHash  string  `json:"problems_hash"` // sha256 of the problems and their prompts' tokens
	Samples       int     `json:"samples"`
	Temperature   float64 `json:"temperature"`
	MaxNewTokens  int     `json:"max_new_tokens"`
	Stop          []int32 `json:"stop"`
	Seed          uint64  `json:"seed"`
	ChunkProblems int     `json:"chunk_problems"`
	TopP          float64 `json:"top_p,omitempty"`
}

// describe says what c is about to ask.
func (c *collector) describe(problems []task.Problem) collection {
	hash := sha256.New()
	lines := json.NewEncoder(hash)
	for i := range problems {
		// Neither a hash nor the encoding of plain fields has an error to give.
		_ = lines.Encode(&problems[i])
		if c.requests != nil {
			hash.Write(appendTokens(nil, c.requests[i].Prompt))
		} else {
			_ = lines.Encode(c.prompts[i].Messages)
		}
	}
	o := &c.options
	topP := o.TopP
	if topP == 1 {
		topP = 0
	}
	return collection{
		Teacher: c.setup.Teacher, TeacherHash: c.setup.TeacherHash,
		Problems: len(problems), ProblemsHash: hex.EncodeToString(hash.Sum(nil)),
		Samples: o.Samples, Temperature: o.Temperature, MaxNewTokens: o.MaxNewTokens, Stop: o.Stop, Seed: o.Seed, ChunkProblems: o.ChunkProblems, TopP: topP,
	}
}

// traceFolder keeps traces in a file per chunk. A file appears whole or not at
// all, so that what is there is done, and what is not there is asked again, with
// the same seeds.
type traceFolder struct{ path string }

// openTraceFolder makes the folder, or checks that it belongs to the collection.
func openTraceFolder(path string, c collection) (*traceFolder, error) {
	if err := os.MkdirAll(path, 0o777); err != nil {
		return nil, err
	}
	want, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return nil, err
	}
	name := filepath.Join(path, collectionName)
	got, err := os.ReadFile(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &traceFolder{path}, writeWhole(name, append(want, '\n'))
	case err != nil:
		return nil, err
	}
	if different := differences(got, want); len(different) > 0 {
		return nil, fmt.Errorf("%s: %w: it differs in %s", path, ErrOtherCollection, strings.Join(different, ", "))
	}
	return &traceFolder{path}, nil
}

// differences lists the keys in which two JSON objects differ, or says that the
// first is none.
func differences(got, want []byte) []string {
	var a, b map[string]json.RawMessage
	if json.Unmarshal(got, &a) != nil || json.Unmarshal(want, &b) != nil {
		return []string{collectionName + ", which cannot be read"}
	}
	keys := maps.Clone(a)
	maps.Copy(keys, b)
	var different []string
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		if !bytes.Equal(a[key], b[key]) {
			different = append(different, key)
		}
	}
	return different
}

// traceLine is a trace in a file. Where there are tokens, text is for people: the
// bytes that count are those of the tokens.
type traceLine struct {
	Problem  string         `json:"problem"`
	Sample   int            `json:"sample"`
	Finished bool           `json:"finished"`
	Verdict  verify.Verdict `json:"verdict"`
	Tokens   []int32        `json:"tokens,omitempty"` // of a Sampler
	Text     string         `json:"text"`
	// Of a Generator.
	Failed  string       `json:"failed,omitempty"`
	Counted *TokenCounts `json:"counted,omitempty"`
}

// newLine is a trace as a line; withTokens says that they are the teacher's own.
func newLine(t *Trace, withTokens bool) traceLine {
	l := traceLine{Problem: t.Problem.ID, Sample: t.Sample, Finished: t.Finished, Verdict: t.Verdict, Text: t.Text, Failed: t.Failed}
	if withTokens {
		l.Tokens = t.Tokens
	}
	if t.Counted != (TokenCounts{}) {
		l.Counted = &t.Counted
	}
	return l
}

// trace is the trace of a problem that a line holds.
func (l *traceLine) trace(p *task.Problem, t Tokenizer) *Trace {
	trace := &Trace{Problem: p, Sample: l.Sample, Tokens: l.Tokens, Text: l.Text, Finished: l.Finished, Verdict: l.Verdict, Failed: l.Failed}
	if l.Tokens != nil {
		trace.Text = t.Decode(l.Tokens)
	} else {
		trace.Tokens = t.Encode(l.Text)
	}
	if l.Counted != nil {
		trace.Counted = *l.Counted
	}
	return trace
}

// chunkPath names the file of the chunk whose first problem has the index from.
func (f *traceFolder) chunkPath(from int) string {
	return filepath.Join(f.path, fmt.Sprintf("traces-%08d.jsonl", from))
}

func (f *traceFolder) write(from int, traces []*Trace, withTokens bool) error {
	var text bytes.Buffer
	lines := newLines(&text)
	for _, t := range traces {
		if err := lines.Encode(newLine(t, withTokens)); err != nil {
			return fmt.Errorf("problem %q: sample %d: %w", t.Problem.ID, t.Sample, err)
		}
	}
	return writeWhole(f.chunkPath(from), text.Bytes())
}

// again is what to do about a file that something else damaged.
const again = "remove the file to have it sampled again"

// read returns the traces of a chunk, or nil if it has not been written.
func (f *traceFolder) read(from int, problems []task.Problem, samples int, t Tokenizer) ([]*Trace, error) {
	path := f.chunkPath(from)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	traces := make([]*Trace, 0, len(problems)*samples)
	err = eachLine(bytes.NewReader(text), path, func(line []byte) error {
		var l traceLine
		if err := strictly(line, &l); err != nil {
			return fmt.Errorf("got %s, want a trace: %w; %s", clipped(line), err, again)
		}
		at := len(traces)
		if at == cap(traces) || l.Problem != problems[at/samples].ID || l.Sample != at%samples {
			return fmt.Errorf("got sample %d of problem %q, which is not next; %s", l.Sample, l.Problem, again)
		}
		traces = append(traces, l.trace(&problems[at/samples], t))
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(traces) != len(problems)*samples {
		return nil, fmt.Errorf("%s: got %d traces, want %d; %s", path, len(traces), len(problems)*samples, again)
	}
	return traces, nil
}
