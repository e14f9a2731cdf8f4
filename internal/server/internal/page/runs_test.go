package page

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/retort-ml/retort/runstore"
	"github.com/retort-ml/retort/train"
)

// hostileText is what a model may write, and what must stay text on its way.
const hostileText = "<script>alert(1)</script>\u2028<img src=x onerror=alert(1)>]]>--><svg/onload=alert(1)>"

// makeRun makes a run of so many steps with two groups of two samples in each step that is a multiple of every.
func makeRun(t *testing.T, dir string, steps, every int) *runstore.Run {
	t.Helper()
	run, err := runstore.Create(dir, runstore.Manifest{Kind: "grpo", Config: json.RawMessage(fmt.Sprintf(`{"steps":%d,"variant":"dr_grpo","text":%q}`, steps, hostileText)),
		Metrics: []runstore.Metric{{Name: "loss", Unit: "nat", Formula: "f"}, {Name: "accuracy", Unit: "share of answers", Formula: "f"}, {Name: "kl", Unit: "nat", Formula: "f"}}})
	if err != nil {
		t.Fatal(err)
	}
	for step := 1; step <= steps; step++ {
		addStep(t, run, step, every)
	}
	return run
}

func addStep(t *testing.T, run *runstore.Run, step, every int) {
	t.Helper()
	if err := run.AppendMetrics(step, []runstore.Value{{Name: "loss", Number: 1 / float64(step)}, {Name: "accuracy", Number: 0.5}}); err != nil {
		t.Fatal(err)
	}
	if err := run.AppendTiming(step, []runstore.Timing{{Part: "step", Duration: time.Second}}); err != nil {
		t.Fatal(err)
	}
	if every == 0 || step%every != 0 {
		return
	}
	for i := range 4 {
		sample := map[string]any{"step": step, "problem": uint64(1)<<63 + uint64(i/2), "request": step*2 + i/2, "index": i % 2, "verdict": []string{"right", "wrong"}[i%2], "well_formed": true, "accuracy": 1 - i%2,
			"format": 0.1, "advantage": 0.5, "logprob": -2.0, "tokens": make([]int, 3+i), "entropies": make([]float64, 3+i), "text": fmt.Sprintf("%s wait %d.%d", hostileText, step, i), "truncated": i == 3}
		if err := run.AppendSample(sample); err != nil {
			t.Fatal(err)
		}
	}
}

// writeOut has what was appended reach the disk.
func writeOut(t *testing.T, run *runstore.Run) {
	t.Helper()
	step := 0
	if _, last, ok := run.Latest(); ok {
		step = last
	}
	if err := run.Checkpoint(step+1, func(string) error { return nil }); err != nil {
		t.Fatal(err)
	}
}

