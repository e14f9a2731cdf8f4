package eval

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/retort-ml/retort/verify"
)

// home is where a benchmark's problems are published, and how one of them is read.
type home struct {
	urls []string
	// read makes a problem of a line, or of a row of a table; nil without an error leaves it out. index counts them from 0.
	read func(fields publicFields, index int) (*publicProblem, error)
	csv  bool
}

// publicFields are the fields of a line or a row.
type publicFields map[string]json.RawMessage

func (f publicFields) text(name string) string { return plainText(f[name]) }

// publicProblem is a line of a file of problems, as OpenQuestions reads it.
type publicProblem struct {
	ID      string   `json:"id"`
	Problem string   `json:"problem"`
	Answer  string   `json:"answer,omitempty"`
	Subject string   `json:"subject,omitempty"`
	Level   string   `json:"level,omitempty"`
	Error   string   `json:"error,omitempty"`
	Wrong   []string `json:"wrong,omitempty"`
	Date    string   `json:"date,omitempty"`
	URL     string   `json:"url,omitempty"`
	Program
}

const rawGitHub = "https://raw.githubusercontent.com/"

// homes are by the benchmark's name.
var homes = map[string]home{
	"aime24":        {urls: []string{rawGitHub + "QwenLM/Qwen2.5-Math/main/evaluation/data/aime24/test.jsonl"}, read: contest("aime24")},
	"aime25":        {urls: []string{rawGitHub + "QwenLM/QwQ/main/eval/data/aime25.jsonl"}, read: contest("aime25")},
	"amc23":         {urls: []string{rawGitHub + "QwenLM/Qwen2.5-Math/main/evaluation/data/amc23/test.jsonl"}, read: contest("amc23")},
	"math500":       {urls: []string{rawGitHub + "ZubinGou/math-evaluation-harness/main/data/math_oai/test.jsonl"}, read: mathProblem},
	"gsm8k":         {urls: []string{rawGitHub + "openai/grade-school-math/master/grade_school_math/data/test.jsonl"}, read: gsm8kProblem},
	"minerva":       {urls: []string{rawGitHub + "QwenLM/Qwen2.5-Math/main/evaluation/data/minerva_math/test.jsonl"}, read: minervaProblem},
	"olympiadbench": {urls: []string{rawGitHub + "QwenLM/Qwen2.5-Math/main/evaluation/data/olympiadbench/test.jsonl"}, read: olympiadProblem},
	"gpqa":          {urls: []string{"https://openaipublic.blob.core.windows.net/simple-evals/gpqa_diamond.csv"}, read: gpqaProblem, csv: true},
	"humaneval":     {urls: []string{rawGitHub + "openai/human-eval/master/data/HumanEval.jsonl.gz"}, read: humanEvalProblem},
	"mbpp":          {urls: []string{rawGitHub + "google-research/google-research/master/mbpp/mbpp.jsonl"}, read: mbppProblem},
	"livecodebench": {urls: []string{
		"https://huggingface.co/datasets/livecodebench/code_generation_lite/resolve/main/test4.jsonl",
		"https://huggingface.co/datasets/livecodebench/code_generation_lite/resolve/main/test5.jsonl",
	}, read: liveCodeProblem},
}

// Homes returns the addresses of the files that hold a benchmark's problems in public.
func (b *Benchmark) Homes() []string { return homes[b.Name].urls }

// Convert reads one public file of a benchmark, perhaps gzipped, and appends its problems to w as lines that OpenQuestions
// reads. first is how many came from the files before it; the number of those that it wrote is returned.
func (b *Benchmark) Convert(source io.Reader, w io.Writer, first int) (int, error) {
	h, ok := homes[b.Name]
	if !ok {
		return 0, fmt.Errorf("eval: %s: no public home is known", b.Name)
	}
	plain, err := unpack(source)
	if err != nil {
		return 0, fmt.Errorf("eval: %s: %w", b.Name, err)
	}
	each := eachLineOf
	if h.csv {
		each = eachRowOf
	}
	written := 0
	err = each(plain, func(fields publicFields) error {
		p, err := h.read(fields, first+written)
		if err != nil || p == nil {
			return err
		}
		var line bytes.Buffer
		encoder := json.NewEncoder(&line)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(p); err != nil {
			return err
		}
		if _, err := b.question(line.Bytes(), 0); err != nil {
			return fmt.Errorf("%s: %w", p.ID, err)
		}
		written++
		_, err = w.Write(line.Bytes())
		return err
	})
	if err != nil {
		return written, fmt.Errorf("eval: %s: %w", b.Name, err)
	}
	return written, nil
}

