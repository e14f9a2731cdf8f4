package main

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// mathsRow has the fields of the sources of maths, by whichever names.
type mathsRow struct {
	ID       json.RawMessage `json:"id"`
	UniqueID string          `json:"unique_id"`
	Problem  string          `json:"problem"`
	Prompt   string          `json:"prompt"`
	Question string          `json:"question"`
	Answer   json.RawMessage `json:"answer"`
	Solution json.RawMessage `json:"solution"`
	Subject  string          `json:"subject"`
	Type     string          `json:"type"`
	Level    json.RawMessage `json:"level"`
	URL      string          `json:"url"`

	Subfield    string   `json:"subfield"`
	FinalAnswer []string `json:"final_answer"`
	Multiple    *bool    `json:"is_multiple_answer"`
	Unit        *string  `json:"unit"`
	AnswerType  string   `json:"answer_type"`
	Error       *string  `json:"error"`
}

// boxedPrompt is what QwQ's file adds to each problem; eval has a prompt of its own.
const boxedPrompt = "\nPlease reason step by step, and put your final answer within \\boxed{}."

// plainRow converts rows with a problem and an answer, which is a text or a number.
func plainRow(name string) convertRow {
	return func(row []byte, index int) (*benchProblem, error) {
		var r mathsRow
		if err := json.Unmarshal(row, &r); err != nil {
			return nil, err
		}
		p := &benchProblem{ID: r.UniqueID, Problem: r.Problem, Answer: scalar(r.Answer), Subject: r.Subject, Level: r.Level, URL: r.URL}
		if p.Problem == "" {
			p.Problem = strings.TrimSuffix(r.Prompt, boxedPrompt)
		}
		if p.ID == "" {
			p.ID = fmt.Sprintf("%s-%d", name, index)
			p.Answer = strings.TrimSuffix(p.Answer, ".0") // contests with integer answers, of which one source makes floats
			if short := strings.TrimLeft(p.Answer, "0"); short != "" {
				p.Answer = short
			}
		}
		return complete(p)
	}
}

// complete refuses a row without a problem or an answer.
func complete(p *benchProblem) (*benchProblem, error) {
	if strings.TrimSpace(p.Problem) == "" || p.Answer == "" {
		return nil, errors.New("want a problem and an answer")
	}
	return p, nil
}

// scalar is a text or a number of JSON as text.
func scalar(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	return string(raw)
}

// gradeSchoolRow takes the answer from behind the last #### of a solution, without the commas of thousands.
func gradeSchoolRow(row []byte, index int) (*benchProblem, error) {
	var r mathsRow
	if err := json.Unmarshal(row, &r); err != nil {
		return nil, err
	}
	_, answer, ok := strings.Cut(scalar(r.Answer), "#### ")
	if !ok {
		return nil, errors.New("the answer has no ####")
	}
	return complete(&benchProblem{ID: fmt.Sprintf("gsm8k-test-%d", index), Problem: r.Question, Answer: strings.ReplaceAll(strings.TrimSpace(answer), ",", "")})
}

// minervaRow takes the answer from the last box of a solution.
func minervaRow(row []byte, index int) (*benchProblem, error) {
	var r mathsRow
	if err := json.Unmarshal(row, &r); err != nil {
		return nil, err
	}
	answer, ok := lastBox(scalar(r.Solution))
	if !ok {
		return nil, errors.New("the solution has no box")
	}
	return complete(&benchProblem{ID: fmt.Sprintf("minerva-%d", index), Problem: r.Problem, Answer: answer, Subject: r.Type})
}

// lastBox is the content of the last \boxed{...}.
func lastBox(s string) (string, bool) {
	at := strings.LastIndex(s, "\\boxed{")
	if at < 0 {
		return "", false
	}
	s = s[at+len("\\boxed{"):]
	depth := 1
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return s[:i], true
			}
		}
	}
	return "", false
}

func olympiadRow(row []byte, _ int) (*benchProblem, error) {
	var r mathsRow
	if err := json.Unmarshal(row, &r); err != nil {
		return nil, err
	}
	p := &benchProblem{
		ID: "olympiadbench-" + scalar(r.ID), Problem: r.Question, Answer: strings.Join(r.FinalAnswer, ","),
		Subject: r.Subfield, AnswerType: r.AnswerType, Multiple: r.Multiple,
	}
	if r.Unit != nil {
		p.Unit = *r.Unit
	}
	if r.Error != nil {
		p.Error = *r.Error
	}
	return complete(p)
}

func gpqaRow(row []byte, index int) (*benchProblem, error) {
	var r map[string]string
	if err := json.Unmarshal(row, &r); err != nil {
		return nil, err
	}
	p := &benchProblem{ID: r["Record ID"], Problem: strings.TrimSpace(r["Question"]), Answer: strings.TrimSpace(r["Correct Answer"]), Subject: r["High-level domain"]}
	if p.ID == "" {
		p.ID = fmt.Sprintf("gpqa-diamond-%d", index)
	}
	for i := 1; i <= 3; i++ {
		wrong := strings.TrimSpace(r[fmt.Sprintf("Incorrect Answer %d", i)])
		if wrong == "" {
			return nil, fmt.Errorf("want the column Incorrect Answer %d", i)
		}
		p.Wrong = append(p.Wrong, wrong)
	}
	return complete(p)
}

func humanEvalRow(row []byte, _ int) (*benchProblem, error) {
	var r struct {
		TaskID     string `json:"task_id"`
		Prompt     string `json:"prompt"`
		EntryPoint string `json:"entry_point"`
		Test       string `json:"test"`
	}
	if err := json.Unmarshal(row, &r); err != nil {
		return nil, err
	}
	if r.TaskID == "" || r.Prompt == "" || r.EntryPoint == "" || r.Test == "" {
		return nil, errors.New("want task_id, prompt, entry_point and test")
	}
	return &benchProblem{
		ID: r.TaskID, Problem: "Complete this function:\n\n```python\n" + strings.TrimRight(r.Prompt, "\n") + "\n```",
		EntryPoint: r.EntryPoint, Prompt: r.Prompt, Check: r.Test,
	}, nil
}

