package page

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/retort-ml/retort/tokenizer"
)

type samplesAnswer struct {
	Step, First, Last int
	Samples           []trained
	Next              int64
}

func TestSamplesByStep(t *testing.T) {
	p, runs, _ := newPage(t)
	finish(t, makeRun(t, filepath.Join(runs, "r"), 40, 3))
	for asked, found := range map[string]int{"": 39, "&step=0": 3, "&step=1": 3, "&step=3": 3, "&step=4": 6, "&step=20": 21, "&step=39": 39, "&step=40": 39, "&step=1000000": 39} {
		var got samplesAnswer
		want(t, p, 200, "GET", "/page/api/samples?run=r"+asked, "", &got)
		if got.Step != found || got.First != 3 || got.Last != 39 || len(got.Samples) != 4 {
			t.Errorf("%s: step %d of %d to %d with %d samples, want %d", asked, got.Step, got.First, got.Last, len(got.Samples), found)
			continue
		}
		s := got.Samples[3]
		if s.Text != fmt.Sprintf("%s wait %d.3", hostileText, found) || s.Length != 6 || !s.Truncated || s.Problem != 1<<63+1 || len(s.Strips) != 1 {
			t.Errorf("%s: %+v", asked, s)
		}
	}
	if w := ask(t, p, "GET", "/page/api/samples?run=r", ""); strings.ContainsAny(w.Body.String(), "<>\u2028") {
		t.Error("markup is not escaped")
	}
	want(t, p, 400, "GET", "/page/api/samples?run=r&step=-1", "", nil)
	want(t, p, 400, "GET", "/page/api/samples?run=r&step=x", "", nil)
}

func TestSamplesOfARunWithoutAny(t *testing.T) {
	p, runs, _ := newPage(t)
	finish(t, makeRun(t, filepath.Join(runs, "r"), 2, 0))
	for _, route := range []string{"samples", "find", "words"} {
		want(t, p, 200, "GET", "/page/api/"+route+"?run=r", "", nil)
	}
	if err := os.Remove(filepath.Join(runs, "r", "samples.jsonl")); err != nil {
		t.Fatal(err)
	}
	for _, route := range []string{"samples", "find", "words"} {
		want(t, p, 200, "GET", "/page/api/"+route+"?run=r", "", nil)
	}
}

func TestFindSamples(t *testing.T) {
	p, runs, _ := newPage(t)
	finish(t, makeRun(t, filepath.Join(runs, "r"), 100, 1))
	for query, n := range map[string]int{"": 50, "&verdict=wrong": 50, "&text=wait%207.1": 1, "&truncated=1&text=wait%2050.": 1, "&shortest=6&text=50.": 1, "&longest=2": 0, "&formed=no": 0, "&problem=9223372036854775809&text=%2050.": 2} {
		var got samplesAnswer
		want(t, p, 200, "GET", "/page/api/find?run=r"+query, "", &got)
		if len(got.Samples) != n {
			t.Errorf("%s: %d samples, want %d", query, len(got.Samples), n)
		}
	}
	// Page by page everything is found once.
	seen, at := map[string]bool{}, int64(0)
	for range 20 {
		var got samplesAnswer
		want(t, p, 200, "GET", fmt.Sprintf("/page/api/find?run=r&at=%d", at), "", &got)
		for _, s := range got.Samples {
			seen[s.Text] = true
		}
		if at = got.Next; at == 0 {
			break
		}
	}
	if len(seen) != 400 {
		t.Errorf("found %d samples, want 400", len(seen))
	}
	for _, query := range []string{"&shortest=-1", "&longest=x", "&at=-5", "&at=99999999999999999999"} {
		want(t, p, 400, "GET", "/page/api/find?run=r"+query, "", nil)
	}
}

func TestWords(t *testing.T) {
	p, runs, _ := newPage(t)
	finish(t, makeRun(t, filepath.Join(runs, "r"), 30, 1))
	var got struct {
		Steps, Tokens []int
		Counts        map[string][]int
	}
	want(t, p, 200, "GET", "/page/api/words?run=r", "", &got)
	if len(got.Steps) != 30 || got.Counts["wait"][0] != 4 || got.Tokens[0] != 3+4+5+6 {
		t.Errorf("%+v", got)
	}
}

