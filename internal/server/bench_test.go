package server

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/retort-ml/retort/engine"
	"github.com/retort-ml/retort/model"
	"github.com/retort-ml/retort/tokenizer"
	"github.com/retort-ml/retort/weights"
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

// ofFile is the GGUF file that RETORT_BENCH_MODEL names, in its own format, through the packed copies in RETORT_CACHE if there are any.
func ofFile(context.Context) (*Model, error) {
	files, err := model.OpenFiles(os.Getenv("RETORT_BENCH_MODEL"))
	if err != nil {
		return nil, err
	}
	defer files.Close()
	copies := ""
	if cache := os.Getenv("RETORT_CACHE"); cache != "" {
		copies = cache + "/packed"
	}
	m, _, err := files.Load(copies)
	if err != nil {
		return nil, err
	}
	t, err := vocabularyOf(files.Weights.Metadata())
	if err != nil {
		return nil, err
	}
	return ready(m, t, nil)
}

// vocabularyOf is the tokenizer of a GGUF file.
func vocabularyOf(m weights.Metadata) (t *tokenizer.Tokenizer, err error) {
	v := tokenizer.GGUFVocabulary{}
	for key, to := range map[string]*string{"model": &v.Model, "pre": &v.Pre} {
		if *to, err = m.String("tokenizer.ggml." + key); err != nil {
			return nil, err
		}
	}
	for key, to := range map[string]*[]string{"tokens": &v.Tokens, "merges": &v.Merges} {
		if *to, err = m.Strings("tokenizer.ggml." + key); err != nil {
			return nil, err
		}
	}
	types, err := m.Ints("tokenizer.ggml.token_type")
	if err != nil {
		return nil, err
	}
	for _, t := range types {
		v.Types = append(v.Types, int32(t))
	}
	return tokenizer.FromGGUF(v)
}

// streams is how many replies run at once in BenchmarkOverhead.
const streams = 16

