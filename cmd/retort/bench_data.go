package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/retort-ml/retort/cmd/retort/internal/explain"
	"github.com/retort-ml/retort/hub"
)

// benchDataCommand downloads the problems of benchmarks from their public homes, and writes them as eval reads them.
type benchDataCommand struct {
	Names []string `arg:"" optional:"" name:"benchmark" complete:"benchmark-or-all" help:"The benchmarks to download, or all; without any, they are listed."`
	Data  string   `name:"data" variable:"RETORT_BENCH_DATA" type:"path" default:"data/bench" placeholder:"FOLDER" help:"Where to write them."`
	Keep  bool     `name:"keep" help:"Keep what was downloaded beside what was made of it, in FOLDER/raw."`
	Again bool     `name:"again" help:"Download what is there already."`
}

// benchSource is where a benchmark's problems come from, and what is made of them.
type benchSource struct {
	file     string // name of the file that is written, without .jsonl
	parts    []hub.Source
	licence  string
	rights   string // what must not be done with the problems
	problems int    // how many there are; 0 where the home does not say
	convert  convertRow
}

// convertRow makes a problem of the index-th row of a source, a JSON object; nil leaves the row out.
type convertRow func(row []byte, index int) (*benchProblem, error)

// benchProblem is a line of the file that is written.
type benchProblem struct {
	ID         string          `json:"id"`
	Problem    string          `json:"problem"`
	Answer     string          `json:"answer,omitempty"`
	Wrong      []string        `json:"wrong,omitempty"` // the other choices
	Subject    string          `json:"subject,omitempty"`
	Level      json.RawMessage `json:"level,omitempty"`
	URL        string          `json:"url,omitempty"`
	AnswerType string          `json:"answer_type,omitempty"`
	Unit       string          `json:"unit,omitempty"`
	Error      string          `json:"error,omitempty"` // absolute tolerance
	Multiple   *bool           `json:"multiple,omitempty"`
	Date       string          `json:"date,omitempty"`

	// Of a program, as verify.CodeProblem has them.
	Tests      []benchTest `json:"tests,omitempty"`
	EntryPoint string      `json:"entry_point,omitempty"`
	Prompt     string      `json:"prompt,omitempty"`
	Setup      string      `json:"setup,omitempty"`
	Check      string      `json:"check,omitempty"`
}

// benchTest is a test of a program, as verify.CodeTest has it.
type benchTest struct {
	Input    string  `json:"input,omitempty"`
	Output   *string `json:"output,omitempty"`
	TestType string  `json:"testtype,omitempty"`
	Assert   string  `json:"assert,omitempty"`
}

// benchEvent is the --json form of a downloaded or listed benchmark.
type benchEvent struct {
	Name     string   `json:"name"`
	File     string   `json:"file"`
	Problems int      `json:"problems,omitempty"`
	Licence  string   `json:"licence"`
	Rights   string   `json:"rights,omitempty"`
	URLs     []string `json:"urls"`
	Present  bool     `json:"present"`
}

// Run lists or downloads.
func (c *benchDataCommand) Run(ctx context.Context, out *output) error {
	names := c.Names
	if len(names) == 0 || slices.Contains(names, "all") {
		names = names[:0:0]
		for name := range benchSources {
			names = append(names, name)
		}
		slices.Sort(names)
	}
	for _, name := range names {
		source, ok := benchSources[name]
		if !ok {
			return usage(explain.Errorf("bad-value", "no benchmark %q", name), "retort bench-data")
		}
		if len(c.Names) == 0 {
			if err := c.list(out, name, source); err != nil {
				return err
			}
			continue
		}
		if err := c.get(ctx, out, name, source); err != nil {
			return explain.Errorf("download", "%s: %w", name, err)
		}
	}
	return nil
}

func (c *benchDataCommand) path(s benchSource) string { return filepath.Join(c.Data, s.file+".jsonl") }

func (c *benchDataCommand) event(name string, s benchSource, problems int) benchEvent {
	e := benchEvent{Name: name, File: c.path(s), Problems: problems, Licence: s.licence, Rights: s.rights}
	for _, part := range s.parts {
		e.URLs = append(e.URLs, part.URL)
	}
	_, err := os.Stat(e.File)
	e.Present = err == nil
	return e
}

func (c *benchDataCommand) list(out *output, name string, s benchSource) error {
	e := c.event(name, s, s.problems)
	present := ""
	if e.Present {
		present = ", present"
	}
	out.result("%-14s %5d problems, %s%s", name, s.problems, s.licence, present)
	if s.rights != "" {
		out.result("%14s %s", "", s.rights)
	}
	for _, address := range e.URLs {
		out.result("%14s %s", "", address)
	}
	return out.event("benchmark", e)
}