func eachLineOf(source io.Reader, yield func(publicFields) error) error {
	lines := bufio.NewScanner(source)
	lines.Buffer(nil, 1<<30) // the tests of one program may be hundreds of megabytes
	for number := 1; lines.Scan(); number++ {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		var fields publicFields
		err := json.Unmarshal(lines.Bytes(), &fields)
		if err == nil {
			err = yield(fields)
		}
		if err != nil {
			return fmt.Errorf("line %d: %w", number, err)
		}
	}
	return lines.Err()
}

// eachRowOf reads a table in CSV whose first row names the columns.
func eachRowOf(source io.Reader, yield func(publicFields) error) error {
	rows := csv.NewReader(source)
	rows.FieldsPerRecord = -1
	names, err := rows.Read()
	if err != nil {
		return fmt.Errorf("the names of the columns: %w", err)
	}
	for number := 1; ; number++ {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		fields := publicFields{}
		for i := range min(len(row), len(names)) {
			if err == nil {
				fields[names[i]], err = json.Marshal(row[i])
			}
		}
		if err == nil {
			err = yield(fields)
		}
		if err != nil {
			return fmt.Errorf("row %d: %w", number, err)
		}
	}
}

// integerTail is the decimal end of a whole number that was written as a float.
var integerTail = regexp.MustCompile(`^(-?\d+)\.0+$`)

// contest reads a problem whose answer is an integer: without leading zeros and a decimal end.
func contest(name string) func(publicFields, int) (*publicProblem, error) {
	return func(f publicFields, index int) (*publicProblem, error) {
		problem := f.text("problem")
		if problem == "" {
			problem = strings.TrimSuffix(f.text("prompt"), mathsDirective)
		}
		answer := integerTail.ReplaceAllString(f.text("answer"), "$1")
		if trimmed := strings.TrimLeft(answer, "0"); trimmed != "" {
			answer = trimmed
		}
		return &publicProblem{ID: fmt.Sprintf("%s-%d", name, index), Problem: problem, Answer: answer, URL: f.text("url")}, nil
	}
}

func mathProblem(f publicFields, _ int) (*publicProblem, error) {
	return &publicProblem{ID: f.text("unique_id"), Problem: f.text("problem"), Answer: f.text("answer"), Subject: f.text("subject"), Level: f.text("level")}, nil
}

func gsm8kProblem(f publicFields, index int) (*publicProblem, error) {
	_, answer, ok := strings.Cut(f.text("answer"), "####")
	if !ok {
		return nil, errors.New("the answer has no ####")
	}
	return &publicProblem{ID: fmt.Sprintf("gsm8k-test-%d", index), Problem: f.text("question"), Answer: strings.ReplaceAll(strings.TrimSpace(answer), ",", "")}, nil
}

// minervaProblem takes the answer from the box of the solution.
func minervaProblem(f publicFields, index int) (*publicProblem, error) {
	answer, ok := verify.Extract(f.text("solution"), verify.Options{Boxes: verify.BoxesLast})
	if !ok {
		return nil, errors.New("the solution has no box")
	}
	return &publicProblem{ID: fmt.Sprintf("minerva-%d", index), Problem: f.text("problem"), Answer: strings.TrimSpace(answer), Subject: f.text("type")}, nil
}

func olympiadProblem(f publicFields, _ int) (*publicProblem, error) {
	var answers []string
	if err := json.Unmarshal(f["final_answer"], &answers); err != nil {
		return nil, fmt.Errorf("final_answer: %w", err)
	}
	p := &publicProblem{ID: "olympiadbench-" + f.text("id"), Problem: strings.TrimSpace(f.text("question")), Answer: strings.Join(answers, ", "), Subject: f.text("subfield"), Error: f.text("error")}
	return p, nil
}

func gpqaProblem(f publicFields, index int) (*publicProblem, error) {
	p := &publicProblem{ID: fmt.Sprintf("gpqa-%d", index), Problem: f.text("Question"), Answer: strings.TrimSpace(f.text("Correct Answer")), Subject: f.text("High-level domain")}
	for i := 1; i <= 3; i++ {
		p.Wrong = append(p.Wrong, strings.TrimSpace(f.text(fmt.Sprintf("Incorrect Answer %d", i))))
	}
	return p, nil
}
