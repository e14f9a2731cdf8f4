package runstore

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/retort-ml/retort/runstore/internal/parquettest"
)

// exported is a run with numbers of every kind and samples of every shape.
func exported(t *testing.T) *Record {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "run")
	r, err := Create(dir, Manifest{
		Kind: "grpo", Config: json.RawMessage(`{"a":1}`), Build: "b", Level: "generic",
		Metrics: []Metric{{"loss", "nat", "mean"}, {"reward/accuracy", "1", "share"}, {"never", "1", "none"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	numbers := []float64{0.1, math.NaN(), math.Inf(1), math.Inf(-1), math.Copysign(0, -1), math.MaxFloat64, 5e-324, 1.0 / 3}
	samples := []string{
		`{"step":1,"text":"a, \"b\"\nc","right":true,"advantage":1,"tokens":[1,2],"mixed":1,"id":9007199254740993}`,
		`{"step":2,"text":"ä","right":false,"advantage":-0.5,"tokens":[],"mixed":"x","late":null,"id":1.5}`,
		`{"step":3,"right":null,"late":7,"huge":123456789012345678901234567890}`,
	}
	for i, x := range numbers {
		if i < len(samples) {
			if err := r.AppendSample(json.RawMessage(samples[i])); err != nil {
				t.Fatal(err)
			}
		}
		values := []Value{{"loss", x}}
		if i%2 == 1 {
			values = append(values, Value{"reward/accuracy", float64(i)})
		}
		if err := r.AppendMetrics(i+1, values); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Finish(StatusDone); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	record, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	return record
}

func export(t *testing.T, write func(*Record, *bytes.Buffer) error, r *Record) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := write(r, &b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func metricsAs(f ExportFormat) func(*Record, *bytes.Buffer) error {
	return func(r *Record, b *bytes.Buffer) error { return Export(r, b, f) }
}

func samplesAs(f ExportFormat) func(*Record, *bytes.Buffer) error {
	return func(r *Record, b *bytes.Buffer) error { return ExportSamples(r, b, f) }
}

// TestMetricsRereadEqual: what each form holds is the record, and an export changes nothing in the run's folder.
func TestMetricsRereadEqual(t *testing.T) {
	r := exported(t)
	before := folderDigest(t, r.Dir)
	check := func(form string, step int, name string, got float64, ok bool) {
		t.Helper()
		want, isThere := r.Rows[step-1].Get(name)
		if ok != isThere || ok && math.Float64bits(got) != math.Float64bits(want) && !(math.IsNaN(got) && math.IsNaN(want)) {
			t.Errorf("%s: step %d, %s: got %v %v, want %v %v", form, step, name, got, ok, want, isThere)
		}
	}
	rows, err := csv.NewReader(bytes.NewReader(export(t, metricsAs(CSV), r))).ReadAll()
	if err != nil || len(rows) != len(r.Rows)+1 {
		t.Fatalf("%v, %d rows", err, len(rows))
	}
	for i, row := range rows[1:] {
		for j, name := range rows[0][1:] {
			x, err := strconv.ParseFloat(row[j+1], 64)
			check("csv", i+1, name, x, err == nil)
		}
	}
	columns, values, about, err := parquettest.Read(export(t, metricsAs(Parquet), r))
	if err != nil || len(values) != len(r.Rows) || !strings.Contains(about["manifest"], `"kind":"grpo"`) || about["status"] != "done" {
		t.Fatalf("%v, %d rows, %v", err, len(values), about)
	}
	for i, row := range values {
		if row[0].Int != int64(i+1) {
			t.Errorf("parquet: step %d in row %d", row[0].Int, i)
		}
		for j, c := range columns[1:] {
			check("parquet", i+1, c.Name, row[j+1].Double, row[j+1].IsSet)
		}
	}
	recorded, err := os.ReadFile(filepath.Join(r.Dir, metricsName))
	if got := export(t, metricsAs(JSONL), r); err != nil || !bytes.Equal(got, recorded) {
		t.Errorf("jsonl: %v, got\n%swant\n%s", err, got, recorded)
	}
	var whole struct{ Metrics []json.RawMessage }
	if err := json.Unmarshal(export(t, metricsAs(JSON), r), &whole); err != nil || len(whole.Metrics) != len(r.Rows) {
		t.Errorf("json: %v, %d lines", err, len(whole.Metrics))
	}
	if after := folderDigest(t, r.Dir); after != before {
		t.Error("an export has changed the run's folder")
	}
}

func TestSamplesRereadEqual(t *testing.T) {
	r := exported(t)
	var samples []map[string]json.RawMessage
	err := r.Samples(func(s json.RawMessage) error {
		var m map[string]json.RawMessage
		err := json.Unmarshal(s, &m)
		samples = append(samples, m)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	recorded, err := os.ReadFile(filepath.Join(r.Dir, samplesName))
	if got := export(t, samplesAs(JSONL), r); err != nil || !bytes.Equal(got, recorded) {
		t.Errorf("jsonl: %v, got\n%swant\n%s", err, got, recorded)
	}
	columns, rows, _, err := parquettest.Read(export(t, samplesAs(Parquet), r))
	if err != nil || len(rows) != len(samples) {
		t.Fatalf("%v, %d rows", err, len(rows))
	}
	if got, want := fmt.Sprint(columns), "[{step 0} {text 3} {right 2} {advantage 1} {tokens 4} {mixed 4} {id 4} {late 0} {huge 4}]"; got != want {
		t.Errorf("columns: got %s, want %s", got, want)
	}
	for i, row := range rows {
		for j, c := range columns {
			v, want := row[j], samples[i][c.Name]
			got := v.Text
			switch c.Kind {
			case 0:
				got = fmt.Sprint(v.Int)
			case 1:
				got = fmt.Sprint(v.Double)
			case 2:
				got = fmt.Sprint(v.Bool)
			case 3:
				text, _ := json.Marshal(v.Text)
				got = string(text)
			}
			if isNull := want == nil || string(want) == "null"; v.IsSet == isNull || v.IsSet && got != string(want) {
				t.Errorf("sample %d, %s: got %s %v, want %s", i, c.Name, got, v.IsSet, want)
			}
		}
	}
	table, err := csv.NewReader(bytes.NewReader(export(t, samplesAs(CSV), r))).ReadAll()
	if want := []string{"1", "a, \"b\"\nc", "true", "1", "[1,2]", "1", "9007199254740993", "", ""}; err != nil || len(table) != 4 || !slices.Equal(table[1], want) {
		t.Errorf("csv: %v, got %q, want %q", err, table, want)
	}
	if want := []string{"2", "ä", "false", "-0.5", "[]", `"x"`, "1.5", "", ""}; !slices.Equal(table[2], want) {
		t.Errorf("csv: got %q, want %q", table[2], want)
	}
	if err := ExportSamples(r, &bytes.Buffer{}, "xml"); err == nil || !strings.Contains(err.Error(), "want csv, jsonl or parquet") {
		t.Errorf("got %v", err)
	}
}

// TestExportOfARunThatGoesOn: what is written between the two readings of the samples is left for the next export.
func TestExportOfARunThatGoesOn(t *testing.T) {
	r := exported(t)
	table, err := r.sampleTable()
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.OpenFile(filepath.Join(r.Dir, samplesName), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteString(`{"step":"another kind","new":1}` + "\n"); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	n := 0
	if err := table.each(r, func([]json.RawMessage) error { n++; return nil }); err != nil || n != 3 {
		t.Errorf("%v, %d samples", err, n)
	}
}

func TestExportOfNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	run, err := Create(dir, Manifest{Kind: "sft", Config: json.RawMessage(`{}`), Build: "b", Level: "generic"})
	if err != nil {
		t.Fatal(err)
	}
	if err := run.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []ExportFormat{CSV, JSONL, Parquet} {
		export(t, metricsAs(f), r)
		if file := export(t, samplesAs(f), r); f == Parquet {
			if _, rows, _, err := parquettest.Read(file); err != nil || len(rows) != 0 {
				t.Errorf("%v, %d rows", err, len(rows))
			}
		}
	}
}

func TestCheckpointFaults(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	run, err := Create(dir, Manifest{Kind: "sft", Config: json.RawMessage(`{}`), Build: "b", Level: "generic"})
	if err != nil {
		t.Fatal(err)
	}
	if err := run.Checkpoint(3, func(dir string) error { return os.WriteFile(filepath.Join(dir, "w"), []byte("1234"), 0o644) }); err != nil {
		t.Fatal(err)
	}
	if err := run.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, checkpointsName, folderName(3), "w")
	for text, want := range map[string][2]int{"1234": {0, 0}, "1235": {0, 1}, "123": {1, 1}} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		for i, isDeep := range []bool{false, true} {
			if faults, err := r.CheckpointFaults(isDeep); err != nil || len(faults) != want[i] {
				t.Errorf("%q, deep %v: %v, %v", text, isDeep, faults, err)
			}
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if faults, err := r.CheckpointFaults(false); err != nil || len(faults) != 1 {
		t.Errorf("a missing file: %v, %v", faults, err)
	}
}

// folderDigest is every file below a folder with its content.
func folderDigest(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		fmt.Fprintf(&b, "%s %q\n", path, text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}