// get downloads and converts one benchmark.
func (c *benchDataCommand) get(ctx context.Context, out *output, name string, s benchSource) error {
	target := c.path(s)
	if _, err := os.Stat(target); err == nil && !c.Again {
		out.result("%-14s present: %s", name, target)
		return out.event("benchmark", c.event(name, s, s.problems))
	}
	raw := filepath.Join(c.Data, "raw")
	files := make([]string, len(s.parts))
	for i, part := range s.parts {
		address, err := url.Parse(part.URL)
		if err != nil {
			return err
		}
		files[i] = filepath.Join(raw, fmt.Sprintf("%s-%d-%s", s.file, i, path.Base(address.Path)))
		if c.Again {
			if err := os.Remove(files[i]); err != nil && !errors.Is(err, os.ErrNotExist) {
				return err
			}
		}
		o := hub.Options{Progress: func(p hub.Progress) {
			switch {
			case p.Retry != nil:
				out.note("%s: %s; trying again", name, oneLine(p.Retry.Error()))
			case out.terminal && !p.Waiting:
				out.redraw(fmt.Sprintf("%s: %s of %s", name, sizeText(p.Done), sizeText(p.Total)))
			}
		}}
		if err := hub.Fetch(ctx, part, files[i], o); err != nil {
			return err
		}
	}
	problems, err := convertFiles(files, target, s)
	if err != nil {
		return err
	}
	if !c.Keep {
		for _, file := range files {
			if err := os.Remove(file); err != nil {
				return err
			}
		}
		_ = os.Remove(raw) // it may hold other files
	}
	out.result("%-14s %d problems, %s: %s", name, problems, s.licence, target)
	if s.rights != "" {
		out.result("%14s %s", "", s.rights)
	}
	return out.event("benchmark", c.event(name, s, problems))
}

// sizeText is a number of bytes for a person, "?" for an unknown one.
func sizeText(bytes int64) string {
	if bytes <= 0 {
		return "?"
	}
	return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20))
}

// convertFiles writes the problems of the downloaded files, all or none.
func convertFiles(files []string, target string, s benchSource) (problems int, err error) {
	part, err := os.CreateTemp(filepath.Dir(target), "."+filepath.Base(target)+"-*")
	if err != nil {
		return 0, err
	}
	defer func() {
		if err != nil {
			_ = part.Close() // the error before it says more
			_ = os.Remove(part.Name())
		}
	}()
	w := bufio.NewWriter(part)
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	index := 0
	for _, file := range files {
		err := readRows(file, func(row []byte) error {
			problem, err := s.convert(row, index)
			index++
			if err != nil || problem == nil {
				return err
			}
			problems++
			return encoder.Encode(problem)
		})
		if err != nil {
			return 0, fmt.Errorf("%s: row %d: %w", filepath.Base(file), index, err)
		}
	}
	if problems == 0 || s.problems > 0 && problems != s.problems {
		return 0, fmt.Errorf("got %d problems, want %d: the file at its home has changed", problems, s.problems)
	}
	if err := errors.Join(w.Flush(), part.Chmod(0o644), part.Sync(), part.Close()); err != nil {
		return 0, err
	}
	return problems, os.Rename(part.Name(), target)
}

// maxRow bounds a row: the tests of one program may be long.
const maxRow = 256 << 20

// readRows calls do with each row of a file of JSON lines, perhaps gzipped, or of comma-separated values, made an object of
// its columns.
func readRows(name string, do func(row []byte) error) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // it was only read
	source := io.Reader(file)
	if strings.HasSuffix(name, ".gz") {
		unpacked, err := gzip.NewReader(file)
		if err != nil {
			return err
		}
		source = unpacked
	}
	if strings.HasSuffix(name, ".csv") {
		return readTable(source, do)
	}
	lines := bufio.NewScanner(source)
	lines.Buffer(make([]byte, 1<<20), maxRow)
	for lines.Scan() {
		if row := bytes.TrimSpace(lines.Bytes()); len(row) > 0 {
			if err := do(row); err != nil {
				return err
			}
		}
	}
	return lines.Err()
}

func readTable(source io.Reader, do func(row []byte) error) error {
	table := csv.NewReader(source)
	names, err := table.Read()
	if err != nil {
		return err
	}
	for {
		cells, err := table.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		row := make(map[string]string, len(names))
		for i, name := range names {
			row[strings.TrimPrefix(name, "\ufeff")] = cells[i]
		}
		text, err := json.Marshal(row)
		if err != nil {
			return err
		}
		if err := do(text); err != nil {
			return err
		}
	}
}
