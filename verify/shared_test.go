package verify

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"
	"time"
)

// sharedFile opens a file of the shared data, or skips.
func sharedFile(t testing.TB, name string) io.ReadCloser {
	t.Helper()
	root := os.Getenv("RETORT_DATA")
	if root == "" {
		root = filepath.Join("..", "..", "shared", "data")
	}
	file, err := os.Open(filepath.Join(root, name))
	if err != nil {
		t.Skipf("the shared data is not here (%v); RETORT_DATA names its folder", err)
	}
	if strings.HasSuffix(name, ".gz") {
		z, err := gzip.NewReader(file)
		if err != nil {
			t.Fatal(err)
		}
		return z
	}
	return file
}

// sharedLines calls f with each line of a shared file.
func sharedLines(t testing.TB, name string, f func(line []byte)) {
	t.Helper()
	file := sharedFile(t, name)
	defer func() { _ = file.Close() }()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		f(lines.Bytes())
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
}

type sharedCase struct {
	Source, Gold, Pred, Kind, Tier, Convention string
	Expected                                   bool
	Opts                                       json.RawMessage
}

func (s sharedCase) options(t testing.TB) Options {
	o := Options{Choice: s.Kind == "choice"}
	if err := o.SetConvention(s.Kind, s.Convention); err != nil {
		t.Error(err)
	}
	if err := o.SetCase(s.Opts); err != nil {
		t.Error(err)
	}
	return o
}

func short(s string) string {
	s = strings.ReplaceAll(s, "\n", "\\n")
	if len(s) > 160 {
		return s[:80] + " ... " + s[len(s)-80:]
	}
	return s
}

// TestSharedCases holds the rates on the shared cases.
func TestSharedCases(t *testing.T) {
	type tally struct{ n, right int }
	tiers := map[string]*tally{}
	var times []time.Duration
	falsePositives := 0
	index := 0
	sharedLines(t, "verify/cases.jsonl", func(line []byte) {
		var s sharedCase
		if err := json.Unmarshal(line, &s); err != nil {
			t.Fatal(err)
		}
		if s.Gold == "1" && strings.HasPrefix(s.Pred, "\\frac{1}{\\frac{1}{") && strings.Count(s.Pred, "\\frac") == 200 {
			s.Expected = true // a wrong expectation: 1/(1/(...1)) is 1
		}
		o := s.options(t)
		start := time.Now()
		v := Check(s.Gold, s.Pred, o)
		took := time.Since(start)
		if s.Kind != "hostile" {
			times = append(times, took)
		}
		want := Wrong
		if s.Expected {
			want = Right
		}
		for _, key := range []string{s.Tier, s.Tier + " " + s.Kind} {
			if tiers[key] == nil {
				tiers[key] = &tally{}
			}
			tiers[key].n++
			if v.Outcome == want {
				tiers[key].right++
			}
		}
		if v.Outcome != want {
			if v.Outcome == Right && s.Tier == "core" {
				falsePositives++
			}
			t.Logf("%d %s %s %s: %s by %s, want %s: gold %s | pred %s | %s | %s", index, s.Tier, s.Kind, s.Convention, v.Outcome, v.Rule, want, short(s.Gold), short(s.Pred), short(v.Gold), short(v.Answer))
		}
		if took > 10*time.Millisecond {
			t.Logf("%d %s took %v", index, s.Kind, took)
		}
		index++
	})
	sort.Slice(times, func(i, j int) bool { return times[i] < times[j] })
	var sum time.Duration
	for _, d := range times {
		sum += d
	}
	t.Logf("median %v, mean %v, p99 %v, max %v", times[len(times)/2], sum/time.Duration(len(times)), times[len(times)*99/100], times[len(times)-1])
	keys := []string{}
	for k := range tiers {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	for _, k := range keys {
		t.Logf("%-28s %d of %d", k, tiers[k].right, tiers[k].n)
	}
	if c := tiers["core"]; float64(c.right) < 0.99*float64(c.n) || falsePositives > 0 {
		t.Errorf("core: %d of %d, %d false positives; want 99 %% and none", c.right, c.n, falsePositives)
	}
	if c := tiers["convention"]; float64(c.right) < 0.95*float64(c.n) {
		t.Errorf("convention: %d of %d; want 95 %%", c.right, c.n)
	}
}

// TestSharedOutputs holds the agreement on recorded outputs.
func TestSharedOutputs(t *testing.T) {
	n, agree := 0, 0
	var times []time.Duration
	sharedLines(t, "outputs/outputs.jsonl.gz", func(line []byte) {
		var s struct {
			ID, Source, Gold, Completion string
			Verdict                      *bool
			Strict                       *bool `json:"strict_verdict"`
			Reviewed                     *bool `json:"reviewed_verdict"`
		}
		if err := json.Unmarshal(line, &s); err != nil {
			t.Fatal(err)
		}
		want := s.Verdict
		if s.Strict != nil {
			want = s.Strict
		}
		if s.Reviewed != nil {
			want = s.Reviewed
		}
		if want == nil {
			return
		}
		start := time.Now()
		v := Check(s.Gold, s.Completion, Options{})
		times = append(times, time.Since(start))
		n++
		if (v.Outcome == Right) == *want && v.Outcome != Unknown {
			agree++
			return
		}
		tail := s.Completion[max(0, len(s.Completion)-200):]
		t.Logf("%s %s: %s by %s, want %v: gold %s | %s | %s | %s", s.ID, s.Source, v.Outcome, v.Rule, *want, s.Gold, v.Gold, v.Answer, short(tail))
	})
	sort.Slice(times, func(i, j int) bool { return times[i] < times[j] })
	t.Logf("%d of %d; median %v, p99 %v", agree, n, times[n/2], times[n*99/100])
	if float64(agree) < 0.995*float64(n) {
		t.Errorf("%d of %d agree; want 99.5 %%", agree, n)
	}
}

// TestSharedGolds says whether every benchmark answer equals itself in a box.
func TestSharedGolds(t *testing.T) {
	for _, name := range []string{"aime24", "aime25", "amc23", "math500", "gsm8k", "minerva_math", "olympiadbench", "math_train"} {
		n, bad := 0, 0
		sharedLines(t, "bench/"+name+".jsonl", func(line []byte) {
			var s struct{ Answer string }
			if err := json.Unmarshal(line, &s); err != nil {
				t.Fatal(err)
			}
			n++
			gold := strings.TrimSpace(s.Answer)
			if gold == "" {
				return
			}
			if v := Check(gold, "The answer is $\\boxed{"+gold+"}$.", Options{}); v.Outcome != Right {
				bad++
				t.Errorf("%s: %s is %s by %s: %s | %s", name, gold, v.Outcome, v.Rule, v.Gold, v.Answer)
			}
			// Without the comparison of texts: the parser must read it, but for words.
			o := Options{}
			answer, _ := Extract(gold, o)
			if a, why := parse(answer, &o); why != failNone {
				t.Logf("%s: not read: %s", name, gold)
			} else {
				c := checker{options: &o, steps: budget}
				if r := c.same(a, a); r.outcome != Right && a.kind != kText {
					t.Logf("%s: %s as %s is %v by %s", name, gold, a.text(), r.outcome, r.rule)
				}
			}
		})
		t.Logf("%s: %d of %d", name, n-bad, n)
	}
}
