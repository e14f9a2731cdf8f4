package engine

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/retort-ml/retort/internal/kernel"
)

// feed lets a thinker see tokens as a sample would, forced ones first, and returns what came and the state after it.
func feed(r *Request, tokens []int32, limit int) ([]int32, Thought) {
	t := newThinker(r)
	var out []int32
	t.steer(out, limit)
	for len(out) < limit {
		token, forced := t.take()
		if !forced {
			if len(tokens) == 0 {
				break
			}
			token, tokens = tokens[0], tokens[1:]
		}
		out = append(out, token)
		t.add(out)
		t.steer(out, limit-len(out))
	}
	return out, t.Thought
}

func TestThoughts(t *testing.T) {
	const open, end, blank = 20, 21, 22
	marks := func(change func(*Thinking)) *Thinking {
		m := &Thinking{Begins: ThoughtInside, Open: []int32{open}, Close: []int32{end}, Blank: []int32{blank}}
		if change != nil {
			change(m)
		}
		return m
	}
	undecided := func(m *Thinking) { m.Begins = ThoughtUndecided }
	words := []int32{1, 2, 3, 4, 5, end, 6, 7}
	circle := slices.Repeat([]int32{1, 2, 3}, 12)
	for _, c := range []struct {
		name     string
		thinking *Thinking
		tokens   []int32
		limit    int
		out      []int32 // nil: tokens
		want     Thought
	}{
		{"none", nil, words, 99, nil, Thought{State: ThoughtOver}},
		{"the model closes", marks(nil), words, 99, nil, Thought{ThoughtOver, 5, EndedByModel, 0}},
		{"never closed", marks(nil), words[:4], 99, nil, Thought{ThoughtInside, 4, "", 0}},
		{"repeats the prompt's mark", marks(nil), []int32{open, 1, end, 2}, 99, nil, Thought{ThoughtOver, 1, EndedByModel, 0}},
		{"opens", marks(undecided), []int32{open, 1, 2, end, 3}, 99, nil, Thought{ThoughtOver, 2, EndedByModel, 0}},
		{"opens after blanks", marks(undecided), []int32{blank, blank, open, 1, end}, 99, nil, Thought{ThoughtOver, 1, EndedByModel, 0}},
		{"does not open", marks(undecided), []int32{blank, 1, open, 1, end}, 99, nil, Thought{ThoughtOver, 0, "", 0}},
		{"blanks alone", marks(undecided), []int32{blank}, 99, nil, Thought{ThoughtUndecided, 0, "", 0}},
		{"is over", marks(func(m *Thinking) { m.Begins, m.Budget = ThoughtOver, NoThought }), words, 99, nil, Thought{State: ThoughtOver}},
		{"marks of several tokens", marks(func(m *Thinking) {
			m.Begins, m.Open, m.Close = ThoughtUndecided, []int32{8, 9}, []int32{9, 9}
		}), []int32{8, 9, 9, 1, 9, 9, 2}, 99, nil, Thought{ThoughtOver, 2, EndedByModel, 0}},
		{"half a mark", marks(func(m *Thinking) { m.Begins, m.Open = ThoughtUndecided, []int32{8, 9} }), []int32{8, 8}, 99, nil, Thought{State: ThoughtOver}},
		{"forced opening", marks(func(m *Thinking) { m.Begins, m.Opening = ThoughtUndecided, []int32{open, blank} }), []int32{1, end, 2}, 99,
			[]int32{open, blank, 1, end, 2}, Thought{ThoughtOver, 2, EndedByModel, 0}},
		{"budget", marks(func(m *Thinking) { m.Budget = 3 }), words, 6, []int32{1, 2, 3, end, 4, 5}, Thought{ThoughtOver, 3, EndedByBudget, 0}},
		{"budget not reached", marks(func(m *Thinking) { m.Budget = 6 }), words, 99, nil, Thought{ThoughtOver, 5, EndedByModel, 0}},
		{"budget partly used", marks(func(m *Thinking) { m.Budget, m.Used = 3, 1 }), words, 4, []int32{1, 2, end, 3}, Thought{ThoughtOver, 2, EndedByBudget, 0}},
		{"closing words count", marks(func(m *Thinking) { m.Budget, m.Closing = 4, []int32{8, 9, end} }), words, 6, []int32{1, 2, 8, 9, end, 3}, Thought{ThoughtOver, 4, EndedByBudget, 0}},
		{"small budget", marks(func(m *Thinking) { m.Budget, m.Closing = 1, []int32{8, 9, end} }), words, 4, []int32{8, 9, end, 1}, Thought{ThoughtOver, 2, EndedByBudget, 0}},
		{"no thought", marks(func(m *Thinking) { m.Budget = NoThought }), words, 3, []int32{end, 1, 2}, Thought{ThoughtOver, 0, EndedByBudget, 0}},
		{"no thought, opened by the model", marks(func(m *Thinking) { m.Budget, m.Begins = NoThought, ThoughtUndecided }), []int32{open, 1}, 3, []int32{open, end, 1}, Thought{ThoughtOver, 0, EndedByBudget, 0}},
		{"reserve", marks(func(m *Thinking) { m.Reserve = 2 }), words, 6, []int32{1, 2, 3, end, 4, 5}, Thought{ThoughtOver, 3, EndedByReserve, 0}},
		{"reserve not needed", marks(func(m *Thinking) { m.Reserve = 2 }), words, 9, nil, Thought{ThoughtOver, 5, EndedByModel, 0}},
		{"loop", marks(func(m *Thinking) { m.Loop = &LoopDetection{Tokens: 10, Repeats: 2} }), circle, 15,
			append(slices.Clone(circle[:13]), end, 2), Thought{ThoughtOver, 13, EndedByLoop, 0}},
		{"loop with a nudge", marks(func(m *Thinking) { m.Loop = &LoopDetection{Tokens: 10, Repeats: 2, Nudge: []int32{8, 9}} }), circle, 29,
			slices.Concat(circle[:13], []int32{8, 9}, circle[13:26], []int32{end}), Thought{ThoughtOver, 28, EndedByLoop, 1}},
		{"long circle, few repeats", marks(func(m *Thinking) { m.Loop = &LoopDetection{Tokens: 10, Repeats: 12} }), circle, 99, nil, Thought{ThoughtInside, 36, "", 0}},
	} {
		r := &Request{Thinking: c.thinking}
		out, got := feed(r, c.tokens, c.limit)
		want := c.out
		if want == nil {
			want = c.tokens
		}
		if !slices.Equal(out, want) || got != c.want {
			t.Errorf("%s:\n got %v %+v\nwant %v %+v", c.name, out, got, want, c.want)
		}
	}
}

