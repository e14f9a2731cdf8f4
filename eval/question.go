package eval

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"github.com/retort-ml/retort/task"
	"github.com/retort-ml/retort/verify"
)

// Question is a problem as it is asked and graded, once per problem in a run's record.
type Question struct {
	ID      string `json:"id"`
	Group   string `json:"group"` // its cluster in the bootstrap
	Subject string `json:"subject,omitempty"`
	Level   string `json:"level,omitempty"`
	Text    string `json:"text"` // what the user says, directive included
	Gold    string `json:"gold"`
	Kind    Kind   `json:"kind"`
	// Options are those of grading, the problem's own (a tolerance) included.
	Options verify.Options `json:"options,omitzero"`
	// Program is what the program of an answer is tested with, in the form of the file's fields.
	Program *Program `json:"program,omitempty"`
	// Task is the problem of a lab task.
	Task *task.Problem `json:"task,omitempty"`
	// Prompt is the hash of what the model read: the text rendered by its template, or the messages where an endpoint
	// renders them. Opens says that the prompt's end opens the thought. PromptTokens is the prompt's length, 0 where it is
	// not known. Refused says why the problem cannot be asked; it is then missing, not wrong.
	Prompt       string `json:"prompt_sha256,omitempty"`
	Opens        bool   `json:"opens_thought,omitempty"`
	PromptTokens int    `json:"prompt_tokens,omitempty"`
	Refused      string `json:"refused,omitempty"`
}

// Program is a programming problem beside its text.
type Program struct {
	Tests      json.RawMessage `json:"tests,omitempty"`       // a list: input and output, or args and expected, or assert
	EntryPoint string          `json:"entry_point,omitempty"` // the function that they call
	Prompt     string          `json:"prompt,omitempty"`      // code that the answer completes
	Setup      string          `json:"setup,omitempty"`       // code that is run before the tests
	Check      string          `json:"check,omitempty"`       // code that defines check(candidate)
}

// fileProblem is a line of a file of problems.
type fileProblem struct {
	ID      string          `json:"id"`
	Problem string          `json:"problem"`
	Answer  json.RawMessage `json:"answer"` // a text or a number
	Subject string          `json:"subject"`
	Level   json.RawMessage `json:"level"`
	Error   json.RawMessage `json:"error"`   // absolute tolerance
	Wrong   []string        `json:"wrong"`   // the wrong choices, of which answer is the right one
	Choices []string        `json:"choices"` // or all choices in their order, of which answer names the letter
	Program
}

// question makes a Question of a line. The order of choices is a function of seed and the problem's id.
func (b *Benchmark) question(line []byte, seed uint64) (Question, error) {
	var p fileProblem
	if err := json.Unmarshal(line, &p); err != nil {
		return Question{}, err
	}
	q := Question{ID: p.ID, Group: p.ID, Subject: p.Subject, Level: plainText(p.Level), Gold: plainText(p.Answer), Kind: b.Kind, Options: b.Options}
	switch {
	case p.ID == "" || strings.TrimSpace(p.Problem) == "":
		return q, fmt.Errorf("id %q, problem %.40q: want both", p.ID, p.Problem)
	case b.Kind == Code && len(p.Tests) == 0 && p.Check == "":
		return q, errors.New("want the field tests, or check")
	case b.Kind != Code && p.Answer == nil:
		return q, errors.New("want the field answer")
	}
	if tolerance := plainText(p.Error); tolerance != "" {
		x, err := strconv.ParseFloat(tolerance, 64)
		if err != nil || !(x > 0) || x >= 1 {
			return q, fmt.Errorf("error: got %q, want a tolerance between 0 and 1", tolerance)
		}
		q.Options.Precision = int(math.Floor(-math.Log10(x) + 1e-9))
	}
	if b.Kind == Code {
		q.Program = &p.Program
	}
	choices := ""
	if b.Kind == Choice {
		var err error
		if choices, err = p.choose(&q, seed); err != nil {
			return q, err
		}
	}
	q.Text = strings.NewReplacer("{problem}", strings.TrimSpace(p.Problem), "{choices}", choices).Replace(b.Prompt)
	return q, nil
}

// choose lists the choices under their letters, shuffled, and sets the gold letter.
func (p *fileProblem) choose(q *Question, seed uint64) (string, error) {
	all, right := p.Choices, -1
	switch {
	case len(p.Wrong) > 0 && len(all) == 0:
		all, right = append([]string{q.Gold}, p.Wrong...), 0
	case len(q.Gold) == 1:
		right = int(q.Gold[0]) - 'A'
	}
	if len(all) < 2 || len(all) > 26 || right < 0 || right >= len(all) {
		return "", fmt.Errorf("got %d choices and the answer %.20q, want answer and wrong, or choices and the letter of one", len(all), q.Gold)
	}
	hash := fnv.New64a()
	hash.Write([]byte(q.ID))
	order := rand.New(rand.NewPCG(seed, hash.Sum64())).Perm(len(all))
	lines := make([]string, len(all))
	for i, at := range order {
		lines[i] = fmt.Sprintf("%c) %s", 'A'+i, strings.TrimSpace(all[at]))
	}
	q.Gold = string(rune('A' + slices.Index(order, right)))
	return strings.Join(lines, "\n"), nil
}

// plainText is a JSON text or number as text, "" for null and absence.
func plainText(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	if text = string(raw); text == "null" {
		return ""
	}
	return text
}

// TaskQuestions makes questions of a lab task's problems.
func TaskQuestions(problems []task.Problem) []Question {
	questions := make([]Question, len(problems))
	for i := range problems {
		p := problems[i]
		questions[i] = Question{ID: p.ID, Group: p.Group, Text: p.Question, Gold: p.Answer, Kind: Lab, Task: &p}
	}
	return questions
}
