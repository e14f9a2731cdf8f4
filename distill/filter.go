package distill

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/retort-ml/retort/task"
)

// The names of the filters, in the order in which they are applied.
const (
	FilterUnfinished    = "unfinished"
	FilterText          = "text"
	FilterLength        = "length"
	FilterRepetition    = "repetition"
	FilterFormat        = "format"
	FilterContamination = "contamination"
	FilterDuplicate     = "duplicate"
	FilterNearDuplicate = "near_duplicate"
	FilterPerProblem    = "per_problem"
)

// Which traces of a problem stay when there are more than FilterOptions.PerProblem.
const (
	// PreferFirst keeps the earliest samples: a fair choice, because samples are alike in all but
	// their seed.
	PreferFirst = "first"
	// PreferShortest keeps those of the fewest tokens, of equal ones the earliest.
	PreferShortest = "shortest"
)

// FilterOptions choose among right traces. The zero value of each field is its
// default. Filters are applied in the order of the constants; a trace counts for
// the first that drops it.
type FilterOptions struct {
	// KeepUnfinished keeps traces that ran out of tokens. They are dropped otherwise: a student
	// would learn to end there.
	KeepUnfinished bool `json:"keep_unfinished" yaml:"keep_unfinished"`
	// MinTokens and MaxTokens bound the length of a trace; 0 means 1 and no bound.
	MinTokens int `json:"min_tokens" yaml:"min_tokens"`
	MaxTokens int `json:"max_tokens" yaml:"max_tokens"`
	// MaxRepeatedGrams is the largest share of a trace's runs of RepetitionGram tokens that may have
	// occurred in it before; 0 means 0.5, -1 any share. RepetitionGram 0 means 10.
	MaxRepeatedGrams float64 `json:"max_repeated_grams" yaml:"max_repeated_grams"`
	RepetitionGram   int     `json:"repetition_gram" yaml:"repetition_gram"`
	// MaxRepeatedLines is the largest share of a trace's lines that may have occurred in it before,
	// empty lines and outer spaces left out; 0 means 0.5, -1 any share.
	MaxRepeatedLines float64 `json:"max_repeated_lines" yaml:"max_repeated_lines"`
	// AnyFormat keeps traces whatever their form. Otherwise task.Task.Format decides.
	AnyFormat bool `json:"any_format" yaml:"any_format"`
	// ContaminationGram is the number of tokens in a row that a question or a trace must not share
	// with the question or the gold text of a held-out problem; 0 means 10 (DeepSeek-R1,
	// distillation data), -1 does not look.
	ContaminationGram int `json:"contamination_gram" yaml:"contamination_gram"`
	// WholeBelow compares held-out texts of fewer tokens as one run of their own length; 0 means
	// ContaminationGram, below which a text has no runs at all and would never be found. A larger
	// number is for short texts in a fixed form, such as those of the lab: there ten tokens that
	// agree may be the form alone, and only the text as a whole names a problem.
	WholeBelow int `json:"whole_below" yaml:"whole_below"`
	// KeepDuplicates keeps traces of one problem with the same text, KeepNearDuplicates those whose
	// texts differ in case and white space alone. Otherwise the earliest stays.
	KeepDuplicates     bool `json:"keep_duplicates" yaml:"keep_duplicates"`
	KeepNearDuplicates bool `json:"keep_near_duplicates" yaml:"keep_near_duplicates"`
	// PerProblem is the most traces of one problem; 0 means all. Prefer chooses them and is
	// PreferFirst or PreferShortest; "" means PreferFirst.
	PerProblem int    `json:"per_problem" yaml:"per_problem"`
	Prefer     string `json:"prefer" yaml:"prefer"`
}

