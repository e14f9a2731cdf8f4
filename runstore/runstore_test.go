package runstore

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func newRun(t *testing.T) *Run {
	t.Helper()
	r, err := Create(filepath.Join(t.TempDir(), "run"), testManifest)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func reopen(t *testing.T, r *Run) *Run {
	t.Helper()
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := Open(r.Dir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { again.Close() })
	return again
}

func text(t *testing.T, parts ...string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(parts...))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func TestManifestIsWrittenOnce(t *testing.T) {
	m := testManifest
	m.Command = []string{"retort", "grpo"}
	m.Parents = []string{"sft-1"}
	dir := filepath.Join(t.TempDir(), "deep", "run-7")
	r, err := Create(dir, m)
	if err != nil {
		t.Fatal(err)
	}
	before := text(t, dir, manifestName)
	r = reopen(t, r)
	got := r.Manifest()
	if got.ID != "run-7" || got.Seed != 1<<63 || got.Keep != 2 || got.Created.IsZero() || !slices.Equal(got.Metrics, m.Metrics) ||
		!slices.Equal(got.Command, m.Command) || !slices.Equal(got.Parents, m.Parents) || string(got.Config) != `{"a":{"b":[1,2]}}` {
		t.Errorf("got %+v", got)
	}
	if err := r.AppendMetrics(1, nil); err != nil {
		t.Fatal(err)
	}
	if err := r.Finish(StatusDone); err != nil {
		t.Fatal(err)
	}
	if text(t, dir, manifestName) != before {
		t.Error("the manifest was written again")
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Create(dir, m); !errors.Is(err, ErrExists) {
		t.Errorf("second Create: %v", err)
	}
	if _, err := Open(filepath.Join(dir, "absent")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("absent run: %v", err)
	}
}

func TestCreateRefusesFaultyManifests(t *testing.T) {
	metric := Metric{"loss", "nat", "mean"}
	for fault, m := range map[string]Manifest{
		"kind is empty":      {},
		"keep_checkpoints":   {Kind: "x", Keep: -1},
		"not JSON":           {Kind: "x", Config: []byte("{")},
		"twice":              {Kind: "x", Metrics: []Metric{metric, metric}},
		`metric "step"`:      {Kind: "x", Metrics: []Metric{{"step", "1", "x"}}},
		`metric "kl_is"`:     {Kind: "x", Metrics: []Metric{{"kl_is", "1", "x"}}},
		`metric "a b"`:       {Kind: "x", Metrics: []Metric{{"a b", "1", "x"}}},
		"unit and a formula": {Kind: "x", Metrics: []Metric{{"loss", "nat", ""}}},
	} {
		dir := filepath.Join(t.TempDir(), "run")
		if _, err := Create(dir, m); err == nil || !strings.Contains(err.Error(), fault) {
			t.Errorf("got %v, want an error with %q", err, fault)
		}
		if _, err := os.Stat(dir); err == nil {
			t.Errorf("%s: left a folder behind", fault)
		}
	}
}

func TestMetricLines(t *testing.T) {
	r := newRun(t)
	for step, values := range [][]Value{
		{{"odd", 0.1}, {"loss", 1e21}},
		{{"loss", math.NaN()}, {"odd", math.Inf(-1)}},
		{{"odd", math.Copysign(0, -1)}},
		{{"loss", float64(float32(0.1))}, {"odd", 5e-324}},
		{},
	} {
		if err := r.AppendMetrics(step, values); err != nil {
			t.Fatal(err)
		}
	}
	want := `{"step":0,"loss":1e+21,"odd":0.1}
{"step":1,"loss":null,"loss_is":"NaN","odd":null,"odd_is":"-Inf"}
{"step":2,"odd":-0}
{"step":3,"loss":0.10000000149011612,"odd":5e-324}
{"step":4}
`
	got := text(t, r.Dir(), metricsName)
	if got != want {
		t.Errorf("got\n%s, want\n%s", got, want)
	}
	for line := range strings.Lines(got) {
		if !json.Valid([]byte(line)) {
			t.Errorf("not JSON: %s", line)
		}
	}
	for fault, values := range map[string][]Value{"not in": {{"acc", 1}}, "twice": {{"odd", 1}, {"odd", 1}}} {
		if err := r.AppendMetrics(5, values); err == nil || !strings.Contains(err.Error(), fault) {
			t.Errorf("got %v, want an error with %q", err, fault)
		}
	}
	if err := r.AppendMetrics(-1, nil); err == nil {
		t.Error("a negative step gave no error")
	}
	record, err := Read(r.Dir())
	if err != nil || len(record.Rows) != 5 {
		t.Fatalf("read %v, %v", record, err)
	}
	if loss, ok := record.Rows[1].Get("loss"); !ok || !math.IsNaN(loss) {
		t.Errorf("NaN came back as %v", loss)
	}
	if odd, _ := record.Rows[1].Get("odd"); !math.IsInf(odd, -1) {
		t.Errorf("-Inf came back as %v", odd)
	}
	if odd, _ := record.Rows[2].Get("odd"); !math.Signbit(odd) {
		t.Error("-0 lost its sign")
	}
	if loss, step, ok := record.Last("loss"); !ok || step != 3 || loss != float64(float32(0.1)) {
		t.Errorf("last loss: %v at %d", loss, step)
	}
}

func TestSamplesWaitForTheStepsEnd(t *testing.T) {
	r := newRun(t)
	if err := r.AppendSample(map[string]any{"b": "<x>", "a": 1}); err != nil {
		t.Fatal(err)
	}
	if err := r.AppendTiming(1, []Timing{{"rollout", time.Second}, {"update", 250 * time.Millisecond}}); err != nil {
		t.Fatal(err)
	}
	if text(t, r.Dir(), samplesName) != "" || text(t, r.Dir(), timingName) != "" {
		t.Error("written before the step's end")
	}
	if err := r.AppendMetrics(1, nil); err != nil {
		t.Fatal(err)
	}
	if got := text(t, r.Dir(), samplesName); got != "{\"a\":1,\"b\":\"<x>\"}\n" {
		t.Errorf("got %q", got)
	}
	if err := r.AppendSample(math.NaN()); err == nil {
		t.Error("a sample that is not JSON gave no error")
	}
	record, err := Read(r.Dir())
	if err != nil {
		t.Fatal(err)
	}
	timings, err := record.Timings()
	if want := []Timing{{"rollout", time.Second}, {"update", 250 * time.Millisecond}}; err != nil || !slices.Equal(timings[1], want) {
		t.Errorf("timings: %v, %v", timings, err)
	}
	count := 0
	if err := record.Samples(func(json.RawMessage) error { count++; return nil }); err != nil || count != 1 {
		t.Errorf("%d samples, %v", count, err)
	}
	large := strings.Repeat("x", maxPending)
	if err := r.AppendSample(large); err != nil {
		t.Fatal(err)
	}
	if len(r.samples.pending) != 0 {
		t.Error("more than maxPending waits in memory")
	}
}

func TestCutLastLineIsRemoved(t *testing.T) {
	r := newRun(t)
	for step := range 2 {
		if err := r.AppendMetrics(step+1, []Value{{"loss", 1}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	whole := text(t, r.Dir(), metricsName)
	path := filepath.Join(r.Dir(), metricsName)
	if err := os.WriteFile(path, []byte(whole+`{"step":3,"lo`), 0o644); err != nil {
		t.Fatal(err)
	}
	record, err := Read(r.Dir())
	if err != nil || len(record.Rows) != 2 || len(record.Warnings) != 1 {
		t.Errorf("read %+v, %v", record, err)
	}
	again := reopen(t, r)
	if got := text(t, path); got != whole {
		t.Errorf("got %q, want %q", got, whole)
	}
	if w := again.Warnings(); len(w) != 1 || !strings.Contains(w[0], metricsName) {
		t.Errorf("warnings: %q", w)
	}
	if again.lastStep != 2 {
		t.Errorf("last step %d, want 2", again.lastStep)
	}
	if err := os.WriteFile(path, []byte("{\"step\":1}\nrubbish\n{\"step\":2}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(r.Dir()); err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("damage in the middle: %v", err)
	}
}

func TestOnlyTheLastCheckpointsStay(t *testing.T) {
	r := newRun(t)
	for step := 10; step <= 50; step += 10 {
		if err := r.Checkpoint(step, (&toy{step: uint64(step)}).save); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := r.steps()
	if err != nil || !slices.Equal(kept, []int{40, 50}) {
		t.Errorf("kept %v, %v", kept, err)
	}
	if err := r.Checkpoint(50, (&toy{step: 51}).save); err != nil {
		t.Fatal(err)
	}
	dir, step, ok := r.Latest()
	if got, err := loadToy(dir); !ok || step != 50 || err != nil || got.step != 51 {
		t.Errorf("replaced checkpoint: step %d holds %v, %v", step, got, err)
	}
}

func TestDamagedCheckpointsArePassedOver(t *testing.T) {
	const newest = "step-00000040"
	for fault, damage := range map[string]func(dir string) error{
		"incomplete": func(dir string) error { return os.Remove(filepath.Join(dir, newest, completeName)) },
		"damaged": func(dir string) error {
			return os.WriteFile(filepath.Join(dir, newest, "weights.bin"), []byte("12345678"), 0o644)
		},
		"no such": func(dir string) error { return os.Remove(filepath.Join(dir, newest, "optimizer", "moments.bin")) },
		"unexpected": func(dir string) error {
			return os.WriteFile(filepath.Join(dir, newest, completeName), []byte("{"), 0o644)
		},
		"belong": func(dir string) error {
			return os.WriteFile(filepath.Join(dir, newest, completeName), []byte(`{"step":4}`), 0o644)
		},
		"leads out": func(dir string) error {
			return os.WriteFile(filepath.Join(dir, newest, completeName), []byte(`{"step":40,"files":[{"name":"../../run.json"}]}`), 0o644)
		},
		"shorter": func(dir string) error {
			return os.WriteFile(filepath.Join(dir, newest, completeName), []byte(`{"step":40,"metrics_bytes":1000}`), 0o644)
		},
	} {
		r := newRun(t)
		for step := 20; step <= 40; step += 20 {
			if err := r.AppendMetrics(step, nil); err != nil {
				t.Fatal(err)
			}
			if err := r.Checkpoint(step, (&toy{step: uint64(step)}).save); err != nil {
				t.Fatal(err)
			}
		}
		if err := damage(filepath.Join(r.Dir(), checkpointsName)); err != nil {
			t.Fatal(err)
		}
		dir, step, err := r.Rewind()
		if err != nil || step != 20 || filepath.Base(dir) != "step-00000020" {
			t.Errorf("%s: rewound to %q, %d, %v", fault, dir, step, err)
		}
		if w := r.Warnings(); len(w) != 1 || !strings.Contains(w[0], newest) || !strings.Contains(w[0], fault) {
			t.Errorf("warnings %q, want one with %q", w, fault)
		}
		if got := text(t, r.Dir(), metricsName); got != "{\"step\":20}\n" {
			t.Errorf("%s: metrics %q", fault, got)
		}
		left, err := filepath.Glob(filepath.Join(r.Dir(), checkpointsName, "*"+newest))
		isKept := len(left) == 1 && strings.Contains(left[0], "damaged-")
		if err != nil || isKept == (fault == "incomplete") {
			t.Errorf("%s: left %q", fault, left)
		}
	}
}

func TestRewindRefusesWhenAllCheckpointsAreDamaged(t *testing.T) {
	r := newRun(t)
	if err := r.AppendMetrics(1, nil); err != nil {
		t.Fatal(err)
	}
	if err := r.Checkpoint(1, new(toy).save); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(r.checkpointPath(folderName(1)), "weights.bin"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.Rewind(); err == nil || !strings.Contains(err.Error(), "weights.bin: damaged") {
		t.Errorf("got %v", err)
	}
	if text(t, r.Dir(), metricsName) == "" {
		t.Error("the metrics were cut")
	}
}

func TestRewindWithoutCheckpointGoesToTheBeginning(t *testing.T) {
	r := newRun(t)
	if err := r.AppendSample("x"); err != nil {
		t.Fatal(err)
	}
	if err := r.AppendMetrics(1, nil); err != nil {
		t.Fatal(err)
	}
	if err := r.AppendSample("waits"); err != nil {
		t.Fatal(err)
	}
	if err := r.Finish(StatusStopped); err != nil {
		t.Fatal(err)
	}
	dir, step, err := r.Rewind()
	if dir != "" || step != 0 || err != nil {
		t.Errorf("got %q, %d, %v", dir, step, err)
	}
	if err := r.AppendMetrics(1, nil); err != nil {
		t.Fatal(err)
	}
	if text(t, r.Dir(), metricsName) != "{\"step\":1}\n" || text(t, r.Dir(), samplesName) != "" {
		t.Error("metrics or samples were not cut")
	}
	if record, err := Read(r.Dir()); err != nil || record.Status != StatusRunning {
		t.Errorf("status %v, %v, want running", record, err)
	}
}

func TestSecondProcessIsRefused(t *testing.T) {
	r := newRun(t)
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	output, err := exec.Command(executable, "train", r.Dir(), "1").CombinedOutput()
	if want := (&LockedError{Dir: r.Dir(), PID: os.Getpid()}).Error(); err == nil || strings.TrimSpace(string(output)) != want {
		t.Errorf("got %q, %v, want %q", output, err, want)
	}
	var locked *LockedError
	if _, err := Open(r.Dir()); !errors.As(err, &locked) || locked.PID != os.Getpid() {
		t.Errorf("the same process again: %v", err)
	}
	if _, err := Create(r.Dir(), testManifest); !errors.As(err, &locked) {
		t.Errorf("Create of a held run: %v", err)
	}
}

func TestDeadProcessesLockIsTakenOver(t *testing.T) {
	r := newRun(t)
	abandon(r)
	again, err := Open(r.Dir())
	if err != nil {
		t.Fatal(err)
	}
	if w := again.Warnings(); len(w) != 1 || !strings.Contains(w[0], "lock: taken over") {
		t.Errorf("warnings: %q", w)
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
	if w := reopen(t, again).Warnings(); len(w) != 0 {
		t.Errorf("warnings after a clean end: %q", w)
	}
	r.lock = nil
}

func TestListCompareExport(t *testing.T) {
	root := t.TempDir()
	for i, id := range []string{"a", "b", "c"} {
		m := testManifest
		m.Created = time.Unix(int64(100-i), 0).UTC()
		m.Config = json.RawMessage(`{"rate": 0.` + string("123"[i]) + `, "same": [18446744073709551615]}`)
		r, err := Create(filepath.Join(root, id), m)
		if err != nil {
			t.Fatal(err)
		}
		for step := 1; step <= 3; step++ {
			if err := r.AppendMetrics(step, []Value{{"loss", float64(step * (i + 1) / 2)}, {"odd", math.NaN()}}); err != nil {
				t.Fatal(err)
			}
		}
		if err := r.Checkpoint(3, new(toy).save); err != nil {
			t.Fatal(err)
		}
		if id == "b" {
			if err := r.Finish(StatusDone); err != nil {
				t.Fatal(err)
			}
		}
		if id != "c" {
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
		} else {
			defer r.Close()
		}
	}
	if err := os.MkdirAll(filepath.Join(root, "d"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "d", manifestName), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	runs, err := List(root)
	if err != nil || len(runs) != 4 {
		t.Fatalf("got %v, %v", runs, err)
	}
	for i, want := range []Summary{
		{ID: "d", Status: StatusDamaged}, {ID: "c", Status: StatusRunning, Step: 3}, {ID: "b", Status: StatusDone, Step: 3}, {ID: "a", Status: StatusInterrupted, Step: 3},
	} {
		got := runs[i]
		if got.ID != want.ID || got.Status != want.Status || got.Step != want.Step || (got.Fault != "") != (want.Status == StatusDamaged) {
			t.Errorf("run %d: got %+v, want %+v", i, got, want)
		}
		if want.Step == 3 && !slices.Equal(got.Checkpoints, []int{3}) {
			t.Errorf("%s: checkpoints %v", got.ID, got.Checkpoints)
		}
	}
	if none, err := List(filepath.Join(root, "absent")); err != nil || none != nil {
		t.Errorf("absent root: %v, %v", none, err)
	}
	expectComparison(t, root)
	expectExport(t, root)
}

func expectComparison(t *testing.T, root string) {
	t.Helper()
	a, err := Read(filepath.Join(root, "a"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := Read(filepath.Join(root, "b"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := Compare(a, b)
	if err != nil {
		t.Fatal(err)
	}
	if want := []Difference{{"config.rate", "0.1", "0.2"}}; !slices.Equal(c.Settings, want) {
		t.Errorf("settings: got %v, want %v", c.Settings, want)
	}
	// loss of a: 0 1 1; of b: 1 2 3. odd is NaN in both.
	if loss := c.Metrics[0]; loss.LastA != 1 || loss.LastB != 3 || loss.FirstDifference != 1 {
		t.Errorf("loss: %+v", loss)
	}
	if odd := c.Metrics[1]; odd.FirstDifference != -1 {
		t.Errorf("odd: %+v", odd)
	}
}

func expectExport(t *testing.T, root string) {
	t.Helper()
	record, err := Read(filepath.Join(root, "b"))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := Export(record, &out, CSV); err != nil {
		t.Fatal(err)
	}
	if want := "step,loss,odd\n1,1,NaN\n2,2,NaN\n3,3,NaN\n"; out.String() != want {
		t.Errorf("csv: got %q, want %q", out.String(), want)
	}
	out.Reset()
	if err := Export(record, &out, JSON); err != nil {
		t.Fatal(err)
	}
	var back struct {
		Manifest Manifest
		Status   Status
		Metrics  []map[string]any
	}
	if err := json.Unmarshal(out.Bytes(), &back); err != nil || back.Manifest.ID != "b" || back.Status != StatusDone || len(back.Metrics) != 3 || back.Metrics[2]["loss"] != 3.0 {
		t.Errorf("json: %+v, %v", back, err)
	}
	if err := Export(record, &out, "xml"); err == nil {
		t.Error("unknown format gave no error")
	}
}

func TestCheckExact(t *testing.T) {
	build, err := ThisBuild()
	if err != nil || len(build) != 16 {
		t.Fatalf("got %q, %v", build, err)
	}
	m := Manifest{Build: build, Level: "avx2"}
	if err := m.CheckExact(build, "avx2"); err != nil {
		t.Error(err)
	}
	var inexact *InexactError
	if err := m.CheckExact("0123456789abcdef", "avx2"); !errors.As(err, &inexact) || inexact.What != "build" {
		t.Errorf("got %v", err)
	}
	if err := m.CheckExact(build, "generic"); !errors.As(err, &inexact) || inexact.What != "level" {
		t.Errorf("got %v", err)
	}
}

func TestReadOnlyFolderIsOneError(t *testing.T) {
	// A file where the folder should be fails like a folder without permission,
	// also for a privileged user.
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Create(filepath.Join(file, "run"), testManifest); err == nil || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v", err)
	}
}
