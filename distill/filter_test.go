package distill

import (
	"slices"
	"strings"
	"testing"

	"github.com/retort-ml/retort/task"
	"github.com/retort-ml/retort/tokenizer"
)

// passing returns the sample numbers of the texts that pass the filters, and
// the names of those that dropped the others.
func passing(t *testing.T, o FilterOptions, held []HeldOut, texts ...string) (kept []int, by []string) {
	t.Helper()
	if err := o.Validate(); err != nil {
		t.Fatal(err)
	}
	o = o.Resolved()
	lab := tokenizer.Lab()
	f := &filtering{options: o, tokenizer: lab, grams: indexHeldOut(held, lab, &o)}
	p := countdown(32, 3, 7, 11)
	var traces []*Trace
	for i, text := range texts {
		traces = append(traces, &Trace{Problem: &p, Sample: i, Tokens: lab.Encode(text), Text: text, Finished: strings.HasSuffix(text, tokenizer.End)})
	}
	counts := newCounts()
	for _, trace := range f.apply(traces, counts) {
		kept = append(kept, trace.Sample)
	}
	for _, d := range counts.Dropped {
		for range d.Traces {
			by = append(by, d.Filter)
		}
	}
	return kept, by
}

func TestFilters(t *testing.T) {
	loop := strings.Repeat("3+7=10 10+11=21 no\nwait ", 12) + shortTrace
	lines := "a\n b\na\nb\n\n\na\n"
	length := len(tokenizer.Lab().Encode(shortTrace))
	for _, c := range []struct {
		name    string
		options FilterOptions
		texts   []string
		kept    []int
		by      string // names, with commas
	}{
		{"defaults", FilterOptions{}, []string{rightTrace, shortTrace}, []int{0, 1}, ""},
		{"unfinished", FilterOptions{}, []string{strings.TrimSuffix(shortTrace, tokenizer.End)}, nil, "unfinished"},
		{"unfinished kept", FilterOptions{KeepUnfinished: true}, []string{strings.TrimSuffix(shortTrace, tokenizer.End)}, []int{0}, ""},
		{"no UTF-8", FilterOptions{}, []string{"\xff" + shortTrace}, nil, "text"},
		{"too short", FilterOptions{MinTokens: length + 1}, []string{rightTrace, shortTrace}, []int{0}, "length"},
		{"short enough", FilterOptions{MinTokens: length, MaxTokens: length}, []string{rightTrace, shortTrace}, []int{1}, "length"},
		{"loop", FilterOptions{}, []string{loop, rightTrace}, []int{1}, "repetition"},
		{"loop by runs alone", FilterOptions{MaxRepeatedLines: -1}, []string{loop}, nil, "repetition"},
		{"loop by lines alone", FilterOptions{MaxRepeatedGrams: -1}, []string{loop}, nil, "repetition"},
		{"loop kept", FilterOptions{MaxRepeatedGrams: -1, MaxRepeatedLines: -1}, []string{loop}, []int{0}, ""},
		{"lines at the bound", FilterOptions{MaxRepeatedLines: 0.6, MaxRepeatedGrams: -1, AnyFormat: true, KeepUnfinished: true}, []string{lines}, []int{0}, ""},
		{"lines over the bound", FilterOptions{MaxRepeatedLines: 0.59, MaxRepeatedGrams: -1, AnyFormat: true, KeepUnfinished: true}, []string{lines}, nil, "repetition"},
		{"format", FilterOptions{}, []string{"x <b> " + rightTrace}, nil, "format"},
		{"any format", FilterOptions{AnyFormat: true}, []string{"x <b> " + rightTrace}, []int{0}, ""},
		{"duplicates", FilterOptions{}, []string{shortTrace, rightTrace, shortTrace}, []int{0, 1}, "duplicate"},
		{"duplicates kept", FilterOptions{KeepDuplicates: true}, []string{shortTrace, rightTrace, shortTrace}, []int{0, 1, 2}, ""},
		{"near duplicates", FilterOptions{}, []string{rightTrace, strings.ReplaceAll(rightTrace, "no\n", "NO \n"), rightTrace}, []int{0}, "duplicate,near_duplicate"},
		{"near duplicates kept", FilterOptions{KeepNearDuplicates: true}, []string{rightTrace, strings.ReplaceAll(rightTrace, "no\n", "NO \n")}, []int{0, 1}, ""},
		{"operators are no punctuation", FilterOptions{}, []string{rightTrace, strings.Replace(rightTrace, "3+7", "3-7", 1)}, []int{0, 1}, ""},
		{"first", FilterOptions{PerProblem: 1}, []string{rightTrace, shortTrace}, []int{0}, "per_problem"},
		{"shortest", FilterOptions{PerProblem: 2, Prefer: PreferShortest}, []string{"x" + rightTrace, rightTrace, shortTrace}, []int{1, 2}, "per_problem"},
		{"enough room", FilterOptions{PerProblem: 2}, []string{rightTrace, shortTrace}, []int{0, 1}, ""},
	} {
		kept, by := passing(t, c.options, nil, c.texts...)
		if !slices.Equal(kept, c.kept) || strings.Join(by, ",") != c.by {
			t.Errorf("%s: kept %v, dropped by %v; want %v, %s", c.name, kept, by, c.kept, c.by)
		}
	}
}