// Texts that do not go in circles are left alone by the default detector, and those that do are found when they have come again twice and for 64 tokens,
// also where a part of them repeats within.
func TestLoopDetection(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	phrase := []int32{1, 2, 3, 4, 5, 6, 7, 8}
	for _, period := range []int{0, 1, 7, 31, 32, 40, 300} {
		var d loopDetector
		var text []int32
		found := 0
		for i := range 3000 {
			switch {
			case period > 0 && i > 500+period:
				text = append(text, text[i-period])
			case period > 30 && i > 500 && i <= 500+period && (i-501)%10 < 8: // the circle holds a phrase several times
				text = append(text, phrase[(i-501)%10])
			case i%10 < 4: // a phrase that comes often, with other words between
				text = append(text, int32(i%10))
			default:
				text = append(text, 10+rng.Int32N(50))
			}
			if d.add(&LoopDetection{}, text) && found == 0 {
				found = i
			}
		}
		latest := 500 + period + max(64, 2*period)
		if period == 0 && found != 0 || period > 0 && (found < latest-loopGram || found > latest) {
			t.Errorf("period %d: found at %d, want at %d or a little before, and not at all without a period", period, found, latest)
		}
	}
}

// An honest thought says things again: an equation twice in a row, or often with a word between that differs, or a short one several times.
func TestRestating(t *testing.T) {
	equation := make([]int32, 60)
	for i := range equation {
		equation[i] = int32(100 + i)
	}
	repeat := func(n, times int, word func(i int) []int32) (text []int32) {
		for i := range times {
			text = append(append(text, equation[:n]...), word(i)...)
		}
		return text
	}
	nothing := func(int) []int32 { return nil }
	for name, c := range map[string]struct {
		text  []int32
		found bool
	}{
		"twice in a row":                  {repeat(60, 2, nothing), false},
		"ten times with words between":    {repeat(60, 10, func(i int) []int32 { return []int32{int32(i)} }), false},
		"a short one six times":           {repeat(10, 6, nothing), false},
		"with the same word between":      {repeat(60, 4, func(int) []int32 { return []int32{1} }), true},
		"three times in a row, and on":    {append(repeat(60, 3, nothing), 1), true},
		"a short one eight times, no end": {repeat(10, 8, nothing), true},
	} {
		var d loopDetector
		found := false
		for i := range c.text {
			found = d.add(&LoopDetection{}, c.text[:i+1]) || found
		}
		if found != c.found {
			t.Errorf("%s: found %v, want %v", name, found, c.found)
		}
	}
}

// parity is a toy grammar: a text of even ids whose sum grows to ten or more.
type parity struct{ sum int32 }

func (p parity) Start() GrammarState { return parity{} }

func (p parity) Allow(mask []uint64) {
	for token := int32(2); token < fakeVocab-3 && p.sum < 10 && p.sum >= 0; token += 2 {
		mask[0] |= 1 << token
	}
}

