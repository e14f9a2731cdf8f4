package main

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/retort-ml/retort/internal/report"
	"github.com/retort-ml/retort/runstore"
)

// makeRun records a run of some steps whose loss begins at the given number.
func makeRun(t *testing.T, root, id string, loss float64, config string) {
	t.Helper()
	r, err := runstore.Create(filepath.Join(root, id), runstore.Manifest{
		Kind: "sft", Command: []string{"retort", "sft", "\x1b[2J"}, Config: json.RawMessage(config), Seed: 7, Build: "b", Level: "generic",
		Metrics: []runstore.Metric{{Name: "loss", Unit: "nat", Formula: "mean"}, {Name: "never", Unit: "1", Formula: "none"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for step := 1; step <= 4; step++ {
		if err := r.AppendSample(map[string]any{"text": "sample " + string(rune('0'+step))}); err != nil {
			t.Fatal(err)
		}
		number := loss / float64(step)
		if step == 3 {
			number = math.NaN()
		}
		if err := r.AppendMetrics(step, []runstore.Value{{Name: "loss", Number: number}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Finish(runstore.StatusDone); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestRuns(t *testing.T) {
	root := t.TempDir()
	makeRun(t, root, "first", 8, `{"optimizer":{"learning_rate":1e-06},"betas":[0.9,1],"name":"a: b"}`)
	makeRun(t, root, "second", 4, `{"optimizer":{"learning_rate":0.5},"betas":[0.9,1],"name":"a: b"}`)
	for _, c := range []struct {
		arguments string
		want      []string // in this order
	}{
		{"ls", []string{"RUN ", "first ", "sft ", "done ", "4 ", "second "}},
		{"show first --samples 2", []string{
			"first: sft, done at step 4\n", "by retort sft ␛[2J\n", "build b, instruction set generic, seed 7\n",
			"\noptimizer:\n  learning_rate: 1e-06\nbetas: [0.9, 1]\nname: 'a: b'\n", "loss ", "8 ", "2 ", "█▃ ▁", "nat\n", "\nsample 3\n", "\nsample 4\n"}},
		{"show " + filepath.Join(root, "second"), []string{"second: sft"}},
		{"compare first second", []string{"config.optimizer.learning_rate", "1e-06", "0.5", "METRIC", "loss", "2 ", "1 ", "step 1\n"}},
		{"export first", []string{"step,loss,never", "\n1,8", "\n3,NaN", "\n4,2"}},
	} {
		status, out, stderr := retort(t, t.Context(), strings.Fields("runs --root "+root+" "+c.arguments)...)
		if status != exitDone {
			t.Errorf("%s: status %d: %s", c.arguments, status, stderr)
		}
		rest := out
		for _, want := range c.want {
			_, after, ok := strings.Cut(rest, want)
			if !ok {
				t.Errorf("%s: no %q (in its place) in\n%s", c.arguments, want, out)
				break
			}
			rest = after
		}
		if strings.Contains(out, "sample 2") || strings.Contains(out, "never") && c.arguments != "export first" {
			t.Errorf("%s: prints what was not asked for:\n%s", c.arguments, out)
		}
	}
}

func TestRunsForPrograms(t *testing.T) {
	root := t.TempDir()
	makeRun(t, root, "first", 8, `{"x":1}`)
	makeRun(t, root, "second", 8, `{"x":2}`)
	for arguments, want := range map[string]string{
		"ls":                       `"status":"done","step":4`,
		"show first --samples 1":   `{"event":"sample","text":"sample 4"}`,
		"compare first second":     `{"event":"setting","a":"1","b":"2","key":"config.x"}`,
		"compare second first":     `"first_difference":-1`,
		"export first -o /dev/nil": "",
	} {
		arguments = strings.ReplaceAll(arguments, "/dev/nil", filepath.Join(root, "out.csv"))
		status, out, stderr := retort(t, t.Context(), strings.Fields("runs --json --root "+root+" "+arguments)...)
		if status != exitDone || !strings.Contains(out, want) {
			t.Errorf("%s: status %d %s, no %s in\n%s", arguments, status, stderr, want, out)
		}
		for line := range strings.Lines(out) {
			if !json.Valid([]byte(line)) {
				t.Errorf("%s: not JSON: %s", arguments, line)
			}
		}
	}
	if text, err := os.ReadFile(filepath.Join(root, "out.csv")); err != nil || !strings.HasPrefix(string(text), "step,loss") {
		t.Errorf("export: got %q, %v", text, err)
	}
}

func TestRunsRefuse(t *testing.T) {
	root := t.TempDir()
	makeRun(t, root, "first", 8, `{}`)
	for arguments, want := range map[string]struct {
		status int
		err    string
	}{
		"show frist":                {exitFailed, "retort: frist is no run; try: first [no-run]\n"},
		"show zebra":                {exitFailed, "retort: zebra is no run; try: retort runs ls [no-run]\n"},
		"export first --format xml": {exitUsage, "--format"},
		"export first -o no/where":  {exitFailed, "no/"},
		"compare first":             {exitUsage, "<b>"},
		"":                          {exitUsage, "ls"},
	} {
		status, _, stderr := retort(t, t.Context(), strings.Fields("runs --root "+root+" "+arguments)...)
		if status != want.status || !strings.Contains(stderr, want.err) {
			t.Errorf("%q: status %d %q, want %d %q", arguments, status, stderr, want.status, want.err)
		}
	}
	if status, out, _ := retort(t, t.Context(), "runs", "--root", filepath.Join(root, "none"), "ls"); status != exitDone || !strings.Contains(out, "no runs below") {
		t.Errorf("no root: status %d %q", status, out)
	}
}

func TestSparkline(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		course []float64
		width  int
		want   string
	}{
		{[]float64{0, 7, 3.5}, 10, "▁█▄"},
		{[]float64{2, 2}, 10, "▁▁"},
		{[]float64{nan, 1, math.Inf(1), 2}, 10, " ▁ █"},
		{[]float64{0, 2, 4, 6}, 2, "▁█"},
		{[]float64{nan}, 4, " "},
		{nil, 4, ""},
	} {
		if got := sparkline(c.course, c.width); got != c.want {
			t.Errorf("%v: got %q, want %q", c.course, got, c.want)
		}
	}
}

// TestRunsExport: the form by the name of the file, each part of a run, and a page without a script over a folder that is only read.
func TestRunsExport(t *testing.T) {
	root := t.TempDir()
	makeRun(t, root, "first", 8, `{"optimizer":{"learning_rate":1e-06}}`)
	out := t.TempDir()
	for _, c := range []struct {
		arguments string
		begins    string
		holds     []string
	}{
		{"", "step,loss,never\n1,8", nil},
		{"--format jsonl", `{"step":1,"loss":8}` + "\n", nil},
		{"--format json", "{\n \"manifest\"", nil},
		{"--format parquet", "PAR1", nil},
		{"--what samples", "text\nsample 1\n", nil},
		{"--what samples --format jsonl", `{"text":"sample 1"}` + "\n", nil},
		{"-o " + filepath.Join(out, "a.jsonl"), `{"step":1,"loss":8}` + "\n", nil},
		{"-o " + filepath.Join(out, "a.csv"), "step,loss", nil},
		{"-o " + filepath.Join(out, "a.parquet"), "PAR1", nil},
		{"--what samples -o " + filepath.Join(out, "b.parquet"), "PAR1", nil},
		{"-o " + filepath.Join(out, "a.HTML"), "<!DOCTYPE html>", []string{"first", "sft, done at step 4", "<svg", "learning_rate", "sample 4", "default-src &#39;none&#39;"}},
	} {
		status, stdout, stderr := retort(t, t.Context(), strings.Fields("runs --root "+root+" export first "+c.arguments)...)
		if status != exitDone {
			t.Errorf("%s: %s", c.arguments, stderr)
			continue
		}
		if at := strings.Index(c.arguments, "-o "); at >= 0 {
			text, err := os.ReadFile(c.arguments[at+3:])
			if err != nil {
				t.Fatal(err)
			}
			stdout = string(text)
		}
		if !strings.HasPrefix(strings.ToLower(stdout), strings.ToLower(c.begins)) {
			t.Errorf("%s: got %.80q, want %q first", c.arguments, stdout, c.begins)
		}
		for _, part := range c.holds {
			if !strings.Contains(stdout, part) && !strings.Contains(stdout, strings.ReplaceAll(part, "&#39;", "'")) {
				t.Errorf("%s: no %q", c.arguments, part)
			}
		}
		if strings.Contains(stdout, "<script") || strings.Contains(stdout, "\x1b") && !strings.HasPrefix(stdout, "PAR1") {
			t.Errorf("%s: a script or a control character", c.arguments)
		}
	}
	for arguments, want := range map[string]string{
		"--what samples --format html": "--what goes with tables", "--what samples --format json": "bad-value", "--what all": "bad-value",
	} {
		if status, _, stderr := retort(t, t.Context(), strings.Fields("runs --root "+root+" export first "+arguments)...); status != exitUsage || !strings.Contains(stderr, want) {
			t.Errorf("%s: status %d, %s", arguments, status, stderr)
		}
	}
}

// TestLongCurvesAreAveraged: a page over ten thousand steps stays small.
func TestLongCurvesAreAveraged(t *testing.T) {
	r := &runstore.Record{Manifest: runstore.Manifest{ID: "long", Kind: "sft", Config: json.RawMessage(`{}`), Metrics: []runstore.Metric{{Name: "loss", Unit: "nat", Formula: "mean"}}}}
	for step := range 10000 {
		r.Rows = append(r.Rows, runstore.Row{Step: step + 1, Values: []runstore.Value{{Name: "loss", Number: float64(step % 100)}}})
	}
	d := runCurves(r)
	chart, ok := d[0].(*report.LineChart)
	if !ok || len(chart.Series[0].Y) != pagePoints || math.Abs(chart.Series[0].Y[7]-87) > 1e-9 {
		t.Errorf("%d points, the eighth %v", len(chart.Series[0].Y), chart.Series[0].Y[7])
	}
	if !strings.Contains(chart.Caption, "the mean of about 25 steps") {
		t.Errorf("got %q", chart.Caption)
	}
}