// Resolved returns the options with every default filled in.
func (o FilterOptions) Resolved() FilterOptions {
	setDefault(&o.MinTokens, 1)
	setDefault(&o.MaxRepeatedGrams, 0.5)
	setDefault(&o.RepetitionGram, 10)
	setDefault(&o.MaxRepeatedLines, 0.5)
	setDefault(&o.ContaminationGram, 10)
	setDefault(&o.WholeBelow, max(0, o.ContaminationGram))
	setDefault(&o.Prefer, PreferFirst)
	return o
}

// Validate reports every fault in one error.
func (o *FilterOptions) Validate() error {
	r := o.Resolved()
	var faults []error
	fault := func(name string, got any, want string) {
		faults = append(faults, fmt.Errorf("distill: filters.%s: got %v, want %s", name, got, want))
	}
	if r.MinTokens < 1 {
		fault("min_tokens", r.MinTokens, "at least 1")
	}
	if r.MaxTokens != 0 && r.MaxTokens < r.MinTokens {
		fault("max_tokens", r.MaxTokens, fmt.Sprintf("at least min_tokens, %d", r.MinTokens))
	}
	share := func(name string, got float64) {
		if got != -1 && !(got > 0 && got <= 1) {
			fault(name, got, "above 0 and at most 1, or -1")
		}
	}
	share("max_repeated_grams", r.MaxRepeatedGrams)
	share("max_repeated_lines", r.MaxRepeatedLines)
	if r.RepetitionGram < 1 {
		fault("repetition_gram", r.RepetitionGram, "at least 1")
	}
	if r.ContaminationGram != -1 && r.ContaminationGram < 1 {
		fault("contamination_gram", r.ContaminationGram, "at least 1, or -1")
	}
	if r.WholeBelow < 0 {
		fault("whole_below", r.WholeBelow, "at least 0")
	}
	if r.PerProblem < 0 {
		fault("per_problem", r.PerProblem, "at least 0")
	}
	if r.Prefer != PreferFirst && r.Prefer != PreferShortest {
		fault("prefer", r.Prefer, PreferFirst+" or "+PreferShortest)
	}
	return errors.Join(faults...)
}

// filtering is what the filters read.
type filtering struct {
	options   FilterOptions // resolved
	task      task.Task     // nil for the one that each problem names
	tokenizer Tokenizer
	grams     gramIndex
}

// filter is a row of the table: keep returns those of the right traces of one
// problem, in the order of their samples, that pass; it may reuse traces' array.
type filter struct {
	name    string
	meaning string // of its count
	keep    func(f *filtering, traces []*Trace) []*Trace
}

var filters = []filter{
	{FilterUnfinished, "ran out of tokens", func(f *filtering, traces []*Trace) []*Trace {
		return dropIf(traces, func(t *Trace) bool { return !t.Finished && !f.options.KeepUnfinished })
	}},
	{FilterText, "no text, or bytes that are not UTF-8 and that JSON cannot hold", func(f *filtering, traces []*Trace) []*Trace {
		return dropIf(traces, func(t *Trace) bool {
			return t.Text == "" || !utf8.ValidString(t.Text) || strings.ContainsRune(t.Text, utf8.RuneError) // what stands for such bytes
		})
	}},
	{FilterLength, "shorter or longer than asked for", func(f *filtering, traces []*Trace) []*Trace {
		return dropIf(traces, func(t *Trace) bool {
			n := len(t.Tokens)
			return n < f.options.MinTokens || f.options.MaxTokens > 0 && n > f.options.MaxTokens
		})
	}},
	{FilterRepetition, "repeats its own runs of tokens or lines too much", func(f *filtering, traces []*Trace) []*Trace {
		o := &f.options
		return dropIf(traces, func(t *Trace) bool {
			return o.MaxRepeatedGrams >= 0 && repeatedGrams(t.Tokens, o.RepetitionGram) > o.MaxRepeatedGrams ||
				o.MaxRepeatedLines >= 0 && repeatedLines(t.Text) > o.MaxRepeatedLines
		})
	}},
	{FilterFormat, "not in the form that the task wants", func(f *filtering, traces []*Trace) []*Trace {
		return dropIf(traces, func(t *Trace) bool { return !f.options.AnyFormat && !f.wellFormed(t) })
	}},
	{FilterContamination, "shares a run of tokens with a held-out problem", func(f *filtering, traces []*Trace) []*Trace {
		return f.dropContaminated(traces)
	}},
	{FilterDuplicate, "same text as an earlier trace of the problem", func(f *filtering, traces []*Trace) []*Trace {
		if f.options.KeepDuplicates {
			return traces
		}
		return dropRepeats(traces, func(t *Trace) string { return t.Text })
	}},
	{FilterNearDuplicate, "same text as an earlier trace of the problem but for case and white space", func(f *filtering, traces []*Trace) []*Trace {
		if f.options.KeepNearDuplicates {
			return traces
		}
		exact := map[string]string{} // first text of a normal form: equal texts are the filter above's
		return dropIf(traces, func(t *Trace) bool {
			form := normalForm(t.Text)
			first, ok := exact[form]
			if !ok {
				exact[form] = t.Text
			}
			return ok && first != t.Text
		})
	}},
	{FilterPerProblem, "more traces than one problem may have", func(f *filtering, traces []*Trace) []*Trace {
		return f.choose(traces)
	}},
}

