package engine

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/retort-ml/retort/internal/compute"
	"github.com/retort-ml/retort/model"
)

// A job that is called off while a batch runs that is mostly that of others ends before they are done, with what it was shown; they go on.
func TestLetGo(t *testing.T) {
	for _, watched := range []bool{false, true} {
		model := newFakeModel(200)
		e := newTestEngine(t, model, 512, Options{})
		others := []Request{{Prompt: prompt(9), MaxTokens: 60, Samples: 5, Temperature: 1}}
		mine := Request{Prompt: prompt(11), MaxTokens: 400, Temperature: 1, TopLogProbs: 2}
		ctx, cancel := context.WithCancel(t.Context())
		over := make(chan struct{})
		submitted := make(chan struct{})
		model.after = func() {
			if model.runs == 1 { // however soon the others would be over, mine comes
				<-submitted
				for wait := 0; e.Load().Jobs < 2 && wait < 60000; wait++ {
					time.Sleep(time.Millisecond)
				}
			}
			if model.runs != 20 {
				return
			}
			if len(e.scheduler.batch.Tokens) < 6 {
				t.Error("the jobs do not run together")
			}
			cancel()
			select {
			case <-over:
			case <-time.After(time.Minute):
				t.Error("the job waits for the batch")
			}
		}
		running, err := e.Submit(t.Context(), others[0])
		if err != nil {
			t.Fatal(err)
		}
		close(submitted)
		var got []Result
		var read int
		if watched {
			var j *Job
			if j, err = e.Submit(ctx, mine); err != nil {
				t.Fatal(err)
			}
			var last Update
			for u, ok := j.Next(); ok; u, ok = j.Next() {
				read += len(u.Tokens)
				last = u
			}
			if last.Finish != FinishCancelled {
				t.Errorf("the last update says %q", last.Finish)
			}
			got, err = j.Wait()
		} else {
			got, err = e.Generate(ctx, []Request{mine})
		}
		close(over)
		if !errors.Is(err, context.Canceled) || len(got) != 1 || got[0].Finish != FinishCancelled {
			t.Fatalf("got %v, %v, want one cancelled sample", got, err)
		}
		got[0].Tokens = append(got[0].Tokens, -1) // the caller's own, while the batch goes on
		got[0].Tokens = got[0].Tokens[:len(got[0].Tokens)-1]
		n := len(got[0].Tokens)
		if n == 0 || n > 20 || watched && read != n {
			t.Errorf("%d tokens, %d read", n, read)
		}
		want := referenceResults([]Request{mine}, 512)[0]
		if !slices.Equal(got[0].Tokens, want.Tokens[:n]) || !slices.Equal(got[0].LogProbs, want.LogProbs[:n]) || !slices.Equal(got[0].Alternatives, want.Alternatives[:2*n]) {
			t.Errorf("got %v", got[0])
		}
		went, err := running.Wait()
		if err != nil {
			t.Fatal(err)
		}
		compareResults(t, 0, went, referenceResults(others, 512))
		if err := e.Exclusive(t.Context(), func() error { return checkInvariants(e.scheduler, model) }); err != nil {
			t.Error(err)
		}
		if got := e.Load(); got.Jobs+got.Running+got.Held != 0 {
			t.Errorf("at rest: %+v", got)
		}
	}
}

// cancellation is one job that is called off after a while, beside others.
type cancellation struct {
	name            string
	prompt, samples int
	others          int
	after           int // tokens of the first sample
}

var cancellations = []cancellation{
	{"prefill", 4096, 1, 0, 0},
	{"decode of 32", 128, 32, 0, 3},
	{"one of 32", 128, 1, 31, 3},
	{"prefill beside 8", 4096, 1, 8, 0},
}