func (p parity) Next(token int32) GrammarState {
	if p.sum < 0 || token%2 != 0 || token >= fakeVocab-3 {
		return parity{-1}
	}
	return parity{p.sum + token}
}

func (p parity) Complete() bool { return p.sum >= 10 }

// thoughtfulRequests have thoughts, grammars and samplers in all mixtures.
func thoughtfulRequests(rng *rand.Rand, context int) []Request {
	reqs := randomRequests(rng, context)
	for i := range reqs {
		r := &reqs[i]
		if rng.IntN(4) > 0 {
			r.Thinking = &Thinking{
				Begins: ThoughtState(rng.IntN(3)), Open: []int32{20}, Close: []int32{21}, Blank: []int32{22},
				Budget: []int{0, NoThought, 1, 5, 10}[rng.IntN(5)], Reserve: rng.IntN(2) * rng.IntN(12), Used: rng.IntN(2) * rng.IntN(4),
			}
			if rng.IntN(2) == 0 {
				r.Thinking.Closing = []int32{3, 4, 21}
			}
			if rng.IntN(3) == 0 {
				r.Thinking.Opening = []int32{20, 22}
			}
			if rng.IntN(2) == 0 {
				r.Thinking.Loop = &LoopDetection{Tokens: 4, Repeats: 1, Nudge: []int32{7, 8}[:rng.IntN(3)]}
				r.FrequencyPenalty = -6 * rng.Float32()
			}
		}
		if rng.IntN(3) == 0 {
			r.Grammar = parity{}
		}
	}
	return reqs
}

// aloneOnFake answers each sample by itself, without a batch, a draft or a cache of others.
func aloneOnFake(t *testing.T, reqs []Request, context int) []Result {
	t.Helper()
	pool := kernel.NewPool(1)
	defer pool.Close()
	var all []Result
	for i, r := range reqs {
		for sample := range max(1, r.Samples) {
			single := r
			single.Samples, single.Seed.Sample = 1, r.Seed.Sample+uint64(sample)
			model := newFakeModel(blocksFor(context))
			s := newScheduler(model, pool, fakeVocab, context, (&Options{MaxBatch: 1, PrefillTokens: 7, DraftTokens: NoDraft}).withDefaults())
			seqs, err := s.sequences([]Request{single})
			if err != nil {
				t.Fatal(err)
			}
			j := newJob(nil, t.Context(), seqs)
			runChecked(t, s, model, j)
			if j.err != nil {
				t.Fatal(j.err)
			}
			got := results(j.seqs)[0]
			got.Request, got.Sample = i, sample
			all = append(all, got)
		}
	}
	return all
}

// Thoughts and grammars do not depend on the batch, the cache or preemption, and keep their promises.
func TestThoughtTimelines(t *testing.T) {
	seen := map[string]int{}
	for seed := range uint64(80) {
		rng := rand.New(rand.NewPCG(seed, 3))
		size := 30 + rng.IntN(90)
		model := newFakeModel(blocksFor(size) + rng.IntN(4)*rng.IntN(8))
		pool := kernel.NewPool(1 + rng.IntN(2))
		s := newScheduler(model, pool, fakeVocab, size, (&Options{MaxBatch: 1 + rng.IntN(12), PrefillTokens: 1 + rng.IntN(60)}).withDefaults())
		reqs := thoughtfulRequests(rng, size)
		seqs, err := s.sequences(reqs)
		if err != nil {
			t.Fatal(err)
		}
		j := newJob(nil, t.Context(), seqs)
		runChecked(t, s, model, j)
		if j.err != nil {
			t.Fatal(j.err)
		}
		got := results(j.seqs)
		compareResults(t, seed, got, aloneOnFake(t, reqs, size))
		for i := range got {
			checkPromises(t, &reqs[got[i].Request], &got[i])
			if n := got[i].Thought.Tokens; reqs[got[i].Request].Grammar != nil && slices.ContainsFunc(got[i].Tokens[:n], func(id int32) bool { return id == 1 || id == 5 || id == 9 }) {
				seen["free before the grammar"]++
			}
			seen[string(got[i].Thought.Ended)]++
			seen[fmt.Sprint("nudges ", got[i].Thought.Nudges)]++
		}
		pool.Close()
	}
	for _, what := range []string{"model", "budget", "reserve", "loop", "nudges 1", "free before the grammar"} {
		if seen[what] == 0 {
			t.Errorf("no thought that ended by %s: %v", what, seen)
		}
	}
}

