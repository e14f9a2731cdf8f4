package distill

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/retort-ml/retort/tokenizer"
	"github.com/retort-ml/retort/train"
	"github.com/retort-ml/retort/verify"
)

// Record is one line of a set that a teacher wrote: an example, and where it
// came from. ReadExamples reads it, too.
type Record struct {
	// Prompt is what the student reads, in the lab's form, or Question what it is asked by its own template: one of the two.
	Prompt, Question string
	// Completion is what it learns: the thought, its end and the answer.
	Completion string
	Provenance Provenance
}

// recordLine is a record in a file: a prompt and its completion, or a conversation.
type recordLine struct {
	Prompt     *string    `json:"prompt,omitempty"`
	Completion string     `json:"completion,omitempty"`
	Messages   []Message  `json:"messages,omitempty"`
	Provenance Provenance `json:"provenance"`
}

// asked is the prompt or the question.
func (r *Record) asked() string {
	if r.Question != "" {
		return r.Question
	}
	return r.Prompt
}

// MarshalJSON writes {"prompt", "completion", "provenance"}, or {"messages", "provenance"} where there is a question.
func (r Record) MarshalJSON() ([]byte, error) {
	l := recordLine{Provenance: r.Provenance}
	if r.Question != "" {
		l.Messages = []Message{{RoleUser, r.Question}, {RoleAssistant, r.Completion}}
	} else {
		l.Prompt, l.Completion = &r.Prompt, r.Completion
	}
	var text bytes.Buffer
	err := newLines(&text).Encode(l)
	return bytes.TrimSpace(text.Bytes()), err
}

// UnmarshalJSON reads either form, and nothing else.
func (r *Record) UnmarshalJSON(text []byte) error {
	var l recordLine
	if err := strictly(text, &l); err != nil {
		return err
	}
	*r = Record{Completion: l.Completion, Provenance: l.Provenance}
	if l.Messages == nil {
		if l.Prompt != nil {
			r.Prompt = *l.Prompt
		}
		return nil
	}
	if len(l.Messages) != 2 || l.Messages[0].Role != RoleUser || l.Messages[1].Role != RoleAssistant || l.Messages[0].Content == "" || l.Prompt != nil || l.Completion != "" {
		return fmt.Errorf("\"messages\": got %d messages, want a question of %q and a reply of %q, and no prompt beside them", len(l.Messages), RoleUser, RoleAssistant)
	}
	r.Question, r.Completion = l.Messages[0].Content, l.Messages[1].Content
	return nil
}

// Provenance says where a record came from: enough to sample the trace again.
type Provenance struct {
	Teacher     string         `json:"teacher"`      // its name
	TeacherHash string         `json:"teacher_hash"` // of its config and weights, see ModelHash
	Problem     string         `json:"problem"`      // task.Problem.ID
	Group       string         `json:"group,omitempty"`
	PromptHash  string         `json:"prompt_hash"` // sha256 of the prompt, hexadecimal
	Seed        uint64         `json:"seed"`        // CollectOptions.Seed, which says what the seeds are
	Sample      int            `json:"sample"`
	Temperature float64        `json:"temperature"`
	TopP        float64        `json:"top_p,omitempty"` // 0 is 1
	Verdict     verify.Verdict `json:"verdict"`
	Tokens      int            `json:"tokens"` // sampled ones
}

// Set is a list of records, in the order of the problems and of their samples.
type Set struct {
	Records []Record
}

// Write writes the set as JSON lines. Equal sets give equal bytes.
func (s *Set) Write(w io.Writer) error {
	lines := newLines(w)
	for i := range s.Records {
		if err := lines.Encode(&s.Records[i]); err != nil {
			return fmt.Errorf("distill: record %d: %w", i, err)
		}
	}
	return nil
}

// newLines encodes JSON lines in which "<" stays readable.
func newLines(w io.Writer) *json.Encoder {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e
}

// WriteFile writes the set to a file, which is there whole or not at all: a
// file of that name is replaced at the end, in one step.
func (s *Set) WriteFile(path string) error {
	var text bytes.Buffer
	if err := s.Write(&text); err != nil {
		return err
	}
	if err := writeWhole(path, text.Bytes()); err != nil {
		return fmt.Errorf("distill: %w", err)
	}
	return nil
}

// ReadSetFile reads a set that WriteFile wrote. Errors begin with path:line.
func ReadSetFile(path string) (*Set, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("distill: %w", err)
	}
	set, err := ReadSet(f, path)
	return set, errors.Join(err, f.Close())
}

// ReadSet reads a set that Write wrote. Errors begin with name:line.
func ReadSet(r io.Reader, name string) (*Set, error) {
	set := &Set{}
	err := eachLine(r, name, func(line []byte) error {
		var record Record
		if err := strictly(line, &record); err != nil {
			return fmt.Errorf("got %s, want a record with its provenance: %w", clipped(line), err)
		}
		p := &record.Provenance
		switch hash := hashText(record.asked()); {
		case record.Completion == "":
			return errors.New("\"completion\": got no text, want something to learn")
		case p.Problem == "" || p.TeacherHash == "":
			return fmt.Errorf("\"provenance\": got problem %q of teacher %q, want both named", p.Problem, p.TeacherHash)
		case p.PromptHash != hash:
			return fmt.Errorf("\"prompt_hash\": got %q, want %s, the sha256 of the prompt", p.PromptHash, hash)
		}
		set.Records = append(set.Records, record)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("distill: %w", err)
	}
	return set, nil
}

// strictly decodes one JSON value and refuses keys that nobody reads.
func strictly(line []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if d.More() {
		return errors.New("more than one value in the line")
	}
	return nil
}

// CheckLeakage is an error that names the first record whose problem or group
// is held out.
func (s *Set) CheckLeakage(held []HeldOut) error {
	names := newHeldNames(held)
	for i := range s.Records {
		p := &s.Records[i].Provenance
		if err := names.check(p.Problem, p.Group); err != nil {
			return fmt.Errorf("distill: record %d: %w", i, err)
		}
	}
	return nil
}

// Examples returns the set for train.SFT or train.Distill: the completions are
// learned, the prompts only read. A record with a question is for Example.EncodeChat instead. end is the text of the special token that ends
// a completion, added where it does not stand; "" adds nothing.
func Examples(s *Set, t *tokenizer.Tokenizer, end string) []train.Example {
	examples := make([]train.Example, len(s.Records))
	for i := range s.Records {
		r := &s.Records[i]
		e := Example{Prompt: r.Prompt, Completion: r.Completion}
		tokens, learned := e.Encode(t, Marks{End: end})
		from := 0
		for from < len(learned) && !learned[from] {
			from++
		}
		examples[i] = train.Example{Tokens: tokens, TargetFrom: from}
	}
	return examples
}

func hashText(text string) string {
	hash := sha256.Sum256([]byte(text))
	return hex.EncodeToString(hash[:])
}
