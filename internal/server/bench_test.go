package server

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/retort-ml/retort/engine"
	"github.com/retort-ml/retort/model"
	"github.com/retort-ml/retort/tokenizer"
)

// middling is a random model of 19 million parameters: large enough that a token costs something, as those of people do.
func middling(context.Context) (*Model, error) {
	lab := tokenizer.Lab()
	m, err := model.New(model.Config{
		Architecture: model.Qwen2, VocabSize: lab.Size(), Width: 512, Layers: 6, Heads: 8, KVHeads: 2, HeadSize: 64, FFN: 1536,
		MaxPositions: 1024, RopeTheta: 10000, NormEpsilon: 1e-6, TieEmbeddings: true, BOS: -1, EOS: -1,
	}, 1)
	if err != nil {
		return nil, err
	}
	return ready(m, lab, nil)
}

// large is a random model of about 100 million parameters.
func large(context.Context) (*Model, error) {
	lab := tokenizer.Lab()
	m, err := model.New(model.Config{
		Architecture: model.Qwen2, VocabSize: lab.Size(), Width: 896, Layers: 10, Heads: 14, KVHeads: 2, HeadSize: 64, FFN: 3072,
		MaxPositions: 1024, RopeTheta: 10000, NormEpsilon: 1e-6, TieEmbeddings: true, BOS: -1, EOS: -1,
	}, 1)
	if err != nil {
		return nil, err
	}
	return ready(m, lab, nil)
}

// streams is how many replies run at once in BenchmarkOverhead.
const streams = 16

// BenchmarkOverhead is what the server costs, client included: streams of tokens from the engine alone, and the same ones through HTTP, in turns, so
// that other work on the machine is in the way of both. With -benchtime 24x it takes 24 pairs, and reports the median of their ratios with the interval
// of 95 %: overhead-% is how much longer the server takes for the same tokens.
func BenchmarkOverhead(b *testing.B) {
	for _, c := range []struct {
		name          string
		open          func(context.Context) (*Model, error)
		tokens, turns int
	}{{"embedded", embedded, 240, 3}, {"embedded, long", func(context.Context) (*Model, error) { return embeddedOf(2048) }, 1000, 2}, {"19M", middling, 64, 2}, {"100M", large, 32, 2}} {
		b.Run(c.name, func(b *testing.B) { overhead(b, c.open, c.tokens, c.turns) })
	}
}

// overhead compares waves of turns times 16 replies, of which 16 run at once. Half as many clients again wait, so that none of the 16 places is empty while
// a client asks anew: what is compared is tokens a second, not the way to the first one.
func overhead(b *testing.B, open func(context.Context) (*Model, error), tokens, turns int) {
	s, err := New(Options{Models: []ModelSpec{{ID: "m", Open: open}}, Slots: streams})
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := s.Shutdown(context.Background()); err != nil {
			b.Error(err)
		}
	}()
	l, err := s.models.acquire(b.Context(), "m", time.Second, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer l.release()
	h := newHTTP(b, s)
	end := l.Ends[0]
	places := make(chan struct{}, streams)
	bare := func(i int) error {
		places <- struct{}{}
		defer func() { <-places }()
		n := 0
		_, err := l.Engine.Stream(b.Context(), engine.Request{Prompt: []int32{65}, MaxTokens: tokens, Temperature: 1, Seed: engine.Seed{Sample: uint64(i)},
			LogitBias: []engine.TokenBias{{Token: end, Bias: -1000}}}, func(int32, float32) { n++ })
		if err == nil && n != tokens {
			err = fmt.Errorf("%d tokens, want %d", n, tokens)
		}
		return err
	}
	served := func(i int) error {
		r, err := h.client.Post(h.url+"/v1/completions", "application/json", strings.NewReader(fmt.Sprintf(
			`{"model":"m","prompt":"A","max_tokens":%d,"temperature":1,"top_p":1,"seed":%d,"stream":true,"logit_bias":{"%d":-100}}`, tokens, i, end)))
		if err != nil {
			return err
		}
		defer r.Body.Close()
		_, err = io.Copy(io.Discard, r.Body)
		return err
	}
	took := func(one func(i int) error) time.Duration {
		var all sync.WaitGroup
		began := time.Now()
		var next atomic.Int64
		for range streams * 3 / 2 {
			all.Go(func() {
				for i := next.Add(1); i <= int64(streams*turns); i = next.Add(1) {
					if err := one(int(i)); err != nil {
						b.Error(err)
					}
				}
			})
		}
		all.Wait()
		return time.Since(began)
	}
	took(bare)
	took(served)
	// Either side alone, for a profile.
	b.Run("bare", func(b *testing.B) {
		for b.Loop() {
			took(bare)
		}
	})
	b.Run("served", func(b *testing.B) {
		for b.Loop() {
			took(served)
		}
	})
	b.Run("pairs", func(b *testing.B) {
		pairs(b, streams*turns*tokens, func() time.Duration { return took(bare) }, func() time.Duration { return took(served) })
	})
}

// pairs reports how much longer served takes than bare.
func pairs(b *testing.B, tokens int, bare, served func() time.Duration) {
	var ratios, rates []float64
	for i := 0; b.Loop(); i++ {
		var x, y time.Duration
		if i%2 == 0 {
			x, y = bare(), served()
		} else {
			y, x = served(), bare()
		}
		ratios = append(ratios, 100*(y.Seconds()/x.Seconds()-1))
		rates = append(rates, float64(tokens)/x.Seconds())
	}
	b.Logf("%.2f", ratios) // so that runs can be put together
	low, middle, high := medianInterval(ratios)
	b.ReportMetric(middle, "overhead-%")
	b.ReportMetric(low, "low-%")
	b.ReportMetric(high, "high-%")
	_, rate, _ := medianInterval(rates)
	b.ReportMetric(rate, "bare-tokens/s")
}

// httpServer is a server behind a socket.
type httpServer struct {
	url    string
	client *http.Client
}
