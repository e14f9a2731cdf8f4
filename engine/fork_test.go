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