func TestContamination(t *testing.T) {
	short := countdown(21, 3, 7, 11) // a question of 9 tokens
	long := HeldOut{ID: "long", Gold: "so 3+7=10 10+11=21 it is"}
	whole := HeldOut{ID: "whole", Question: "21+11=32 ok\n</think>\n<answer>"} // 8 tokens or so, of form alone
	question := countdown(32, 3, 7, 11)
	for _, c := range []struct {
		name    string
		options FilterOptions
		held    []HeldOut
		kept    []int
	}{
		{"nothing held out", FilterOptions{}, nil, []int{0, 1}},
		{"a short question is compared whole", FilterOptions{}, HeldOutProblems([]task.Problem{short}), []int{0, 1}},
		{"and then found", FilterOptions{}, HeldOutProblems([]task.Problem{question}), nil},
		{"a run of a gold text", FilterOptions{}, []HeldOut{long}, []int{1}},
		{"a run one longer than shared", FilterOptions{ContaminationGram: 12}, []HeldOut{long}, []int{0, 1}},
		{"the whole text is longer", FilterOptions{WholeBelow: 30}, []HeldOut{long}, []int{0, 1}},
		{"a short text within the traces", FilterOptions{}, []HeldOut{whole}, nil},
		{"shorter runs of it", FilterOptions{ContaminationGram: 2}, []HeldOut{{Gold: "=10 10"}}, []int{1}},
		{"not looked for", FilterOptions{ContaminationGram: -1}, []HeldOut{long, whole}, []int{0, 1}},
	} {
		kept, by := passing(t, c.options, c.held, rightTrace, shortTrace)
		if !slices.Equal(kept, c.kept) || len(by) != 2-len(kept) || slices.ContainsFunc(by, func(name string) bool { return name != FilterContamination }) {
			t.Errorf("%s: kept %v, want %v; dropped by %v", c.name, kept, c.kept, by)
		}
	}
}

// TestContaminationSeesThroughTokens: the same text in other tokens is the same text.
func TestContaminationSeesThroughTokens(t *testing.T) {
	lab := tokenizer.Lab()
	o := FilterOptions{}.Resolved()
	p := countdown(32, 3, 7, 11)
	bytes := make([]int32, len(rightTrace))
	for i := range bytes {
		bytes[i] = int32(rightTrace[i])
	}
	f := &filtering{options: o, tokenizer: lab, grams: indexHeldOut([]HeldOut{{Gold: "3+7=10 10+11=21"}}, lab, &o)}
	if got := f.dropContaminated([]*Trace{{Problem: &p, Tokens: bytes, Text: lab.Decode(bytes)}}); len(got) != 0 {
		t.Error("a trace written in bytes passed")
	}
}

func TestRepeatedGrams(t *testing.T) {
	for _, c := range []struct {
		tokens []int32
		n      int
		want   float64
	}{
		{nil, 1, 0}, {[]int32{1, 2}, 3, 0}, {[]int32{1, 1, 1, 1}, 1, 0.75}, {[]int32{1, 2, 1, 2, 1}, 2, 0.5}, {[]int32{1, 256, 65536}, 1, 0},
	} {
		if got := repeatedGrams(c.tokens, c.n); got != c.want {
			t.Errorf("%v by %d: got %v, want %v", c.tokens, c.n, got, c.want)
		}
	}
}
