package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/retort-ml/retort/hub"
)

// What Python 3.11 makes of base64(zlib(pickle(text))), in protocols 2 and 4, of the text
// [{"input": "1\n", "output": "2\n", "testtype": "stdin"}]; and of an object whose unpickling calls print.
const (
	pickled2 = "eJxrYIqwYGBgiK5WyswrKC1RslJQMozJU9JRUMovLYEKGEEESlKLS0oqC1JBQsUlKZl5SrWxhQx6AGF6Exw="
	pickled4 = "eJxrYJlqwwABPRbR1UqZeQWlJUpWCkqGMXlKOgpK+aUlUAEjiEBJanFJSWVBKkiouCQlM0+pNnaKHgCVCRRG"
	pickledE = "eJxrYJkqxwABPRxJpZk5JZl5xVN6WAuKMvNKpkye0sNYMaV1StAUPQDyFg4J"
)

func TestBenchData(t *testing.T) {
	const first = `{"problem":"1+1?","answer":2.0,"url":"u","solution":"secret"}` + "\n\n" + `{"problem":"2+2?","answer":"004"}` + "\n"
	rows := map[string]string{"/a.jsonl": first, "/b.jsonl": `{"problem":"3+3?","answer":6}` + "\n"}
	dropped := map[string]bool{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"1"`)
		if r.URL.Path == "/old" {
			http.Redirect(w, r, "/a.jsonl", http.StatusFound)
			return
		}
		if text := rows[r.URL.Path]; !dropped[r.URL.Path] { // the first time, half of it
			dropped[r.URL.Path] = true
			w.Header().Set("Content-Length", strconv.Itoa(len(text)))
			_, _ = w.Write([]byte(text[:len(text)/2]))
			return
		}
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader(rows[r.URL.Path]))
	}))
	defer server.Close()
	sum := sha256.Sum256([]byte(first))
	source := benchSource{
		file: "sums", licence: "ours", problems: 3, convert: plainRow("sums"),
		parts: []hub.Source{{URL: server.URL + "/old", SHA256: hex.EncodeToString(sum[:]), Size: int64(len(first))}, {URL: server.URL + "/b.jsonl"}},
	}
	c := &benchDataCommand{Data: filepath.Join(t.TempDir(), "data")}
	out := newOutput(streams{out: io.Discard, err: io.Discard}, false)
	if err := c.get(t.Context(), out, "sums", source); err != nil {
		t.Fatal(err)
	}
	const want = `{"id":"sums-0","problem":"1+1?","answer":"2","url":"u"}
{"id":"sums-1","problem":"2+2?","answer":"4"}
{"id":"sums-2","problem":"3+3?","answer":"6"}
`
	if text, err := os.ReadFile(c.path(source)); err != nil || string(text) != want {
		t.Errorf("%v, got\n%s", err, text)
	}
	if entries, err := os.ReadDir(c.Data); err != nil || len(entries) != 1 {
		t.Errorf("the folder holds %v (%v), want one file", entries, err)
	}
	source.problems = 4
	if err := c.get(t.Context(), out, "sums", source); err != nil {
		t.Errorf("what is present was downloaded: %v", err)
	}
	c.Again = true
	if err := c.get(t.Context(), out, "sums", source); err == nil || !strings.Contains(err.Error(), "got 3 problems, want 4") {
		t.Errorf("got %v", err)
	}
	if text, err := os.ReadFile(c.path(source)); err != nil || string(text) != want {
		t.Errorf("a failure changed the file: %v, got\n%s", err, text)
	}
}

func TestBenchDataLists(t *testing.T) {
	status, out, stderr := retort(t, t.Context(), "bench-data", "--json", "--data", t.TempDir())
	list := events[benchEvent](t, out, "benchmark")
	if status != exitDone || len(list) != len(benchSources) {
		t.Fatalf("status %d, %d benchmarks: %s", status, len(list), stderr)
	}
	for _, e := range list {
		if e.Present || e.Licence == "" || len(e.URLs) == 0 || !strings.HasPrefix(e.URLs[0], "https://") {
			t.Errorf("%+v", e)
		}
	}
	if status, _, stderr := retort(t, t.Context(), "bench-data", "aime99"); status != exitUsage || !strings.Contains(stderr, "aime99") {
		t.Errorf("status %d: %s", status, stderr)
	}
}

// TestBenchRows converts a row of each kind of source, made up here.
func TestBenchRows(t *testing.T) {
	for name, c := range map[string]struct {
		convert   convertRow
		row, want string // want "" is an error, "-" a row left out
	}{
		"math500": {plainRow("math500"), `{"problem":"p","answer":"\\frac12","unique_id":"u/1","subject":"s","level":3,"solution":"x"}`,
			`{"id":"u/1","problem":"p","answer":"\\frac12","subject":"s","level":3}`},
		"prompt":    {plainRow("q"), `{"prompt":"p?\nPlease reason step by step, and put your final answer within \\boxed{}.","answer":70}`, `{"id":"q-7","problem":"p?","answer":"70"}`},
		"zero":      {plainRow("q"), `{"problem":"p","answer":"000"}`, `{"id":"q-7","problem":"p","answer":"000"}`},
		"no answer": {plainRow("q"), `{"problem":"p"}`, ""},
		"gsm8k":     {gradeSchoolRow, `{"question":"p","answer":"1,0+2 <<1+2=3>>\n#### 1,234"}`, `{"id":"gsm8k-test-7","problem":"p","answer":"1234"}`},
		"minerva":   {minervaRow, `{"problem":"p","solution":"\\boxed{1} so \\boxed{\\frac{1}{2}\\}}","type":"s"}`, `{"id":"minerva-7","problem":"p","answer":"\\frac{1}{2}\\}","subject":"s"}`},
		"no box":    {minervaRow, `{"problem":"p","solution":"\\boxed{1"}`, ""},
		"olympiad": {olympiadRow, `{"id":5,"subfield":"s","question":"p","final_answer":["1","2"],"is_multiple_answer":true,"unit":"m","answer_type":"Numerical","error":"1e-1"}`,
			`{"id":"olympiadbench-5","problem":"p","answer":"1,2","subject":"s","answer_type":"Numerical","unit":"m","error":"1e-1","multiple":true}`},
		"gpqa": {gpqaRow, `{"Record ID":"r","Question":" p ","Correct Answer":"a\n","Incorrect Answer 1":"b","Incorrect Answer 2":"c","Incorrect Answer 3":"d","High-level domain":"s"}`,
			`{"id":"r","problem":"p","answer":"a","wrong":["b","c","d"],"subject":"s"}`},
		"gpqa short": {gpqaRow, `{"Record ID":"r","Question":"p","Correct Answer":"a","Incorrect Answer 1":"b"}`, ""},
		"humaneval": {humanEvalRow, `{"task_id":"H/1","prompt":"def f():\n","entry_point":"f","test":"def check(c): pass","canonical_solution":"x"}`,
			`{"id":"H/1","problem":"Complete this function:\n\n` + "```python\\ndef f():\\n```" + `","entry_point":"f","prompt":"def f():\n","check":"def check(c): pass"}`},
		"mbpp": {mbppRow, `{"task_id":11,"text":"p","test_setup_code":"import math","test_list":["assert f() == 1"],"code":"x"}`,
			`{"id":"mbpp-11","problem":"p\n\nIt must pass these tests:\n\n` + "```python\\nassert f() == 1\\n```" + `","tests":[{"assert":"assert f() == 1"}],"setup":"import math"}`},
		"mbpp train": {mbppRow, `{"task_id":600,"text":"p","test_list":["assert f() == 1"]}`, "-"},
		"live": {liveCodeRow, `{"question_id":"q","question_content":"p","platform":"leetcode","contest_date":"2024-08-03T00:00:00","difficulty":"easy","starter_code":"class S:\n  ","public_test_cases":"[{\"input\":\"1\",\"output\":\"2\",\"testtype\":\"functional\"}]","private_test_cases":"` + pickled4 + `","metadata":"{\"func_name\":\"f\"}"}`,
			`{"id":"q","problem":"p\n\nComplete this:\n\n` + "```python\\nclass S:\\n```" + `","subject":"leetcode","level":"easy","date":"2024-08-03T00:00:00","tests":[{"input":"1","output":"2","testtype":"functional"},{"input":"1\n","output":"2\n","testtype":"stdin"}],"entry_point":"f"}`},
		"live early": {liveCodeRow, `{"question_id":"q","question_content":"p","contest_date":"2024-07-31T00:00:00"}`, "-"},
		"live late":  {liveCodeRow, `{"question_id":"q","question_content":"p","contest_date":"2025-02-01T00:00:00"}`, "-"},
		"live evil":  {liveCodeRow, `{"question_id":"q","question_content":"p","contest_date":"2024-09-01","public_test_cases":"[]","private_test_cases":"` + pickledE + `"}`, ""},
	} {
		p, err := c.convert([]byte(c.row), 7)
		got := ""
		switch {
		case err == nil && p == nil:
			got = "-"
		case err == nil:
			var text strings.Builder
			encoder := json.NewEncoder(&text)
			encoder.SetEscapeHTML(false)
			if err := encoder.Encode(p); err != nil {
				t.Fatal(err)
			}
			got = strings.TrimSpace(text.String())
		}
		if got != c.want {
			t.Errorf("%s: got %s (%v), want %s", name, got, err, c.want)
		}
	}
	for _, packed := range []string{pickled2, pickled4} {
		if tests, err := liveCodeTests(packed); err != nil || len(tests) != 1 || *tests[0].Output != "2\n" {
			t.Errorf("%v %v", tests, err)
		}
	}
	for _, bad := range []string{"", ".", "\x80\x02.", "\x80\x02X\xff\xff\xff\xffa.", "\x8c\x01a", "\x8c\x01a\x8c\x01b.", "\x80", "q", "cos\nsystem\n."} {
		if text, err := unpickleString([]byte(bad)); err == nil {
			t.Errorf("%q is read as %q", bad, text)
		}
	}
}

func TestReadTable(t *testing.T) {
	name := filepath.Join(t.TempDir(), "x.csv")
	if err := os.WriteFile(name, []byte("\ufeffa,b c\n\"1\n,\",2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var rows []string
	if err := readRows(name, func(row []byte) error { rows = append(rows, string(row)); return nil }); err != nil || len(rows) != 1 || rows[0] != `{"a":"1\n,","b c":"2"}` {
		t.Errorf("%v %v", rows, err)
	}
}