// apply puts the right traces of one problem through all filters and counts
// what each drops.
func (f *filtering) apply(traces []*Trace, counts *Counts) []*Trace {
	for i := range filters {
		before := len(traces)
		traces = filters[i].keep(f, traces)
		counts.Dropped[i].Traces += before - len(traces)
	}
	return traces
}

func dropIf(traces []*Trace, drop func(t *Trace) bool) []*Trace {
	return slices.DeleteFunc(traces, drop)
}

// dropRepeats keeps the first trace of each key.
func dropRepeats(traces []*Trace, key func(t *Trace) string) []*Trace {
	seen := map[string]bool{}
	return dropIf(traces, func(t *Trace) bool {
		k := key(t)
		repeated := seen[k]
		seen[k] = true
		return repeated
	})
}

// normalForm is the text in lower case with single spaces.
func normalForm(text string) string {
	return strings.Join(strings.Fields(strings.ToLower(text)), " ")
}

func (f *filtering) wellFormed(t *Trace) bool {
	judge := f.task
	if judge == nil {
		named, err := task.Lookup(t.Problem.Task)
		if err != nil {
			return false
		}
		judge = named
	}
	return judge.Format(t.Text)
}

// choose keeps the preferred traces of a problem, in the order of their samples.
func (f *filtering) choose(traces []*Trace) []*Trace {
	if f.options.PerProblem == 0 || len(traces) <= f.options.PerProblem {
		return traces
	}
	if f.options.Prefer == PreferShortest {
		slices.SortStableFunc(traces, func(a, b *Trace) int { return cmp.Compare(len(a.Tokens), len(b.Tokens)) })
	}
	traces = traces[:f.options.PerProblem]
	slices.SortFunc(traces, func(a, b *Trace) int { return cmp.Compare(a.Sample, b.Sample) })
	return traces
}

// repeatedGrams is the share of the runs of n tokens that occurred before; a
// text without such runs has none that repeat.
func repeatedGrams(tokens []int32, n int) float64 {
	seen := map[string]bool{}
	var key []byte
	repeated, total := 0, 0
	for at := 0; at+n <= len(tokens); at++ {
		key = appendTokens(key[:0], tokens[at:at+n])
		total++
		if seen[string(key)] {
			repeated++
			continue
		}
		seen[string(key)] = true
	}
	return float64(repeated) / float64(max(1, total))
}

// repeatedLines is the share of the lines that occurred before.
func repeatedLines(text string) float64 {
	seen := map[string]bool{}
	repeated, total := 0, 0
	for line := range strings.SplitSeq(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		total++
		if seen[line] {
			repeated++
		}
		seen[line] = true
	}
	return float64(repeated) / float64(max(1, total))
}
