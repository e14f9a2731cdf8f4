package engine

import (
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/retort-ml/retort/internal/compute"
	"github.com/retort-ml/retort/model"
)

// script is a text by the place in it, for measuring drafts: places of one kind have one token that may come, the others some of a few.
type script struct {
	kind  string
	vocab int
}

// scriptPlace is a place in a script; phrase is the last choice that was made.
type scriptPlace struct {
	script
	n      int
	phrase int32
}

func (s script) Start() GrammarState { return scriptPlace{script: s} }

func (p scriptPlace) Complete() bool { return false }

func (p scriptPlace) Next(token int32) GrammarState {
	if _, certain := p.certain(); !certain {
		p.phrase = token
	}
	p.n++
	return p
}

// certain is the token that must come at a place.
func (p scriptPlace) certain() (token int32, ok bool) {
	switch p.kind {
	case "circle":
		return int32(10 + p.n%5), true
	case "stops": // 24 tokens in a circle, then 24 of noise
		return int32(10 + p.n%4), p.n/24%2 == 0
	case "phrases": // each of 12 tokens, that its first one decides
		return 100 + (p.phrase*31+int32(p.n)%12*7)%89, p.n%12 != 0
	}
	return 0, false
}

func (p scriptPlace) Allow(mask []uint64) {
	set := func(token int32) { mask[token/64] |= 1 << (token % 64) }
	if token, ok := p.certain(); ok {
		set(token)
		return
	}
	few := int32(6)
	if p.kind == "phrases" {
		few = 20
	}
	for i := range few { // whatever the model thinks of them, they are nearly alike at a high temperature
		set(30 + i)
	}
}

// speculationModel is the file that RETORT_BENCH_MODEL names, or a model of the lab's size with random weights.
func speculationModel(b *testing.B) *model.Model {
	path := os.Getenv("RETORT_BENCH_MODEL")
	var m *model.Model
	var err error
	if path != "" {
		m, err = model.OpenQuantised(path)
	} else {
		m, err = model.New(model.Config{
			Architecture: model.Qwen2, VocabSize: 480, Width: 128, Layers: 4, Heads: 4, KVHeads: 2, HeadSize: 32, FFN: 352,
			MaxPositions: 1024, RopeTheta: 10000, NormEpsilon: 1e-6, TieEmbeddings: true, BOS: -1, EOS: -1,
		}, 1)
	}
	if err != nil {
		b.Fatal(err)
	}
	return m
}

// BenchmarkSpeculation sets decoding with drafts beside decoding without, by turns, on one thread: the median of the rounds' ratios of speed, and the
// share of drafted tokens that came. Texts: control (free, and drafts never), free (nothing comes twice), noise (six tokens in any order, so that there is something to guess
// everywhere and the guess is mostly wrong), stops (24 tokens in a circle and 24 of noise by turns), phrases (of twelve tokens, twenty of them, that all samples
// share), circle. The number of rounds is that of -benchtime=Nx.
func BenchmarkSpeculation(b *testing.B) {
	m := speculationModel(b)
	cpu := compute.NewCPU(1)
	defer cpu.Close()
	vocab := m.Config().VocabSize
	for _, text := range []string{"control", "free", "noise", "stops", "phrases", "circle"} {
		for _, samples := range []int{1, 4, 8, 16, 32, 48} {
			b.Run(fmt.Sprintf("%s/samples=%d", text, samples), func(b *testing.B) {
				e, err := New(m, cpu, &Options{MaxBatch: 64, Blocks: 1000})
				if err != nil {
					b.Fatal(err)
				}
				draftTokens := e.scheduler.draftTokens
				if text == "control" {
					draftTokens = 0
				}
				tokens := 96
				if vocab > 1000 && samples > 1 { // a step takes long
					tokens = min(48, 768/samples)
				}
				r := Request{Prompt: []int32{1, 2, 3, 4, 5, 6, 7, 8}, MaxTokens: tokens, Temperature: 1, Samples: samples}
				if text != "free" && text != "control" {
					r.Grammar, r.Temperature = script{kind: text, vocab: vocab}, 50
				}
				var ratios []float64
				round := 0
				var before Stats
				for b.Loop() {
					r.Seed.Run++
					var took [2]float64
					for k := range 2 {
						// One engine, so that both read the same memory.
						i := (k + round) % 2
						if err := e.Exclusive(b.Context(), func() error { e.scheduler.draftTokens = i * draftTokens; return nil }); err != nil {
							b.Fatal(err)
						}
						start := time.Now()
						if _, err := e.Generate(b.Context(), []Request{r}); err != nil {
							b.Fatal(err)
						}
						took[i] = time.Since(start).Seconds()
					}
					if round++; round == 1 {
						before = e.Stats()
						continue // which measured what rows cost
					}
					ratios = append(ratios, took[0]/took[1])
				}
				did := e.Stats().Since(before)
				if len(ratios) > 0 {
					slices.Sort(ratios)
					b.ReportMetric(ratios[len(ratios)/2], "x")
					b.ReportMetric(ratios[len(ratios)/4], "q1-x")
				}
				b.ReportMetric(2*float64(did.Drafted)/float64(max(1, did.Generated)), "drafted/token")
				b.ReportMetric(float64(did.DraftsTaken)/float64(max(1, did.Drafted)), "taken")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}
