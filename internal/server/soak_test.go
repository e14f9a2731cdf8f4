//go:build long

package server

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
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

// condition is what a server under soak tells of its process.
type condition struct {
	Goroutines, Memory, Running, Waiting int
	Panics, Tokens                       int64
	CPU                                  time.Duration
}

// TestSoakServer is no test: it is the server of TestSoak, in a process of its own, so that nothing of the clients is measured.
func TestSoakServer(t *testing.T) {
	if os.Getenv("RETORT_SOAK_SERVER") == "" {
		t.Skip("it is started by TestSoak")
	}
	var s *Server
	s, h := serve(t, func(o *Options) {
		o.Slots = 4
		o.Routes = []Route{{Pattern: "GET /condition", Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			runtime.GC()
			debug.FreeOSMemory()
			c := condition{Goroutines: runtime.NumGoroutine(), Memory: resident(), Panics: s.metrics.panics.Load(), CPU: processTime()}
			c.Running, c.Waiting = s.queue.counts()
			s.metrics.mu.Lock()
			for _, n := range s.metrics.generated {
				c.Tokens += n
			}
			s.metrics.mu.Unlock()
			writeJSON(w, 200, c)
		})}}
	})
	fmt.Printf("soak %s\n", h.URL)
	_, _ = io.Copy(io.Discard, os.Stdin) // until the parent goes
}

// soakServer starts a server in another process.
func soakServer(t *testing.T) httpServer {
	t.Helper()
	child := exec.Command(os.Args[0], "-test.run=^TestSoakServer$", "-test.timeout=0")
	child.Env = append(os.Environ(), "RETORT_SOAK_SERVER=1")
	in, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = in.Close(); _ = child.Wait() })
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if url, ok := strings.CutPrefix(lines.Text(), "soak "); ok {
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return httpServer{url, &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}}
		}
	}
	t.Fatal("the server did not start")
	return httpServer{}
}

// soakRound sends 480 requests of the mixture by 12 clients, and returns the times to the first byte, sorted, and the state after it.
func soakRound(t *testing.T, web httpServer, round int) ([]time.Duration, condition) {
	t.Helper()
	var mu sync.Mutex
	var firsts []time.Duration
	var all sync.WaitGroup
	for worker := range 12 {
		rng := rand.New(rand.NewPCG(uint64(round), uint64(worker)))
		all.Go(func() {
			for range 40 {
				if first := soakRequest(t, web, rng); first > 0 {
					mu.Lock()
					firsts = append(firsts, first)
					mu.Unlock()
				}
			}
		})
	}
	all.Wait()
	web.client.CloseIdleConnections()
	time.Sleep(50 * time.Millisecond)
	r, err := web.client.Get(web.url + "/condition")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	var c condition
	if err := json.NewDecoder(r.Body).Decode(&c); err != nil {
		t.Fatal(err)
	}
	slices.Sort(firsts)
	return firsts, c
}

// TestSoak: under mixed load, a tenth of it aborted and a twentieth hostile, memory and goroutines stay where they were after the first fifth. At the
// end the server answers as fast as one that has just been started: both get the same requests in turns, so that other work on the machine is as
// much in the way of either.
func TestSoak(t *testing.T) {
	web := soakServer(t)
	began, long := time.Now(), soakTime(t)
	var early, late condition
	rounds, earlyRound, told := 0, 0, time.Duration(0)
	for time.Since(began) < long {
		_, late = soakRound(t, web, rounds)
		rounds++
		if since := time.Since(began); early.Memory == 0 && since > long/5 {
			early, earlyRound = late, rounds
		}
		if since := time.Since(began); since-told > long/20 {
			told = since
			t.Logf("%v, %d requests: %+v, %v of CPU a token", since.Round(time.Second), rounds*480, late, late.CPU/time.Duration(max(1, late.Tokens)))
		}
	}
	t.Logf("%d requests; after %d %+v, at the end %+v", rounds*480, earlyRound*480, early, late)
	if late.Goroutines > early.Goroutines+2 || float64(late.Memory) > 1.02*float64(early.Memory)+1<<20 {
		t.Errorf("early %+v, late %+v", early, late)
	}
	if late.Running+late.Waiting > 0 || late.Panics > 0 {
		t.Errorf("at the end %+v", late)
	}

	fresh := soakServer(t)
	for round := range 4 { // as warm as the other one
		soakRound(t, fresh, -1-round)
	}
	var ratios [2][]float64 // of the median, and of the 99th percentile
	for round := range 30 {
		var times [2][]time.Duration
		for turn := range 2 {
			which := (turn + round) % 2
			times[which], _ = soakRound(t, []httpServer{web, fresh}[which], rounds+round)
		}
		for i, share := range []int{50, 99} {
			ratios[i] = append(ratios[i], float64(times[0][len(times[0])*share/100])/float64(times[1][len(times[1])*share/100]))
		}
	}
	for i, name := range []string{"median", "99th percentile"} {
		low, middle, high := medianInterval(ratios[i])
		t.Logf("first byte, %s: %.3f of a fresh server's (95 %%: %.3f to %.3f)", name, middle, low, high)
		if low > 1.05 {
			t.Errorf("first byte, %s: %.3f of a fresh server's (95 %%: %.3f to %.3f)", name, middle, low, high)
		}
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
