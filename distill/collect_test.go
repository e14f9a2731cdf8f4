package distill

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/retort-ml/retort/engine"
	"github.com/retort-ml/retort/task"
	"github.com/retort-ml/retort/tokenizer"
	"github.com/retort-ml/retort/verify"
)

// countdown is a problem of the lab.
func countdown(target int, numbers ...int) task.Problem {
	words := make([]string, len(numbers))
	for i, n := range numbers {
		words[i] = fmt.Sprint(n)
	}
	question := fmt.Sprintf("Use %s to make %d.", strings.Join(words, ", "), target)
	group := fmt.Sprintf("countdown-%d/%s", len(numbers), strings.Join(words, "-"))
	return task.Problem{ID: fmt.Sprintf("%s/%d", group, target), Task: fmt.Sprintf("countdown-%d", len(numbers)), Group: group,
		Question: question, Prompt: task.Prompt(question), Numbers: numbers, Target: target}
}

// scripted answers each prompt with its texts, in order; one without the end
// token has run out of tokens.
type scripted struct {
	texts map[string][]string // by prompt
	asked []engine.Request
	fail  error // of the call after the first, if set
}

func (s *scripted) Generate(_ context.Context, requests []engine.Request) ([]engine.Result, error) {
	if s.fail != nil && len(s.asked) > 0 {
		return nil, s.fail
	}
	var results []engine.Result
	for i, r := range requests {
		s.asked = append(s.asked, r)
		for sample, text := range s.texts[tokenizer.Lab().Decode(r.Prompt)][:r.Samples] {
			finish := engine.FinishLength
			if strings.HasSuffix(text, tokenizer.End) {
				finish = engine.FinishStop
			}
			results = append(results, engine.Result{Request: i, Sample: sample, Tokens: tokenizer.Lab().Encode(text), Finish: finish})
		}
	}
	return results, nil
}

func (s *scripted) setup() *Setup {
	return &Setup{Sampler: s, Tokenizer: tokenizer.Lab(), Teacher: "t", TeacherHash: "h"}
}

const (
	rightTrace = "3+7=10 10+11=21 no\nwait 3*7=21 21+11=32 ok\n</think>\n<answer>(3*7)+11</answer><|end|>"
	shortTrace = "3*7=21 21+11=32 ok\n</think>\n<answer>3*7+11</answer><|end|>"
	wrongTrace = "3*7=21 21+11=32 no\n</think>\n<answer>none</answer><|end|>"
)

func TestCollect(t *testing.T) {
	first, second := countdown(32, 3, 7, 11), countdown(21, 3, 7, 11)
	second.Task = "unheard of" // cannot be judged
	s := &scripted{texts: map[string][]string{
		first.Prompt:  {rightTrace, wrongTrace, shortTrace, rightTrace, strings.TrimSuffix(shortTrace, tokenizer.End), "</think>" + shortTrace},
		second.Prompt: {rightTrace, rightTrace, rightTrace, rightTrace, rightTrace, rightTrace},
	}}
	var observed []string
	setup := s.setup()
	setup.Observe = func(t *Trace) { observed = append(observed, fmt.Sprint(t.Problem.Target, t.Sample, t.Verdict.Outcome)) }
	set, counts, err := Collect(t.Context(), setup, []task.Problem{second, first}, &CollectOptions{Samples: 6, Temperature: 0.5, Seed: 9, MaxNewTokens: 50, Stop: []int32{5}})
	if err != nil {
		t.Fatal(err)
	}
	provenance := func(sample int, text string) Provenance {
		return Provenance{Teacher: "t", TeacherHash: "h", Problem: "countdown-3/3-7-11/32", Group: "countdown-3/3-7-11",
			PromptHash: "e1a1c1b0", Seed: 9, Sample: sample, Temperature: 0.5,
			Verdict: verify.Verdict{Outcome: verify.Right}, Tokens: len(tokenizer.Lab().Encode(text))}
	}
	want := []Record{
		{Prompt: first.Prompt, Completion: rightTrace, Provenance: provenance(0, rightTrace)},
		{Prompt: first.Prompt, Completion: shortTrace, Provenance: provenance(2, shortTrace)},
	}
	for i := range set.Records {
		p := &set.Records[i].Provenance
		if len(p.PromptHash) != 64 {
			t.Errorf("record %d: prompt hash %q", i, p.PromptHash)
		}
		p.PromptHash, p.Verdict.Reason = "e1a1c1b0", ""
	}
	if !reflect.DeepEqual(set.Records, want) {
		t.Errorf("got %+v\nwant %+v", set.Records, want)
	}
	if counts.Problems != 2 || counts.Sampled != 12 || counts.Unjudged != 6 || counts.Kept != 2 || counts.KeptProblems != 1 {
		t.Errorf("counts %+v", counts)
	}
	sum := counts.Kept
	for _, d := range counts.Dropped {
		sum += d.Traces
	}
	if counts.Right+counts.Wrong != 6 || sum != counts.Right {
		t.Errorf("counts %+v do not add up", counts)
	}
	if got := counts.DroppedBy(FilterUnfinished); got != 1 {
		t.Errorf("unfinished: got %d, want 1", got)
	}
	if got := counts.DroppedBy(FilterDuplicate); got != 1 {
		t.Errorf("duplicates: got %d, want 1", got)
	}
	if len(observed) != 12 || observed[6] != "32 0 right" || observed[7] != "32 1 wrong" || observed[0] != "21 0 unknown" {
		t.Errorf("observed %v", observed)
	}
	r := s.asked[1]
	if r.Seed != (engine.Seed{Run: 9, Problem: ProblemSeed(first.ID)}) || r.Temperature != 0.5 || r.MaxTokens != 50 || r.Samples != 6 || !slices.Equal(r.Stop, []int32{5}) {
		t.Errorf("asked %+v", r)
	}
	var kept int64
	for _, row := range counts.Table() {
		if row.Name == "kept_tokens" {
			kept = row.Number
		}
	}
	if kept != int64(want[0].Provenance.Tokens+want[1].Provenance.Tokens) || kept != counts.KeptTokens {
		t.Errorf("kept tokens %d, %d", kept, counts.KeptTokens)
	}
}