// BenchmarkOverhead is what the server costs: replies from the engine alone, which nobody reads before they are whole, and the same ones streamed through HTTP to a
// client in a process of its own, in turns, so that other work on the machine is in the way of both. With -benchtime 24x it takes 24 pairs, and reports medians of their ratios with the interval
// of 95 %. overhead-% is how much longer the server takes for the same tokens than the engine, without the processor time of the client, half of which is
// taken from the server's time: client and server share two processors, and leave none of them idle for long. beside-% is the same with the client's time in it, and
// cpu-% how much more processor time the server's process takes than the engine, which other processes disturb little, but in which waiting in vain is not seen.
func BenchmarkOverhead(b *testing.B) {
	for _, c := range []struct {
		name          string
		open          func(context.Context) (*Model, error)
		tokens, turns int
	}{
		{"embedded", embedded, 240, 3}, {"embedded, long", func(context.Context) (*Model, error) { return embeddedOf(2048) }, 1000, 2},
		{"19M", middling, 64, 2}, {"100M", large, 32, 2}, {"file", ofFile, 24, 1},
	} {
		b.Run(c.name, func(b *testing.B) {
			if c.name == "file" && os.Getenv("RETORT_BENCH_MODEL") == "" {
				b.Skip("RETORT_BENCH_MODEL does not name a GGUF file")
			}
			overhead(b, c.open, c.tokens, c.turns)
		})
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
	l, err := s.models.acquire(b.Context(), "m", time.Minute, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer l.release()
	h := newHTTP(b, s)
	end := l.Ends[0]
	places := make(chan struct{}, streams)
	one := func(i int) error {
		places <- struct{}{}
		defer func() { <-places }()
		r, err := l.Engine.Generate(b.Context(), []engine.Request{{Prompt: l.encode("A"), MaxTokens: tokens, Temperature: 1, Seed: engine.Seed{Sample: uint64(i)},
			LogitBias: []engine.TokenBias{{Token: end, Bias: -1000}}}})
		if err == nil && len(r[0].Tokens) != tokens {
			err = fmt.Errorf("%d tokens, want %d", len(r[0].Tokens), tokens)
		}
		return err
	}
	w := wave{Address: strings.TrimPrefix(h.url, "http://"), Replies: streams * turns, Tokens: tokens, End: end}
	start := func(full func() bool, run func() (time.Duration, error)) sideTime {
		t, err := started(l.Engine, full, run)
		if err != nil {
			b.Fatal(err)
		}
		return t
	}
	bare := func() sideTime {
		return start(func() bool { return len(places) == streams }, func() (time.Duration, error) { return 0, w.run(one) })
	}
	far := startClient(b)
	served := func() sideTime {
		return start(func() bool { running, _ := s.queue.counts(); return running == streams }, func() (time.Duration, error) { return far.run(&w) })
	}
	bare()
	served()
	// Either side alone, for a profile.
	b.Run("bare", func(b *testing.B) {
		for b.Loop() {
			bare()
		}
	})
	b.Run("served", func(b *testing.B) {
		for b.Loop() {
			served()
		}
	})
	b.Run("pairs", func(b *testing.B) { pairs(b, w.Replies*tokens, bare, served) })
}

// sideTime is what one side of a pair took: by the clock, of the processors in this process, and in that of the client.
type sideTime struct{ wall, cpu, client time.Duration }

// started times a wave from the moment on in which 16 of its requests lie before the engine: how they came there one after the other, while the first ones were
// answered alone, is no part of the speed of 16.
func started(e *engine.Engine, full func() bool, run func() (time.Duration, error)) (sideTime, error) {
	fenced, open, over := make(chan struct{}), make(chan struct{}), make(chan error, 2)
	go func() {
		over <- e.Exclusive(context.Background(), func() error { close(fenced); <-open; return nil })
	}()
	<-fenced
	var client time.Duration
	go func() {
		took, err := run()
		client = took
		over <- err
	}()
	for deadline := time.Now().Add(10 * time.Second); !full() && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(20 * time.Millisecond) // from the place in the queue to the engine
	began, cpu := time.Now(), processTime()
	close(open)
	err := errors.Join(<-over, <-over)
	return sideTime{time.Since(began), processTime() - cpu, client}, err
}

// pairs reports how much longer served takes than bare.
func pairs(b *testing.B, tokens int, bare, served func() sideTime) {
	var net, beside, cpu, client, rates []float64
	for i := 0; b.Loop(); i++ {
		var x, y sideTime
		if i%2 == 0 {
			x, y = bare(), served()
		} else {
			y, x = served(), bare()
		}
		net = append(net, 100*((y.wall-y.client/2).Seconds()/x.wall.Seconds()-1))
		beside = append(beside, 100*(y.wall.Seconds()/x.wall.Seconds()-1))
		cpu = append(cpu, 100*(y.cpu.Seconds()/x.cpu.Seconds()-1))
		client = append(client, 100*y.client.Seconds()/2/x.wall.Seconds())
		rates = append(rates, float64(tokens)/x.wall.Seconds())
	}
	b.Logf("without the client %.2f, with it %.2f, processor %.2f", net, beside, cpu) // so that runs can be put together
	for _, c := range []struct {
		name   string
		values []float64
	}{{"overhead", net}, {"beside", beside}, {"cpu", cpu}} {
		low, middle, high := medianInterval(c.values)
		b.ReportMetric(middle, c.name+"-%")
		b.ReportMetric(low, c.name+"-low-%")
		b.ReportMetric(high, c.name+"-high-%")
	}
	_, share, _ := medianInterval(client)
	b.ReportMetric(share, "client-%")
	_, rate, _ := medianInterval(rates)
	b.ReportMetric(rate, "bare-tokens/s")
}

// wave is what a client is told to ask for.
type wave struct {
	Address         string
	Replies, Tokens int
	End             int32 // a token that must not come
}

// run has half as many workers again as there are places ask for all replies.
func (w *wave) run(one func(i int) error) error {
	var all sync.WaitGroup
	var next atomic.Int64
	faults := make([]error, streams*3/2)
	for k := range faults {
		all.Go(func() {
			for i := next.Add(1); i <= int64(w.Replies) && faults[k] == nil; i = next.Add(1) {
				faults[k] = one(int(i))
			}
		})
	}
	all.Wait()
	return errors.Join(faults...)
}

// client is a process that asks.
type client struct {
	in  io.Writer
	out *json.Decoder
}

// reply is what a client says after a wave.
type reply struct {
	CPU   time.Duration
	Fault string
}

// startClient starts TestOverheadClient in a process of its own.
func startClient(b *testing.B) *client {
	b.Helper()
	child := exec.Command(os.Args[0], "-test.run=^TestOverheadClient$", "-test.timeout=0")
	child.Env = append(os.Environ(), "RETORT_OVERHEAD_CLIENT=1", "GOMAXPROCS=1")
	child.Stderr = os.Stderr
	in, err := child.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := child.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := child.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		in.Close()
		_, _ = io.Copy(io.Discard, out)
		if err := child.Wait(); err != nil {
			b.Error(err)
		}
	})
	return &client{in, json.NewDecoder(out)}
}

