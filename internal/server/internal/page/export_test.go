package page

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/retort-ml/retort/runstore"
)

// TestExportsAreReadBackEqual: every number that a run holds comes back with its bits from both forms, and the samples byte by byte.
func TestExportsAreReadBackEqual(t *testing.T) {
	p, runs, _ := newPage(t)
	dir := filepath.Join(runs, "r")
	run := makeRun(t, dir, 30, 5)
	for i, x := range []float64{0.1 + 0.2, math.NaN(), 5e-324, -math.MaxFloat64} {
		if err := run.AppendMetrics(31+i, []runstore.Value{{Name: "kl", Number: x}, {Name: "loss", Number: 1. / 3}}); err != nil {
			t.Fatal(err)
		}
	}
	finish(t, run)
	record, err := runstore.Read(dir)
	if err != nil {
		t.Fatal(err)
	}

	lines, err := csv.NewReader(ask(t, p, "GET", "/page/api/metrics.csv?run=r", "").Body).ReadAll()
	if err != nil || len(lines) != len(record.Rows)+1 {
		t.Fatalf("%d lines of CSV of %d steps, %v", len(lines), len(record.Rows), err)
	}
	for i, row := range record.Rows {
		if lines[i+1][0] != fmt.Sprint(row.Step) {
			t.Errorf("line %d is step %s, want %d", i, lines[i+1][0], row.Step)
		}
		for column, name := range lines[0][1:] {
			text := lines[i+1][column+1]
			x, ok := row.Get(name)
			if !ok && text == "" {
				continue
			}
			if got, err := strconv.ParseFloat(text, 64); err != nil || math.Float64bits(got) != math.Float64bits(x) && !(math.IsNaN(got) && math.IsNaN(x)) {
				t.Errorf("step %d, %s: %q, want %v", row.Step, name, text, x)
			}
		}
	}

	var whole struct {
		Manifest json.RawMessage
		Metrics  []json.RawMessage
	}
	want(t, p, 200, "GET", "/page/api/metrics.json?run=r", "", &whole)
	stored, err := os.ReadFile(filepath.Join(dir, "metrics.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	var rows []string
	for _, m := range whole.Metrics {
		var line bytes.Buffer
		if err := json.Compact(&line, m); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, line.String())
	}
	if got := strings.Join(rows, "\n") + "\n"; got != string(stored) || len(whole.Manifest) < 10 {
		t.Errorf("the JSON holds other rows than metrics.jsonl:\n%.300s\n%.300s", got, stored)
	}

	samples, err := os.ReadFile(filepath.Join(dir, "samples.jsonl"))
	if err != nil || len(samples) == 0 {
		t.Fatal(err)
	}
	w := ask(t, p, "GET", "/page/api/samples.jsonl?run=r", "")
	if w.Body.String() != string(samples) || !strings.Contains(w.Header().Get("Content-Disposition"), "attachment") || w.Header().Get("Content-Type") != "application/x-ndjson" {
		t.Errorf("the samples are %d bytes of %s, want %d", w.Body.Len(), w.Header().Get("Content-Type"), len(samples))
	}
}

// TestAFinishedRunIsOnlyRead: no route changes a file of a run, its time, or what files there are.
func TestAFinishedRunIsOnlyRead(t *testing.T) {
	p, runs, _ := newPage(t)
	finish(t, makeRun(t, filepath.Join(runs, "r"), 20, 2))
	look := func() map[string]string {
		found := map[string]string{}
		err := fs.WalkDir(os.DirFS(runs), ".", func(name string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := entry.Info()
			if err != nil {
				return err
			}
			text := []byte("folder")
			if !entry.IsDir() {
				if text, err = os.ReadFile(filepath.Join(runs, name)); err != nil {
					return err
				}
			}
			found[name] = fmt.Sprint(info.ModTime().UnixNano(), info.Mode(), string(text))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	before := look()
	asked := 0
	for _, r := range routes {
		method, path, _ := strings.Cut(r.pattern, " ")
		if method != "GET" || strings.HasSuffix(path, "/follow") || strings.Contains(path, "{") {
			continue
		}
		asked++
		for _, query := range []string{"", "&step=6", "&from=3", "&text=wait"} {
			ask(t, p, method, path+"?run=r"+query, "")
		}
	}
	if asked < 10 {
		t.Fatalf("%d routes were asked", asked)
	}
	after := look()
	for name, state := range before {
		if after[name] != state {
			t.Errorf("%s has changed", name)
		}
	}
	if len(after) != len(before) || len(before) < 5 {
		t.Errorf("%d files and folders, before %d", len(after), len(before))
	}
}