func TestCollectRefuses(t *testing.T) {
	p := countdown(32, 3, 7, 11)
	other := countdown(21, 3, 7, 11)
	bad := p
	bad.Prompt = "\xff"
	for _, c := range []struct {
		name     string
		change   func(s *Setup)
		problems []task.Problem
		options  CollectOptions
		want     string
	}{
		{"no problems", nil, nil, CollectOptions{}, "got no problems"},
		{"twice", nil, []task.Problem{p, p}, CollectOptions{}, `problem "countdown-3/3-7-11/32": got it twice`},
		{"bytes", nil, []task.Problem{bad}, CollectOptions{}, "not UTF-8"},
		{"no hash", func(s *Setup) { s.TeacherHash = "" }, []task.Problem{p}, CollectOptions{}, "hash of the teacher"},
		{"no sampler", func(s *Setup) { s.Sampler = nil }, []task.Problem{p}, CollectOptions{}, "no sampler"},
		{"group", func(s *Setup) { s.HeldOut = HeldOutProblems([]task.Problem{other}) }, []task.Problem{p}, CollectOptions{},
			`problem "countdown-3/3-7-11/32" is of group "countdown-3/3-7-11", which is held out with problem "countdown-3/3-7-11/21"`},
		{"id", func(s *Setup) { s.HeldOut = []HeldOut{{ID: p.ID}} }, []task.Problem{p}, CollectOptions{}, `problem "countdown-3/3-7-11/32" is held out`},
		{"samples", nil, []task.Problem{p}, CollectOptions{Samples: -1}, "samples: got -1, want at least 1"},
		{"temperature", nil, []task.Problem{p}, CollectOptions{Temperature: 1e-9}, "temperature: got 1e-09"},
		{"share", nil, []task.Problem{p}, CollectOptions{Filters: FilterOptions{MaxRepeatedLines: 2}}, "filters.max_repeated_lines: got 2"},
		{"lengths", nil, []task.Problem{p}, CollectOptions{Filters: FilterOptions{MinTokens: 9, MaxTokens: 8}}, "filters.max_tokens: got 8, want at least min_tokens, 9"},
		{"prefer", nil, []task.Problem{p}, CollectOptions{Filters: FilterOptions{Prefer: "best"}}, "filters.prefer: got best"},
	} {
		s := (&scripted{}).setup()
		if c.change != nil {
			c.change(s)
		}
		_, _, err := Collect(t.Context(), s, c.problems, &c.options)
		if err == nil || !strings.HasPrefix(err.Error(), "distill: ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got error %v, want %s", c.name, err, c.want)
		}
	}
}

// cutShort loses the last sample.
type cutShort struct{ scripted }

func (s *cutShort) Generate(ctx context.Context, requests []engine.Request) ([]engine.Result, error) {
	results, err := s.scripted.Generate(ctx, requests)
	return results[:len(results)-1], err
}

func TestSamplerThatLosesSamples(t *testing.T) {
	p := countdown(32, 3, 7, 11)
	s := &cutShort{scripted{texts: map[string][]string{p.Prompt: {rightTrace, rightTrace}}}}
	setup := s.setup()
	setup.Sampler = s
	_, _, err := Collect(t.Context(), setup, []task.Problem{p}, &CollectOptions{Samples: 2})
	if err == nil || !strings.Contains(err.Error(), "the sampler gave 1 samples, want 2") {
		t.Errorf("got error %v", err)
	}
}

