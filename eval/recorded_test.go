package eval

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/retort-ml/retort/runstore"
	"github.com/retort-ml/retort/verify"
)

// sharedPath is the path of a shared data file; without it the test is skipped.
func sharedPath(t testing.TB, name string) string {
	t.Helper()
	root := os.Getenv("RETORT_DATA")
	if root == "" {
		root = filepath.Join("..", "..", "shared", "data")
	}
	path := filepath.Join(root, filepath.FromSlash(name))
	if _, err := os.Stat(path); err != nil {
		t.Skipf("the shared data is not here (%v); RETORT_DATA names its folder", err)
	}
	return path
}

const recordedLines = `{"id":"a","source":"s","gold":"1/2","completion":"\\boxed{0.5}","verdict":false,"strict_verdict":false,"reviewed_verdict":true}
{"id":"b","source":"s","gold":"3","completion":"\\boxed{4}","verdict":false,"strict_verdict":true}

{"id":"c","source":"r","gold":"","completion":"4","verdict":true}
{"id":"d","source":"r","gold":"4","completion":"4"}
{"id":"e","source":"r","prompt":[7],"problem":{"a":1},"gold":"10","pred":"10\\%","completion":"\\boxed{3}","convention":"percent-drop","verdict":true}
`

func TestReplayCountsPerSource(t *testing.T) {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write([]byte(recordedLines)); err != nil || z.Close() != nil {
		t.Fatal(err)
	}
	if err := EachRecorded(strings.NewReader(`{"id":7,"completion":"x","tests":[{"output":"1"}]}`), func(r *Recorded) error {
		all := NewReplay()
		if v, err := all.Judge(r, verify.Options{}); err != nil || v.Outcome != verify.Unknown {
			t.Errorf("a program without a sandbox: %v, %v", v, err)
		}
		all.Code = func(q *Question, completion string) verify.Verdict {
			if string(q.Program.Tests) != `[{"output":"1"}]` || completion != "x" {
				t.Errorf("judge of programs: %+v, %q", q.Program, completion)
			}
			return verify.Verdict{Outcome: verify.Right}
		}
		v, err := all.Judge(r, verify.Options{})
		if v.Outcome != verify.Right || r.ID != "7" {
			t.Errorf("program %s: %v", r.ID, v)
		}
		return err
	}); err != nil {
		t.Error(err)
	}
	for name, text := range map[string]string{"plain": recordedLines, "gzipped": packed.String()} {
		all := NewReplay()
		if err := EachRecorded(strings.NewReader(text), func(r *Recorded) error {
			_, err := all.Judge(r, verify.Options{})
			return err
		}); err != nil {
			t.Fatal(name, err)
		}
		if all.N != 4 || all.Agree != 2 || all.Disagree != 1 || all.Unknown != 1 || all.WithoutOne != 1 || !slices.Equal(all.Disagreements, []string{"b"}) || !slices.Equal(all.Unknowns, []string{"c"}) {
			t.Errorf("%s: in all %+v", name, all.Agreement)
		}
		if s, r := all.Sources["s"], all.Sources["r"]; s.N != 2 || s.Agree != 1 || s.Disagree != 1 || r.N != 2 || r.Agree != 1 || r.Unknown != 1 {
			t.Errorf("%s: sources %+v %+v", name, s, r)
		}
	}
}

func TestRecordedFaultsNameTheLine(t *testing.T) {
	for text, want := range map[string]string{
		"{\"gold\":\"1\",\"pred\":\"1\"}\n{}\n": "line 2: want the fields gold",
		"{\"gold\":\"1\"}":                      "line 1: want the fields gold",
		"\n\n[":                                 "line 3: ",
		"\x1f\x8bnonsense":                      "gzip",
		`{"gold":"1","pred":"1","convention":"no-such"}`:         `line 1: verify: no convention "no-such"`,
		`{"gold":"1","pred":"1","opts":{"no-such-option":true}}`: "line 1: verify: opts: no-such-option",
	} {
		err := EachRecorded(strings.NewReader(text), func(r *Recorded) error {
			_, err := r.Options(verify.Options{})
			return err
		})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q in it", text, err, want)
		}
	}
}

// The share of the recorded outputs on which verify and the reviewed verdicts are one.
func TestReplayAgreesWithReviewedVerdicts(t *testing.T) {
	source, err := os.Open(sharedPath(t, "outputs/outputs.jsonl.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	all := NewReplay()
	if err := EachRecorded(source, func(r *Recorded) error { _, err := all.Judge(r, verify.Options{}); return err }); err != nil {
		t.Fatal(err)
	}
	if all.N != 1991 || all.WithoutOne != 4 || float64(all.Agree) < 0.995*float64(all.N) || all.Agree+all.Disagree+all.Unknown != all.N {
		t.Errorf("%d of %d agree, %d do not, %d unknown, %d without a reference", all.Agree, all.N, all.Disagree, all.Unknown, all.WithoutOne)
	}
}

func TestReplayBecomesARun(t *testing.T) {
	lines := `{"id":"1","model":"m","benchmark":"b","problem":"p","gold":"4","completion":"<think>5</think>\\boxed{4}","level":"Level 2"}
{"id":"2","model":"n","benchmark":"b","problem":"p","gold":"4","completion":"\\boxed{4}"}
{"id":"3","model":"m","benchmark":"b","problem":"p","gold":"4","completion":"\\boxed{5}"}
{"id":"4","model":"m","benchmark":"b","problem":"q","gold":"C","completion":"I choose C","kind":"choice"}
`
	for model, want := range map[string]string{"": "2 models, want one of m, n", "x": `no recorded answer of "x"`} {
		if _, err := ReadReplay(strings.NewReader(lines), model, verify.Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("model %q: got %v, want %q in it", model, err, want)
		}
	}
	replay, err := ReadReplay(strings.NewReader(lines), "m", verify.Options{})
	if err != nil {
		t.Fatal(err)
	}
	p := Plan{Replay: "file", Model: replay.Model, Samples: replay.Samples, Kind: Maths, Title: "recorded answers"}
	if err := p.Validate(); err != nil {
		t.Fatal(err)
	}
	config, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "run")
	store, err := runstore.Create(dir, runstore.Manifest{Kind: RunKind, Config: config, Metrics: Metrics()})
	if err != nil {
		t.Fatal(err)
	}
	if err := replay.Record(store, NewRecord(dir, p), nil); err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := ReadRecord(dir)
	if err != nil {
		t.Fatal(err)
	}
	f, err := r.Figures(nil)
	if err != nil || f.PassAt1.Value != 0.75 || f.Answers != 3 || f.Missing != 1 || f.Reply.Unit != "byte" || f.ByLevel[1].Name != "Level 2" || f.Rates.Thoughtless < 0.6 || f.Rates.Thoughtless > 0.7 {
		t.Errorf("%+v, %v", f, err)
	}
	if q := r.Questions; len(q) != 2 || q[0].Kind != Maths || q[1].Kind != Choice || !strings.HasPrefix(q[0].ID, "b/") {
		t.Errorf("%+v", q)
	}
}
