package engine

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// A fork with nothing changed repeats the sample, whatever it has: draws, penalties, thought and grammar belong to positions.
func TestForkRepeats(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 8))
	forks := 0
	for range 60 {
		size := 60 + rng.IntN(90)
		model := newFakeModel(200)
		e := newTestEngine(t, model, size, Options{})
		req := thoughtfulRequests(rng, size)[0]
		req.MaxTokens = 40
		j, err := e.Submit(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		parents, err := j.Wait()
		if err != nil {
			t.Fatal(err)
		}
		for sample, parent := range parents {
			if len(parent.Tokens) < 2 {
				continue
			}
			n := rng.IntN(len(parent.Tokens))
			fork, err := j.Fork(t.Context(), sample, n, nil, func(r *Request) { r.Seed.Sample += uint64(sample) })
			if err != nil {
				t.Fatal(err)
			}
			got, err := fork.Wait()
			if err != nil {
				t.Fatal(err)
			}
			got[0].Sample = sample
			compareResults(t, 0, got, []Result{parent})
			if got[0].Thought != parent.Thought {
				t.Errorf("thought %+v, want %+v", got[0].Thought, parent.Thought)
			}
			forks++
		}
	}
	if forks < 60 {
		t.Errorf("only %d forks", forks)
	}
}

// Forks of running samples share the blocks of what came before, go on as a request for the same text would, and leave their parent alone.
func TestForkOfARunningSample(t *testing.T) {
	model := newFakeModel(200)
	e := newTestEngine(t, model, 256, Options{})
	req := Request{Prompt: prompt(50), MaxTokens: 100, Samples: 2, Temperature: 1}
	want := referenceResults([]Request{req}, 256)
	reached, forked := make(chan struct{}), make(chan struct{})
	model.after = func() {
		if model.runs == 60 {
			close(reached)
			<-forked
		}
		time.Sleep(50 * time.Microsecond)
	}
	j, err := e.Submit(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	<-reached
	for n := 0; n < 2*50; {
		u, ok := j.Next()
		if !ok {
			t.Fatal("over")
		}
		n += len(u.Tokens)
	}
	var probes []*Job
	for i := range 3 {
		probe, err := j.Fork(t.Context(), 1, 40+i, []int32{5, 6, 7}, func(r *Request) {
			r.MaxTokens, r.Samples, r.Temperature, r.Seed = 60, 4, 0.7, Seed{Run: 9}
		})
		if err != nil {
			t.Fatal(err)
		}
		probes = append(probes, probe)
	}
	close(forked)
	got, err := j.Wait()
	if err != nil {
		t.Fatal(err)
	}
	compareResults(t, 0, got, want)
	for i, probe := range probes {
		got, err := probe.Wait()
		if err != nil {
			t.Fatal(err)
		}
		n := 40 + i
		text := slices.Concat(want[1].Tokens[:n], []int32{5, 6, 7})
		for k, r := range got {
			if len(r.Tokens) != 60 || !slices.Equal(r.Tokens[:n+3], text) || !slices.Equal(r.LogProbs[:n], want[1].LogProbs[:n]) {
				t.Errorf("probe %d sample %d: got %v", i, k, r.Tokens)
			}
			for l := range k {
				if slices.Equal(r.Tokens, got[l].Tokens) {
					t.Errorf("probe %d: samples %d and %d are the same", i, k, l)
				}
			}
		}
		// Greedy from the same text is what a request for that text gives.
		rest := Request{Prompt: slices.Concat(req.Prompt, text), MaxTokens: 10}
		greedy, err := j.Fork(t.Context(), 1, n, []int32{5, 6, 7}, func(r *Request) { r.MaxTokens, r.Temperature = n+13, 0 })
		if err != nil {
			t.Fatal(err)
		}
		got, err = greedy.Wait()
		if err != nil {
			t.Fatal(err)
		}
		if plain := referenceResults([]Request{rest}, 256); !slices.Equal(got[0].Tokens[n+3:], plain[0].Tokens) || !slices.Equal(got[0].LogProbs[n+3:], plain[0].LogProbs) {
			t.Errorf("greedy probe %d: got %v, want %v", i, got[0].Tokens[n+3:], plain[0].Tokens)
		}
	}
	// The prompt once, two samples, and of each fork its own tokens, the forced ones, and what does not fill a block.
	if s := e.Stats(); s.Rows > 50+2*99+12*(20+3+15)+3*(10+3+15) {
		t.Errorf("%d rows run", s.Rows)
	}
}

// A fork may go on where its parent stopped.
func TestForkBehindTheEnd(t *testing.T) {
	e := newTestEngine(t, newFakeModel(50), 100, Options{})
	req := Request{Prompt: prompt(9), MaxTokens: 20}
	want := referenceResults([]Request{req}, 100)
	req.Stop = want[0].Tokens[6:7]
	j, err := e.Submit(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := j.Wait(); err != nil || got[0].Finish != FinishStop {
		t.Fatalf("got %v, %v, want a stop", got, err)
	}
	fork, err := j.Fork(t.Context(), 0, -1, nil, func(r *Request) { r.Stop = nil })
	if err != nil {
		t.Fatal(err)
	}
	got, err := fork.Wait()
	if err != nil {
		t.Fatal(err)
	}
	compareResults(t, 0, got, want)
	if fork, err = j.Fork(t.Context(), 0, -1, nil, nil); err != nil {
		t.Fatal(err)
	}
	if got, err = fork.Wait(); err != nil || len(got[0].Tokens) < 8 {
		t.Errorf("with the stop behind it: got %v, %v", got, err)
	}
}

func TestForkRefusals(t *testing.T) {
	e := newTestEngine(t, newFakeModel(50), 100, Options{})
	j, err := e.Submit(t.Context(), Request{Prompt: prompt(9), MaxTokens: 10})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := j.Wait(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		sample, tokens int
		then           []int32
		change         func(*Request)
		want           string
	}{
		{1, 0, nil, nil, "fork of sample 1, want 0 to 0"},
		{0, 11, nil, nil, "fork after 11 tokens of sample 0, want 0 to 10"},
		{0, -1, nil, nil, "fork after 10 tokens of a sample that may have 10, want fewer: raise MaxTokens"},
		{0, 3, []int32{fakeVocab}, nil, "token 23 is forced, want 0 to 22"},
		{0, 3, nil, func(r *Request) { r.TopP = 2 }, "TopP is 2"},
	} {
		if _, err := j.Fork(t.Context(), c.sample, c.tokens, c.then, c.change); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %q", err, c.want)
		}
	}
}

// A request that begins with the tokens that a sample has drawn goes on as the sample did: every token, number and end of it, wherever it is cut.
func TestBegun(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 9))
	seen := map[ThoughtEnd]int{}
	cuts, within, constrained := 0, 0, 0
	for range 400 {
		size := 60 + rng.IntN(90)
		e := newTestEngine(t, newFakeModel(200), size, Options{})
		req := thoughtfulRequests(rng, size)[0]
		req.MaxTokens = 40
		if rng.IntN(3) == 0 {
			req.Constraint = sumOver(60 + rng.IntN(200))
		}
		parents, err := e.Generate(t.Context(), []Request{req})
		if err != nil {
			t.Fatal(err)
		}
		for sample, parent := range parents {
			if len(parent.Tokens) < 2 {
				continue
			}
			n := rng.IntN(len(parent.Tokens))
			rest := req
			rest.Prompt, rest.Begun, rest.MaxTokens = slices.Concat(req.Prompt, parent.Tokens[:n]), n, req.MaxTokens-n
			rest.Samples, rest.Seed.Sample = 1, req.Seed.Sample+uint64(sample)
			got, err := e.Generate(t.Context(), []Request{rest})
			if err != nil {
				t.Fatalf("cut at %d of %+v: %v", n, parent, err)
			}
			each := len(parent.Alternatives) / len(parent.Tokens)
			parent.Tokens, parent.LogProbs, parent.Alternatives = parent.Tokens[n:], parent.LogProbs[n:], parent.Alternatives[n*each:]
			if parent.DrawLogProbs != nil {
				parent.DrawLogProbs = parent.DrawLogProbs[n:]
			}
			got[0].Sample, got[0].PromptCached, parent.PromptCached = sample, 0, 0
			compareResults(t, uint64(n), got, []Result{parent})
			cuts++
			seen[parent.Thought.Ended]++
			if n > 0 && parent.Thought.Tokens > n {
				within++
			}
			if req.Constraint != nil && parent.Finish == FinishStop {
				constrained++
			}
		}
	}
	for _, end := range []ThoughtEnd{EndedByModel, EndedByBudget, EndedByReserve, EndedByLoop} {
		if seen[end] == 0 {
			t.Errorf("no thought that ended by %s: %v", end, seen)
		}
	}
	if cuts < 400 || within == 0 || constrained == 0 {
		t.Errorf("%d cuts, %d within a thought, %d of what a constraint ended", cuts, within, constrained)
	}
}