func TestFolderGoesOn(t *testing.T) {
	problems := []task.Problem{countdown(32, 3, 7, 11), countdown(21, 3, 7, 11), countdown(31, 3, 5, 16)}
	texts := map[string][]string{}
	for _, p := range problems {
		texts[p.Prompt] = []string{rightTrace, wrongTrace}
	}
	options := &CollectOptions{Samples: 2, ChunkProblems: 1}
	whole, wholeCounts, err := Collect(t.Context(), (&scripted{texts: texts}).setup(), problems, options)
	if err != nil {
		t.Fatal(err)
	}
	stopped := &scripted{texts: texts, fail: context.Canceled}
	folder := filepath.Join(t.TempDir(), "a", "traces")
	setup := stopped.setup()
	setup.Folder = folder
	if _, _, err := Collect(t.Context(), setup, problems, options); !errors.Is(err, context.Canceled) {
		t.Fatalf("got error %v", err)
	}
	again := &scripted{texts: texts}
	setup.Sampler = again
	var progress []int
	setup.Progress = func(done, of int, counts *Counts) { progress = append(progress, done, of, counts.Sampled) }
	set, counts, err := Collect(t.Context(), setup, problems, options)
	if err != nil || !reflect.DeepEqual(set, whole) || !reflect.DeepEqual(counts, wholeCounts) {
		t.Errorf("got %+v, %+v, %v\nwant %+v, %+v", set, counts, err, whole, wholeCounts)
	}
	if len(again.asked) != 2 || !slices.Equal(progress, []int{1, 3, 2, 2, 3, 4, 3, 3, 6}) {
		t.Errorf("asked %d problems, progress %v", len(again.asked), progress)
	}
	// Other filters need no other traces.
	setup.Sampler = &scripted{}
	if set, _, err := Collect(t.Context(), setup, problems, &CollectOptions{Samples: 2, ChunkProblems: 1, Filters: FilterOptions{MaxTokens: 2}}); err != nil || len(set.Records) != 0 {
		t.Errorf("other filters: got %+v, %v", set, err)
	}
	for _, c := range []struct {
		options CollectOptions
		want    string
	}{
		{CollectOptions{Samples: 1, ChunkProblems: 1, Seed: 3}, "it differs in samples, seed"},
		{CollectOptions{Samples: 2, ChunkProblems: 1, Stop: []int32{4}}, "it differs in stop"},
	} {
		if _, _, err := Collect(t.Context(), setup, problems, &c.options); !errors.Is(err, ErrOtherCollection) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got error %v, want %s", err, c.want)
		}
	}
	if _, _, err := Collect(t.Context(), setup, problems[1:], options); !errors.Is(err, ErrOtherCollection) || !strings.Contains(err.Error(), "problems, problems_hash") {
		t.Errorf("other problems: got error %v", err)
	}
	bytes, err := tokenizer.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	setup.Tokenizer = bytes
	if _, _, err := Collect(t.Context(), setup, problems, options); !errors.Is(err, ErrOtherCollection) || !strings.HasSuffix(err.Error(), "differs in problems_hash") {
		t.Errorf("other tokens: got error %v", err)
	}
}

func TestDamagedFolder(t *testing.T) {
	p := countdown(32, 3, 7, 11)
	s := &scripted{texts: map[string][]string{p.Prompt: {rightTrace, wrongTrace}}}
	setup := s.setup()
	setup.Folder = t.TempDir()
	collect := func() (*Set, error) {
		set, _, err := Collect(t.Context(), setup, []task.Problem{p}, &CollectOptions{Samples: 2})
		return set, err
	}
	whole, err := collect()
	if err != nil {
		t.Fatal(err)
	}
	chunk := filepath.Join(setup.Folder, "traces-00000000.jsonl")
	text, err := os.ReadFile(chunk)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(text), "\n")
	for _, c := range []struct{ text, want string }{
		{string(text[:len(text)/2]), "traces-00000000.jsonl:"},
		{lines[0], "got 1 traces, want 2"},
		{lines[1] + lines[0], `traces-00000000.jsonl:1: got sample 1 of problem "countdown-3/3-7-11/32", which is not next`},
		{string(text) + lines[0], "traces-00000000.jsonl:3: got sample 0"},
		{strings.Replace(string(text), `"sample"`, `"sampel"`, 1), `unknown field "sampel"`},
	} {
		if err := os.WriteFile(chunk, []byte(c.text), 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := collect(); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "remove the file") {
			t.Errorf("%.40q: got error %v, want %s", c.text, err, c.want)
		}
	}
	// A file that was being written when the process died is not the chunk.
	if err := errors.Join(os.Remove(chunk), os.WriteFile(chunk+".tmp", []byte("half"), 0o666)); err != nil {
		t.Fatal(err)
	}
	if set, err := collect(); err != nil || !reflect.DeepEqual(set, whole) {
		t.Errorf("after a cut write: got %+v, %v", set, err)
	}
	if got, err := os.ReadFile(chunk); err != nil || string(got) != string(text) {
		t.Errorf("after a cut write the chunk is %q, %v", got, err)
	}
}