// mbppRow takes the test split, tasks 11 to 510. The tests are shown with the problem, as in the paper: they name the function.
func mbppRow(row []byte, _ int) (*benchProblem, error) {
	var r struct {
		TaskID int      `json:"task_id"`
		Text   string   `json:"text"`
		Setup  string   `json:"test_setup_code"`
		Tests  []string `json:"test_list"`
	}
	if err := json.Unmarshal(row, &r); err != nil {
		return nil, err
	}
	if r.TaskID < 11 || r.TaskID > 510 {
		return nil, nil
	}
	if r.Text == "" || len(r.Tests) == 0 {
		return nil, errors.New("want text and test_list")
	}
	p := &benchProblem{ID: fmt.Sprintf("mbpp-%d", r.TaskID), Setup: r.Setup}
	p.Problem = r.Text + "\n\nIt must pass these tests:\n\n```python\n" + strings.Join(r.Tests, "\n") + "\n```"
	for _, assert := range r.Tests {
		p.Tests = append(p.Tests, benchTest{Assert: assert})
	}
	return p, nil
}

// The window of the published figures of DeepSeek-R1 (arXiv:2501.12948, table 4: LiveCodeBench 2408-2501).
const firstContest, afterContests = "2024-08", "2025-02"

func liveCodeRow(row []byte, _ int) (*benchProblem, error) {
	var r struct {
		ID         string `json:"question_id"`
		Content    string `json:"question_content"`
		Platform   string `json:"platform"`
		Date       string `json:"contest_date"`
		Starter    string `json:"starter_code"`
		Difficulty string `json:"difficulty"`
		Public     string `json:"public_test_cases"`
		Private    string `json:"private_test_cases"`
		Metadata   string `json:"metadata"`
	}
	if err := json.Unmarshal(row, &r); err != nil {
		return nil, err
	}
	if r.Date < firstContest || r.Date >= afterContests {
		return nil, nil
	}
	p := &benchProblem{ID: r.ID, Problem: r.Content, Subject: r.Platform, Date: r.Date, Level: quoteJSON(r.Difficulty)}
	if r.Starter != "" {
		p.Problem += "\n\nComplete this:\n\n```python\n" + strings.TrimRight(r.Starter, "\n ") + "\n```"
	}
	var metadata struct {
		Function string `json:"func_name"`
	}
	if r.Metadata != "" {
		if err := json.Unmarshal([]byte(r.Metadata), &metadata); err != nil {
			return nil, fmt.Errorf("metadata: %w", err)
		}
	}
	p.EntryPoint = metadata.Function
	for _, text := range []string{r.Public, r.Private} {
		tests, err := liveCodeTests(text)
		if err != nil {
			return nil, err
		}
		p.Tests = append(p.Tests, tests...)
	}
	if r.ID == "" || r.Content == "" || len(p.Tests) == 0 {
		return nil, errors.New("want question_id, question_content and tests")
	}
	return p, nil
}

func quoteJSON(s string) json.RawMessage {
	if s == "" {
		return nil
	}
	text, _ := json.Marshal(s) // a string
	return text
}

// liveCodeTests reads tests as JSON, or as JSON in a Python string that is pickled, packed by zlib and written in base 64.
func liveCodeTests(text string) ([]benchTest, error) {
	var tests []benchTest
	if json.Unmarshal([]byte(text), &tests) == nil {
		return tests, nil
	}
	packed, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	if err != nil {
		return nil, fmt.Errorf("tests: neither JSON nor base 64: %w", err)
	}
	unpacked, err := zlib.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("tests: %w", err)
	}
	pickled, err := io.ReadAll(io.LimitReader(unpacked, maxRow+1))
	if err != nil || len(pickled) > maxRow {
		return nil, fmt.Errorf("tests: %d bytes unpacked, want at most %d (%w)", len(pickled), maxRow, err)
	}
	plain, err := unpickleString(pickled)
	if err != nil {
		return nil, fmt.Errorf("tests: %w", err)
	}
	if err := json.Unmarshal(plain, &tests); err != nil {
		return nil, fmt.Errorf("tests: %w", err)
	}
	return tests, nil
}

// unpickleString reads a pickle that holds one string, and refuses every other: a pickle is a program.
//
// Source: the opcodes of Python's pickletools, protocols 2 to 5.
func unpickleString(pickle []byte) ([]byte, error) {
	refuse := errors.New("want a pickle of one string")
	var text []byte
	for at := 0; at < len(pickle); {
		code, rest := pickle[at], pickle[at+1:]
		size, width := uint64(0), 0
		switch code {
		case 0x80, 'q': // the protocol; a place in the memo
			at += 2
			continue
		case 'r':
			at += 5
			continue
		case 0x95: // a frame
			at += 9
			continue
		case 0x94: // into the memo
			at++
			continue
		case '.':
			if text == nil {
				return nil, refuse
			}
			return text, nil
		case 0x8c:
			width = 1
		case 'X':
			width = 4
		case 0x8d:
			width = 8
		default:
			return nil, refuse
		}
		if text != nil || len(rest) < width {
			return nil, refuse
		}
		length := make([]byte, 8)
		copy(length, rest[:width])
		if size = binary.LittleEndian.Uint64(length); size > uint64(len(rest)-width) {
			return nil, refuse
		}
		text = rest[width : width+int(size)]
		at += 1 + width + int(size)
	}
	return nil, refuse
}