// run has the client ask for a wave, and returns its processor time.
func (c *client) run(w *wave) (time.Duration, error) {
	if err := json.NewEncoder(c.in).Encode(w); err != nil {
		return 0, err
	}
	var r reply
	if err := c.out.Decode(&r); err != nil {
		return 0, err
	}
	if r.Fault != "" {
		return 0, errors.New(r.Fault)
	}
	return r.CPU, nil
}

// TestOverheadClient is no test: it is the client of BenchmarkOverhead. It reads no more of a reply than it must to know its end, over connections that it keeps.
func TestOverheadClient(t *testing.T) {
	if os.Getenv("RETORT_OVERHEAD_CLIENT") == "" {
		t.Skip("it is started by BenchmarkOverhead")
	}
	idle := make(chan *wire, streams*3/2)
	out := json.NewEncoder(os.Stdout)
	for in := json.NewDecoder(os.Stdin); ; {
		var w wave
		if err := in.Decode(&w); err == io.EOF {
			return
		} else if err != nil {
			t.Fatal(err)
		}
		began := processTime()
		err := w.run(func(i int) error { return w.ask(i, idle) })
		r := reply{CPU: processTime() - began}
		if err != nil {
			r.Fault = err.Error()
		}
		if err := out.Encode(&r); err != nil {
			t.Fatal(err)
		}
	}
}

// wire is a connection with what was read ahead of it.
type wire struct {
	net.Conn
	*bufio.Reader
}

// ask reads one reply.
func (w *wave) ask(i int, idle chan *wire) error {
	var c *wire
	select {
	case c = <-idle:
	default:
		conn, err := net.Dial("tcp", w.Address)
		if err != nil {
			return err
		}
		c = &wire{conn, bufio.NewReaderSize(conn, 16<<10)}
	}
	body := fmt.Sprintf(`{"model":"m","prompt":"A","max_tokens":%d,"temperature":1,"top_p":1,"seed":%d,"stream":true,"logit_bias":{"%d":-100}}`, w.Tokens, i, w.End)
	_, err := fmt.Fprintf(c.Conn, "POST /v1/completions HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", w.Address, len(body), body)
	if err != nil {
		return err
	}
	first, err := c.ReadSlice('\n')
	if err != nil || string(first) != "HTTP/1.1 200 OK\r\n" {
		return fmt.Errorf("%q: %w", first, err)
	}
	finished := false
	for line := first; ; { // to the last chunk, which is empty
		if line, err = c.ReadSlice('\n'); err != nil {
			return err
		}
		if string(line) == "data: [DONE]\n" {
			finished = true
		}
		if string(line) == "0\r\n" {
			break
		}
	}
	if _, err := c.Discard(2); err != nil || !finished {
		return fmt.Errorf("a reply without an end: %w", err)
	}
	idle <- c
	return nil
}

// httpServer is a server behind a socket.
type httpServer struct {
	url    string
	client *http.Client
}