// sumOver is a constraint that depends on all tokens.
type sumOver int

func (s sumOver) Stops(tokens []int32) bool {
	sum := 0
	for _, token := range tokens {
		sum += int(token)
	}
	return sum > int(s)
}

// What a sample begins with is refused where it is no part of the prompt, or where the grammar has no way on; another budget than that of the tokens closes the thought at once.
func TestBegunRefused(t *testing.T) {
	e := newTestEngine(t, newFakeModel(50), 100, Options{})
	for begun, want := range map[int]string{-1: "Begun is -1, want 0 to 3", 4: "Begun is 4, want 0 to 3", 3: "no way to go on from the 3 tokens"} {
		_, err := e.Generate(t.Context(), []Request{{Prompt: []int32{2, 3, 2}, Begun: begun, MaxTokens: 9, Grammar: parity{}}})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%d: got %v, want %s", begun, err, want)
		}
	}
	got, err := e.Generate(t.Context(), []Request{{Prompt: []int32{1, 5, 6, 7, 8}, Begun: 4, MaxTokens: 9, Thinking: &Thinking{Begins: ThoughtInside, Close: []int32{21}, Budget: 2}}})
	if err != nil || got[0].Tokens[0] != 21 || got[0].Thought != (Thought{ThoughtOver, 4, EndedByBudget, 0}) {
		t.Errorf("behind its budget: %+v, %v", got, err)
	}
	// A thought that has ended behind its budget is over.
	got, err = e.Generate(t.Context(), []Request{{Prompt: []int32{1, 5, 6, 7, 21, 8}, Begun: 5, MaxTokens: 9, Thinking: &Thinking{Begins: ThoughtInside, Close: []int32{21}, Budget: 2}}})
	if err != nil || got[0].Thought.State != ThoughtOver || got[0].Thought.Tokens != 3 {
		t.Errorf("behind its thought: %+v, %v", got, err)
	}
}