// A step of many is found without reading those before it.
func TestStepOfManyIsFast(t *testing.T) {
	p, runs, _ := newPage(t)
	run := makeRun(t, filepath.Join(runs, "r"), 1, 0)
	finish(t, run)
	f, err := os.Create(filepath.Join(runs, "r", "samples.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	filler := strings.Repeat("wait 3+7=10 10+11=21 no ", 40)
	for step := 1; step <= 10_000; step++ {
		for i := range 4 {
			if _, err := fmt.Fprintf(f, `{"step":%d,"problem":1,"request":%d,"index":%d,"verdict":"wrong","tokens":[1,2,3],"text":%q}`+"\n", step, step, i, filler); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	var times []time.Duration
	for _, step := range []int{7777, 1, 10_000, 5000, 3333, 9999, 42, 6021, 2718} {
		var got samplesAnswer
		times = append(times, quickest(200*time.Millisecond, func() {
			got = samplesAnswer{}
			want(t, p, 200, "GET", fmt.Sprintf("/page/api/samples?run=r&step=%d", step), "", &got)
		}))
		if got.Step != step || len(got.Samples) != 4 {
			t.Fatalf("step %d: got step %d, %d samples", step, got.Step, len(got.Samples))
		}
	}
	slices.Sort(times)
	t.Logf("a step of 10,000 (40 MB) took %v to %v, the median %v", times[0], times[len(times)-1], times[len(times)/2])
	if took := times[len(times)/2]; took > 200*time.Millisecond {
		t.Errorf("took %v, want at most 200 ms", took)
	}
}

func TestJudge(t *testing.T) {
	p, _, _ := newPage(t)
	type answer struct {
		Judged  bool
		Answers []judged
	}
	var got answer
	want(t, p, 200, "POST", "/page/api/judge", `{"question":"Use 3, 7, 11 to make 32.","texts":["x</think><answer>3*7+11</answer>","<answer>11+21</answer>","<answer>none</answer>","<answer>(3*7)+11</answer>","</think>","<answer><script>"]}`, &got)
	outcomes := ""
	for _, a := range got.Answers {
		outcomes += a.Outcome + " "
	}
	if !got.Judged || outcomes != "right wrong wrong right wrong wrong " || got.Answers[0].Group != got.Answers[3].Group || got.Answers[4].Group != -1 {
		t.Errorf("%+v", got)
	}
	got = answer{}
	want(t, p, 200, "POST", "/page/api/judge", `{"question":"?","gold":"\\frac12","texts":["so \\boxed{0.5}","\\boxed{\\frac{1}{2}}","\\boxed{2}",""]}`, &got)
	if got.Answers[0].Outcome != "right" || got.Answers[0].Group != got.Answers[1].Group || got.Answers[2].Outcome != "wrong" || got.Answers[2].Group == 0 || got.Answers[3].Rule != "no answer" {
		t.Errorf("%+v", got)
	}
	got = answer{}
	want(t, p, 200, "POST", "/page/api/judge", `{"question":"what?","texts":["\\boxed{1}","\\boxed{1}","\\boxed{2}"]}`, &got)
	if got.Judged || got.Answers[0].Group != 0 || got.Answers[1].Group != 0 || got.Answers[2].Group != 1 || got.Answers[0].Outcome != "" {
		t.Errorf("%+v", got)
	}
	want(t, p, 400, "POST", "/page/api/judge", `{"texts":[`+strings.Repeat(`"",`, maxAnswers)+`""]}`, nil)
	want(t, p, 400, "POST", "/page/api/judge", `{"texts":"x"}`, nil)
}

// TestPiecesOfTokens: samples with values per token have the texts of their tokens, by the run's own tokenizer or its model's, and others have not.
func TestPiecesOfTokens(t *testing.T) {
	p, runs, _ := newPage(t)
	lab := tokenizer.Lab()
	text := "8+5=13 né\nwait 8*5=40 ok\n</think>\n<answer>8*5</answer><|end|>"
	for name, file := range map[string]string{"own": "tokenizer.json", "models": "model/tokenizer.json", "none": "", "damaged": "tokenizer.json"} {
		run := makeRun(t, filepath.Join(runs, name), 2, 0)
		ids := lab.Encode(text)
		for i, sample := range []map[string]any{{"tokens": ids, "ratios": make([]float64, len(ids))}, {"tokens": ids}, {"tokens": []int{1 << 30, -1, 40}, "ratios": []any{nil, 1, 2}}} {
			sample["step"], sample["index"], sample["text"] = 2, i, text
			if err := run.AppendSample(sample); err != nil {
				t.Fatal(err)
			}
		}
		finish(t, run)
		if file != "" {
			path := filepath.Join(runs, name, file)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := lab.Save(path); err != nil {
				t.Fatal(err)
			}
			if name == "damaged" {
				if err := os.WriteFile(path, []byte("{}"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		}
		var got samplesAnswer
		want(t, p, 200, "GET", "/page/api/samples?run="+name, "", &got)
		if len(got.Samples) != 3 {
			t.Fatalf("%s: %d samples", name, len(got.Samples))
		}
		if name == "none" || name == "damaged" {
			if got.Samples[0].Pieces != nil || got.Samples[0].Strips == nil {
				t.Errorf("%s: got %+v", name, got.Samples[0])
			}
			continue
		}
		if pieces := got.Samples[0].Pieces; len(pieces) != len(ids) || strings.Join(pieces, "") != text {
			t.Errorf("%s: %d pieces %q of %d tokens", name, len(pieces), pieces, len(ids))
		}
		if got.Samples[1].Pieces != nil {
			t.Errorf("%s: a sample without values has pieces", name)
		}
		if pieces := got.Samples[2].Pieces; len(pieces) != 3 || pieces[0] != "" {
			t.Errorf("%s: pieces of unknown tokens: %q", name, pieces)
		}
	}
}