// cancelled runs c on e, and returns how long it took from the call of cancel to the return of Wait.
func cancelled(t testing.TB, e *Engine, c cancellation, wait time.Duration, seed uint64) time.Duration {
	t.Helper()
	random := func(seed uint64, n int) []int32 {
		rng := rand.New(rand.NewPCG(seed, 9))
		p := make([]int32, n)
		for i := range p {
			p[i] = rng.Int32N(int32(e.scheduler.vocab))
		}
		return p
	}
	rest, stop := context.WithCancel(t.Context())
	defer stop()
	var others []*Job
	for i := range c.others { // the same every time: their prompts are in the cache
		j, err := e.Submit(rest, Request{Prompt: random(uint64(i)<<32, 128), Temperature: 1, MaxTokens: 3000})
		if err != nil {
			t.Fatal(err)
		}
		others = append(others, j)
	}
	for _, j := range others {
		if _, ok := j.Next(); !ok {
			t.Fatal("over")
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	j, err := e.Submit(ctx, Request{Prompt: random(seed, c.prompt), Temperature: 1, MaxTokens: 3000, Samples: c.samples})
	if err != nil {
		t.Fatal(err)
	}
	for n := 0; n < c.after*c.samples; {
		u, ok := j.Next()
		if !ok {
			t.Fatal("over")
		}
		n += len(u.Tokens)
	}
	time.Sleep(wait)
	start := time.Now()
	cancel()
	if _, err := j.Wait(); !errors.Is(err, context.Canceled) {
		t.Fatalf("%v: it was over before it was called off", err)
	}
	took := time.Since(start)
	stop()
	for _, j := range others {
		<-j.over
	}
	return took
}

// TestCancelIsQuick: at a size where a chunk of a prompt takes long, a call that is cancelled within it ends long before the chunk would have.
func TestCancelIsQuick(t *testing.T) {
	m, err := model.New(model.Config{
		Architecture: model.Qwen2, VocabSize: 512, Width: 768, Layers: 2, Heads: 12, KVHeads: 2, HeadSize: 64, FFN: 2304,
		MaxPositions: 4096, RopeTheta: 10000, NormEpsilon: 1e-6, TieEmbeddings: true, BOS: -1, EOS: -1,
	}, 1)
	if err != nil {
		t.Fatal(err)
	}
	cpu := compute.NewCPU(2)
	defer cpu.Close()
	e, err := New(m, cpu, &Options{MaxBatch: 32, PrefillTokens: 1536, MaxStall: time.Hour, Blocks: 600})
	if err != nil {
		t.Fatal(err)
	}
	var did Stats
	for i := range 3 { // the least of three: other work on the machine makes a chunk take longer, and nothing makes it take less
		before := e.Stats()
		whole := make([]int32, 1536)
		whole[0] = int32(i) // so that none of it is in the cache
		if _, err := e.Generate(t.Context(), []Request{{Prompt: whole, MaxTokens: 1}}); err != nil {
			t.Fatal(err)
		}
		if one := e.Stats().Since(before); i == 0 || one.Forward < did.Forward {
			did = one
		}
	}
	if did.Steps != 1 || did.Forward < 100*time.Millisecond {
		t.Skipf("not run: a chunk takes %v in %d steps, want at least 100 ms in one", did.Forward, did.Steps)
	}
	for k, c := range []cancellation{{"prefill", 1536, 1, 0, 0}, {"prefill beside others", 1536, 1, 2, 0}} {
		// Other work on the machine hits single tries: one round of some has to be quick. A call that waited for its chunk would be so in none.
		var list []time.Duration
		isQuick := false
		for round := 0; round < 6 && !isQuick; round++ {
			list = nil
			for i := range 7 {
				list = append(list, cancelled(t, e, c, did.Forward/20*time.Duration(i), uint64(100*k+10*round+i)))
			}
			slices.Sort(list)
			t.Logf("%s: %v of a chunk of %v", c.name, list, did.Forward)
			isQuick = list[3] <= did.Forward/8
		}
		if !isQuick {
			t.Errorf("%s: the median of %v is more than an eighth of the chunk's %v", c.name, list, did.Forward)
		}
	}
}

// BenchmarkCancel calls off 20 jobs at random times, of the GGUF file that RETORT_BENCH_MODEL names, and reports how long each took to end.
func BenchmarkCancel(b *testing.B) {
	path := os.Getenv("RETORT_BENCH_MODEL")
	if path == "" {
		b.Skip("RETORT_BENCH_MODEL does not name a GGUF file")
	}
	m, err := model.OpenQuantised(path)
	if err != nil {
		b.Fatal(err)
	}
	for threads := 1; threads <= 2; threads++ {
		cpu := compute.NewCPU(threads)
		e, err := New(m, cpu, &Options{MaxBatch: 40, KV: model.KVF16, Blocks: 1200})
		if err != nil {
			b.Fatal(err)
		}
		for _, c := range cancellations {
			b.Run(fmt.Sprintf("%s/threads=%d", c.name, threads), func(b *testing.B) {
				rng := rand.New(rand.NewPCG(1, 2))
				var list []time.Duration
				for range 20 {
					list = append(list, cancelled(b, e, c, time.Duration(rng.IntN(600))*time.Millisecond, rng.Uint64()))
				}
				slices.Sort(list)
				b.Log(list)
				for at, unit := range map[int]string{0: "least-ms", 10: "median-ms", 17: "p90-ms", 19: "most-ms"} {
					b.ReportMetric(float64(list[at].Microseconds())/1000, unit)
				}
				b.ReportMetric(0, "ns/op")
			})
		}
		cpu.Close()
	}
}
