//go:build long

package server

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// soakTime is how long the soak takes; RETORT_SOAK, such as 60s, says otherwise.
func soakTime(t *testing.T) time.Duration {
	text := os.Getenv("RETORT_SOAK")
	if text == "" {
		return 20 * time.Minute
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// resident is the memory of this process that no file backs, in bytes; 0 where the system does not tell.
func resident() int {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	sum := 0
	for line := range bytes.Lines(text) {
		for _, name := range []string{"RssAnon:", "VmSwap:"} {
			if rest, ok := bytes.CutPrefix(line, []byte(name)); ok {
				n, _ := strconv.Atoi(strings.Fields(string(rest))[0])
				sum += n << 10
			}
		}
	}
	return sum
}

// TestSoak: under mixed load, a tenth of it aborted and a twentieth hostile, memory, goroutines and the time to the first token stay where they
// were after the first fifth.
func TestSoak(t *testing.T) {
	s, h := serve(t, func(o *Options) { o.Slots = 4 })
	web := newHTTP(t, s)
	_ = h
	end := time.Now().Add(soakTime(t))
	type sample struct {
		goroutines, memory int
		first              time.Duration // p99
	}
	var mu sync.Mutex
	var firsts []time.Duration
	requests := 0
	measure := func() sample {
		runtime.GC()
		debug.FreeOSMemory()
		mu.Lock()
		defer mu.Unlock()
		slices.Sort(firsts)
		m := sample{goroutines: runtime.NumGoroutine(), memory: resident()}
		if len(firsts) > 0 {
			m.first = firsts[len(firsts)*99/100]
		}
		firsts = firsts[:0]
		return m
	}
	var early, late sample
	began := time.Now()
	for round := 0; time.Now().Before(end); round++ {
		var all sync.WaitGroup
		for worker := range 12 {
			rng := rand.New(rand.NewPCG(uint64(round), uint64(worker)))
			all.Go(func() {
				for range 40 {
					first := soakRequest(t, web, rng)
					mu.Lock()
					requests++
					if first > 0 {
						firsts = append(firsts, first)
					}
					mu.Unlock()
				}
			})
		}
		all.Wait()
		web.client.CloseIdleConnections()
		time.Sleep(50 * time.Millisecond)
		late = measure()
		if early.memory == 0 && time.Since(began) > time.Until(end)/4 {
			early = late
		}
	}
	t.Logf("%d requests; early %+v, late %+v", requests, early, late)
	if late.goroutines > early.goroutines+5 || float64(late.memory) > 1.02*float64(early.memory)+4<<20 {
		t.Errorf("early %+v, late %+v", early, late)
	}
	if running, waiting := s.queue.counts(); running+waiting > 0 || s.metrics.panics.Load() > 0 {
		t.Errorf("%d run, %d wait, %d panics", running, waiting, s.metrics.panics.Load())
	}
}

// soakRequest sends one request of the mixture and returns how long its first byte took, 0 if it had none to give.
func soakRequest(t *testing.T, web httpServer, rng *rand.Rand) time.Duration {
	kind := rng.IntN(100)
	path := []string{"/v1/chat/completions", "/v1/messages", "/api/chat", "/v1/completions"}[rng.IntN(4)]
	text := fmt.Sprintf(`{"model":%q,"max_tokens":%d,"stream":%v,"prompt":"x","messages":[{"role":"user","content":"Use %d, %d, 11 to make 32."}]}`,
		[]string{"lab", "talk", "lab@nothink"}[rng.IntN(3)], 1+rng.IntN(200), rng.IntN(2) == 0, rng.IntN(20), rng.IntN(20))
	if kind < 5 { // hostile: cut, or with a byte changed
		bad := []byte(text)
		bad[rng.IntN(len(bad))] = byte(rng.IntN(256))
		text = string(bad[:rng.IntN(len(bad))])
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if kind >= 90 {
		time.AfterFunc(time.Duration(rng.IntN(30))*time.Millisecond, cancel)
	}
	req, err := http.NewRequestWithContext(ctx, "POST", web.url+path, strings.NewReader(text))
	if err != nil {
		t.Error(err)
		return 0
	}
	req.Header.Set("Content-Type", "application/json")
	began := time.Now()
	r, err := web.client.Do(req)
	if err != nil {
		if ctx.Err() == nil {
			t.Error(err)
		}
		return 0
	}
	defer r.Body.Close()
	one := make([]byte, 1)
	_, err = r.Body.Read(one)
	first := time.Since(began)
	if _, more := io.Copy(io.Discard, r.Body); (err != nil && err != io.EOF || more != nil) && ctx.Err() == nil {
		t.Error(err, more)
	}
	if r.StatusCode != 200 && kind >= 5 && r.StatusCode < 500 {
		t.Errorf("%s %s: %d", path, text, r.StatusCode)
	}
	if kind < 5 || kind >= 90 {
		return 0
	}
	return first
}

// TestUnloading: models that are loaded and unloaded in turns leave no memory behind.
func TestUnloading(t *testing.T) {
	open := func(ctx context.Context) (*Model, error) {
		m, err := embedded(ctx)
		if err != nil {
			return nil, err
		}
		inner := m.Close
		m.Close = func() error { err := inner(); debug.FreeOSMemory(); return err }
		return m, nil
	}
	_, h := serve(t, func(o *Options) {
		o.Models, o.Memory = []ModelSpec{{ID: "a", Bytes: 60, Open: open}, {ID: "b", Bytes: 60, Open: open}}, 100
	})
	early := 0
	for i := range 40 {
		ok(t, h, "/v1/chat/completions", body([]string{"a", "b"}[i%2], `,"n":64`))
		debug.FreeOSMemory()
		if i == 9 {
			early = resident()
		}
	}
	if late := resident(); late > early+early/4+8<<20 {
		t.Errorf("%d bytes after 10 models, %d after 40", early, late)
	}
}