// checkPromises verifies what a request promises about a sample, by another count.
func checkPromises(t *testing.T, r *Request, got *Result) {
	t.Helper()
	th := r.Thinking
	answer := got.Tokens
	if th != nil && got.Thought.State != ThoughtOver {
		answer = nil
	}
	if th != nil && got.Thought.Ended != "" {
		at := slices.Index(got.Tokens, 21)
		tokens := at
		if first := slices.Index(got.Tokens[:at], 20); first >= 0 && (th.Begins == ThoughtUndecided || first == 0) {
			tokens -= first + 1
		}
		if tokens != got.Thought.Tokens {
			t.Errorf("%v: %d tokens of thought counted, want %d", got.Tokens, got.Thought.Tokens, tokens)
		}
		words := max(len(th.Closing), 1) - 1
		if th.Begins == ThoughtUndecided {
			words += max(len(th.Opening), 1) - 1
		}
		if th.Budget > 0 && tokens > max(th.Budget-th.Used, words) {
			t.Errorf("%v: a thought of %d tokens, the budget is %d less %d", got.Tokens, tokens, th.Budget, th.Used)
		}
		if th.Budget == NoThought && tokens > words {
			t.Errorf("%v: a thought of %d tokens, want none", got.Tokens, tokens)
		}
		answer = got.Tokens[at+1:]
	}
	if r.Grammar == nil {
		return
	}
	if got.Thought.State == ThoughtInside && got.Finish == FinishStop && !slices.Contains(r.Stop, 20) {
		t.Errorf("%v: stopped within the thought, before an answer of the grammar", got.Tokens)
	}
	var state GrammarState = parity{}
	if th != nil && th.Begins == ThoughtUndecided && len(th.Opening) > 0 && got.Thought.Ended == "" {
		return
	}
	for i, token := range answer {
		if i == len(answer)-1 && slices.Contains(r.Stop, token) && state.Complete() {
			return
		}
		state = state.Next(token)
	}
	if state.(parity).sum < 0 || got.Finish == FinishStop && !state.Complete() && len(answer) > 0 && answer != nil && len(r.Stop) == 0 {
		t.Errorf("%v: the answer %v is not of the grammar (%s)", got.Tokens, answer, got.Finish)
	}
}

// A grammar that no token meets fails its own request alone.
func TestDeadEnd(t *testing.T) {
	e := newTestEngine(t, newFakeModel(50), 100, Options{})
	_, err := e.Generate(t.Context(), []Request{{Prompt: prompt(5), MaxTokens: 5, Grammar: nothing{}}})
	if want := "engine: request 0 sample 0: token 0: the grammar allows no token of the vocabulary, and the text is not complete"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	got, err := e.Generate(t.Context(), []Request{{Prompt: prompt(5), MaxTokens: 50, Samples: 3, Temperature: 1, Grammar: parity{}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range got {
		if r.Finish != FinishStop || len(r.Tokens) == 0 || len(r.Tokens) > 5 {
			t.Errorf("got %+v, want a complete text", r)
		}
	}
}

type nothing struct{}

func (nothing) Start() GrammarState     { return nothing{} }
func (nothing) Allow([]uint64)          {}
func (nothing) Next(int32) GrammarState { return nothing{} }
func (nothing) Complete() bool          { return false }

// A running thought is closed on demand, and what came before stays.
func TestCloseThought(t *testing.T) {
	model := newFakeModel(50)
	e := newTestEngine(t, model, 256, Options{})
	req := Request{Prompt: prompt(9), MaxTokens: 200, Samples: 2, Thinking: &Thinking{Begins: ThoughtInside, Close: []int32{21}, Closing: []int32{1, 2, 21}}}
	req.LogitBias = []TokenBias{{21, -100}}
	want := referenceResults([]Request{req}, 256)
	reached, asked := make(chan struct{}), make(chan struct{})
	model.after = func() {
		if model.runs == 20 {
			close(reached)
			<-asked
		}
	}
	j, err := e.Submit(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	<-reached
	j.CloseThought(1)
	j.CloseThought(7)
	close(asked)
	got, err := j.Wait()
	if err != nil {
		t.Fatal(err)
	}
	a, b := got[0], got[1]
	if a.Thought != (Thought{State: ThoughtInside, Tokens: 200}) || !slices.Equal(a.Tokens, want[0].Tokens) {
		t.Errorf("sample 0: %+v", a)
	}
	if b.Thought != (Thought{ThoughtOver, 22, EndedByRequest, 0}) || !slices.Equal(b.Tokens[:20], want[1].Tokens[:20]) || !slices.Equal(b.Tokens[20:23], []int32{1, 2, 21}) {
		t.Errorf("sample 1: %+v", b)
	}
	if b.DrawLogProbs[21] != 0 || b.LogProbs[21] >= 0 {
		t.Errorf("a forced token has log-probabilities %v and %v, want those of certainty and of the model", b.DrawLogProbs[21], b.LogProbs[21])
	}
}
