package chat

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// templates is the folder of published templates, which is not part of the repository.
func templates(t *testing.T) string {
	t.Helper()
	data := os.Getenv("RETORT_DATA")
	if data == "" {
		data = filepath.Join("..", "..", "shared", "data")
	}
	dir := filepath.Join(data, "templates")
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no templates: %v; set RETORT_DATA", err)
	}
	return dir
}

// clock is the day that golden prompts were made on.
func clock() time.Time { return time.Date(2024, time.July, 26, 0, 0, 0, 0, time.UTC) }

type goldenCase struct {
	Template string          `json:"template"`
	Case     string          `json:"case"`
	BOS      string          `json:"bos_token"`
	EOS      string          `json:"eos_token"`
	Input    json.RawMessage `json:"input"`
	Output   string          `json:"output"`
	Error    *string         `json:"error"`
}

func goldenCases(t *testing.T) []goldenCase {
	t.Helper()
	file, err := os.Open(filepath.Join(templates(t), "cases.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var cases []goldenCase
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<22)
	for lines.Scan() {
		var c goldenCase
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		cases = append(cases, c)
	}
	if err := lines.Err(); err != nil || len(cases) == 0 {
		t.Fatalf("%d cases, %v", len(cases), err)
	}
	return cases
}

func readTemplate(t *testing.T, name string) *Template {
	t.Helper()
	source, err := os.ReadFile(filepath.Join(templates(t), name+".jinja"))
	if err != nil {
		t.Fatal(err)
	}
	template, err := Parse(string(source))
	if err != nil {
		t.Fatal(err)
	}
	return template
}

func TestGoldenPrompts(t *testing.T) {
	for _, c := range goldenCases(t) {
		in, err := ParseInput(c.Input)
		if err != nil {
			t.Fatal(err)
		}
		in = in.WithText("bos_token", c.BOS).WithText("eos_token", c.EOS)
		got, err := readTemplate(t, c.Template).Render(in, Limits{Now: clock})
		switch {
		case c.Error != nil && err == nil:
			t.Errorf("%s, %s: rendered %q, want the error %s", c.Template, c.Case, got, *c.Error)
		case c.Error == nil && err != nil:
			t.Errorf("%s, %s: %v", c.Template, c.Case, err)
		case got != c.Output:
			t.Errorf("%s, %s:\ngot  %q\nwant %q", c.Template, c.Case, got, c.Output)
		}
		if c.Error != nil {
			t.Logf("%s: %v; Python: %s", c.Template, err, *c.Error)
		}
	}
}

// snippetClock is the time of testdata/snippets.py.
func snippetClock() time.Time { return time.Date(2024, time.July, 26, 15, 4, 5, 0, time.UTC) }