func finish(t *testing.T, run *runstore.Run) {
	t.Helper()
	if err := run.Finish(runstore.StatusDone); err != nil {
		t.Fatal(err)
	}
	if err := run.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestListRuns(t *testing.T) {
	p, runs, _ := newPage(t)
	finish(t, makeRun(t, filepath.Join(runs, "lab", "seed-1", "reinforced"), 3, 1))
	finish(t, makeRun(t, filepath.Join(runs, "alone"), 2, 0))
	if err := os.MkdirAll(filepath.Join(runs, "damaged"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(runs, "damaged", "run.json"), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	var answer struct {
		Shown bool
		Runs  []runHead
	}
	want(t, p, 200, "GET", "/page/api/runs", "", &answer)
	found := map[string]runHead{}
	for _, run := range answer.Runs {
		found[run.Name] = run
	}
	if !answer.Shown || len(found) != 3 {
		t.Fatalf("found %v", found)
	}
	if r := found["lab/seed-1/reinforced"]; r.Status != "done" || r.Step != 3 || r.Steps != 3 || r.Title != "dr_grpo" || r.Last["accuracy"] != 0.5 {
		t.Errorf("%+v", r)
	}
	if r := found["damaged"]; r.Status != "damaged" || r.Fault == "" {
		t.Errorf("%+v", r)
	}
}

func TestMetricsGrow(t *testing.T) {
	p, runs, _ := newPage(t)
	run := makeRun(t, filepath.Join(runs, "r"), 5, 0)
	writeOut(t, run)
	var got struct {
		Generation, From int
		Steps            []int
		Columns, Seconds map[string][]*float64
		Status           string
	}
	want(t, p, 200, "GET", "/page/api/metrics?run=r", "", &got)
	if got.Status != "running" || len(got.Steps) != 5 || len(got.Columns["loss"]) != 5 || *got.Columns["loss"][4] != 0.2 || *got.Seconds["step"][0] != 1 {
		t.Fatalf("%+v", got)
	}
	addStep(t, run, 6, 0)
	finish(t, run)
	want(t, p, 200, "GET", "/page/api/metrics?run=r&from=5", "", &got)
	if got.From != 5 || len(got.Steps) != 1 || got.Steps[0] != 6 || len(got.Columns["loss"]) != 1 {
		t.Fatalf("%+v", got)
	}
	// A run that is cut back and goes on otherwise is told anew.
	generation := got.Generation
	path := filepath.Join(runs, "r", "metrics.jsonl")
	if err := os.WriteFile(path, []byte("{\"step\":1,\"loss\":null,\"loss_is\":\"NaN\"}\n{\"step\":2,\"loss\":7}\n{\"step\":3"), 0o644); err != nil {
		t.Fatal(err)
	}
	want(t, p, 200, "GET", "/page/api/metrics?run=r", "", &got)
	if got.Generation == generation || len(got.Steps) != 2 || got.Columns["loss"][0] != nil || *got.Columns["loss"][1] != 7 {
		t.Fatalf("%+v", got)
	}
}

func TestDamagedMetricsAreShownUpToTheDamage(t *testing.T) {
	p, runs, _ := newPage(t)
	finish(t, makeRun(t, filepath.Join(runs, "r"), 2, 0))
	path := filepath.Join(runs, "r", "metrics.jsonl")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(text, "nonsense\n{\"step\":9}\n"...), 0o644); err != nil {
		t.Fatal(err)
	}
	var got rows
	want(t, p, 200, "GET", "/page/api/metrics?run=r", "", &got)
	if len(got.Steps) < 2 || !strings.Contains(got.Fault, "metrics.jsonl") {
		t.Errorf("%+v", got)
	}
}

func TestRunIsTold(t *testing.T) {
	p, runs, _ := newPage(t)
	finish(t, makeRun(t, filepath.Join(runs, "r"), 2, 0))
	var got struct {
		Manifest runstore.Manifest
		Findings []train.Finding
		Status   string
	}
	w := ask(t, p, "GET", "/page/api/run?run=r", "")
	if strings.Contains(w.Body.String(), "<script") {
		t.Errorf("markup is not escaped: %s", w.Body)
	}
	want(t, p, 200, "GET", "/page/api/run?run=r", "", &got)
	if got.Status != "done" || got.Manifest.Kind != "grpo" {
		t.Errorf("%+v", got)
	}
	if w := ask(t, p, "GET", "/page/api/metrics.csv?run=r", ""); !strings.HasPrefix(w.Body.String(), "step,loss,accuracy,kl\n1,1,0.5,\n") || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/csv") {
		t.Errorf("%s", w.Body)
	}
}

// What the watchdog finds is told with its step.
func TestFindings(t *testing.T) {
	p, runs, _ := newPage(t)
	run := makeRun(t, filepath.Join(runs, "r"), 1, 0)
	if err := run.AppendMetrics(2, []runstore.Value{{Name: "loss", Number: nan()}}); err != nil {
		t.Fatal(err)
	}
	finish(t, run)
	var got struct{ Findings []train.Finding }
	want(t, p, 200, "GET", "/page/api/run?run=r", "", &got)
	if len(got.Findings) != 1 || got.Findings[0].Rule != "not_finite" || got.Findings[0].Step != 2 {
		t.Errorf("%+v", got.Findings)
	}
}

func nan() float64 { var zero float64; return zero / zero }

func TestFollow(t *testing.T) {
	runs := t.TempDir()
	p, err := New(Options{Runs: runs, Poll: 5 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	run := makeRun(t, filepath.Join(runs, "r"), 3, 0)
	writeOut(t, run)
	server := httptest.NewServer(p)
	defer server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, "GET", server.URL+"/page/api/follow?run=r&from=0", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	events := json.NewDecoder(&eventReader{body: answer.Body})
	var first, second rows
	if err := events.Decode(&first); err != nil || len(first.Steps) != 3 {
		t.Fatalf("%+v, %v", first, err)
	}
	addStep(t, run, 4, 0)
	writeOut(t, run)
	if err := events.Decode(&second); err != nil || second.From != 1 || len(second.Steps) != 3 || second.Steps[2] != 4 {
		t.Fatalf("%+v, %v", second, err)
	}
	finish(t, run)
	for second.Status != "done" {
		second = rows{}
		if err := events.Decode(&second); err != nil {
			t.Fatalf("%+v, %v", second, err)
		}
	}
	for _, query := range []string{"", "?run=none", "?run=r&from=x", "?" + strings.Repeat("run=r&", 9)} {
		if w := ask(t, p, "GET", "/page/api/follow"+query, ""); w.Code != 400 && w.Code != 404 {
			t.Errorf("%s: status %d", query, w.Code)
		}
	}
}

// eventReader passes on what stands behind data: alone.
type eventReader struct {
	body interface{ Read([]byte) (int, error) }
	held []byte
}

// Read implements io.Reader.
func (r *eventReader) Read(b []byte) (int, error) {
	buffer := make([]byte, 4096)
	n, err := r.body.Read(buffer)
	r.held = append(r.held, buffer[:n]...)
	var out []byte
	for {
		at := strings.IndexByte(string(r.held), '\n')
		if at < 0 {
			break
		}
		if data, ok := strings.CutPrefix(string(r.held[:at]), "data: "); ok {
			out = append(out, data...)
		}
		r.held = r.held[at+1:]
	}
	return copy(b, out), err
}

// hostilePaths must lead nowhere.
var hostilePaths = []string{"", ".", "..", "../secret", "r/../../secret", "/etc", "//etc", "r/", "r//x", "r\\..\\secret", "C:", "C:/x", "r\x00", "link", "link/inner", ".hidden", "a/b/c/d/e/f", strings.Repeat("x", 500), "%2e%2e", "r/run.json", "fifo", "file", "nul", "deviceless/run.json"}

func TestHostileRunNames(t *testing.T) {
	p, runs, _ := newPage(t)
	secret := t.TempDir()
	finish(t, makeRun(t, filepath.Join(secret, "inner"), 1, 1))
	finish(t, makeRun(t, filepath.Join(runs, "r"), 1, 1))
	finish(t, makeRun(t, filepath.Join(runs, ".hidden"), 1, 1))
	if err := os.WriteFile(filepath.Join(runs, "file"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(secret, filepath.Join(runs, "link")); err != nil {
		t.Logf("no links here: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute) // a run that is followed has no end of its own
	defer cancel()
	for _, route := range []string{"run", "metrics", "metrics.csv", "metrics.json", "samples.jsonl", "follow", "samples", "find", "words", "evaluation", "evaluation/samples"} {
		for _, name := range hostilePaths {
			r := httptest.NewRequestWithContext(ctx, "GET", "/page/api/"+route, nil)
			q := r.URL.Query()
			q.Set("run", name)
			r.URL.RawQuery = q.Encode()
			w := httptest.NewRecorder()
			if p.ServeHTTP(w, r); w.Code != http.StatusBadRequest && w.Code != http.StatusNotFound {
				t.Errorf("%s of %q: status %d: %.200s", route, name, w.Code, w.Body)
			}
		}
	}
	var answer struct{ Runs []runHead }
	want(t, p, 200, "GET", "/page/api/runs", "", &answer)
	if len(answer.Runs) != 1 || answer.Runs[0].Name != "r" || answer.Runs[0].Status != "done" {
		t.Errorf("%+v", answer.Runs)
	}
}

// A file of a run that is a link is not followed, by no route.
func TestLinksWithinRuns(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("{\"step\":1,\"text\":\"the secret\"}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"metrics.jsonl", "samples.jsonl", "timing.jsonl", "run.json", "status.json", "lock"} {
		p, runs, _ := newPage(t)
		dir := filepath.Join(runs, "r")
		finish(t, makeRun(t, dir, 1, 1))
		if err := os.Remove(filepath.Join(dir, file)); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(secret, filepath.Join(dir, file)); err != nil {
			t.Skipf("no links here: %v", err)
		}
		for _, route := range []string{"runs?", "run?run=r", "metrics?run=r", "metrics.csv?run=r", "metrics.json?run=r", "samples.jsonl?run=r", "samples?run=r", "find?run=r", "words?run=r", "evaluation?run=r", "evaluation/samples?run=r"} {
			w := ask(t, p, "GET", "/page/api/"+route, "")
			if strings.Contains(w.Body.String(), "the secret") {
				t.Errorf("%s is a link, and %s follows it", file, route)
			}
			if route == "runs?" && !strings.Contains(w.Body.String(), `"damaged"`) {
				t.Errorf("%s is a link: %s", file, w.Body)
			}
		}
	}
}

// quickest is how long f takes, tried until it takes no more than enough, ten times at most: other work on the machine hits single tries.
func quickest(enough time.Duration, f func()) time.Duration {
	best := time.Duration(math.MaxInt64)
	for try := 0; try < 10 && best > enough; try++ {
		began := time.Now()
		f()
		best = min(best, time.Since(began))
	}
	return best
}

func TestHugeFiles(t *testing.T) {
	for _, file := range []string{"run.json", "status.json", "metrics.jsonl", "timing.jsonl"} {
		p, runs, _ := newPage(t)
		dir := filepath.Join(runs, "r")
		finish(t, makeRun(t, dir, 1, 1))
		if err := os.Truncate(filepath.Join(dir, file), maxRecords+1); err != nil { // it takes no room
			t.Skipf("no sparse files here: %v", err)
		}
		took := quickest(3*time.Second, func() {
			for _, route := range []string{"runs?", "run?run=r", "metrics?run=r", "metrics.csv?run=r", "evaluation?run=r"} {
				if w := ask(t, p, "GET", "/page/api/"+route, ""); w.Code == http.StatusOK && route == "metrics.csv?run=r" {
					t.Errorf("%s is huge: %s has status %d", file, route, w.Code)
				}
			}
		})
		if took > 3*time.Second {
			t.Errorf("%s is huge: took %v", file, took)
		}
	}
}

// A line without an end is not taken into memory.
func TestEndlessLine(t *testing.T) {
	p, runs, _ := newPage(t)
	dir := filepath.Join(runs, "r")
	finish(t, makeRun(t, dir, 1, 1))
	f, err := os.OpenFile(filepath.Join(dir, "samples.jsonl"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`{"step":2,"text":"` + strings.Repeat("x", maxLine+10) + "\"}\n"); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	for _, route := range []string{"samples?run=r", "find?run=r", "words?run=r"} {
		if w := ask(t, p, "GET", "/page/api/"+route, ""); w.Code != http.StatusUnprocessableEntity {
			t.Errorf("%s: status %d", route, w.Code)
		}
	}
}
