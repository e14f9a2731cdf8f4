package server

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
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

// BenchmarkStreams: 16 streams of 128 tokens, of the engine alone and through HTTP, client included. The difference is what the server costs.
func BenchmarkStreams(b *testing.B) {
	const streams, tokens = 16, 128
	s, err := New(Options{Models: []ModelSpec{{ID: "m", Open: middling}}})
	if err != nil {
		b.Fatal(err)
	}
	l, err := s.models.acquire(b.Context(), "m", time.Second, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer l.release()
	end := l.Ends[0]
	run := func(b *testing.B, one func(i int) error) {
		b.Helper()
		for b.Loop() {
			var all sync.WaitGroup
			for i := range streams {
				all.Go(func() {
					if err := one(i); err != nil {
						b.Error(err)
					}
				})
			}
			all.Wait()
		}
		b.ReportMetric(float64(b.N*streams*tokens)/b.Elapsed().Seconds(), "tokens/s")
	}
	b.Run("engine", func(b *testing.B) {
		run(b, func(i int) error {
			_, err := l.Engine.Stream(b.Context(), engine.Request{Prompt: []int32{65}, MaxTokens: tokens, Temperature: 1, Seed: engine.Seed{Sample: uint64(i)},
				LogitBias: []engine.TokenBias{{Token: end, Bias: -1000}}}, func(int32, float32) {})
			return err
		})
	})
	b.Run("server", func(b *testing.B) {
		h := newHTTP(b, s)
		run(b, func(i int) error {
			r, err := h.client.Post(h.url+"/v1/completions", "application/json", strings.NewReader(fmt.Sprintf(
				`{"model":"m","prompt":"A","max_tokens":%d,"temperature":1,"seed":%d,"stream":true,"logit_bias":{"%d":-100}}`, tokens, i, end)))
			if err != nil {
				return err
			}
			defer r.Body.Close()
			_, err = io.Copy(io.Discard, r.Body)
			return err
		})
	})
}

// httpServer is a server behind a socket.
type httpServer struct {
	url    string
	client *http.Client
}
